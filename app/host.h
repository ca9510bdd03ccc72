#pragma once
#include <string>
#include <vector>

#include "app/settings.h"
#include "kernel/base/result.h"
#include "kernel/config/config.h"

// What the command line needs of the services and of the process that hosts them (kernel/runtime).
namespace gantry::app {

std::vector<std::string> service_names();                            // of app/services.cpp, in that order
Result<void> check_services(std::vector<std::string> const& names);  // "service_unknown", with the nearest known name
std::vector<config::Section> service_sections();                     // of those that have settings

// What must hold of the values besides their types, before anything is started: "config_invalid" with whose value it was.
Result<void> check_settings(config::Config const& config);

// Serves until SIGTERM or SIGINT, and gives the exit code. `services`: names, each known; empty: all. Prints "listening http://ADDR:PORT"
// on standard output once the server is ready.
int host_services(config::Config& config, GivenSettings const& given, std::vector<std::string> const& services);

}  // namespace gantry::app
