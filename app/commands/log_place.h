#pragma once
#include <CLI/App.hpp>
#include <memory>
#include <string>

namespace gantry::app {

// Which log a command means, as its options say.
struct LogOptions {
    std::string data = "./data";
    std::string site = "main";
    std::string service;
    bool json = false;
    std::string directory() const { return data + "/" + site + "/" + service + "/log"; }
};
// --data, --site, --json, and SERVICE.
void add_log_options(CLI::App& command, LogOptions& options);

}  // namespace gantry::app
