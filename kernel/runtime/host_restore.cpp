// How a host comes to its state: the newest good snapshot, or nothing, and the log after it; and how it leaves one.
#include <algorithm>
#include <chrono>
#include <thread>

#include "kernel/base/assert.h"
#include "kernel/observe/log_line.h"
#include "kernel/runtime/host.h"

namespace gantry::runtime {

Result<Folded> Host::restore(Progress const& progress) {
    TRY_ASSIGN(auto loaded, load_snapshot(sources(), ~Position{0}));
    if (!loaded && parts_.log.status().begin > 1) {
        TRY_ASSIGN(auto newest, find_baseline(parts_.log));
        if (!newest || newest->position + 1 < parts_.log.status().begin)
            return fail(500, "log_damaged",
                        "the log begins at " + std::to_string(parts_.log.status().begin) +
                            " and holds no whole baseline of what was before: restore its first segments from a copy or an export");
        TRY_ASSIGN(loaded, load_baseline(sources(), *newest));
    }
    Folded state = loaded ? std::move(*loaded) : Folded::empty(decl_);
    snapshot_at_ = state.last, snapshot_us_ = state.last == 0 ? 0 : state.last_time.us;
    auto told = [&](Folded const& at, Position end) {
        replayed_.store(at.last, std::memory_order_relaxed);
        return !progress || progress(at.last, end);
    };
    TRY_VOID(replay(sources(), state, ~Position{0}, told));
    replayed_.store(state.last, std::memory_order_relaxed);
    return state;
}

Result<void> Host::refold() {
    if (!ready()) return {};  // a start reads with the keys that are left
    TRY_ASSIGN(Folded fresh, restore({}));
    auto catch_up = [&]() -> Result<void> {
        TRY_VOID(parts_.log.wait_durable());
        TRY_VOID(replay(sources(), fresh, ~Position{0}, {}));
        GANTRY_ASSERT(fresh.last == applied(), "a state folded anew stands where the old one stood");
        fresh.baselines = state_.baselines, fresh.agreed = state_.agreed;
        std::swap(state_, fresh);
        rebuilds_.fetch_add(1, std::memory_order_release);
        refolded_at_.store(state_.last, std::memory_order_release);
        note_due();
        return {};
    };
    lock_.lock();
    auto caught_up = stopped_ ? Result<void>() : catch_up();
    lock_.unlock();
    TRY_VOID(std::move(caught_up));
    history_.forget();
    rebuilds_.fetch_add(1, std::memory_order_release);  // an answer of the past may have been made in between
    watch_.wake_all();
    return {};
}

Result<void> Host::save_snapshot() {
    if (!parts_.snapshots || !ready()) return {};
    lock_.lock();
    bool const due = !stopped_ && state_.last > snapshot_at_;
    Folded const view = due ? state_.view(decl_) : Folded::empty(decl_);
    lock_.unlock();
    if (!due) return {};
    TRY_VOID(parts_.log.wait_durable());
    auto const status = parts_.log.status();
    TRY_VOID(save(sources(), view, {view.last, status.incarnation, decl_.state.fingerprint, view.last_time, status.chain},
                  {parts_.snapshot_bytes_max}));
    snapshot_at_ = view.last, snapshot_us_ = view.last_time.us;
    return {};
}

// The state is written as it is now, in parts among which commands go on.
Result<void> Host::write_baseline() {
    lock_.lock();
    Folded const view = state_.view(decl_);
    lock_.unlock();
    BaselineMark const mark{view.last, view.last_time};
    BaselineOut out(mark, parts_.sealer, [&](std::string_view note) -> Result<void> {
        // Its space is prepared on another thread; a disk without any must not hold up the service.
        for (int tries = 0; !parts_.log.has_space(note.size() + 4096); ++tries) {
            if (tries == 100) return fail(507, "log_full", "the disk has no room for a baseline: the log keeps growing until it has");
            TRY_VOID(parts_.log.wait_durable());
            std::this_thread::sleep_for(std::chrono::milliseconds(50));
        }
        log::BatchView batch;
        batch.kind = log::BatchKind::baseline, batch.note = note;
        {
            lock_.lock();
            batch.time = std::max(state_.last_time, parts_.clock.wall());
            auto appended = parts_.log.append(batch);
            if (appended) state_.last_time = batch.time;
            lock_.unlock();
            if (!appended) return std::unexpected(std::move(appended.error()));
        }
        return parts_.log.wait_durable();
    });
    save_portable(decl_, view, out);
    TRY_VOID(out.finish());
    lock_.lock();
    state_.baselines.push_back(mark);
    lock_.unlock();
    return {};
}

Result<void> Host::retain() {
    auto const keep = decl_.retention ? decl_.retention(parts_.settings) : std::nullopt;
    if (!keep) return {};
    lock_.lock_shared();
    auto const marks = state_.baselines;
    auto const last = state_.last;
    auto const oldest_repeat = state_.remembered.oldest();
    auto const oldest_effect = decl_.outbox ? decl_.outbox(state_.service.get()).oldest() : std::nullopt;
    auto const oldest_wanted = decl_.needs ? decl_.needs(state_.service.get()) : std::nullopt;
    lock_.unlock_shared();
    auto const now = parts_.clock.wall();
    auto const newest = marks.empty() ? BaselineMark{0, first_time_} : marks.back();
    if (first_time_.us != 0 && last > newest.position && now - newest.time >= Duration{keep->us / 4}) TRY_VOID(write_baseline());
    std::optional<BaselineMark> below;
    for (auto const& mark : marks)
        if (now - mark.time >= *keep) below = mark;
    if (!below || segments_kept_ > 0) return {};
    auto position = below->position + 1;
    for (auto needed : {oldest_repeat, oldest_effect, oldest_wanted}) position = std::min(position, needed.value_or(position));
    std::function<Position()> needed;
    {
        std::lock_guard guard(listeners_mutex_);
        needed = needed_;
    }
    if (needed) position = std::min(position, needed());
    if (position > parts_.log.status().begin) TRY_VOID(parts_.log.cut(position, {}));
    lock_.lock();
    std::erase_if(state_.baselines, [&](auto const& mark) { return mark.position < below->position; });
    lock_.unlock();
    return {};
}

Result<void> Host::measure_memory() {
    lock_.lock_shared();
    auto const bytes = state_.memory_bytes(decl_);
    lock_.unlock_shared();
    memory_bytes_.store(bytes, std::memory_order_relaxed);
    bool const full = parts_.memory_bytes_max != 0 && bytes > parts_.memory_bytes_max;
    if (full != memory_full_.exchange(full))
        observe::log_line(full ? observe::Level::error : observe::Level::info, "runtime",
                          full ? "the state is at its memory limit: commands are refused" : "the state is below its memory limit again",
                          {{"service", decl_.name}, {"bytes", bytes}, {"bytes_max", parts_.memory_bytes_max}});
    return {};
}

Result<void> Host::keep_house() {
    if (!ready()) return {};
    TRY_VOID(tick());
    TRY_VOID(measure_memory());
    TRY_VOID(retain());
    if (applied() >= snapshot_at_.load() + snapshot_after) return save_snapshot();
    return {};
}

}  // namespace gantry::runtime
