#pragma once
#include "services/pool/desk.h"
#include "services/queue/contract.h"

// The way of a resource from its holder back to free: dirty, cleaned by a worker, verified.
namespace gantry::pool {

// What follows once a resource is recorded to be in a state: a task for who cleans it, or it can be given.
void settle(Desk& desk, std::uint32_t resource, std::string_view to, std::uint64_t fence, std::int64_t delay_ms = 0);
// Puts a task for whoever cleans, where the type wants one.
void ask_cleaning(Desk& desk, TypeName const& type, TypeSettings const& settings, PutCleanTask task);
std::vector<std::uint32_t> types_of_resources(State const& s, std::vector<std::uint32_t> const& resources);

struct CleaningView {
    std::string name, type, state;
    std::uint64_t fence = 0;
    std::optional<std::string> worker;
    std::optional<Time> deadline;
    std::uint64_t failures = 0;
};
RECORD(CleaningView, name, type, state, fence, worker, deadline, failures);

struct CleaningStart {
    Name name;
    std::uint64_t fence = 0;
    std::optional<Owner> worker;  // none: the caller
};
RECORD(CleaningStart, name, fence, worker);
struct CleaningBeat {
    Name name;
    std::uint64_t fence = 0;
    std::optional<Owner> worker;
    std::optional<Reason> progress;
};
RECORD(CleaningBeat, name, fence, worker, progress);
struct CleaningDone {
    Name name;
    std::uint64_t fence = 0;
    std::optional<Owner> worker;
    std::optional<bool> verified;
    std::optional<Reason> detail;
};
RECORD(CleaningDone, name, fence, worker, verified, detail);
struct CleaningFault {
    Name name;
    std::uint64_t fence = 0;
    std::optional<Owner> worker;
    Reason reason;
};
RECORD(CleaningFault, name, fence, worker, reason);

using CleaningReply = Emit<CleaningView, Event>;
Result<CleaningReply> begin_cleaning(State const& s, CleaningStart const& in, Ctx const& cx);
Result<CleaningReply> cleaning_goes_on(State const& s, CleaningBeat const& in, Ctx const& cx);
Result<CleaningReply> cleaned(State const& s, CleaningDone const& in, Ctx const& cx);
Result<CleaningReply> clean_failed(State const& s, CleaningFault const& in, Ctx const& cx);

// An attempt failed: dirty again with a task that waits, or in quarantine.
void fail_cleaning(Desk& desk, std::uint32_t resource, Reason const& reason);

// EFFECTS.
using queue::TaskPut;
Result<TaskPut> put_clean_task(PutCleanTask const& args, Outside& outside);
std::vector<Event> clean_task_put(State const& s, PutCleanTask const& args, Result<TaskPut> const& put, Ctx const& cx);
struct Verdict {
    bool verified = false;
    std::string detail;
};
RECORD(Verdict, verified, detail);
Result<Verdict> read_verdict(Result<std::string> const& body);
Result<Verdict> ask_verification(AskVerification const& args, Outside& outside);
std::vector<Event> verification_told(State const& s, AskVerification const& args, Result<Verdict> const& verdict, Ctx const& cx);

}  // namespace gantry::pool
