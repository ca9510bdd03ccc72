#pragma once
#include <array>
#include <atomic>
#include <exception>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include "kernel/base/random.h"
#include "kernel/base/stack.h"
#include "kernel/base/time.h"
#include "kernel/config/flags.h"
#include "kernel/http/message.h"
#include "kernel/log/disk.h"
#include "kernel/observe/trace.h"
#include "kernel/runtime/edge_caller.h"
#include "kernel/runtime/failure_report.h"
#include "kernel/runtime/report_spool.h"
#include "kernel/runtime/service_decl.h"

namespace gantry::runtime {

// What was thrown, taken while it is being handled. Null: nothing is.
struct Thrown {
    std::string type, message;
    Stack stack;
    bool of_throw = false;  // false: the stack is that of the handler
};
std::unique_ptr<Thrown> thrown_now();

// A request as HTTP brought it, for reports alone. Everything outlives the call.
struct RequestFacts {
    http::RequestHead const* head = nullptr;
    EdgeCaller const* caller = nullptr;
    observe::RequestTrace const* trace = nullptr;  // null: none is recorded, or no more
    bool tls = false;
    std::string_view request_id = {};
    std::string* oops_id = nullptr;  // gets the report's id, before the answer is written
};

// Something that failed through our fault: what an operator needs to see it and to replay it. Views live as long as add().
struct Failure {
    std::string_view kind = "request";  // as FailureReport has them
    std::string_view service, route, request_id, trace_id;
    Viewer const* viewer = nullptr;
    Problem const* problem = nullptr;
    Thrown const* thrown = nullptr;
    std::optional<SeenByDecision> seen;
    codec::Type const* input_type = nullptr;  // null: it could not be decoded
    void* input = nullptr;                    // masked in place
    RouteDecl const* decl = nullptr;          // of a request's route
    RequestFacts const* request = nullptr;
    bool keep_here = false;  // never delivered: of what takes reports, so that none makes another for ever
};

// Reports of one site. Safe from any thread. What a report costs beyond a copy of what it is about, the background pays.
class Reports {
   public:
    static constexpr int a_minute_max = 60;        // beyond it a failure is a log line only
    static constexpr int alike_a_minute_max = 10;  // of the same service, route and code
    using Background = std::function<void(std::move_only_function<void()>)>;
    struct Parts {
        log::Disk& disk;
        std::string directory;  // empty: log lines only
        Clock& clock;
        Random& random;
        std::string version;
        Background background;  // runs what reads symbols and writes to the disk
        std::string former = {};
        std::string revision = {}, instance = {}, site = {};
        std::function<std::map<std::string, std::string>(flags::Subject const&)> flags = {};  // every flag's value for one
        std::function<void()> on_kept = {};  // on the background's thread: there is something to deliver
    };
    explicit Reports(Parts parts);

    // The id of the report ("OOPS-" and 32 hexadecimal digits, the first 12 of them its time), which is written soon after.
    std::string add(Failure const& failure);
    // A report that was made elsewhere: of how the process before this one ended.
    void keep(FailureReport report);
    // The JSON of a report that is still there.
    std::optional<std::string> find(std::string_view id) const { return spool_.find(id); }
    std::string fresh_report_id();

    ReportSpool& spool() { return spool_; }
    ReportSpool const& spool() const { return spool_; }
    std::uint64_t filed() const { return filed_.load(std::memory_order_relaxed); }
    std::uint64_t dropped() const { return dropped_.load(std::memory_order_relaxed); }  // by the limits

   private:
    FailureReport describe(Failure const& failure, std::string id, Time now);
    bool within_rate(Failure const& failure);
    void write(FailureReport const& report, ReportSpool::Deliver deliver);

    Parts parts_;
    ReportSpool spool_;
    std::atomic<std::uint64_t> filed_ = 0, dropped_ = 0, dropped_told_ = 0;
    std::mutex rate_mutex_;
    std::int64_t minute_ = 0;  // under rate_mutex_, as are those below
    int in_minute_ = 0;
    std::map<std::uint64_t, int> alike_;  // by what they have in common; of this minute
};

}  // namespace gantry::runtime
