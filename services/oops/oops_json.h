#pragma once
#include "services/oops/builder.h"

// The ancestors' dictionary as JSON, which programs send that have no BSON: the same members, with `frames` of the exception and
// `exceptions` that led to it (`{type, value, frames}`, the cause first) beside them.
namespace gantry::oops {

// Problems: those of JsonTree::read, and 400 "oops_invalid" naming the path and what would be right there.
Result<Report> read_oops_json(std::string_view json, ReadOptions const& options);

}  // namespace gantry::oops
