#pragma once
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "kernel/base/record.h"
#include "kernel/base/time.h"

// What `gantry doctor` looks at. Each check looks and changes nothing (the disk's is timed by a file that is gone at once), says what it
// found, and, unless all is well, what to do.
namespace gantry::app::doctor {

enum class Verdict { ok, warning, problem };
ENUM(Verdict, ok, warning, problem);

struct Check {
    std::string name;  // "data directory"
    Verdict verdict = Verdict::ok;
    std::string found, remedy;
};
RECORD(Check, name, verdict, found, remedy);

inline Check fine(std::string name, std::string found) { return {std::move(name), Verdict::ok, std::move(found), {}}; }
inline Check warn(std::string name, std::string found, std::string remedy) {
    return {std::move(name), Verdict::warning, std::move(found), std::move(remedy)};
}
inline Check wrong(std::string name, std::string found, std::string remedy) {
    return {std::move(name), Verdict::problem, std::move(found), std::move(remedy)};
}

// Where the checks look: a test gives folders and answers of its own.
struct Machine {
    std::string proc = "/proc", sys = "/sys";
    Clock* clock = &system_clock();
    std::function<std::optional<bool>()> synchronised;  // whether the kernel calls its clock so; nothing: it doesn't say. Empty: adjtimex
};

// The content of a small file, or empty.
std::string text_of(std::string const& path);

// --- the data directory (data.cpp, disk.cpp)
std::vector<Check> check_data(std::string const& data, Machine const& machine);
// The process that has the data open, 0 when none has.
int holder_of(std::string const& data);
Check judge_space(std::uint64_t free_bytes, std::uint64_t bytes, std::uint64_t free_inodes, std::uint64_t inodes);
Check judge_syncs(std::int64_t p50_us, std::int64_t p99_us);
Check check_backup(std::string const& data, Time now);
Check check_scrub(std::string const& data, Duration every, Time now);

// --- the machine (machine.cpp)
std::vector<Check> check_clock(std::string const& data, Machine const& machine);
std::vector<Check> check_limits(std::uint64_t connections);
struct MemoryPlan {
    std::uint64_t state_bytes = 0, history_bytes = 0;  // the most that all services together may take; state 0: no limit
};
std::vector<Check> check_memory(MemoryPlan const& plan, Machine const& machine);

// --- the network (port.cpp, certificates.cpp)
// `own` is the process that has the data open: it may have the port, too.
Check check_port(std::string const& host, std::uint16_t port, int own, Machine const& machine);
std::vector<Check> check_certificates(std::string const& certificate_file, std::string const& key_file, Time now);

}  // namespace gantry::app::doctor
