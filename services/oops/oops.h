#pragma once
#include "services/oops/groups.h"
#include "services/oops/ingest.h"
#include "services/oops/keep.h"
#include "services/oops/reads.h"
#include "services/oops/regroup.h"
#include "services/oops/summary.h"

namespace gantry::oops {

struct Service {
    using State = oops::State;
    using Event = oops::Event;
    using Settings = oops::Settings;
    static constexpr std::string_view name = "oops";
    static constexpr std::string_view doc = "Error reports from anywhere, grouped by what they have in common.";
    static std::vector<Route> routes();
    static std::vector<EffectKind> effects();
    static std::vector<Timer> timers();
    static std::vector<std::pair<std::string_view, std::string_view>> settings_docs();
    static text::Schema text_schema() { return search_schema(); }
    static void index(State const& s, Event const& e, At const&, TextChanges& out) {
        if (auto const* reported = std::get_if<Reported>(&e)) index_report(s, *reported, out);
        if (auto const* kept = std::get_if<KeptOn>(&e)) index_report(s, kept->what, out);
    }
    static std::vector<Event> tick(State const& s, Ctx const& cx) { return judge_some(s, cx); }
    static std::optional<Position> needs(State const& s) { return unjudged(s); }
    static std::optional<Duration> retention(Settings const& settings) { return settings.retention; }
};

}  // namespace gantry::oops
