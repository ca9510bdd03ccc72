#include "kernel/runtime/watch.h"

#include <algorithm>

namespace gantry::runtime {

void Watch::on_wake(Wake wake) {
    std::lock_guard lock(mutex_);
    wake_ = std::move(wake);
}

void Watch::add(Watcher watcher, std::span<state::KeyHash const> keys) {
    std::lock_guard lock(mutex_);
    for (auto key : keys) by_key_[key].push_back(watcher);
    watchers_.fetch_add(1, std::memory_order_release);
}

void Watch::remove(Watcher watcher, std::span<state::KeyHash const> keys) {
    std::lock_guard lock(mutex_);
    for (auto key : keys) {
        auto found = by_key_.find(key);
        if (found == by_key_.end()) continue;
        std::erase(found->second, watcher);
        if (found->second.empty()) by_key_.erase(found);
    }
    watchers_.fetch_sub(1, std::memory_order_release);
}

void Watch::changed(Position position, std::vector<state::KeyHash> touched) {
    std::lock_guard lock(mutex_);
    changes_.push_back({position, std::move(touched)});
}

void Watch::durable(Position position) {
    Woken woken;
    Wake wake;
    {
        std::lock_guard lock(mutex_);
        for (; !changes_.empty() && changes_.front().position <= position; changes_.pop_front())
            for (auto key : changes_.front().touched)
                if (auto found = by_key_.find(key); found != by_key_.end()) add(woken, found->second);
        wake = wake_;
    }
    tell(wake, std::move(woken));
}

void Watch::wake_all() {
    Woken woken;
    Wake wake;
    {
        std::lock_guard lock(mutex_);
        for (auto const& [key, watchers] : by_key_) add(woken, watchers);
        wake = wake_;
    }
    tell(wake, std::move(woken));
}

void Watch::add(Woken& woken, std::vector<Watcher> const& watchers) {
    for (auto const& watcher : watchers) {
        if (woken.size() <= std::size_t(watcher.lane)) woken.resize(std::size_t(watcher.lane) + 1);
        woken[std::size_t(watcher.lane)].push_back(watcher.number);
    }
}

void Watch::tell(Wake const& wake, Woken woken) {
    for (std::size_t lane = 0; wake && lane < woken.size(); ++lane) {
        auto& numbers = woken[lane];
        if (numbers.empty()) continue;
        std::ranges::sort(numbers);
        numbers.erase(std::ranges::unique(numbers).begin(), numbers.end());
        wake(int(lane), std::move(numbers));
    }
}

}  // namespace gantry::runtime
