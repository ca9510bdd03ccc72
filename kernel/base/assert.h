#pragma once
// Bugs end the process, in release too: a state that cannot be is never written down or answered from.
namespace gantry {
[[noreturn]] void assertion_failed(char const* expression, char const* file, int line, char const* why) noexcept;
}
#define GANTRY_ASSERT(expression, why) ((expression) ? void(0) : ::gantry::assertion_failed(#expression, __FILE__, __LINE__, (why)))
