#include "kernel/runtime/history.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace gantry::runtime {
namespace {

Problem busy(std::string_view code, std::string detail, int retry_after_s) {
    Problem problem{503, std::string(code), std::move(detail)};
    problem.retry_after_s = retry_after_s;
    return problem;
}

}  // namespace

PastState History::find(Position position) {
    auto found = std::ranges::find(kept_, position, &Kept::position);
    if (found == kept_.end()) return nullptr;
    found->used = ++turn_;
    return found->state;
}

PastState History::kept(Moment moment) {
    std::lock_guard lock(mutex_);
    if (auto const* position = std::get_if<Position>(&moment)) return find(*position);
    auto known = times_.find(std::get<Time>(moment).us);
    return known == times_.end() ? nullptr : find(known->second);
}

void History::fetch(Moment moment, int lane, Done done) {
    bool full, start = false;
    {
        std::lock_guard lock(mutex_);
        auto same = std::ranges::find(wanted_, moment, &Wanted::moment);
        full = same == wanted_.end() ? wanted_.size() >= wanted_max : same->waiters.size() >= waiters_max;
        if (!full) {
            if (same == wanted_.end()) same = wanted_.insert(wanted_.end(), Wanted{moment, {}});
            same->waiters.emplace_back(lane, std::exchange(done, nullptr));
            start = !std::exchange(working_, true);
        }
    }
    if (full) return done(std::unexpected(busy("history_busy", "too many moments of the past are being rebuilt: try again", 2)));
    if (!start) return;
    if (parts_.background) return parts_.background([this] { work(); });
    work();
}

void History::forget() {
    std::lock_guard lock(mutex_);
    kept_.clear(), times_.clear();
    ++forgotten_;
}

void History::work() {
    for (;;) {
        Moment moment;
        {
            std::lock_guard lock(mutex_);
            if (wanted_.empty()) return void(working_ = false);
            moment = wanted_.front().moment;
        }
        auto outcome = rebuild(moment);
        Wanted wanted;
        {
            std::lock_guard lock(mutex_);
            wanted = std::move(wanted_.front());
            wanted_.pop_front();
        }
        tell(std::move(wanted), outcome);
    }
}

void History::tell(Wanted wanted, Result<PastState> const& outcome) {
    for (auto& waiter : wanted.waiters) {
        if (!parts_.post || waiter.lane < 0)
            waiter.done(outcome);
        else
            parts_.post(waiter.lane, [done = std::move(waiter.done), outcome]() mutable { done(outcome); });
    }
}

// What fails because the log was cut meanwhile is looked for again in what is left.
Result<PastState> History::rebuild(Moment moment) {
    for (;;) {
        auto const begin = parts_.sources.log.status().begin;
        auto outcome = try_rebuild(moment);
        if (outcome || parts_.sources.log.status().begin == begin) return outcome;
    }
}

Result<PastState> History::try_rebuild(Moment moment) {
    Position position;
    if (auto const* asked = std::get_if<Position>(&moment)) {
        position = *asked;
    } else {
        auto const time = std::get<Time>(moment);
        TRY_ASSIGN(position, parts_.sources.log.last_at(time));
        // Before the first event that is left only a baseline knows what time it was.
        auto const begin = parts_.sources.log.status().begin;
        auto const marks = parts_.baselines();
        auto const covers = [&](BaselineMark const& b) { return b.position == position && b.time <= time; };
        if (begin > 1 && position < begin && std::ranges::none_of(marks, covers)) return std::unexpected(gone(format_time(time), marks));
    }
    std::uint64_t before;
    {
        std::lock_guard lock(mutex_);
        before = forgotten_;
        if (std::holds_alternative<Time>(moment)) {
            if (times_.size() >= times_max) times_.clear();
            times_[std::get<Time>(moment).us] = position;
        }
        if (auto there = find(position)) return there;
    }
    auto const& decl = parts_.sources.decl;
    TRY_VOID(make_room(parts_.present_bytes()));
    TRY_ASSIGN(auto state, base_for(position));
    auto fits = [&](Folded const& at, Position) { return at.memory_bytes(decl) <= parts_.memory_bytes_max; };
    auto replayed = replay(parts_.sources, state, position, fits);
    auto const bytes = state.memory_bytes(decl);
    if (!replayed && replayed.error().code != "stopped") return std::unexpected(std::move(replayed.error()));
    TRY_VOID(make_room(bytes));
    auto past = std::make_shared<Folded const>(std::move(state));
    {
        std::lock_guard lock(mutex_);
        if (before == forgotten_) return kept_.push_back({position, past, bytes, ++turn_}), past;
    }
    return try_rebuild(moment);  // it was to be forgotten while it was built
}

// The nearest state before a position from which the log leads there.
Result<Folded> History::base_for(Position position) {
    auto const& sources = parts_.sources;
    auto const begin = sources.log.status().begin;
    PastState nearest;
    {
        std::lock_guard lock(mutex_);
        for (auto const& k : kept_)
            if (k.position <= position && k.position + 1 >= begin && (!nearest || k.position > nearest->last)) nearest = k.state;
    }
    auto const baselines = parts_.baselines();
    if (position + 1 < begin) return std::unexpected(gone(fmt::format("event {}", position), baselines));
    auto const snapshots = sources.snapshots ? sources.snapshots->list() : std::vector<log::Snapshots::Meta>();
    auto const better = [&, incarnation = sources.log.status().incarnation](log::Snapshots::Meta const& meta) {
        return meta.incarnation == incarnation && meta.fingerprint == sources.decl.state.fingerprint && meta.position <= position &&
               meta.position > nearest->last;
    };
    if (nearest && std::ranges::none_of(snapshots, better)) return nearest->view(sources.decl);
    TRY_ASSIGN(auto loaded, load_snapshot(sources, position));
    if (loaded) return std::move(*loaded);
    if (begin == 1) return Folded::empty(sources.decl);
    std::optional<BaselineMark> mark;
    for (auto const& b : baselines)
        if (b.position <= position && b.position + 1 >= begin) mark = b;
    if (!mark) return std::unexpected(gone(fmt::format("event {}", position), baselines));
    return load_baseline(sources, *mark);
}

// States that are being read are counted no longer once they are dropped here: a read is short.
Result<void> History::make_room(std::uint64_t bytes) {
    std::lock_guard lock(mutex_);
    auto const limit = parts_.memory_bytes_max;
    if (bytes > limit)
        return std::unexpected(busy("history_memory",
                                    fmt::format("a state of the past needs about {} MiB and may have {}: raise [server] "
                                                "history_memory_max_mib, or ask a copy of the log elsewhere",
                                                bytes >> 20, limit >> 20),
                                    60));
    std::uint64_t held = 0;
    for (auto const& k : kept_) held += k.bytes;
    while (!kept_.empty() && (held + bytes > limit || kept_.size() >= kept_max)) {
        auto oldest = std::ranges::min_element(kept_, {}, &Kept::used);
        held -= oldest->bytes;
        kept_.erase(oldest);
    }
    return {};
}

Problem History::gone(std::string const& moment, std::vector<BaselineMark> const& baselines) const {
    auto const begin = parts_.sources.log.status().begin;
    std::optional<BaselineMark> first;
    for (auto const& b : baselines)
        if (!first && b.position + 1 >= begin) first = b;
    return {410, "past_gone",
            fmt::format("the state at {} can't be rebuilt: retention removed what was before; {}", moment,
                        first ? fmt::format("the past is kept from event {} on, at {}", first->position, format_time(first->time))
                              : fmt::format("the log begins at event {}", begin))};
}

}  // namespace gantry::runtime
