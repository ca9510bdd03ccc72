#pragma once
#include <optional>
#include <string>
#include <vector>

#include "kernel/runtime/failure_report.h"
#include "kernel/runtime/host.h"

// A failed request once more: the same decision, on the state that it saw, with the time, the ids and the rights that it had. Nothing is
// recorded and nothing leaves.
namespace gantry::runtime {

// Which of a host's routes a report is about; null: it has none of that name (any more).
RouteDecl const* route_of(ServiceDecl const& decl, FailureReport const& report);

struct Replayed {
    Result<Answer> outcome;
    std::vector<std::string> events;  // types of those that would have been recorded
    std::optional<ReportedException> exception;
    std::vector<observe::StackFrame> stack;  // of the throw; empty without one
    bool in_apply = false;                   // the decision went well, and folding its events failed
};

// `host`: never started, over a log that is only read; `state`: as it was after the report's position, which this changes. The service's
// files (full-text index) aren't there: a search answers 503 "text_unavailable".
// 400 "replay_impossible": the report has no input, or is of a kind that isn't replayed.
Result<Replayed> replay_request(Host const& host, Folded& state, RouteDecl const& route, FailureReport const& report,
                                codec::HashKey const& hash_key, codec::Sealer const* sealer, void const* settings);

// Where a debugger stops, just before the decision.
extern "C" void gantry_replay_decides();

}  // namespace gantry::runtime
