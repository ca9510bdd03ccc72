#pragma once
#include "services/pool/leases.h"
#include "services/queue/contract.h"

// Leases that are bound to something else: a job, a login, a trace, or a task of the queue ("queue:t_5"). When that ends they do, and
// whoever stands in line for it leaves.
namespace gantry::pool {

struct BoundEnd {
    Bound bound_to;
    std::optional<Owner> owner;
    std::optional<Reason> reason;
};
RECORD(BoundEnd, bound_to, owner, reason);
struct BoundEnded {
    std::string bound_to;
    std::vector<LeaseId> leases;
    std::vector<std::string> tickets;  // that stood in line
    std::uint64_t of_others = 0;       // leases and tickets that are left alone
};
RECORD(BoundEnded, bound_to, leases, tickets, of_others);

// As for a lease: what the caller acquired, or what is of the owner that it names. 403 "lease_of_another" where there is nothing else.
Result<Emit<BoundEnded, Event>> end_bound(State const& s, BoundEnd const& in, Ctx const& cx);

// FOLLOWER of the queue: a task that is done, dead or deleted.
Result<std::vector<Event>> on_task_done(State const& s, queue::Completed const& e, At const& at, Ctx const& cx);
Result<std::vector<Event>> on_task_failed(State const& s, queue::Failed const& e, At const& at, Ctx const& cx);
Result<std::vector<Event>> on_tasks_deleted(State const& s, queue::Deleted const& e, At const& at, Ctx const& cx);

}  // namespace gantry::pool
