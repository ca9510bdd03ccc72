#pragma once
#include <optional>
#include <string>
#include <vector>

#include "app/server_option.h"
#include "kernel/config/config.h"
#include "kernel/runtime/replay.h"

// `gantry replay`: the moment of a report once more, from the log.
namespace gantry::app {

struct ReplayWanted {
    std::string id;
    std::string data;  // a data directory; only read
    std::string logs;  // where its logs are instead ([server] log = "file:DIR"); empty: there
    std::string site;  // empty: whichever has the report
    ServerOption server;
    bool ask_server = false;  // the report from its oops instead, and the log, where `data` has none
};

struct ReplayTold {
    std::string id, service, route;
    std::string report_build_id, this_build_id;
    runtime::SeenByDecision seen;
    runtime::ReportedCaller caller;
    std::uint64_t log_end = 0;
    std::vector<std::string> masked;
    std::string expected, got;               // "500 internal_error std::runtime_error: …"; "200 {…}"
    std::vector<std::string> events;         // that the decision would have recorded
    std::vector<observe::StackFrame> stack;  // of what was thrown this time
    bool same = false;
};
RECORD(ReplayTold, id, service, route, report_build_id, this_build_id, seen, caller, log_end, masked, expected, got, events, stack, same);

// `services`: those of this program. 404 "report_not_found" with where was looked; "report_of_others", "service_unknown",
// "replay_impossible", and what makes a log unreadable.
Result<ReplayTold> replay(ReplayWanted const& wanted, std::vector<runtime::ServiceDecl> const& services, config::Config const* config);

// For people.
std::string text_of(ReplayTold const& told);

}  // namespace gantry::app
