#include "kernel/runtime/congestion.h"

#include <algorithm>

namespace gantry::runtime {
namespace {

constexpr std::array<std::int64_t, 4> class_factor = {1, 2, 2, 3};  // by LoadClass

}  // namespace

bool Congestion::wants_marker(std::int64_t now_us) const {
    if (limits_.target.us == 0 || posted_us_ != 0) return false;
    bool const busy = over_since_us_ != 0 || now_us < refused_until_us_;
    return now_us - last_posted_us_ >= (busy ? marker_gap_busy_us : marker_gap_us);
}

void Congestion::marker_posted(std::int64_t now_us) {
    // Nothing came for a while, so nothing waited.
    if (now_us - sampled_us_ > window_us) over_since_us_ = 0;
    posted_us_ = last_posted_us_ = now_us, arrived_since_ = 0;
}

void Congestion::marker_ran(std::int64_t now_us) {
    sampled_us_ = now_us, sample_us_ = std::max<std::int64_t>(now_us - posted_us_, 0);
    sample_is_queue_ = arrived_since_ >= queue_length;
    posted_us_ = 0;
    if (!sample_is_queue_ || sample_us_ <= base_us())
        over_since_us_ = 0;
    else if (over_since_us_ == 0)
        over_since_us_ = now_us;
}

std::int64_t Congestion::wait_us(std::int64_t now_us) const {
    auto const known = now_us - sampled_us_ <= window_us ? sample_us_ : 0;
    auto const under_way = posted_us_ != 0 ? now_us - posted_us_ : 0;
    return std::max<std::int64_t>({known, under_way, 0});
}

// The wait, where it is a queue's.
std::int64_t Congestion::queued_us(std::int64_t now_us) const {
    auto const known = sample_is_queue_ && now_us - sampled_us_ <= window_us ? sample_us_ : 0;
    auto const under_way = posted_us_ != 0 && arrived_since_ >= queue_length ? now_us - posted_us_ : 0;
    return std::max<std::int64_t>(known, under_way);
}

bool Congestion::persists(std::int64_t now_us) const {
    bool const in_queue = posted_us_ != 0 && arrived_since_ >= queue_length && now_us - posted_us_ >= limits_.persists.us;
    return in_queue || now_us < refused_until_us_ || (over_since_us_ != 0 && now_us - over_since_us_ >= limits_.persists.us);
}

bool Congestion::is_congested(std::int64_t now_us) const {
    return limits_.target.us != 0 && persists(now_us) && queued_us(now_us) > base_us();
}

bool Congestion::admits(std::int64_t now_us, std::size_t service, LoadClass load) {
    if (!is_congested(now_us)) return true;
    turn_windows(now_us);
    bool const spared = load != LoadClass::bulk && has_even_share_at_most(service);
    auto const limit_us = base_us() * class_factor[std::size_t(load)] * (spared ? even_factor : 1);
    if (queued_us(now_us) <= limit_us) return true;
    refused_until_us_ = now_us + limits_.calm.us;
    return false;
}

void Congestion::served(std::int64_t now_us, std::size_t service, std::int64_t busy_us) {
    turn_windows(now_us);
    busy_us = std::max<std::int64_t>(busy_us, 0);
    busy_us_[service] += busy_us, busy_total_us_ += busy_us, ++count_;
}

void Congestion::turn_windows(std::int64_t now_us) {
    auto const windows = (now_us - window_began_us_) / window_us;
    if (windows <= 0) return;
    window_began_us_ += windows * window_us;
    auto const shift = std::min<std::int64_t>(windows, 40);
    busy_total_us_ = 0, count_ >>= shift;
    for (auto& busy : busy_us_) busy_total_us_ += busy >>= shift;
}

std::int64_t Congestion::base_us() const {
    auto const mean_us = count_ > 0 ? busy_total_us_ / count_ : 0;
    return std::max(limits_.target.us, mean_factor * mean_us);
}

// Those that hardly do anything don't make the even share of the others smaller.
bool Congestion::has_even_share_at_most(std::size_t service) const {
    auto const active = std::ranges::count_if(busy_us_, [&](auto busy) { return busy * active_share > busy_total_us_; });
    return busy_us_[service] * std::max<std::int64_t>(active, 1) < busy_total_us_;
}

}  // namespace gantry::runtime
