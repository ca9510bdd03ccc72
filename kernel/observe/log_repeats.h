#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "kernel/base/time.h"
#include "kernel/observe/log_line.h"

namespace gantry::observe {

// The same line over and over (level, module and message; the fields don't count): the first ten of ten seconds are written, the rest is
// counted. Not safe from several threads.
class Repeats {
   public:
    static constexpr std::uint32_t written_max = 10;
    static constexpr Duration window = Duration::seconds(10);
    static constexpr std::size_t lines_max = 512;          // watched at a time; a line beyond these is written
    static constexpr std::size_t message_bytes_max = 512;  // a longer one is written
    enum class Which { ended, all };

    // What was not written of one line in one window.
    struct Ended {
        Level level;
        std::string module, message;
        std::uint64_t times = 0;
        Time first, last;
    };

    static std::uint64_t hash(Level level, std::string_view module, std::string_view message);
    // Whether the line is to be written. `steady_ns` never goes back.
    bool take(std::uint64_t hash, Level level, std::string_view module, std::string_view message, Time wall, std::int64_t steady_ns);
    // Forgets the windows that have ended (or all), and says what they kept back.
    std::vector<Ended> end(std::int64_t steady_ns, Which which);
    // Whether end() has something to do.
    bool due(std::int64_t steady_ns) const { return steady_ns >= next_end_ns_; }

   private:
    struct Line {
        Ended kept;
        std::uint32_t written = 0;
        std::int64_t ends_ns = 0;
    };
    std::unordered_map<std::uint64_t, Line> lines_;
    std::int64_t next_end_ns_ = INT64_MAX;
    std::vector<Ended> ended_early_;  // of lines that began a new window before end() was called
};

}  // namespace gantry::observe
