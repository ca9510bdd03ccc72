#pragma once
#include <atomic>
#include <cstdint>
#include <string>

#include "kernel/base/result.h"
#include "kernel/base/time.h"

namespace gantry::auth {

struct RateLimits {
    static constexpr double per_s_min = 0.001, per_s_max = 1'000'000;
    static constexpr std::int64_t burst_max = 1'000'000, concurrent_max = 1'000'000;
    double per_s = 0;             // 0: any rate
    std::int64_t burst = 1;       // requests at once after a rest
    std::int64_t concurrent = 0;  // requests in the works; 0: any number
    bool operator==(RateLimits const&) const = default;
};

// How one caller may use the process: so many requests a second (GCRA: a bucket of `burst` that refills evenly, in one number), and so
// many at once. Safe from any thread, without locks.
class CallerLimiter {
   public:
    explicit CallerLimiter(RateLimits limits);

    struct Rate {
        bool allowed = true;
        std::int64_t wait_ns = 0;    // when refused: until the next one is allowed
        std::int64_t remaining = 0;  // that would be allowed at once
        std::int64_t reset_ns = 0;   // until all of the burst is there again
    };
    // Takes one request at `now_ns` of Clock::steady_ns(); a refused one costs nothing.
    Rate take(std::int64_t now_ns);
    // The same question, taking nothing.
    Rate look(std::int64_t now_ns) const;

    // False when as many are in the works as may be; else leave() must follow once it is done.
    bool enter();
    void leave();
    std::int64_t inside() const { return inside_.load(std::memory_order_relaxed); }

    RateLimits const& limits() const { return limits_; }
    bool limits_rate() const { return interval_ns_ > 0; }

   private:
    Rate told(std::int64_t full_at_ns, std::int64_t now_ns) const;
    RateLimits limits_;
    std::int64_t interval_ns_ = 0, bucket_ns_ = 0;
    std::atomic<std::int64_t> full_at_ns_ = INT64_MIN / 2;  // when the bucket is full again (GCRA's theoretical arrival time)
    std::atomic<std::int64_t> inside_ = 0;
};

// Seconds for Retry-After: rounded up, at least 1.
int retry_after_s(std::int64_t wait_ns);
// Values of the fields of draft-ietf-httpapi-ratelimit-headers (10): `"caller";q=100;w=20` and `"caller";r=42;t=3`. Empty when the rate
// has no limit.
std::string rate_limit_policy(RateLimits const& limits);
std::string rate_limit(CallerLimiter::Rate const& rate);
// 429 "rate_exceeded" and 429 "concurrency_exceeded".
Problem rate_exceeded(CallerLimiter const& limiter, CallerLimiter::Rate const& rate);
Problem concurrency_exceeded(CallerLimiter const& limiter);

}  // namespace gantry::auth
