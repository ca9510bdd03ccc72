#pragma once
#include <string>

#include "kernel/base/result.h"

namespace gantry::app {

// The first line of `file`; of standard input when that is empty. A terminal is asked twice, without echo. 400 "usage" when there is
// none, or the two differ.
Result<std::string> read_password(std::string const& file);

}  // namespace gantry::app
