#include "app/problems.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string_view>

#include "app/terminal.h"

namespace gantry::app {

Exit exit_of(Problem const& problem) {
    if (problem.code == "server_unreachable") return exit_unreachable;
    if (problem.code == "usage") return exit_usage;
    constexpr std::array<std::string_view, 19> refused = {
        "data_locked",     "data_format",        "data_on_network",        "log_damaged",
        "log_format",      "clock_behind",       "import_damaged",         "event_schema_malformed",
        "log_exists",      "event_type_unknown", "event_shape_unreadable", "keys_damaged",
        "key_damaged",     "erasures_damaged",   "backup_damaged",         "data_exists",
        "callers_invalid", "callers_exposed",    "flags_damaged"};
    return std::ranges::find(refused, problem.code) != refused.end() ? exit_data : exit_failed;
}

void complain(Problem const& problem) {
    std::string said = problem.detail.empty() ? problem.code : problem.detail;
    if (!problem.cause.empty() && problem.cause != problem.detail) said += fmt::format(" ({})", problem.cause);
    for (auto const& fault : problem.faults) said += fmt::format("\n  {}: {}", fault.pointer, fault.detail);
    complain(said);
}

}  // namespace gantry::app
