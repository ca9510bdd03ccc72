#pragma once
#include <span>
#include <string>

#include "kernel/base/result.h"

namespace gantry::runtime {

// A site is a directory and a label of a host name: 1 to 63 of a-z, 0-9 and '-', a letter first, no '-' at the end, and not "localhost".
// 400 "site_name_invalid", also for one that is named twice.
Result<void> check_site_names(std::span<std::string const> names);

}  // namespace gantry::runtime
