#pragma once
#include <string>

#include "app/doctor/check.h"

namespace gantry::app::doctor {

// How long a block and its sync take in this directory, measured for half a second at most.
Check check_disk(std::string const& directory, Clock const& clock);

}  // namespace gantry::app::doctor
