#pragma once
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "kernel/log/disk.h"
#include "kernel/log/file/segment.h"

namespace gantry::app {

// Reads the segments of one log without being its writer: changes nothing, needs no lock, and works beside a running server, whose newest
// batch may then look torn for a moment.
class LogReader {
   public:
    // Starts with the segment that holds what comes after `after`. 404 "log_not_found" when the directory holds no log.
    static Result<LogReader> open(log::Disk& disk, std::string directory, log::Position after = 0);

    // Visits the batches that are there and weren't visited yet, until the visitor returns false. Gives the place where reading had to stop
    // before the end of the bytes, if it had to; the next call goes on from there.
    using Visitor = std::function<bool(log::BatchView const&)>;
    Result<std::optional<log::Damage>> advance(Visitor const& visit);

    // Whether the place where advance() stopped is in the newest segment: a torn tail, or a batch that is just being written.
    bool at_newest() const { return at_newest_; }
    log::Position begin() const { return begin_; }  // of the first segment
    log::Position end() const { return reached_.next - 1; }
    log::Incarnation incarnation() const { return header_.incarnation; }
    Time last_time() const { return reached_.time; }
    std::uint64_t bytes() const { return bytes_; }  // of all segments when it was opened
    std::uint64_t segments() const { return segments_; }

   private:
    LogReader(log::Disk& disk, std::string directory) : disk_(&disk), directory_(std::move(directory)) {}
    Result<std::vector<std::string>> names() const;
    Result<void> enter(std::string const& name);
    // The segment behind the current one, or empty.
    Result<std::string> next_name() const;

    log::Disk* disk_;
    std::string directory_, path_;
    std::unique_ptr<log::File> file_;
    log::SegmentHeader header_;
    log::Chained reached_;
    std::uint64_t offset_ = 0;
    bool at_newest_ = true;
    log::Position begin_ = 1;
    std::uint64_t bytes_ = 0, segments_ = 0;
};

}  // namespace gantry::app
