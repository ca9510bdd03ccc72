#include "kernel/codec/schema.h"

#include <fmt/format.h>

#include "kernel/base/hash.h"
#include "kernel/codec/shape.h"

namespace gantry::codec {
namespace {

constexpr std::uint8_t schema_version = 1;

std::string text_shape(Type const& type) {
    if (type.is_id) return fmt::format("id {}", type.prefix);
    if (type.max == ~std::uint64_t(0)) return "text";
    return fmt::format("text {}..{}", type.min, type.max);
}
std::string integer_shape(Type const& type) {
    std::string_view sign = type.is_signed ? "i" : "u";
    std::string max = type.is_signed ? fmt::format("{}", std::int64_t(type.max)) : fmt::format("{}", type.max);
    return fmt::format("{}{} {}..{}", sign, type.size * 8, type.min, max);
}
std::string enum_shape(Type const& type) {
    std::string out = "enum";
    for (auto const& v : type.values) out.append(&v == type.values.data() ? " " : ", ").append(v.name);
    return out;
}

void describe_lines(Type const& type, std::string const& path, std::string& out) {
    auto line = [&](std::string_view what) { out.append(path).append(": ").append(what).append("\n"); };
    switch (type.kind) {
        case Kind::boolean: return line("bool");
        case Kind::integer: return line(integer_shape(type));
        case Kind::real: return line("double");
        case Kind::text: return line(text_shape(type));
        case Kind::sequence: return line(fmt::format("sequence {}", type.prefix));
        case Kind::bytes: return line("bytes");
        case Kind::time: return line("time");
        case Kind::duration: return line("duration");
        case Kind::enumeration: return line(enum_shape(type));
        case Kind::optional: return describe_lines(type.element(), path + "?", out);
        case Kind::list: return describe_lines(type.element(), path + "[]", out);
        case Kind::map: return describe_lines(type.element(), path + "{}", out);
        case Kind::secret: return describe_lines(type.element(), path + " (secret)", out);
        case Kind::personal: return describe_lines(type.element(), path + " (personal)", out);
        case Kind::ref: return line("ref");
        case Kind::raw_json: return line("json");
        case Kind::record:
            if (type.fields.empty()) return line("record without fields");
            for (auto const& f : type.fields) describe_lines(f.type(), fmt::format("{}.{}", path, f.name), out);
            return;
        case Kind::variant:
            for (auto const& a : type.alternatives)
                describe_lines(a.type(), fmt::format("{}{}{}{}", path, path.empty() ? "" : "|", a.name, a.ignorable ? " (ignorable)" : ""),
                               out);
            return;
    }
}

}  // namespace

// schema = version 1, count, event type… · event type = number, name, flags byte (1: ignorable), shape (shape.h)
std::string encode_event_schema(Type const& event_variant) {
    std::string out(1, char(schema_version));
    put_varint(out, event_variant.alternatives.size());
    std::uint64_t number = 0;
    for (auto const& a : event_variant.alternatives) {
        put_varint(out, number++);
        put_string(out, a.name);
        out.push_back(char(a.ignorable));
        detail::write_shape(a.type(), out);
    }
    return out;
}

// schema of a value = version 1, shape
std::string encode_schema(Type const& type) {
    std::string out(1, char(schema_version));
    detail::write_shape(type, out);
    return out;
}

std::string describe_shape(Type const& type) {
    std::string out;
    describe_lines(type, type.kind == Kind::variant ? std::string() : type.name.empty() ? "value" : snake_case(type.name), out);
    return out;
}

std::uint64_t fingerprint(Type const& type) { return hash64(describe_shape(type)); }

}  // namespace gantry::codec
