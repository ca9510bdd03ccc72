#include <fmt/format.h>
#include <signal.h>
#include <unistd.h>

#include <memory>
#include <string>

#include "app/bridge/bridge.h"
#include "app/commands/commands.h"
#include "app/exit_codes.h"
#include "app/problems.h"
#include "app/server_option.h"
#include "app/terminal.h"

namespace gantry::app {
namespace {

struct QueueBridgeOptions {
    ServerOption server;
    std::string url, direction, poison = "park";
    bridge::BridgeOptions bridge;
    std::int64_t unique_s = 86'400;
    bool json = false;
};

volatile sig_atomic_t stop_asked = 0;

// The second one has its default effect.
void stop_on_signals() {
    struct sigaction action{};
    action.sa_handler = [](int) { stop_asked = 1; };
    action.sa_flags = SA_RESETHAND;
    ::sigaction(SIGINT, &action, nullptr);
    ::sigaction(SIGTERM, &action, nullptr);
}

std::string json_of(bridge::Totals const& t) {
    return fmt::format(
        R"({{"moved":{},"repeats":{},"redelivered_without_id":{},"poison":{},"put_back":{},"lost_leases":{},"reconnects":{}}})"
        "\n",
        t.moved, t.repeats, t.redelivered, t.poison, t.put_back, t.lost_leases, t.reconnects);
}

std::string text_of(bridge::Totals const& t, bridge::Direction direction) {
    if (direction == bridge::Direction::in)
        return fmt::format("{} moved in, {} repeats dropped, {} refused, {} delivered twice without a message-id; {} reconnects\n", t.moved,
                           t.repeats, t.poison, t.redelivered, t.reconnects);
    return fmt::format("{} moved out, {} of them maybe repeats, {} buried, {} put back; {} reconnects\n", t.moved, t.repeats, t.poison,
                       t.put_back, t.reconnects);
}

int exit_of_bridge(Problem const& problem) {
    return problem.code == "amqp_unreachable" || problem.code == "amqp_lost" ? int(exit_unreachable) : int(exit_of(problem));
}

int queue_bridge(QueueBridgeOptions& o) {
    auto url = bridge::parse_amqp_url(o.url);
    if (!url) return complain(url.error().detail), exit_usage;
    auto server = find_server(o.server);
    if (!server) return complain(server.error()), exit_of(server.error());
    auto& b = o.bridge;
    b.amqp = std::move(*url), b.server = std::move(*server);
    b.direction = o.direction == "in" ? bridge::Direction::in : bridge::Direction::out;
    b.poison = o.poison == "park" ? bridge::Poison::park : bridge::Poison::dead_letter;
    b.unique_ms = o.unique_s * 1000;
    if (b.queue.empty()) b.queue = b.amqp.queue;
    if (b.worker.empty()) b.worker = fmt::format("bridge-{}", ::getpid());
    stop_on_signals();
    bridge::Totals totals;
    auto const done = bridge::run_bridge(b, totals, stop_asked);
    if (done || totals.moved + totals.repeats > 0)
        if (!print(o.json ? json_of(totals) : text_of(totals, b.direction))) return exit_failed;
    if (!done) return complain(done.error()), exit_of_bridge(done.error());
    return exit_ok;
}

void add_bridge_options(CLI::App& command, QueueBridgeOptions& o) {
    auto& b = o.bridge;
    command.add_option("URL", o.url, "amqp://user:password@host:port/vhost/QUEUE, or amqps:; the vhost / is %2F.")
        ->envname("GANTRY_QUEUE_BRIDGE_URL")
        ->required();
    command.add_option("--direction", o.direction, "in: from RabbitMQ to the queue; out: from the queue to RabbitMQ.")
        ->check(CLI::IsMember({"in", "out"}))
        ->required();
    command.add_option("--queue", b.queue, "The queue's name here; else as in RabbitMQ.")->type_name("NAME");
    add_server_option(command, o.server, "The server.");
    command.add_option("--batch", b.batch, "Messages that are moved together.")->check(CLI::Range(1, 1000))->capture_default_str();
    command.add_option("--prefetch", b.prefetch, "in: messages that RabbitMQ sends ahead.")
        ->check(CLI::Range(2, 65535))
        ->capture_default_str();
    command.add_option("--unique-for", o.unique_s, "in: how long a message-id is remembered, so that a repeat is dropped.")
        ->type_name("SECONDS")
        ->check(CLI::Range(0, 31'536'000))
        ->capture_default_str();
    command.add_option("--lease-ms", b.lease_ms, "out: of the tasks that are on their way.")
        ->check(CLI::Range(1000, 3'600'000))
        ->capture_default_str();
    command.add_option("--worker", b.worker, "out: the name under which it reserves; else bridge-PID.")->type_name("NAME");
    command
        .add_option("--poison", o.poison,
                    "in: what the queue refuses stays unacknowledged (park), or goes to RabbitMQ's dead letters (dead-letter).")
        ->check(CLI::IsMember({"park", "dead-letter"}))
        ->capture_default_str();
    command.add_option("--ca-file", b.ca_file, "amqps: PEM of those whose certificates are trusted; else the system's.")->type_name("FILE");
    command.add_option("--until-idle", b.until_idle_s, "End once nothing came for so long; 0: never.")
        ->type_name("SECONDS")
        ->capture_default_str();
    command.add_option("--report-every", b.report_every_s, "How often to tell what was moved, on standard error; 0: never.")
        ->type_name("SECONDS")
        ->capture_default_str();
    command.add_flag("--json", o.json, "What was moved in all, as JSON.");
}

}  // namespace

void add_queue(CLI::App& app, Action& action) {
    auto* command = app.add_subcommand("queue", "What the queue's operator needs beside its HTTP API");
    command->require_subcommand(1);
    auto o = std::make_shared<QueueBridgeOptions>();
    auto* sub = command->add_subcommand("bridge", "Take over from a queue of RabbitMQ: move its messages in, or tasks out");
    add_bridge_options(*sub, *o);
    sub->callback([&action, o] { action = [o] { return queue_bridge(*o); }; });
}

}  // namespace gantry::app
