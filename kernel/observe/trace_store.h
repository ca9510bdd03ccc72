#pragma once
#include <atomic>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "kernel/observe/trace.h"

// The traces that somebody will ask for: of requests that failed, that took long, that their caller wants sampled, and a share of all.
// The newest ones, in memory, within bounds; and callers who want everything sampled push out no failures.
namespace gantry::observe {

enum class KeptBecause : std::uint8_t { failed, slow, sampled, share };
std::string_view name_of(KeptBecause because);

struct TraceOutcome {
    int status = 0;  // of HTTP; 0: there was none
    std::string_view request_id, site, service, method, route;
};

// Doesn't change, and isn't moved: names and values of its spans view `text` or literals.
struct KeptTrace {
    KeptTrace(RequestTrace const& trace, TraceOutcome const& outcome, KeptBecause because);
    KeptTrace(KeptTrace const&) = delete;

    TraceId id;
    bool sampled = false, random = false;
    Time began;
    std::int64_t duration_ns = 0;
    int status = 0;
    KeptBecause because;
    std::string request_id, site, service, method, route;
    std::vector<Span> spans;  // the root first
    std::vector<TraceContext> links;
    std::uint32_t dropped_spans = 0, dropped_attributes = 0;
    std::string text;
    std::size_t size_bytes() const;  // of memory, about
};
using KeptTracePtr = std::shared_ptr<KeptTrace const>;

struct TraceRules {
    Duration slow_after = Duration::seconds(1);  // from here on
    double share = 0;                            // of all traces, from 0 to 1; the id decides, so that all services keep the same ones
    std::size_t traces_max = 1000;
    std::size_t bytes_max = 8 << 20;
};

// What a list shows; an empty text and an absent value fit everything.
struct TraceFilter {
    std::string_view site, service, route;
    std::optional<KeptBecause> because;
    int status_min = 0;
    Duration at_least = {};
    std::optional<Time> before;
};

// Any thread. Whether a trace is kept is decided without a lock.
class TraceStore {
   public:
    explicit TraceStore(TraceRules const& rules = {}) { set_rules(rules); }
    void set_rules(TraceRules const& rules);

    // Whether the share of all takes this one: what goes out says so in its traceparent.
    bool samples(TraceId id) const;
    std::optional<KeptBecause> wanted(RequestTrace const& trace, int status) const;
    // Nothing when the trace isn't wanted. It has ended.
    KeptTracePtr offer(RequestTrace const& trace, TraceOutcome const& outcome);

    std::vector<KeptTracePtr> of_trace(TraceId id) const;  // the oldest first: one trace may have come by several times
    KeptTracePtr of_request(std::string_view request_id) const;
    std::vector<KeptTracePtr> newest(TraceFilter const& filter, std::size_t limit) const;
    std::size_t count() const;
    std::size_t size_bytes() const;
    std::uint64_t kept() const { return kept_.load(std::memory_order_relaxed); }  // since the start

   private:
    void drop_beyond_limits();

    std::atomic<std::int64_t> slow_after_ns_;
    std::atomic<std::uint64_t> share_below_;  // of 2^56
    std::atomic<std::uint64_t> kept_{0};
    mutable std::mutex mutex_;
    std::deque<KeptTracePtr> traces_;  // guarded by mutex_, as are those below; the oldest first
    std::size_t bytes_ = 0, samples_ = 0, traces_max_ = 0, bytes_max_ = 0;
};

// JSON for administration: one trace with its spans, and the line that a list shows of it.
void append_trace_json(std::string& out, KeptTrace const& trace);
void append_trace_summary_json(std::string& out, KeptTrace const& trace);

}  // namespace gantry::observe
