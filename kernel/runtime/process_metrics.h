#pragma once
#include <deque>
#include <string>

#include "kernel/http/server.h"
#include "kernel/observe/log_queue.h"
#include "kernel/observe/metrics_writer.h"
#include "kernel/runtime/front.h"
#include "kernel/runtime/listeners.h"
#include "kernel/runtime/scrubs.h"
#include "kernel/runtime/tenant.h"

namespace gantry::runtime {

// What is measured of a process and its services: GET /metrics, and what `gantry status` and the console's first page show.
struct Measured {
    std::deque<Tenant>& tenants;
    http::Server const& server;
    Front const& front;
    Clock& clock;
    std::string data_dir;  // empty: nothing is on a disk
    std::string version;
    std::uint64_t memory_bytes_max = 0;
    observe::LogQueue const* log = nullptr;
    Scrubs* scrubs = nullptr;
    Lines const* lines = nullptr;
    std::string tls_certificate_file;
};
// The text of GET /metrics. By no IO thread.
std::string metrics_text(Measured const& measured, observe::MetricsFormat format);
// {"version":…,"sites":[{"name":…,"services":[{…}]}],…}: `gantry status`; of one site, or of all.
// By no IO thread.
std::string status_json(Measured const& measured, std::string_view site = {});

// {"draining":true,"since":…,"connections":…,"in_flight":…,"live_readers":…}: GET /health/drain. `since`: 0: it isn't drained.
std::string drain_json(Measured const& measured, Time since);

}  // namespace gantry::runtime
