#pragma once
#include <atomic>
#include <chrono>
#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

#include "kernel/base/result.h"

namespace gantry {

// A span of time in microseconds. On the wire: an ISO 8601-like "90d", "1h30m", "250ms" (parse_duration).
struct Duration {
    std::int64_t us = 0;
    constexpr auto operator<=>(Duration const&) const = default;
    static constexpr Duration micros(std::int64_t n) { return {n}; }
    static constexpr Duration millis(std::int64_t n) { return {n * 1000}; }
    static constexpr Duration seconds(std::int64_t n) { return {n * 1'000'000}; }
    static constexpr Duration hours(std::int64_t n) { return {n * 3'600'000'000}; }
    static constexpr Duration days(std::int64_t n) { return {n * 86'400'000'000}; }
    constexpr std::chrono::microseconds chrono() const { return std::chrono::microseconds(us); }
};

// A moment: microseconds since 1970-01-01T00:00:00Z. On the wire: RFC 3339 in UTC, with as many of 0, 3 or 6 decimals as it needs.
struct Time {
    std::int64_t us = 0;
    constexpr auto operator<=>(Time const&) const = default;
    friend constexpr Time operator+(Time t, Duration d) { return {t.us + d.us}; }
    friend constexpr Time operator-(Time t, Duration d) { return {t.us - d.us}; }
    friend constexpr Duration operator-(Time a, Time b) { return {a.us - b.us}; }
};

// Years 0000 to 9999. `format_to_buffer` writes at most 27 bytes and returns their number (no allocation).
std::size_t format_time(Time t, char* buffer);
std::string format_time(Time t);
// RFC 3339 with `Z` or a numeric offset; a time without a zone is refused with the reason. More than 6 decimals are cut.
Result<Time> parse_time(std::string_view text);
// Seconds since the epoch of a civil UTC time.
std::int64_t seconds_from_civil(int year, unsigned month, unsigned day, int hour, int minute, int second);

// "250ms", "30s", "5m", "2h", "90d", "1w" and sums of them ("1h30m"); "0" alone.
Result<Duration> parse_duration(std::string_view text);
std::string format_duration(Duration d);

// Time as the process sees it. Injected everywhere: the simulator and the tests own theirs.
class Clock {
   public:
    virtual ~Clock() = default;
    virtual Time wall() const = 0;               // may jump; recorded in events only through the log's monotone rule
    virtual std::int64_t steady_ns() const = 0;  // never goes back; for waits and measurements
};
Clock& system_clock();

// A clock that stands still until told otherwise; any thread may look at it meanwhile.
class ManualClock final : public Clock {
   public:
    explicit ManualClock(Time start = {1'700'000'000'000'000}) : now_us_(start.us) {}
    Time wall() const override { return {now_us_}; }
    std::int64_t steady_ns() const override { return steady_us_ * 1000; }
    void advance(Duration d) { now_us_ += d.us, steady_us_ += d.us; }
    void set_wall(Time t) { now_us_ = t.us; }

   private:
    std::atomic<std::int64_t> now_us_;
    std::atomic<std::int64_t> steady_us_ = 0;
};

}  // namespace gantry
