#include "app/import/commands.h"

#include <memory>

#include "app/commands/commands.h"
#include "app/problems.h"
#include "app/server_option.h"

namespace gantry::app {
namespace {

// The server that the options name, as `run` wants it told.
template <class Options, class Run>
int with_server(Options& options, Run run) {
    auto found = find_server(options.at);
    if (!found) return complain(found.error()), exit_of(found.error());
    options.server = found->url, options.token = found->token;
    return run(options);
}

// What every import takes, and whose server it is for.
template <class Of>
struct Import : Of {
    ServerOption at;
};

template <class Options>
void add_common(CLI::App& command, Options& options) {
    add_server_option(command, options.at, "The server.");
    command.add_option("--name", options.name, "Name of this import: what it is continued by. Default: its kind and this host's name.");
    command.add_flag("--json", options.json, "Say what was done as one JSON object.");
}

void add_dpkg_log(CLI::App& parent, Action& action) {
    auto* command = parent.add_subcommand("dpkg-log", "dpkg's own log, rotated and gzipped files too.");
    auto options = std::make_shared<Import<import::DpkgLogOptions>>();
    command->add_option("FILE", options->files, "Files, as /var/log/dpkg.log*.")->required();
    command->add_flag("--follow", options->follow, "Go on as dpkg writes, across rotation.");
    command->add_option("--zone", options->zone, "Time zone of the log's times. Default: the host's.");
    add_common(*command, *options);
    command->callback([&action, options] {
        action = [options] { return with_server(*options, [](auto const& o) { return import::import_dpkg_log(o); }); };
    });
}

void add_changelogs(CLI::App& parent, Action& action) {
    auto* command = parent.add_subcommand("changelogs", "The changelog.Debian.gz files of installed packages.");
    auto options = std::make_shared<Import<import::ChangelogOptions>>();
    command->add_option("DIR", options->dir, "Directory, as /usr/share/doc.")->required();
    add_common(*command, *options);
    command->callback([&action, options] {
        action = [options] { return with_server(*options, [](auto const& o) { return import::import_changelogs(o); }); };
    });
}

void add_autopkgtest(CLI::App& parent, Action& action) {
    auto* command = parent.add_subcommand("autopkgtest", "Results in autopkgtest's layout, or the excuses of proposed-migration.");
    auto options = std::make_shared<Import<import::AutopkgtestOptions>>();
    command->add_option("PATH", options->path, "Directory of results, or file of update excuses.")->required();
    command->add_option("--series", options->series, "Series of the excuses, which don't name it.");
    command->add_option("--results-url", options->results_url, "What the results' paths hang below, for links to their logs.");
    add_common(*command, *options);
    command->callback([&action, options] {
        action = [options] { return with_server(*options, [](auto const& o) { return import::import_autopkgtest(o); }); };
    });
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
