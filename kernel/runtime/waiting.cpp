#include "kernel/runtime/waiting.h"

#include <algorithm>
#include <utility>

namespace gantry::runtime {

bool Waiting::may_wait(Waiter const& waiter, Time now) const {
    if (!waiter.may_wait) return false;
    if (waiter.number == 0) return room_.has_place();
    std::lock_guard lock(mutex_);
    auto const found = waiters_.find(waiter.number);
    return found != waiters_.end() && !found->second.hurried && now < found->second.until;
}

bool Waiting::park(Waiter& waiter, int lane, Wait wait, Time now) {
    std::lock_guard lock(mutex_);
    std::ranges::sort(wait.keys);
    wait.keys.erase(std::ranges::unique(wait.keys).begin(), wait.keys.end());
    bool const is_new = waiter.number == 0;
    if (is_new) waiter.number = ++last_, room_.taken += 1, count_ += 1;
    waiter.parked = true;
    auto& one = waiters_[waiter.number];
    if (is_new) one.lane = lane, one.ask = std::move(waiter.ask), one.until = wait.until;
    one.asked = false, one.decided = touches_;
    if (is_new || one.keys != wait.keys || one.alike != wait.alike) {
        auto const left = one.keys;
        step_out(waiter.number, one);
        one.keys = std::move(wait.keys), one.alike = wait.alike;
        enter(waiter.number, one);
        decided_alike(one);
        go_on(waiter.number, left);
    }
    decided_alike(one);
    go_on(waiter.number, one.keys);
    if (one.hurried || one.until <= now) return one.hurried = false, hurry(waiter.number, one), false;
    if (!is_new && one.until <= wait.until) return false;
    by_time_.erase({one.until, waiter.number});
    one.until = wait.until;
    by_time_.emplace(one.until, waiter.number);
    return by_time_.begin()->second == waiter.number;
}

void Waiting::touch(std::span<state::KeyHash const> keys) {
    std::lock_guard lock(mutex_);
    ++touches_;
    for (auto key : keys) {
        auto const found = lines_.find(key);
        if (found == lines_.end() || found->second.touched == touches_) continue;
        auto& line = found->second;
        line.touched = touches_, line.cursor = 0;
        if (line.asked == 0) ask_next(line);
    }
}

void Waiting::leave(Number number) {
    std::lock_guard lock(mutex_);
    auto const found = waiters_.find(number);
    if (found == waiters_.end()) return;
    auto one = std::move(found->second);
    waiters_.erase(found);
    by_time_.erase({one.until, number});
    room_.taken -= 1, count_ -= 1;
    step_out(number, one);
    go_on(number, one.keys);
}

void Waiting::hurry(Number number) {
    std::lock_guard lock(mutex_);
    if (auto const found = waiters_.find(number); found != waiters_.end()) hurry(number, found->second);
}

void Waiting::hurry_all() {
    std::lock_guard lock(mutex_);
    for (auto& [number, one] : waiters_) hurry(number, one);
}

void Waiting::expire(Time now) {
    std::lock_guard lock(mutex_);
    while (!by_time_.empty() && by_time_.begin()->first <= now) {
        auto const number = by_time_.begin()->second;
        hurry(number, waiters_.at(number));
    }
}

std::optional<Time> Waiting::next_until() const {
    std::lock_guard lock(mutex_);
    return by_time_.empty() ? std::nullopt : std::optional(by_time_.begin()->first);
}

void Waiting::deliver(Post const& post) {
    std::vector<std::pair<int, std::function<void()>>> asks;
    {
        std::lock_guard lock(mutex_);
        for (auto number : std::exchange(chosen_, {}))
            if (auto const found = waiters_.find(number); found != waiters_.end()) asks.emplace_back(found->second.lane, found->second.ask);
        chosen_count_ = 0;
    }
    for (auto& [lane, ask] : asks) {
        if (post && lane >= 0)
            post(lane, std::move(ask));
        else
            ask();
    }
}

void Waiting::choose(Number number, One& one) {
    one.asked = true;
    chosen_.push_back(number);
    chosen_count_ = chosen_.size();
    asked_ += 1;
}

void Waiting::hurry(Number number, One& one) {
    if (one.hurried) return;
    one.hurried = true;
    by_time_.erase({one.until, number});
    if (!one.asked) choose(number, one);
}

void Waiting::enter(Number number, One& one) {
    for (auto key : one.keys) {
        auto& line = lines_[key];
        if (one.alike == 0) {
            line.first_of.emplace(number, nullptr);
            continue;
        }
        auto& kind = line.alike[one.alike];
        if (!kind.members.empty()) line.first_of.erase(*kind.members.begin());
        kind.members.insert(number);
        line.first_of.emplace(*kind.members.begin(), &kind);
    }
}

void Waiting::step_out(Number number, One& one) {
    for (auto key : one.keys) {
        auto& line = lines_.at(key);
        line.first_of.erase(number);
        if (one.alike == 0) continue;
        auto& kind = line.alike.at(one.alike);
        kind.members.erase(number);
        if (kind.members.empty())
            line.alike.erase(one.alike);
        else
            line.first_of.emplace(*kind.members.begin(), &kind);
    }
}

void Waiting::decided_alike(One const& one) {
    if (one.alike == 0) return;
    for (auto key : one.keys) lines_.at(key).alike.at(one.alike).decided = touches_;
}

// The rounds that waited for the decision of this one.
void Waiting::go_on(Number number, std::span<state::KeyHash const> keys) {
    for (auto key : keys) {
        auto const found = lines_.find(key);
        if (found == lines_.end()) continue;
        if (found->second.asked == number) ask_next(found->second);
        if (found->second.first_of.empty()) lines_.erase(found);
    }
}

void Waiting::ask_next(Line& line) {
    line.asked = 0;
    for (auto at = line.first_of.upper_bound(line.cursor); at != line.first_of.end(); ++at) {
        auto const number = at->first;
        auto& one = waiters_.at(number);
        auto const decided = at->second ? std::max(at->second->decided, one.decided) : one.decided;
        if (decided >= line.touched) continue;
        line.cursor = line.asked = number;
        if (!one.asked) choose(number, one);
        return;
    }
}

}  // namespace gantry::runtime
