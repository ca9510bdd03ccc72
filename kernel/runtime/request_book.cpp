#include "kernel/runtime/request_book.h"

#include <array>
#include <map>

#include "kernel/http/message.h"
#include "kernel/runtime/host.h"

namespace gantry::runtime {
namespace {

constexpr std::size_t codes_max = 200;  // of refusals: ours are fewer

// What is no route of a service, as one: pages, health, administration, what there isn't.
constexpr std::string_view no_route = "(other)";

}  // namespace

RequestBook::RequestBook(Parts parts) : parts_(std::move(parts)) {
    for (auto const& site : parts_.sites) rows_.push_back({site.name, {}, std::string(no_route), {}, "request"});
    for (auto const& site : parts_.sites)
        for (auto const& target : site.targets) {
            row_by_route_.emplace(target.route, rows_.size());
            auto const& verb = target.route->verb;
            rows_.push_back({site.name, target.host->decl().name, target.path, std::string(verb), std::string(verb) + " " + target.path});
        }
    counted_ = std::make_unique<observe::ThreadRows<RouteCells>>(std::size_t(parts_.threads), rows_.size());
    for (int thread = 0; thread < parts_.threads; ++thread) {
        auto& cells = *cells_.emplace_back(std::make_unique<ThreadCells>());
        if (parts_.log) cells.ring = &parts_.log->new_ring();
    }
}

std::size_t RequestBook::row_of(ThreadCells& cells, std::size_t site, Ticket const& ticket) const {
    if (!ticket.route) return site;
    if (cells.last_route != ticket.route) {
        auto const found = row_by_route_.find(ticket.route);
        if (found == row_by_route_.end()) return site;
        cells.last_route = ticket.route, cells.last_row = found->second;
    }
    return cells.last_row;
}

void RequestBook::count_refusal(ThreadCells& cells, std::string const& code, int status) {
    auto count = [&](auto& by_code) {
        if (by_code.size() < codes_max || by_code.contains(code)) ++by_code[code];
    };
    std::lock_guard lock(refused_mutex_);
    count(cells.refused);
    if (status == 401 || code == "too_many_failures") count(cells.unrecognised);
}

// Who still calls what is to go.
void RequestBook::count_deprecated(ThreadCells& cells, std::size_t row, std::string_view caller) {
    std::lock_guard lock(refused_mutex_);
    std::pair key(row, std::string(caller));
    if (cells.deprecated.size() >= parts_.callers_max && !cells.deprecated.contains(key)) key.second = "(others)";
    ++cells.deprecated[std::move(key)];
}

void RequestBook::ended(int io_thread, std::size_t site, Ticket& ticket, http::Ended const& ended) {
    auto& cells = *cells_[std::size_t(io_thread)];
    auto const& row = rows_[row_of(cells, site, ticket)];
    auto& counted = counted_->at(std::size_t(io_thread), std::size_t(&row - rows_.data()));
    auto const duration_us = std::max<std::int64_t>(ended.ended_us - ended.arrived_us, 0);
    cells.ended.add();
    counted.latency.add(duration_us * 1000), counted.status.add(ended.status);
    if (ticket.route && ticket.route->deprecated)
        count_deprecated(cells, std::size_t(&row - rows_.data()), ticket.caller->viewer.id.view());
    if (!ticket.refused.empty()) {
        count_refusal(cells, ticket.refused, ended.status);
    }
    std::string_view const method = http::method_name(ticket.method);
    if (ticket.trace && parts_.traces) {
        auto& trace = *ticket.trace;
        trace.rename(observe::RequestTrace::Handle::root, row.name);
        trace.end(ended.ended_us * 1000, ended.status >= 500 ? observe::SpanStatus::error : observe::SpanStatus::unset);
        auto const kept = parts_.traces->offer(trace, {ended.status, ticket.request_id(), row.site, row.service, method, row.route});
        if (kept && parts_.exporter) parts_.exporter->add(*kept);
    }
    if (!cells.ring || ticket.quiet) return;
    observe::AccessRecord record;
    record.at = ticket.arrived + Duration::micros(duration_us);
    record.client = ticket.client(), record.caller = ticket.caller->viewer.id.view(), record.method = method;
    record.target = ticket.target(), record.request_id = ticket.request_id(), record.user_agent = ticket.agent();
    record.service = row.service, record.route = row.service.empty() ? std::string_view() : std::string_view(row.route);
    record.site = row.site, record.refused = ticket.refused;
    std::array<char, 32> trace_id;
    if (ticket.trace) trace_id = observe::hex_of(ticket.trace->id()), record.trace_id = {trace_id.data(), trace_id.size()};
    record.status = std::uint16_t(ended.status), record.http_minor = ticket.http_minor, record.tls = ticket.tls;
    record.sent_bytes = ended.bytes, record.duration_us = std::uint64_t(duration_us);
    cells.ring->add(record);
}

void RequestBook::refused(int io_thread, http::Peer const& peer, int status, std::string_view code) {
    auto& cells = *cells_[std::size_t(io_thread)];
    count_refusal(cells, std::string(code), status);
    counted_->at(std::size_t(io_thread), 0).status.add(status);
    if (!cells.ring) return;
    observe::AccessRecord record;
    record.at = parts_.clock.wall(), record.client = peer.address, record.method = "-", record.refused = code;
    record.status = std::uint16_t(status), record.site = rows_.front().site;
    cells.ring->add(record);
}

RequestBook::Totals RequestBook::totals(std::string_view site, std::string_view service) const {
    Totals totals;
    observe::LatencySum latency;
    std::array<std::uint64_t, observe::status_classes> codes{};
    for (std::size_t i = 0; i < rows_.size(); ++i) {
        if (rows_[i].site != site || rows_[i].service != service) continue;
        counted_->each(i, [&](RouteCells const& cells) { cells.status.add_to(codes), cells.latency.add_to(latency); });
    }
    for (auto count : codes) totals.answered += count;
    totals.failed = codes[std::size_t(observe::StatusClass::server_error)];
    std::uint64_t below = 0;
    for (std::size_t i = 0; i < observe::latency_bounds_ns.size() && latency.count() > 0; ++i) {
        below += latency.counts[i], totals.p99_ms = double(observe::latency_bounds_ns[i]) / 1e6;
        if (below * 100 >= latency.count() * 99) break;
    }
    return totals;
}

std::uint64_t RequestBook::in_flight() const {
    std::uint64_t began = 0, ended = 0;
    for (auto const& cells : cells_) ended += cells->ended.value(), began += cells->began.value();
    return began - std::min(began, ended);
}

void RequestBook::write_codes(observe::MetricsWriter& w, std::unordered_map<std::string, std::uint64_t> ThreadCells::* counted,
                              std::string_view family, std::string_view label, std::string_view help) const {
    std::map<std::string, std::uint64_t> sums;
    {
        std::lock_guard lock(refused_mutex_);
        for (auto const& cells : cells_)
            for (auto const& [code, count] : (*cells).*counted) sums[code] += count;
    }
    w.family(observe::MetricKind::counter, family, help);
    for (auto const& [code, count] : sums) w.sample({{label, code}}, count);
}

void RequestBook::write_deprecated(observe::MetricsWriter& w) const {
    std::map<std::pair<std::size_t, std::string>, std::uint64_t> sums;
    {
        std::lock_guard lock(refused_mutex_);
        for (auto const& cells : cells_)
            for (auto const& [key, count] : cells->deprecated) sums[key] += count;
    }
    if (sums.empty()) return;
    w.family(observe::MetricKind::counter, "gantry_http_deprecated_requests_total",
             "Requests to routes that are to go, by who still sends them.");
    for (auto const& [key, count] : sums) {
        auto const& row = rows_[key.first];
        w.sample({{"site", row.site}, {"service", row.service}, {"route", row.route}, {"method", row.method}, {"caller", key.second}},
                 count);
    }
}

void RequestBook::write(observe::MetricsWriter& w) const {
    using observe::MetricKind;
    w.family(MetricKind::counter, "gantry_http_requests_total", "Requests that were answered.");
    for (std::size_t i = 0; i < rows_.size(); ++i) {
        std::array<std::uint64_t, observe::status_classes> sums{};
        counted_->each(i, [&](RouteCells const& cells) { cells.status.add_to(sums); });
        auto const& row = rows_[i];
        for (std::size_t c = 0; c < sums.size(); ++c)
            if (sums[c] > 0)
                w.sample({{"site", row.site},
                          {"service", row.service},
                          {"route", row.route},
                          {"method", row.method},
                          {"code", observe::name_of(observe::StatusClass(c))}},
                         sums[c]);
    }
    write_deprecated(w);
    w.family(MetricKind::histogram, "gantry_http_request_duration_seconds",
             "Time from a request's head to its complete answer; of a stream, until it ended.");
    for (std::size_t i = 0; i < rows_.size(); ++i) {
        observe::LatencySum sum;
        counted_->each(i, [&](RouteCells const& cells) { cells.latency.add_to(sum); });
        auto const& row = rows_[i];
        if (sum.count() > 0) w.sample({{"site", row.site}, {"service", row.service}, {"route", row.route}, {"method", row.method}}, sum);
    }
    w.single(MetricKind::gauge, "gantry_http_requests_in_flight", "Requests that are being answered, streams among them.", in_flight());
    write_codes(w, &ThreadCells::refused, "gantry_http_refused_total", "reason",
                "Requests that were refused before they reached a service, by the reason.");
    write_codes(w, &ThreadCells::unrecognised, "gantry_auth_failures_total", "code",
                "Requests whose credentials were missing or didn't hold, by what was wrong.");
}

}  // namespace gantry::runtime
