#include <fmt/format.h>

#include <algorithm>

#include "kernel/base/assert.h"
#include "kernel/base/hash.h"
#include "kernel/log/file/file_log.h"

namespace gantry::log {
namespace {
constexpr auto clock_ahead_max = Duration::seconds(60);

Problem clock_behind(std::string const& directory, Time last, Time wall) {
    Problem p{500, "clock_behind", "The clock is behind the log."};
    p.cause = fmt::format("{}: the last batch is of {}, the clock says {}; set the clock, or accept it by flag", directory,
                          format_time(last), format_time(wall));
    return p;
}
Problem upgrade_interrupted(std::string const& directory) {
    Problem p{500, "log_format", "An upgrade of the log was interrupted."};
    p.cause = directory + ".upgrade exists; run `gantry log upgrade` again";
    return p;
}
}  // namespace

FileLog::FileLog(Disk& disk, Committer& committer, std::string directory, Options options, std::string schemas, Clock& clock,
                 Random& random)
    : disk_(disk),
      committer_(committer),
      directory_(std::move(directory)),
      options_(options),
      schemas_(std::move(schemas)),
      clock_(clock),
      random_(random) {}

Result<std::unique_ptr<FileLog>> FileLog::open(Disk& disk, Committer& committer, std::string directory, Options options,
                                               std::string schemas, Clock& clock, Random& random, ClockAhead ahead) {
    GANTRY_ASSERT(options.segment_bytes_max < (1u << 31) && options.batch_bytes_max < (1u << 30), "offsets in a segment have 32 bits");
    std::unique_ptr<FileLog> log(new FileLog(disk, committer, std::move(directory), options, std::move(schemas), clock, random));
    TRY_VOID(log->start(ahead));
    committer.add(*log);
    committer.wake_prepare(*log);
    return log;
}

Result<void> FileLog::start(ClockAhead ahead) {
    SegmentHeader shape;
    shape.schemas = schemas_;
    header_bytes_ = encode_header(shape).size();
    TRY_ASSIGN(bool interrupted, disk_.exists(directory_ + ".upgrade"));
    if (interrupted) return fail(upgrade_interrupted(directory_));
    TRY_VOID(disk_.make_directories(directory_));
    TRY_VOID(remove_spares());
    TRY_ASSIGN(auto recovered, recover(disk_, directory_));
    segments_ = std::move(recovered.segments), torn_bytes_ = recovered.torn_bytes, active_file_ = std::move(recovered.newest);
    committed_ = recovered.reached;
    if (!segments_.empty()) active_ = segments_.back();
    if (ahead == ClockAhead::refuse && committed_.time > clock_.wall() + clock_ahead_max)
        return fail(clock_behind(directory_, committed_.time, clock_.wall()));
    incarnation_ = segments_.empty() ? random_.next() : segments_.back()->header.incarnation;
    epoch_ = committed_.epoch + 1;
    return write_epoch();
}

Result<void> FileLog::remove_spares() {
    TRY_ASSIGN(auto names, disk_.list(directory_));
    for (auto& name : names)
        if (name.starts_with("spare-")) TRY_VOID(disk_.remove(directory_ + "/" + name));
    return {};
}

// The turn begins when its epoch batch is durable: nothing is decided before.
Result<void> FileLog::write_epoch() {
    BatchView epoch;
    epoch.kind = BatchKind::epoch, epoch.first = committed_.next, epoch.epoch = epoch_, epoch.incarnation = incarnation_;
    epoch.time = std::max(clock_.wall(), committed_.time);
    auto bytes = encoded_size(epoch);
    bool same_schemas = active_ && active_->header.schemas == schemas_;
    write_at_ = active_ ? active_->end : 0;
    if (!same_schemas || active_->file_bytes - write_at_ < bytes) TRY_VOID(roll(bytes));
    std::string encoded;
    auto before = committed_;
    auto chain = encode(epoch, committed_.chain, encoded);
    auto& segment = *active_;
    seal(encoded.data(), segment.header.salt, std::uint32_t(write_at_), std::uint32_t(write_at_));
    TRY_VOID(active_file_->write(write_at_, encoded));
    TRY_VOID(active_file_->sync());
    segment.mark(before, write_at_);
    segment.marked = true;
    write_at_ += bytes, segment.end = write_at_;
    TRY_VOID(load_lead());
    committed_ = {epoch.first, chain, epoch.time, epoch_};
    appended_ = committed_, durable_ = committed_.next - 1;
    plan_room_ = segment.file_bytes - write_at_;
    return {};
}

}  // namespace gantry::log
