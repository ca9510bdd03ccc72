#include <fmt/format.h>

#include <csignal>
#include <memory>
#include <string>

#include "app/commands/commands.h"
#include "app/exit_codes.h"
#include "app/host.h"
#include "app/problems.h"
#include "app/services.h"
#include "app/terminal.h"
#include "app/version.h"
#include "kernel/codec/json.h"
#include "kernel/net/net.h"
#include "kernel/runtime/fake.h"
#include "kernel/runtime/stop_signal.h"

namespace gantry::app {
namespace {

struct FakeReady {
    std::string url, service;
    Time clock{};
};
RECORD(FakeReady, url, service, clock);

struct FakeGiven {
    std::string service, clock;
    std::uint16_t port = 0;
};

int fake(FakeGiven const& given) {
    if (auto known = check_services({given.service}); !known) {
        complain(fmt::format("{}; there are: {}", known.error().detail, fmt::join(service_names(), ", ")));
        return exit_usage;
    }
    runtime::FakeOptions options{.port = given.port, .version = std::string(version())};
    if (!given.clock.empty()) {
        auto const clock = parse_time(given.clock);
        if (!clock) return complain("--clock: " + clock.error().detail), exit_usage;
        options.clock = *clock;
    }
    runtime::StopSignal stop;
    net::IoThreads signals(1);
    for (int signal : {SIGTERM, SIGINT}) {
        auto watched = signals.on_signal(signal, [&] { stop.ask(); });
        if (!watched) return complain(watched.error()), exit_failed;
    }
    for (auto& decl : all_services()) {
        if (decl.name != given.service) continue;
        auto started = runtime::Fake::start(std::move(decl), std::move(options));
        if (!started) return complain(started.error()), exit_of(started.error());
        if (!print(codec::to_json(FakeReady{started->url(), given.service, started->clock().now()}) + "\n")) return exit_failed;
        stop.wait();
        signals.stop();
        return exit_ok;
    }
    return exit_failed;
}

}  // namespace

void add_fake(CLI::App& app, Action& action) {
    auto* command = app.add_subcommand("fake", "Serve one service for tests: nothing is kept, its calls fail on demand.");
    auto given = std::make_shared<FakeGiven>();
    command->add_option("SERVICE", given->service, "Its name.")->required();
    command->add_option("--clock", given->clock, "Where its clock stands, as 2026-01-31T12:00:00Z; else the time of now.")
        ->type_name("TIME");
    command->add_option("--port", given->port, "Of 127.0.0.1; 0: any free one, which the line on standard output tells.")
        ->capture_default_str();
    command->callback([&action, given] { action = [given] { return fake(*given); }; });
}

}  // namespace gantry::app
