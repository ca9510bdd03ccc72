#include <fmt/format.h>

#include <algorithm>

#include "kernel/log/file/file_log.h"

namespace gantry::log {
namespace {
constexpr std::size_t scan_chunk_bytes = 1 << 20;
constexpr std::size_t run_batches_max = 1024;
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

// Visits the batches of an extent; false when the visitor has enough. An end at the wrong place is damage. `refill` is called before the
// memory of the batches that were visited is used again, and at the end.
Result<bool> FileLog::visit(Extent const& e, std::size_t chunk_bytes, Visitor const& each, std::function<bool()> const& refill) const {
    auto opened = disk_.open(e.segment->path, Open::existing_read);
    if (!opened) {
        std::lock_guard lock(mutex_);
        bool dropped = segments_.front()->header.number > e.segment->header.number;
        return fail(dropped ? position_gone(e.segment->header.first, segments_.front()->header.first) : opened.error());
    }
    Chained from{e.from.first, e.from.chain_before, e.from.time_before, e.from.epoch_before};
    SegmentWalk walk(**opened, e.segment->header, e.segment->path, e.from.offset, e.limit, from, Check::checksums, chunk_bytes);
    Segment marks;
    for (;;) {
        auto before = walk.reached();
        if (refill && !walk.next_is_here() && !refill()) return false;
        TRY_ASSIGN(auto step, walk.next());
        if (step == SegmentWalk::Step::damage) {
            if (refill && !refill()) return false;
            return fail(damaged(walk.damage()));
        }
        if (step == SegmentWalk::Step::end) break;
        if (e.marking) marks.mark(before, walk.batch_offset());
        if (!each(walk.batch())) return false;
    }
    bool whole = e.next ? walk.reached().next == e.next->header.first && walk.reached().chain == e.next->header.base_chain
                        : walk.offset() == e.limit;
    if (!whole) return fail(damaged({e.segment->path, walk.offset(), walk.reached().next, "zeros where a batch was durable"}));
    if (e.marking) {
        std::lock_guard lock(mutex_);
        if (!e.segment->marked) e.segment->marks = std::move(marks.marks), e.segment->marked = true;
    }
    return true;
}

std::vector<FileLog::Extent> FileLog::extents(Position after) const {
    std::vector<Extent> out;
    std::lock_guard lock(mutex_);
    for (auto i = index_of(after); i < segments_.size(); ++i) out.push_back(extent(i, after));
    return out;
}

static bool is_after(BatchView const& batch, Position after) { return batch.count > 0 ? batch.last() > after : batch.first > after; }

Result<void> FileLog::scan(Position after, Visitor const& visitor) const {
    for (auto& e : extents(after)) {
        TRY_ASSIGN(bool more,
                   visit(e, scan_chunk_bytes, [&](BatchView const& batch) { return !is_after(batch, after) || visitor(batch); }));
        if (!more) break;
    }
    return {};
}

Result<void> FileLog::scan_runs(Position after, RunVisitor const& visitor) const {
    std::vector<BatchView> run;
    run.reserve(run_batches_max);
    auto flush = [&] {
        bool const more = run.empty() || visitor(run);
        run.clear();
        return more;
    };
    auto take = [&](BatchView const& batch) {
        if (!is_after(batch, after)) return true;
        run.push_back(batch);
        return (batch.cursors.empty() && run.size() < run_batches_max) || flush();
    };
    for (auto& e : extents(after)) {
        auto more = visit(e, scan_chunk_bytes, take, flush);
        if (!more) return std::unexpected(std::move(more.error()));
        if (!*more) break;
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
    TRY_ASSIGN([[maybe_unused]] bool more, visit(e, find_chunk_bytes, [&](BatchView const& batch) {
                   if (batch.count == 0 || batch.last() < position) return true;
                   return found = true, visitor(batch), false;
               }));
    if (!found) return fail(damaged({e.segment->path, 0, position, "the event isn't where it should be"}));
    return {};
}

}  // namespace gantry::log
