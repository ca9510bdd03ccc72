#pragma once
#include <cstdint>
#include <functional>
#include <memory>

#include "kernel/base/result.h"
#include "kernel/base/time.h"

namespace gantry::net {

using Task = std::move_only_function<void()>;

// A pending `after`. Dropping the handle leaves the timer running. `cancel` is safe from any thread and may come too late: a
// cancel on the timer's own thread always wins, one from another thread races with the firing.
class Timer {
   public:
    Timer() = default;
    void cancel();

   private:
    friend class IoThreads;
    struct State;
    explicit Timer(std::shared_ptr<State> state) : state_(std::move(state)) {}
    std::shared_ptr<State> state_;
};

// N threads, each running its own single-threaded event loop. What is posted to a thread runs there one task after another, in the
// order of posting; tasks must be short and must not throw. Threads start at construction and end in the destructor (or `stop`).
class IoThreads {
   public:
    explicit IoThreads(int count = 0);  // 0: one per processor but one, which the log's thread has
    ~IoThreads();
    IoThreads(IoThreads const&) = delete;
    IoThreads& operator=(IoThreads const&) = delete;

    int count() const;
    // The index of the calling thread among these threads, or -1.
    int current() const;

    // Runs `task` on `thread`; any thread may call. A burst of posts costs the target one wake-up. After stop() tasks are dropped unrun.
    void post(int thread, Task task);
    // Runs `task` on `thread` and waits for it. Never from one of these threads.
    void run(int thread, Task task);
    // Runs `task` on `thread` after `delay` (real time); any thread may call.
    Timer after(int thread, Duration delay, Task task);
    // Runs `task` on `thread` every `period` until this object ends.
    void every(int thread, Duration period, std::function<void()> task);

    // Calls `task` on thread 0 each time the process receives `signal` (SIGTERM, SIGINT, SIGHUP …). One callback a signal: the last set
    // one wins. The default action comes back when this object ends.
    Result<void> on_signal(int signal, std::function<void()> task);

    // Ends the loops and joins the threads. Idempotent.
    void stop();

    struct Impl;
    Impl& impl() { return *impl_; }  // for kernel/net/asio.h alone

   private:
    std::unique_ptr<Impl> impl_;
};

// Work in flight that an owner waits for before it goes: count with `enter`/`leave`, close with `drain`. Safe from any thread.
class TaskGroup {
   public:
    TaskGroup();
    ~TaskGroup();  // GANTRY_ASSERTs that nothing is in flight
    // False once draining has begun: the work must not start.
    bool enter();
    void leave();
    // Refuses new work and waits until nothing is in flight or the limit is over; true when nothing is.
    bool drain(Duration limit);
    int in_flight() const;

   private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace gantry::net
