#pragma once
#include <type_traits>

#include "kernel/runtime/service.h"

// Followers: what a service does about the events of another one, its source, in this process or elsewhere.
//
//     Result<std::vector<Event>> on_closed(State const&, accounts::Closed const&, At const&, Ctx const&);
//     static std::vector<Follower> followers() { return {follow<Service, accounts::Source>(&on_opened, &on_closed)}; }
//
// A source is whatever has `name` and `Event` (and `renames()`, if it has any): the service itself, or what its contract.h says of it. Each
// decision takes one event type of the source, or its whole variant; what none takes is passed over. `At` says where and when the event
// happened there, and who caused it. A decision sees the state with all that earlier events of the source brought about; what it records is
// recorded once, together with the place in the source (docs/architecture.md). One that fails puts the event, and those behind it with the
// same subject, among the dead letters.
namespace gantry::runtime {

template <class Service, class Fact, class Taken>
Result<void> run_follower(RouteFn function, Call& call, void* p, void const* fact, At const& at) {
    using State = typename Service::State;
    using Event = typename Service::Event;
    auto decide = reinterpret_cast<Result<std::vector<Event>> (*)(State const&, Taken const&, At const&, Ctx const&)>(function);
    auto& state = *static_cast<State*>(p);
    auto const& variant = *static_cast<Fact const*>(fact);
    Taken const* taken;
    if constexpr (std::is_same_v<Taken, Fact>)
        taken = &variant;
    else
        taken = std::get_if<Taken>(&variant);
    auto events = decide(state, *taken, at, call.ctx());
    if (!events) return std::unexpected(std::move(events.error()));
    return events->empty() ? Result<void>() : record_events(call, state, *events);
}

template <class Fact>
bool decode_followed(void* event, std::uint32_t alternative, std::string_view payload, codec::Sealer const* sealer) {
    auto& variant = *static_cast<Fact*>(event);
    if (!codec::detail::choose(variant, alternative)) return false;
    ByteReader in(payload);
    return std::visit([&](auto& e) { return codec::get(in, e, sealer); }, variant) && in.done();
}

template <class Service, class Source, class Taken>
void add_handler(FollowDecl& decl, Result<std::vector<typename Service::Event>> (*decide)(typename Service::State const&, Taken const&,
                                                                                          At const&, Ctx const&)) {
    using Fact = typename Source::Event;
    FollowDecl::Handler const handler{reinterpret_cast<RouteFn>(decide), &run_follower<Service, Fact, Taken>};
    if constexpr (std::is_same_v<Taken, Fact>) {
        decl.takes_all = true;
        for (auto& slot : decl.handlers)
            if (!slot.function) slot = handler;
    } else {
        decl.handlers[boost::mp11::mp_find<Fact, Taken>::value] = handler;
    }
}

}  // namespace gantry::runtime

namespace gantry {

template <class Service, class Source, class... Taken>
Follower follow(Result<std::vector<typename Service::Event>> (*... decide)(typename Service::State const&, Taken const&, At const&,
                                                                           Ctx const&)) {
    using Fact = typename Source::Event;
    static_assert(((std::is_same_v<Taken, Fact> || boost::mp11::mp_contains<Fact, Taken>::value) && ...),
                  "a decision takes an event type of the source, or its whole variant");
    Follower decl{.source = Source::name, .event = &codec::type_of<Fact>(), .decode = &runtime::decode_followed<Fact>};
    if constexpr (requires { Source::renames(); }) decl.renames = Source::renames();
    decl.handlers.resize(std::variant_size_v<Fact>);
    (runtime::add_handler<Service, Source>(decl, decide), ...);
    return decl;
}

}  // namespace gantry
