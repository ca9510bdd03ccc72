#pragma once
#include <deque>
#include <mutex>
#include <optional>
#include <string_view>
#include <vector>

#include "kernel/base/record.h"
#include "kernel/base/result.h"
#include "kernel/base/text.h"
#include "kernel/base/time.h"

namespace gantry::runtime {

// What happens to the next calls of a fake: they are answered with a problem of that status, or late, or not at all. A delay goes before
// the other two; alone it lets the call through afterwards.
struct InjectedFault {
    static constexpr bool has_defaults = true;
    Bounded<1, 1'000'000> count = 1;
    std::optional<Bounded<400, 599>> status = {};
    std::optional<Text<1, 64>> code = {};  // of the problem; "injected_fault"
    std::optional<Text<1, 1000>> detail = {};
    std::optional<Bounded<0, 86'400>> retry_after_s = {};
    std::optional<Duration> delay = {};
    bool disconnect = false;
    std::optional<Text<1, 1000>> path_prefix = {};  // absent: any path
    std::optional<Text<1, 16>> method = {};         // absent: any method
};
RECORD(InjectedFault, count, status, code, detail, retry_after_s, delay, disconnect, path_prefix, method);

// The problem that a fault's status becomes.
Problem problem_of(InjectedFault const& fault);

// Faults in the order in which they were asked for: a call meets the first that matches it. Safe from any thread.
class FaultList {
   public:
    static constexpr std::size_t faults_max = 1000;
    static constexpr Duration delay_max = Duration::hours(1);

    // 400 "fault_invalid": what it asks for doesn't fit together; 409 "faults_full".
    Result<void> add(InjectedFault fault);
    std::optional<InjectedFault> take(std::string_view method, std::string_view path);
    std::vector<InjectedFault> list() const;  // with the counts that are left
    void clear();

   private:
    mutable std::mutex mutex_;
    std::deque<InjectedFault> faults_;
};

}  // namespace gantry::runtime
