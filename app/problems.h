#pragma once
#include "app/exit_codes.h"
#include "kernel/base/result.h"

namespace gantry::app {

// The exit code of a failure: refused data has its own.
Exit exit_of(Problem const& problem);
// Its sentence, cause and faults on standard error.
void complain(Problem const& problem);

}  // namespace gantry::app
