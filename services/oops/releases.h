#pragma once
#include <string_view>

namespace gantry::oops {

// Below 0: `a` came before `b`.
int compare_releases(std::string_view a, std::string_view b);

}  // namespace gantry::oops
