#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "kernel/log/file/file_log.h"

namespace gantry::log {
namespace {
constexpr std::size_t scan_chunk_bytes = 1 << 20;
constexpr std::size_t find_chunk_bytes = 128 << 10;  // a mark's distance and a little more

Problem position_gone(Position position, Position begin) {
    return {410, "position_gone", fmt::format("Position {} was dropped; the log begins at {}.", position, begin)};
}
}  // namespace

// The segment that holds event `at`, or the first one.
std::size_t FileLog::index_of(Position at) const {
    auto behind = std::ranges::upper_bound(segments_, at, {}, [](auto& s) { return s->header.first; });
    return behind == segments_.begin() ? 0 : std::size_t(behind - segments_.begin()) - 1;
}

FileLog::Extent FileLog::extent(std::size_t index, Position at) const {
    Extent e;
    e.segment = segments_[index];
    if (index + 1 < segments_.size()) e.next = segments_[index + 1];
    auto& header = e.segment->header;
    e.limit = !e.next ? e.segment->end : e.segment->file_bytes;
    e.from = {header.first, header.header_bytes, header.base_chain, header.base_time, header.base_epoch};
    e.marking = !e.segment->marked;
    auto& marks = e.segment->marks;
    auto behind = std::ranges::upper_bound(marks, at, {}, &Segment::Mark::first);
    if (!e.marking && behind != marks.begin()) e.from = *std::prev(behind);
    return e;
}

// Where the last batch at or before a time lies, if any does.
FileLog::Extent FileLog::extent_at(Time time) const {
    auto later = std::ranges::upper_bound(segments_, time, {}, [](auto& s) { return s->header.base_time; });
    auto index = later == segments_.begin() ? 0 : std::size_t(later - segments_.begin()) - 1;
    auto e = extent(index, 0);
    auto& marks = e.segment->marks;
    auto behind = std::ranges::upper_bound(marks, time, {}, &Segment::Mark::time_before);
    if (!e.marking && behind != marks.begin()) e.from = *std::prev(behind);
    return e;
}

std::vector<FileLog::Extent> FileLog::extents(Position after) const {
    std::lock_guard lock(mutex_);
    std::vector<Extent> found;
    for (auto i = index_of(after); i < segments_.size(); ++i) found.push_back(extent(i, after));
    return found;
}

void FileLog::note_marks(Segment& segment, std::vector<Segment::Mark> marks) const {
    std::lock_guard lock(mutex_);
    if (!segment.marked) segment.marks = std::move(marks), segment.marked = true;
}

namespace {

bool is_wanted(BatchView const& b, Position after) { return b.count > 0 ? b.last() > after : b.first > after; }

// Batches gathered for one call of a visitor; what they need is allocated once.
class Run {
   public:
    explicit Run(std::size_t batches_max) : views_(batches_max), cursors_(batches_max) {}
    Result<SegmentWalk::Step> take(SegmentWalk& walk) { return walk.next(views_[size_], cursors_[size_]); }
    BatchView const& taken() const { return views_[size_]; }
    void keep() { ++size_; }
    bool full() const { return size_ == views_.size(); }
    // False when the visitor has enough.
    bool show(Log::RunVisitor const& visitor) {
        auto size = std::exchange(size_, 0);
        return size == 0 || visitor({views_.data(), size});
    }

   private:
    std::vector<BatchView> views_;
    std::vector<std::vector<CursorView>> cursors_;
    std::size_t size_ = 0;
};

}  // namespace

// Visits the wanted batches of an extent; false when the visitor has enough. An end at the wrong place is damage.
Result<bool> FileLog::visit(Extent const& e, Wanted const& wanted, RunVisitor const& visitor) const {
    auto opened = disk_.open(e.segment->path, Open::existing_read);
    if (!opened) {
        std::lock_guard lock(mutex_);
        bool dropped = segments_.front()->header.number > e.segment->header.number;
        return fail(dropped ? position_gone(e.segment->header.first, segments_.front()->header.first) : opened.error());
    }
    Chained from{e.from.first, e.from.chain_before, e.from.time_before, e.from.epoch_before};
    SegmentWalk walk(**opened, e.segment->header, e.segment->path, e.from.offset, e.limit, from, Check::checksums, wanted.chunk_bytes);
    Segment marks;
    Run run(wanted.run_batches);
    for (;;) {
        if ((run.full() || !walk.in_buffer()) && !run.show(visitor)) return false;
        auto before = walk.reached();
        auto step = run.take(walk);
        if (!step || *step != SegmentWalk::Step::batch) {
            if (!run.show(visitor)) return false;
            if (!step) return fail(std::move(step.error()));
            if (*step == SegmentWalk::Step::damage) return fail(damaged(walk.damage()));
            break;
        }
        if (e.marking) marks.mark(before, walk.batch_offset());
        if (is_wanted(run.taken(), wanted.after)) run.keep();
    }
    bool whole = e.next ? walk.reached() == base_of(e.next->header) : walk.offset() == e.limit;
    if (!whole) return fail(damaged({e.segment->path, walk.offset(), walk.reached().next, "zeros where a batch was durable"}));
    if (e.marking) note_marks(*e.segment, std::move(marks.marks));
    return true;
}

Result<void> FileLog::scan(Position after, Visitor const& visitor) const {
    for (auto& e : extents(after)) {
        TRY_ASSIGN(bool more, visit(e, {after, scan_chunk_bytes, 1}, [&](auto run) { return visitor(run.front()); }));
        if (!more) break;
    }
    return {};
}

Result<void> FileLog::scan_runs(Position after, RunVisitor const& visitor) const {
    for (auto& e : extents(after)) {
        TRY_ASSIGN(bool more, visit(e, {after, run_bytes_max, run_batches_max}, visitor));
        if (!more) break;
    }
    return {};
}

Result<void> FileLog::find(Position position, Visitor const& visitor) const {
    Extent e;
    {
        std::lock_guard lock(mutex_);
        auto begin = segments_.front()->header.first;
        if (position < begin) return fail(position_gone(position, begin));
        if (position > durable_) return fail(404, "position_unknown", fmt::format("The log ends at {}.", durable_));
        e = extent(index_of(position), position);
    }
    bool found = false;
    TRY_ASSIGN([[maybe_unused]] bool more, visit(e, {position - 1, find_chunk_bytes, 1}, [&](auto run) {
                   if (run.front().count == 0) return true;
                   return found = true, visitor(run.front()), false;
               }));
    if (!found) return fail(damaged({e.segment->path, 0, position, "the event isn't where it should be"}));
    return {};
}

Result<Position> FileLog::last_at(Time time) const {
    Extent e;
    {
        std::lock_guard lock(mutex_);
        e = extent_at(time);
    }
    Position last = e.from.first - 1;
    TRY_VOID(visit(e, {0, find_chunk_bytes, run_batches_max}, [&](auto run) {
        for (auto& batch : run) {
            if (batch.time > time) return false;
            if (batch.count > 0) last = batch.last();
        }
        return true;
    }));
    return last;
}

}  // namespace gantry::log
