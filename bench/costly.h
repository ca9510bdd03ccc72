#pragma once
#include "kernel/service.h"

// A service whose cost is injected: each read and each command takes so long of its thread, and does nothing else.
namespace gantry::costly {

inline std::int64_t cost_ns = 1'000'000;

inline void spend() {
    auto& clock = system_clock();
    for (auto const end = clock.steady_ns() + cost_ns; clock.steady_ns() < end;) {
    }
}

using WorkId = Id<"w_">;
struct Done {
    WorkId id;
};
RECORD(Done, id);
using Event = std::variant<Done>;
struct State {
    Table<WorkId, Done> done;
    void apply(Done const& e) { done.put(e.id, e); }
};
STATE(State, done);

struct Work {
    WorkId id;
};
RECORD(Work, id);

inline Result<Work> read(State const&, Work const& in, Ctx const&) {
    spend();
    return in;
}
inline Result<Emit<Done, Event>> command(State const&, Work const& in, Ctx const&) {
    spend();
    return Emit<Done, Event>{{Done{in.id}}, Done{in.id}};
}

struct Service {
    using State = costly::State;
    using Event = costly::Event;
    static constexpr std::string_view name = "costly";
    static std::vector<Route> routes() {
        return {route<Service>(V1, "GET", "/work/{id}", &read, OpenToAll{}, Doc{"Spends the time that it costs."}),
                route<Service>(V1, "PUT", "/work/{id}", &command, OpenToAll{}, Doc{"Spends it, and records it."})};
    }
};

}  // namespace gantry::costly
