#pragma once
#include "services/oops/builder.h"

// The ancestors' dictionary as JSON, which programs send that have no BSON: the same members, with `frames` of the exception and
// `exceptions` that led to it (`{type, value, frames}`, the cause first) beside them.
namespace gantry::oops {

// Problems: those of JsonTree::read, and 400 "oops_invalid" naming the path and what would be right there.
Result<Report> read_oops_json(std::string_view json, ReadOptions const& options);

// What the program couldn't send since it last could, by reason (`lost: {spool_full: 3}`); nothing where it isn't told.
struct Lost {
    std::string reason;
    std::uint64_t count = 0;
};
std::vector<Lost> lost_in_oops_json(std::string_view json);

}  // namespace gantry::oops
