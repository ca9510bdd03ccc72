// How a host answers for a moment of its past.
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <exception>
#include <shared_mutex>

#include "kernel/runtime/host.h"
#include "kernel/runtime/reports.h"
#include "kernel/runtime/still_read.h"

namespace gantry::runtime {
namespace {

std::unexpected<Problem> invalid(std::string detail) {
    Problem problem{400, "request_invalid", "the request has a fault: see errors"};
    problem.faults.push_back({"?as_of", std::move(detail)});
    return std::unexpected(std::move(problem));
}

}  // namespace

History::Parts Host::history_parts() {
    return {sources(),
            parts_.history_bytes_max,
            [this] {
                lock_.lock_shared();
                auto marks = state_.baselines;
                lock_.unlock_shared();
                return marks;
            },
            [this] {
                lock_.lock_shared();
                auto bytes = state_.memory_bytes(decl_);
                lock_.unlock_shared();
                return bytes;
            },
            parts_.background,
            parts_.post};
}

Result<Moment> Host::moment(std::string_view as_of) const {
    auto const dot = std::min(as_of.find('.'), as_of.size());
    auto const digits = as_of.substr(std::min(dot + 1, as_of.size()));
    Position position = 0;
    auto const [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), position);
    bool const number = error == std::errc() && end == digits.data() + digits.size();
    if (number && log::parse_incarnation(as_of.substr(0, dot))) {
        if (as_of.substr(0, dot) != incarnation_text_)
            return fail(410, "position_gone", "as_of speaks of another history of this log: take a position that this one gave");
        if (position > durable())
            return fail(400, "as_of_ahead",
                        fmt::format("as_of is ahead of this log, which is at {}: leave it out for now", position_text(durable())));
        return Moment(position);
    }
    auto time = parse_time(as_of);
    if (!time)
        return invalid(fmt::format("expected a position as Gantry-Position gives it (\"{}\"), or a time; {}", position_text(durable()),
                                   time.error().detail));
    if (*time > parts_.clock.wall())
        return fail(400, "as_of_ahead", fmt::format("as_of is in the future: it is {}", format_time(parts_.clock.wall())));
    return Moment(*time);
}

Result<Answer> Host::read_past(Folded const& past, Request const& request, Position* rights_at) {
    if (request.route.kernel) return invalid("this is of now alone: leave as_of out");
    Ctx ctx{request.viewer, past.last_time, past.last + 1, parts_.random, parts_.settings, &parts_.hash_key};
    ctx.site = parts_.site;
    ctx.durable = past.last;
    std::shared_lock<WriterFirstLock> held;
    if (decl_.hides) held = std::shared_lock(lock_);
    if (rights_at) *rights_at = decl_.hides ? applied() : past.last;
    StillRead read(*this, request.route, request.bind, ctx, past.service.get(), past.last, decl_.hides ? state_.service.get() : nullptr);
    Result<void> ran;
    std::unique_ptr<Thrown> thrown;
    try {
        ran = request.route.run(request.route.function, read);
    } catch (...) {
        thrown = thrown_now();
        Problem problem{500, "internal_error", "the request failed inside the service; nothing was recorded"};
        problem.cause = thrown->message;
        ran = std::unexpected(std::move(problem));
    }
    if (!ran && ran.error().status >= 500) (void)report(request, ran.error(), thrown.get(), &ctx);
    if (!ran) return std::unexpected(std::move(ran.error()));
    return Answer{.body = std::move(read.body()), .position = past.last};
}

}  // namespace gantry::runtime
