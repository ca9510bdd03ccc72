#pragma once
#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <thread>
#include <utility>

namespace gantry::config {

// A value that any thread reads without a lock and without ever waiting, and that now and then is replaced as a whole. set() returns when
// nobody reads the old value any more, so reading must be short: no I/O, no waiting, and no set() inside of read().
template <class T>
class Current {
   public:
    explicit Current(T first = {}) : now_(new T(std::move(first))) {}
    Current(Current const&) = delete;
    Current& operator=(Current const&) = delete;
    ~Current() { delete now_.load(); }

    // What `look` makes of the value; a reference into it must not leave.
    template <class Look>
    auto read(Look&& look) const {
        Reading const reading(readers_[turn_.load() & 1].count);
        return look(std::as_const(*now_.load()));
    }
    void set(T next) {
        auto fresh = std::make_unique<T>(std::move(next));
        std::lock_guard const one_writer(writer_);
        std::unique_ptr<T const> const old(now_.exchange(fresh.release()));
        // A reader may have looked at the turn before it counted itself, so both counters are seen at zero, each while newcomers use the
        // other one: whoever came before the exchange is gone then.
        auto const turn = turn_.load();
        wait_for_none(turn + 1);
        turn_.store(turn + 1);
        wait_for_none(turn);
    }

   private:
    struct alignas(64) Count {
        mutable std::atomic<std::int64_t> count = 0;
    };
    class Reading {
       public:
        explicit Reading(std::atomic<std::int64_t>& count) : count_(count) { count_.fetch_add(1); }
        Reading(Reading const&) = delete;
        ~Reading() { count_.fetch_sub(1); }

       private:
        std::atomic<std::int64_t>& count_;
    };
    void wait_for_none(std::uint64_t turn) const {
        while (readers_[turn & 1].count.load() != 0) std::this_thread::yield();
    }
    std::atomic<T const*> now_;
    std::atomic<std::uint64_t> turn_ = 0;
    std::array<Count, 2> readers_;
    std::mutex writer_;
};

}  // namespace gantry::config
