#pragma once
#include <CLI/App.hpp>
#include <functional>
#include <memory>

#include "app/settings.h"

namespace gantry::app {

// Gives a subcommand --config FILE, every key as --section.some-name, and the short names of [server]: --data, --listen, --log. What is not
// declared goes through, so that the configuration itself names the nearest key.
std::shared_ptr<GivenSettings> add_settings_options(CLI::App& command);
// After parsing: adds what went through undeclared, or says why it can't and gives exit_usage.
int with_settings(CLI::App const& command, GivenSettings given, std::function<int(GivenSettings const&)> const& run);

}  // namespace gantry::app
