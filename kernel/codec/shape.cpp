#include "kernel/codec/shape.h"

#include <fmt/format.h>

#include "kernel/base/assert.h"
#include "kernel/codec/utf8.h"

namespace gantry::codec::detail {
namespace {
static_assert(int(Kind::boolean) == 0 && int(Kind::enumeration) == 8 && int(Kind::raw_json) == 17, "kinds are written by number");
constexpr int depth_max = 64;

bool has_element(Kind kind) {
    return kind == Kind::optional || kind == Kind::list || kind == Kind::map || kind == Kind::secret || kind == Kind::personal;
}

void write_members(Type const& type, std::string& out) {
    if (type.kind == Kind::enumeration) {
        put_varint(out, type.values.size());
        for (auto const& v : type.values) put_string(out, v.name);
    } else if (type.kind == Kind::record) {
        put_varint(out, type.fields.size());
        for (auto const& f : type.fields) put_string(out, f.name), write_shape(f.type(), out);
    } else if (type.kind == Kind::variant) {
        put_varint(out, type.alternatives.size());
        for (auto const& a : type.alternatives) put_string(out, a.name), write_shape(a.type(), out);
    }
}

bool read_members(ByteReader& in, Shape& out, int depth) {
    std::uint64_t n = in.varint();
    if (!in.ok() || n > in.left()) return false;
    for (; n > 0; --n) {
        Named member{std::string(in.string()), nullptr};
        if (!in.ok() || !scan_utf8(member.name).valid()) return false;
        if (out.kind != Kind::enumeration) {
            member.shape = std::make_unique<Shape>();
            if (!read_shape(in, *member.shape, depth + 1)) return false;
        }
        out.members.push_back(std::move(member));
    }
    return in.ok();
}

std::string_view word(Kind kind) {
    switch (kind) {
        case Kind::boolean: return "bool";
        case Kind::integer: return "integer";
        case Kind::real: return "double";
        case Kind::text: return "text";
        case Kind::sequence: return "sequence number";
        case Kind::bytes: return "bytes";
        case Kind::time: return "time";
        case Kind::duration: return "duration";
        case Kind::enumeration: return "enum";
        case Kind::optional: return "optional";
        case Kind::list: return "list of";
        case Kind::map: return "map of";
        case Kind::record: return "record";
        case Kind::variant: return "variant";
        case Kind::secret: return "secret";
        case Kind::personal: return "personal";
        case Kind::ref: return "ref";
        case Kind::raw_json: return "raw JSON";
    }
    return "unknown";
}
}  // namespace

void write_shape(Type const& type, std::string& out) {
    out.push_back(char(type.kind));
    if (type.kind == Kind::integer) out.push_back(char(type.size + (type.is_signed ? 128 : 0)));
    if (has_element(type.kind)) write_shape(type.element(), out);
    if (type.kind == Kind::enumeration || type.kind == Kind::record) put_string(out, type.name);
    write_members(type, out);
}

bool read_shape(ByteReader& in, Shape& out, int depth) {
    auto kind = in.fixed<std::uint8_t>();
    if (!in.ok() || kind > std::uint8_t(Kind::raw_json) || depth > depth_max) return false;
    out.kind = Kind(kind);
    if (out.kind == Kind::integer) {
        auto form = in.fixed<std::uint8_t>();
        out.is_signed = form & 128, out.size = form & 127;
        return in.ok() && (out.size == 1 || out.size == 2 || out.size == 4 || out.size == 8);
    }
    if (has_element(out.kind)) return out.element = std::make_unique<Shape>(), read_shape(in, *out.element, depth + 1);
    if (out.kind == Kind::enumeration || out.kind == Kind::record) out.name = in.string();
    if (out.kind == Kind::enumeration || out.kind == Kind::record || out.kind == Kind::variant)
        return in.ok() && scan_utf8(out.name).valid() && read_members(in, out, depth);
    return true;
}

Shape shape_of(Type const& type) {
    std::string bytes;
    write_shape(type, bytes);
    ByteReader in(bytes);
    Shape shape;
    GANTRY_ASSERT(read_shape(in, shape) && in.done(), "a type nests more than 64 deep");
    return shape;
}

std::string describe(Shape const& shape) {
    std::string out(word(shape.kind));
    if (shape.kind == Kind::integer) return fmt::format("{} integer of {} bits", shape.is_signed ? "signed" : "unsigned", shape.size * 8);
    if (shape.element) return out + " " + describe(*shape.element);
    if (!shape.name.empty()) out += " " + shape.name;
    if (shape.kind != Kind::enumeration && shape.kind != Kind::record && shape.kind != Kind::variant) return out;
    out += " {";
    for (std::size_t i = 0; i < shape.members.size(); ++i) {
        out.append(i ? ", " : "").append(shape.members[i].name);
        if (shape.members[i].shape && shape.kind == Kind::record) out.append(": ").append(describe(*shape.members[i].shape));
    }
    return out + "}";
}

}  // namespace gantry::codec::detail
