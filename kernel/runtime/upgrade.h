#pragma once
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "kernel/base/result.h"
#include "kernel/runtime/admin.h"

// Going to a new release and back. A log names the event types that may be recorded in it: those that its first writer had, until a batch
// of kind `agreed` names others. What a new release adds waits for `gantry upgrade finish`.
//
//     note = u8 form (1) varint { string }          of a batch of kind `agreed`: the names, in the order of their numbers
namespace gantry::runtime {

std::string write_agreed(std::span<std::string const> names);
// "log_damaged" for what write_agreed didn't write.
Result<std::vector<std::string>> read_agreed(std::string_view note);

Problem unfinished_upgrade(std::string_view event_type);

class Host;
// GET upgrade, POST upgrade/finish.
std::vector<Admin::Route> upgrade_routes(std::function<std::vector<Host*>()> hosts);

}  // namespace gantry::runtime
