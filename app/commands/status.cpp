#include <fmt/format.h>
#include <poll.h>

#include <memory>
#include <string>
#include <vector>

#include "app/ask.h"
#include "app/commands/commands.h"
#include "app/problems.h"
#include "app/terminal.h"
#include "kernel/base/time.h"

// How a running server is, and taking it out of service.
namespace gantry::app {
namespace {

struct FollowerState {
    std::string source, state;
    std::int64_t lag_events = 0, dead_letters = 0;
};
RECORD(FollowerState, source, state, lag_events, dead_letters);
struct ServiceState {
    std::string name, state, position;
    std::uint64_t events = 0, of = 0, durable_lag_events = 0, log_bytes = 0, memory_bytes = 0, effects_pending = 0, effects_dead = 0;
    std::uint64_t requests = 0, errors = 0, failures = 0;
    double p99_ms = 0;
    std::vector<FollowerState> followers;
};
RECORD(ServiceState, name, state, position, events, of, durable_lag_events, log_bytes, memory_bytes, effects_pending, effects_dead,
       requests, errors, failures, p99_ms, followers);
struct SiteState {
    std::string name;
    std::vector<ServiceState> services;
};
RECORD(SiteState, name, services);
struct ServerState {
    std::string version;
    Time now{}, started_at{};
    std::uint64_t resident_bytes = 0, connections = 0, live_readers = 0;
    double cpu_seconds = 0;
    std::optional<std::uint64_t> disk_free_bytes;
    std::vector<SiteState> sites;
};
RECORD(ServerState, version, now, started_at, resident_bytes, connections, live_readers, cpu_seconds, disk_free_bytes, sites);

struct DrainState {
    bool draining = false;
    std::optional<Time> since;
    std::uint64_t connections = 0, in_flight = 0, live_readers = 0;
};
RECORD(DrainState, draining, since, connections, in_flight, live_readers);

std::string mib(std::uint64_t bytes) { return fmt::format("{:.1f} MiB", double(bytes) / (1 << 20)); }

// Whole seconds: "3d 4h", "2m 5s".
std::string span(Duration d) {
    auto const s = d.us / 1'000'000;
    if (s >= 86400) return fmt::format("{}d {}h", s / 86400, s % 86400 / 3600);
    if (s >= 3600) return fmt::format("{}h {}m", s / 3600, s % 3600 / 60);
    return s >= 60 ? fmt::format("{}m {}s", s / 60, s % 60) : fmt::format("{}s", s);
}

// What an operator should look at, in words.
std::vector<std::string> troubles(ServiceState const& s) {
    std::vector<std::string> out;
    if (s.state == "stopped") out.push_back("stopped itself after failures: see the newest files in DATA/<site>/reports.d");
    if (s.effects_dead > 0) out.push_back(fmt::format("{} dead effects: gantry effects ls {}", s.effects_dead, s.name));
    if (s.failures > 0) out.push_back(fmt::format("{} failures of ours since the start: see DATA/<site>/reports.d", s.failures));
    for (auto const& f : s.followers) {
        if (f.dead_letters > 0)
            out.push_back(fmt::format("{} dead letters of {}: gantry followers letters {} {}", f.dead_letters, f.source, s.name, f.source));
        if (f.state == "refused" || f.state == "full")
            out.push_back(fmt::format("following {} is {}: gantry followers ls", f.source, f.state));
    }
    return out;
}

bool show(ServerState const& server) {
    std::string out = fmt::format("gantry {}, up {}, {:.1f} s of CPU, {}, {} connections, {} live readers", server.version,
                                  span(server.now - server.started_at), server.cpu_seconds, mib(server.resident_bytes), server.connections,
                                  server.live_readers);
    if (server.disk_free_bytes) out += fmt::format(", {} free on the disk", mib(*server.disk_free_bytes));
    std::vector<std::vector<std::string>> rows;
    std::string said;
    for (auto const& site : server.sites)
        for (auto const& s : site.services) {
            std::int64_t lag = 0;
            for (auto const& f : s.followers) lag = std::max(lag, f.lag_events);
            rows.push_back({site.name, s.name, s.state == "starting" ? fmt::format("starting {} of {}", s.events, s.of) : s.state,
                            fmt::format("{}", s.events), fmt::format("{}", s.durable_lag_events),
                            s.followers.empty() ? "-" : fmt::format("{}", lag), fmt::format("{}", s.requests), fmt::format("{}", s.errors),
                            fmt::format("{:.3g} ms", s.p99_ms), mib(s.memory_bytes), mib(s.log_bytes)});
            for (auto const& trouble : troubles(s)) said += fmt::format("! {}/{}: {}\n", site.name, s.name, trouble);
        }
    return print(
        out + "\n" +
        table({"SITE", "SERVICE", "STATE", "EVENTS", "NOT DURABLE", "LAG", "REQUESTS", "ERRORS", "P99", "STATE SIZE", "LOG"}, rows) + said);
}

struct StatusOptions {
    ServerOption server;
    bool json = false;
};

int status(StatusOptions const& o) {
    auto answer = ask({o.server, "GET", "/_gantry/v1/status"});
    if (!answer) return complain(answer.error()), exit_of(answer.error());
    if (o.json) return print(*answer + "\n") ? exit_ok : exit_failed;
    auto server = read_answer<ServerState>(*answer);
    if (!server) return complain(server.error()), exit_failed;
    return show(*server) ? exit_ok : exit_failed;
}

struct DrainOptions {
    ServerOption server;
    std::string wait = "0s";
    bool undo = false, json = false;
};

// Others than the question itself.
bool is_quiet(DrainState const& state) { return state.in_flight <= 1 && state.live_readers == 0; }

int drain(DrainOptions const& o) {
    auto const wait = parse_duration(o.wait);
    if (!wait || wait->us < 0) return complain(fmt::format("--wait: expected a duration like 30s, found '{}'", o.wait)), exit_usage;
    auto const until = system_clock().steady_ns() + wait->us * 1000;
    std::string method = o.undo ? "DELETE" : "POST";
    for (;;) {
        auto answer = ask({o.server, std::exchange(method, "GET"), "/health/drain"});
        if (!answer) return complain(answer.error()), exit_of(answer.error());
        auto state = read_answer<DrainState>(*answer);
        if (!state) return complain(state.error()), exit_failed;
        bool const over = o.undo || is_quiet(*state) || system_clock().steady_ns() >= until;
        if (!over) {
            ::poll(nullptr, 0, 200);
            continue;
        }
        bool const quiet = o.undo || is_quiet(*state) || wait->us == 0;
        if (o.json) return print(*answer + "\n") && quiet ? exit_ok : exit_failed;
        if (o.undo) return print("No longer draining: /health/ready answers 200.\n") ? exit_ok : exit_failed;
        auto const said =
            fmt::format("Draining: /health/ready answers 503. {} connections, {} requests in flight, {} live readers.\n",
                        state->connections, state->in_flight - std::min<std::uint64_t>(state->in_flight, 1), state->live_readers);
        return print(said) && quiet ? exit_ok : exit_failed;
    }
}

}  // namespace

void add_status(CLI::App& app, Action& action) {
    auto* command = app.add_subcommand("status", "How a running server and its services are.");
    auto o = std::make_shared<StatusOptions>();
    add_server_option(*command, o->server);
    command->add_flag("--json", o->json, "For programs: as the server tells it.");
    command->callback([&action, o] { action = [o] { return status(*o); }; });
}

void add_drain(CLI::App& app, Action& action) {
    auto* command =
        app.add_subcommand("drain", "Take a server out of service: health checks fail, live readers go elsewhere, the rest is answered.");
    auto o = std::make_shared<DrainOptions>();
    add_server_option(*command, o->server);
    command->add_option("--wait", o->wait, "Wait so long for what is in flight; exit 1 when it isn't over then.")
        ->type_name("TIME")
        ->capture_default_str();
    command->add_flag("--undo", o->undo, "Put it back into service.");
    command->add_flag("--json", o->json, "For programs: as the server tells it.");
    command->callback([&action, o] { action = [o] { return drain(*o); }; });
}

}  // namespace gantry::app
