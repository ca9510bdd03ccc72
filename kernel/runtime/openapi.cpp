#include "kernel/runtime/openapi.h"

namespace gantry::runtime {

std::string openapi(ServiceDecl const&, Version, std::string_view) { return "{}"; }

}  // namespace gantry::runtime
