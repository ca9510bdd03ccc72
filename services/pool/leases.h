#pragma once
#include "services/pool/cleaning.h"
#include "services/pool/desk.h"

// Leases: who holds what, until when, and how it comes back.
namespace gantry::pool {

struct HeldView {
    std::string name, type, state;
    std::uint64_t fence = 0;
    Labels labels;
    Numbers numbers;
    std::optional<codec::RawJson> data;
};
RECORD(HeldView, name, type, state, fence, labels, numbers, data);

// `fence` goes along with whatever the holder does to a resource: who refuses an older one is safe from late words.
struct LeaseView {
    LeaseId lease;
    std::string ticket, owner, caller, reason;
    std::uint64_t fence = 0;
    std::vector<HeldView> resources;
    Time began_at, heard_at, deadline;
    std::int64_t heartbeat_ms = 0;
    bool over = false;
    std::optional<Ended> how;
    std::optional<Time> ended_at;
    std::optional<std::string> bound_to;
};
RECORD(LeaseView, lease, ticket, owner, caller, reason, fence, resources, began_at, heard_at, deadline, heartbeat_ms, over, how, ended_at,
       bound_to);

struct ByLease {
    LeaseId lease;
};
RECORD(ByLease, lease);
struct Heartbeat {
    LeaseId lease;
    std::optional<Owner> owner;
    std::optional<Bounded<1000, 31'536'000'000>> lease_ms;
};
RECORD(Heartbeat, lease, owner, lease_ms);
struct Release {
    LeaseId lease;
    std::optional<Owner> owner;
    std::vector<Name> resources;  // none: all
    std::optional<Word> to;
    std::optional<bool> broken;
    std::optional<Reason> reason;
};
RECORD(Release, lease, owner, resources, to, broken, reason);
struct LeaseFilter {
    static constexpr bool has_defaults = true;
    std::optional<Owner> owner;
    std::optional<bool> over;
    Limit limit = 100;
    std::optional<std::string> cursor;
};
RECORD(LeaseFilter, owner, over, limit, cursor);

LeaseView view_of(State const& s, std::uint64_t number, Lease const& lease);
// Of a lease that this decision gives.
LeaseView view_of(State const& s, Leased const& e, Ctx const& cx);

// The lease that is held by whoever speaks: its caller, or who names its owner. 404, 403, or 409 "lease_lost" which names who has it now.
Result<Lease const*> held_lease(State const& s, LeaseId const& id, std::optional<Owner> const& owner, Ctx const& cx);
// "is held by bob (ls_9, fence 9)"
std::string whose_now(State const& s, std::uint32_t number);
Problem lost(State const& s, LeaseId const& id, Lease const& lease);
// Gives resources of a lease back: into `to`, or where the type says; what becomes of them after that follows.
struct Return {
    std::vector<std::uint32_t> resources;
    std::optional<Word> to;
    Ended how = Ended::released;
    bool broken = false;
    Reason reason;
};
Result<void> give_back(Desk& desk, LeaseId const& id, Lease const& lease, Return const& what);

Result<LeaseView> show_lease(State const& s, ByLease const& in, Ctx const& cx);
Result<Page<LeaseView>> list_leases(State const& s, LeaseFilter const& in, Ctx const& cx);
Result<Emit<LeaseView, Event>> heartbeat(State const& s, Heartbeat const& in, Ctx const& cx);
Result<Emit<LeaseView, Event>> release(State const& s, Release const& in, Ctx const& cx);
std::vector<Event> lease_expired(State const& s, std::uint64_t const& number, Ctx const& cx);

}  // namespace gantry::pool
