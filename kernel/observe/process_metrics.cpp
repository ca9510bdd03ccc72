#include "kernel/observe/process_metrics.h"

#include <sys/resource.h>
#include <unistd.h>

#include <charconv>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

namespace gantry::observe {
namespace {

std::optional<std::uint64_t> number(std::string_view text) {
    std::uint64_t n = 0;
    auto const [end, error] = std::from_chars(text.data(), text.data() + text.size(), n);
    return error == std::errc() && end != text.data() ? std::optional(n) : std::nullopt;
}

// The field `index` (from 0) of words set apart by a space.
std::optional<std::uint64_t> field(std::string_view words, int index) {
    while (index-- > 0) {
        auto const space = words.find(' ');
        if (space == words.npos) return std::nullopt;
        words.remove_prefix(space + 1);
    }
    return number(words);
}

std::string read_whole(char const* path) {
    std::ifstream in(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
}

}  // namespace

void parse_process_stat(std::string_view stat, std::string_view system_stat, ProcessFigures& figures) {
    auto const name_end = stat.rfind(')');
    if (name_end == stat.npos || name_end + 2 > stat.size()) return;
    auto const rest = stat.substr(name_end + 2);  // field 3 of proc(5), the state, comes first
    auto at = [&](int proc_field) { return field(rest, proc_field - 3); };
    double const ticks = double(::sysconf(_SC_CLK_TCK));
    if (auto user = at(14), system = at(15); user && system) figures.cpu_seconds = double(*user + *system) / ticks;
    figures.threads = at(20);
    figures.virtual_bytes = at(23);
    if (auto pages = at(24)) figures.resident_bytes = *pages * std::uint64_t(::sysconf(_SC_PAGESIZE));
    auto const boot = system_stat.find("\nbtime ");
    if (boot == system_stat.npos) return;
    auto const booted = number(system_stat.substr(boot + 7));
    if (auto started = at(22); started && booted) figures.start_time_seconds = double(*booted) + double(*started) / ticks;
}

ProcessFigures read_process_figures() {
    ProcessFigures figures;
    parse_process_stat(read_whole("/proc/self/stat"), read_whole("/proc/stat"), figures);
    std::error_code error;
    std::uint64_t fds = 0;
    for (std::filesystem::directory_iterator i("/proc/self/fd", error), end; !error && i != end; i.increment(error)) ++fds;
    if (!error && fds > 0) figures.open_fds = fds - 1;  // one was the reading itself
    rlimit limit{};
    if (::getrlimit(RLIMIT_NOFILE, &limit) == 0) figures.max_fds = limit.rlim_cur;
    return figures;
}

void write_process_metrics(MetricsWriter& writer, ProcessFigures const& figures) {
    auto write = [&](MetricKind kind, std::string_view name, std::string_view help, auto const& value) {
        if (value) writer.single(kind, name, help, *value);
    };
    using enum MetricKind;
    write(counter, "process_cpu_seconds_total", "Time that the process has spent on a CPU.", figures.cpu_seconds);
    write(gauge, "process_resident_memory_bytes", "Memory of the process that is in RAM.", figures.resident_bytes);
    write(gauge, "process_virtual_memory_bytes", "Address space of the process.", figures.virtual_bytes);
    write(gauge, "process_open_fds", "Open file descriptors.", figures.open_fds);
    write(gauge, "process_max_fds", "File descriptors that may be open.", figures.max_fds);
    write(gauge, "process_threads", "Threads of the process.", figures.threads);
    write(gauge, "process_start_time_seconds", "When the process started, in seconds since the epoch.", figures.start_time_seconds);
}

}  // namespace gantry::observe
