#include "app/commands/log.h"

#include "app/commands/commands.h"
#include "app/commands/log_place.h"

namespace gantry::app {

void add_log_options(CLI::App& command, LogOptions& options) {
    command.add_option("--data", options.data, "Directory of all data.")
        ->type_name("DIR")
        ->envname("GANTRY_SERVER_DATA")
        ->capture_default_str();
    command.add_option("--site", options.site, "Site.")->capture_default_str();
    command.add_flag("--json", options.json, "For programs: one JSON object, or one a line.");
    command.add_option("SERVICE", options.service, "Whose log.")->required();
}

void add_log(CLI::App& app, Action& action) {
    auto* command = app.add_subcommand("log", "Look at logs and take care of them.");
    command->require_subcommand(1);
    add_log_ls(*command, action);
    add_log_cat(*command, action);
    add_log_tail(*command, action);
    add_log_verify(*command, action);
    add_log_repair(*command, action);
    add_log_export(*command, action);
    add_log_import(*command, action);
    add_log_upgrade(*command, action);
}

}  // namespace gantry::app
