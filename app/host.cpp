#include "app/host.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>

#include "app/accounts_callers.h"
#include "app/notify.h"
#include "app/problems.h"
#include "app/services.h"
#include "app/settings.h"
#include "app/terminal.h"
#include "app/version.h"
#include "console/console.h"
#include "kernel/codec/any_value.h"
#include "kernel/codec/json.h"
#include "kernel/http/server.h"
#include "kernel/observe/log_setup.h"
#include "kernel/runtime/listeners.h"
#include "kernel/runtime/process.h"
#include "kernel/runtime/report_delivery.h"
#include "kernel/runtime/sites.h"

namespace gantry::app {
namespace {

std::string source_of(config::Config const& config, std::string_view name) {
    for (auto const& origin : config.show())
        if (origin.key->section == "server" && origin.key->name == name) return origin.source;
    return {};
}

// "GANTRY_SERVER_LISTEN: [server] listen: expected …"
std::unexpected<Problem> wrong(config::Config const& config, std::string_view key, Problem const& problem) {
    return fail(Problem{400,
                        "config_invalid",
                        "the configuration can't be used",
                        {{source_of(config, key), fmt::format("[server] {}: {}", key, problem.detail)}}});
}

Result<void> check_log(std::string_view log) {
    if (log.empty() || log == "memory:" || (log.starts_with("file:") && log.size() > 5)) return {};
    return fail(400, "log_place_invalid", fmt::format("expected file:DIR or memory:, found \"{}\"", log));
}

http::Limits limits_of(HttpSettings const& settings) {
    http::Limits limits;
    limits.target_bytes = std::size_t(settings.target_bytes), limits.head_bytes = std::size_t(settings.head_bytes);
    limits.header_count = std::size_t(settings.header_count), limits.inflate_ratio = std::size_t(settings.inflate_ratio);
    limits.pipelined = std::size_t(settings.pipelined), limits.connections = std::size_t(settings.connections);
    limits.head_timeout = settings.head_timeout, limits.body_timeout = settings.body_timeout;
    limits.idle_timeout = settings.idle_timeout, limits.write_timeout = settings.write_timeout;
    return limits;
}

runtime::FrontSettings front_of(config::Config const& config) {
    auto const auth = config.get<AuthSettings>("auth");
    auto const observe = config.get<ObserveSettings>("observe");
    runtime::FrontSettings out;
    out.addresses = auth.allow, out.origin.trusted_proxies = auth.proxies;
    out.origin.address_header = auth.proxy_address_header.str(), out.origin.caller_header = auth.proxy_caller_header.str();
    out.jwt_issuer = auth.jwt_issuer.str(), out.jwt_keys_url = auth.jwt_keys.str(), out.jwt_audiences = auth.jwt_audiences;
    out.jwt_scopes = auth.jwt_scopes, out.jwt_scopes_max = auth.jwt_scopes_max, out.jwt_name_claim = auth.jwt_name_claim.str();
    out.jwt_name_prefix = auth.jwt_name_prefix.str(), out.jwt_keys_every = auth.jwt_keys_every;
    out.load.target = config.get<HttpSettings>("http").queue_wait;
    out.traces.slow_after = observe.trace_slow, out.traces.share = observe.trace_share;
    out.traces.traces_max = std::size_t(observe.traces_max), out.otlp_url = observe.otlp_url.str();
    return out;
}

observe::LogOptions log_of(config::Config const& config) {
    auto const settings = config.get<ObserveSettings>("observe");
    return {.sinks = settings.log_to,
            .access_sinks = settings.access_log_to,
            .format = settings.log_format.str(),
            .access_format = settings.access_log_format.str(),
            .levels = config.get<ServerSettings>("server").log_level.str()};
}

// Reads the configuration again: what may change at once does, and what can't is said.
Result<runtime::FrontSettings> read_again(config::Config& config, GivenSettings const& given) {
    TRY_ASSIGN(auto const changes, reload_config(config, given));
    for (auto const& change : changes)
        observe::log_line(observe::Level::info, "config",
                          change.when == config::Change::at_once ? "changed" : "changed, and takes effect with the next start",
                          {{"key", change.key->path()}, {"old", change.before}, {"new", change.after}});
    TRY_VOID(observe::set_levels(observe::process_logger(), config.get<ServerSettings>("server").log_level.view()));
    return front_of(config);
}

std::span<runtime::StaticFile const> console_files() {
    static auto const files = [] {
        std::vector<runtime::StaticFile> out;
        for (auto const& a : console::assets()) out.push_back({a.path, a.content_type, a.etag, a.body, a.gzip_body});
        return out;
    }();
    return files;
}

}  // namespace

std::vector<std::string> service_names() {
    std::vector<std::string> out;
    for (auto const& service : all_services()) out.emplace_back(service.name);
    return out;
}

Result<void> check_services(std::vector<std::string> const& names) {
    auto const known = service_names();
    std::vector<std::string_view> const views(known.begin(), known.end());
    for (auto const& name : names) {
        if (std::ranges::find(known, name) != known.end()) continue;
        auto near = codec::nearest(name, views);
        return fail(400, "service_unknown",
                    fmt::format("there is no service '{}'{}", name, near.empty() ? "" : fmt::format(", did you mean {}?", near)));
    }
    return {};
}

std::vector<config::Section> service_sections() {
    std::vector<config::Section> out;
    for (auto const& service : all_services())
        if (service.settings) out.push_back(config::make_section(service.name, *service.settings, service.settings_docs));
    return out;
}

Result<void> check_settings(config::Config const& config) {
    auto const server = config.get<ServerSettings>("server");
    if (auto r = observe::parse_levels(server.log_level.view()); !r) return wrong(config, "log_level", r.error());
    if (auto r = check_log(server.log.view()); !r) return wrong(config, "log", r.error());
    if (auto r = check_services(server.services); !r) return wrong(config, "services", r.error());
    if (auto r = runtime::check_site_names(server.sites); !r) return wrong(config, "sites", r.error());
    if (auto r = parse_listen(server.listen.view()); !r) return wrong(config, "listen", r.error());
    if (auto r = check_source(config.get<AuthSettings>("auth").source); !r) return wrong(config, "source", r.error());
    if (auto r = runtime::check_front(front_of(config)); !r) return std::unexpected(std::move(r.error()));
    if (auto const dsn = config.get<ReportsSettings>("reports").dsn.value.str(); !dsn.empty())
        if (auto r = runtime::oops_elsewhere(dsn); !r)
            return fail(Problem{400, "config_invalid", "the configuration can't be used", {{"[reports] dsn", r.error().detail}}});
    for (auto const& sink : log_of(config).sinks)
        if (auto r = observe::parse_sink(sink); !r) return std::unexpected(std::move(r.error()));
    for (auto const& service : all_services()) {
        if (service.lines.empty() && service.own_ports.empty()) continue;
        codec::AnyValue settings(*service.settings);
        config.fill(service.name, *service.settings, settings.get());
        if (auto r = runtime::listeners_of(service, settings.get()); !r) return std::unexpected(std::move(r.error()));
    }
    for (auto const& one : server.elsewhere)
        if (auto r = parse_elsewhere(one); !r) return wrong(config, "elsewhere", r.error());
    return {};
}

int host_services(config::Config& config, GivenSettings const& given, std::vector<std::string> const& services) {
    auto const server = config.get<ServerSettings>("server");
    auto const http = config.get<HttpSettings>("http");
    auto const address = parse_listen(server.listen.view());
    if (!address) return complain(address.error()), exit_usage;
    runtime::ProcessOptions options;
    options.data_dir = server.data.str(), options.log = server.log.str();
    options.tls = {http.tls_certificate.str(), http.tls_key.str(), http.tls_client_ca.str()};
    options.listen = {address->host, address->port, !options.tls.certificate_file.empty()};
    options.io_threads = int(server.io_threads), options.effect_threads = int(server.effect_threads),
    options.stop_timeout = server.stop_timeout;
    options.history_bytes_max = std::uint64_t(server.history_memory_max_mib) << 20;
    options.waiting_commands_max = std::size_t(std::int64_t(server.waiting_commands_max));
    options.snapshot_bytes_max = std::uint64_t(server.snapshots_max_mib) << 20;
    options.memory_bytes_max = std::uint64_t(server.memory_max_mib) << 20, options.clock_ahead_accepted = server.accept_clock_behind;
    auto const log = config.get<LogSettings>("log");
    options.scrub_every = log.scrub_every, options.scrub_bytes_a_second = std::uint64_t(log.scrub_max_mib_s) << 20;
    options.config = &config, options.limits = limits_of(http), options.version = version();
    options.files = console_files(), options.files_security_policy = console::content_security_policy;
    options.followers_keep_events_max = std::uint64_t(server.followers_keep_events);
    for (auto const& one : server.elsewhere)
        if (auto place = parse_elsewhere(one)) options.elsewhere.push_back(std::move(*place));
    for (auto& decl : all_services())
        if (services.empty() || std::ranges::find(services, decl.name) != services.end()) options.services.push_back(std::move(decl));
    if (!server.sites.empty()) options.sites = server.sites;
    options.on_ready = [](std::string_view url) {
        print(fmt::format("listening {}\n", url));
        notify_ready(url);
    };
    options.on_listening = [](runtime::Listening const& one) {
        print(fmt::format("listening {} {} {}\n", one.service, one.protocol, one.address));
    };
    options.on_stopping = notify_stopping;
    options.on_reload = [&] {
        notify_reloading();
        return read_again(config, given);
    };
    options.on_reloaded = notify_ready;
    options.front = front_of(config);
    options.callers = accounts_callers(config);
    options.reports_dsn = config.get<ReportsSettings>("reports").dsn.value.str(), options.revision = revision();
    options.on_first_steps = [](std::string_view text) { print(fmt::format("{}\n", text)); };
    auto lines = observe::ProcessLog::open(system_clock(), log_of(config));
    if (!lines) return complain(lines.error()), exit_usage;
    observe::set_process_logger(&(*lines)->logger());
    options.log_queue = &(*lines)->queue();
    struct BackToPlain {
        ~BackToPlain() { observe::set_process_logger(nullptr); }
    } const back_to_plain;
    ::umask(077);  // what lies in the data directory is nobody else's business
    auto served = runtime::serve(std::move(options));
    if (served) return exit_ok;
    if (served.error().code == "listen_refused")
        return complain(config::explain(wrong(config, "listen", served.error()).error())), exit_usage;
    complain(served.error());
    return exit_of(served.error());
}

}  // namespace gantry::app
