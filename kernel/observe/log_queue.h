#pragma once
#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <string>
#include <vector>

#include "kernel/base/time.h"
#include "kernel/observe/access_log.h"
#include "kernel/observe/log_output.h"
#include "kernel/observe/log_repeats.h"

// Between those who write lines and the outputs: a bounded queue of log lines and one ring of access records for each thread that serves.
// It has no thread: whoever owns it calls drain(), often.
namespace gantry::observe {

struct LogQueueOptions {
    std::size_t bytes = 4 << 20;         // of log lines that wait; twice that at most, while a drain writes
    std::size_t ring_bytes = 512 << 10;  // of each access ring
    bool fold_repeats = true;
};

class LogQueue {
   public:
    // What was lost since the start, and why.
    struct Lost {
        std::uint64_t lines = 0, accesses = 0;  // the queue, or a ring, was full
        std::uint64_t outputs = 0;              // an output could not hand it on
    };

    // The outputs outlive the queue. One may be in both lists.
    LogQueue(Clock const& clock, LogQueueOptions options, std::vector<LogOutput*> outputs, std::vector<LogOutput*> access_outputs);

    // Whether somebody calls drain() until told otherwise. Until then each log line is written at once, by the thread that has it; access
    // records wait for drain() in any case. `wake` is called by any thread, and waits for nothing, when half of a queue is full: drain now.
    void set_pumped(bool pumped) { pumped_.store(pumped, std::memory_order_release); }
    void set_wake(std::function<void()> wake);  // before the first line and the first ring

    // From any thread.
    void add(LogEntry const& entry);
    // A ring for one thread that serves. It lives as long as the queue.
    AccessRing& new_ring();
    void set_access_on(bool on);

    // Writes what waits: the log lines in the order in which they were added, then each ring's records in theirs. From any thread; one at a
    // time. Returns the number of lines.
    std::size_t drain();
    // The same at the end of the process, with what repeats are still being counted.
    std::size_t finish();
    // From the path of a failure: what waits is written unless another thread is stuck in writing it. Not for a signal handler.
    void flush_for_crash();
    Result<void> reopen();
    Lost lost() const;

   private:
    std::size_t drain_locked(Repeats::Which which);  // with pump_ held
    std::size_t drain_lines(Repeats::Which which);
    void write_lost(std::uint64_t count, char const* what);
    void write_repeats(std::vector<Repeats::Ended> const& ended);
    void to_all(LogEntry const& entry);

    Clock const& clock_;
    LogQueueOptions const options_;
    std::vector<LogOutput*> const outputs_, access_outputs_;
    std::vector<LogOutput*> all_outputs_;
    std::function<void()> wake_;
    std::atomic<bool> pumped_{false}, access_on_{true};
    std::atomic<std::uint64_t> lost_lines_{0};

    mutable std::mutex mutex_;
    std::string waiting_;           // guarded by mutex_; entries, encoded
    std::uint64_t lost_now_ = 0;    // guarded by mutex_; since the last drain
    bool woken_ = false;            // guarded by mutex_
    Repeats repeats_;               // guarded by mutex_
    std::deque<AccessRing> rings_;  // grows under mutex_

    std::timed_mutex pump_;
    std::atomic<void const*> pumping_{nullptr};  // the thread that drains, by an address of its own
    std::string draining_;                       // guarded by pump_
    std::vector<LogField> fields_;               // guarded by pump_
    Stamps stamps_;                              // guarded by pump_
    std::uint64_t lost_accesses_told_ = 0;       // guarded by pump_
};

}  // namespace gantry::observe
