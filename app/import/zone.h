#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "kernel/base/result.h"
#include "kernel/base/time.h"

namespace gantry::import {

// A wall-clock time without a zone, as a log writes it.
struct LocalTime {
    int year = 0;
    unsigned month = 0, day = 0;
    int hour = 0, minute = 0, second = 0;
    bool operator==(LocalTime const&) const = default;
};
// "YYYY-MM-DD HH:MM:SS" at the start of `text`; nothing when it is no date of the calendar. Second 60 is let through.
std::optional<LocalTime> parse_local_time(std::string_view text);

// Turns local times into moments. While one lives, TZ of this process is its zone: make one, at the start of a command, before any other
// thread, and use it from one thread.
class Zone {
   public:
    // "": the host's zone. Problem: 400 zone_unknown.
    static Result<Zone> open(std::string_view name);
    Zone(Zone&&) noexcept;
    ~Zone();

    // The moment of `local`. A time that the clock showed twice (end of summer time) is the first one that isn't before `previous`; a
    // time that it never showed (start of summer time) is read with the offset before the change.
    Time resolve(LocalTime const& local, Time previous);

   private:
    Zone() = default;
    std::optional<std::string> tz_before_;
    bool changed_ = false;
    // The minute converted last: logs have many lines a minute.
    LocalTime minute_;
    Time minutes_[2];  // first and second time that the clock showed it
    bool twice_ = false;
};

}  // namespace gantry::import
