#pragma once
#include <functional>
#include <mutex>
#include <vector>

#include "kernel/net/net.h"

namespace gantry::runtime {

// Threads for what may block; a task is taken only when one is free.
class Workers {
   public:
    // `freed` is told, on a thread of these, each time one became free.
    Workers(int count, std::function<void()> freed) : freed_(std::move(freed)), threads_(count) {
        for (int i = 0; i < count; ++i) free_.push_back(i);
    }
    bool try_run(std::move_only_function<void()> task) {
        std::lock_guard guard(mutex_);
        if (free_.empty()) return false;
        int const thread = free_.back();
        free_.pop_back();
        threads_.post(thread, [this, thread, task = std::move(task)]() mutable {
            task();
            {
                std::lock_guard done(mutex_);
                free_.push_back(thread);
            }
            freed_();
        });
        return true;
    }

   private:
    std::function<void()> freed_;
    std::mutex mutex_;
    std::vector<int> free_;
    net::IoThreads threads_;
};

}  // namespace gantry::runtime
