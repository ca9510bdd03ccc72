#include "kernel/codec/binary.h"

#include "kernel/base/assert.h"

namespace gantry::codec {
namespace {

constexpr std::uint8_t in_clear = 0, sealed_form = 1, erased_form = 2;

void const* at_offset(void const* record, Field const& f) { return static_cast<char const*>(record) + f.offset; }
void* at_offset(void* record, Field const& f) { return static_cast<char*>(record) + f.offset; }

void encode_personal(Type const& type, void const* value, std::string& out, Sealer const* sealer) {
    std::string_view subject = type.ops.text(value);
    bool erased = !type.ops.has(value);
    out.push_back(char(erased ? erased_form : sealer ? sealed_form : in_clear));
    put_string(out, subject);
    if (erased) return;
    if (!sealer) return encode_binary(type.element(), type.ops.inner(value), out, nullptr);
    std::string plain;
    encode_binary(type.element(), type.ops.inner(value), plain, nullptr);
    put_string(out, sealer->seal(subject, plain));
}

bool decode_personal(Type const& type, void* out, ByteReader& in, Sealer const* sealer, bool borrow) {
    auto form = in.fixed<std::uint8_t>();
    std::string_view subject = in.string();
    if (!in.ok() || form > erased_form) return false;
    if (form == erased_form) return type.ops.reset(out), type.ops.set(out, subject), true;
    type.ops.set(out, subject);
    if (form == in_clear) return decode_binary(type.element(), type.ops.emplace(out), in, nullptr, borrow);
    std::string_view sealed = in.string();
    if (!in.ok() || !sealer) return false;
    auto plain = sealer->open(subject, sealed);
    if (!plain) return type.ops.reset(out), type.ops.set(out, subject), true;
    ByteReader inner(*plain);
    return decode_binary(type.element(), type.ops.emplace(out), inner, nullptr, false) && inner.done();
}

bool decode_integer(Type const& type, void* out, ByteReader& in) {
    std::uint64_t v = in.varint();
    std::int64_t n = type.is_signed ? unzigzag(v) : std::int64_t(v);
    if (type.kind == Kind::integer && type.size < 8) {
        unsigned bits = unsigned(type.size) * 8;
        bool fits = type.is_signed ? n >= -(std::int64_t(1) << (bits - 1)) && n < std::int64_t(1) << (bits - 1) : v >> bits == 0;
        if (!fits) return false;
    }
    if (in.ok()) type.ops.set_integer(out, n);
    return in.ok();
}

bool decode_list(Type const& type, void* out, ByteReader& in, Sealer const* sealer, bool borrow) {
    std::uint64_t n = in.varint();
    if (!in.ok() || n > in.left()) return false;
    type.ops.clear(out);
    for (; n > 0; --n)
        if (!decode_binary(type.element(), type.ops.push(out), in, sealer, borrow)) return false;
    return true;
}

bool decode_map(Type const& type, void* out, ByteReader& in, Sealer const* sealer, bool borrow) {
    std::uint64_t n = in.varint();
    if (!in.ok() || n > in.left()) return false;
    type.ops.clear(out);
    std::string_view before;
    for (std::uint64_t i = 0; i < n; ++i) {
        std::string_view key = in.string();
        if (!in.ok() || (i > 0 && key <= before)) return false;  // sorted and unique: one value, one encoding
        if (!decode_binary(type.element(), type.ops.insert(out, key), in, sealer, borrow)) return false;
        before = key;
    }
    return true;
}

void encode_map(Type const& type, void const* value, std::string& out, Sealer const* sealer) {
    struct Context {
        Type const& element;
        std::string& out;
        Sealer const* sealer;
    } context{type.element(), out, sealer};
    put_varint(out, type.ops.size(value));
    type.ops.each(value, &context, [](void* c, std::string_view key, void const* item) {
        auto& to = *static_cast<Context*>(c);
        put_string(to.out, key);
        encode_binary(to.element, item, to.out, to.sealer);
    });
}

}  // namespace

void encode_binary(Type const& type, void const* value, std::string& out, Sealer const* sealer) {
    auto const& ops = type.ops;
    switch (type.kind) {
        case Kind::boolean: return out.push_back(char(ops.get_integer(value)));
        case Kind::integer:
            return type.is_signed ? put_signed(out, ops.get_integer(value)) : put_varint(out, std::uint64_t(ops.get_integer(value)));
        case Kind::real: return put_fixed(out, *static_cast<double const*>(value));
        case Kind::text:
        case Kind::bytes:
        case Kind::raw_json: return put_string(out, ops.text(value));
        case Kind::sequence:
        case Kind::ref: return put_varint(out, std::uint64_t(ops.get_integer(value)));
        case Kind::time:
        case Kind::duration: return put_signed(out, ops.get_integer(value));
        case Kind::enumeration: return put_varint(out, detail::enum_index(type, ops.get_integer(value)));
        case Kind::optional:
            out.push_back(char(ops.has(value)));
            if (ops.has(value)) encode_binary(type.element(), ops.inner(value), out, sealer);
            return;
        case Kind::list: {
            std::size_t n = ops.size(value);
            put_varint(out, n);
            for (std::size_t i = 0; i < n; ++i) encode_binary(type.element(), ops.at(value, i), out, sealer);
            return;
        }
        case Kind::map: return encode_map(type, value, out, sealer);
        case Kind::record:
            for (auto const& f : type.fields) encode_binary(f.type(), at_offset(value, f), out, sealer);
            return;
        case Kind::variant:
            put_varint(out, ops.index(value));
            return encode_binary(type.alternatives[ops.index(value)].type(), ops.inner(value), out, sealer);
        case Kind::secret: return encode_binary(type.element(), ops.inner(value), out, sealer);
        case Kind::personal: return encode_personal(type, value, out, sealer);
    }
}

bool decode_binary(Type const& type, void* out, ByteReader& in, Sealer const* sealer, bool borrow) {
    auto const& ops = type.ops;
    switch (type.kind) {
        case Kind::boolean: {
            auto v = in.fixed<std::uint8_t>();
            if (v <= 1) ops.set_integer(out, v);
            return in.ok() && v <= 1;
        }
        case Kind::integer:
        case Kind::sequence:
        case Kind::ref:
        case Kind::time:
        case Kind::duration: return decode_integer(type, out, in);
        case Kind::real: return *static_cast<double*>(out) = in.fixed<double>(), in.ok();
        case Kind::text:
        case Kind::bytes:
        case Kind::raw_json: {
            std::string_view s = in.string();
            if (in.ok()) borrow ? ops.borrow(out, s) : ops.set(out, s);
            return in.ok();
        }
        case Kind::enumeration: {
            std::uint64_t index = in.varint();
            if (!in.ok() || index >= type.values.size()) return false;
            return ops.set_integer(out, type.values[index].value), true;
        }
        case Kind::optional: {
            auto has = in.fixed<std::uint8_t>();
            if (!in.ok() || has > 1) return false;
            if (!has) return ops.reset(out), true;
            return decode_binary(type.element(), ops.emplace(out), in, sealer, borrow);
        }
        case Kind::list: return decode_list(type, out, in, sealer, borrow);
        case Kind::map: return decode_map(type, out, in, sealer, borrow);
        case Kind::record:
            for (auto const& f : type.fields)
                if (!decode_binary(f.type(), at_offset(out, f), in, sealer, borrow)) return false;
            return true;
        case Kind::variant: {
            std::uint64_t index = in.varint();
            if (!in.ok() || index >= type.alternatives.size()) return false;
            return decode_binary(type.alternatives[index].type(), ops.choose(out, index), in, sealer, borrow);
        }
        case Kind::secret: return decode_binary(type.element(), ops.emplace(out), in, sealer, borrow);
        case Kind::personal: return decode_personal(type, out, in, sealer, borrow);
    }
    return false;
}

bool equal(Type const& type, void const* a, void const* b) {
    std::string left, right;
    encode_binary(type, a, left);
    encode_binary(type, b, right);
    return left == right;
}

namespace detail {

// Up to eight bytes at once (times have eight): the seven-bit groups are pushed together in pairs, then fours, then eights.
char const* read_long_varint(char const* at, char const* end, std::uint64_t& v) {
    constexpr std::uint64_t high_bits = 0x8080808080808080;
    if (end - at >= 8) [[likely]] {
        std::uint64_t word;
        std::memcpy(&word, at, sizeof word);
        if (std::uint64_t last = ~word & high_bits; last != 0) [[likely]] {
            std::uint64_t up_to_last = last ^ (last - 1);
            word &= up_to_last & ~high_bits;
            int bytes = std::countr_zero(last) / 8 + 1;
            if (word >> (bytes - 1) * 8 == 0 && bytes > 1) return nullptr;  // one number, one encoding
            word = (word & 0x7f007f007f007f00) >> 1 | (word & 0x007f007f007f007f);
            word = (word & 0x3fff00003fff0000) >> 2 | (word & 0x00003fff00003fff);
            v = (word & 0x0fffffff00000000) >> 4 | (word & 0x000000000fffffff);
            return at + bytes;
        }
    }
    ByteReader in(std::string_view(at, std::size_t(end - at)));
    v = in.varint();
    return in.ok() ? in.position() : nullptr;
}

char const* read_by_descriptor(Type const& type, char const* at, char const* end, void* value, Sealer const* sealer) {
    ByteReader in(std::string_view(at, std::size_t(end - at)));
    return decode_binary(type, value, in, sealer, true) ? in.position() : nullptr;
}

std::uint64_t enum_index(Type const& type, std::int64_t value) {
    if (value >= 0 && std::uint64_t(value) < type.values.size() && type.values[std::size_t(value)].value == value)
        return std::uint64_t(value);
    for (std::size_t i = 0; i < type.values.size(); ++i)
        if (type.values[i].value == value) return i;
    GANTRY_ASSERT(false, "an enum holds a number that ENUM doesn't name");
    return 0;
}

}  // namespace detail
}  // namespace gantry::codec
