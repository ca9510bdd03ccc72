#include "services/pool/metrics.h"

#include <algorithm>
#include <map>
#include <optional>

#include "services/pool/pool.h"

namespace gantry::pool {
namespace {

std::string const others = "*";

struct Families {
    OwnMetric leases{OwnMetricKind::gauge, "gantry_pool_leases", "Leases that hold.", {}};
    OwnMetric resources{OwnMetricKind::gauge,
                        "gantry_pool_resources",
                        "Resources by type and state; type=\"*\": of all types but the hundred largest.",
                        {}};
    OwnMetric stuck{OwnMetricKind::gauge, "gantry_pool_stuck", "Resources that are in a state for longer than their type allows.", {}};
    OwnMetric waiting{OwnMetricKind::gauge, "gantry_pool_waiting", "Tickets that wait for resources of a type.", {}};
    OwnMetric oldest{
        OwnMetricKind::gauge, "gantry_pool_oldest_waiting_seconds", "Since when the ticket waits that waits longest; 0: none does.", {}};
    OwnMetric given{OwnMetricKind::counter, "gantry_pool_leases_total", "Leases that were given resources of a type.", {}};
    OwnMetric ended{
        OwnMetricKind::counter, "gantry_pool_ended_total", "Resources that came back: returned, or because their lease expired.", {}};
    OwnMetric broken{OwnMetricKind::counter, "gantry_pool_broken_total", "Times that a holder called a resource broken.", {}};
    OwnMetric clean_failed{OwnMetricKind::counter, "gantry_pool_clean_failed_total", "Cleanings that came to nothing.", {}};

    std::vector<OwnMetric> all() && {
        std::vector<OwnMetric> out;
        for (auto* family : {&leases, &resources, &stuck, &waiting, &oldest, &given, &ended, &broken, &clean_failed})
            out.push_back(std::move(*family));
        return out;
    }
};

// Of a type, or of the others together.
struct Figures {
    std::map<std::uint32_t, std::uint64_t> counts;  // by state
    std::uint64_t stuck = 0, waiting = 0, given = 0, returned = 0, expired = 0, broken = 0, clean_failed = 0;
    Duration oldest;

    void add(State const& s, std::uint32_t number, TypeRow const& row, Time now) {
        for (std::uint32_t state = 0; state < row.counts.size(); ++state)
            if (state < further || row.counts[state] > 0) counts[state] += row.counts[state];
        stuck += row.stuck, waiting += row.waiting;
        given += row.leases, returned += row.returns - row.expired, expired += row.expired, broken += row.broken,
            clean_failed += row.clean_failures;
        oldest = std::max(oldest, oldest_waiting(s, number, now));
    }
    // The first in line for each kind of the type.
    static Duration oldest_waiting(State const& s, std::uint32_t type, Time now) {
        constexpr int kinds_max = 1000;
        Duration oldest;
        std::optional<std::uint32_t> kind = 0;
        for (int looks = 0; kind && looks < kinds_max; ++looks) {
            WaitKey const from{.type = type, .kind = *kind};
            kind.reset();
            s.waiting.ascend(from, [&](WaitKey const& key) {
                if (key.type != type) return false;
                auto const* line = s.line.find(key.seq);
                if (auto const* ticket = line ? s.tickets.find(line->ticket) : nullptr) oldest = std::max(oldest, now - ticket->asked_at);
                kind = key.kind + 1;
                return false;
            });
        }
        return oldest;
    }
    void tell(Families& out, State const& s, std::string const& type) const {
        auto const one = [&](OwnMetric& to, double value) { to.samples.push_back({{{"type", type}}, value}); };
        for (auto const& [state, count] : counts)
            out.resources.samples.push_back({{{"type", type}, {"state", s.state_name(state)}}, double(count)});
        one(out.stuck, double(stuck)), one(out.waiting, double(waiting)), one(out.oldest, double(oldest.us) / 1e6);
        one(out.given, double(given)), one(out.broken, double(broken)), one(out.clean_failed, double(clean_failed));
        out.ended.samples.push_back({{{"type", type}, {"how", "returned"}}, double(returned)});
        out.ended.samples.push_back({{{"type", type}, {"how", "expired"}}, double(expired)});
    }
};

}  // namespace

std::vector<OwnMetric> metrics(State const& s, Time now) {
    std::vector<std::pair<std::uint32_t, TypeRow const*>> types;
    s.types.walk(nullptr, [&](std::uint32_t number, TypeRow const& row) {
        if (!row.removed) types.emplace_back(number, &row);
        return true;
    });
    std::ranges::sort(types, std::less(), [](auto const& type) { return std::pair(~type.second->total(), type.first); });
    Families out;
    out.leases.samples.push_back({{}, double(s.lease_due.size())});
    auto const named = std::min(types.size(), metrics_types_max);
    for (std::size_t i = 0; i < named; ++i) {
        Figures figures;
        figures.add(s, types[i].first, *types[i].second, now);
        figures.tell(out, s, std::string(s.type_names.text(types[i].first)));
    }
    if (named == types.size()) return std::move(out).all();
    Figures figures;
    for (std::size_t i = named; i < types.size(); ++i) figures.add(s, types[i].first, *types[i].second, now);
    figures.tell(out, s, others);
    return std::move(out).all();
}

std::vector<OwnMetric> Service::metrics(State const& s, Time now) { return pool::metrics(s, now); }

}  // namespace gantry::pool
