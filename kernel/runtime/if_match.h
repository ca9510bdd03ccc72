#pragma once
#include <string>
#include <string_view>

#include "kernel/runtime/host.h"

namespace gantry::runtime {

// Whether `etag` is in an If-Match list (RFC 9110 §13.1.1): strong comparison, so a weak one never matches; "*" takes whatever is there.
// An empty etag says that nothing is there.
bool etag_listed(std::string_view list, std::string_view etag);

// The ETag of what a GET at the command's path would answer now; empty when it answers a problem. The caller holds the service's lock.
Result<std::string> etag_under_lock(Host const& host, Request const& request, Ctx const& ctx, void const* state);

}  // namespace gantry::runtime
