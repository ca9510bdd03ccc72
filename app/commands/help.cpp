#include <fmt/format.h>

#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>

#include <memory>
#include <string>
#include <vector>

#include "app/commands/commands.h"
#include "app/exit_codes.h"
#include "app/terminal.h"

namespace gantry::app {
namespace {

int help_on(CLI::App& app, std::vector<std::string> const& path) {
    CLI::App* at = &app;
    for (auto const& name : path) {
        auto subs = at->get_subcommands([&](CLI::App* sub) { return sub->get_name() == name; });
        if (subs.empty()) return complain(fmt::format("there is no command '{}'", fmt::join(path, " "))), exit_usage;
        at = subs.front();
    }
    return print(help_of(*at)) ? exit_ok : exit_failed;
}

}  // namespace

std::string help_of(CLI::App const& command) {
    std::string path;
    for (auto const* at = &command; at; at = at->get_parent()) path = path.empty() ? at->get_name() : at->get_name() + " " + path;
    return command.get_formatter()->make_help(&command, path, CLI::AppFormatMode::Normal);
}

void add_help(CLI::App& app, Action& action) {
    auto* command = app.add_subcommand("help", "Explain a command: gantry help log cat.");
    auto path = std::make_shared<std::vector<std::string>>();
    command->add_option("command", *path, "The command.");
    command->callback([&app, &action, path] { action = [&app, path] { return help_on(app, *path); }; });
}

}  // namespace gantry::app
