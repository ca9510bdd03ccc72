#pragma once
#include <atomic>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <span>
#include <unordered_map>
#include <vector>

#include "kernel/runtime/decision.h"

namespace gantry::runtime {

// How many commands of a process may wait at once.
struct WaitingRoom {
    static constexpr std::size_t default_size = 100'000;
    std::size_t size = default_size;
    std::atomic<std::size_t> taken = 0;
    bool has_place() const { return taken.load(std::memory_order_relaxed) < size; }
};

// Whoever calls a command that may wait (service.h: `Waits`). It is given with the request (Request::waiter) and lives until Host::call
// returns. Then `parked` says that nothing was answered and nobody is called later: `ask` is called once the request is to be decided
// again, with a Waiter of the same number.
struct Waiter {
    std::uint64_t number = 0;  // 0: it didn't wait before
    // On the request's lane (Parts::post); without one within another call on this host: then it may only take a note. It may be called
    // before Host::call returns where the lane is another thread's.
    std::function<void()> ask = {};
    bool may_wait = true;  // false: what comes first of the caller's own reasons to answer now
    bool parked = false;
};

// The commands of one service that wait until a key is touched. Those who wait for a key stand in a line by the order of their coming. A
// touch begins a round: the first one is asked; when it leaves the line or has to wait again, the next is, up to the end, or until a new
// touch begins the round anew. Who was decided after the touch is not asked about it, nor is anybody alike.
//
// Commands run under the service's lock: `touch` and `park` do; no touch is missed by who was decided before it. All else is by any
// thread. Whom to ask is told by `deliver`, outside of the lock.
class Waiting {
   public:
    using Number = std::uint64_t;
    using Post = std::function<void(int lane, std::move_only_function<void()>)>;
    explicit Waiting(WaitingRoom* room) : room_(room ? *room : own_room_) {}
    ~Waiting() { room_.taken -= waiters_.size(); }

    // Whether commands must tell what they touch. Cheap; exact under the service's lock.
    bool any() const { return count_.load(std::memory_order_acquire) > 0; }
    std::size_t count() const { return count_.load(std::memory_order_relaxed); }
    // How often one was asked.
    std::uint64_t asked() const { return asked_.load(std::memory_order_relaxed); }

    // Whether a command that is about to be decided may answer that it waits.
    bool may_wait(Waiter const& waiter, Time now) const;
    // The command decided to wait. True: its time is sooner than that of all others.
    bool park(Waiter& waiter, int lane, Wait wait, Time now);
    void touch(std::span<state::KeyHash const> keys);
    // It is answered, or its client has gone: it waits no more. Nothing happens to a number that doesn't.
    void leave(Number number);
    // It is to answer now.
    void hurry(Number number);
    void hurry_all();
    // Those whose time has come are to answer now.
    void expire(Time now);
    std::optional<Time> next_until() const;
    // Asks whom the calls above chose.
    void deliver(Post const& post);
    bool has_chosen() const { return chosen_count_.load(std::memory_order_acquire) > 0; }

   private:
    struct One {
        int lane = -1;
        std::function<void()> ask;
        std::vector<state::KeyHash> keys;
        Time until{};
        std::uint64_t alike = 0;
        std::uint64_t decided = 0;  // touches before its last decision
        bool asked = false;         // and not decided since
        bool hurried = false;
    };
    // Of one line: those that are alike, or one alone.
    struct Kind {
        std::set<Number> members;
        std::uint64_t decided = 0;
    };
    struct Line {
        std::unordered_map<std::uint64_t, Kind> alike;
        std::map<Number, Kind*> first_of;  // each kind, by its first member; null: one alone
        std::uint64_t touched = 0;
        Number cursor = 0;  // of the round: up to here all were asked
        Number asked = 0;   // whose decision the round waits for; 0: there is none
    };
    void choose(Number number, One& one);
    void enter(Number number, One& one);
    void step_out(Number number, One& one);
    void ask_next(Line& line);
    void decided_alike(One const& one);
    void go_on(Number number, std::span<state::KeyHash const> keys);
    void hurry(Number number, One& one);

    WaitingRoom own_room_;
    WaitingRoom& room_;
    std::atomic<std::size_t> count_ = 0, chosen_count_ = 0;
    std::atomic<std::uint64_t> asked_ = 0;
    mutable std::mutex mutex_;
    Number last_ = 0;
    std::uint64_t touches_ = 0;
    std::unordered_map<Number, One> waiters_;
    std::unordered_map<state::KeyHash, Line> lines_;
    std::set<std::pair<Time, Number>> by_time_;  // of those that aren't hurried
    std::vector<Number> chosen_;
};

}  // namespace gantry::runtime
