#pragma once
#include <optional>
#include <string>
#include <string_view>

namespace gantry::testing {

// What stands at an RFC 6901 pointer ("/items/0/id") in a JSON text: a text without its quotes, anything else as compact JSON. Nothing when
// the place isn't there.
std::optional<std::string> json_at(std::string_view json, std::string_view pointer);

}  // namespace gantry::testing
