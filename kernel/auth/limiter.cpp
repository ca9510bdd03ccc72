#include "kernel/auth/limiter.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "kernel/base/assert.h"

namespace gantry::auth {
namespace {
constexpr std::int64_t second_ns = 1'000'000'000;
std::int64_t seconds_up(std::int64_t ns) { return (ns + second_ns - 1) / second_ns; }
}  // namespace

CallerLimiter::CallerLimiter(RateLimits limits) : limits_(limits) {
    GANTRY_ASSERT(limits.per_s == 0 || (limits.per_s >= RateLimits::per_s_min && limits.per_s <= RateLimits::per_s_max),
                  "a rate in bounds");
    GANTRY_ASSERT(limits.burst >= 1 && limits.burst <= RateLimits::burst_max, "a burst in bounds");
    if (limits.per_s == 0) return;
    interval_ns_ = std::llround(1e9 / limits.per_s);
    bucket_ns_ = interval_ns_ * limits.burst;  // at most 1e12 * 1e6: fits
}

CallerLimiter::Rate CallerLimiter::told(std::int64_t full_at_ns, std::int64_t now_ns) const {
    std::int64_t const empty_ns = std::clamp<std::int64_t>(full_at_ns - now_ns, 0, bucket_ns_), left_ns = bucket_ns_ - empty_ns;
    return {true, 0, left_ns / interval_ns_, empty_ns};
}

CallerLimiter::Rate CallerLimiter::take(std::int64_t now_ns) {
    if (!limits_rate()) return {};
    std::int64_t full_at = full_at_ns_.load(std::memory_order_relaxed);
    for (;;) {
        std::int64_t const next = std::max(full_at, now_ns) + interval_ns_;
        if (next - now_ns > bucket_ns_) {
            auto rate = told(full_at, now_ns);
            rate.allowed = false, rate.wait_ns = next - now_ns - bucket_ns_;
            return rate;
        }
        if (full_at_ns_.compare_exchange_weak(full_at, next, std::memory_order_relaxed)) return told(next, now_ns);
    }
}

CallerLimiter::Rate CallerLimiter::look(std::int64_t now_ns) const {
    if (!limits_rate()) return {};
    auto rate = told(full_at_ns_.load(std::memory_order_relaxed), now_ns);
    rate.allowed = rate.remaining > 0;
    return rate;
}

bool CallerLimiter::enter() {
    std::int64_t inside = inside_.load(std::memory_order_relaxed);
    do {
        if (limits_.concurrent > 0 && inside >= limits_.concurrent) return false;
    } while (!inside_.compare_exchange_weak(inside, inside + 1, std::memory_order_relaxed));
    return true;
}

void CallerLimiter::leave() {
    auto const before = inside_.fetch_sub(1, std::memory_order_relaxed);
    GANTRY_ASSERT(before > 0, "leave() follows an enter()");
}

int retry_after_s(std::int64_t wait_ns) { return int(std::clamp<std::int64_t>(seconds_up(wait_ns), 1, 86'400 * 365)); }

std::string rate_limit_policy(RateLimits const& limits) {
    if (limits.per_s == 0) return {};
    return fmt::format("\"caller\";q={};w={}", limits.burst,
                       std::max<std::int64_t>(1, std::llround(std::ceil(double(limits.burst) / limits.per_s))));
}

std::string rate_limit(CallerLimiter::Rate const& rate) {
    return fmt::format("\"caller\";r={};t={}", rate.remaining, seconds_up(rate.reset_ns));
}

Problem rate_exceeded(CallerLimiter const& limiter, CallerLimiter::Rate const& rate) {
    Problem p{429, "rate_exceeded",
              fmt::format("This caller may make {} requests a second, {} at once.", limiter.limits().per_s, limiter.limits().burst)};
    p.retry_after_s = retry_after_s(rate.wait_ns);
    return p;
}

Problem concurrency_exceeded(CallerLimiter const& limiter) {
    Problem p{429, "concurrency_exceeded", fmt::format("This caller may have {} requests in the works.", limiter.limits().concurrent)};
    p.retry_after_s = 1;
    return p;
}

}  // namespace gantry::auth
