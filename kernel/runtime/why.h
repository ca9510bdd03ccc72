#pragma once
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "kernel/codec/json.h"
#include "kernel/observe/trace_store.h"
#include "kernel/runtime/host.h"

namespace gantry::runtime {

// Why something stands in a log, and what came of it: from a request, a report or a position up to what began it, and down to what
// followers and effects made of it. Of one site.

struct WhyCause {
    std::string service;
    Position position = 0;
};
RECORD(WhyCause, service, position);
// What one command, follower, effect or timer recorded.
struct WhyStep {
    std::uint32_t depth = 0;  // below what brought it about
    std::string kind;         // command, follower, effect, timer
    std::string service, position;
    Time time{};
    std::string caller, request_id, trace_id;
    std::vector<std::string> events;  // their types, up to 20
    std::uint64_t events_total = 0;
    std::optional<WhyCause> cause;
    bool asked = false;  // it is what was asked for
};
RECORD(WhyStep, depth, kind, service, position, time, caller, request_id, trace_id, events, events_total, cause, asked);
struct WhyTold {
    std::string asked;
    std::vector<WhyStep> steps;
    std::optional<codec::RawJson> report;  // of the failure that was asked for
    std::vector<codec::RawJson> traces;    // that are kept of the request
    bool complete = true;                  // false: the search ended at one of its limits
};
RECORD(WhyTold, asked, steps, report, traces, complete);

struct WhyParts {
    std::vector<Host*> hosts;
    std::string site = {};  // whose traces are told
    observe::TraceStore const* traces = nullptr;
    std::function<std::optional<std::string>(std::string_view oops_id)> report;  // its JSON
};
// `asked`: a request id, a trace id (32 hexadecimal digits), a report's id ("OOPS-…"), a position as Gantry-Position has it, or
// SERVICE=POSITION. 404 "why_unknown" when nothing is kept about it; those of a position that isn't there. Takes as long as reading logs
// does.
Result<WhyTold> why(WhyParts const& parts, std::string_view asked);

}  // namespace gantry::runtime
