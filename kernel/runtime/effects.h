#pragma once
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "kernel/http/gantry/client.h"
#include "kernel/runtime/cursor.h"
#include "kernel/runtime/outbox.h"
#include "kernel/runtime/service.h"

// How a service says what does its effects:
//
//     struct SendMail { Str to, text; };                                 using Event = std::variant<Asked, Effect<SendMail>,
//     EffectOutcome>; Result<Sent> send(SendMail const& mail, Outside& outside);                       // on a worker: may block until
//     outside.until std::vector<Event> sent(State const&, SendMail const&, Result<Sent> const&, Ctx const&);    // what the service makes
//     of the outcome static std::vector<EffectKind> effects() { return {effect<Service>(&send, &sent)}; }
//
// The State has a member `Outbox`. A decision asks for an effect by emitting `Effect<SendMail>{cx.fresh("e_"), {…}}`.
namespace gantry {

// What an effect may use besides its arguments. It runs at least once: after a crash, or when the outcome could not be recorded, again with
// the same id, by which the target can tell.
struct Outside {
    EffectId id;
    std::int64_t attempt = 1;
    Time until{};                                        // it should have ended by then
    std::function<client::Reply(client::Request)> send;  // over HTTP; never null
    std::function<bool()> stopping;                      // the process ends: give up soon
    std::function<Time()> now;
    std::string traceparent = {}, trace_state = {};  // go along with calls; empty: none
    // What the site can prove (Ctx::proof_of), and where its mail goes; null: nowhere.
    std::function<std::string(std::string_view purpose, std::string_view what)> proof_of = {};
    std::function<Result<void>(std::string_view id, std::string_view to, std::string_view subject, std::string_view text)> mail = {};
    // An event of the service's own log (`events`).
    std::function<Result<std::shared_ptr<void const>>(log::Position)> event = {};
    template <class Event>
    Events<Event> events() const {
        return Events<Event>(event);
    }
    // What the site sealed (Ctx::seal), in clear.
    std::function<std::optional<std::string>(std::string_view purpose, std::string_view sealed)> open = {};
    // Is told of each call: when it began and ended (Clock::steady_ns), and its status.
    std::function<void(std::int64_t, std::int64_t, int)> called = {};

