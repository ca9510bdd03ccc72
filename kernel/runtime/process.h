#pragma once
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "kernel/base/result.h"
#include "kernel/base/time.h"
#include "kernel/config/config.h"
#include "kernel/http/server.h"
#include "kernel/runtime/front.h"
#include "kernel/runtime/listeners.h"
#include "kernel/runtime/service_decl.h"
#include "kernel/runtime/static_file.h"

namespace gantry::runtime {

// What one process serves, and from where.
struct ProcessOptions {
    std::string data_dir;
    std::string log;  // empty: DATA/<site>/<service>; "file:DIR": DIR/<site>/<service>; "memory:": nothing is kept
    std::vector<std::string> sites = {"main"};  // by good names (sites.h); the first is that of a host without a label
    http::ListenAddress listen;
    http::TlsFiles tls;
    http::Limits limits;
    int io_threads = 0;  // 0: one a processor
    int effect_threads = 4;
    std::vector<ServiceDecl> services;
    config::Config const* config = nullptr;  // of the services' sections; null: their defaults
    std::span<StaticFile const> files = {};  // the console
    std::string_view files_security_policy = {};
    std::string version, revision = {};
    std::string reports_dsn = {};  // of a project of an oops elsewhere, which gets our own reports; empty: the oops of each site, if any
    std::uint64_t memory_bytes_max = 0;             // of each service's state; 0: no limit
    std::size_t waiting_commands_max = 100'000;     // of all sites and services; beyond: they are answered at once
    std::uint64_t history_bytes_max = 1u << 30;     // of each service's states of the past in memory
    std::uint64_t snapshot_bytes_max = 8ull << 30;  // of each service's snapshots on disk, but for the newest two
    // Services that are followed here and served elsewhere, with the URLs of their servers.
    std::vector<std::pair<std::string, std::string>> elsewhere = {};
    // A log whose followers are behind keeps at most so many events for them beyond its retention; then they are told of a gap.
    std::uint64_t followers_keep_events_max = 10'000'000;
    Duration scrub_every = Duration::days(7);  // 0: only when asked
    std::uint64_t scrub_bytes_a_second = 16u << 20;
    Duration stop_timeout = Duration::seconds(30);
    bool clock_ahead_accepted = false;  // opens a log that is ahead of the wall clock
    FrontSettings front = {};
    MakeSiteCallers callers = {};            // null: callers.json alone
    observe::LogQueue* log_queue = nullptr;  // is drained while the process serves; null: lines are written at once, and no access log
    std::function<void(std::string_view url)> on_ready;
    std::function<void(Listening const&)> on_listening = {};                              // after on_ready, for each further listener
    std::function<void(std::string_view text)> on_first_steps = [](std::string_view) {};  // what the callers have to say (SiteCallers)
    std::function<void()> on_stopping = {};
    // SIGHUP: reads the configuration again, and gives what may change at once. Then `on_reloaded`.
    std::function<Result<FrontSettings>()> on_reload = {};
    std::function<void(std::string_view url)> on_reloaded = {};
};

// Serves until SIGTERM or SIGINT, then stops in order: refuses new work, finishes what runs, saves a snapshot, closes the logs. Fails
// with what kept it from starting ("data_locked", "log_damaged", "listen_failed", "listen_refused", …) or from stopping in time
// ("stop_timeout": what was acknowledged is durable all the same).
Result<void> serve(ProcessOptions options);

}  // namespace gantry::runtime
