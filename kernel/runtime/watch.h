#pragma once
#include <atomic>
#include <deque>
#include <functional>
#include <mutex>
#include <span>
#include <unordered_map>
#include <vector>

#include "kernel/runtime/service_decl.h"

namespace gantry::runtime {

// Who waits for a change of which keys of one service. A watcher is woken once what changed a key of its own is durable.
class Watch {
   public:
    struct Watcher {
        int lane = 0;
        std::uint64_t number = 0;  // the lane's own
        bool operator==(Watcher const&) const = default;
    };
    // All watchers of one lane that a group of commands wakes, each once; on the committer's thread.
    using Wake = std::function<void(int lane, std::vector<std::uint64_t> numbers)>;
    // Empty: nobody is woken from now on.
    void on_wake(Wake wake);

    void add(Watcher watcher, std::span<state::KeyHash const> keys);
    void remove(Watcher watcher, std::span<state::KeyHash const> keys);

    // A key that every command touches.
    static constexpr state::KeyHash everything = 0x9e37'79b9'7f4a'7c15;

    // Whether commands must tell what they touch. Cheap.
    bool any() const { return watchers_.load(std::memory_order_acquire) > 0; }
    // Under the service's lock: a command that ends at `position` touched these keys.
    void changed(Position position, std::vector<state::KeyHash> touched);
    void durable(Position position);
    // All of them: the state is another one, though no key was touched.
    void wake_all();

   private:
    using Woken = std::vector<std::vector<std::uint64_t>>;  // by lane
    static void tell(Wake const& wake, Woken woken);
    static void add(Woken& woken, std::vector<Watcher> const& watchers);
    struct Change {
        Position position = 0;
        std::vector<state::KeyHash> touched;
    };
    std::atomic<std::size_t> watchers_ = 0;
    std::mutex mutex_;
    Wake wake_;
    std::unordered_map<state::KeyHash, std::vector<Watcher>> by_key_;
    std::deque<Change> changes_;  // by position
};

}  // namespace gantry::runtime
