#pragma once
#include <vector>

#include "kernel/runtime/reports.h"

// What reports tell of a request and who made it: nothing that lets its reader do what they may do.
namespace gantry::runtime {

ReportedCaller reported_caller(Viewer const* viewer, EdgeCaller const* caller);
// `decl`: its route; null: it came to none. Headers that may be credentials are named, and masked; so are values of the query unless they
// belong to plain fields of the route's input, and segments of the path that are secret or personal.
ReportedRequest reported_request(RequestFacts const& facts, RouteDecl const* decl);
std::vector<ReportedSpan> reported_timeline(observe::RequestTrace const& trace, RouteDecl const* decl);

}  // namespace gantry::runtime
