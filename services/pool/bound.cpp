#include "services/pool/bound.h"

#include <fmt/format.h>

namespace gantry::pool {
namespace {

// Whose leases and tickets may be ended: null: anybody's.
struct Ender {
    std::string_view caller;
    std::optional<Owner> owner;
    bool may(std::string_view its_caller, std::string_view its_owner) const {
        return its_caller == caller || (owner && owner->view() == its_owner);
    }
};

BoundEnded end_all(Desk& desk, std::string_view bound_to, Ender const* ender, Reason const& reason) {
    State const& s = desk.state();
    BoundEnded out{.bound_to = std::string(bound_to)};
    auto const hash = hash64(bound_to);
    std::vector<std::uint64_t> leases, in_line;
    s.bound.ascend(BoundKey{hash, 0}, [&](BoundKey const& key) {
        if (key.hash != hash) return false;
        return (key.id & in_line_bit ? in_line : leases).push_back(key.id & ~in_line_bit), true;
    });
    std::vector<std::uint32_t> types;
    for (auto seq : in_line) {
        auto const ticket = s.ticket_in_line(seq);
        auto const& row = *s.ticket(ticket);
        if (row.bound_to != bound_to) continue;
        if (ender && !ender->may(row.caller, row.owner)) {
            ++out.of_others;
            continue;
        }
        desk.record(Withdrawn{ticket, reason});
        desk.left_line(seq);
        for (auto type : types_of(s, row.wants)) types.push_back(type);
        out.tickets.push_back(ticket.str());
    }
    for (auto number : leases) {
        auto const& lease = *s.leases.find(number);
        if (lease.bound_to != bound_to) continue;
        if (ender && !ender->may(lease.caller, lease.owner)) {
            ++out.of_others;
            continue;
        }
        (void)give_back(desk, LeaseId{number}, lease, {lease.resources, {}, Ended::bound_over, false, reason});
        out.leases.push_back(LeaseId{number});
    }
    if (!types.empty()) desk.match(types, nullptr);
    return out;
}

std::vector<Event> task_over(State const& s, queue::TaskId const& task, std::string_view how, Ctx const& cx) {
    Desk desk(s, cx);
    end_all(desk, fmt::format("queue:t_{}", task.n), nullptr, Reason(fmt::format("task t_{} is {}", task.n, how)));
    return desk.take_events();
}

}  // namespace

Result<Emit<BoundEnded, Event>> end_bound(State const& s, BoundEnd const& in, Ctx const& cx) {
    Desk desk(s, cx);
    Ender const ender{cx.caller().view(), in.owner};
    auto reply = end_all(desk, in.bound_to, &ender, in.reason.value_or(Reason(fmt::format("{} ended", in.bound_to.view()))));
    if (reply.of_others > 0 && reply.leases.empty() && reply.tickets.empty())
        return fail(403, "lease_of_another", "what is bound to this is of others: who acquired it, or who names its owner, may end it");
    return Emit<BoundEnded, Event>{desk.take_events(), std::move(reply)};
}

Result<std::vector<Event>> on_task_done(State const& s, queue::Completed const& e, At const&, Ctx const& cx) {
    return task_over(s, e.id, "done", cx);
}
Result<std::vector<Event>> on_task_failed(State const& s, queue::Failed const& e, At const&, Ctx const& cx) {
    if (e.retry_at) return std::vector<Event>{};
    return task_over(s, e.id, "dead", cx);
}
Result<std::vector<Event>> on_tasks_deleted(State const& s, queue::Deleted const& e, At const&, Ctx const& cx) {
    Desk desk(s, cx);
    for (auto const& task : e.ids)
        end_all(desk, fmt::format("queue:t_{}", task.n), nullptr, Reason(fmt::format("task t_{} is deleted", task.n)));
    return desk.take_events();
}

}  // namespace gantry::pool
