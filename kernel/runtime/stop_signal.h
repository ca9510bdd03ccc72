#pragma once
#include <atomic>
#include <condition_variable>
#include <mutex>

namespace gantry::runtime {

// The main thread sleeps here while the others serve. A condition variable, and no future: the thread sanitizer holds a signal back while a
// thread sleeps in a system call that it doesn't know.
class StopSignal {
   public:
    void ask() {
        std::lock_guard lock(mutex_);
        asked_ = true;
        changed_.notify_all();
    }
    bool asked() const { return asked_; }
    void wait() {
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [&] { return asked_.load(); });
    }

   private:
    std::mutex mutex_;
    std::condition_variable changed_;
    std::atomic<bool> asked_ = false;
};

}  // namespace gantry::runtime
