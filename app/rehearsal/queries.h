#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "kernel/base/result.h"
#include "kernel/log/log.h"

namespace gantry::app::rehearsal {

struct Query {
    std::string target;  // without as_of
    std::string as_of;   // as it was given; empty: after the last event
};

// One path a line, as_of in it or not; blank lines and those that begin with # are nothing. Or the lines of an access log, of which each
// GET is taken once, without its as_of. 400 "rehearsal_queries_malformed" has a fault for each line that is none, its pointer the number.
Result<std::vector<Query>> parse_queries(std::string_view text);

// The position that an as_of means: a position, one with its incarnation ("x7….17"), or an RFC 3339 time. The fault says what was expected.
Result<log::Position> position_of(std::string_view as_of, log::Log const& log);

}  // namespace gantry::app::rehearsal
