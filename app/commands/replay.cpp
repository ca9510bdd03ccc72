#include "app/replay.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "app/commands/commands.h"
#include "app/commands/settings_options.h"
#include "app/exit_codes.h"
#include "app/problems.h"
#include "app/services.h"
#include "app/settings.h"
#include "app/terminal.h"

namespace gantry::app {
namespace {

struct ReplayOptions {
    ReplayWanted wanted;
    bool json = false, debugger = false;
};

// Becomes gdb, which starts this program anew and stops just before the decision, and again where something is thrown.
int under_debugger(ReplayOptions const& o, GivenSettings const& given) {
    std::vector<std::string> words{"gdb",    "-q",
                                   "-ex",    "set breakpoint pending on",
                                   "-ex",    "break gantry_replay_decides",
                                   "-ex",    "catch throw",
                                   "-ex",    "run",
                                   "--args", "/proc/self/exe",
                                   "replay", o.wanted.id};
    char own[4096];
    if (auto const size = ::readlink("/proc/self/exe", own, sizeof own); size > 0) words[11].assign(own, std::size_t(size));
    if (!o.wanted.site.empty()) words.insert(words.end(), {"--site", o.wanted.site});
    if (o.wanted.ask_server) words.insert(words.end(), {"--url", o.wanted.server.url});
    if (!o.wanted.server.token_file.empty()) words.insert(words.end(), {"--token-file", o.wanted.server.token_file});
    if (!given.file.empty()) words.insert(words.end(), {"--config", given.file});
    words.insert(words.end(), {"--data", o.wanted.data});
    if (!o.wanted.logs.empty()) words.insert(words.end(), {"--log", "file:" + o.wanted.logs});
    std::vector<char*> argv;
    for (auto& word : words) argv.push_back(word.data());
    argv.push_back(nullptr);
    ::execvp("gdb", argv.data());
    complain(errno == ENOENT ? std::string("there is no gdb here: apt-get install gdb")
                             : fmt::format("gdb can't be started: {}", std::strerror(errno)));
    return exit_failed;
}

int replay(ReplayOptions o, GivenSettings const& given) {
    config::Config config = declared_config();
    if (!load_config(config, given)) return exit_usage;
    auto const server = config.get<ServerSettings>("server");
    o.wanted.data = server.data.str();
    if (server.log.view().starts_with("file:")) o.wanted.logs = server.log.view().substr(5);
    o.wanted.ask_server = !o.wanted.server.url.empty();
    if (o.debugger) return under_debugger(o, given);
    auto told = app::replay(o.wanted, all_services(), &config);
    if (!told) return complain(told.error()), exit_of(told.error());
    if (!print(o.json ? codec::to_json(*told) + "\n" : text_of(*told))) return exit_failed;
    return told->same ? exit_ok : exit_failed;
}

}  // namespace

void add_replay(CLI::App& app, Action& action) {
    auto* command =
        app.add_subcommand("replay", "Run the request of an error report again, on the state that it saw; nothing is recorded.");
    auto o = std::make_shared<ReplayOptions>();
    command->add_option("ID", o->wanted.id, "The report: what X-Oops-Id said.")->required();
    auto given = add_settings_options(*command);
    command->add_option("--url", o->wanted.server.url, "The server whose oops has the report; its log, too, where --data has none.")
        ->type_name("URL");
    command->add_option("--token-file", o->wanted.server.token_file, "File of a token for that server.")->type_name("FILE");
    command->add_option("--site", o->wanted.site, "Site. Default: whichever has the report.");
    command->add_flag("--debugger", o->debugger, "Under gdb, which stops before the decision, and where something is thrown.");
    command->add_flag("--json", o->json, "One JSON object.");
    command->callback([&action, o, given, command] {
        action = [o, given, command] { return with_settings(*command, *given, [o](GivenSettings const& all) { return replay(*o, all); }); };
    });
}

}  // namespace gantry::app
