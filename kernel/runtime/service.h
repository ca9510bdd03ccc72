#pragma once
#include <array>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "kernel/base/random.h"
#include "kernel/base/result.h"
#include "kernel/base/text.h"
#include "kernel/base/time.h"
#include "kernel/codec/binary.h"
#include "kernel/codec/keyed_hash.h"
#include "kernel/codec/schema.h"
#include "kernel/codec/type.h"
#include "kernel/log/log.h"
#include "kernel/runtime/outbox.h"
#include "kernel/state/portable.h"
#include "kernel/state/tracking.h"

// How a service is described to the kernel: `declare<Service>()` turns its State, Event and routes into tables that the host walks.
namespace gantry {

using log::Position;

// Where and when a fact happened; apply may take it as second parameter.
struct At {
    Position position = 0;
    Time time{};
    std::string_view caller;
};

// What a decision or a read may know besides the state.
struct Ctx {
    Viewer const& viewer;
    Time now{};         // log time of the command: never before an earlier event; of a read, the wall clock's
    Position next = 0;  // position of the first event that this command records
    Random& random;
    void const* settings = nullptr;
    codec::HashKey const* hash_key = nullptr;

    Str const& caller() const { return viewer.id; }
    // A new id: the prefix and 20 characters, sorted by time.
    std::string fresh(std::string_view prefix) const { return fresh_id(prefix, now.us, random); }
    // The subject under which a person's values are sealed: the same for the same name or address, and neither readable in it.
    Str subject_of(std::string_view name) const { return Str(codec::pseudonym(*hash_key, name)); }
    template <class Settings>
    Settings const& configured() const {
        return *static_cast<Settings const*>(settings);
    }
};

// What a command gives back: the facts to record, all or nothing, and the reply. No facts: nothing is written.
template <class Reply, class Event>
struct Emit {
    std::vector<Event> events;
    Reply reply{};
    int status = 200;
};

// One page of a list. `next` continues it; `complete` says whether the list ends here, and if it was cut short for another reason
// than `limit`, `why` says so. `position` is filled by the kernel: the state that the page shows.
template <class Item>
struct Page {
    std::vector<Item> items;
    std::optional<std::string> next;
    bool complete = true;
    std::optional<std::string> why;
    std::string position;
    BOOST_DESCRIBE_CLASS(Page, (), (items, next, complete, why, position), (), ())
};
using Limit = Bounded<1, 1000>;

enum class Version { v1 = 1, v2 = 2, v3 = 3 };
inline constexpr Version V1 = Version::v1, V2 = Version::v2, V3 = Version::v3;

// Who may call a route: one scope by name, or the loud `open_to_all`. A route without either does not compile.
struct Scope {
    std::string_view name;
    constexpr explicit Scope(std::string_view n) : name(n) {}
};
struct OpenToAll {};
inline constexpr OpenToAll open_to_all;
struct Doc {
    std::string_view text;
};
// Extras of a route. `Bulk`: takes application/x-ndjson too (each line a command with its own result) and an array (likewise).
// `Deprecated`: answers carry Deprecation and Sunset, and callers are counted.
struct Bulk {};
struct Deprecated {
    std::string_view since, sunset;  // RFC 3339 dates
};

struct Outside;
// A failure is tried again, after a wait that doubles, unless it is a 4xx other than 408, 425 and 429: those won't get better. What fails
// for good is dead, and waits for an operator. Problem::detail is recorded, so it names no person; Problem::cause only goes to the log
// lines.
struct EffectOptions {
    Duration timeout = Duration::seconds(30);
    Duration first_wait = Duration::seconds(1), longest_wait = Duration::hours(1);  // or what Retry-After says, up to a day
    std::int64_t attempts_max = 20;
    std::size_t at_once = 4;  // of one kind
};

namespace runtime {

// What a route's generated code asks of the call that it serves. One call, one thread.
class Call {
   public:
    virtual ~Call() = default;
    virtual Result<void> bind(codec::Type const& input, void* out) = 0;
    // Between begin_read and end_read the state stands still, lookups are noted and visibility holds.
    virtual Result<void const*> begin_read() = 0;
    virtual Position end_read() = 0;  // the position of the newest event that the answer rests on
    // Between begin_write and end_write this command has the service for itself.
    virtual Result<void*> begin_write() = 0;
    virtual Ctx const& ctx() const = 0;
    virtual Result<void> may_record(std::uint32_t event_type) = 0;  // 503 "upgrade_unfinished" for what the release before doesn't know
    virtual void record(std::uint32_t event_type, std::uint64_t events_so_far) = 0;  // its payload was appended to events()
    virtual std::string& payload() = 0;
    virtual codec::Sealer const* sealer() const = 0;
    virtual At next_at() const = 0;
    virtual void applying() = 0;  // from here on a failure means that apply broke its promise
    virtual Result<void> end_write(codec::Type const& reply, void const* value, int status) = 0;
    virtual void abandon_write() = 0;
    virtual std::string position_text(Position position) const = 0;
    virtual void answer(codec::Type const& reply, void const* value, int status) = 0;
};

class Host;
class Bind;
struct Answer;
using RouteFn = void (*)();
using RunKernelRoute = Result<Answer> (*)(Host&, Bind const&);
using RunRoute = Result<void> (*)(RouteFn, Call&);

struct RouteDecl {
    Version version{};
    std::string_view verb, path;
    bool command = false;
    bool bulk = false;
    bool page = false;       // a read that answers with a Page
    bool feed = false;       // the kernel's own: what the service recorded (feed.h)
    std::string_view scope;  // empty: open to all
    std::string_view doc;
    std::optional<Deprecated> deprecated;
    codec::Type const* input = nullptr;
    codec::Type const* reply = nullptr;
    RouteFn function = nullptr;
    RunRoute run = nullptr;
    RunKernelRoute kernel = nullptr;  // instead of `run`: about what the kernel keeps beside the state; of now alone
};

template <class State, class Visit>
void each_member(State& state, Visit&& visit) {
    boost::mp11::mp_for_each<gantry::detail::Members<std::remove_const_t<State>>>([&](auto d) { visit(d.name, state.*d.pointer); });
}

template <class T>
inline constexpr bool is_effect = false;
template <class Args>
inline constexpr bool is_effect<Effect<Args>> = true;
template <class E>
inline constexpr bool is_kernel_event = is_effect<E> || std::is_same_v<E, EffectOutcome>;
template <class Event>
inline constexpr bool has_effects = false;
template <class... E>
inline constexpr bool has_effects<std::variant<E...>> = (is_effect<E> || ...);

// The member of a State that is the Outbox.
template <class State>
auto& outbox_of(State& state) {
    std::remove_reference_t<decltype(std::declval<std::conditional_t<std::is_const_v<State>, Outbox const&, Outbox&>>())>* found = nullptr;
    each_member(state, [&](auto, auto& member) {
        if constexpr (std::is_same_v<std::remove_cvref_t<decltype(member)>, Outbox>) found = &member;
    });
    return *found;
}
template <class State>
constexpr bool has_outbox() {
    bool found = false;
    boost::mp11::mp_for_each<gantry::detail::Members<State>>(
        [&](auto d) { found = found || std::is_same_v<decltype(gantry::detail::member_type(d.pointer)), Outbox>; });
    return found;
}

// Effects and what becomes of them are the kernel's to fold (effects.h); the service may, too.
template <class State, class Args>
void fold_kernel_event(State& state, Effect<Args> const& effect, At const& at) {
    outbox_of(state).requested(effect.id, codec::event_name<Args>(), at.position, at.time);
}
template <class State>
void fold_kernel_event(State& state, EffectOutcome const& outcome, At const& at) {
    outbox_of(state).apply(outcome, at.time);
}

template <class State, class Event>
void apply_event(State& state, Event const& event, At const& at) {
    std::visit(
        [&](auto const& e) {
            constexpr bool is_kernels = is_kernel_event<std::remove_cvref_t<decltype(e)>>;
            if constexpr (is_kernels) fold_kernel_event(state, e, at);
            if constexpr (requires { state.apply(e, at); })
                state.apply(e, at);
            else if constexpr (!is_kernels || requires { state.apply(e); })
                state.apply(e);
        },
        event);
}

// Encodes and folds one command's events, or does nothing and says why it may not: encoding first, so that a fold that breaks its promise
// leaves nothing behind in the log.
template <class State, class Event>
Result<void> record_events(Call& call, State& state, std::vector<Event> const& events) {
    for (auto const& event : events) TRY_VOID(call.may_record(std::uint32_t(event.index())));
    for (std::uint64_t i = 0; i < events.size(); ++i) {
        std::visit([&](auto const& e) { codec::put(call.payload(), e, call.sealer()); }, events[i]);
        call.record(std::uint32_t(events[i].index()), i);
    }
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

template <class State, class Event, class Input, class Reply>
Result<void> run_command(RouteFn function, Call& call) {
    Input input{};
    TRY_VOID(call.bind(codec::type_of<Input>(), &input));
    auto decide = reinterpret_cast<Result<Emit<Reply, Event>> (*)(State const&, Input const&, Ctx const&)>(function);
    TRY_ASSIGN(auto state, call.begin_write());
    if (!state) return {};  // answered already: a repeat of an idempotent command
    auto decided = decide(*static_cast<State const*>(state), input, call.ctx());
    if (!decided) return call.abandon_write(), std::unexpected(std::move(decided.error()));
    if (auto recorded = record_events(call, *static_cast<State*>(state), decided->events); !recorded) return call.abandon_write(), recorded;
    TRY_VOID(call.end_write(codec::type_of<Reply>(), &decided->reply, decided->status));
    return {};
}

// The operations of a State, walked member by member as STATE names them.
struct StateOps {
    std::unique_ptr<void, void (*)(void*)> (*create)();
    std::unique_ptr<void, void (*)(void*)> (*view)(void const*);  // a copy: needs the lock, then stands still on its own
    void (*save)(void const*, state::Out&);
    bool (*load)(void*, state::In&);
    // The same with the name of each member, in the portable form: a later binary skips a member that it no longer has, and a new one
    // stays empty.
    void (*save_portable)(void const*, state::Out&);
    bool (*load_portable)(void*, state::In&);
    std::uint64_t (*digest)(void const*);
    std::vector<std::pair<std::string, std::uint64_t>> (*memory_bytes)(void const*);
    std::uint64_t fingerprint = 0;  // of the members' names and row types: what keys a snapshot
};

// Folds the events of whole batches into a state: those after `from`, up to and including `upto`.
using Replay = Result<void> (*)(void* state, std::span<log::BatchView const>, codec::EventReader const&, codec::Sealer const*,
                                Position from, Position upto);

// What happens when a key of a Due member of the state is due: facts that clear it or give it another time. They fire by log time, on the
// writer: never early, and late at most by what the process was away or busy.
struct TimerDecl {
    Duration grace = {};  // after a start nothing fires sooner: who holds a lease gets time to come back
    RouteFn function = nullptr;
    std::optional<Time> (*first)(void const* state) = nullptr;
    Result<void> (*fire)(RouteFn, Call&) = nullptr;  // the first one, if it is due
};

// What does the effects of a kind (effects.h).
struct EffectDecl {
    std::string_view kind;
    std::size_t alternative = 0;
    EffectOptions options;
    RouteFn act = nullptr, then = nullptr;
    // The effect itself, of an event (a variant) that asks for it. What it gives is for `settle`.
    Result<std::shared_ptr<void const>> (*run)(EffectDecl const&, void const* event, Outside&) = nullptr;
    // Records the outcome, and what the service makes of it unless `event` is null. Nothing happens when the effect isn't pending any more.
    Result<void> (*settle)(EffectDecl const&, Call&, EffectOutcome const& outcome, void const* event,
                           Result<std::shared_ptr<void const>> const& done) = nullptr;
};

// What a service does about the events of another one (follow.h).
struct FollowDecl {
    // The decision about one event, and the fold of what it records. Expected failures leave the state as it was.
    using Run = Result<void> (*)(RouteFn, Call&, void* state, void const* event, At const&);
    struct Handler {
        RouteFn function = nullptr;  // null: events of this type are passed over
        Run run = nullptr;
    };
    std::string_view source;
    codec::Type const* event = nullptr;  // of the source
    std::vector<codec::Rename> renames;  // of the source
    std::vector<Handler> handlers;       // by the source's alternative
    bool takes_all = false;              // one handler for all types: an unknown one is a failure, and not passed over
    bool (*decode)(void* event, std::uint32_t alternative, std::string_view payload, codec::Sealer const*) = nullptr;  // of today's shape
};

// GET /events, which every service has.
RouteDecl feed_route();
struct ServiceDecl;
void add_follower_routes(ServiceDecl& decl);

struct ServiceDecl {
    std::string_view name;
    std::string_view doc;
    codec::Type const* event = nullptr;
    std::vector<RouteDecl> routes;
    std::vector<codec::Rename> renames;
    StateOps state;
    Replay replay = nullptr;
    // Whether a viewer may be told of an event (a variant) of the feed, under the state of now. Null: everyone may.
    bool (*may_see_event)(void const* state, void const* event, Viewer const& viewer) = nullptr;
    // Whether there is something that not everyone may see.
    bool hides = false;  // some rows or events are not for everyone
    // What the kernel asks the service each second of log time: facts that time alone brings about. Null: none.
    Result<void> (*tick)(Call&) = nullptr;
    std::vector<TimerDecl> timers;
    std::vector<EffectDecl> effects;
    Outbox const& (*outbox)(void const* state) = nullptr;  // null: the service has no effects
    std::vector<FollowDecl> followers;                     // each of another source
    codec::Type const* settings = nullptr;                 // null: none
    std::vector<std::pair<std::string_view, std::string_view>> settings_docs;
    // How long the log keeps what the state no longer needs, by the service's settings; nothing: for ever. Null: for ever.
    std::optional<Duration> (*retention)(void const* settings) = nullptr;
};

// --- declare<Service>() ------------------------------------------------------------------------------------------------------

template <class State>
StateOps state_ops() {
    StateOps ops{};
    ops.create = [] {
        auto* state = new State();
        std::uint64_t salt = 0;
        each_member(*state, [&](auto, auto& member) {
            ++salt;
            if constexpr (requires { member.set_salt(salt); }) member.set_salt(salt);
        });
        return std::unique_ptr<void, void (*)(void*)>(state, [](void* p) { delete static_cast<State*>(p); });
    };
    ops.view = [](void const* p) {
        return std::unique_ptr<void, void (*)(void*)>(new State(*static_cast<State const*>(p)),
                                                      [](void* q) { delete static_cast<State*>(q); });
    };
    ops.save = [](void const* p, state::Out& out) {
        each_member(*static_cast<State const*>(p), [&](auto, auto const& member) { member.save(out); });
    };
    ops.load = [](void* p, state::In& in) {
        bool ok = true;
        each_member(*static_cast<State*>(p), [&](auto, auto& member) { ok = ok && member.load(in); });
        return ok;
    };
    ops.save_portable = [](void const* p, state::Out& out) {
        out.number(std::uint32_t(boost::mp11::mp_size<gantry::detail::Members<State>>::value));
        each_member(*static_cast<State const*>(p), [&](std::string_view name, auto const& member) {
            out.text(name);
            state::PartOut part(out);
            member.save(part);
            part.finish();
        });
    };
    ops.load_portable = [](void* p, state::In& in) {
        std::uint32_t count;
        if (!in.number(count)) return false;
        for (std::string name; count > 0; --count) {
            if (!in.text(name)) return false;
            for (auto const& r : in.renames)
                if (r.record == "state" && r.from == name) name = r.to;
            state::PartIn part(in);
            bool ok = true;
            each_member(*static_cast<State*>(p), [&](std::string_view known, auto& member) {
                if (known == name) ok = member.load(part) && part.at_end();
            });
            if (!ok || !part.skip()) return in.why = "member " + name + ": " + (part.why.empty() ? "damaged" : part.why), false;
        }
        return true;
    };
    ops.digest = [](void const* p) {
        state::Digest digest;
        each_member(*static_cast<State const*>(p), [&](auto, auto const& member) { member.save(digest); });
        return digest.value();
    };
    ops.memory_bytes = [](void const* p) {
        std::vector<std::pair<std::string, std::uint64_t>> out;
        each_member(*static_cast<State const*>(p), [&](auto name, auto const& member) { out.emplace_back(name, member.memory_bytes()); });
        return out;
    };
    std::string shape;
    boost::mp11::mp_for_each<gantry::detail::Members<State>>([&](auto d) {
        using M = decltype(gantry::detail::member_type(d.pointer));
        shape += d.name;
        shape += ' ';
        shape += __PRETTY_FUNCTION__;  // the member's full type, template arguments included
        if constexpr (requires { typename M::row_type; }) shape += codec::describe_shape(codec::type_of<typename M::row_type>());
        shape += std::to_string(sizeof(M)) + '\n';
    });
    ops.fingerprint = hash64(shape);
    return ops;
}

// Decodes ahead by a window of events, so that the rows which they will touch are on their way from memory before each is folded.
template <class State, class Event>
Result<void> replay_batches(void* p, std::span<log::BatchView const> batches, codec::EventReader const& reader, codec::Sealer const* sealer,
                            Position from, Position upto) {
    constexpr std::size_t window = 32;
    struct Slot {
        Event event;
        At at;
    };
    static thread_local auto slots = std::make_unique<std::array<Slot, window>>();
    auto& state = *static_cast<State*>(p);
    std::size_t filled = 0;
    auto flush = [&] {
        for (std::size_t i = 0; i < filled; ++i) apply_event(state, (*slots)[i].event, (*slots)[i].at);
        filled = 0;
    };
    for (auto const& batch : batches) {
        ByteReader in(batch.events);
        for (std::uint32_t i = 0; i < batch.count; ++i) {
            auto number = std::uint32_t(in.varint());
            auto payload = in.string();
            if (batch.first + i <= from) continue;
            if (batch.first + i > upto) break;
            Slot& slot = (*slots)[filled];
            slot.at = {batch.first + i, batch.time, batch.caller};
            bool ok;
            if (reader.identical(number)) [[likely]] {
                if (!codec::detail::choose(slot.event, reader.today(number)))
                    return fail(500, "event_unreadable", "an event type has no place in this binary");
                ByteReader bytes(payload);
                ok = std::visit([&](auto& e) { return codec::get(bytes, e, sealer); }, slot.event) && bytes.done();
            } else {
                if (reader.ignorable(number) && reader.today(number) == codec::EventReader::none) continue;
                TRY_VOID(reader.decode(number, payload, &slot.event, sealer));
                ok = true;
            }
            if (!in.ok() || !ok) {
                flush();
                return fail(500, "event_unreadable", "event " + std::to_string(batch.first + i) + " can't be decoded by its own schema");
            }
            if constexpr (requires { state.prefetch(slot.event); }) state.prefetch(slot.event);
            if (++filled == window) flush();
        }
    }
    flush();
    return {};
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
    decl.hides = HasEventVisibility<Service>;
    if constexpr (has_effects<Event>) add_effects<Service>(decl);
    if constexpr (requires { Service::doc; }) decl.doc = Service::doc;
    if constexpr (requires { Service::renames(); }) decl.renames = Service::renames();
    if constexpr (requires(State const& s, Ctx const& cx) { Service::tick(s, cx); }) decl.tick = &run_tick<Service>;
    if constexpr (requires { Service::timers(); }) decl.timers = Service::timers();
    if constexpr (requires { Service::followers(); }) {
        decl.followers = Service::followers();
        add_follower_routes(decl);
    }
    if constexpr (requires { typename Service::Settings; }) {
        decl.settings = &codec::type_of<typename Service::Settings>();
        decl.settings_docs = Service::settings_docs();
        if constexpr (requires(typename Service::Settings const& s) { Service::retention(s); })
            decl.retention = [](void const* s) { return Service::retention(*static_cast<typename Service::Settings const*>(s)); };
    }
    return decl;
}

inline void add_extra(RouteDecl& r, Bulk) { r.bulk = true; }
inline void add_extra(RouteDecl& r, Deprecated d) { r.deprecated = d; }
inline void add_access(RouteDecl& r, Scope s) { r.scope = s.name; }
inline void add_access(RouteDecl&, OpenToAll) {}
template <class T>
inline constexpr bool is_emit = false;
template <class R, class E>
inline constexpr bool is_emit<Emit<R, E>> = true;
template <class A>
concept Access = std::same_as<A, Scope> || std::same_as<A, OpenToAll>;

}  // namespace runtime

using Route = runtime::RouteDecl;
using Timer = runtime::TimerDecl;
using Follower = runtime::FollowDecl;

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

}  // namespace gantry
