#pragma once
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "kernel/base/random.h"
#include "kernel/base/time.h"
#include "kernel/observe/otlp.h"

// What is on its way to a collector of traces: a bounded queue, sent in batches, one at a time. The sending itself is a function that is
// handed in; the queue decides what is sent, when, and again or not. Tracing must not cost what is traced: what doesn't fit is dropped
// and counted, the oldest first.
namespace gantry::observe {

struct OtlpLimits {
    std::size_t queue_spans_max = 8192, queue_bytes_max = 16 << 20;                  // with what is being sent
    std::size_t batch_spans_max = 512, batch_bytes_max = 1 << 20;                    // a batch is due; one trace goes whole
    Duration batch_after = Duration::seconds(5);                                     // … or when its oldest trace has waited so long
    Duration retry_first = Duration::seconds(1), retry_max = Duration::seconds(60);  // doubled each time, less up to a half at random
    Duration retry_after_max = Duration::hours(1);                                   // the longest Retry-After that is honoured
    int tries_max = 10;                                                              // of one batch
};

struct OtlpReply {
    int status = 0;                     // 0: no answer came
    std::string_view retry_after = {};  // the header
    std::string_view body = {};
};

struct OtlpCounts {
    std::uint64_t sent_spans = 0, rejected_spans = 0, dropped_spans = 0, tries = 0, failures = 0;
    std::size_t queued_spans = 0, queued_bytes = 0;  // now
};

// Any thread. Each send is answered once, later or inside of the call.
class OtlpQueue {
   public:
    using Send = std::function<void(std::string body)>;
    OtlpQueue(OtlpLimits const& limits, OtlpResource const& resource, Clock& clock, Random& random, Send send);

    // Encodes the trace; never sends.
    void add(KeptTrace const& trace);
    // Sends a batch when one is due and none is being sent.
    void run();
    // How long until run() has something to do; nothing while a batch is being sent and while nothing waits.
    std::optional<Duration> wait() const;
    void answered(OtlpReply const& reply);
    // The process ends: from now on a batch is due as soon as anything waits, and one that fails is dropped.
    void hurry();
    OtlpCounts counts() const;

   private:
    struct Entry {
        std::string spans;
        std::size_t count = 0;
        std::int64_t added_ns = 0;
    };
    struct Batch {
        std::vector<Entry> entries;
        int tries = 0;
    };
    std::optional<std::int64_t> due_ns() const;
    Batch next_batch();
    void retry(Batch batch, OtlpReply const& reply);
    void split(Batch batch);
    void forget(Entry const& entry);
    void drop(Batch const& batch);
    std::string body_of(Batch const& batch) const;

    OtlpLimits const limits_;
    std::string const head_;
    Clock& clock_;
    Send const send_;
    mutable std::mutex mutex_;
    Random& random_;  // guarded by mutex_, as are all below
    std::deque<Entry> waiting_;
    std::deque<Batch> again_;  // tried, or split, before
    std::optional<Batch> in_flight_;
    std::int64_t not_before_ns_ = 0;                     // no try before
    std::size_t waiting_spans_ = 0, waiting_bytes_ = 0;  // of waiting_
    bool hurried_ = false;
    OtlpCounts counts_;
};

// A Retry-After header: seconds, or a date (IMF-fixdate) that may have passed.
std::optional<Duration> parse_retry_after(std::string_view value, Time now);

}  // namespace gantry::observe
