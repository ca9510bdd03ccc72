#pragma once
#include <string>
#include <string_view>

#include "kernel/runtime/service_decl.h"

namespace gantry::runtime {

// The OpenAPI 3.1 document of one version of a service's routes.
std::string openapi(ServiceDecl const& decl, Version version, std::string_view server_version);

}  // namespace gantry::runtime
