#pragma once
#include <pthread.h>

#include <atomic>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>

#include "kernel/base/random.h"
#include "kernel/base/result.h"
#include "kernel/base/time.h"
#include "kernel/log/log.h"
#include "kernel/runtime/service.h"
#include "kernel/state/tracking.h"

namespace gantry::runtime {

// A readers-writer lock that lets a waiting writer in before further readers (glibc's default starves writers: measured).
class WriterFirstLock {
   public:
    WriterFirstLock();
    ~WriterFirstLock();
    WriterFirstLock(WriterFirstLock const&) = delete;
    WriterFirstLock& operator=(WriterFirstLock const&) = delete;
    void lock();
    void unlock();
    void lock_shared();
    void unlock_shared();

   private:
    pthread_rwlock_t lock_;
};

// What a route answered, once everything that it rests on is durable.
struct Answer {
    int status = 200;
    std::string body;       // JSON
    Position position = 0;  // the newest event that it rests on
};

// Fills a route's input from wherever the call came from.
using Bind = std::function<Result<void>(codec::Type const& input, void* out)>;
// Called once, from the calling thread or from the log's committer; must not block.
using Done = std::move_only_function<void(Result<Answer>)>;

// One service of one site: its state, folded from its log, and its commands and reads, from any thread. Nothing is answered before
// what it rests on is durable, refusals included: a refusal rests on the state that it saw.
class Host {
   public:
    // All references outlive the host. The log's on_durable callback is taken by the host.
    struct Parts {
        log::Log& log;
        Clock& clock;
        Random& random;
        codec::Sealer const* sealer = nullptr;
        void const* settings = nullptr;
    };
    Host(ServiceDecl decl, Parts parts);

    // Folds the whole log. Fails with what makes the log unreadable: "log_damaged", "event_type_unknown", "event_shape_unreadable", …
    Result<void> start();

    void call(RouteDecl const& route, Viewer const& viewer, Bind const& bind, Done done);
    // Facts that time alone brings about, by the service's own rule. Does nothing for a service without one.
    Result<void> tick(Viewer const& kernel);

    ServiceDecl const& decl() const { return decl_; }
    Position applied() const { return applied_.load(std::memory_order_acquire); }
    Position durable() const { return durable_.load(std::memory_order_acquire); }
    state::Stamps const& stamps() const { return stamps_; }
    std::uint64_t digest();
    std::string position_text(Position position) const;

   private:
    friend class HostCall;
    struct Waiter {
        Position position;
        Done done;
        Result<Answer> answer;
    };
    void when_durable(Position position, Done done, Result<Answer> answer);
    void became_durable(Position position);
    Result<void> rebuild();
    Result<void> replay_into(void* state, Position& last, Time& last_time);

    ServiceDecl decl_;
    Parts parts_;
    WriterFirstLock lock_;
    std::unique_ptr<void, void (*)(void*)> state_;
    state::Stamps stamps_;
    Time last_time_{};  // under lock_
    std::atomic<Position> applied_ = 0;
    std::atomic<Position> durable_ = 0;
    bool stopped_ = false;     // under lock_: apply broke its promise three times in a row
    int broken_promises_ = 0;  // under lock_
    std::mutex waiters_mutex_;
    std::deque<Waiter> waiters_;  // by position
};

}  // namespace gantry::runtime
