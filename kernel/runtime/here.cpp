#include "kernel/runtime/here.h"

#include <algorithm>
#include <chrono>
#include <future>
#include <memory>

#include "kernel/http/message.h"
#include "kernel/runtime/feed_page.h"

namespace gantry::runtime {
namespace {

client::Reply refused(Problem const& problem) {
    client::Reply out{.status = problem.status, .error = client::Error{problem.code, problem.detail}};
    if (problem.retry_after_s) out.headers.emplace_back("Retry-After", std::to_string(*problem.retry_after_s));
    return out;
}
client::Reply unanswered(std::string code, std::string detail) { return {.error = client::Error{std::move(code), std::move(detail)}}; }

std::string_view key_of(client::Request const& request) {
    for (auto const& [name, value] : request.headers)
        if (http::equals_ignoring_case(name, "Idempotency-Key")) return value;
    return {};
}

}  // namespace

client::Reply Here::send(client::Request const& asked, std::function<bool()> const& stopping) const {
    std::string_view const target = asked.target;
    auto const cut = std::min(target.find('?'), target.size());
    auto const query = target.substr(std::min(cut + 1, target.size()));
    auto const match = table_.match(asked.method, target.substr(0, cut));
    if (!match.target || match.target->route->foreign)
        return refused({match.allowed.empty() ? 404 : 405, match.allowed.empty() ? "route_not_found" : "method_not_allowed",
                        "no service here answers to this"});
    Host& host = *match.target->host;
    if (!host.ready()) return refused({503, "service_starting", "the service is reading its log"});
    auto bind = [&](codec::Type const& type, void* out) { return bind_request(match, query, asked.body, false, type, out); };
    Viewer const kernel{Str("gantry"), true};
    if (match.target->route->feed) {
        FeedInput input;
        auto bound = bind(codec::type_of<FeedInput>(), &input);
        if (!bound) return refused(bound.error());
        auto page = feed_page(host, kernel, input, stopping);
        if (!page) return refused(page.error());
        return {.status = 200, .body = std::move(*page), .tries = 1};
    }
    Request request{.route = *match.target->route, .viewer = kernel, .bind = bind};
    if (request.route.command) request.idempotency_key = key_of(asked), request.target = target, request.body = asked.body;
    auto const told = std::make_shared<std::promise<Result<Answer>>>();
    auto later = told->get_future();
    auto at_once = host.call(request, [&]() -> Done { return [told](Result<Answer> answer) { told->set_value(std::move(answer)); }; });
    if (at_once) told->set_value(std::move(*at_once));
    auto left = std::chrono::milliseconds(asked.total_timeout_ms < 0 ? 30'000 : asked.total_timeout_ms);
    for (constexpr auto turn = std::chrono::milliseconds(50); later.wait_for(std::min(turn, left)) != std::future_status::ready;
         left -= std::min(turn, left)) {
        if (stopping()) return unanswered("aborted", "the server is being stopped");
        if (left.count() == 0) return unanswered("timeout", "the service gave no answer in time");
    }
    auto const answer = later.get();
    if (!answer) return refused(answer.error());
    return {.status = answer->status, .body = answer->body, .tries = 1};
}

}  // namespace gantry::runtime
