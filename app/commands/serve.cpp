#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "app/commands/commands.h"
#include "app/commands/settings_options.h"
#include "app/exit_codes.h"
#include "app/host.h"
#include "app/settings.h"
#include "app/terminal.h"
#include "kernel/codec/json.h"

namespace gantry::app {
namespace {

bool all_known(std::vector<std::string> const& names) {
    auto const known = service_names();
    std::vector<std::string_view> views(known.begin(), known.end());
    for (auto const& name : names) {
        if (std::ranges::find(known, name) != known.end()) continue;
        auto near = codec::nearest(name, views);
        complain(fmt::format("there is no service '{}'{}", name, near.empty() ? "" : fmt::format(", did you mean {}?", near)));
        return false;
    }
    return true;
}

int serve(GivenSettings const& given, std::vector<std::string> services) {
    config::Config config = declared_config();
    if (!load_config(config, given)) return exit_usage;
    if (services.empty()) services = config.get<ServerSettings>("server").services;
    if (!all_known(services)) return exit_usage;
    return host_services(config, services);
}

}  // namespace

void add_serve(CLI::App& app, Action& action) {
    auto* command = app.add_subcommand("serve", "Serve all services, or those that are named.");
    auto services = std::make_shared<std::vector<std::string>>();
    command->add_option("SERVICE", *services, "Names of services.");
    auto given = add_settings_options(*command);
    command->callback([&action, command, services, given] {
        action = [=] { return with_settings(*command, *given, [&](GivenSettings const& s) { return serve(s, *services); }); };
    });
}

}  // namespace gantry::app
