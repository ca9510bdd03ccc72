#include <fmt/format.h>

#include <algorithm>
#include <iostream>
#include <memory>

#include "app/commands/commands.h"
#include "app/exit_codes.h"
#include "app/problems.h"
#include "app/rehearsal/rehearser.h"
#include "app/rehearsal/worker.h"
#include "app/services.h"
#include "app/version.h"

namespace gantry::app {
namespace {

struct WorkerOptions {
    std::string service;
    rehearsal::LogAt at;
};

Result<std::unique_ptr<rehearsal::Rehearser>> open(WorkerOptions const& o) {
    auto services = all_services();
    auto found = std::ranges::find(services, o.service, &runtime::ServiceDecl::name);
    if (found == services.end()) return fail(400, "service_unknown", fmt::format("there is no service '{}' in this binary", o.service));
    return rehearsal::Rehearser::open(std::move(*found), o.at, version());
}

int work(WorkerOptions const& o) {
    auto side = open(o);
    if (!side) return rehearsal::say_trouble(side.error(), std::cout) ? exit_of(side.error()) : exit_failed;
    return rehearsal::speak_for(**side, std::cin, std::cout) ? exit_ok : exit_failed;
}

}  // namespace

void add_rehearse_worker(CLI::App& app, Action& action) {
    auto* command =
        app.add_subcommand("rehearse-worker", "One side of a rehearsal, on standard input and output (app/rehearsal/protocol.h).");
    command->group("");
    auto o = std::make_shared<WorkerOptions>();
    command->add_option("--service", o->service, "Whose log.")->required();
    command->add_option("--log", o->at.log_directory, "The directory of the log; only read.")->type_name("DIR")->required();
    command->add_option("--site-directory", o->at.site_directory, "Where the site's keys are; none: no keys.")->type_name("DIR");
    command->callback([&action, o] { action = [o] { return work(*o); }; });
}

}  // namespace gantry::app
