#include <fmt/format.h>

#include <memory>

#include "app/ask.h"
#include "app/commands/commands.h"
#include "app/problems.h"
#include "app/server_option.h"
#include "app/terminal.h"
#include "kernel/codec/json.h"

namespace gantry::app {
namespace {

struct UpgradeOptions {
    ServerOption server;
    bool json = false;
};
struct OfService {
    std::string service;
    std::vector<std::string> events;
};
RECORD(OfService, service, events);
struct Told {
    bool finished = true;
    std::vector<OfService> unfinished;
};
RECORD(Told, finished, unfinished);

int upgrade(UpgradeOptions const& o, std::string method, std::string target) {
    auto answer = ask({o.server, std::move(method), std::move(target)});
    if (!answer) return complain(answer.error()), exit_of(answer.error());
    if (o.json) return print(*answer + "\n") ? exit_ok : exit_failed;
    auto told = read_answer<Told>(*answer);
    if (!told) return complain(told.error()), exit_failed;
    std::string out;
    for (auto const& service : told->unfinished)
        out += fmt::format("{} doesn't record {} yet\n", service.service, fmt::join(service.events, ", "));
    out += told->finished ? "finished: all that this release has may be recorded\n"
                          : "the release before still reads these logs; when you won't go back to it: gantry upgrade finish\n";
    return print(out) ? exit_ok : exit_failed;
}

}  // namespace

void add_upgrade(CLI::App& app, Action& action) {
    auto* command = app.add_subcommand("upgrade", "What a new release adds to the logs, and when it may.");
    command->require_subcommand(1);
    auto o = std::make_shared<UpgradeOptions>();
    auto add = [&](std::string const& name, std::string const& doc, std::string method, std::string target) {
        auto* sub = command->add_subcommand(name, doc);
        add_server_option(*sub, o->server);
        sub->add_flag("--json", o->json, "For programs: one JSON object.");
        sub->callback([&action, o, method, target] { action = [o, method, target] { return upgrade(*o, method, target); }; });
    };
    add("status", "Which events wait, so that the release before still starts.", "GET", "/_gantry/v1/upgrade");
    add("finish", "Record them from now on: the release before can't read what follows.", "POST", "/_gantry/v1/upgrade/finish");
}

}  // namespace gantry::app
