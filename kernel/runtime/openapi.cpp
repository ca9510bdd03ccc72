#include "kernel/runtime/openapi.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>
#include <vector>

#include "kernel/codec/any_value.h"
#include "kernel/codec/json.h"
#include "kernel/codec/schema.h"

namespace gantry::runtime {
namespace {

using Components = std::map<std::string, std::string>;

std::string quoted(std::string_view text) {
    std::string out;
    codec::append_json_string(out, text);
    return out;
}

void add(std::string& list, std::string const& item) { list.append(list.empty() ? "" : ",").append(item); }

constexpr std::string_view problem_schema =
    R"({"type":"object","description":"RFC 9457","properties":{"type":{"type":"string"},"title":{"type":"string"},)"
    R"("status":{"type":"integer"},)"
    R"("code":{"type":"string","description":"stable: docs/errors.md"},"detail":{"type":"string"},)"
    R"("instance":{"type":"string","description":"the request's id"},)"
    R"("oops_id":{"type":"string","description":"of the error report"},"errors":{"type":"array","items":{"type":"object","properties":)"
    R"({"pointer":{"type":"string"},"detail":{"type":"string"}},"required":["pointer","detail"]}}},)"
    R"("required":["type","title","status","code"]})";

constexpr std::string_view bulk_schema =
    R"({"type":"object","description":"what became of one command of a bulk","properties":{"line":{"type":"integer"},)"
    R"("index":{"type":"integer"},)"
    R"("status":{"type":"integer"},"replayed":{"type":"boolean"},"reply":{},)"
    R"("problem":{"$ref":"#/components/schemas/Problem"}},"required":["status"]})";

constexpr std::string_view header_parameters =
    R"("IdempotencyKey":{"name":"Idempotency-Key","in":"header",)"
    R"("description":"A repeat with the same key and request gets the same reply, for 24 hours.",)"
    R"("schema":{"type":"string","maxLength":255}},)"
    R"("IfMatch":{"name":"If-Match","in":"header",)"
    R"("description":"The ETag of the GET at this path; another one: 412.","schema":{"type":"string"}},)"
    R"("IfNoneMatch":{"name":"If-None-Match","in":"header","description":"An ETag; unchanged: 304.","schema":{"type":"string"}},)"
    R"("AsOf":{"name":"as_of","in":"query","description":"A moment of the past: a position as Gantry-Position gave it, or a time.",)"
    R"("schema":{"type":"string"}},)"
    R"("Live":{"name":"live","in":"query","description":"Keeps the answer up to date as an event stream: whole, or by merge patches.",)"
    R"("schema":{"type":"string","enum":["full","patch"]}},)"
    R"("GantryAfter":{"name":"Gantry-After","in":"header",)"
    R"("description":"service=position: waits for a state at least that new.","schema":{"type":"string"}})";

constexpr std::string_view reply_headers =
    R"("GantryPosition":{"description":"The newest event that the answer rests on.","schema":{"type":"string"}},)"
    R"("ETag":{"description":"The version of the answer.","schema":{"type":"string"}})";

bool in_path(RouteDecl const& route, std::string_view field) { return route.path.find(fmt::format("{{{}}}", field)) != route.path.npos; }

// "GET /packages/{name}" → "get_packages_name"; what another route has already gets a number.
std::string operation_id(RouteDecl const& route, std::set<std::string>& taken) {
    std::string out;
    for (char c : fmt::format("{} {}", route.verb, route.path)) {
        if (c >= 'A' && c <= 'Z') c = char(c - 'A' + 'a');
        bool const word = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
        if (word) out += c;
        if (!word && !out.empty() && out.back() != '_') out += '_';
    }
    while (out.ends_with('_')) out.pop_back();
    std::string unique = out;
    for (int n = 2; !taken.insert(unique).second; ++n) unique = fmt::format("{}_{}", out, n);
    return unique;
}

// The schema of a scalar with its default put in.
std::string with_default(std::string schema, codec::Type const& type, void const* value) {
    if (type.kind == codec::Kind::optional || !schema.ends_with('}')) return schema;
    std::string json;
    codec::encode_json(type, value, json);
    schema.pop_back();
    return schema + ",\"default\":" + json + "}";
}

std::string parameters(RouteDecl const& route, Components& components) {
    std::string out;
    codec::AnyValue const defaults(*route.input);
    for (auto const& field : route.input->fields) {
        bool const path = in_path(route, field.name);
        if (!path && route.command) continue;
        auto schema = codec::json_schema(field.type(), components);
        bool const optional = !codec::must_be_present(field.type()) || route.input->has_defaults;
        if (!path && optional)
            schema = with_default(std::move(schema), field.type(), static_cast<char const*>(defaults.get()) + field.offset);
        auto const commas = field.type().kind == codec::Kind::list ? R"("style":"form","explode":false,)" : "";
        add(out, fmt::format(R"({{"name":{},"in":"{}","required":{},{}"schema":{}}})", quoted(field.name), path ? "path" : "query",
                             path || !optional, path ? "" : commas, schema));
    }
    for (auto name : route.command      ? std::vector<std::string_view>{"IdempotencyKey", "IfMatch"}
                     : route.make_query ? std::vector<std::string_view>{"IfNoneMatch", "GantryAfter"}
                                        : std::vector<std::string_view>{"AsOf", "Live", "IfNoneMatch", "GantryAfter"})
        add(out, fmt::format(R"({{"$ref":"#/components/parameters/{}"}})", name));
    return out;
}

// The members that don't come from the path; empty when there are none.
std::string body_schema(RouteDecl const& route, Components& components) {
    bool all = true;
    std::string properties, required;
    for (auto const& field : route.input->fields) {
        if (in_path(route, field.name)) {
            all = false;
            continue;
        }
        add(properties, quoted(field.name) + ":" + codec::json_schema(field.type(), components));
        if (!route.input->has_defaults && codec::must_be_present(field.type())) add(required, quoted(field.name));
    }
    if (properties.empty()) return {};
    if (all) return codec::json_schema(*route.input, components);
    return fmt::format(R"({{"type":"object","properties":{{{}}},"required":[{}],"additionalProperties":false}})", properties, required);
}

std::string request_body(RouteDecl const& route, Components& components) {
    if (!route.command) return {};
    auto one = body_schema(route, components);
    if (one.empty()) return {};
    if (!route.bulk) return fmt::format(R"(,"requestBody":{{"required":true,"content":{{"application/json":{{"schema":{}}}}}}})", one);
    return fmt::format(
        R"(,"requestBody":{{"required":true,"content":{{"application/json":{{"schema":{{"oneOf":[{0},{{"type":"array","items":{0}}}]}}}},)"
        R"("application/x-ndjson":{{"schema":{0}}}}}}})",
        one);
}

std::string responses(RouteDecl const& route, Components& components) {
    auto reply = codec::json_schema(*route.reply, components);
    if (route.bulk)
        reply = fmt::format(R"({{"oneOf":[{},{{"type":"array","items":{{"$ref":"#/components/schemas/BulkResult"}}}}]}})", reply);
    std::string content = fmt::format(R"("application/json":{{"schema":{}}})", reply);
    if (!route.command) content += R"(,"text/event-stream":{"schema":{"type":"string"}})";
    if (route.bulk) content += R"(,"application/x-ndjson":{"schema":{"$ref":"#/components/schemas/BulkResult"}})";
    std::string headers = R"("Gantry-Position":{"$ref":"#/components/headers/GantryPosition"})";
    if (!route.command) headers += R"(,"ETag":{"$ref":"#/components/headers/ETag"})";
    return fmt::format(
        R"("{}":{{"description":"done","headers":{{{}}},"content":{{{}}}}},{}"default":{{"description":"a problem","content":)"
        R"({{"application/problem+json":{{"schema":{{"$ref":"#/components/schemas/Problem"}}}}}}}})",
        route.command ? "2XX" : "200", headers, content, route.command ? "" : R"("304":{"description":"unchanged"},)");
}

std::string operation(RouteDecl const& route, std::set<std::string>& ids, Components& components) {
    std::string verb(route.verb);
    std::ranges::transform(verb, verb.begin(), [](char c) { return char(c - 'A' + 'a'); });
    auto const security = route.scope.empty() ? std::string("[]") : fmt::format(R"([{{"caller":[{}]}}])", quoted(route.scope));
    return fmt::format(R"("{}":{{"operationId":"{}","summary":{},{}"security":{},"parameters":[{}]{},"responses":{{{}}}}})", verb,
                       operation_id(route, ids), quoted(route.doc), route.deprecated ? R"("deprecated":true,)" : "", security,
                       parameters(route, components), request_body(route, components), responses(route, components));
}

}  // namespace

std::string openapi(ServiceDecl const& decl, Version version, std::string_view server_version) {
    Components components{{"Problem", std::string(problem_schema)}, {"BulkResult", std::string(bulk_schema)}};
    std::map<std::string, std::string> paths;
    std::set<std::string> ids;
    for (auto const& route : decl.routes)
        if (route.version == version && !route.foreign) add(paths[path_of(decl.name, route)], operation(route, ids, components));
    std::string path_list, schemas;
    for (auto const& [path, operations] : paths) add(path_list, fmt::format("{}:{{{}}}", quoted(path), operations));
    for (auto const& [name, schema] : components) add(schemas, quoted(name) + ":" + schema);
    return fmt::format(
        R"({{"openapi":"3.1.0","info":{{"title":{},"description":{},"version":{}}},"paths":{{{}}},"components":{{"schemas":{{{}}},)"
        R"("parameters":{{{}}},"headers":{{{}}},"securitySchemes":{{"caller":{{"type":"http","scheme":"bearer",)"
        R"("description":"The scopes of a route stand in its security requirement. An open server on loopback asks for none."}}}}}}}})",
        quoted(fmt::format("{} v{}", decl.name, int(version))), quoted(decl.doc), quoted(server_version), path_list, schemas,
        header_parameters, reply_headers);
}

}  // namespace gantry::runtime
