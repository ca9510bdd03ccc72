#include "kernel/runtime/reply.h"

#include <fmt/format.h>

#include "kernel/base/assert.h"
#include "kernel/codec/json.h"
#include "kernel/http/message.h"
#include "kernel/runtime/gate.h"
#include "kernel/runtime/if_match.h"

namespace gantry::runtime {
namespace {

// RFC 9745: a structured date. RFC 8594: an HTTP date. A date of the route's declaration is a whole day.
Time day(std::string_view date) {
    auto parsed = parse_time(date.size() == 10 ? std::string(date) + "T00:00:00Z" : std::string(date));
    return parsed ? *parsed : Time{};
}

void deprecation(http::Response& response, RouteDecl const& route) {
    if (!route.deprecated) return;
    response.header("Deprecation", fmt::format("@{}", day(route.deprecated->since).us / 1'000'000));
    if (!route.deprecated->sunset.empty()) response.header("Sunset", http::http_date(day(route.deprecated->sunset)));
}

}  // namespace

bool none_match_names(std::string_view list, std::string_view etag) {
    if (list.empty()) return false;
    if (list == etag || list == "*") return true;
    while (!list.empty()) {
        auto end = std::min(list.find(','), list.size());
        auto one = list.substr(0, end);
        list.remove_prefix(std::min(end + 1, list.size()));
        while (!one.empty() && one.front() == ' ') one.remove_prefix(1);
        while (!one.empty() && one.back() == ' ') one.remove_suffix(1);
        if (one.starts_with("W/")) one.remove_prefix(2);
        if (one == etag) return true;
    }
    return false;
}

void write_read(http::Response response, RouteDecl const& route, std::string_view body, std::string_view etag, std::string_view position,
                std::string_view if_none_match) {
    bool const same = none_match_names(if_none_match, etag);
    response.begin(same ? 304 : 200);
    if (!same) response.header("Content-Type", "application/json");
    response.header("ETag", etag).header("Gantry-Position", position).header("Cache-Control", "no-cache");
    deprecation(response, route);
    if (same) return response.empty();
    response.body(body);
}

void write_problem(http::Response response, Problem const& problem, std::string_view request_id, std::string_view oops_id,
                   std::string_view position) {
    response.begin(problem.status).header("Content-Type", "application/problem+json");
    if (!request_id.empty()) response.header("X-Request-Id", request_id);
    if (!oops_id.empty()) response.header("X-Oops-Id", oops_id);
    if (!position.empty()) response.header("Gantry-Position", position);
    if (problem.retry_after_s) response.header("Retry-After", std::uint64_t(*problem.retry_after_s));
    response.body_with([&](std::string& out) { http::append_problem_json(out, problem, request_id, oops_id); });
}

namespace {

std::string report_of(Host const& host, RouteDecl const& route, Problem const& problem, std::string_view request_id) {
    if (problem.status < 500) return {};
    return host.report("request", fmt::format("{} {}", route.verb, route.path), problem, nullptr, request_id);
}

}  // namespace

void write_failure(http::Response response, Host const& host, RouteDecl const& route, Problem const& problem, std::string_view request_id,
                   std::string_view content_type) {
    write_refusal(response, route, problem, request_id, report_of(host, route, problem, request_id), {}, content_type);
}

void write_foreign(http::Response& response, ForeignReply const& reply) {
    response.begin(reply.status);
    for (auto const& h : reply.headers) response.header(h.name, h.value);
    if (reply.body.empty()) return response.empty();
    response.header("Content-Type", reply.content_type).body(reply.body);
}

void write_refusal(http::Response response, RouteDecl const& route, Problem const& problem, std::string_view request_id,
                   std::string_view oops_id, std::string_view position, std::string_view content_type) {
    static constexpr ForeignOptions ours;
    auto const& options = route.foreign ? route.foreign->options : ours;
    if (!options.refused && !options.refused_as) return write_problem(response, problem, request_id, oops_id, position);
    auto reply = options.refused_as ? options.refused_as(problem, content_type) : options.refused(problem);
    reply.headers.push_back({"X-Request-Id", std::string(request_id)});
    if (!oops_id.empty()) reply.headers.push_back({"X-Oops-Id", std::string(oops_id)});
    if (problem.retry_after_s) reply.headers.push_back({"Retry-After", std::to_string(*problem.retry_after_s)});
    write_foreign(response, reply);
}

void refuse_caller(http::Exchange& exchange, EdgeCaller const& caller, std::string_view scope, std::string_view request_id) {
    auto const* ticket = ticket_of(exchange);
    auto const problem = ticket && ticket->unrecognised ? *ticket->unrecognised : may_not(caller, scope);
    if (problem.status == 401) add_challenges(exchange, ticket && ticket->unrecognised ? "invalid_token" : "");
    write_problem(exchange.response(), problem, request_id, {});
}

void write_outcome(http::Response response, ReplyTo const& to, Result<Answer> const& outcome, std::string_view request_id) {
    if (!outcome) {
        auto const id = to.oops_id.empty() ? report_of(*to.host, *to.route, outcome.error(), request_id) : to.oops_id;
        return write_refusal(response, *to.route, outcome.error(), request_id, id, to.host->position_text(to.host->durable()),
                             to.content_type);
    }
    if (to.route->foreign) {
        auto const reply = codec::from_json<ForeignReply>(outcome->body);
        GANTRY_ASSERT(reply, "what a foreign route answers was encoded here");
        return write_foreign(response, *reply);
    }
    auto const position = to.host->position_text(outcome->position);
    if (!to.route->command)
        return write_read(response, *to.route, outcome->body, etag_of(*to.route, outcome->body), position, to.if_none_match);
    response.begin(outcome->status).header("Gantry-Position", position).header("X-Request-Id", request_id);
    if (outcome->replayed) response.header("Gantry-Replayed", "true");
    if (outcome->idempotency_until.us != 0) response.header("Gantry-Idempotency-Until", format_time(outcome->idempotency_until));
    deprecation(response, *to.route);
    if (outcome->status == 204) return response.empty();
    response.header("Content-Type", "application/json").body(outcome->body);
}

void append_item(std::string& out, std::string_view counter, std::uint64_t n, Answer const& answer) {
    constexpr std::string_view status = R"(,"status":)", reply = R"(,"reply":)";
    fmt::format_int const number(n), code(answer.status);
    auto const at = out.size();
    auto const size = counter.size() + number.size() + status.size() + code.size();
    out.reserve(std::max(out.capacity(), at + size + reply.size() + answer.body.size() + 64));
    out.resize_and_overwrite(at + size, [&](char* p, std::size_t) {
        for (auto part : {counter, std::string_view(number.data(), number.size()), status, std::string_view(code.data(), code.size())})
            p += part.copy(p + at, part.size());
        return at + size;
    });
    if (answer.replayed) out += R"(,"replayed":true)";
    if (!answer.body.empty()) out.append(reply).append(answer.body);
    out += '}';
}

void append_item(std::string& out, std::string_view counter, std::uint64_t n, ReplyTo const& to, Problem const& problem) {
    fmt::format_int const number(n), status(problem.status);
    out.append(counter).append(number.data(), number.size());
    out.append(R"(,"status":)").append(status.data(), status.size()).append(R"(,"problem":)");
    auto const id = to.oops_id.empty() && to.host ? report_of(*to.host, *to.route, problem, to.request_id) : to.oops_id;
    http::append_problem_json(out, problem, to.request_id, id);
    out += '}';
}

}  // namespace gantry::runtime
