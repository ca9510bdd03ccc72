#pragma once
#include <optional>
#include <string>
#include <string_view>

namespace gantry::app {

// A problem document (RFC 9457) for people: "404 note_not_found: there is no note…", each fault on a line of its own, then the ids to quote
// when asking for help. Nothing when the body isn't one.
std::optional<std::string> problem_text(std::string_view body, int status);

}  // namespace gantry::app
