#pragma once
#include "services/pool/leases.h"

// The resources themselves, and what an administrator does to them.
namespace gantry::pool {

struct HolderView {
    std::string owner;
    LeaseId lease;
    Time deadline;
};
RECORD(HolderView, owner, lease, deadline);
struct HealthView {
    std::uint32_t score = 100;  // below 75 it is given after all others
    std::uint32_t leases = 0, broken = 0, expired = 0, clean_failures = 0;
    std::optional<std::string> broken_by;
};
RECORD(HealthView, score, leases, broken, expired, clean_failures, broken_by);
struct ResourceView {
    std::string name, type, state;
    std::uint64_t fence = 0;
    Labels labels;
    Numbers numbers;
    std::optional<codec::RawJson> data;
    Time since, added_at;
    std::optional<HolderView> holder;
    std::optional<std::string> by, reason;  // of its state
    std::optional<Time> until;
    std::optional<std::string> clean_task, trouble;
    bool drained = false, stuck = false;
    HealthView health;
};
RECORD(ResourceView, name, type, state, fence, labels, numbers, data, since, added_at, holder, by, reason, until, clean_task, trouble,
       drained, stuck, health);
ResourceView view_of(State const& s, std::uint32_t number, Resource const& r);

struct NewResource {
    Name name;
    TypeName type;
    Labels labels;
    Numbers numbers;
    std::optional<codec::RawJson> data;
    std::optional<Word> state;     // free, dirty, quarantined; none: free, or dirty where the type wants it verified
    std::optional<bool> verified;  // it is free by the caller's word
};
RECORD(NewResource, name, type, labels, numbers, data, state, verified);
struct ResourceChange {
    Name name;
    std::optional<Labels> labels;
    std::optional<Numbers> numbers;
    std::optional<codec::RawJson> data;
};
RECORD(ResourceChange, name, labels, numbers, data);
struct ByName {
    Name name;
};
RECORD(ByName, name);
struct Order {
    Name name;
    std::optional<Reason> reason;
};
RECORD(Order, name, reason);
struct FreeOrder {
    Name name;
    std::optional<bool> verified;
    std::optional<Reason> reason;
};
RECORD(FreeOrder, name, verified, reason);
struct DrainOrder {
    Name name;
    std::optional<bool> on;
    std::optional<Reason> reason;
};
RECORD(DrainOrder, name, on, reason);
struct HoldOrder {
    Name name;
    std::optional<Owner> owner;
    Bounded<1000, 31'536'000'000> hold_ms;
    Reason reason;
};
RECORD(HoldOrder, name, owner, hold_ms, reason);
struct StealOrder {
    Name name;
    Ticket ticket;
    std::optional<Owner> owner;
    std::optional<Bounded<1000, 31'536'000'000>> lease_ms;
    Reason reason;
};
RECORD(StealOrder, name, ticket, owner, lease_ms, reason);
struct MoveOrder {
    Name name;
    Word state;
    std::optional<Reason> reason;
};
RECORD(MoveOrder, name, state, reason);

using ResourceReply = Emit<ResourceView, Event>;
Result<ResourceReply> add_resource(State const& s, NewResource const& in, Ctx const& cx);
Result<ResourceReply> change_resource(State const& s, ResourceChange const& in, Ctx const& cx);
Result<ResourceReply> remove_resource(State const& s, Order const& in, Ctx const& cx);
Result<ResourceReply> quarantine(State const& s, Order const& in, Ctx const& cx);
Result<ResourceReply> drain(State const& s, DrainOrder const& in, Ctx const& cx);
Result<ResourceReply> free_resource(State const& s, FreeOrder const& in, Ctx const& cx);
Result<ResourceReply> keep(State const& s, HoldOrder const& in, Ctx const& cx);
Result<ResourceReply> move_resource(State const& s, MoveOrder const& in, Ctx const& cx);
Result<ResourceReply> clean_again(State const& s, Order const& in, Ctx const& cx);
Result<Emit<LeaseView, Event>> steal(State const& s, StealOrder const& in, Ctx const& cx);
// A hold, a cleaning, a lifetime is over, or it is stuck.
void resource_due(Desk& desk, std::uint32_t number);

}  // namespace gantry::pool
