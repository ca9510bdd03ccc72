#include <fmt/format.h>

#include <memory>

#include "app/commands/commands.h"
#include "app/exit_codes.h"
#include "app/new_service.h"
#include "app/problems.h"
#include "app/terminal.h"
#include "kernel/base/record.h"
#include "kernel/codec/json.h"

namespace gantry::app {
namespace {

struct NewServiceReply {
    std::vector<std::string> made, changed;
};
RECORD(NewServiceReply, made, changed);

int make_service(std::string const& name, bool as_json) {
    auto made = new_service(".", name);
    if (!made) {
        complain(made.error());
        return made.error().status == 400 ? exit_usage : exit_failed;
    }
    if (as_json) return print(codec::to_json(NewServiceReply{made->made, made->changed}) + "\n") ? exit_ok : exit_failed;
    std::string text;
    for (auto const& path : made->made) text += fmt::format("made     {}\n", path);
    for (auto const& path : made->changed) text += fmt::format("changed  {}\n", path);
    text += fmt::format(
        "\nNext: tools/tidy.py --update (its error codes join docs/errors.md), make test, make run and http://127.0.0.1:8080/#/{}\n", name);
    return print(text) ? exit_ok : exit_failed;
}

}  // namespace

void add_new(CLI::App& app, Action& action) {
    auto* command = app.add_subcommand("new", "Begin something new in a checkout of the sources.");
    command->require_subcommand(1);
    auto* service = command->add_subcommand("service", "A service: facts, state, routes, a test, a page and a README, ready to run.");
    auto name = std::make_shared<std::string>();
    auto json = std::make_shared<bool>();
    service->add_option("NAME", *name, "Its folder, its prefix and its log: 2 to 30 characters of [a-z0-9].")->required();
    service->add_flag("--json", *json, "One JSON object.");
    service->callback([&action, name, json] { action = [=] { return make_service(*name, *json); }; });
}

}  // namespace gantry::app
