#include <charconv>
#include <cmath>
#include <cstring>

#include "kernel/base/appender.h"
#include "kernel/codec/base64.h"
#include "kernel/codec/json.h"

namespace gantry::codec {
namespace {

constexpr std::size_t number_bytes_max = 32;
template <class Number>
void append_number(Appender& out, Number n) {
    auto* const at = out.room(number_bytes_max);
    out.wrote(std::to_chars(at, at + number_bytes_max, n).ptr);
}

void append_integer(Appender& out, Type const& type, std::int64_t n) {
    if (type.is_signed) return append_number(out, n);
    append_number(out, std::uint64_t(n));
}

std::string_view enum_name(Type const& type, std::int64_t value) {
    for (auto const& v : type.values)
        if (v.value == value) return v.name;
    return "unknown";
}

std::string duration_text(std::int64_t us) { return format_duration({us == INT64_MIN ? us + 1 : us}); }  // INT64_MIN has no positive

void encode(Type const& type, void const* value, Appender& out);

void append_fields(Type const& type, void const* record, Appender& out, bool first) {
    for (auto const& f : type.fields) {
        void const* value = static_cast<char const*>(record) + f.offset;
        Type const& inner = f.type();
        if (inner.kind == Kind::optional && !inner.ops.has(value)) continue;
        out.bytes(std::string_view(f.json_key).substr(first ? 1 : 0));
        first = false;
        encode(inner, value, out);
    }
    out.byte('}');
}

void append_text(Appender& out, std::string_view text);

void append_map(Type const& type, void const* value, Appender& out) {
    struct Context {
        Type const& element;
        Appender& out;
        bool first = true;
    } context{type.element(), out};
    out.byte('{');
    type.ops.each(value, &context, [](void* c, std::string_view key, void const* item) {
        auto& to = *static_cast<Context*>(c);
        if (!to.first) to.out.byte(',');
        to.first = false;
        append_text(to.out, key);
        to.out.byte(':');
        encode(to.element, item, to.out);
    });
    out.byte('}');
}

void append_list(Type const& type, void const* value, Appender& out) {
    Type const& element = type.element();
    out.byte('[');
    for (std::size_t i = 0, n = type.ops.size(value); i < n; ++i) {
        if (i > 0) out.byte(',');
        encode(element, type.ops.at(value, i), out);
    }
    out.byte(']');
}

constexpr bool must_escape(char c) { return std::uint8_t(c) < 0x20 || c == '"' || c == '\\'; }

void append_escape(Appender& out, char c) {
    constexpr std::string_view hex = "0123456789abcdef";
    switch (c) {
        case '"': out.bytes("\\\""); break;
        case '\\': out.bytes("\\\\"); break;
        case '\n': out.bytes("\\n"); break;
        case '\r': out.bytes("\\r"); break;
        case '\t': out.bytes("\\t"); break;
        default: out.bytes("\\u00"), out.byte(hex[std::uint8_t(c) >> 4]), out.byte(hex[c & 15]);
    }
}

// Eight bytes at a time: whether one of them must be escaped. A borrow only ever comes from a byte that must.
constexpr std::uint64_t high = 0x8080808080808080, ones = 0x0101010101010101;
constexpr std::uint64_t zeros_in(std::uint64_t word) { return (word - ones) & ~word & high; }
constexpr bool must_escape_in(std::uint64_t word) {
    std::uint64_t const controls = (word - ones * 0x20) & ~word & high;
    return (controls | zeros_in(word ^ ones * '"') | zeros_in(word ^ ones * '\\')) != 0;
}

bool is_plain(std::string_view text) {
    std::size_t i = 0;
    for (; i + 8 <= text.size(); i += 8) {
        std::uint64_t word;
        std::memcpy(&word, text.data() + i, 8);
        if (must_escape_in(word)) return false;
    }
    bool plain = true;
    for (; i < text.size(); ++i) plain &= !must_escape(text[i]);
    return plain;
}

void append_quoted(Appender& out, std::string_view safe) {
    auto* at = out.room(safe.size() + 2);
    *at++ = '"';
    at += safe.copy(at, safe.size());
    *at++ = '"';
    out.wrote(at);
}

void append_text(Appender& out, std::string_view text) {
    if (is_plain(text)) return append_quoted(out, text);
    out.byte('"');
    std::size_t from = 0;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (!must_escape(text[i])) continue;
        out.bytes(text.substr(from, i - from));
        append_escape(out, text[i]);
        from = i + 1;
    }
    out.bytes(text.substr(from)), out.byte('"');
}

void encode(Type const& type, void const* value, Appender& out) {
    auto const& ops = type.ops;
    switch (type.kind) {
        case Kind::boolean: return out.bytes(ops.get_integer(value) ? "true" : "false");
        case Kind::integer: return append_integer(out, type, ops.get_integer(value));
        case Kind::real: {
            double d = *static_cast<double const*>(value);
            if (std::isfinite(d)) return append_number(out, d);
            return out.bytes("null");
        }
        case Kind::text: return type.is_id ? append_quoted(out, ops.text(value)) : append_text(out, ops.text(value));
        case Kind::sequence:
            out.byte('"'), out.bytes(type.prefix);
            append_integer(out, type, ops.get_integer(value));
            return out.byte('"');
        case Kind::bytes:
            out.byte('"');
            out.with_string([&](std::string& s) { append_base64(s, ops.text(value)); });
            return out.byte('"');
        case Kind::time: {
            char buffer[32];
            return append_quoted(out, {buffer, format_time(Time{ops.get_integer(value)}, buffer)});
        }
        case Kind::duration: return append_quoted(out, duration_text(ops.get_integer(value)));
        case Kind::enumeration: return append_quoted(out, enum_name(type, ops.get_integer(value)));
        case Kind::optional:
            if (ops.has(value)) return encode(type.element(), ops.inner(value), out);
            return out.bytes("null");
        case Kind::list: return append_list(type, value, out);
        case Kind::map: return append_map(type, value, out);
        case Kind::record: out.byte('{'); return append_fields(type, value, out, true);
        case Kind::variant: {
            auto const& chosen = type.alternatives[ops.index(value)];
            out.bytes("{\"type\":\""), out.bytes(chosen.name), out.byte('"');
            return append_fields(chosen.type(), ops.inner(value), out, false);
        }
        case Kind::secret: return encode(type.element(), ops.inner(value), out);
        case Kind::personal:
            if (ops.has(value)) return encode(type.element(), ops.inner(value), out);
            return out.bytes("null");
        case Kind::ref: return append_number(out, std::uint64_t(ops.get_integer(value)));
        case Kind::raw_json: return out.bytes(ops.text(value));
    }
}

}  // namespace

