#include "kernel/log/file/file_log.h"

#include <fmt/format.h>

#include <algorithm>

#include "kernel/base/assert.h"

namespace gantry::log {

FileLog::~FileLog() { committer_.remove(*this); }

Problem FileLog::closed() const {
    Problem p{503, "log_closed", "The log takes nothing more."};
    if (failed_) p.cause = failed_->cause;
    return p;
}

std::uint64_t FileLog::spare_room(std::size_t index) const { return index < spares_.size() ? spares_[index].bytes - header_bytes_ : 0; }

bool FileLog::fits(std::uint64_t bytes) const { return !plan_lost_ && (bytes <= plan_room_ || bytes <= spare_room(plan_ahead_)); }

bool FileLog::wants_spare() const { return spares_.size() <= plan_ahead_ || spare_room(plan_ahead_) < spare_wanted_; }

bool FileLog::has_space(std::uint64_t bytes) {
    std::lock_guard lock(mutex_);
    if (closed_ || failed_) return false;
    auto needed = padded(std::min(bytes, options_.batch_bytes_max) + batch_header_bytes);
    if (fits(needed)) return true;
    spare_wanted_ = std::max(spare_wanted_, needed);
    committer_.wake_prepare(*this);
    return false;
}

// Foresees where the batch will go; the committer fills segments by the same rule.
void FileLog::plan(std::uint64_t bytes) {
    if (plan_lost_) return;
    if (bytes <= plan_room_) {
        plan_room_ -= bytes;
        return;
    }
    if (bytes <= spare_room(plan_ahead_))
        plan_room_ = spare_room(plan_ahead_) - bytes, ++plan_ahead_;
    else
        plan_lost_ = true;
    committer_.wake_prepare(*this);
}

Result<Position> FileLog::append(BatchView const& batch) {
    std::lock_guard lock(mutex_);
    return append_locked(batch);
}

Result<void> FileLog::may_append(std::uint64_t event_bytes) {
    std::lock_guard lock(mutex_);
    TRY_VOID(admit(event_bytes));
    return admit(std::min(event_bytes + header_bytes_likely, options_.batch_bytes_max));
}

Result<void> FileLog::admit(std::uint64_t bytes) const {
    if (closed_ || failed_) return fail(closed());
    if (bytes > options_.batch_bytes_max)
        return fail(413, "batch_too_large",
                    fmt::format("What the command records has {} bytes, more than {}.", bytes, options_.batch_bytes_max));
    bool full = spare_failed_ && !fits(bytes);
    if (full || pending_.size() + in_flight_bytes_ + bytes > options_.pending_bytes_max) {
        Problem busy{503, "log_busy", "The log can't keep up."};
        busy.retry_after_s = 1;
        return fail(std::move(busy));
    }
    return {};
}

Result<Position> FileLog::append_locked(BatchView const& batch) {
    auto const bytes = encoded_size(batch);
    TRY_VOID(admit(bytes));
    GANTRY_ASSERT(batch.time >= appended_.time, "time in a log never goes back");
    GANTRY_ASSERT(events_well_formed(batch.events, batch.count), "a batch holds exactly `count` events");
    BatchView stored = batch;
    stored.first = appended_.next, stored.epoch = epoch_, stored.incarnation = incarnation_;
    appended_.chain = encode(stored, appended_.chain, pending_);
    appended_.next += batch.count, appended_.time = batch.time;
    arrived_.store(++batches_appended_, std::memory_order_relaxed);
    plan(bytes);
    committer_.wake_commit(*this);
    return stored.first;
}

void FileLog::on_durable(std::function<void(Position)> callback) {
    std::lock_guard lock(mutex_);
    GANTRY_ASSERT(batches_appended_ == 0, "set before the first append");
    callback_ = std::move(callback);
}

Result<void> FileLog::wait_durable() {
    std::unique_lock lock(mutex_);
    auto target = batches_appended_;
    auto reached = [&] { return batches_durable_ >= target || failed_; };
    while (committer_.mode() == Committer::Mode::manual && !reached()) {
        lock.unlock();
        bool ran = committer_.run_commit();
        lock.lock();
        GANTRY_ASSERT(ran || reached(), "a batch waits, so the committer has work");
    }
    durable_changed_.wait(lock, reached);
    if (batches_durable_ < target) return fail(closed());
    return {};
}

Result<void> FileLog::cut(Position below, Time now) {
    std::lock_guard one_at_a_time(cut_mutex_);
    std::vector<std::shared_ptr<Segment>> gone;
    {
        std::lock_guard lock(mutex_);
        // A segment that ends with event below - 1 may hold batches without events behind it: it stays, and so do those between it and
        // the event `below`.
        for (std::size_t i = 0; i + 1 < segments_.size() && segments_[i + 1]->header.first < below; ++i) gone.push_back(segments_[i]);
        if (gone.empty()) return {};
        auto last = segments_[gone.size()]->header.first - 1;
        auto note = fmt::format("{} {} {}", gone.front()->header.first, last, gone.size());
        BatchView dropped;
        dropped.kind = BatchKind::dropped, dropped.time = std::max(now, appended_.time), dropped.note = note;
        if (!fits(encoded_size(dropped))) return fail(503, "log_busy", "There is no room to record what would be dropped.");
        TRY_ASSIGN([[maybe_unused]] auto at, append_locked(dropped));
    }
    TRY_VOID(wait_durable());
    {
        std::lock_guard lock(mutex_);
        segments_.erase(segments_.begin(), segments_.begin() + std::ptrdiff_t(gone.size()));
    }
    for (auto& segment : gone) doomed_.push_back(segment->path);
    return remove_doomed();
}

// Oldest first, each synced before the next, and what failed is tried again before anything newer: neither a crash nor an error
// leaves a hole in the row.
Result<void> FileLog::remove_doomed() {
    for (; !doomed_.empty(); doomed_.pop_front()) {
        TRY_ASSIGN(bool there, disk_.exists(doomed_.front()));
        if (there) TRY_VOID(disk_.remove(doomed_.front()));
        TRY_VOID(disk_.sync_directory(directory_));
    }
    return {};
}

Status FileLog::status() const {
    std::lock_guard lock(mutex_);
    Status s;
    s.incarnation = incarnation_, s.epoch = epoch_;
    s.begin = segments_.front()->header.first, s.end = appended_.next - 1, s.durable = durable_;
    s.last_time = appended_.time, s.chain = appended_.chain;
    s.segments = segments_.size();
    for (auto& segment : segments_) s.bytes += segment->file_bytes;
    return s;
}

// A new history begins a segment.
std::vector<Era> FileLog::eras() const {
    std::lock_guard lock(mutex_);
    std::vector<Era> out;
    for (auto& segment : segments_)
        if (out.empty() || out.back().incarnation != segment->header.incarnation)
            out.push_back({segment->header.incarnation, segment->header.first});
    return out;
}

// The mark at the end proves that all before it was durable: after a clean close any damage is told from a torn tail.
Result<void> FileLog::close() {
    {
        std::lock_guard lock(mutex_);
        if (closed_) return {};
    }
    TRY_VOID(wait_durable());
    {
        std::lock_guard lock(mutex_);
        if (failed_) return fail(closed());
        BatchView mark;
        mark.kind = BatchKind::checkpoint, mark.time = appended_.time;
        if (fits(encoded_size(mark))) (void)append_locked(mark);  // without it the close is only less clean
    }
    TRY_VOID(wait_durable());
    {
        std::lock_guard lock(mutex_);
        closed_ = true;
    }
    committer_.remove(*this);
    for (auto& spare : spares_) TRY_VOID(disk_.remove(spare.path));
    spares_.clear();
    return {};
}

}  // namespace gantry::log
