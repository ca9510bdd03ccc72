#pragma once
#include <vector>

#include "kernel/runtime/service_decl.h"

namespace gantry::app {

// Every service of this program, in the order in which it starts.
std::vector<runtime::ServiceDecl> all_services();

}  // namespace gantry::app
