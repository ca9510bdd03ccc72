#include "app/settings.h"

#include <fmt/format.h>
#include <unistd.h>

#include "app/host.h"
#include "app/terminal.h"
#include "kernel/net/endpoint.h"

namespace gantry::app {
namespace {

config::Section server_section() {
    using S = ServerSettings;
    return config::section<S>(
        "server",
        {{&S::listen, "Address and port to serve on: ADDR:PORT, [ADDR6]:PORT; port 0 picks a free one."},
         {&S::data, "Directory of all data: DATA/<site>/<service>."},
         {&S::log, "Where the logs are instead: file:DIR, or memory: for a server that forgets everything when it ends."},
         {&S::io_threads, "Threads that serve connections; 0: one for each processor but one, which the log's thread needs."},
         {&S::effect_threads, "Threads for what services do outside: mails, calls. So many are under way at once."},
         {&S::services, "Services to serve; none named: all."},
         {&S::sites,
          "Sites to serve, each with data of its own: SITE.localhost is one, a host without a name the first; none named: main."},
         {&S::log_level, "Least level of log lines, of all and of single modules: info, or info,http=debug.", "", config::Change::at_once},
         {&S::stop_timeout, "How long an orderly stop may take before the rest is cut off."},
         {&S::memory_max_mib, "Most memory for the state of a service; beyond: commands get 507, reads go on. 0: no limit.", "MiB"},
         {&S::history_memory_max_mib,
          "Most memory for a service's states of the past (as_of), in memory at once; a state that needs more: 503.", "MiB"},
         {&S::waiting_commands_max, "Most commands that wait for something at once; beyond: 429."},
         {&S::snapshots_max_mib, "Most disk for a service's snapshots; older ones make as_of quick. The newest two always stay.", "MiB"},
         {&S::elsewhere, "Services that are followed here and served elsewhere: NAME=http://HOST:PORT."},
         {&S::followers_keep_events, "Most events that a log keeps, beyond its retention, for followers in this process that are behind.",
          "events"},
         {&S::accept_clock_behind, "Open a log although its last event is more than a minute ahead of this machine's clock."}});
}

config::Section http_section() {
    using S = HttpSettings;
    return config::section<S>(
        "http", {{&S::target_bytes, "Longest path and query; beyond: 414.", "bytes"},
                 {&S::head_bytes, "Longest request line and headers; beyond: 431.", "bytes"},
                 {&S::header_count, "Most headers of a request; beyond: 431."},
                 {&S::inflate_ratio, "Most that a compressed body may grow; beyond: 413."},
                 {&S::pipelined, "Most requests of one connection in flight; beyond: reading pauses."},
                 {&S::connections, "Most connections; beyond: 503."},
                 {&S::head_timeout, "Longest time from a request's first byte to its last header; beyond: 408."},
                 {&S::body_timeout, "Longest time without a byte of the body; beyond: 408."},
                 {&S::idle_timeout, "Longest time that a connection stays open without a request."},
                 {&S::write_timeout, "Longest time without a byte of the answer taken by the client."},
                 {&S::queue_wait, "How long ready requests may wait for their thread before some are refused with 503; 0: none is."},
                 {&S::tls_certificate, "PEM file of the certificate and its chain; set: HTTPS only. SIGHUP reads it again."},
                 {&S::tls_key, "PEM file of the certificate's key."},
                 {&S::tls_client_ca, "PEM file of the certificates that vouch for clients; set: a client may show one of theirs."}});
}

config::Section auth_section() {
    using S = AuthSettings;
    auto const at_once = config::Change::at_once;
    return config::section<S>(
        "auth", {{&S::source,
                  "Who knows the callers: file (DATA/<site>/callers.json), accounts (the service of that name, and nobody else), or auto: "
                  "both, where that service is served."},
                 {&S::allow, "Addresses and blocks (CIDR) from which requests are let in; none named: all.", "", at_once},
                 {&S::proxies, "Addresses and blocks of proxies in front, whose word about clients is taken.", "", at_once},
                 {&S::proxy_address_header,
                  "Header in which such a proxy says the client's address: X-Forwarded-For, Forwarded, or one with a single "
                  "address. From anyone else it is refused.",
                  "", at_once},
                 {&S::proxy_caller_header, "Header in which such a proxy says which caller it recognised; empty: none.", "", at_once},
                 {&S::jwt_issuer, "URL of an identity provider whose tokens (JWT) are taken; empty: none."},
                 {&S::jwt_keys, "URL or absolute path of its keys (JWKS); empty: as its discovery document says."},
                 {&S::jwt_audiences, "Who a token must be for: one of these."},
                 {&S::jwt_scopes, "Scopes of a token that says none."},
                 {&S::jwt_scopes_max, "The most that a token may allow: scopes like tracker:read, tracker:*."},
                 {&S::jwt_name_claim, "The claim that names the caller."},
                 {&S::jwt_name_prefix, "Put in front of that name, so that it meets no other."},
                 {&S::jwt_keys_every, "Time between two readings of the keys; a token by an unknown key causes one, too."}});
}

config::Section observe_section() {
    using S = ObserveSettings;
    auto const at_once = config::Change::at_once;
    return config::section<S>(
        "observe",
        {{&S::log_to, "Where log lines go: stderr, stdout, file:PATH, syslog, syslog:udp:HOST:PORT, syslog:tcp:HOST:PORT, journald."},
         {&S::access_log_to, "Where the access log goes; none named: where log lines go; none: nowhere."},
         {&S::log_format, "json, logfmt; auto: logfmt on a terminal, else json."},
         {&S::access_log_format, "json, logfmt, combined (of NCSA); auto: as log lines."},
         {&S::trace_slow, "Traces of requests that take so long are kept, as are those that fail.", "", at_once},
         {&S::trace_share, "Share of all other traces that is kept, from 0 to 1.", "", at_once},
         {&S::traces_max, "Most traces in memory; the newest stay.", "", at_once},
         {&S::otlp_url, "URL of a collector that takes traces as OTLP over HTTP, without /v1/traces; empty: none."}});
}

config::Section log_section() {
    using S = LogSettings;
    return config::section<S>(
        "log", {{&S::scrub_every, "Time between two readings of all sealed segments against their checksums; 0s: only when asked."},
                {&S::scrub_max_mib_s, "Most that such a reading takes from the disk a second.", "MiB"}});
}

config::Section reports_section() {
    using S = ReportsSettings;
    return config::section<S>("reports",
                              {{&S::dsn,
                                "Where reports of this program's own failures go: the DSN of a project of an oops elsewhere, "
                                "http://KEY@HOST/oops/PROJECT; empty: to the oops of the same process and site, if it is served."}});
}

std::vector<std::string> process_environment() {
    std::vector<std::string> out;
    for (char** entry = environ; entry && *entry; ++entry) out.emplace_back(*entry);
    return out;
}

config::Sources sources_of(GivenSettings const& given) {
    config::Sources sources{{}, process_environment(), given.flags};
    if (!given.file.empty()) sources.file = given.file;
    return sources;
}

}  // namespace

config::Config declared_config() {
    config::Config config;
    config.declare(server_section());
    config.declare(http_section());
    config.declare(log_section());
    config.declare(auth_section());
    config.declare(observe_section());
    config.declare(reports_section());
    for (auto& section : service_sections()) config.declare(std::move(section));
    return config;
}

Result<void> try_load_config(config::Config& config, GivenSettings const& given) { return config.load(sources_of(given)); }

Result<std::vector<config::ChangedKey>> reload_config(config::Config& config, GivenSettings const& given) {
    return config.reload(sources_of(given), [](config::Config const& next) { return check_settings(next); });
}

bool load_config(config::Config& config, GivenSettings const& given) {
    auto loaded = try_load_config(config, given);
    if (!loaded) complain(config::explain(loaded.error()));
    return loaded.has_value();
}

Result<std::pair<std::string, std::string>> parse_elsewhere(std::string_view text) {
    auto const equals = std::min(text.find('='), text.size());
    auto const name = text.substr(0, equals), url = text.substr(std::min(equals + 1, text.size()));
    bool const http = (url.starts_with("http://") && url.size() > 7) || (url.starts_with("https://") && url.size() > 8);
    if (name.empty() || !http) return fail(400, "elsewhere_invalid", fmt::format("expected NAME=http://HOST:PORT, found \"{}\"", text));
    return std::pair(std::string(name), std::string(url.ends_with('/') ? url.substr(0, url.size() - 1) : url));
}

Result<ListenAddress> parse_listen(std::string_view text) {
    TRY_ASSIGN(auto at, net::parse_endpoint(text));
    return ListenAddress{std::move(at.host), at.port};
}

}  // namespace gantry::app
