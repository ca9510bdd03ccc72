#pragma once
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "kernel/base/time.h"
#include "kernel/http/gantry/client.h"
#include "kernel/runtime/host.h"
#include "kernel/runtime/report_spool.h"

// How reports come from the spool to a service `oops`: at least once each, and oops knows a repeat by its id.
namespace gantry::runtime {

// Takes one report (report_for_oops.h). A refusal that won't pass (a 4xx but 408, 425, 429) is an answer, too; anything else is tried
// again.
class ReportTaker {
   public:
    virtual ~ReportTaker() = default;
    virtual Result<void> take(std::string const& body) = 0;
};

// The service `oops` of this process: a function call, as the kernel's own caller, on a thread that may wait for the disk. Its project
// "gantry" is made when it isn't there.
std::unique_ptr<ReportTaker> oops_here(Host& host, std::function<bool()> stopping);

// One elsewhere, by the DSN of a project: http://KEY@HOST/oops/PROJECT. 400 "dsn_invalid".
Result<std::unique_ptr<ReportTaker>> oops_elsewhere(std::string_view dsn);

// Delivers what a spool holds. By one thread at a time.
class ReportDelivery {
   public:
    static constexpr Duration first_wait = Duration::seconds(1), longest_wait = Duration::seconds(300);
    static constexpr std::size_t a_turn_max = 50;
    // References outlive it.
    ReportDelivery(ReportSpool& spool, std::unique_ptr<ReportTaker> taker, Clock& clock)
        : spool_(spool), taker_(std::move(taker)), clock_(clock) {}
    // Delivers some, unless it waits after a failure. Whether there is more to do at once.
    bool turn();

   private:
    bool deliver(std::string const& id);
    void back_off(Problem const& why);
    ReportSpool& spool_;
    std::unique_ptr<ReportTaker> taker_;
    Clock& clock_;
    Duration wait_ = first_wait;
    std::int64_t not_before_ns_ = 0;
    bool told_ = false;  // that it fails
};

}  // namespace gantry::runtime
