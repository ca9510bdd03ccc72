#include "kernel/runtime/edge.h"

#include <fmt/format.h>

#include <optional>
#include <string_view>

#include "kernel/base/assert.h"
#include "kernel/base/hash.h"
#include "kernel/codec/json.h"

namespace gantry::runtime {

namespace {

std::vector<std::string_view> segments_of(std::string_view path) {
    std::vector<std::string_view> out;
    while (!path.empty() && path.front() == '/') {
        path.remove_prefix(1);
        auto end = std::min(path.find('/'), path.size());
        if (end > 0 || !path.empty()) out.push_back(path.substr(0, end));
        path.remove_prefix(end);
    }
    return out;
}

int hex_digit(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}
// RFC 3986 §2.1; in a query '+' is a blank. Nothing for a broken escape.
std::optional<std::string> percent_decode(std::string_view text, bool plus_is_blank) {
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] == '%') {
            if (i + 2 >= text.size() || hex_digit(text[i + 1]) < 0 || hex_digit(text[i + 2]) < 0) return {};
            out += char(hex_digit(text[i + 1]) * 16 + hex_digit(text[i + 2]));
            i += 2;
        } else {
            out += plus_is_blank && text[i] == '+' ? ' ' : text[i];
        }
    }
    return out;
}
codec::Field const* field_named(codec::Type const& type, std::string_view name) {
    for (auto const& field : type.fields)
        if (field.name == name) return &field;
    return nullptr;
}
std::unexpected<Problem> invalid(std::string pointer, std::string detail) {
    Problem problem{400, "request_invalid", "the request has a fault: see errors"};
    problem.faults.push_back({std::move(pointer), std::move(detail)});
    return std::unexpected(std::move(problem));
}
Result<void> set_field(codec::Type const& type, void* out, std::string_view name, std::string const& pointer, std::string_view encoded,
                       bool query) {
    auto const* field = field_named(type, name);
    if (!field) {
        std::vector<std::string_view> known;
        for (auto const& f : type.fields) known.push_back(f.name);
        auto near = codec::nearest(name, known);
        return invalid(pointer,
                       near.empty() ? "there is no such parameter" : fmt::format("there is no such parameter; did you mean '{}'?", near));
    }
    auto text = percent_decode(encoded, query);
    if (!text) return invalid(pointer, "'%' must be followed by two hexadecimal digits");
    auto set = codec::decode_scalar(field->type(), static_cast<char*>(out) + field->offset, *text);
    if (!set) return invalid(pointer, set.error().detail);
    return {};
}
Result<void> bind_query(codec::Type const& type, void* out, std::string_view query) {
    while (!query.empty()) {
        auto end = std::min(query.find('&'), query.size());
        auto part = query.substr(0, end);
        query.remove_prefix(std::min(end + 1, query.size()));
        if (part.empty()) continue;
        auto equals = std::min(part.find('='), part.size());
        auto name = percent_decode(part.substr(0, equals), true);
        if (!name) return invalid("?", "'%' must be followed by two hexadecimal digits");
        TRY_VOID(set_field(type, out, *name, "?" + *name, part.substr(std::min(equals + 1, part.size())), true));
    }
    return {};
}

void write_answer(http::Response response, Result<Answer> const& answer, std::string const& position, std::string const& if_none_match,
                  bool read) {
    if (!answer) return response.problem(answer.error());
    if (!read) {
        response.begin(answer->status).header("Content-Type", "application/json").header("Gantry-Position", position).body(answer->body);
        return;
    }
    auto etag = fmt::format("\"{:016x}\"", hash64(answer->body));
    if (if_none_match == etag) return response.begin(304).header("ETag", etag).header("Gantry-Position", position).empty();
    response.begin(answer->status).header("Content-Type", "application/json").header("ETag", etag).header("Gantry-Position", position);
    response.header("Cache-Control", "no-cache").body(answer->body);
}

}  // namespace

struct Edge::Target {
    Host* host;
    RouteDecl const* route;
    std::vector<std::string> segments;  // "notes", "v1", "{id}"
};
namespace {
// A command whose input isn't all in its path has the rest in its body.
template <class Target>
bool takes_body(Target const& target) {
    std::size_t in_path = 0;
    for (auto const& segment : target.segments) in_path += segment.starts_with('{');
    return target.route->command && target.route->input->fields.size() > in_path;
}
}  // namespace
struct Edge::Match {
    Target const* target = nullptr;
    std::vector<std::string_view> segments;
    bool path_known = false;
};

Edge::Edge(std::vector<Host*> hosts) : local_{Str("u_local")} {
    for (Host* host : hosts)
        for (auto const& route : host->decl().routes) {
            auto path = fmt::format("/{}/v{}{}", host->decl().name, int(route.version), route.path == "/" ? "" : route.path);
            Target target{host, &route, {}};
            for (auto segment : segments_of(path)) {
                if (segment.starts_with('{'))
                    GANTRY_ASSERT(field_named(*route.input, segment.substr(1, segment.size() - 2)),
                                  "a {field} of a path is a field of the input");
                target.segments.emplace_back(segment);
            }
            targets_.push_back(std::move(target));
        }
}
Edge::~Edge() = default;

Edge::Match Edge::match(http::RequestHead const& head) const {
    Match found;
    found.segments = segments_of(head.path);
    if (!found.segments.empty() && found.segments.back().empty()) found.segments.pop_back();
    auto verb = head.method == http::Method::Head ? "GET" : http::method_name(head.method);
    for (auto const& target : targets_) {
        bool same = target.segments.size() == found.segments.size();
        for (std::size_t i = 0; same && i < target.segments.size(); ++i)
            same = target.segments[i].starts_with('{') || target.segments[i] == found.segments[i];
        found.path_known = found.path_known || same;
        if (same && target.route->verb == verb) {
            found.target = &target;
            break;
        }
    }
    return found;
}

http::BodyPlan Edge::plan(http::RequestHead const& head) {
    auto found = match(head);
    return found.target && takes_body(*found.target) ? http::BodyPlan::whole() : http::BodyPlan::none();
}

void Edge::handle(http::Exchange& exchange) {
    auto const& head = exchange.head();
    if (auto open = http::check_loopback(head); !open) return exchange.response().problem(open.error());
    auto found = match(head);
    if (!found.target) {
        if (found.path_known) return exchange.response().problem({405, "method_not_allowed", "this path knows other methods"});
        return exchange.response().problem({404, "route_not_found", "there is nothing at this path"});
    }
    auto const& route = *found.target->route;
    Host* host = found.target->host;
    auto body = exchange.body();
    auto bind = [&](codec::Type const& type, void* out) -> Result<void> {
        if (takes_body(*found.target))
            TRY_VOID(body.empty() ? codec::decode_json(type, out, "{}") : codec::decode_json(type, out, body, true));
        for (std::size_t i = 0; i < found.segments.size(); ++i) {
            std::string_view name = found.target->segments[i];
            if (!name.starts_with('{')) continue;
            TRY_VOID(set_field(type, out, name.substr(1, name.size() - 2), std::string(name), found.segments[i], false));
        }
        return bind_query(type, out, head.query);
    };
    auto deferred = exchange.defer();
    host->call(route, local_, bind,
               [host, deferred = std::move(deferred), read = !route.command,
                if_none_match = std::string(head.header("If-None-Match"))](Result<Answer> answer) mutable {
                   auto position = host->position_text(answer ? answer->position : host->durable());
                   std::move(deferred).complete([answer = std::move(answer), position, if_none_match, read](http::Response& response) {
                       write_answer(response, answer, position, if_none_match, read);
                   });
               });
}

}  // namespace gantry::runtime
