#include <memory>
#include <string>
#include <vector>

#include "app/commands/commands.h"
#include "app/commands/settings_options.h"
#include "app/exit_codes.h"
#include "app/host.h"
#include "app/problems.h"
#include "app/settings.h"
#include "app/terminal.h"

namespace gantry::app {
namespace {

int serve(GivenSettings const& given, std::vector<std::string> services) {
    config::Config config = declared_config();
    if (!load_config(config, given)) return exit_usage;
    if (auto fine = check_settings(config); !fine) return complain(config::explain(fine.error())), exit_usage;
    if (auto known = check_services(services); !known) return complain(known.error()), exit_usage;
    if (services.empty()) services = config.get<ServerSettings>("server").services;
    return host_services(config, given, services);
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
