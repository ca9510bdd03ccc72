#include <charconv>
#include <cmath>
#include <cstring>

#include "kernel/codec/base64.h"
#include "kernel/codec/json.h"

namespace gantry::codec {
namespace {

template <class Number>
void append_number(std::string& out, Number n) {
    char buffer[32];
    out.append(buffer, std::size_t(std::to_chars(buffer, buffer + sizeof buffer, n).ptr - buffer));
}

void append_integer(std::string& out, Type const& type, std::int64_t n) {
    if (type.is_signed) return append_number(out, n);
    append_number(out, std::uint64_t(n));
}

std::string_view enum_name(Type const& type, std::int64_t value) {
    for (auto const& v : type.values)
        if (v.value == value) return v.name;
    return "unknown";
}

std::string duration_text(std::int64_t us) { return format_duration({us == INT64_MIN ? us + 1 : us}); }  // INT64_MIN has no positive

void append_fields(Type const& type, void const* record, std::string& out, bool first) {
    for (auto const& f : type.fields) {
        void const* value = static_cast<char const*>(record) + f.offset;
        Type const& inner = f.type();
        if (inner.kind == Kind::optional && !inner.ops.has(value)) continue;
        out.append(f.json_key, first ? 1 : 0);
        first = false;
        encode_json(inner, value, out);
    }
    out += '}';
}

void append_map(Type const& type, void const* value, std::string& out) {
    struct Context {
        Type const& element;
        std::string& out;
        bool first = true;
    } context{type.element(), out};
    out += '{';
    type.ops.each(value, &context, [](void* c, std::string_view key, void const* item) {
        auto& to = *static_cast<Context*>(c);
        if (!to.first) to.out += ',';
        to.first = false;
        append_json_string(to.out, key);
        to.out += ':';
        encode_json(to.element, item, to.out);
    });
    out += '}';
}

void append_list(Type const& type, void const* value, std::string& out) {
    Type const& element = type.element();
    out += '[';
    for (std::size_t i = 0, n = type.ops.size(value); i < n; ++i) {
        if (i > 0) out += ',';
        encode_json(element, type.ops.at(value, i), out);
    }
    out += ']';
}

constexpr bool must_escape(char c) { return std::uint8_t(c) < 0x20 || c == '"' || c == '\\'; }

void append_escape(std::string& out, char c) {
    constexpr std::string_view hex = "0123456789abcdef";
    switch (c) {
        case '"': out += "\\\""; break;
        case '\\': out += "\\\\"; break;
        case '\n': out += "\\n"; break;
        case '\r': out += "\\r"; break;
        case '\t': out += "\\t"; break;
        default: out.append("\\u00").append(1, hex[std::uint8_t(c) >> 4]).append(1, hex[c & 15]);
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

void append_quoted(std::string& out, std::string_view safe) {
    auto const at = out.size();
    auto const size = at + safe.size() + 2;
    out.resize_and_overwrite(size, [&](char* p, std::size_t) {  // what it is told, libstdc++ 12 has wrong when it grows
        p[at] = '"';
        safe.copy(p + at + 1, safe.size());
        p[size - 1] = '"';
        return size;
    });
}

}  // namespace

void append_json_string(std::string& out, std::string_view text) {
    if (is_plain(text)) return append_quoted(out, text);
    out += '"';
    std::size_t from = 0;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (!must_escape(text[i])) continue;
        out.append(text, from, i - from);
        append_escape(out, text[i]);
        from = i + 1;
    }
    out.append(text, from).append(1, '"');
}

void encode_json(Type const& type, void const* value, std::string& out) {
    auto const& ops = type.ops;
    switch (type.kind) {
        case Kind::boolean: out += ops.get_integer(value) ? "true" : "false"; return;
        case Kind::integer: return append_integer(out, type, ops.get_integer(value));
        case Kind::real: {
            double d = *static_cast<double const*>(value);
            if (std::isfinite(d)) return append_number(out, d);
            out += "null";
            return;
        }
        case Kind::text: return type.is_id ? append_quoted(out, ops.text(value)) : append_json_string(out, ops.text(value));
        case Kind::sequence:
            out.append(1, '"').append(type.prefix);
            append_integer(out, type, ops.get_integer(value));
            out += '"';
            return;
        case Kind::bytes:
            out += '"';
            append_base64(out, ops.text(value));
            out += '"';
            return;
        case Kind::time: {
            char buffer[32];
            return append_quoted(out, {buffer, format_time(Time{ops.get_integer(value)}, buffer)});
        }
        case Kind::duration: return append_quoted(out, duration_text(ops.get_integer(value)));
        case Kind::enumeration: return append_quoted(out, enum_name(type, ops.get_integer(value)));
        case Kind::optional:
            if (ops.has(value)) return encode_json(type.element(), ops.inner(value), out);
            out += "null";
            return;
        case Kind::list: return append_list(type, value, out);
        case Kind::map: return append_map(type, value, out);
        case Kind::record: out += '{'; return append_fields(type, value, out, true);
        case Kind::variant: {
            auto const& chosen = type.alternatives[ops.index(value)];
            out.append("{\"type\":\"").append(chosen.name).append(1, '"');
            return append_fields(chosen.type(), ops.inner(value), out, false);
        }
        case Kind::secret: return encode_json(type.element(), ops.inner(value), out);
        case Kind::personal:
            if (ops.has(value)) return encode_json(type.element(), ops.inner(value), out);
            out += "null";
            return;
        case Kind::ref: return append_number(out, std::uint64_t(ops.get_integer(value)));
        case Kind::raw_json: out += ops.text(value); return;
    }
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
        case Kind::sequence: out += type.prefix; return append_integer(out, type, ops.get_integer(value));
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
