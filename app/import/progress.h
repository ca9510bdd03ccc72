#pragma once
#include <cstdint>
#include <cstdio>
#include <string>
#include <string_view>

#include "kernel/base/time.h"

namespace gantry::import {

// How far an import is: on a terminal one line, redrawn, with a bar, the rate and the time left; elsewhere a line every few seconds.
class Progress {
   public:
    enum class To { terminal, file, nothing };
    Progress(std::FILE* out, To to, Clock const& clock) : out_(out), to_(to), clock_(clock) {}
    // `done` and `total` in one unit; total 0: unknown.
    void update(std::uint64_t done, std::uint64_t total, std::uint64_t reports);
    // A line of its own.
    void say(std::string_view text);
    void finish();  // ends the redrawn line
    std::int64_t elapsed_us() const { return start_ns_ < 0 ? 0 : (clock_.steady_ns() - start_ns_) / 1000; }

    // "[#####-----] 50 %  1,234 reports  617/s  2s left"
    static std::string line(std::uint64_t done, std::uint64_t total, std::uint64_t reports, std::int64_t elapsed_us,
                            std::uint64_t done_at_start);

   private:
    void clear_line();
    std::FILE* out_;
    To to_;
    Clock const& clock_;
    std::int64_t start_ns_ = -1, shown_ns_ = -1;
    std::uint64_t done_at_start_ = 0, reports_shown_ = 0;
    bool drawn_ = false;
};

}  // namespace gantry::import
