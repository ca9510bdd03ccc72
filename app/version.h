#pragma once
#include <string_view>

namespace gantry::app {

std::string_view version();   // "0.1.0"
std::string_view revision();  // of the sources, where they lay under git; else empty

}  // namespace gantry::app
