#pragma once
#include "services/pool/acquire.h"
#include "services/pool/queries.h"
#include "services/pool/resources.h"
#include "services/pool/types.h"

namespace gantry::pool {

struct Service {
    using State = pool::State;
    using Event = pool::Event;
    static constexpr std::string_view name = "pool";
    static constexpr std::string_view doc = "Shared resources, leased and cleaned.";
    static std::vector<Route> routes();
    static std::vector<Timer> timers();
    static std::vector<EffectKind> effects();
    static std::vector<OwnMetric> metrics(State const& s, Time now);
    static std::vector<Follower> followers();
};

}  // namespace gantry::pool
