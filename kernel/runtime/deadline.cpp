#include "kernel/runtime/deadline.h"

namespace gantry::runtime {

Problem deadline_exceeded() { return {504, "deadline_exceeded", "the time that Gantry-Timeout gave was over before anything was done"}; }

Problem outcome_unknown() {
    return {504, "deadline_exceeded", "it may have happened: the time was over too early to know; repeat it with its Idempotency-Key"};
}

std::shared_ptr<TimelyAnswer> TimelyAnswer::make(net::IoThreads& threads, std::int64_t deadline_us, http::Deferred deferred, Late late) {
    auto answer = std::make_shared<TimelyAnswer>();
    auto const io_thread = deferred.io_thread();
    answer->deferred_ = std::move(deferred), answer->late_ = std::move(late);
    // Weak: whoever is to answer owns it.
    answer->timer_ = threads.after(io_thread, until_deadline(deadline_us, Duration::days(1)), [weak = std::weak_ptr(answer)] {
        auto const self = weak.lock();
        if (!self || self->settled_.exchange(true)) return;
        auto late = std::move(self->deferred_);
        self->late_(late.response());
    });
    return answer;
}

std::optional<http::Deferred> TimelyAnswer::take() {
    if (settled_.exchange(true)) return {};
    timer_.cancel();
    return std::move(deferred_);
}

}  // namespace gantry::runtime