void append_json_string(std::string& out, std::string_view text) {
    Appender to(out);
    append_text(to, text);
}

void encode_json(Type const& type, void const* value, std::string& out) {
    Appender to(out);
    encode(type, value, to);
}

void append_scalar(std::string& out, Type const& type, void const* value) {
    auto const& ops = type.ops;
    switch (type.kind) {
        case Kind::text: out += ops.text(value); return;
        case Kind::enumeration: out += enum_name(type, ops.get_integer(value)); return;
        case Kind::optional:
            if (ops.has(value)) append_scalar(out, type.element(), ops.inner(value));
            return;
        case Kind::secret:
        case Kind::personal: return append_scalar(out, type.element(), ops.inner(value));
        case Kind::list:
            for (std::size_t i = 0, n = ops.size(value); i < n; ++i) {
                if (i > 0) out += ',';
                append_scalar(out, type.element(), ops.at(value, i));
            }
            return;
        case Kind::sequence: {
            out += type.prefix;
            Appender to(out);
            return append_integer(to, type, ops.get_integer(value));
        }
        case Kind::bytes:
        case Kind::time:
        case Kind::duration: {
            auto const at = out.size();
            encode_json(type, value, out);
            out.pop_back();
            out.erase(at, 1);  // the quotes
            return;
        }
        default: return encode_json(type, value, out);
    }
}

std::string encode_scalar(Type const& type, void const* value) {
    std::string out;
    append_scalar(out, type, value);
    return out;
}

}  // namespace gantry::codec
