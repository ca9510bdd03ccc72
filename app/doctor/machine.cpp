#include <fmt/format.h>
#include <sys/resource.h>
#include <sys/timex.h>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "app/doctor/check.h"
#include "app/log_reader.h"
#include "app/terminal.h"
#include "kernel/log/disk.h"

namespace gantry::app::doctor {
namespace {

std::optional<std::uint64_t> number(std::string_view text) {
    std::uint64_t n = 0;
    if (std::from_chars(text.data(), text.data() + text.size(), n).ec != std::errc()) return {};
    return n;
}

// "MemTotal:  123 kB" of /proc/meminfo.
std::optional<std::uint64_t> meminfo_bytes(std::string const& meminfo, std::string_view name) {
    std::istringstream in(meminfo);
    for (std::string word; in >> word;) {
        std::uint64_t kib = 0;
        if (word == fmt::format("{}:", name) && in >> kib) return kib << 10;
        std::getline(in, word);
    }
    return {};
}

// The least limit of the control groups above this process, of either version.
std::optional<std::uint64_t> group_limit(Machine const& machine) {
    std::optional<std::uint64_t> least;
    auto look = [&](std::string const& root, std::string path, char const* file) {
        for (;;) {
            if (auto n = number(text_of(root + path + "/" + file)); n && *n < (std::uint64_t{1} << 60))
                least = std::min(least.value_or(*n), *n);
            if (path.empty() || path == "/") return;
            path.resize(path.rfind('/'));
        }
    };
    std::istringstream groups(text_of(machine.proc + "/self/cgroup"));
    for (std::string line; std::getline(groups, line);) {
        auto const first = line.find(':'), second = line.find(':', first + 1);
        if (second == line.npos) continue;
        auto const controllers = line.substr(first + 1, second - first - 1), path = line.substr(second + 1);
        if (controllers.empty()) look(machine.sys + "/fs/cgroup", path, "memory.max");
        if (controllers == "memory") look(machine.sys + "/fs/cgroup/memory", path, "memory.limit_in_bytes");
    }
    return least;
}

struct Newest {
    Time at{};
    std::string log;
};
// The time of the newest event of all logs.
std::optional<Newest> newest_event(std::string const& data) {
    std::optional<Newest> newest;
    std::error_code ignored;
    for (auto const& site : std::filesystem::directory_iterator(data, ignored))
        for (auto const& service : std::filesystem::directory_iterator(site.path(), ignored)) {
            auto const directory = service.path().string() + "/log";
            auto reader = LogReader::open(log::system_disk(), directory, ~log::Position{0} - 1);
            if (!reader || !reader->advance([](auto const&) { return true; })) continue;
            if (!newest || newest->at < reader->last_time()) newest = Newest{reader->last_time(), directory};
        }
    return newest;
}

std::optional<bool> kernel_synchronised() {
    struct timex about{};
    int const state = ::adjtimex(&about);
    if (state < 0) return {};
    return state != TIME_ERROR && !(about.status & STA_UNSYNC);
}

Check check_time(std::string const& data, Time now) {
    constexpr Time this_program_is_younger{1'735'689'600'000'000};  // 2025
    auto const said = "the clock says " + format_time(now);
    if (now < this_program_is_younger)
        return wrong("clock", said, "set it (timedatectl set-ntp true): a certificate or token can't be judged now");
    auto const newest = newest_event(data);
    if (!newest) return fine("clock", said);
    auto const found = fmt::format("{}, and the newest event of {} is from {}", said, newest->log, format_time(newest->at));
    if (newest->at - now > Duration::days(1))
        return wrong("clock", found, "set the clock; if it is right, start once with --server.accept-clock-behind=true");
    if (newest->at - now > Duration::seconds(60))
        return wrong("clock", found, "serve refuses to start until the clock is that far; set it, or wait");
    return fine("clock", said);
}

}  // namespace

std::string text_of(std::string const& path) {
    std::ostringstream out;
    out << std::ifstream(path, std::ios::binary).rdbuf();
    return out.str();
}

std::vector<Check> check_clock(std::string const& data, Machine const& machine) {
    std::vector<Check> out{check_time(data, machine.clock->wall())};
    auto const synchronised = machine.synchronised ? machine.synchronised() : kernel_synchronised();
    if (!synchronised)
        out.push_back(fine("clock synchronisation", "the kernel doesn't say"));
    else if (*synchronised)
        out.push_back(fine("clock synchronisation", "the kernel calls the clock synchronised"));
    else
        out.push_back(warn("clock synchronisation", "the kernel calls the clock unsynchronised",
                           "timedatectl set-ntp true, or install chrony; in a container: on the machine below"));
    return out;
}

std::vector<Check> check_limits(std::uint64_t connections) {
    constexpr std::uint64_t own_files = 512;  // logs, snapshots, threads' own
    std::vector<Check> out;
    struct rlimit files{}, core{};
    ::getrlimit(RLIMIT_NOFILE, &files), ::getrlimit(RLIMIT_CORE, &core);
    auto const needed = connections + own_files;
    auto const found =
        fmt::format("{} open files, and [http] connections = {} with the program's own needs {}", files.rlim_cur, connections, needed);
    auto const remedy = fmt::format("LimitNOFILE={} in the unit, or ulimit -n {}, or a smaller [http] connections", needed, needed);
    if (files.rlim_cur < own_files)
        out.push_back(wrong("open files", found, remedy));
    else if (files.rlim_cur < needed)
        out.push_back(warn("open files", found, remedy));
    else
        out.push_back(fine("open files", found));
    if (core.rlim_cur == 0)
        out.push_back(fine("core files", "none are written"));
    else
        out.push_back(warn("core files", "a crash writes the memory, secrets and people in it, to a file",
                           "LimitCORE=0 in the unit, or ulimit -c 0, unless you want that"));
    return out;
}

std::vector<Check> check_memory(MemoryPlan const& plan, Machine const& machine) {
    std::vector<Check> out;
    auto const meminfo = text_of(machine.proc + "/meminfo");
    auto const total = meminfo_bytes(meminfo, "MemTotal").value_or(0), available = meminfo_bytes(meminfo, "MemAvailable").value_or(0);
    auto const group = group_limit(machine);
    auto const most = group ? std::min(*group, total) : total;
    auto const planned = plan.state_bytes + plan.history_bytes;
    auto const found = fmt::format("{} for this process{}, {} available; all services may take {} for states and {} for the past",
                                   format_bytes(most), group && *group < total ? " (its control group)" : "", format_bytes(available),
                                   plan.state_bytes ? format_bytes(plan.state_bytes) : "any amount", format_bytes(plan.history_bytes));
    auto const remedy = "lower [server] memory_max_mib or history_memory_max_mib, or give it more memory: else the kernel ends the process";
    if (plan.state_bytes > most)
        out.push_back(wrong("memory", found, remedy));
    else if ((plan.state_bytes && planned > most) || available < total / 20)
        out.push_back(warn("memory", found, remedy));
    else
        out.push_back(fine("memory", found));
    auto const swap = meminfo_bytes(meminfo, "SwapTotal").value_or(0), swap_free = meminfo_bytes(meminfo, "SwapFree").value_or(0);
    auto const swapped = fmt::format("{} of {} in use", format_bytes(swap - std::min(swap, swap_free)), format_bytes(swap));
    if (swap && swap_free < swap / 2)
        out.push_back(
            warn("swap", swapped + ": a read of the state that waits for the disk is slow", "MemorySwapMax=0 in the unit, or more memory"));
    else
        out.push_back(fine("swap", swap ? swapped : "none"));
    bool const always = text_of(machine.sys + "/kernel/mm/transparent_hugepage/enabled").find("[always]") != std::string::npos;
    if (always)
        out.push_back(warn("huge pages", "transparent huge pages are always used: memory grows, and making them stops threads",
                           "echo madvise > /sys/kernel/mm/transparent_hugepage/enabled"));
    else
        out.push_back(fine("huge pages", "not forced"));
    return out;
}

}  // namespace gantry::app::doctor
