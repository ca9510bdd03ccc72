#pragma once
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "kernel/log/file/segment.h"

namespace gantry::log {

// One segment file of an open log. What changes while the log is open is guarded by the log's mutex.
struct Segment {
    std::string path;
    SegmentHeader header;  // its `schemas` are never changed: views of batches point there
    std::uint64_t file_bytes = 0;
    std::uint64_t end = 0;  // offset behind the last durable batch; 0: not yet walked
    struct Mark {
        Position first;
        std::uint64_t offset;
        std::uint64_t chain_before;
        Time time_before;
        Epoch epoch_before;
    };
    std::vector<Mark> marks;  // a batch every 64 KiB or so, for find
    bool marked = false;      // `marks` cover the whole segment
    void mark(Chained const& before, std::uint64_t offset);
};
inline constexpr std::uint64_t mark_distance_bytes = 64 << 10;

struct Recovered {
    std::vector<std::shared_ptr<Segment>> segments;  // none: there is no log yet
    std::unique_ptr<File> newest;                    // open for writing, unless there is none
    Chained reached;
    std::uint64_t torn_bytes = 0;  // what was cut behind the last whole batch
};

// The segments of a directory with their headers, in order; a gap between them is damage.
Result<std::vector<std::shared_ptr<Segment>>> load_segments(Disk& disk, std::string const& directory);
// Walks one whole segment. `next` is the header of the segment behind it, if any: it says where the walk must end.
// Returns the damage, if there is any; `reached` and `end` tell how far the segment is good.
Result<std::optional<Damage>> walk_segment(File& file, Segment& segment, SegmentHeader const* next, Check check, Chained& reached,
                                           std::uint64_t& end, std::function<bool(SegmentWalk const&)> const& visit = {});
// Looks behind a place where a walk of the newest segment ended for a batch which says that the place was durable once.
struct Evidence {
    bool was_durable = false;
    std::uint64_t last_nonzero = 0;  // offset behind the last byte that isn't zero
    Position last = 0;               // highest position that a batch header there speaks of
};
Result<Evidence> look_behind(File& file, SegmentHeader const& header, std::uint64_t offset);

// Brings a directory into a state to append to: checks the newest two segments, tells a torn tail from damage, and writes the
// tail anew before it syncs it, because what an earlier process failed to sync may be in the page cache only.
Result<Recovered> recover(Disk& disk, std::string const& directory);

}  // namespace gantry::log
