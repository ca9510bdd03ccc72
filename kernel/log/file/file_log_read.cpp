#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "kernel/log/file/file_log.h"

namespace gantry::log {
namespace {
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

// Walks through the batches of extents. An extent's end at the wrong place is damage.
class FileLog::ExtentReader final : public Reader {
   public:
    ExtentReader(FileLog const& log, std::vector<Extent> extents, Wanted wanted)
        : log_(log), extents_(std::move(extents)), wanted_(wanted), views_(wanted.run_batches), cursors_(wanted.run_batches) {}

    Result<std::span<BatchView const>> next() override {
        size_ = 0;
        while (size_ == 0) {
            if (failed_) return fail(*failed_);
            if (ended_) leave();
            if (!walk_ && at_ == extents_.size()) return std::span<BatchView const>();
            if (!walk_) TRY_VOID(enter());
            gather();
        }
        return std::span<BatchView const>(views_.data(), size_);
    }

   private:
    Extent const& extent() const { return extents_[at_]; }
    Result<void> enter() {
        auto const& e = extent();
        auto opened = log_.disk_.open(e.segment->path, Open::existing_read);
        if (!opened) {
            std::lock_guard lock(log_.mutex_);
            auto const& first = log_.segments_.front()->header;
            if (first.number <= e.segment->header.number) return fail(opened.error());
            return fail(position_gone(e.segment->header.first, first.first));
        }
        file_ = std::move(*opened);
        Chained const from{e.from.first, e.from.chain_before, e.from.time_before, e.from.epoch_before};
        walk_.emplace(*file_, e.segment->header, e.segment->path, e.from.offset, e.limit, from, Check::checksums, wanted_.chunk_bytes);
        return {};
    }
    void leave() {
        walk_.reset(), file_.reset();
        marks_ = {}, ended_ = false, ++at_;
    }
    // As many batches as lie in the buffer.
    void gather() {
        while (size_ < views_.size() && (size_ == 0 || walk_->in_buffer())) {
            auto const before = walk_->reached();
            auto step = walk_->next(views_[size_], cursors_[size_]);
            if (!step) return void(failed_ = std::move(step.error()));
            if (*step == SegmentWalk::Step::damage) return void(failed_ = damaged(walk_->damage()));
            if (*step == SegmentWalk::Step::end) return end();
            if (extent().marking) marks_.mark(before, walk_->batch_offset());
            if (is_wanted(views_[size_])) ++size_;
        }
    }
    void end() {
        auto const& e = extent();
        bool const whole = e.next ? walk_->reached() == base_of(e.next->header) : walk_->offset() == e.limit;
        ended_ = true;
        if (!whole)
            failed_ = damaged({e.segment->path, walk_->offset(), walk_->reached().next, "zeros where a batch was durable"});
        else if (e.marking)
            log_.note_marks(*e.segment, std::move(marks_.marks));
    }
    bool is_wanted(BatchView const& b) const { return b.count > 0 ? b.last() > wanted_.after : b.first > wanted_.after; }

    FileLog const& log_;
    std::vector<Extent> extents_;
    Wanted wanted_;
    std::size_t at_ = 0;
    std::unique_ptr<File> file_;
    std::optional<SegmentWalk> walk_;
    bool ended_ = false;  // of the extent: what it gave last may still be looked at
    Segment marks_;
    std::vector<BatchView> views_;
    std::vector<std::vector<CursorView>> cursors_;
    std::size_t size_ = 0;
    std::optional<Problem> failed_;
};

Result<std::unique_ptr<Log::Reader>> FileLog::read(Position after) const {
    return std::make_unique<ExtentReader>(*this, extents(after), Wanted{after, run_bytes_max, run_batches_max});
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
    ExtentReader reader(*this, {e}, {position - 1, find_chunk_bytes, 1});
    for (;;) {
        TRY_ASSIGN(auto run, reader.next());
        if (run.empty()) return fail(damaged({e.segment->path, 0, position, "the event isn't where it should be"}));
        if (run.front().count > 0) return visitor(run.front()), Result<void>();
    }
}

Result<Position> FileLog::last_at(Time time) const {
    Extent e;
    {
        std::lock_guard lock(mutex_);
        e = extent_at(time);
    }
    Position last = e.from.first - 1;
    ExtentReader reader(*this, {e}, {0, find_chunk_bytes, run_batches_max});
    for (;;) {
        TRY_ASSIGN(auto run, reader.next());
        if (run.empty()) return last;
        for (auto& batch : run) {
            if (batch.time > time) return last;
            if (batch.count > 0) last = batch.last();
        }
    }
}

}  // namespace gantry::log
