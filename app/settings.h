#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "kernel/base/text.h"
#include "kernel/base/time.h"
#include "kernel/config/config.h"

namespace gantry::app {

// [server]: the process as a whole.
struct ServerSettings {
    Text<1, 300> listen = "127.0.0.1:8080";
    Text<1, 4000> data = "./data";
    Text<0, 4000> log;
    Bounded<0, 256> io_threads = 0;
    Bounded<1, 256> effect_threads = 4;
    std::vector<std::string> services, sites;
    Text<1, 1000> log_level = "info";
    Duration stop_timeout = Duration::seconds(30);
    Bounded<0, 1 << 30> memory_max_mib = 0;
    Bounded<1, 1 << 30> history_memory_max_mib = 1024;
    Bounded<0, 10'000'000> waiting_commands_max = 100'000;
    Bounded<0, 1 << 30> snapshots_max_mib = 8192;
    std::vector<std::string> elsewhere;
    Bounded<0, 1'000'000'000'000> followers_keep_events = 10'000'000;
    bool accept_clock_behind = false;
};
RECORD(ServerSettings, listen, data, log, io_threads, effect_threads, services, sites, log_level, stop_timeout, memory_max_mib,
       history_memory_max_mib, waiting_commands_max, snapshots_max_mib, elsewhere, followers_keep_events, accept_clock_behind);

// [http]: the limits of the edge; what happens beyond each stands in kernel/http/server.h.
struct HttpSettings {
    Bounded<256, 1 << 20> target_bytes = 8 * 1024;
    Bounded<1024, 1 << 20> head_bytes = 32 * 1024;
    Bounded<8, 10'000> header_count = 100;
    Bounded<1, 100'000> inflate_ratio = 200;
    Bounded<1, 10'000> pipelined = 64;
    Bounded<1, 1'000'000> connections = 10'000;
    Duration head_timeout = Duration::seconds(10);
    Duration body_timeout = Duration::seconds(30);
    Duration idle_timeout = Duration::seconds(75);
    Duration write_timeout = Duration::seconds(30);
    Duration queue_wait = Duration::millis(10);
    Text<0, 4000> tls_certificate;
    Text<0, 4000> tls_key;
    Text<0, 4000> tls_client_ca;
};
RECORD(HttpSettings, target_bytes, head_bytes, header_count, inflate_ratio, pipelined, connections, head_timeout, body_timeout,
       idle_timeout, write_timeout, queue_wait, tls_certificate, tls_key, tls_client_ca);

// [log]: what keeps the logs on the disk sound.
struct LogSettings {
    Duration scrub_every = Duration::days(7);
    Bounded<1, 1 << 20> scrub_max_mib_s = 16;
};
RECORD(LogSettings, scrub_every, scrub_max_mib_s);

// [reports]: where reports of this program's own failures go.
struct ReportsSettings {
    Secret<Text<0, 1000>> dsn;
};
RECORD(ReportsSettings, dsn);

// [auth]: who may come in, besides what DATA/<site>/callers.json says.
struct AuthSettings {
    Text<1, 10> source = "auto";
    std::vector<std::string> allow, proxies;
    Text<0, 100> proxy_address_header = "X-Forwarded-For";
    Text<0, 100> proxy_caller_header;
    Text<0, 1000> jwt_issuer, jwt_keys;
    std::vector<std::string> jwt_audiences, jwt_scopes;
    std::vector<std::string> jwt_scopes_max = {"*"};
    Text<1, 100> jwt_name_claim = "sub";
    Text<0, 30> jwt_name_prefix;
    Duration jwt_keys_every = Duration::hours(1);
};
RECORD(AuthSettings, source, allow, proxies, proxy_address_header, proxy_caller_header, jwt_issuer, jwt_keys, jwt_audiences, jwt_scopes,
       jwt_scopes_max, jwt_name_claim, jwt_name_prefix, jwt_keys_every);

// [observe]: log lines, the access log and traces.
struct ObserveSettings {
    std::vector<std::string> log_to = {"stderr"};
    std::vector<std::string> access_log_to;
    Text<1, 20> log_format = "auto";
    Text<1, 20> access_log_format = "auto";
    Duration trace_slow = Duration::seconds(1);
    double trace_share = 0;
    Bounded<1, 1'000'000> traces_max = 1000;
    Text<0, 1000> otlp_url;
};
RECORD(ObserveSettings, log_to, access_log_to, log_format, access_log_format, trace_slow, trace_share, traces_max, otlp_url);

// Every key that this program knows: its own sections, then those of the services.
config::Config declared_config();

// --config FILE and flags, as the command line gave them; the environment is taken from the process.
struct GivenSettings {
    std::string file;  // empty: none
    std::vector<config::Flag> flags;
};
Result<void> try_load_config(config::Config& config, GivenSettings const& given);
// For a running server: what may change at once is in effect, and what changed is told.
Result<std::vector<config::ChangedKey>> reload_config(config::Config& config, GivenSettings const& given);
// The same as try_load_config; false, after each fault was said on standard error.
bool load_config(config::Config& config, GivenSettings const& given);

struct ListenAddress {
    std::string host;        // "127.0.0.1", "::1", "localhost"; without brackets
    std::uint16_t port = 0;  // 0: the system picks one
};
// "accounts=http://10.0.0.7:8080" of [server] elsewhere: a service and the URL of its server.
Result<std::pair<std::string, std::string>> parse_elsewhere(std::string_view text);

// "127.0.0.1:8080", "[::1]:0", "localhost:80".
Result<ListenAddress> parse_listen(std::string_view text);

}  // namespace gantry::app
