#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

namespace gantry::import {

// Where an import of a log stands: its last line, named by what survives rotation, compression and renaming:
//
//     2026-10-25 02:30:00#3.9f0c11d2     time as written, how many lines of the log up to it bear that time, hash of the line
//
// The count runs over the whole log, so that a clock set back, or an hour that comes twice, only counts on.
struct LogPosition {
    std::string time;
    std::uint64_t ordinal = 0;
    std::uint32_t hash = 0;
    static std::optional<LogPosition> parse(std::string_view text);
    std::string text() const;
};

// Counts the lines of a log, from its start.
class PositionCounter {
   public:
    void clear() { counts_.clear(), last_ = nullptr, key_ = 0; }
    // Call once for each line that starts with a time.
    void count(std::string_view line);
    std::uint64_t ordinal() const { return last_ ? *last_ : 0; }  // of the line counted last
    LogPosition position(std::string_view line) const;            // of the line counted last

   private:
    std::unordered_map<std::uint64_t, std::uint64_t> counts_;
    std::uint64_t key_ = 0;
    std::uint64_t* last_ = nullptr;
};

// Finds how many lines of a log lie at or before a position: give it all lines in order, then ask.
class PositionFinder {
   public:
    explicit PositionFinder(LogPosition wanted) : wanted_(std::move(wanted)) {}
    void line(std::string_view text);  // any line, malformed ones too ("" if its text is unknown)

    enum class Found {
        exactly,
        by_hash,    // the line is there, but fewer lines bear its time than did: the log's oldest part is gone
        by_time,    // the line is gone: everything newer than its time follows
        all_newer,  // even the oldest line is newer: something in between may be missing
        all_older,  // nothing here is newer
    };
    Found found() const;
    std::uint64_t lines_before() const;  // how many lines to leave out

   private:
    LogPosition wanted_;
    std::uint64_t lines_ = 0, ordinal_ = 0;
    std::optional<std::uint64_t> exact_, same_hash_, newer_;  // numbers of lines, from 1
    bool older_ = false;
};

}  // namespace gantry::import
