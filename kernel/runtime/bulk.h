#pragma once
#include <string_view>

#include "kernel/http/server.h"
#include "kernel/runtime/edge.h"

namespace gantry::runtime {

// Many commands in one request. Lines (application/x-ndjson): each line is a command with its own result, answered as a line
//     {"line":3,"status":200,"reply":{…}}    or    {"line":4,"status":422,"problem":{…}}
// in the order of the lines, while the body is still coming; a line above 1 MiB is 413 and the rest goes on; at most 1024 commands are
// under way at once. Array: the same with "index" from 0, answered as one array. With an Idempotency-Key each command has the key
// followed by "#" and its number. Past the caller's deadline (deadline.h) nothing more is begun: each later command is 504. With
// "Gantry-Answer: after-body" nothing is told before the whole body has come: for proxies that read of no answer while they send (nginx,
// Apache). At most 16 MiB of results are held; the last line, 413 "bulk_too_large", says where it ended.
bool is_array(std::string_view body);  // tells the forms apart when the type is JSON

}  // namespace gantry::runtime
