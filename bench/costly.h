#pragma once
#include <ctime>

#include "kernel/service.h"

// A service whose cost is injected: each read and each command takes so much of its thread's processor time, and does nothing else. Were it
// time by the clock, then what another program takes of the processor would count as served.
namespace gantry::costly {

inline std::int64_t cost_ns = 1'000'000;

// Of the calling thread.
inline std::int64_t spent_ns() {
    timespec t{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return t.tv_sec * 1'000'000'000 + t.tv_nsec;
}

inline void spend() {
    for (auto const end = spent_ns() + cost_ns; spent_ns() < end;) {
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
