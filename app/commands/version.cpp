#include <fmt/format.h>

#include <memory>

#include "app/commands/commands.h"
#include "app/exit_codes.h"
#include "app/terminal.h"
#include "app/version.h"
#include "kernel/codec/json.h"
#include "kernel/observe/symbols.h"

namespace gantry::app {
namespace {

struct VersionReply {
    std::string version, compiler, build, revision, build_id;
};
RECORD(VersionReply, version, compiler, build, revision, build_id);

VersionReply const& version_reply() {
    static VersionReply const reply{GANTRY_VERSION, "clang " __clang_version__, GANTRY_BUILD_TYPE, std::string(revision()),
                                    observe::own_build_id()};
    return reply;
}

}  // namespace

std::string_view version() { return GANTRY_VERSION; }

void add_version(CLI::App& app, Action& action) {
    auto* command = app.add_subcommand("version", "Say which release this is.");
    auto json = std::make_shared<bool>();
    command->add_flag("--json", *json, "One JSON object.");
    command->callback([&action, json] {
        action = [as_json = *json] {
            auto const& v = version_reply();
            auto text = as_json ? codec::to_json(v) + "\n" : fmt::format("gantry {} ({}, {})\n", v.version, v.build, v.compiler);
            return print(text) ? exit_ok : exit_failed;
        };
    });
}

}  // namespace gantry::app
