#include "kernel/log/file/still_log.h"

#include <fmt/format.h>

#include <algorithm>

namespace gantry::log {
namespace {

std::unexpected<Problem> only_read() { return fail(503, "log_closed", "this log is only read"); }

}  // namespace

// Walks segment after segment; a run is what lies in the walk's buffer.
class StillLog::SegmentsReader final : public Reader {
   public:
    SegmentsReader(StillLog const& log, Position after)
        : log_(log), after_(after), at_(log.index_of(after + 1)), views_(run_batches_max), cursors_(run_batches_max) {}

    Result<std::span<BatchView const>> next() override {
        size_ = 0;
        while (size_ == 0) {
            if (failed_) return fail(*failed_);
            if (ended_) walk_.reset(), ended_ = false, ++at_;
            if (!walk_ && at_ == log_.segments_.size()) return std::span<BatchView const>();
            if (!walk_) TRY_VOID(enter());
            gather();
        }
        return std::span<BatchView const>(views_.data(), size_);
    }

   private:
    Result<void> enter() {
        auto const& path = log_.segments_[at_].path;
        TRY_ASSIGN(file_, log_.disk_.open(path, Open::existing_read));
        TRY_ASSIGN(header_, read_header(*file_, path));
        TRY_ASSIGN(auto size, file_->size());
        auto const from = base_of(header_);
        if (reached_ && *reached_ != from)
            return fail(damaged({path, 0, reached_->next, "the segment doesn't continue the one before it"}));
        bool const newest = at_ + 1 == log_.segments_.size();
        walk_.emplace(*file_, header_, path, header_.header_bytes, newest ? log_.newest_limit_ : size, from);
        return {};
    }
    void gather() {
        while (size_ < views_.size() && (size_ == 0 || walk_->in_buffer())) {
            auto step = walk_->next(views_[size_], cursors_[size_]);
            if (!step) return void(failed_ = std::move(step.error()));
            if (*step == SegmentWalk::Step::damage) return void(failed_ = damaged(walk_->damage()));
            if (*step == SegmentWalk::Step::end) {
                reached_ = walk_->reached(), ended_ = true;
                return;
            }
            auto const& b = views_[size_];
            if (b.count > 0 ? b.last() > after_ : b.first > after_) ++size_;
        }
    }

    StillLog const& log_;
    Position after_;
    std::size_t at_;
    std::unique_ptr<File> file_;
    SegmentHeader header_;
    std::optional<SegmentWalk> walk_;
    std::optional<Chained> reached_;
    bool ended_ = false;  // of the segment: what it gave last may still be looked at
    std::vector<BatchView> views_;
    std::vector<std::vector<CursorView>> cursors_;
    std::size_t size_ = 0;
    std::optional<Problem> failed_;
};

Result<std::unique_ptr<StillLog>> StillLog::open(Disk& disk, std::string directory) {
    std::unique_ptr<StillLog> log(new StillLog(disk, std::move(directory)));
    TRY_ASSIGN(auto names, disk.list(log->directory_));
    for (auto const& name : names)
        if (auto parsed = parse_segment_name(name)) log->segments_.push_back({log->directory_ + "/" + name, parsed->first});
    if (log->segments_.empty()) return fail(404, "log_not_found", fmt::format("there is no log in {}", log->directory_));
    TRY_VOID(log->look_at_newest());
    return log;
}

Result<void> StillLog::look_at_newest() {
    auto const& path = segments_.back().path;
    TRY_ASSIGN(auto file, disk_.open(path, Open::existing_read));
    TRY_ASSIGN(auto header, read_header(*file, path));
    TRY_ASSIGN(auto size, file->size());
    SegmentWalk walk(*file, header, path, header.header_bytes, size, base_of(header));
    status_.incarnation = header.incarnation;
    auto step = SegmentWalk::Step::end;
    do {
        TRY_ASSIGN(step, walk.next());
        if (step == SegmentWalk::Step::batch) status_.incarnation = walk.batch().incarnation;
    } while (step == SegmentWalk::Step::batch);
    if (step == SegmentWalk::Step::damage) torn_ = walk.damage();
    newest_limit_ = walk.offset();
    auto const& reached = walk.reached();
    status_.begin = segments_.front().first, status_.end = status_.durable = reached.next - 1;
    status_.last_time = reached.time, status_.epoch = reached.epoch, status_.chain = reached.chain;
    status_.segments = segments_.size();
    return {};
}

// A new history begins a segment. One that can't be read any more is passed over.
std::vector<Era> StillLog::eras() const {
    std::vector<Era> out;
    for (auto const& segment : segments_) {
        auto file = disk_.open(segment.path, Open::existing_read);
        auto const header = file ? read_header(**file, segment.path) : std::unexpected(std::move(file.error()));
        if (header && (out.empty() || out.back().incarnation != header->incarnation)) out.push_back({header->incarnation, header->first});
    }
    return out;
}

// The segment that may hold the first batch at a position: the last one that begins before it, or the first.
std::size_t StillLog::index_of(Position position) const {
    auto const behind = std::ranges::lower_bound(segments_, position, {}, &Named::first);
    return behind == segments_.begin() ? 0 : std::size_t(behind - segments_.begin()) - 1;
}

Result<std::unique_ptr<Log::Reader>> StillLog::read(Position after) const { return std::make_unique<SegmentsReader>(*this, after); }

Result<void> StillLog::find(Position position, Visitor const& visit) const {
    if (position < status_.begin) return fail(410, "position_gone", fmt::format("the log begins at {}", status_.begin));
    if (position > status_.end) return fail(404, "position_unknown", fmt::format("the log ends at {}", status_.end));
    return scan(position - 1, [&](BatchView const& batch) { return batch.count == 0 || (visit(batch), false); });
}

Result<Position> StillLog::last_at(Time time) const {
    std::size_t from = segments_.size() - 1;
    for (; from > 0; --from) {
        TRY_ASSIGN(auto file, disk_.open(segments_[from].path, Open::existing_read));
        TRY_ASSIGN(auto header, read_header(*file, segments_[from].path));
        if (header.base_time <= time) break;
    }
    Position last = segments_[from].first - 1;
    TRY_VOID(scan(last, [&](BatchView const& batch) {
        if (batch.time > time) return false;
        if (batch.count > 0) last = batch.last();
        return true;
    }));
    return last;
}

Result<void> StillLog::may_append(std::uint64_t) { return only_read(); }
Result<Position> StillLog::append(BatchView const&) { return only_read(); }
Result<void> StillLog::cut(Position, Time) { return only_read(); }

}  // namespace gantry::log
