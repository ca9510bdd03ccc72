#pragma once
#include <cstdint>
#include <optional>
#include <string_view>

#include "kernel/observe/metrics_writer.h"

// What the kernel of the machine says of this process, under the names that every Prometheus client library gives it.
namespace gantry::observe {

// What couldn't be read is absent, and so is its metric.
struct ProcessFigures {
    std::optional<double> cpu_seconds, start_time_seconds;  // user and system; since the epoch
    std::optional<std::uint64_t> resident_bytes, virtual_bytes, open_fds, max_fds, threads;
};

// `stat`: /proc/self/stat; `system_stat`: /proc/stat. The name in `stat` may hold anything, even ") R 1".
void parse_process_stat(std::string_view stat, std::string_view system_stat, ProcessFigures& figures);

ProcessFigures read_process_figures();
void write_process_metrics(MetricsWriter& writer, ProcessFigures const& figures);

}  // namespace gantry::observe
