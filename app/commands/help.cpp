#include <fmt/format.h>

#include <memory>
#include <string>
#include <vector>

#include "app/commands/commands.h"
#include "app/commands/man_page.h"
#include "app/exit_codes.h"
#include "app/terminal.h"
#include "kernel/codec/json.h"

namespace gantry::app {
namespace {

int unknown(std::vector<std::string> const& path, std::string const& name, std::vector<std::string> const& known) {
    std::vector<std::string_view> const views(known.begin(), known.end());
    auto near = codec::nearest(name, views);
    complain(fmt::format("there is no command '{}'{}", fmt::join(path, " "), near.empty() ? "" : fmt::format(", did you mean {}?", near)));
    return exit_usage;
}

int help_on(CLI::App& app, std::vector<std::string> const& path) {
    CLI::App* at = &app;
    std::string before;  // what the usage line says in front of the command's own name
    for (auto const& name : path) {
        std::vector<std::string> known;
        CLI::App* found = nullptr;
        for (auto* sub : at->get_subcommands([](CLI::App*) { return true; })) {
            known.push_back(sub->get_name());
            if (sub->get_name() == name) found = sub;
        }
        if (!found) return unknown(path, name, known);
        before += (before.empty() ? "" : " ") + at->get_name();
        at = found;
    }
    // Not at->help(): of the program that would be the help on the subcommand that was given, this one.
    auto const text =
        at->get_formatter()->make_help(at, before.empty() ? at->get_name() : before + " " + at->get_name(), CLI::AppFormatMode::Normal);
    return print(text) ? exit_ok : exit_failed;
}

}  // namespace

void add_help(CLI::App& app, Action& action) {
    auto* command = app.add_subcommand("help", "Explain a command: gantry help log cat.");
    auto path = std::make_shared<std::vector<std::string>>();
    auto man = std::make_shared<bool>();
    auto* named = command->add_option("command", *path, "The command.");
    command->add_flag("--man", *man, "The manual page of all commands, for man: gantry help --man | man -l -")->excludes(named);
    command->callback([&app, &action, path, man] {
        action = [&app, path, man]() -> int {
            if (*man) return print(man_page(app)) ? exit_ok : exit_failed;
            return help_on(app, *path);
        };
    });
}

}  // namespace gantry::app
