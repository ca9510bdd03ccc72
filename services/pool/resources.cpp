#include "services/pool/resources.h"

#include <fmt/format.h>

#include <algorithm>

#include "services/pool/alerts.h"
#include "services/pool/dynamic.h"

namespace gantry::pool {
namespace {

constexpr std::size_t labels_max = 100, text_bytes_max = 1000, data_bytes_max = 16 * 1024;

Result<void> check_words(Labels const& labels, Numbers const& numbers, std::optional<codec::RawJson> const& data) {
    auto const fault = [](std::string pointer, std::string detail) {
        return fail({422,
                     "resource_invalid",
                     "labels, numbers or data of the resource are not as they can be kept",
                     {{std::move(pointer), std::move(detail)}}});
    };
    if (labels.size() > labels_max) return fault("/labels", fmt::format("expected up to {}", labels_max));
    if (numbers.size() > labels_max) return fault("/numbers", fmt::format("expected up to {}", labels_max));
    for (auto const& [name, value] : labels)
        if (name.empty() || name.size() > text_bytes_max || value.size() > text_bytes_max)
            return fault("/labels/" + name, "expected 1 to 1000 bytes");
    for (auto const& [name, value] : numbers)
        if (name.empty() || name.size() > text_bytes_max) return fault("/numbers", "expected names of 1 to 1000 bytes");
    if (data && data->text.size() > data_bytes_max) return fault("/data", fmt::format("expected up to {} bytes", data_bytes_max));
    return {};
}

struct Found {
    std::uint32_t number = 0;
    Resource const* r = nullptr;
};
Result<Found> find(State const& s, Name const& name) {
    auto const number = s.names.find(name);
    auto const* r = number == State::unknown || number == 0 ? nullptr : s.resources.find(number);
    if (!r) return fail(404, "resource_not_found", "there is no resource with this name");
    return Found{number, r};
}
Result<Found> find_unheld(State const& s, Name const& name, std::string_view what) {
    TRY_ASSIGN(auto const found, find(s, name));
    if (found.r->lease == 0) return found;
    auto const& lease = *s.leases.find(found.r->lease);
    return fail(
        409, "resource_held",
        fmt::format("{} is held by {} (ls_{}): release or steal it before it is {}", name.view(), lease.owner, found.r->lease, what));
}
std::string data_of(std::optional<codec::RawJson> const& data) { return data && data->text != "null" ? data->text : std::string(); }

// Records that it goes into a state, and what follows.
ResourceReply moved(State const& s, Found const& found, Name const& name, std::string_view to, Reason const& reason, Ctx const& cx) {
    Desk desk(s, cx);
    auto const fence = desk.next_fence();
    desk.record(Moved{name, Word(to), reason, fence});
    settle(desk, found.number, to, fence);
    desk.match(found.r->type);
    auto reply = view_of(s, found.number, *found.r);
    reply.state = to, reply.fence = fence, reply.reason = reason.str(), reply.since = cx.now;
    return {desk.take_events(), std::move(reply)};
}

}  // namespace

ResourceView view_of(State const& s, std::uint32_t number, Resource const& r) {
    ResourceView out{.name = std::string(s.names.text(number)),
                     .type = std::string(s.type_names.text(r.type)),
                     .state = s.state_name(r.state),
                     .fence = r.fence};
    out.labels = r.labels, out.numbers = r.numbers, out.since = r.since, out.added_at = r.added_at;
    if (!r.data.empty()) out.data = codec::RawJson{r.data};
    if (auto const* lease = r.lease != 0 ? s.leases.find(r.lease) : nullptr)
        out.holder = HolderView{lease->owner, LeaseId{r.lease}, lease->until};
    if (!r.by.empty()) out.by = r.by;
    if (!r.reason.empty()) out.reason = r.reason;
    if (r.until.us != 0) out.until = r.until;
    if (!r.task.empty()) out.clean_task = r.task;
    if (!r.trouble.empty()) out.trouble = r.trouble;
    out.drained = r.drained, out.stuck = r.stuck;
    out.health = {r.health, r.leases, r.broken, r.expired, r.clean_failures, {}};
    if (!r.broken_by.empty()) out.health.broken_by = r.broken_by;
    return out;
}

Result<ResourceReply> add_resource(State const& s, NewResource const& in, Ctx const& cx) {
    TRY_VOID(check_words(in.labels, in.numbers, in.data));
    auto const* type = s.type(in.type);
    if (!type)
        return fail(
            {404, "type_not_found", fmt::format("there is no type \"{}\"", in.type.view()), {{"/type", "expected a type of the pool"}}});
    auto const& settings = type->settings;
    bool const verify = settings.verification != Verification::none;
    Word const state = in.state ? *in.state : Word(verify && !in.verified.value_or(false) ? "dirty" : "free");
    bool const parked = knows_state(settings, state) && !phase_of(state);
    if (!parked && state.view() != "free" && state.view() != "dirty" && state.view() != "quarantined")
        return fail({422,
                     "state_unknown",
                     fmt::format("a resource of type {} does not begin as \"{}\"", in.type.view(), state.view()),
                     {{"/state", "expected free, dirty, quarantined, or a further state of the type"}}});
    if (state.view() == "free" && verify && !in.verified.value_or(false))
        return fail({422,
                     "resource_unverified",
                     fmt::format("type {} wants it verified before it is free", in.type.view()),
                     {{"/verified", "expected true, or the state dirty"}}});
    if (auto const* there = s.resource(in.name)) {
        bool const same = there->labels == in.labels && there->numbers == in.numbers && there->data == data_of(in.data) &&
                          s.type_names.text(there->type) == in.type.view();
        if (same) return ResourceReply{{}, view_of(s, s.names.find(in.name), *there)};
        return fail(409, "resource_exists", "there is another resource with this name already");
    }
    Desk desk(s, cx);
    auto const fence = desk.next_fence();
    desk.record(Added{in.name, in.type, in.labels, in.numbers, data_of(in.data), state, fence, Origin::told});
    if (state.view() == "dirty") ask_cleaning(desk, in.type, settings, {{}, in.name, {}, fence, 0, data_of(in.data)});
    ResourceView reply{
        .name = in.name.str(), .type = in.type.str(), .state = state.str(), .fence = fence, .labels = in.labels, .numbers = in.numbers};
    reply.data = in.data, reply.since = reply.added_at = cx.now;
    return ResourceReply{desk.take_events(), std::move(reply), 201};
}

Result<ResourceReply> change_resource(State const& s, ResourceChange const& in, Ctx const&) {
    TRY_ASSIGN(auto const found, find(s, in.name));
    Changed out{in.name, in.labels.value_or(found.r->labels), in.numbers.value_or(found.r->numbers),
                in.data ? data_of(in.data) : found.r->data};
    TRY_VOID(check_words(out.labels, out.numbers, in.data));
    auto reply = view_of(s, found.number, *found.r);
    if (out.labels == found.r->labels && out.numbers == found.r->numbers && out.data == found.r->data)
        return ResourceReply{{}, std::move(reply)};
    reply.labels = out.labels, reply.numbers = out.numbers, reply.data.reset();
    if (!out.data.empty()) reply.data = codec::RawJson{out.data};
    return ResourceReply{{std::move(out)}, std::move(reply)};
}

Result<ResourceReply> remove_resource(State const& s, Order const& in, Ctx const& cx) {
    TRY_ASSIGN(auto const found, find_unheld(s, in.name, "removed"));
    Desk desk(s, cx);
    auto reply = view_of(s, found.number, *found.r);
    if (!found.r->destroying) destroy(desk, found.number, in.reason.value_or("removed by " + cx.caller().str()));
    reply.state = "retired";
    return ResourceReply{desk.take_events(), std::move(reply)};
}

Result<ResourceReply> quarantine(State const& s, Order const& in, Ctx const& cx) {
    TRY_ASSIGN(auto const found, find_unheld(s, in.name, "quarantined"));
    if (found.r->state == quarantined) return ResourceReply{{}, view_of(s, found.number, *found.r)};
    return moved(s, found, in.name, "quarantined", in.reason.value_or(Reason{}), cx);
}

Result<ResourceReply> drain(State const& s, DrainOrder const& in, Ctx const&) {
    TRY_ASSIGN(auto const found, find(s, in.name));
    bool const on = in.on.value_or(true);
    auto reply = view_of(s, found.number, *found.r);
    if (found.r->drained == on) return ResourceReply{{}, std::move(reply)};
    reply.drained = on;
    return ResourceReply{{Drained{in.name, on, in.reason.value_or(Reason{})}}, std::move(reply)};
}

Result<ResourceReply> free_resource(State const& s, FreeOrder const& in, Ctx const& cx) {
    TRY_ASSIGN(auto const found, find_unheld(s, in.name, "freed"));
    if (found.r->state == free_) return ResourceReply{{}, view_of(s, found.number, *found.r)};
    if (found.r->destroying) return fail(409, "resource_leaves", "it is being destroyed");
    auto const& settings = s.types.find(found.r->type)->settings;
    bool const clean = found.r->state == reserved || in.verified.value_or(false) || settings.cleaning == Cleaning::none;
    return moved(s, found, in.name, clean ? "free" : "dirty", in.reason.value_or(Reason{}), cx);
}

Result<ResourceReply> keep(State const& s, HoldOrder const& in, Ctx const& cx) {
    TRY_ASSIGN(auto const found, find_unheld(s, in.name, "held back"));
    if (!State::can_be_given(*found.r) && found.r->state != reserved)
        return fail(409, "resource_busy",
                    fmt::format("{} is {}: what is free can be held back", in.name.view(), s.state_name(found.r->state)));
    Kept const kept{in.name, in.owner ? *in.owner : Owner(cx.caller()), cx.now + Duration::millis(in.hold_ms), in.reason};
    auto reply = view_of(s, found.number, *found.r);
    reply.state = "reserved", reply.by = kept.owner.str(), reply.reason = kept.reason.str(), reply.until = kept.until;
    return ResourceReply{{kept}, std::move(reply)};
}

Result<ResourceReply> move_resource(State const& s, MoveOrder const& in, Ctx const& cx) {
    TRY_ASSIGN(auto const found, find_unheld(s, in.name, "moved"));
    auto const& settings = s.types.find(found.r->type)->settings;
    auto const from = s.state_name(found.r->state);
    if (!knows_state(settings, in.state))
        return fail({422,
                     "state_unknown",
                     fmt::format("type {} has no state \"{}\"", s.type_names.text(found.r->type), in.state.view()),
                     {{"/state", "expected a state of the type"}}});
    if (from == in.state.view()) return ResourceReply{{}, view_of(s, found.number, *found.r)};
    bool const way = in.state.view() != "free" && may_go(settings, from, in.state);
    if (!way || in.state.view() == "in_use" || found.r->destroying)
        return fail(422, "transition_unknown",
                    fmt::format("a resource of type {} does not go from {} to {} by a word alone", s.type_names.text(found.r->type), from,
                                in.state.view()));
    return moved(s, found, in.name, in.state, in.reason.value_or(Reason{}), cx);
}

Result<ResourceReply> clean_again(State const& s, Order const& in, Ctx const& cx) {
    TRY_ASSIGN(auto const found, find_unheld(s, in.name, "cleaned"));
    if (found.r->destroying) return fail(409, "resource_leaves", "it is being destroyed");
    return moved(s, found, in.name, "dirty", in.reason.value_or(Reason{}), cx);
}

// What is stolen is not cleaned between: whoever steals it takes it as it is.
Result<Emit<LeaseView, Event>> steal(State const& s, StealOrder const& in, Ctx const& cx) {
    TRY_ASSIGN(auto const found, find(s, in.name));
    if (found.r->destroying || found.r->state == retired) return fail(409, "resource_leaves", "it is retired, or being destroyed");
    if (s.ticket(in.ticket)) return fail(409, "ticket_differs", "this ticket asked for something else before: a ticket is for one wish");
    Owner const owner = in.owner ? *in.owner : Owner(cx.caller());
    auto const& settings = s.types.find(found.r->type)->settings;
    Desk desk(s, cx);
    if (found.r->lease != 0) {
        auto const fence = desk.next_fence();
        desk.record(Released{LeaseId{found.r->lease}, {in.name}, "reserved", Ended::stolen, false, in.reason, fence});
    }
    std::int64_t const lease_ms = in.lease_ms ? std::int64_t(*in.lease_ms) : std::int64_t(settings.lease_ms);
    Leased const leased{LeaseId{desk.next_fence()},          in.ticket, owner, in.reason, {in.name}, "in_use",
                        cx.now + Duration::millis(lease_ms), lease_ms,  0,     {}};
    desk.record(leased);
    return Emit<LeaseView, Event>{desk.take_events(), view_of(s, leased, cx)};
}

void resource_due(Desk& desk, std::uint32_t number) {
    State const& s = desk.state();
    auto const* r = s.resources.find(number);
    if (!r) return;
    Name const name(s.names.text(number));
    auto const now = desk.cx().now;
    auto const is_due = [&](Time at) { return at.us != 0 && at <= now; };
    if (is_due(r->until) && r->state == reserved) {
        desk.record(Moved{name, "free", "its hold is over", desk.next_fence()});
        settle(desk, number, "free", 0);
        desk.match(r->type);
    } else if (is_due(r->until) && r->state == cleaning) {
        fail_cleaning(desk, number, r->unverified ? "the hook that verifies gave no answer" : Reason(fmt::format("{} fell silent", r->by)));
        desk.match(r->type);
    } else if (is_due(r->alert_at)) {
        auto const state = s.state_name(r->state);
        desk.record(Stuck{name, Word(state), r->since});
        tell_alert(desk, number, "stuck", state, r->trouble.empty() ? r->reason : r->trouble);
        // The task may have been lost: asked for again, it is the same one.
        auto const& settings = s.types.find(r->type)->settings;
        if (r->state == dirty) ask_cleaning(desk, TypeName(s.type_names.text(r->type)), settings, {{}, name, {}, r->fence, 0, r->data});
    } else if (is_due(r->idle_at) && !is_due(r->dies_at)) {
        auto const& type = *s.types.find(r->type);
        if (type.total() > std::uint64_t(std::int64_t(type.settings.min)))
            destroy(desk, number, "nobody needed it");
        else
            desk.record(IdleKept{name, now + Duration::millis(std::max<std::int64_t>(1000, type.settings.idle_ms))});
    } else if (r->lease == 0 && (r->state == free_ || r->state == quarantined)) {
        destroy(desk, number, "its time is over");
    } else {
        desk.record(Drained{name, true, "its time is over"});
    }
}

}  // namespace gantry::pool
