#pragma once
#include <CLI/App.hpp>
#include <string>

namespace gantry::app {

// gantry(1) as roff, of the tree of commands below `app` and the keys of the configuration: what the page says is what the parser takes.
std::string man_page(CLI::App& app);

}  // namespace gantry::app
