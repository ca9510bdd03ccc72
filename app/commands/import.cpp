#include "app/import/commands.h"

#include <memory>

#include "app/commands/commands.h"

namespace gantry::app {
namespace {

void add_common(CLI::App& command, import::CommonOptions& options) {
    command.add_option("--server", options.server, "The server.")->type_name("URL")->capture_default_str();
    command.add_option("--name", options.name, "Name of this import: what it is continued by. Default: its kind and this host's name.");
    command.add_flag("--json", options.json, "Say what was done as one JSON object.");
}

void add_dpkg_log(CLI::App& parent, Action& action) {
    auto* command = parent.add_subcommand("dpkg-log", "dpkg's own log, rotated and gzipped files too.");
    auto options = std::make_shared<import::DpkgLogOptions>();
    command->add_option("FILE", options->files, "Files, as /var/log/dpkg.log*.")->required();
    command->add_flag("--follow", options->follow, "Go on as dpkg writes, across rotation.");
    command->add_option("--zone", options->zone, "Time zone of the log's times. Default: the host's.");
    add_common(*command, *options);
    command->callback([&action, options] { action = [options] { return import::import_dpkg_log(*options); }; });
}

void add_changelogs(CLI::App& parent, Action& action) {
    auto* command = parent.add_subcommand("changelogs", "The changelog.Debian.gz files of installed packages.");
    auto options = std::make_shared<import::ChangelogOptions>();
    command->add_option("DIR", options->dir, "Directory, as /usr/share/doc.")->required();
    add_common(*command, *options);
    command->callback([&action, options] { action = [options] { return import::import_changelogs(*options); }; });
}

void add_autopkgtest(CLI::App& parent, Action& action) {
    auto* command = parent.add_subcommand("autopkgtest", "Results in autopkgtest's layout, or the excuses of proposed-migration.");
    auto options = std::make_shared<import::AutopkgtestOptions>();
    command->add_option("PATH", options->path, "Directory of results, or file of update excuses.")->required();
    command->add_option("--series", options->series, "Series of the excuses, which don't name it.");
    command->add_option("--results-url", options->results_url, "What the results' paths hang below, for links to their logs.");
    add_common(*command, *options);
    command->callback([&action, options] { action = [options] { return import::import_autopkgtest(*options); }; });
}

}  // namespace

void add_import(CLI::App& app, Action& action) {
    auto* command = app.add_subcommand("import", "Bring package history into the tracker; may be stopped and started again at any point.");
    command->require_subcommand(1);
    add_dpkg_log(*command, action);
    add_changelogs(*command, action);
    add_autopkgtest(*command, action);
}

}  // namespace gantry::app
