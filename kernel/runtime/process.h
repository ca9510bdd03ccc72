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
#include "kernel/runtime/service.h"
#include "kernel/runtime/static_file.h"

namespace gantry::runtime {

// What one process serves, and from where.
struct ProcessOptions {
    std::string data_dir;
    std::string log;  // empty: DATA/<site>/<service>; "file:DIR": DIR/<site>/<service>; "memory:": nothing is kept
    std::string site = "main";
    http::ListenAddress listen;
    http::TlsFiles tls;
    http::Limits limits;
    int io_threads = 0;  // 0: one a processor
    std::vector<ServiceDecl> services;
    config::Config const* config = nullptr;  // of the services' sections; null: their defaults
    std::span<StaticFile const> files = {};  // the console
    std::string_view files_security_policy = {};
    std::string version;
    std::uint64_t memory_bytes_max = 0;             // of each service's state; 0: no limit
    std::uint64_t history_bytes_max = 1u << 30;     // of each service's states of the past in memory
    std::uint64_t snapshot_bytes_max = 8ull << 30;  // of each service's snapshots on disk, but for the newest two
    Duration scrub_every = Duration::days(7);       // 0: only when asked
    std::uint64_t scrub_bytes_a_second = 16u << 20;
    Duration stop_timeout = Duration::seconds(30);
    bool clock_ahead_accepted = false;  // opens a log that is ahead of the wall clock
    std::function<void(std::string_view url)> on_ready;
};

// Serves until SIGTERM or SIGINT, then stops in order: refuses new work, finishes what runs, saves a snapshot, closes the logs. Fails
// with what kept it from starting ("data_locked", "log_damaged", "listen_failed", "listen_refused", …) or from stopping in time
// ("stop_timeout": what was acknowledged is durable all the same).
Result<void> serve(ProcessOptions options);

}  // namespace gantry::runtime
