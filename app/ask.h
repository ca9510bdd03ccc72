#pragma once
#include <string>
#include <string_view>

#include "kernel/base/result.h"

namespace gantry::app {

// One request to a server, its answer's JSON. A problem document comes as the Problem that it is; without an answer
// "server_unreachable", with what to do.
struct Ask {
    std::string server, method, target, body = {};
    std::int64_t timeout_s = 60;  // 0: none
};
Result<std::string> ask(Ask const& ask);

}  // namespace gantry::app
