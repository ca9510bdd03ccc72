// Tickets and leases, as the facts change them.
#include <algorithm>

#include "services/pool/state_change.h"

namespace gantry::pool {
namespace {

// A mean that follows what is new by an eighth of the difference; exact from the first on.
std::uint64_t follow(std::uint64_t mean, std::uint64_t told, std::uint64_t value) {
    if (told == 0) return value;
    return std::uint64_t(std::int64_t(mean) + (std::int64_t(value) - std::int64_t(mean)) / 8);
}
std::vector<std::uint32_t> types_in(std::vector<WaitKey> const& keys) {
    std::vector<std::uint32_t> out;
    for (auto const& key : keys)
        if (std::ranges::find(out, key.type) == out.end()) out.push_back(key.type);
    return out;
}
std::uint64_t ms_between(Time from, Time to) { return to > from ? std::uint64_t((to - from).us / 1000) : 0; }

}  // namespace

std::vector<WaitKey> State::wait_keys(TicketRow const& row) const {
    std::vector<WaitKey> out;
    for (auto kind : row.kinds)
        out.push_back({kinds.find(kind)->type, kind, row.seq, row.kinds.size(), row.priority, hash64(row.owner), row.firm_at.us});
    return out;
}

void State::apply(Queued const& e, At const& at) {
    for (auto const& want : e.wants) type_names.intern(want.type);
    TicketRow row{.state = e.from ? TicketState::ahead : TicketState::waiting, .seq = at.position};
    row.owner = e.owner.str(), row.caller = at.caller, row.reason = e.reason.str(), row.wants = e.wants, row.priority = e.priority,
    row.lease_ms = e.lease_ms;
    row.asked_at = at.time, row.firm_at = e.firm_at, row.from = e.from, row.until = e.until, row.alike = e.alike,
    row.bound_to = e.bound_to.str();
    leave_line(e.ticket);
    row.kinds = enter_line(e.wants);
    auto const keys = wait_keys(row);
    for (auto const& key : keys) waiting.insert(key);
    auto const wanted = types_in(keys);
    for (auto type : wanted) {
        types.change(type, [](TypeRow& t) { ++t.waiting; });
        count_hour(type, at.time, &Hour::queued);
    }
    if (wanted.size() > 1) totals.add(mixed, 1);
    if (auto const when = e.from ? e.from : e.until) due.set(alarm(Alarm::ticket, row.seq), *when);
    auto const number = ticket_for(e.ticket);
    line.put(row.seq, {number});
    if (!row.bound_to.empty()) bound.insert({hash64(row.bound_to), row.seq | in_line_bit});
    tickets.put(number, std::move(row));
    marks.changed(0);
}

void State::leave_line(Ticket const& ticket) {
    auto const* row = this->ticket(ticket);
    if (!row || row->seq == 0 || !line.contains(row->seq)) return;
    auto const keys = wait_keys(*row);
    for (auto const& key : keys) waiting.erase(key);
    auto const wanted = types_in(keys);
    for (auto type : wanted) types.change(type, [](TypeRow& t) { --t.waiting; });
    if (wanted.size() > 1) totals.add(mixed, -1);
    for (auto const& key : keys) {
        count_kind(key.type, key.kind, 0, 0, -1);
        if (key.kind & label_bit) kind_names.release(key.kind & ~label_bit);
    }
    due.clear(alarm(Alarm::ticket, row->seq));
    if (!row->bound_to.empty()) bound.erase({hash64(row->bound_to), row->seq | in_line_bit});
    line.erase(row->seq);
    marks.changed(0);
}

void State::apply(Came const& e) {
    tickets.change(ticket_names.find(e.ticket), [&](TicketRow& row) {
        row.state = TicketState::waiting, row.from.reset();
        auto const key = alarm(Alarm::ticket, row.seq);
        if (row.until)
            due.set(key, *row.until);
        else
            due.clear(key);
    });
}

void State::apply(Stayed const& e) {
    tickets.change(ticket_names.find(e.ticket), [&](TicketRow& row) {
        row.until = e.until;
        if (!row.from && row.seq != 0 && line.contains(row.seq)) due.set(alarm(Alarm::ticket, row.seq), e.until);
    });
}
void State::apply(Withdrawn const& e, At const& at) {
    auto const* row = ticket(e.ticket);
    if (!row || row->seq == 0 || !line.contains(row->seq)) return;
    leave_line(e.ticket);
    tickets.change(ticket_names.find(e.ticket), [&](TicketRow& ticket) {
        ticket.state = TicketState::withdrawn, ticket.seq = 0, ticket.from.reset(), ticket.until.reset(), ticket.reason = e.reason.str();
        ticket.wants.clear(), ticket.kinds.clear();
    });
    withdrawn.put(at.position, {e.ticket.str()});
    ended.insert({at.position, 0});
    forget_ended();
}

TicketRow const* State::ticket(std::string_view name) const {
    auto const number = ticket_names.find(name);
    return number == unknown ? nullptr : tickets.find(number);
}
std::uint32_t State::ticket_for(std::string_view name) {
    auto const number = ticket_names.find(name);
    return number == unknown ? ticket_names.hold(name) : number;
}
void State::forget_ticket(std::string_view name) {
    auto const number = ticket_names.find(name);
    tickets.erase(number);
    ticket_names.release(number);
}

void State::hold(std::uint32_t type, std::string_view owner, std::int64_t by) {
    auto const key = held_key(type, hash64(owner));
    std::uint64_t left = 0;
    held.change_or_put(key, [&](Counted& c) { left = c.n += std::uint64_t(by); });
    if (left == 0) held.erase(key);
    types.change(type, [&](TypeRow& row) { row.leased += std::uint64_t(by); });
}

void State::apply(Leased const& e, At const& at) {
    leave_line(e.ticket);
    // Whoever asked for it: who waited is served by another one's word, and what comes back from the inventory by nobody's.
    auto const* asked = ticket(e.ticket);
    bool const waited_for = asked && asked->seq != 0 && asked->state != TicketState::over;
    auto const caller = waited_for ? asked->caller : at.caller == "gantry" ? e.owner.str() : std::string(at.caller);
    Lease lease{.ticket = e.ticket.str(), .owner = e.owner.str(), .caller = caller, .reason = e.reason.str()};
    lease.state = state_for(e.state), lease.began = lease.heard = at.time, lease.until = e.until, lease.lease_ms = e.lease_ms;
    std::uint64_t waited_ms = 0;
    bool waited = false;
    tickets.change_or_put(ticket_for(e.ticket), [&](TicketRow& row) {
        waited = waited_for && row.state == TicketState::waiting;
        if (waited) waited_ms = ms_between(row.asked_at, at.time);
        if (!waited) row.asked_at = at.time;
        row.state = TicketState::held, row.seq = 0, row.caller = caller, row.lease = e.lease.n, row.alike = e.alike, row.wants.clear(),
        row.kinds.clear(), row.owner = lease.owner;
        row.from.reset(), row.until.reset();
    });
    std::uint32_t last_type = 0;
    for (auto const& name : e.resources) {
        auto const number = names.find(name);
        if (number == unknown) continue;
        std::uint32_t type = 0;
        change(name, at, [&](Resource& r) {
            enter(r, lease.state, at);
            r.lease = e.lease.n, r.fence = e.lease.n, ++r.leases, type = r.type;
        });
        if (type == 0) continue;
        lease.resources.push_back(number);
        hold(type, e.owner, 1);
        count_hour(type, at.time, &Hour::given);
        if (type == last_type) continue;
        last_type = type;
        types.change(type, [&](TypeRow& row) {
            ++row.leases;
            if (waited) row.waited_ms = follow(row.waited_ms, row.waits, waited_ms), ++row.waits;
        });
    }
    lease.bound_to = e.bound_to.str();
    if (!lease.bound_to.empty()) bound.insert({hash64(lease.bound_to), e.lease.n});
    lease_due.set(e.lease.n, e.until);
    leases.put(e.lease.n, std::move(lease));
}

void State::apply(Extended const& e, At const& at) {
    if (!leases.change(e.lease.n, [&](Lease& lease) { lease.heard = at.time, lease.until = e.until; })) return;
    lease_due.set(e.lease.n, e.until);
}

void State::apply(Released const& e, At const& at) {
    auto const* lease = leases.find(e.lease.n);
    if (!lease || lease->over) return;
    auto const owner = lease->owner;
    auto const held_for = ms_between(lease->began, at.time);
    auto const to = state_for(e.to);
    for (auto const& name : e.resources) {
        std::uint32_t type = 0;
        change(name, at, [&](Resource& r) {
            if (r.lease != e.lease.n) return;
            enter(r, to, at);
            type = r.type, r.lease = 0, r.fence = e.fence, r.used = at.position, r.reason = e.reason.str();
            if (e.broken) ++r.broken, r.broken_by = owner;
            if (e.how == Ended::expired) ++r.expired;
            auto const harm = e.broken ? 30u : e.how == Ended::expired ? 15u : 0u;
            r.health = harm != 0 ? r.health - std::min(r.health, harm) : std::min(100u, r.health + 5);
        });
        if (type == 0) continue;
        hold(type, owner, -1);
        if (to == free_) count_hour(type, at.time, &Hour::freed);
        types.change(type, [&](TypeRow& row) {
            row.held_ms = follow(row.held_ms, row.returns, held_for), ++row.returns;
            row.expired += e.how == Ended::expired, row.broken += e.broken;
        });
    }
    end_lease(e.lease.n, e, at);
}

// Of a lease that holds nothing more, what it held last stays told.
void State::end_lease(std::uint64_t number, Released const& e, At const& at) {
    std::string ticket;
    leases.change(number, [&](Lease& lease) {
        auto const gone = [&](std::uint32_t n) {
            return std::ranges::any_of(e.resources, [&](Name const& name) { return names.text(n) == name.view(); });
        };
        if (std::ranges::all_of(lease.resources, gone))
            lease.over = true, lease.how = e.how, lease.ended = at.time, ticket = lease.ticket;
        else
            std::erase_if(lease.resources, gone);
    });
    if (ticket.empty()) return;
    if (auto const& bound_to = leases.find(number)->bound_to; !bound_to.empty()) bound.erase({hash64(bound_to), number});
    lease_due.clear(number);
    ended.insert({at.position, number});
    tickets.change(ticket_names.find(ticket), [&](TicketRow& row) {
        if (row.lease == number) row.state = TicketState::over;
    });
    forget_ended();
}

void State::forget_ended() {
    while (ended.size() > ended_max) {
        auto const oldest = *ended.first();
        ended.erase(oldest);
        if (auto const* gone = oldest.lease == 0 ? withdrawn.find(oldest.position) : nullptr) {
            if (auto const* row = ticket(gone->ticket); row && row->state == TicketState::withdrawn) forget_ticket(gone->ticket);
            withdrawn.erase(oldest.position);
        }
        if (auto const* lease = leases.find(oldest.lease)) {
            auto const* row = ticket(lease->ticket);
            if (row && row->lease == oldest.lease && row->state == TicketState::over) forget_ticket(lease->ticket);
        }
        leases.erase(oldest.lease);
    }
}

}  // namespace gantry::pool
