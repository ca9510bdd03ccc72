#pragma once
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "kernel/http/server.h"
#include "kernel/observe/log_queue.h"
#include "kernel/observe/metrics.h"
#include "kernel/observe/metrics_writer.h"
#include "kernel/observe/otlp_queue.h"
#include "kernel/observe/trace_store.h"
#include "kernel/runtime/binding.h"
#include "kernel/runtime/ticket.h"

namespace gantry::runtime {

// What becomes of requests, told once they ended: counts and durations by route, a record for the access log, and the trace of one that
// failed, was slow or is to be sampled. Each IO thread writes what is its own; whoever asks adds it up.
class RequestBook {
   public:
    struct Site {
        std::string_view name;  // outlives the book, as do the targets
        std::span<Target const> targets;
    };
    struct Parts {
        std::vector<Site> sites;
        int threads = 1;
        Clock& clock;
        observe::LogQueue* log = nullptr;        // null: no access log
        observe::TraceStore* traces = nullptr;   // null: none is kept
        observe::OtlpQueue* exporter = nullptr;  // null: none is sent
        std::size_t callers_max = 1000;          // that are counted each by itself; the rest is one
    };
    explicit RequestBook(Parts parts);

    // On its IO thread.
    void began(int io_thread) { cells_[std::size_t(io_thread)]->began.add(); }
    void ended(int io_thread, std::size_t site, Ticket& ticket, http::Ended const& ended);
    // A request that no handler saw.
    void refused(int io_thread, http::Peer const& peer, int status, std::string_view code);

    struct Totals {
        std::uint64_t answered = 0, failed = 0;  // failed: by a status from 500 on
        double p99_ms = 0;
    };
    // Of all routes of one service, since the start.
    Totals totals(std::string_view site, std::string_view service) const;
    std::uint64_t in_flight() const;
    // gantry_http_… and gantry_auth_failures_total.
    void write(observe::MetricsWriter& writer) const;

   private:
    struct Row {
        std::string_view site, service;
        std::string route, method, name;  // name: of the root of a trace
    };
    struct RouteCells {
        observe::LatencyCells latency;
        observe::StatusCells status;
    };
    struct ThreadCells {
        observe::Cell began, ended;
        std::unordered_map<std::string, std::uint64_t> refused;                   // by code
        std::unordered_map<std::string, std::uint64_t> unrecognised;              // those with 401 and the waits after them
        std::map<std::pair<std::size_t, std::string>, std::uint64_t> deprecated;  // by row and caller
        observe::AccessRing* ring = nullptr;
        RouteDecl const* last_route = nullptr;  // of which `last_row` is the row: requests of a route come one after another
        std::size_t last_row = 0;
    };
    void write_codes(observe::MetricsWriter& writer, std::unordered_map<std::string, std::uint64_t> ThreadCells::* counted,
                     std::string_view family, std::string_view label, std::string_view help) const;
    void write_deprecated(observe::MetricsWriter& writer) const;
    void count_deprecated(ThreadCells& cells, std::size_t row, std::string_view caller);
    void count_refusal(ThreadCells& cells, std::string const& code, int status);
    std::size_t row_of(ThreadCells& cells, std::size_t site, Ticket const& ticket) const;

    Parts parts_;
    std::vector<Row> rows_;  // first one for each site, of what is no route of a service
    std::unordered_map<RouteDecl const*, std::size_t> row_by_route_;
    std::unique_ptr<observe::ThreadRows<RouteCells>> counted_;
    std::vector<std::unique_ptr<ThreadCells>> cells_;
    mutable std::mutex refused_mutex_;  // of ThreadCells::refused and what follows
};

}  // namespace gantry::runtime
