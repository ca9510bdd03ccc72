#include "kernel/runtime/process_metrics.h"

#include <sys/statvfs.h>

#include <algorithm>
#include <cmath>
#include <functional>

#include "kernel/codec/json.h"
#include "kernel/log/backup.h"
#include "kernel/observe/process_metrics.h"

namespace gantry::runtime {
namespace {

using observe::MetricKind;

struct EffectCounts {
    std::uint64_t pending = 0, dead = 0;
};
EffectCounts effects_of(Host& host) {
    EffectCounts counts;
    if (!host.decl().outbox || !host.ready()) return counts;
    Position at = 0;
    host.look(Viewer{Str("gantry"), true}, at, [&](void const* state) {
        host.decl().outbox(state).walk(nullptr,
                                       [&](PendingEffect const& row) { return ++(row.next_at ? counts.pending : counts.dead), true; });
        return true;
    });
    return counts;
}

std::optional<std::uint64_t> free_bytes(std::string const& directory) {
    struct statvfs found{};
    if (directory.empty() || ::statvfs(directory.c_str(), &found) != 0) return {};
    return std::uint64_t(found.f_bavail) * found.f_frsize;
}

std::string_view name_of(FollowerState state) {
    std::string_view name;
    boost::mp11::mp_for_each<boost::describe::describe_enumerators<FollowerState>>([&](auto described) {
        if (described.value == state) name = described.name;
    });
    return name;
}

std::optional<Time> last_backup(std::string const& directory) {
    if (directory.empty()) return {};
    auto const text = log::read_file(log::system_disk(), directory + "/" + std::string(log::last_backup_file));
    auto const told = text ? codec::from_json<log::LastBackup>(*text) : std::unexpected(text.error());
    return told ? std::optional(told->at) : std::nullopt;
}

double seconds(Duration d) { return double(d.us) / 1e6; }

// One family over all services, in the order of sites and services.
template <class Value>
void each_service(observe::MetricsWriter& w, Measured const& m, MetricKind kind, std::string_view name, std::string_view help,
                  Value&& value) {
    w.family(kind, name, help);
    for (auto& tenant : m.tenants)
        for (auto& served : tenant.served) w.sample({{"site", tenant.name}, {"service", served.host->decl().name}}, value(served));
}

void write_logs(observe::MetricsWriter& w, Measured const& m) {
    auto status = [](Served const& s) { return s.host->log().status(); };
    each_service(w, m, MetricKind::gauge, "gantry_log_position", "Events that the log holds and held: the position of the last one.",
                 [&](Served const& s) { return status(s).end; });
    each_service(w, m, MetricKind::gauge, "gantry_log_durable_position", "Position up to which the log is durable.",
                 [&](Served const& s) { return status(s).durable; });
    each_service(w, m, MetricKind::gauge, "gantry_log_durable_lag_events", "Events that are recorded and not durable yet.",
                 [&](Served const& s) {
                     auto const now = status(s);
                     return now.end - std::min(now.end, now.durable);
                 });
    each_service(w, m, MetricKind::gauge, "gantry_log_begin_position", "Position of the first event that the log still holds.",
                 [&](Served const& s) { return status(s).begin; });
    each_service(w, m, MetricKind::gauge, "gantry_log_bytes", "Bytes of the log's segments.",
                 [&](Served const& s) { return status(s).bytes; });
    each_service(w, m, MetricKind::gauge, "gantry_log_segments", "Segments of the log.",
                 [&](Served const& s) { return status(s).segments; });
    observe::LatencySum syncs;
    for (auto& tenant : m.tenants)
        for (auto& served : tenant.served) served.host->log().add_syncs(syncs);
    w.single(MetricKind::histogram, "gantry_log_sync_seconds", "Time that the disk took to make a group of commands durable.", syncs);
    each_service(w, m, MetricKind::gauge, "gantry_clock_ahead_seconds", "How far the log's newest event is ahead of this machine's clock.",
                 [&](Served const& s) { return std::max(0.0, seconds(status(s).last_time - m.clock.wall())); });
}

void write_services(observe::MetricsWriter& w, Measured const& m) {
    each_service(w, m, MetricKind::gauge, "gantry_service_ready", "1 when the service has read its log and answers.",
                 [](Served const& s) { return s.host->ready() ? 1 : 0; });
    each_service(w, m, MetricKind::gauge, "gantry_service_stopped", "1 when the service stopped itself after three failures in a row.",
                 [](Served const& s) { return s.host->stopped() ? 1 : 0; });
    each_service(w, m, MetricKind::gauge, "gantry_service_memory_bytes", "Memory of the service's state.",
                 [](Served const& s) { return s.host->memory_bytes(); });
    each_service(w, m, MetricKind::gauge, "gantry_service_memory_limit_bytes", "Most memory that its state may take; 0: no limit.",
                 [&](Served const&) { return m.memory_bytes_max; });
    each_service(w, m, MetricKind::gauge, "gantry_replay_seconds", "Time that the last start took to read the log.",
                 [](Served const& s) { return double(s.replay_ns) / 1e9; });
    w.family(MetricKind::gauge, "gantry_snapshot_age_seconds", "Age of the newest event in the newest snapshot.");
    for (auto& tenant : m.tenants)
        for (auto& served : tenant.served)
            if (auto const at = served.host->snapshot_time())
                w.sample({{"site", tenant.name}, {"service", served.host->decl().name}}, seconds(m.clock.wall() - *at));
    each_service(w, m, MetricKind::gauge, "gantry_snapshot_age_events", "Events since the newest snapshot: what a start replays.",
                 [](Served const& s) { return s.host->since_snapshot(); });
    each_service(w, m, MetricKind::gauge, "gantry_waiting_commands", "Commands that wait until there is something for them.",
                 [](Served const& s) { return s.host->waiting().count(); });
    each_service(w, m, MetricKind::counter, "gantry_waiting_commands_asked_total", "How often one that waited was decided again.",
                 [](Served const& s) { return s.host->waiting().asked(); });
    each_service(w, m, MetricKind::counter, "gantry_reports_total", "Failures of ours that were reported.",
                 [](Served const& s) { return s.host->failures(); });
}

void write_reports(observe::MetricsWriter& w, Measured const& m) {
    auto each_site = [&](MetricKind kind, std::string_view name, std::string_view help, auto&& value) {
        w.family(kind, name, help);
        for (auto& tenant : m.tenants) w.sample({{"site", tenant.name}}, value(*tenant.reports));
    };
    each_site(MetricKind::gauge, "gantry_reports_pending", "Reports of our own failures that wait to be delivered to an oops.",
              [](Reports const& r) { return r.spool().waiting(); });
    each_site(MetricKind::counter, "gantry_reports_delivered_total", "Reports that an oops took.",
              [](Reports const& r) { return r.spool().delivered(); });
    w.family(MetricKind::counter, "gantry_reports_dropped_total",
             "Failures without a report: too many a minute, or pushed out by newer ones.");
    for (auto& tenant : m.tenants) {
        w.sample({{"site", tenant.name}, {"reason", "rate"}}, tenant.reports->dropped());
        w.sample({{"site", tenant.name}, {"reason", "spool_full"}}, tenant.reports->spool().pushed_out());
    }
}

void write_followers(observe::MetricsWriter& w, Measured const& m) {
    struct Row {
        std::string_view site, service;
        FollowerTold told;
    };
    std::vector<Row> rows;
    for (auto& tenant : m.tenants)
        for (auto& served : tenant.served)
            for (auto const& decl : served.host->decl().followers)
                if (auto* follower = served.followers ? served.followers->find(decl.source) : nullptr)
                    rows.push_back({tenant.name, served.host->decl().name, follower->told()});
    auto family = [&](std::string_view name, std::string_view help, auto&& value) {
        w.family(MetricKind::gauge, name, help);
        for (auto const& row : rows) w.sample({{"site", row.site}, {"service", row.service}, {"source", row.told.source}}, value(row.told));
    };
    family("gantry_follower_lag_events", "Events of the source that were not taken yet.", [](auto const& t) { return t.lag_events; });
    family("gantry_follower_lag_seconds", "Time since the first event that was not taken yet.", [](auto const& t) { return t.lag_s; });
    family("gantry_follower_dead_letters", "Events that could not be taken, and those behind them.",
           [](auto const& t) { return t.dead_letters; });
    w.family(MetricKind::gauge, "gantry_follower_state", "1 for the state that the follower is in.");
    for (auto const& row : rows)
        w.sample({{"site", row.site}, {"service", row.service}, {"source", row.told.source}, {"state", name_of(row.told.state)}}, 1);
}

void write_effects(observe::MetricsWriter& w, Measured const& m) {
    std::vector<std::pair<Served const*, EffectCounts>> rows;
    for (auto& tenant : m.tenants)
        for (auto& served : tenant.served)
            if (served.host->decl().outbox) rows.emplace_back(&served, effects_of(*served.host));
    auto family = [&](std::string_view name, std::string_view help, std::uint64_t EffectCounts::* count) {
        w.family(MetricKind::gauge, name, help);
        for (auto const& [served, counts] : rows) w.sample({{"site", served->site}, {"service", served->host->decl().name}}, counts.*count);
    };
    family("gantry_effects_pending", "Effects that wait for their turn or their next try.", &EffectCounts::pending);
    family("gantry_effects_dead", "Effects that were given up and wait for an operator.", &EffectCounts::dead);
}

void write_text(observe::MetricsWriter& w, Measured const& m) {
    std::vector<std::pair<Served const*, TextTold>> rows;
    for (auto& tenant : m.tenants)
        for (auto& served : tenant.served)
            if (served.text) rows.emplace_back(&served, served.text->told());
    auto family = [&](MetricKind kind, std::string_view name, std::string_view help, std::uint64_t TextTold::* count) {
        w.family(kind, name, help);
        for (auto const& [served, told] : rows) w.sample({{"site", served->site}, {"service", served->host->decl().name}}, told.*count);
    };
    family(MetricKind::gauge, "gantry_text_lag_events", "Durable events that the full-text index doesn't show yet.", &TextTold::lag_events);
    family(MetricKind::gauge, "gantry_text_documents", "Documents in the full-text index.", &TextTold::documents);
    family(MetricKind::counter, "gantry_text_rebuilds_total", "How often the full-text index was made anew.", &TextTold::rebuilds);
}

// What services tell of themselves: a family over all sites, in the order in which they come.
void write_own(observe::MetricsWriter& w, Measured const& m) {
    struct Row {
        std::string_view site;
        OwnMetric metric;
    };
    std::vector<std::vector<Row>> families;
    for (auto& tenant : m.tenants)
        for (auto& served : tenant.served) {
            auto& host = *served.host;
            if (!host.decl().metrics || !host.ready()) continue;
            std::vector<OwnMetric> told;
            Position at = 0;
            host.look(Viewer{Str("gantry"), true}, at,
                      [&](void const* state) { return told = host.decl().metrics(state, m.clock.wall()), true; });
            for (auto& metric : told) {
                auto same = std::ranges::find_if(families, [&](auto const& rows) { return rows[0].metric.name == metric.name; });
                if (same == families.end()) same = families.insert(same, std::vector<Row>());
                same->push_back({tenant.name, std::move(metric)});
            }
        }
    for (auto const& rows : families) {
        auto const& first = rows[0].metric;
        w.family(first.kind == OwnMetricKind::counter ? MetricKind::counter : MetricKind::gauge, first.name, first.help);
        for (auto const& [site, metric] : rows)
            for (auto const& sample : metric.samples) {
                std::vector<observe::Label> labels{{"site", site}};
                for (auto const& [name, value] : sample.labels) labels.push_back({name, value});
                if (auto const whole = std::int64_t(sample.value); std::abs(sample.value) < 1e15 && double(whole) == sample.value)
                    w.sample(observe::Labels(labels), whole);
                else
                    w.sample(observe::Labels(labels), sample.value);
            }
    }
}

void write_live(observe::MetricsWriter& w, Measured const& m) {
    std::vector<std::pair<std::string_view, Edge::LiveCounts>> rows;
    for (auto& tenant : m.tenants) rows.emplace_back(tenant.name, tenant.edge->live_counts());
    auto family = [&](MetricKind kind, std::string_view name, std::string_view help, std::uint64_t Edge::LiveCounts::* count) {
        w.family(kind, name, help);
        for (auto const& [site, counts] : rows) w.sample({{"site", site}}, counts.*count);
    };
    family(MetricKind::gauge, "gantry_live_readers", "Streams of live answers.", &Edge::LiveCounts::readers);
    family(MetricKind::gauge, "gantry_live_readers_behind", "Those that are too slow for every answer.", &Edge::LiveCounts::behind);
    family(MetricKind::counter, "gantry_live_evaluations_total", "Answers that were worked out for live readers.",
           &Edge::LiveCounts::evaluations);
}

void write_connections(observe::MetricsWriter& w, Measured const& m) {
    auto const stats = m.server.stats();
    w.single(MetricKind::gauge, "gantry_connections_open", "Connections.", stats.connections_open);
    w.single(MetricKind::counter, "gantry_connections_accepted_total", "Connections that were accepted.", stats.connections_accepted);
    w.single(MetricKind::counter, "gantry_connections_refused_total", "Connections over [http] connections.", stats.connections_refused);
    w.single(MetricKind::counter, "gantry_http_timeouts_total", "Requests and connections that took too long.", stats.timeouts);
    w.single(MetricKind::counter, "gantry_http_received_bytes_total", "Bytes received.", stats.bytes_received);
    w.single(MetricKind::counter, "gantry_http_sent_bytes_total", "Bytes sent.", stats.bytes_sent);
}

struct ServiceStatus {
    std::string name, state, position;
    std::uint64_t events = 0, of = 0, durable_lag_events = 0, log_bytes = 0, memory_bytes = 0, effects_pending = 0, effects_dead = 0;
    std::uint64_t requests = 0, errors = 0, failures = 0;
    double p99_ms = 0;
    std::vector<FollowerTold> followers;
    std::optional<TextTold> text;
};
RECORD(ServiceStatus, name, state, position, events, of, durable_lag_events, log_bytes, memory_bytes, effects_pending, effects_dead,
       requests, errors, failures, p99_ms, followers, text);
struct SiteStatus {
    std::string name;
    std::vector<ServiceStatus> services;
};
RECORD(SiteStatus, name, services);
struct ProcessStatus {
    std::string version;
    Time now{}, started_at{};
    std::uint64_t resident_bytes = 0, connections = 0, live_readers = 0;
    double cpu_seconds = 0;
    std::optional<std::uint64_t> disk_free_bytes;
    std::vector<SiteStatus> sites;
};
RECORD(ProcessStatus, version, now, started_at, resident_bytes, connections, live_readers, cpu_seconds, disk_free_bytes, sites);

struct DrainStatus {
    bool draining = false;
    std::optional<Time> since;
    std::uint64_t connections = 0, in_flight = 0, live_readers = 0;  // the question itself among them
};
RECORD(DrainStatus, draining, since, connections, in_flight, live_readers);

ServiceStatus status_of(Measured const& m, Tenant const& tenant, Served const& served) {
    auto& host = *served.host;
    auto const log = host.log().status();
    auto const effects = effects_of(host);
    auto const requests = m.front.requests_of(tenant.name, host.decl().name);
    ServiceStatus out;
    out.name = host.decl().name, out.state = host.stopped() ? "stopped" : host.ready() ? "ready" : "starting";
    out.position = host.position_text(host.durable());
    out.events = host.ready() ? host.durable() : host.replayed(), out.of = log.durable;
    out.durable_lag_events = log.end - std::min(log.end, log.durable), out.log_bytes = log.bytes, out.memory_bytes = host.memory_bytes();
    out.effects_pending = effects.pending, out.effects_dead = effects.dead, out.failures = host.failures();
    out.requests = requests.answered, out.errors = requests.failed, out.p99_ms = requests.p99_ms;
    for (auto const& decl : host.decl().followers)
        if (auto* follower = served.followers ? served.followers->find(decl.source) : nullptr) out.followers.push_back(follower->told());
    if (served.text) out.text = served.text->told();
    return out;
}

}  // namespace

std::string metrics_text(Measured const& m, observe::MetricsFormat format) {
    std::string out;
    observe::MetricsWriter w(format, out);
    w.family(MetricKind::info, "gantry_build_info", "The release that runs.");
    w.sample({{"version", m.version}}, 1);
    write_connections(w, m);
    m.front.write_metrics(w);
    if (m.lines) m.lines->write(w);
    write_logs(w, m);
    write_services(w, m);
    write_reports(w, m);
    write_followers(w, m);
    write_effects(w, m);
    write_text(w, m);
    write_own(w, m);
    write_live(w, m);
    if (m.log) {
        auto const lost = m.log->lost();
        w.family(MetricKind::counter, "gantry_log_lines_lost_total", "Log lines that could not be written.");
        w.sample({{"why", "queue_full"}}, lost.lines), w.sample({{"why", "access_ring_full"}}, lost.accesses);
        w.sample({{"why", "output"}}, lost.outputs);
    }
    w.family(MetricKind::gauge, "gantry_disk_free_bytes", "Bytes that the data directory may still take.");
    if (auto const free = free_bytes(m.data_dir)) w.sample({{"place", m.data_dir}}, *free);
    if (m.scrubs)
        w.single(MetricKind::counter, "gantry_scrub_damage_total", "Damages that a scrub found.", m.scrubs->status().damages_total);
    if (auto const last = last_backup(m.data_dir))
        w.single(MetricKind::gauge, "gantry_backup_age_seconds", "Time since the newest backup was taken.",
                 seconds(m.clock.wall() - *last));
    if (auto const ends = http::certificate_ends(m.tls_certificate_file))
        w.single(MetricKind::gauge, "gantry_certificate_expires_seconds", "Time until the TLS certificate expires.",
                 seconds(*ends - m.clock.wall()));
    observe::write_process_metrics(w, observe::read_process_figures());
    w.finish();
    return out;
}

std::string drain_json(Measured const& m, Time since) {
    DrainStatus out{.draining = since.us != 0};
    if (out.draining) out.since = since;
    out.connections = m.server.stats().connections_open, out.in_flight = m.front.in_flight();
    for (auto& tenant : m.tenants) out.live_readers += tenant.edge->live_counts().readers;
    return codec::to_json(out);
}

std::string status_json(Measured const& m, std::string_view only) {
    ProcessStatus out{.version = m.version, .now = m.clock.wall()};
    auto const figures = observe::read_process_figures();
    if (figures.start_time_seconds) out.started_at = Time{std::int64_t(*figures.start_time_seconds * 1e6)};
    out.resident_bytes = figures.resident_bytes.value_or(0), out.cpu_seconds = figures.cpu_seconds.value_or(0);
    out.connections = m.server.stats().connections_open, out.disk_free_bytes = free_bytes(m.data_dir);
    for (auto& tenant : m.tenants) {
        if (!only.empty() && tenant.name != only) continue;
        out.live_readers += tenant.edge->live_counts().readers;
        auto& site = out.sites.emplace_back(SiteStatus{tenant.name, {}});
        for (auto const& served : tenant.served) site.services.push_back(status_of(m, tenant, served));
    }
    return codec::to_json(out);
}

}  // namespace gantry::runtime
