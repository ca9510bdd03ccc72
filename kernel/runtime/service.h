#pragma once
#include <string_view>
#include <variant>
#include <vector>

#include "kernel/codec/json.h"
#include "kernel/runtime/state_ops.h"
#include "kernel/runtime/told_events.h"

// How a service is described to the kernel: `declare<Service>()` turns its State, Event and routes into the tables of service_decl.h.
namespace gantry {
namespace runtime {

// Encodes and folds one command's events, or does nothing and says why it may not: encoding first, so that a fold that breaks its promise
// leaves nothing behind in the log, and what the log doesn't take is not folded.
template <class State, class Event>
Result<void> record_events(Call& call, State& state, std::vector<Event> const& events) {
    for (auto const& event : events) TRY_VOID(call.may_record(std::uint32_t(event.index())));
    for (std::uint64_t i = 0; i < events.size(); ++i) {
        std::visit([&](auto const& e) { codec::put(call.payload(), e, call.sealer()); }, events[i]);
        call.record(std::uint32_t(events[i].index()), i);
    }
    TRY_VOID(call.may_append());
    call.applying();
    At at = call.next_at();
    for (auto const& event : events) apply_event(state, event, at), ++at.position;
    return {};
}

template <class T>
inline constexpr bool is_page = false;
template <class T>
inline constexpr bool is_page<Page<T>> = true;

template <class State, class Input, class Reply>
Result<void> run_query(RouteFn function, Call& call) {
    Input input{};
    TRY_VOID(call.bind(codec::type_of<Input>(), &input));
    auto read = reinterpret_cast<Result<Reply> (*)(State const&, Input const&, Ctx const&)>(function);
    TRY_ASSIGN(auto state, call.begin_read());
    auto reply = read(*static_cast<State const*>(state), input, call.ctx());
    auto position = call.end_read();
    if (!reply) return std::unexpected(std::move(reply.error()));
    if constexpr (is_page<Reply>) reply->position = call.position_text(position);
    call.answer(codec::type_of<Reply>(), &*reply, 200);
    return {};
}

// The shapes of the two functions of a `told` route.
template <class F>
struct FindShape;
template <class S, class I, class F>
struct FindShape<Result<F> (*)(S const&, I const&, Ctx const&)> {
    using Input = I;
    using Found = F;
};
template <class F>
struct TellShape;
template <class F, class E, class R>
struct TellShape<Result<R> (*)(F const&, Events<E>&, Ctx const&)> {
    using Reply = R;
};

template <class Event>
Events<Event> events_of(Call& call) {
    return Events<Event>([&call](Position at) { return call.event(at); });
}

template <class Service, auto Find, auto Tell>
Result<void> run_told(RouteFn, Call& call) {
    using State = typename Service::State;
    using Event = typename Service::Event;
    using Input = typename FindShape<decltype(Find)>::Input;
    using Reply = typename TellShape<decltype(Tell)>::Reply;
    Input input{};
    TRY_VOID(call.bind(codec::type_of<Input>(), &input));
    TRY_ASSIGN(auto state, call.begin_read());
    auto found = Find(*static_cast<State const*>(state), input, call.ctx());
    auto const position = call.end_read();
    if (!found) return std::unexpected(std::move(found.error()));
    auto events = events_of<Event>(call);
    auto reply = Tell(*found, events, call.ctx());
    if (!reply) return std::unexpected(std::move(reply.error()));
    if constexpr (is_page<Reply>) reply->position = call.position_text(position);
    call.answer(codec::type_of<Reply>(), &*reply, 200);
    return {};
}

template <class State, class Event, class Input, class Reply>
Result<void> run_command(RouteFn function, Call& call) {
    Input input{};
    TRY_VOID(call.bind(codec::type_of<Input>(), &input));
    auto decide = reinterpret_cast<Result<Emit<Reply, Event>> (*)(State const&, Input const&, Ctx const&)>(function);
    TRY_ASSIGN(auto state, call.begin_write());
    if (!state) return {};  // answered already: a repeat of an idempotent command
    auto decided = decide(*static_cast<State const*>(state), input, call.ctx());
    if (!decided) return call.abandon_write(), std::unexpected(std::move(decided.error()));
    if (decided->wait) return call.wait(std::move(*decided->wait), decided->events.size());
    if (auto recorded = record_events(call, *static_cast<State*>(state), decided->events); !recorded) return call.abandon_write(), recorded;
    TRY_VOID(call.end_write(codec::type_of<Reply>(), &decided->reply, decided->status));
    return {};
}

template <class F>
struct DecideShape;
template <class S, class I, class F, class E>
struct DecideShape<Result<Emit<F, E>> (*)(S const&, I const&, Ctx const&)> {
    using Input = I;
    using Found = F;
};

template <class Service, auto Tell, class Found>
Result<std::string> tell_found(void const* found, ReadEvent read, Ctx const& ctx) {
    Events<typename Service::Event> events(std::move(read));
    auto reply = Tell(*static_cast<Found const*>(found), events, ctx);
    if (!reply) return std::unexpected(std::move(reply.error()));
    std::string out;
    codec::encode_json(codec::type_of<typename TellShape<decltype(Tell)>::Reply>(), &*reply, out);
    return out;
}

template <class T>
struct SlowLook;
template <class State, class Input, class Looked>
struct SlowLook<Result<Looked> (*)(State const&, Input const&, Ctx const&)> {
    using InputType = Input;
};
template <class T>
struct SlowDecision;
template <class State, class Input, class Worked, class Reply, class Event>
struct SlowDecision<Result<Emit<Reply, Event>> (*)(State const&, Input const&, Worked const&, Ctx const&)> {
    using ReplyType = Reply;
};

template <class Event, auto Work, class Looked, class Input>
auto work_of(Call& call, Looked const& looked, Input const& input) {
    if constexpr (requires(Events<Event>& events) { Work(looked, input, events); }) {
        auto events = events_of<Event>(call);
        return Work(looked, input, events);
    } else {
        return Work(looked, input);
    }
}

// Looks under the lock, works without it, decides under it.
template <class Service, auto Look, auto Work, auto Decide>
Result<void> run_slow_command(RouteFn, Call& call) {
    typename SlowLook<decltype(Look)>::InputType input{};
    TRY_VOID(call.bind(codec::type_of<decltype(input)>(), &input));
    TRY_ASSIGN(auto seen, call.begin_read());
    auto looked = Look(*static_cast<typename Service::State const*>(seen), input, call.ctx());
    call.end_read();
    if (!looked) return std::unexpected(std::move(looked.error()));
    auto const worked = work_of<typename Service::Event, Work>(call, *looked, input);
    if (!worked) return std::unexpected(worked.error());
    TRY_ASSIGN(auto state, call.begin_write());
    if (!state) return {};  // answered already: a repeat of an idempotent command
    auto decided = Decide(*static_cast<typename Service::State const*>(state), input, *worked, call.ctx());
    if (!decided) return call.abandon_write(), std::unexpected(std::move(decided.error()));
    auto recorded = record_events(call, *static_cast<typename Service::State*>(state), decided->events);
    if (!recorded) return call.abandon_write(), recorded;
    return call.end_write(codec::type_of<typename SlowDecision<decltype(Decide)>::ReplyType>(), &decided->reply, decided->status);
}

template <class Service>
Result<void> run_tick(Call& call) {
    using State = typename Service::State;
    using Event = typename Service::Event;
    TRY_ASSIGN(auto state, call.begin_write());
    std::vector<Event> events = Service::tick(*static_cast<State const*>(state), call.ctx());
    if (events.empty()) return call.abandon_write(), Result<void>{};
    if (auto recorded = record_events(call, *static_cast<State*>(state), events); !recorded) return call.abandon_write(), recorded;
    return call.end_write(codec::type_of<codec::RawJson>(), nullptr, 204);
}

template <class Service, auto Member>
Result<void> run_timer(RouteFn function, Call& call) {
    using State = typename Service::State;
    using Event = typename Service::Event;
    using Timers = std::remove_cvref_t<decltype(std::declval<State&>().*Member)>;
    auto decide = reinterpret_cast<std::vector<Event> (*)(State const&, typename Timers::key_type const&, Ctx const&)>(function);
    TRY_ASSIGN(auto p, call.begin_write());
    auto& state = *static_cast<State*>(p);
    auto const* first = (state.*Member).first();
    if (!first || first->at > call.ctx().now) return call.abandon_write(), Result<void>{};
    auto const due = *first;
    auto const events = decide(state, due.key, call.ctx());
    if (events.empty()) return call.abandon_write(), fail(500, "timer_stuck", "what was due recorded nothing, and would be due for ever");
    if (auto recorded = record_events(call, state, events); !recorded) return call.abandon_write(), recorded;
    auto const next = (state.*Member).find(due.key);
    bool const moved = !next || *next > due.at;
    TRY_VOID(call.end_write(codec::type_of<codec::RawJson>(), nullptr, 204));
    if (!moved) return fail(500, "timer_stuck", "what was due is due still, after what it recorded");
    return {};
}

// Whether some row of a state is not for everyone.
template <class State>
constexpr bool hides_rows() {
    bool hides = false;
    boost::mp11::mp_for_each<gantry::detail::Members<State>>([&](auto d) {
        using M = decltype(gantry::detail::member_type(d.pointer));
        if constexpr (requires { typename M::row_type; }) hides = hides || state::HasVisibility<typename M::row_type>;
    });
    return hides;
}
template <class Service>
void add_effects(ServiceDecl& decl);
template <class Service>
void add_text(ServiceDecl& decl);
template <class Service>
concept HasEventVisibility = requires(typename Service::State const& s, typename Service::Event const& e, Viewer const& v) {
    { Service::visible(s, e, v) } -> std::convertible_to<bool>;
};

template <class Service>
ServiceDecl declare() {
    using State = typename Service::State;
    using Event = typename Service::Event;
    static_assert(codec::Storable<Event>, "a Secret can't be a member of an event: store a verifier or a sealed form");
    ServiceDecl decl;
    decl.name = Service::name;
    decl.event = &codec::type_of<Event>();
    decl.routes = Service::routes();
    decl.routes.push_back(feed_route());
    decl.state = state_ops<State>();
    decl.replay = &replay_batches<State, Event>;
    static_assert(
        HasEventVisibility<Service> || !hides_rows<State>(),
        "rows that not everyone may see need a rule for the feed, too: static bool visible(State const&, Event const&, Viewer const&)");
    if constexpr (HasEventVisibility<Service> || has_effects<Event>)
        decl.may_see_event = [](void const* state, void const* event, Viewer const& viewer) {
            auto const& e = *static_cast<Event const*>(event);
            bool const is_kernels = std::visit([](auto const& a) { return is_kernel_event<std::remove_cvref_t<decltype(a)>>; }, e);
            if (is_kernels) return viewer.sees_all;  // what is to be sent, and to whom
            if constexpr (HasEventVisibility<Service>) return bool(Service::visible(*static_cast<State const*>(state), e, viewer));
            return true;
        };
    if constexpr (requires(Event const& e) { Service::keeps_back(e); })
        decl.keeps_back = [](void const* event) { return bool(Service::keeps_back(*static_cast<Event const*>(event))); };
    decl.hides = HasEventVisibility<Service>;
    if constexpr (has_effects<Event>) add_effects<Service>(decl);
    if constexpr (requires { Service::text_schema(); }) add_text<Service>(decl);
    if constexpr (requires { Service::doc; }) decl.doc = Service::doc;
    if constexpr (requires { Service::renames(); }) decl.renames = Service::renames();
    if constexpr (requires(State const& s, Ctx const& cx) { Service::tick(s, cx); }) decl.tick = &run_tick<Service>;
    if constexpr (requires { Service::timers(); }) decl.timers = Service::timers();
    if constexpr (requires { Service::followers(); }) {
        decl.followers = Service::followers();
        add_follower_routes(decl);
    }
    if constexpr (requires { Service::lines(); }) decl.lines = Service::lines();
    if constexpr (requires { Service::own_ports(); }) decl.own_ports = Service::own_ports();
    if constexpr (requires { typename Service::Settings; }) {
        decl.settings = &codec::type_of<typename Service::Settings>();
        decl.settings_docs = Service::settings_docs();
        if constexpr (requires(typename Service::Settings const& s) { Service::retention(s); })
            decl.retention = [](void const* s) { return Service::retention(*static_cast<typename Service::Settings const*>(s)); };
    }
    if constexpr (requires(State const& s) { Service::needs(s); })
        decl.needs = [](void const* s) -> std::optional<Position> { return Service::needs(*static_cast<State const*>(s)); };
    if constexpr (requires(State const& s, Time now) { Service::metrics(s, now); })
        decl.metrics = [](void const* s, Time now) { return Service::metrics(*static_cast<State const*>(s), now); };
    name_scopes(decl);
    return decl;
}

inline void add_extra(RouteDecl& r, Bulk) { r.bulk = true; }
inline void add_extra(RouteDecl& r, Slow) { r.slow = true; }
inline void add_extra(RouteDecl& r, Waits) {
    GANTRY_ASSERT(r.command, "a command waits, a read doesn't");
    r.waits = true;
}
inline void add_extra(RouteDecl& r, Deprecated d) { r.deprecated = d; }
inline void add_access(RouteDecl& r, Scope s) { r.scope = s.name; }
inline void add_access(RouteDecl&, OpenToAll) {}
template <class T>
inline constexpr bool is_emit = false;
template <class R, class E>
inline constexpr bool is_emit<Emit<R, E>> = true;
template <class A>
concept Access = std::same_as<A, Scope> || std::same_as<A, OpenToAll>;

template <class Input>
Result<void> parse_foreign(RouteFn function, ForeignRequest const& request, void* input) {
    auto parse = reinterpret_cast<Result<Input> (*)(ForeignRequest const&)>(function);
    TRY_ASSIGN(*static_cast<Input*>(input), parse(request));
    return {};
}

template <class Input>
RouteDecl make_foreign(RouteDecl r, Result<Input> (*parse)(ForeignRequest const&), ForeignOptions const& options) {
    GANTRY_ASSERT(r.reply == &codec::type_of<ForeignReply>(), "a foreign route answers with a ForeignReply");
    GANTRY_ASSERT(!options.waits || (r.command && !r.slow), "a command waits, a read doesn't");
    r.foreign = ForeignDecl{reinterpret_cast<RouteFn>(parse), &parse_foreign<Input>, options};
    r.waits = options.waits;
    return r;
}

}  // namespace runtime

// timer<Service, &State::leases>(&lease_expired, Duration::seconds(30))
template <class Service, auto Member, class Key>
Timer timer(std::vector<typename Service::Event> (*decide)(typename Service::State const&, Key const&, Ctx const&), Duration grace = {}) {
    using State = typename Service::State;
    static_assert(std::is_same_v<Key, typename std::remove_cvref_t<decltype(std::declval<State&>().*Member)>::key_type>);
    return {grace, reinterpret_cast<runtime::RouteFn>(decide),
            [](void const* state) {
                auto const* first = (static_cast<State const*>(state)->*Member).first();
                return first ? std::optional(first->at) : std::nullopt;
            },
            &runtime::run_timer<Service, Member>};
}

// A route: version, verb, path with {fields of the input}, the decision or read, who may call it, and one line of documentation.
template <class Service, class Reply, class Input, runtime::Access Who, class... Extra>
    requires(!runtime::is_emit<Reply>)
Route route(Version version, std::string_view verb, std::string_view path,
            Result<Reply> (*read)(typename Service::State const&, Input const&, Ctx const&), Who who, Doc doc, Extra... extra) {
    Route r{.version = version,
            .verb = verb,
            .path = path,
            .page = runtime::is_page<Reply>,
            .doc = doc.text,
            .input = &codec::type_of<Input>(),
            .reply = &codec::type_of<Reply>(),
            .function = reinterpret_cast<runtime::RouteFn>(read),
            .run = &runtime::run_query<typename Service::State, Input, Reply>};
    runtime::add_access(r, who);
    (runtime::add_extra(r, extra), ...);
    return r;
}
template <class Service, class Reply, class Input, runtime::Access Who, class... Extra>
Route route(Version version, std::string_view verb, std::string_view path,
            Result<Emit<Reply, typename Service::Event>> (*decide)(typename Service::State const&, Input const&, Ctx const&), Who who,
            Doc doc, Extra... extra) {
    Route r{.version = version,
            .verb = verb,
            .path = path,
            .command = true,
            .doc = doc.text,
            .input = &codec::type_of<Input>(),
            .reply = &codec::type_of<Reply>(),
            .function = reinterpret_cast<runtime::RouteFn>(decide),
            .run = &runtime::run_command<typename Service::State, typename Service::Event, Input, Reply>};
    runtime::add_access(r, who);
    (runtime::add_extra(r, extra), ...);
    return r;
}

// A read whose answer shows events of the log that the state only points at:
//
//     Result<Found> find(State const&, Input const&, Ctx const&);      // under the lock
//     Result<Reply> tell(Found const&, Events<Event>&, Ctx const&);    // after it
//     told<Service, &find, &tell>(V1, "GET", "/reports/{id}", Scope{…}, Doc{…})
//
// One that reads more than a few events says `Slow{}`: it works on a worker.
template <class Service, auto Find, auto Tell, runtime::Access Who, class... Extra>
Route told(Version version, std::string_view verb, std::string_view path, Who who, Doc doc, Extra... extra) {
    using Reply = typename runtime::TellShape<decltype(Tell)>::Reply;
    Route r{.version = version,
            .verb = verb,
            .path = path,
            .page = runtime::is_page<Reply>,
            .doc = doc.text,
            .input = &codec::type_of<typename runtime::FindShape<decltype(Find)>::Input>(),
            .reply = &codec::type_of<Reply>(),
            .run = &runtime::run_told<Service, Find, Tell>};
    runtime::add_access(r, who);
    (runtime::add_extra(r, extra), ...);
    return r;
}

// A command whose answer shows events of the log that the state only points at, those that it recorded itself among them:
//
//     Result<Emit<Found, Event>> decide(State const&, Input const&, Ctx const&);    // under the lock; may wait
//     Result<Reply> tell(Found const&, Events<Event>&, Ctx const&);                 // once all that it rests on is durable
//     told_command<Service, &decide, &tell>(V1, "POST", "/reserve", Scope{…}, Doc{…}, Waits{})
//
// What is remembered for a repeat is Found (a RECORD), and it is told again: the reply is made of Found and the events alone, and
// Ctx::now is the command's in both. A problem of `tell` is the answer, and what was recorded stays.
template <class Service, auto Decide, auto Tell, runtime::Access Who, class... Extra>
Route told_command(Version version, std::string_view verb, std::string_view path, Who who, Doc doc, Extra... extra) {
    using Found = typename runtime::DecideShape<decltype(Decide)>::Found;
    Route r = route<Service>(version, verb, path, Decide, who, doc, extra...);
    r.reply = &codec::type_of<typename runtime::TellShape<decltype(Tell)>::Reply>();
    r.found = &codec::type_of<Found>(), r.tell = &runtime::tell_found<Service, Tell, Found>;
    return r;
}

// A route of another protocol (foreign.h): `parse` makes an input of the request, `decide` is a decision or a read.
template <class Service, class Input, class Decide, runtime::Access Who>
Route foreign(std::string_view verb, std::string_view path, Result<Input> (*parse)(ForeignRequest const&), Decide decide, Who who, Doc doc,
              ForeignOptions options = {}) {
    Route r = route<Service>(V1, verb, path, decide, who, doc);
    return runtime::make_foreign(std::move(r), parse, options);
}
// A told command of another protocol: `tell` gives the ForeignReply.
template <class Service, auto Decide, auto Tell, class Input, runtime::Access Who>
Route told_foreign(std::string_view verb, std::string_view path, Result<Input> (*parse)(ForeignRequest const&), Who who, Doc doc,
                   ForeignOptions options = {}) {
    static_assert(std::is_same_v<Input, typename runtime::DecideShape<decltype(Decide)>::Input>);
    return runtime::make_foreign(told_command<Service, Decide, Tell>(V1, verb, path, who, doc), parse, options);
}

// A command that hashes a password or the like, which takes a tenth of a second: `look` sees the state, `work` runs on a worker without it
// (it may use system_random(), and may take the log's events as a third parameter), and `decide` sees the state again, which may have
// changed.
//     Result<Looked> look(State const&, Input const&, Ctx const&);
//     Result<Worked> work(Looked const&, Input const&);                     // or (Looked const&, Input const&, Events<Event>&)
//     Result<Emit<Reply, Event>> decide(State const&, Input const&, Worked const&, Ctx const&);
//     slow_route<Service, &look, &work, &decide>(V1, "PUT", "/password", Scope{…}, Doc{…})
template <class Service, auto Look, auto Work, auto Decide, runtime::Access Who>
Route slow_route(Version version, std::string_view verb, std::string_view path, Who who, Doc doc) {
    Route r{.version = version,
            .verb = verb,
            .path = path,
            .command = true,
            .slow = true,
            .doc = doc.text,
            .input = &codec::type_of<typename runtime::SlowLook<decltype(Look)>::InputType>(),
            .reply = &codec::type_of<typename runtime::SlowDecision<decltype(Decide)>::ReplyType>(),
            .run = &runtime::run_slow_command<Service, Look, Work, Decide>};
    runtime::add_access(r, who);
    return r;
}

// A command of another protocol that takes its time, as slow_route does.
template <class Service, auto Look, auto Work, auto Decide, class Input, runtime::Access Who>
Route slow_foreign(std::string_view verb, std::string_view path, Result<Input> (*parse)(ForeignRequest const&), Who who, Doc doc,
                   ForeignOptions options = {}) {
    static_assert(std::is_same_v<Input, typename runtime::SlowLook<decltype(Look)>::InputType>);
    return runtime::make_foreign(slow_route<Service, Look, Work, Decide>(V1, verb, path, who, doc), parse, options);
}

}  // namespace gantry
