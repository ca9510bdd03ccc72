#pragma once
#include "services/pool/leases.h"

// Tickets: who wants what, and where they stand. A ticket gets one lease, however often it asks.
namespace gantry::pool {

struct Acquire {
    Ticket ticket;
    std::optional<Owner> owner;  // none: the caller
    std::vector<Want> wants;
    std::optional<Bounded<0, 60'000>> wait_ms;
    std::optional<Bounded<0, 1'000'000>> priority;         // 0 is the most urgent; none: 1000
    std::optional<bool> queue;                             // false: now or not at all
    std::optional<Bounded<1000, 31'536'000'000>> stay_ms;  // in the queue at most; none: until it is served or withdrawn
    std::optional<Time> from, until;                       // a reservation ahead
    std::optional<Bounded<1000, 31'536'000'000>> lease_ms;
    std::optional<Reason> reason;
    std::optional<Text<1, 200>> bound_to;  // the lease ends with that: POST /ended, or for "queue:t_5" once that task is over
};
RECORD(Acquire, ticket, owner, wants, wait_ms, priority, queue, stay_ms, from, until, lease_ms, reason, bound_to);

enum class Outcome { held, waiting, ahead, withdrawn };
ENUM(Outcome, held, waiting, ahead, withdrawn);
// `place`: how many are served before it, as things stand; `estimate_ms`: how long that took of late.
struct Acquired {
    Ticket ticket;
    Outcome outcome = Outcome::held;
    std::optional<LeaseView> lease;
    std::optional<std::uint64_t> place, estimate_ms;
    std::optional<Time> from;
};
RECORD(Acquired, ticket, outcome, lease, place, estimate_ms, from);

struct ByTicket {
    Ticket ticket;
};
RECORD(ByTicket, ticket);

// What is wrong with wishes: nothing wanted, too much, an unknown type, more than a quota or than there are.
Result<void> check_wants(State const& s, std::vector<Want> const& wants, Ctx const& cx);
std::optional<std::uint64_t> estimate_ms(State const& s, std::vector<Want> const& wants, std::uint64_t place);

// How a ticket that is over is met: refused, or begun anew (foreign protocols whose names come again).
enum class Over { refused, anew };
Result<Emit<Acquired, Event>> acquire_as(State const& s, Acquire const& in, Ctx const& cx, Over over);
Result<Emit<Acquired, Event>> acquire(State const& s, Acquire const& in, Ctx const& cx);
Result<Emit<Acquired, Event>> withdraw(State const& s, ByTicket const& in, Ctx const& cx);
// The time has come for which a ticket was reserved, or up to which it wanted to stay in the queue.
void ticket_due(Desk& desk, std::uint64_t seq);

}  // namespace gantry::pool
