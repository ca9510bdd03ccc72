#pragma once
#include <string>

#include "kernel/base/random.h"
#include "kernel/log/file/segment.h"

namespace gantry::log {

// Writes a log that nobody has open: for import, upgrade and repair. A segment is put together in memory and appears in the
// directory whole and durable.
class LogWriter {
   public:
    // `from` is what the first batch continues, `number` that of the first segment.
    LogWriter(Disk& disk, std::string directory, Options options, Clock& clock, Random& random, Chained from = {}, std::uint64_t number = 1);
    // Takes an encoded batch (its place is sealed here). Another incarnation or other schemas begin another segment.
    Result<void> add(std::string_view encoded, std::string_view schemas);
    // Encodes a batch without events behind all others, as the first of a new history.
    Result<void> begin_incarnation(Incarnation incarnation, std::string_view note, std::string_view schemas);
    Result<void> finish();
    Chained const& reached() const { return reached_; }

   private:
    void begin(Incarnation incarnation, std::string_view schemas);
    Result<void> flush();
    Disk& disk_;
    std::string directory_;
    Options options_;
    Clock& clock_;
    Random& random_;
    Chained reached_;
    std::uint64_t number_;
    SegmentHeader header_;
    std::string bytes_;  // of the segment in hand; empty: none
};

}  // namespace gantry::log
