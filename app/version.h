#pragma once
#include <string_view>

namespace gantry::app {

std::string_view version();  // "0.1.0"

}  // namespace gantry::app
