#pragma once
#include "services/tracker/intake.h"
#include "services/tracker/queries.h"

namespace gantry::tracker {

// [tracker]
struct Settings {
    std::optional<Duration> window;
};
RECORD(Settings, window);

// What an import has read: `from` must be where it stands.
struct Chunk {
    Text<1, 200> import;
    Text<0, 200> from;  // "" at the beginning
    Text<1, 200> to;
    std::vector<NewReport> reports;
};
RECORD(Chunk, import, from, to, reports);

struct Service {
    using State = tracker::State;
    using Event = tracker::Event;
    using Settings = tracker::Settings;
    static constexpr std::string_view name = "tracker";
    static constexpr std::string_view doc = "Where each package is on its way, and what became of it.";
    static std::vector<Route> routes();
    static std::vector<std::pair<std::string_view, std::string_view>> settings_docs();
    static std::vector<Event> tick(State const& s, Ctx const& cx);
    static std::optional<Duration> retention(Settings const& settings) { return settings.window; }
};

}  // namespace gantry::tracker
