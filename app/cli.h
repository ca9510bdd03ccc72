#pragma once

namespace gantry::app {

// The whole program but main(): parses, runs, and gives the exit code.
int run(int argc, char const* const* argv);

}  // namespace gantry::app
