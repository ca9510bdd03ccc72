#include <fmt/format.h>

#include "kernel/codec/json.h"
#include "kernel/codec/schema.h"

namespace gantry::codec {
namespace {
using Components = std::map<std::string, std::string>;

std::string json_string(std::string_view s) {
    std::string out;
    append_json_string(out, s);
    return out;
}
// A prefix inside a regular expression: of the characters an id may have, only the point means more than itself.
std::string pattern(std::string_view prefix, std::string_view rest) {
    std::string out = "^";
    for (char c : prefix) out.append(c == '.' ? "\\" : "").append(1, c);
    return json_string(out.append(rest));
}

std::string object_schema(Type const& record, std::string_view variant_name, Components& components) {
    std::string properties, required;
    auto add = [](std::string& list, std::string const& item) { list.append(list.empty() ? "" : ",").append(item); };
    if (!variant_name.empty()) {
        add(properties, fmt::format("\"type\":{{\"const\":{}}}", json_string(variant_name)));
        add(required, "\"type\"");
    }
    for (auto const& f : record.fields) {
        add(properties, json_string(f.name) + ":" + json_schema(f.type(), components));
        if (!record.has_defaults && must_be_present(f.type())) add(required, json_string(f.name));
    }
    return fmt::format("{{\"type\":\"object\",\"properties\":{{{}}},{}\"additionalProperties\":false}}", properties,
                       required.empty() ? "" : fmt::format("\"required\":[{}],", required));
}

// A page of a list is named after what it lists.
std::string component_name(Type const& type) {
    if (type.name == "Page" && !type.fields.empty() && type.fields[0].type().kind == Kind::list)
        return fmt::format("PageOf{}", type.fields[0].type().element().name);
    return std::string(type.name);
}

// Two records of one name (from different namespaces) keep apart: the second becomes Name2.
std::string record_schema(Type const& type, Components& components) {
    std::string schema = object_schema(type, "", components);
    std::string const wanted = component_name(type);
    std::string name = wanted;
    for (int n = 2;; ++n) {
        auto [at, fresh] = components.try_emplace(name, schema);
        if (fresh || at->second == schema) return fmt::format("{{\"$ref\":\"#/components/schemas/{}\"}}", name);
        name = fmt::format("{}{}", wanted, n);
    }
}

std::string variant_schema(Type const& type, Components& components) {
    std::string list;
    for (auto const& a : type.alternatives) list.append(list.empty() ? "" : ",").append(object_schema(a.type(), a.name, components));
    return fmt::format("{{\"oneOf\":[{}]}}", list);
}

std::string text_schema(Type const& type) {
    if (type.is_id)
        return fmt::format("{{\"type\":\"string\",\"pattern\":{},\"maxLength\":{}}}", pattern(type.prefix, "[A-Za-z0-9_.:-]+$"), type.max);
    std::string out = "{\"type\":\"string\"";
    if (type.min > 0) out += fmt::format(",\"minLength\":{}", type.min);
    if (type.max != ~std::uint64_t(0)) out += fmt::format(",\"maxLength\":{}", type.max);
    return out + "}";
}

std::string enum_schema(Type const& type) {
    std::string list;
    for (auto const& v : type.values) list.append(list.empty() ? "" : ",").append(json_string(v.name));
    return fmt::format("{{\"type\":\"string\",\"enum\":[{}]}}", list);
}

std::string integer_schema(Type const& type) {
    std::string max = type.is_signed ? fmt::format("{}", std::int64_t(type.max)) : fmt::format("{}", type.max);
    return fmt::format("{{\"type\":\"integer\",\"minimum\":{},\"maximum\":{}}}", type.min, max);
}

}  // namespace

bool must_be_present(Type const& type) {
    if (type.kind == Kind::secret || type.kind == Kind::personal) return must_be_present(type.element());
    return type.kind != Kind::optional && type.kind != Kind::list && type.kind != Kind::map;
}

std::string json_schema(Type const& type, Components& components) {
    switch (type.kind) {
        case Kind::boolean: return R"({"type":"boolean"})";
        case Kind::integer: return integer_schema(type);
        case Kind::real: return R"({"type":"number"})";
        case Kind::text: return text_schema(type);
        case Kind::sequence: return fmt::format("{{\"type\":\"string\",\"pattern\":{}}}", pattern(type.prefix, "(0|[1-9][0-9]*)$"));
        case Kind::bytes: return R"({"type":"string","contentEncoding":"base64"})";
        case Kind::time: return R"({"type":"string","format":"date-time"})";
        case Kind::duration: return R"({"type":"string","pattern":"^(0|([0-9]+(us|ms|s|m|h|d|w))+)$","examples":["1h30m"]})";
        case Kind::enumeration: return enum_schema(type);
        case Kind::optional:
        case Kind::secret: return json_schema(type.element(), components);
        case Kind::personal: return fmt::format("{{\"anyOf\":[{},{{\"type\":\"null\"}}]}}", json_schema(type.element(), components));
        case Kind::list: return fmt::format("{{\"type\":\"array\",\"items\":{}}}", json_schema(type.element(), components));
        case Kind::map: return fmt::format("{{\"type\":\"object\",\"additionalProperties\":{}}}", json_schema(type.element(), components));
        case Kind::record: return record_schema(type, components);
        case Kind::variant: return variant_schema(type, components);
        case Kind::ref: return R"({"type":"integer","minimum":0})";
        case Kind::raw_json: return "{}";
    }
    return "{}";
}

}  // namespace gantry::codec
