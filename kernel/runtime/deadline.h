#pragma once
#include <algorithm>
#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "kernel/base/result.h"
#include "kernel/base/time.h"
#include "kernel/http/server.h"
#include "kernel/net/net.h"

// A caller's deadline (`Gantry-Timeout`, milliseconds from its request): beyond it nobody waits for the answer. A deadline is a moment of
// the real steady clock in microseconds, as connections count; 0: none.
namespace gantry::runtime {

inline std::int64_t steady_now_us() { return system_clock().steady_ns() / 1000; }
inline bool is_past(std::int64_t deadline_us) { return deadline_us != 0 && steady_now_us() >= deadline_us; }
// What is left of a wait that may take `most`.
inline Duration until_deadline(std::int64_t deadline_us, Duration most) {
    return deadline_us == 0 ? most : std::min(most, std::max(Duration{}, Duration{deadline_us - steady_now_us()}));
}

// 504: nothing was done.
Problem deadline_exceeded();
// The same once a command is decided: it may have happened.
Problem outcome_unknown();

// The right to answer one request later, which ends at its deadline: then `late` answers. The last who holds it must have taken it, or the
// request is answered as Deferred says.
class TimelyAnswer {
   public:
    using Late = std::move_only_function<void(http::Response)>;
    // On the IO thread of `deferred`.
    static std::shared_ptr<TimelyAnswer> make(net::IoThreads& threads, std::int64_t deadline_us, http::Deferred deferred, Late late);
    // Any thread. Nothing: it was too late, or taken before.
    std::optional<http::Deferred> take();

   private:
    http::Deferred deferred_;
    Late late_;
    std::atomic<bool> settled_ = false;
    net::Timer timer_;
};

}  // namespace gantry::runtime
