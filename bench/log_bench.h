#pragma once
#include <cstddef>
#include <cstdint>
#include <string>

namespace gantry::bench {

// Durable append and scan of the file log, beside what the bare calls of the operating system do on the same file system.
struct LogFigures {
    double growing_per_s = 0;   // bare loop: write one group, fdatasync, into a growing file
    double prepared_per_s = 0;  // the same over and over into one zero-filled file of 64 MiB, whose preparation isn't counted
    double append_per_s = 0;  // the log: append `batch` batches, wait until they are durable, in a loop
    double busy_per_s = 0;    // the log: appends from one thread go on while groups are committed
    double scan_gb_per_s = 0;
    double scan_batches_per_s = 0;
};
// `batches_a_group` batches of one event of `payload_bytes` each, for about `seconds` a figure, in a fresh directory under `directory`.
LogFigures measure_log(std::string const& directory, std::size_t batches_a_group, std::size_t payload_bytes, double seconds);

}  // namespace gantry::bench
