#include <charconv>
#include <cmath>

#include "kernel/codec/base64.h"
#include "kernel/codec/json.h"

namespace gantry::codec {
namespace {

template <class Number>
void append_number(std::string& out, Number n) {
    char buffer[32];
    out.append(buffer, std::to_chars(buffer, buffer + sizeof buffer, n).ptr);
}

void append_integer(std::string& out, Type const& type, std::int64_t n) {
    if (type.is_signed) return append_number(out, n);
    append_number(out, std::uint64_t(n));
}

void append_quoted(std::string& out, std::string_view safe) { out.append(1, '"').append(safe).append(1, '"'); }

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

}  // namespace

void append_json_string(std::string& out, std::string_view text) {
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

std::string encode_scalar(Type const& type, void const* value) {
    auto const& ops = type.ops;
    std::string out;
    switch (type.kind) {
        case Kind::text: return std::string(ops.text(value));
        case Kind::enumeration: return std::string(enum_name(type, ops.get_integer(value)));
        case Kind::optional: return ops.has(value) ? encode_scalar(type.element(), ops.inner(value)) : out;
        case Kind::secret:
        case Kind::personal: return encode_scalar(type.element(), ops.inner(value));
        case Kind::list:
            for (std::size_t i = 0, n = ops.size(value); i < n; ++i) {
                if (i > 0) out += ',';
                out += encode_scalar(type.element(), ops.at(value, i));
            }
            return out;
        case Kind::sequence:
        case Kind::bytes:
        case Kind::time:
        case Kind::duration: encode_json(type, value, out); return out.substr(1, out.size() - 2);
        default: encode_json(type, value, out); return out;
    }
}

}  // namespace gantry::codec
