#include "app/host.h"

#include <fmt/format.h>

#include "app/problems.h"
#include "app/settings.h"
#include "app/terminal.h"
#include "kernel/observe/log_line.h"
#if GANTRY_WITH_RUNTIME
#include <algorithm>

#include "app/services.h"
#include "kernel/http/server.h"
#include "kernel/runtime/process.h"
#endif

namespace gantry::app {
namespace {

// The settings that must hold before anything is started.
Result<ListenAddress> checked(ServerSettings const& server) {
    TRY_VOID(observe::set_levels(observe::process_logger(), server.log_level.view()));
    std::string_view log = server.log.view();
    if (!log.empty() && log != "memory:" && !(log.starts_with("file:") && log.size() > 5))
        return fail(400, "log_place_invalid", fmt::format("expected file:DIR or memory:, found \"{}\"", log));
    return parse_listen(server.listen.view());
}

std::string source_of(config::Config const& config, std::string_view name) {
    for (auto const& origin : config.show())
        if (origin.key->section == "server" && origin.key->name == name) return origin.source;
    return {};
}

// Says whose value it was: "GANTRY_SERVER_LISTEN: [server] listen: expected …".
int refuse(config::Config const& config, Problem const& problem) {
    std::string_view key = problem.code == "log_level_invalid" ? "log_level" : problem.code == "log_place_invalid" ? "log" : "listen";
    complain(fmt::format("{}: [server] {}: {}", source_of(config, key), key, problem.detail));
    return exit_usage;
}

}  // namespace

#if GANTRY_WITH_RUNTIME

namespace {
http::Limits limits_of(HttpSettings const& settings) {
    http::Limits limits;
    limits.target_bytes = std::size_t(settings.target_bytes), limits.head_bytes = std::size_t(settings.head_bytes);
    limits.header_count = std::size_t(settings.header_count), limits.inflate_ratio = std::size_t(settings.inflate_ratio);
    limits.pipelined = std::size_t(settings.pipelined), limits.connections = std::size_t(settings.connections);
    limits.head_timeout = settings.head_timeout, limits.body_timeout = settings.body_timeout;
    limits.idle_timeout = settings.idle_timeout, limits.write_timeout = settings.write_timeout;
    return limits;
}
}  // namespace

std::vector<std::string> service_names() {
    std::vector<std::string> out;
    for (auto const& service : all_services()) out.emplace_back(service.name);
    return out;
}

std::vector<config::Section> service_sections() {
    std::vector<config::Section> out;
    for (auto const& service : all_services())
        if (service.settings) out.push_back(*service.settings);
    return out;
}

// Assumed of kernel/runtime/process.h:
//     struct ServiceDecl { std::string_view name; std::optional<config::Section> settings; … };
//     struct ProcessOptions { std::string data_dir, listen_address; std::uint16_t port; std::string log; int io_threads;
//         std::vector<ServiceDecl> services; config::Config const* config; http::Limits limits; Duration stop_timeout;
//         std::function<void(std::string_view url)> on_ready; };
//     Result<void> serve(ProcessOptions);   // until SIGTERM or SIGINT
int host_services(config::Config const& config, std::vector<std::string> const& services) {
    auto const server = config.get<ServerSettings>("server");
    auto address = checked(server);
    if (!address) return refuse(config, address.error());
    runtime::ProcessOptions options;
    options.data_dir = server.data.str(), options.log = server.log.str();
    options.listen_address = address->host, options.port = address->port;
    options.io_threads = int(server.io_threads), options.stop_timeout = server.stop_timeout;
    options.config = &config, options.limits = limits_of(config.get<HttpSettings>("http"));
    for (auto& decl : all_services())
        if (services.empty() || std::ranges::find(services, decl.name) != services.end()) options.services.push_back(std::move(decl));
    options.on_ready = [](std::string_view url) { print(fmt::format("listening {}\n", url)); };
    auto served = runtime::serve(std::move(options));
    if (served) return exit_ok;
    complain(served.error());
    return exit_of(served.error());
}

#else

std::vector<std::string> service_names() { return {}; }
std::vector<config::Section> service_sections() { return {}; }
int host_services(config::Config const& config, std::vector<std::string> const&) {
    auto address = checked(config.get<ServerSettings>("server"));
    if (!address) return refuse(config, address.error());
    complain("this build has no services");
    return exit_failed;
}

#endif

}  // namespace gantry::app
