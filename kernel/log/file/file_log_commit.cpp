#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstring>

#include "kernel/log/file/file_log.h"

namespace gantry::log {
namespace {
// A group is one write: large enough to be limited by the disk, small enough that those in it don't wait for long.
constexpr std::uint64_t group_bytes_max = 8 << 20;
constexpr std::uint64_t page_bytes = 4096;
constexpr std::uint64_t gather_batches_max = 256;
constexpr auto gather_pause = std::chrono::microseconds(2);
constexpr auto gather_max = std::chrono::microseconds(100);
}  // namespace

bool FileLog::commit_group() {
    if (!take_pending()) return false;
    auto committed = commit_taken();
    if (!committed) return give_up(std::move(committed.error())), false;
    std::lock_guard lock(mutex_);
    return taken_at_ < taken_.size() || !pending_.empty();
}

// A writer that records one command after the other is not cut off after the first: as long as more arrives every moment, the
// group waits, though never for a time that anyone would notice beside a sync.
void FileLog::gather() {
    auto seen = arrived_.load(std::memory_order_relaxed);
    auto const waiting = seen - committed_batches_;
    if ((waiting <= 1 && last_group_batches_ <= 1) || waiting >= gather_batches_max) return;  // a lone writer, or enough for one write
    auto give_up_at = std::chrono::steady_clock::now() + gather_max;
    for (;;) {
        auto look_at = std::chrono::steady_clock::now() + gather_pause;
        if (look_at > give_up_at) return;
        while (std::chrono::steady_clock::now() < look_at);
        auto now = arrived_.load(std::memory_order_relaxed);
        if (now == seen) return;
        seen = now;
    }
}

bool FileLog::take_pending() {
    if (taken_at_ < taken_.size()) return true;
    if (committer_.mode() == Committer::Mode::threads) gather();
    std::lock_guard lock(mutex_);
    if (failed_) return false;
    taken_.clear(), taken_at_ = 0;
    taken_.swap(pending_);
    return in_flight_bytes_ = taken_.size(), !taken_.empty();
}

// Bytes of the waiting batches that go into one group with that much room.
std::uint64_t FileLog::fitting(std::uint64_t room) const {
    std::uint64_t n = 0;
    while (taken_at_ + n < taken_.size()) {
        auto size = padded(stored_length(taken_.data() + taken_at_ + n));
        if (n + size > room || (n > 0 && n + size > group_bytes_max)) break;
        n += size;
    }
    return n;
}

Result<void> FileLog::commit_taken() {
    auto bytes = fitting(active_->file_bytes - write_at_);
    if (bytes == 0) {
        TRY_VOID(roll(padded(stored_length(taken_.data() + taken_at_))));
        committer_.wake_prepare(*this);
        bytes = fitting(active_->file_bytes - write_at_);
    }
    auto& segment = *active_;
    std::vector<Segment::Mark> marks;
    std::uint64_t batches = 0;
    for (std::uint64_t at = 0; at < bytes; ++batches) {
        char* batch = taken_.data() + taken_at_ + at;
        auto offset = write_at_ + at;
        seal(batch, segment.header.salt, std::uint32_t(offset), std::uint32_t(write_at_));
        if (marks.empty() || offset >= marks.back().offset + mark_distance_bytes)
            marks.push_back({committed_.next, offset, committed_.chain, committed_.time, committed_.epoch});
        auto header = load_header(batch);
        committed_ = {header.first + header.count, header.chain, header.time, header.epoch};
        at += padded(header.length);
    }
    TRY_VOID(write_group(std::string_view(taken_).substr(taken_at_, bytes)));
    auto const began = clock_.steady_ns();
    TRY_VOID(active_file_->sync());
    syncs_.add(clock_.steady_ns() - began);
    write_at_ += bytes, taken_at_ += bytes;
    committed_batches_ += batches, last_group_batches_ = batches;
    publish(marks, batches, bytes);
    return {};
}

// Whole pages are written, the first one again as it was: so none has to be read or cached. What follows the last batch is zeros anyway.
Result<void> FileLog::write_group(std::string_view batches) {
    std::size_t const lead = write_at_ % page_bytes, filled = lead + batches.size();
    std::size_t const whole = (filled + page_bytes - 1) / page_bytes * page_bytes;
    if (group_.size() < whole) {
        AlignedBytes larger(std::max(whole, 2 * group_.size()));
        if (lead > 0) std::memcpy(larger.data(), group_.data(), lead);
        group_ = std::move(larger);
    }
    std::memcpy(group_.data() + lead, batches.data(), batches.size());
    std::memset(group_.data() + filled, 0, whole - filled);
    auto const room = active_->file_bytes - (write_at_ - lead);  // a repaired or imported segment may end within a page
    TRY_VOID(active_file_->write(write_at_ - lead, group_.view().substr(0, std::size_t(std::min<std::uint64_t>(whole, room)))));
    std::size_t const rest = filled % page_bytes;
    std::memmove(group_.data(), group_.data() + filled - rest, rest);
    return {};
}

// Before the first group of a segment, or after a start: the page that the next group begins in.
Result<void> FileLog::load_lead() {
    std::size_t const lead = write_at_ % page_bytes;
    if (group_.size() == 0) group_ = AlignedBytes(page_bytes);
    TRY_ASSIGN(auto n, active_file_->read(write_at_ - lead, std::span(group_.data(), lead)));
    if (n < lead) return fail(damaged({active_->path, write_at_ - lead + n, committed_.next, "the file ends before its last batch"}));
    return {};
}

void FileLog::publish(std::vector<Segment::Mark> const& marks, std::uint64_t batches, std::uint64_t bytes) {
    bool more_events;
    {
        std::lock_guard lock(mutex_);
        auto& segment = *active_;
        for (auto& m : marks) segment.mark({m.first, m.chain_before, m.time_before, m.epoch_before}, m.offset);
        segment.end = write_at_;
        more_events = durable_ != committed_.next - 1;
        durable_ = committed_.next - 1;
        batches_durable_ += batches, in_flight_bytes_ -= bytes;
        if (plan_lost_ && batches_durable_ == batches_appended_)
            plan_lost_ = false, plan_ahead_ = 0, plan_room_ = segment.file_bytes - write_at_;
    }
    durable_changed_.notify_all();
    if (more_events && callback_) callback_(committed_.next - 1);
}

void FileLog::give_up(Problem problem) {
    {
        std::lock_guard lock(mutex_);
        if (!failed_) failed_ = problem;
    }
    durable_changed_.notify_all();
    committer_.fatal(problem);
}

// Everything in the active segment is durable; what comes next goes to a new one, which gets its name only when its header is
// durable. So a segment behind another one proves that the other is whole.
Result<void> FileLog::roll(std::uint64_t batch_bytes) {
    Spare spare;
    SpareSize size;
    {
        std::lock_guard lock(mutex_);
        if (!spares_.empty()) {
            spare = std::move(spares_.front());
            spares_.pop_front();
            if (plan_ahead_ > 0) --plan_ahead_;
        }
        if (spare.bytes < header_bytes_ + batch_bytes) size = spare_size(batch_bytes);
    }
    if (size.best > 0) {
        if (spare.file) TRY_VOID(disk_.remove(spare.path));
        TRY_ASSIGN(spare, make_spare(size));
    }
    return begin_segment(std::move(spare), committed_, active_ ? active_->header.number + 1 : 1);
}

Result<void> FileLog::begin_segment(Spare spare, Chained const& from, std::uint64_t number) {
    auto segment = std::make_shared<Segment>();
    auto& header = segment->header;
    header.number = number, header.first = from.next, header.incarnation = incarnation_;
    header.base_chain = from.chain, header.base_time = from.time, header.base_epoch = from.epoch;
    header.created = clock_.wall(), header.salt = std::uint32_t(random_.next()), header.schemas = schemas_;
    auto encoded = encode_header(header);
    TRY_VOID(spare.file->write(0, encoded));
    TRY_VOID(spare.file->sync());
    segment->path = directory_ + "/" + segment_name(from.next, number);
    TRY_VOID(disk_.rename(spare.path, segment->path));
    TRY_VOID(disk_.sync_directory(directory_));
    segment->file_bytes = spare.bytes, segment->end = encoded.size(), segment->marked = true;
    active_file_ = std::move(spare.file), active_ = segment;
    write_at_ = encoded.size();
    TRY_VOID(load_lead());
    std::lock_guard lock(mutex_);
    segments_.push_back(std::move(segment));
    return {};
}

bool FileLog::prepare_spare() {
    SpareSize size;
    std::string too_small;
    {
        std::lock_guard lock(mutex_);
        if (closed_ || failed_ || !wants_spare()) return false;
        size = spare_size(spare_wanted_);
        if (spares_.size() > plan_ahead_) too_small = std::move(spares_.back().path), spares_.pop_back();
    }
    if (!too_small.empty()) (void)disk_.remove(too_small);  // if it stays, the next start removes it
    auto spare = make_spare(size);
    bool full = !spare && spare.error().code == "disk_full";
    if (!spare && !full) return give_up(std::move(spare.error())), false;
    std::lock_guard lock(mutex_);
    spare_failed_ = full;
    if (full) return false;
    spares_.push_back(std::move(*spare));
    if (spare_room(spares_.size() - 1) >= spare_wanted_) spare_wanted_ = 0;
    return wants_spare();
}

bool FileLog::spare_is_missing() {
    std::lock_guard lock(mutex_);
    return spare_failed_ && !closed_;
}

// On a disk that is almost full, a smaller one.
Result<FileLog::Spare> FileLog::make_spare(SpareSize size) {
    for (;;) {
        auto spare = make_spare_of(size.best);
        if (spare || spare.error().code != "disk_full" || size.best <= size.least) return spare;
        size.best = std::max(size.least, size.best / 2 / page_bytes * page_bytes);
    }
}

Result<FileLog::Spare> FileLog::make_spare_of(std::uint64_t bytes) {
    Spare spare;
    {
        std::lock_guard lock(mutex_);
        spare.path = fmt::format("{}/spare-{}.tmp", directory_, ++spare_number_);
    }
    spare.bytes = bytes;
    TRY_ASSIGN(spare.file, disk_.open(spare.path, Open::create_new));
    auto made = spare.file->allocate(bytes);
    if (made) made = spare.file->sync();
    if (made) return spare;
    (void)disk_.remove(spare.path);  // the space that there is, is for the others
    return fail(std::move(made.error()));
}

FileLog::SpareSize FileLog::spare_size(std::uint64_t batch_bytes) const {
    auto pages = [&](std::uint64_t bytes) {
        auto const least = header_bytes_ + std::max(batch_bytes, page_bytes);
        return (std::max(bytes, least) + page_bytes - 1) / page_bytes * page_bytes;
    };
    auto last = !spares_.empty() ? spares_.back().bytes : !segments_.empty() ? segments_.back()->file_bytes : 0;
    return {pages(std::clamp(2 * last, options_.segment_bytes_min, options_.segment_bytes_max)), pages(options_.segment_bytes_min)};
}

}  // namespace gantry::log
