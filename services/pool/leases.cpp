#include "services/pool/leases.h"

#include <fmt/format.h>

#include <algorithm>

#include "services/pool/alerts.h"
#include "services/pool/dynamic.h"

namespace gantry::pool {
namespace {

constexpr std::size_t examined_max = 10'000;

HeldView held_view(State const& s, std::uint32_t number, std::uint64_t fence, std::string state) {
    HeldView out{.name = std::string(s.names.text(number)), .state = std::move(state), .fence = fence};
    auto const* r = s.resources.find(number);
    if (!r) return out;
    out.type = s.type_names.text(r->type), out.labels = r->labels, out.numbers = r->numbers;
    if (!r->data.empty()) out.data = codec::RawJson{r->data};
    return out;
}

std::int64_t heartbeat_of(State const& s, std::vector<std::uint32_t> const& resources) {
    std::int64_t least = 0;
    for (auto number : resources) {
        auto const* r = s.resources.find(number);
        auto const* type = r ? s.types.find(r->type) : nullptr;
        std::int64_t const beat = type ? std::int64_t(type->settings.heartbeat_ms) : 0;
        if (beat > 0 && (least == 0 || beat < least)) least = beat;
    }
    return least;
}

struct LeaseCursor {
    std::uint64_t lease = 0;
};
RECORD(LeaseCursor, lease);

Problem no_lease() { return {404, "lease_not_found", "there is no lease with this id"}; }

// Where a resource goes when its holder does not say.
std::string back_to(TypeRow const& type, Return const& what) {
    if (what.broken) return "quarantined";
    return type.settings.cleaning == Cleaning::none ? "free" : "dirty";
}

Result<void> check_target(State const& s, std::uint32_t number, std::uint32_t held_as, std::string_view to) {
    Resource const& r = *s.resources.find(number);
    auto const& type = *s.types.find(r.type);
    auto const where = fmt::format("{} is of type {}", s.names.text(number), s.type_names.text(r.type));
    if (!knows_state(type.settings, to))
        return fail(
            {422, "state_unknown", fmt::format("{}, which has no state \"{}\"", where, to), {{"/to", "expected a state of the type"}}});
    if (to == "free" && type.settings.cleaning != Cleaning::none)
        return fail(422, "release_unclean", where + ", which is cleaned before it is free: release it without a state");
    if (to != "free" && !may_go(type.settings, s.state_name(held_as), to) && !may_go(type.settings, "in_use", to))
        return fail(422, "transition_unknown", fmt::format("{}, which does not go from {} to {}", where, s.state_name(held_as), to));
    return {};
}

}  // namespace

LeaseView view_of(State const& s, std::uint64_t number, Lease const& lease) {
    LeaseView out{.lease = LeaseId{number}, .ticket = lease.ticket, .owner = lease.owner, .caller = lease.caller, .reason = lease.reason};
    out.fence = number, out.began_at = lease.began, out.heard_at = lease.heard, out.deadline = lease.until, out.over = lease.over;
    out.heartbeat_ms = heartbeat_of(s, lease.resources);
    if (!lease.bound_to.empty()) out.bound_to = lease.bound_to;
    if (lease.over) out.how = lease.how, out.ended_at = lease.ended;
    for (auto resource : lease.resources) out.resources.push_back(held_view(s, resource, number, s.state_name(lease.state)));
    return out;
}

LeaseView view_of(State const& s, Leased const& e, Ctx const& cx) {
    LeaseView out{
        .lease = e.lease, .ticket = e.ticket.str(), .owner = e.owner.str(), .caller = cx.caller().str(), .reason = e.reason.str()};
    out.fence = e.lease.n, out.began_at = out.heard_at = cx.now, out.deadline = e.until;
    if (!e.bound_to.empty()) out.bound_to = e.bound_to.str();
    std::vector<std::uint32_t> numbers;
    for (auto const& name : e.resources) numbers.push_back(s.names.find(name));
    out.heartbeat_ms = heartbeat_of(s, numbers);
    for (auto number : numbers) out.resources.push_back(held_view(s, number, e.lease.n, e.state.str()));
    return out;
}

std::string whose_now(State const& s, std::uint32_t number) {
    auto const* r = s.resources.find(number);
    auto const* lease = r && r->lease != 0 ? s.leases.find(r->lease) : nullptr;
    if (lease) return fmt::format("is held by {} (ls_{}, fence {})", lease->owner, r->lease, r->fence);
    return r ? fmt::format("is {} (fence {})", s.state_name(r->state), r->fence) : "is no longer in the pool";
}

Problem lost(State const& s, LeaseId const& id, Lease const& lease) {
    auto const how = codec::encode_scalar(codec::type_of<Ended>(), &lease.how);
    auto text = fmt::format("lease ls_{} is over since {} ({})", id.n, format_time(lease.ended), how);
    Problem out{409, "lease_lost", {}};
    for (auto number : lease.resources) {
        std::string const name(s.names.text(number));
        if (out.faults.size() < 20) out.faults.push_back({name, whose_now(s, number)});
        if (out.faults.size() == 1) text += fmt::format(": {} {}", name, whose_now(s, number));
    }
    out.detail = std::move(text);
    return out;
}

Result<Lease const*> held_lease(State const& s, LeaseId const& id, std::optional<Owner> const& owner, Ctx const& cx) {
    auto const* lease = s.leases.find(id.n);
    if (!lease) return fail(no_lease());
    if (lease->caller != cx.caller().view() && (!owner || owner->view() != lease->owner))
        return fail(403, "lease_of_another",
                    fmt::format("ls_{} is held by {}: its holder, or who names its owner, may do this", id.n, lease->owner));
    if (lease->over) return fail(lost(s, id, *lease));
    return lease;
}

Result<void> give_back(Desk& desk, LeaseId const& id, Lease const& lease, Return const& what) {
    State const& s = desk.state();
    std::map<std::string, std::vector<std::uint32_t>> by_target;
    for (auto number : what.resources) {
        auto const* r = s.resources.find(number);
        if (!r) continue;
        auto const to = what.to ? what.to->str() : back_to(*s.types.find(r->type), what);
        if (what.to) TRY_VOID(check_target(s, number, lease.state, to));
        by_target[to].push_back(number);
    }
    for (auto const& [to, numbers] : by_target) {
        auto const fence = desk.next_fence();
        Released out{id, {}, to, what.how, what.broken, what.reason, fence};
        for (auto number : numbers) {
            out.resources.emplace_back(s.names.text(number));
            desk.returned(s.resources.find(number)->type, lease.owner);
        }
        desk.record(std::move(out));
        for (auto number : numbers) settle(desk, number, to, fence);
        for (auto number : numbers)
            if (to == "quarantined") tell_alert(desk, number, "quarantined", to, what.reason);
    }
    for (auto type : types_of_resources(s, what.resources)) desk.match(type), grow(desk, type);
    return {};
}

Result<LeaseView> show_lease(State const& s, ByLease const& in, Ctx const&) {
    if (auto const* lease = s.leases.find(in.lease.n)) return view_of(s, in.lease.n, *lease);
    return fail(no_lease());
}

Result<Page<LeaseView>> list_leases(State const& s, LeaseFilter const& in, Ctx const&) {
    s.marks.looked_at_all();
    Page<LeaseView> page;
    std::optional<std::uint64_t> after;
    if (in.cursor) {
        TRY_ASSIGN(auto cursor, read_cursor<LeaseCursor>(*in.cursor));
        after = cursor.lease;
    }
    std::size_t examined = 0;
    std::uint64_t last = 0;
    s.leases.walk(after ? &*after : nullptr, [&](std::uint64_t number, Lease const& lease) {
        if (page.items.size() == std::size_t(in.limit) || examined == examined_max) {
            page.complete = false, page.next = make_cursor(LeaseCursor{last});
            if (page.items.size() < std::size_t(in.limit)) page.why = "10000 leases were examined: go on with next";
            return false;
        }
        ++examined, last = number;
        if ((in.owner && in.owner->view() != lease.owner) || lease.over != in.over.value_or(false)) return true;
        page.items.push_back(view_of(s, number, lease));
        return true;
    });
    return page;
}

Result<Emit<LeaseView, Event>> heartbeat(State const& s, Heartbeat const& in, Ctx const& cx) {
    TRY_ASSIGN(auto const* lease, held_lease(s, in.lease, in.owner, cx));
    auto const beat = heartbeat_of(s, lease->resources);
    auto const lease_ms = in.lease_ms ? std::int64_t(*in.lease_ms) : lease->lease_ms;
    auto const until = cx.now + Duration::millis(beat > 0 && !in.lease_ms ? std::min(beat, lease_ms) : lease_ms);
    auto reply = view_of(s, in.lease.n, *lease);
    reply.heard_at = cx.now, reply.deadline = until;
    return Emit<LeaseView, Event>{{Extended{in.lease, until}}, std::move(reply)};
}

Result<Emit<LeaseView, Event>> release(State const& s, Release const& in, Ctx const& cx) {
    // Told again after it ended by its holder's own word: done already.
    if (auto const* ended = s.leases.find(in.lease.n);
        ended && ended->over && ended->how == Ended::released && ended->caller == cx.caller().view())
        return Emit<LeaseView, Event>{{}, view_of(s, in.lease.n, *ended)};
    TRY_ASSIGN(auto const* lease, held_lease(s, in.lease, in.owner, cx));
    Return what{lease->resources, in.to, Ended::released, in.broken.value_or(false), in.reason.value_or(Reason{})};
    if (!in.resources.empty()) {
        what.resources.clear();
        for (std::size_t i = 0; i < in.resources.size(); ++i) {
            auto const number = s.names.find(in.resources[i]);
            if (std::ranges::find(lease->resources, number) == lease->resources.end())
                return fail({409,
                             "resource_not_held",
                             fmt::format("ls_{} does not hold {}, which {}", in.lease.n, in.resources[i].view(), whose_now(s, number)),
                             {{fmt::format("/resources/{}", i), "expected one that the lease holds"}}});
            if (std::ranges::find(what.resources, number) == what.resources.end()) what.resources.push_back(number);
        }
    }
    Desk desk(s, cx);
    TRY_VOID(give_back(desk, in.lease, *lease, what));
    auto reply = view_of(s, in.lease.n, *lease);
    reply.over = what.resources.size() == lease->resources.size();
    if (reply.over)
        reply.how = Ended::released, reply.ended_at = cx.now;
    else
        std::erase_if(reply.resources, [&](HeldView const& held) {
            return std::ranges::find(what.resources, s.names.find(held.name)) != what.resources.end();
        });
    return Emit<LeaseView, Event>{desk.take_events(), std::move(reply)};
}

std::vector<Event> lease_expired(State const& s, std::uint64_t const& number, Ctx const& cx) {
    auto const& lease = *s.leases.find(number);
    Desk desk(s, cx);
    Return what{lease.resources, {}, Ended::expired, false, "nobody was heard of until the deadline"};
    (void)give_back(desk, LeaseId{number}, lease, what);
    return desk.take_events();
}

}  // namespace gantry::pool
