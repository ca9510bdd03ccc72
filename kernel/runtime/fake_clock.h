#pragma once
#include <atomic>

#include "kernel/base/time.h"

namespace gantry::runtime {

// A wall clock that stands still until told otherwise, safe from any thread. Its steady side goes on in real time, and ahead with the wall.
class FakeClock final : public Clock {
   public:
    // Year 9999: what the wire can say.
    static constexpr Time last{253'402'300'799'999'999};

    explicit FakeClock(Time start) : now_us_(start.us) {}
    Time wall() const override { return {now_us_.load()}; }
    std::int64_t steady_ns() const override { return system_clock().steady_ns() + ahead_us_.load() * 1000; }
    // One thread at a time.
    void set(Time now) {
        if (auto const by = now - wall(); by.us > 0) ahead_us_ += by.us;
        now_us_ = now.us;
    }

   private:
    std::atomic<std::int64_t> now_us_, ahead_us_ = 0;
};

}  // namespace gantry::runtime
