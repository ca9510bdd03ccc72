#include "kernel/config/value.h"

#include "kernel/codec/json.h"
#include "kernel/codec/scalar.h"

namespace gantry::config {
namespace {

using codec::Kind;
using codec::Type;

bool scalar(Type const& type) {
    switch (type.kind) {
        case Kind::boolean:
        case Kind::integer:
        case Kind::real:
        case Kind::text:
        case Kind::time:
        case Kind::duration:
        case Kind::enumeration: return true;
        default: return false;
    }
}

std::string set_scalar(Type const& type, void* out, std::string_view text, bool quiet) {
    Scratch checked(type);
    auto result = codec::decode_scalar(type, checked.get(), text);
    if (!result) return quiet ? "expected " + codec::detail::expectation(type) : result.error().detail;
    type.ops.assign(out, checked.get());
    return {};
}

std::string set_quietly(Type const& type, void* out, std::span<std::string const> parts, bool quiet) {
    if (type.kind == Kind::secret) return set_quietly(type.element(), type.ops.emplace(out), parts, true);
    if (type.kind == Kind::optional) return set_quietly(type.element(), type.ops.emplace(out), parts, quiet);
    if (type.kind != Kind::list) return set_scalar(type, out, parts.empty() ? std::string_view() : parts[0], quiet);
    type.ops.clear(out);
    for (auto const& part : parts)
        if (auto why = set_scalar(type.element(), type.ops.push(out), part, quiet); !why.empty()) return why;
    return {};
}

}  // namespace

Type const& bare(Type const& type) { return type.kind == Kind::secret || type.kind == Kind::optional ? bare(type.element()) : type; }

bool settable(Type const& type) {
    Type const& inside = bare(type);
    return scalar(inside) || (inside.kind == Kind::list && scalar(inside.element()));
}

std::string set(Type const& type, void* out, std::span<std::string const> parts) { return set_quietly(type, out, parts, false); }

std::vector<std::string> split(Type const& type, std::string_view text) {
    if (bare(type).kind != Kind::list) return {std::string(text)};
    std::vector<std::string> parts;
    while (!text.empty()) {
        auto comma = text.find(',');
        parts.emplace_back(text.substr(0, comma));
        text = comma == text.npos ? std::string_view() : text.substr(comma + 1);
    }
    return parts;
}

std::string expectation(Type const& type) {
    Type const& inside = bare(type);
    if (inside.kind == Kind::list) return "a list, each " + codec::detail::expectation(inside.element());
    return codec::detail::expectation(inside);
}

std::string shown(Type const& type, void const* value) {
    if (type.kind == Kind::secret) return shown(type.element(), type.ops.inner(value));
    if (type.kind == Kind::optional) return type.ops.has(value) ? shown(type.element(), type.ops.inner(value)) : std::string();
    if (type.kind != Kind::list) return codec::encode_scalar(type, value);
    std::string out;
    for (std::size_t i = 0; i < type.ops.size(value); ++i)
        out.append(i ? "," : "").append(codec::encode_scalar(type.element(), type.ops.at(value, i)));
    return out;
}

}  // namespace gantry::config
