#pragma once
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "kernel/log/disk.h"
#include "kernel/log/file/segment.h"

namespace gantry::log {

// Reads the sealed segments of logs against their checksums, some bytes at a time, beside the writer. For one thread.
class Scrubber {
   public:
    struct Found {
        std::size_t log = 0;  // of those given
        Damage damage;
    };
    Scrubber(Disk& disk, std::vector<std::string> directories) : disk_(disk), directories_(std::move(directories)) {}

    // Reads about so many bytes more; what is damaged in them, at most one place a segment. A segment that retention removes meanwhile is
    // no damage.
    Result<std::vector<Found>> step(std::uint64_t bytes);
    bool done() const { return log_ == directories_.size(); }
    std::uint64_t segments() const { return segments_; }  // read in whole
    std::uint64_t bytes() const { return bytes_; }

   private:
    struct Reading {
        std::string path;
        std::unique_ptr<File> file;
        SegmentHeader header;
        std::optional<SegmentWalk> walk;
    };
    Result<std::optional<Damage>> next_segment();
    Result<std::optional<Damage>> read(std::uint64_t until);
    void end_segment(std::optional<Chained> reached);

    Disk& disk_;
    std::vector<std::string> directories_;
    std::size_t log_ = 0;
    std::string before_;                // the name of the segment read last
    std::optional<Chained> reached_;    // what the next one must continue
    std::unique_ptr<Reading> reading_;  // does not move: the walk points into it
    std::uint64_t segments_ = 0, bytes_ = 0;
};

}  // namespace gantry::log
