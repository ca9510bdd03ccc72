#include "kernel/base/assert.h"

#include <cstdio>
#include <cstdlib>

namespace gantry {
void assertion_failed(char const* expression, char const* file, int line, char const* why) noexcept {
    std::fprintf(stderr, "gantry: bug at %s:%d: %s (%s)\n", file, line, why, expression);
    std::abort();
}
}  // namespace gantry