    // A call whose refusal is a Problem: 4xx as it came, `502 effect_unanswered` when nobody answered. The id goes along as
    // Idempotency-Key, unless the request has one.
    Result<client::Reply> call(client::Request request);
};

namespace runtime {

template <class Service, class Args, class Sent>
Result<std::shared_ptr<void const>> run_effect(EffectDecl const& decl, void const* event, Outside& outside) {
    auto act = reinterpret_cast<Result<Sent> (*)(Args const&, Outside&)>(decl.act);
    auto sent = act(std::get<Effect<Args>>(*static_cast<typename Service::Event const*>(event)).args, outside);
    if (!sent) return std::unexpected(std::move(sent.error()));
    return std::make_shared<Sent const>(std::move(*sent));
}

template <class Service, class Args, class Sent>
Result<void> settle_effect(EffectDecl const& decl, Call& call, EffectOutcome const& outcome, void const* event,
                           Result<std::shared_ptr<void const>> const& done) {
    using State = typename Service::State;
    using Event = typename Service::Event;
    TRY_ASSIGN(auto p, call.begin_write());
    auto& state = *static_cast<State*>(p);
    if (!outbox_of(std::as_const(state)).find(outcome.id)) return call.abandon_write(), Result<void>{};
    std::vector<Event> events;
    if (decl.then && event && outcome.step != EffectStep::failed) {
        Result<Sent> result = done ? Result<Sent>(*static_cast<Sent const*>(done->get())) : std::unexpected(done.error());
        auto then = reinterpret_cast<std::vector<Event> (*)(State const&, Args const&, Result<Sent> const&, Ctx const&)>(decl.then);
        events = then(state, std::get<Effect<Args>>(*static_cast<Event const*>(event)).args, result, call.ctx());
    }
    events.push_back(outcome);
    if (auto recorded = record_events(call, state, events); !recorded) return call.abandon_write(), recorded;
    return call.end_write(codec::type_of<codec::RawJson>(), nullptr, 204);
}

// --- GET /effects, POST /effects/{id}/retry and /drop --------------------------------------------------------------------------

struct EffectsInput {
    static constexpr bool has_defaults = true;
    std::optional<Text<1, 100>> kind;
    std::optional<bool> dead;
    Limit limit = 100;
    std::optional<std::string> cursor;
};
RECORD(EffectsInput, kind, dead, limit, cursor);
struct EffectInput {
    EffectId id;
};
RECORD(EffectInput, id);
struct EffectOrder {
    EffectId id;
    std::optional<Text<1, 1000>> note;
};
RECORD(EffectOrder, id, note);

Result<Page<PendingEffect>> list_effects(Outbox const& outbox, EffectsInput const& input);
Problem no_such_effect();

template <class State>
Result<Page<PendingEffect>> effects_page(State const& state, EffectsInput const& input, Ctx const&) {
    return list_effects(outbox_of(state), input);
}
template <class State>
Result<PendingEffect> effect_row(State const& state, EffectInput const& input, Ctx const&) {
    if (auto const* row = outbox_of(state).find(input.id)) return *row;
    return fail(no_such_effect());
}
template <class State, class Event, EffectStep Step>
Result<Emit<EffectOutcome, Event>> order_effect(State const& state, EffectOrder const& order, Ctx const&) {
    if (!outbox_of(state).find(order.id)) return fail(no_such_effect());
    EffectOutcome const outcome{.id = order.id, .step = Step, .note = order.note};
    return Emit<EffectOutcome, Event>{{outcome}, outcome};
}

template <class Service>
void add_effects(ServiceDecl& decl) {
    using State = typename Service::State;
    using Event = typename Service::Event;
    static_assert(has_outbox<State>(), "a service with effects keeps those that are pending: its State needs a member `Outbox`");
    static_assert(std::is_constructible_v<Event, EffectOutcome>, "a service with effects lists EffectOutcome among its events");
    for (EffectDecl& effect : Service::effects()) decl.effects.push_back(effect);
    decl.outbox = [](void const* state) -> Outbox const& { return outbox_of(*static_cast<State const*>(state)); };
    Scope const read{":read"}, write{":operate"};
    decl.routes.push_back(
        route<Service>(V1, "GET", "/effects", &effects_page<State>, read, Doc{"What is to be done outside, and what failed."}));
    decl.routes.push_back(route<Service>(V1, "GET", "/effects/{id}", &effect_row<State>, read, Doc{"One that is not done yet."}));
    decl.routes.push_back(route<Service>(V1, "POST", "/effects/{id}/retry", &order_effect<State, Event, EffectStep::retried>, write,
                                         Doc{"Try one now, a dead one too."}));
    decl.routes.push_back(route<Service>(V1, "POST", "/effects/{id}/drop", &order_effect<State, Event, EffectStep::dropped>, write,
                                         Doc{"Give one up for good."}));
}

}  // namespace runtime

using EffectKind = runtime::EffectDecl;

template <class Service, class Args, class Sent>
EffectKind effect(Result<Sent> (*act)(Args const&, Outside&),
                  std::type_identity_t<std::vector<typename Service::Event> (*)(typename Service::State const&, Args const&,
                                                                                Result<Sent> const&, Ctx const&)>
                      then = nullptr,
                  EffectOptions options = {}) {
    static typename Service::Event const like = Effect<Args>{};
    return {.kind = codec::type_of<typename Service::Event>().alternatives[like.index()].name,
            .alternative = like.index(),
            .options = options,
            .act = reinterpret_cast<runtime::RouteFn>(act),
            .then = reinterpret_cast<runtime::RouteFn>(then),
            .run = &runtime::run_effect<Service, Args, Sent>,
            .settle = &runtime::settle_effect<Service, Args, Sent>};
}

}  // namespace gantry
