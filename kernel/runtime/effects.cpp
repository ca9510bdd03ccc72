#include "kernel/runtime/effects.h"

#include <algorithm>
#include <charconv>

namespace gantry {
namespace {

std::optional<int> seconds_of(std::string_view retry_after) {
    int seconds = 0;
    auto const [end, error] = std::from_chars(retry_after.data(), retry_after.data() + retry_after.size(), seconds);
    if (error != std::errc{} || end != retry_after.data() + retry_after.size() || seconds < 0) return {};
    return seconds;
}

}  // namespace

Result<client::Reply> Outside::call(client::Request request) {
    auto const is_key = [](auto const& header) { return header.first == "Idempotency-Key"; };
    if (std::ranges::none_of(request.headers, is_key)) request.headers.emplace_back("Idempotency-Key", id.str());
    if (request.total_timeout_ms < 0) request.total_timeout_ms = std::max<std::int64_t>(1, (until - now()).us / 1000);
    if (!traceparent.empty()) request.headers.emplace_back("traceparent", traceparent);
    if (!trace_state.empty()) request.headers.emplace_back("tracestate", trace_state);
    auto const began_ns = system_clock().steady_ns();
    auto reply = send(std::move(request));
    if (called) called(began_ns, system_clock().steady_ns(), reply.status);
    if (reply.ok()) return reply;
    Problem problem;
    if (reply.status == 0) {
        problem = {502, "effect_unanswered", "the target gave no answer: " + reply.error->code};
    } else {
        problem = {reply.status, "effect_refused", "the target answered " + std::to_string(reply.status)};
        problem.retry_after_s = seconds_of(reply.header("Retry-After"));
    }
    problem.cause = reply.error->detail;
    return fail(std::move(problem));
}

namespace runtime {

Result<Page<PendingEffect>> list_effects(Outbox const& outbox, EffectsInput const& input) {
    std::optional<EffectId> after;
    if (input.cursor) {
        TRY_ASSIGN(after, read_cursor<EffectId>(*input.cursor));
    }
    Page<PendingEffect> page;
    outbox.walk(after ? &*after : nullptr, [&](PendingEffect const& row) {
        if (input.kind && *input.kind != row.kind) return true;
        if (input.dead && *input.dead == row.next_at.has_value()) return true;
        if (std::int64_t(page.items.size()) == input.limit) {
            page.next = make_cursor(page.items.back().id), page.complete = false;
            return false;
        }
        page.items.push_back(row);
        return true;
    });
    return page;
}

Problem no_such_effect() {
    return {404, "effect_not_found", "no effect with this id is pending: it is done, or was dropped; GET effects lists those that are"};
}

}  // namespace runtime
}  // namespace gantry
