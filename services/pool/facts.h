#pragma once
#include <map>

#include "kernel/service.h"

// What the pool writes to its log: resources of a type, who holds which, who waits, and how they are cleaned.
namespace gantry::pool {

using Name = Text<1, 160>;      // of a resource
using TypeName = Text<1, 100>;  // of a type
using Word = Text<1, 64>;       // of a state
using Owner = Text<1, 200>;     // who holds or waits, in the caller's own words
using Ticket = Text<1, 200>;    // names one wish for ever: the same ticket never gets more
using Reason = Text<0, 1000>;
using Url = Text<0, 2000>;   // empty: none
using Bound = Text<0, 200>;  // what a lease ends with: a job, a login, a trace, "queue:t_5" (a task of the queue); empty: nothing
using LeaseId = Seq<"ls_">;  // its number is the fence of all that it holds
using Labels = std::map<std::string, std::string>;
using Numbers = std::map<std::string, double>;

// Who cleans what comes back: a worker of the queue, whoever asks for dirty ones (as Boskos has it), or nobody (it is free at once).
enum class Cleaning { queue, asked, none };
ENUM(Cleaning, queue, asked, none);
// Who says that a cleaned one may be free: nobody, the worker (`verified`), or a hook.
enum class Verification { none, worker, hook };
ENUM(Verification, none, worker, hook);
// Which of the free ones goes first: the one that was used last (warm), or the one that rested longest.
enum class Preference { warm, rested };
ENUM(Preference, warm, rested);

// A state and where a resource may go from there: a further state, or further ways out of a known one.
struct StateRule {
    Word name;
    std::vector<Word> to;
    bool operator==(StateRule const&) const = default;
};
RECORD(StateRule, name, to);

struct TypeSettings {
    static constexpr bool has_defaults = true;
    Bounded<1000, 31'536'000'000> lease_ms = 3'600'000;  // from acquire, or from a heartbeat that asks for no other
    Bounded<0, 86'400'000> heartbeat_ms = 0;             // a holder that is silent for longer has lost it; 0: none is needed
    Bounded<1000, 604'800'000> clean_ms = 600'000;       // a cleaner that is silent for longer has failed
    Bounded<0, 604'800'000> dirty_alert_ms = 1'800'000;  // dirty for longer is stuck; 0: never
    Bounded<0, 604'800'000> cleaning_alert_ms = 3'600'000;
    std::vector<StateRule> states;
    Bounded<0, 1'000'000> quota = 0;  // resources of this type that one owner may hold; 0: any number
    Cleaning cleaning = Cleaning::queue;
    Text<0, 200> clean_queue;                     // empty: pool-clean-<type>
    Bounded<1, 100> clean_attempts = 3;           // failures before quarantine
    Bounded<0, 86'400'000> clean_wait_ms = 1000;  // before the second attempt, doubled for each further one
    Verification verification = Verification::none;
    Url verify_url;
    Preference prefer = Preference::warm;
    Bounded<0, 604'800'000> patience_ms = 60'000;  // who waited for so long has what is free set aside until the whole set is there
    Bounded<0, 100'000> min = 0, max = 0;          // of a dynamic type; max 0: it is not
    Bounded<0, 31'536'000'000> lifetime_ms = 0;    // of one that was made; 0: for ever
    Bounded<0, 31'536'000'000> idle_ms = 0;        // one that was made and is free for so long goes, down to the minimum; 0: never
    Url alert_url;                                 // is told of what is stuck or in quarantine
    Url make_url, destroy_url, inventory_url;
    bool operator==(TypeSettings const&) const = default;
};
RECORD(TypeSettings, lease_ms, heartbeat_ms, clean_ms, dirty_alert_ms, cleaning_alert_ms, states, quota, cleaning, clean_queue,
       clean_attempts, clean_wait_ms, verification, verify_url, prefer, patience_ms, min, max, lifetime_ms, idle_ms, alert_url, make_url,
       destroy_url, inventory_url);

struct TypeSet {
    TypeName type;
    TypeSettings settings;
};
RECORD(TypeSet, type, settings);
struct TypeDrained {
    TypeName type;
    bool on = true;
    Reason reason;
    bool retire = false;  // as it becomes free
};
RECORD(TypeDrained, type, on, reason, retire);
struct TypeRemoved {
    TypeName type;
};
RECORD(TypeRemoved, type);

// How a resource came into the pool: by a caller, from the inventory, by the hook that makes them.
enum class Origin { told, inventory, made };
ENUM(Origin, told, inventory, made);
struct Added {
    Name name;
    TypeName type;
    Labels labels;
    Numbers numbers;
    std::string data;  // the user's, as JSON; empty: none
    Word state;
    std::uint64_t fence = 0;
    Origin origin = Origin::told;
};
RECORD(Added, name, type, labels, numbers, data, state, fence, origin);
struct Changed {
    Name name;
    Labels labels;
    Numbers numbers;
    std::string data;
};
RECORD(Changed, name, labels, numbers, data);
struct Removed {
    Name name;
    Reason reason;
};
RECORD(Removed, name, reason);
struct Drained {
    Name name;
    bool on = true;
    Reason reason;
};
RECORD(Drained, name, on, reason);

struct Range {
    std::optional<double> min, max;
    bool operator==(Range const&) const = default;
};
RECORD(Range, min, max);
// What is not wanted: these, any with such a label, or two of the set with the same value of a label.
struct Avoid {
    static constexpr bool has_defaults = true;
    std::vector<Name> names;
    Labels labels;
    Text<0, 200> same;
    bool operator==(Avoid const&) const = default;
};
RECORD(Avoid, names, labels, same);
struct Want {
    static constexpr bool has_defaults = true;
    TypeName type;
    Bounded<1, 200> count = 1;
    Labels labels;
    std::map<std::string, Range> ranges;
    std::vector<Name> names;  // one of these; none: any
    Avoid avoid;
    bool operator==(Want const&) const = default;
};
RECORD(Want, type, count, labels, ranges, names, avoid);

// A ticket stands in the queue; `from` is the time that it is reserved for, `firm_at` when what is free is set aside for it.
struct Queued {
    Ticket ticket;
    Owner owner;
    Reason reason;
    std::vector<Want> wants;
    std::uint32_t priority = 0;
    std::int64_t lease_ms = 0;
    Time firm_at;
    std::optional<Time> from;
    std::optional<Time> until;  // it leaves the queue then
    std::uint64_t alike = 0;    // a hash of the wants
    Bound bound_to;
};
RECORD(Queued, ticket, owner, reason, wants, priority, lease_ms, firm_at, from, until, alike, bound_to);
// The time that a ticket is reserved for has come.
struct Came {
    Ticket ticket;
};
RECORD(Came, ticket);
struct Withdrawn {
    Ticket ticket;
    Reason reason;
};
RECORD(Withdrawn, ticket, reason);

// It was asked after again, and stays longer.
struct Stayed {
    Ticket ticket;
    Time until;
};
RECORD(Stayed, ticket, until);

struct Leased {
    LeaseId lease;
    Ticket ticket;
    Owner owner;
    Reason reason;
    std::vector<Name> resources;
    Word state;  // that they are in meanwhile
    Time until;
    std::int64_t lease_ms = 0;
    std::uint64_t alike = 0;
    Bound bound_to;
};
RECORD(Leased, lease, ticket, owner, reason, resources, state, until, lease_ms, alike, bound_to);
struct Extended {
    LeaseId lease;
    Time until;
};
RECORD(Extended, lease, until);
// Why a lease, or a part of it, ended.
enum class Ended { released, expired, stolen, freed, bound_over };
ENUM(Ended, released, expired, stolen, freed, bound_over);
struct Released {
    LeaseId lease;
    std::vector<Name> resources;
    Word to;
    Ended how = Ended::released;
    bool broken = false;  // as its holder says
    Reason reason;
    std::uint64_t fence = 0;
};
RECORD(Released, lease, resources, to, how, broken, reason, fence);

// Into another state, without a lease: quarantine, an administrator's word, the way back to free.
struct Moved {
    Name name;
    Word to;
    Reason reason;
    std::uint64_t fence = 0;
};
RECORD(Moved, name, to, reason, fence);
// An administrator keeps it back.
struct Kept {
    Name name;
    Owner owner;
    Time until;
    Reason reason;
};
RECORD(Kept, name, owner, until, reason);

struct CleaningBegan {
    Name name;
    Owner worker;
    Time until;
};
RECORD(CleaningBegan, name, worker, until);
struct CleaningHeard {
    Name name;
    Time until;
    Reason progress;
};
RECORD(CleaningHeard, name, until, progress);
// It is clean, and waits for the word of the hook that verifies.
struct CleanedUnverified {
    Name name;
    Reason detail;
    Time until;
};
RECORD(CleanedUnverified, name, detail, until);
// It is clean, and free.
struct Cleaned {
    Name name;
    bool verified = false;
    Reason detail;
};
RECORD(Cleaned, name, verified, detail);
struct CleanFailed {
    Name name;
    Reason reason;
    Word to;  // dirty again, or quarantined
    std::uint64_t fence = 0;
};
RECORD(CleanFailed, name, reason, to, fence);
// What became of the task for it; `task` empty: there is none, for `reason`.
struct CleanTask {
    Name name;
    std::uint64_t fence = 0;
    std::string task;
    Reason reason;
};
RECORD(CleanTask, name, fence, task, reason);
// It is dirty or cleaning for longer than its type allows; told again each time that has passed once more.
struct Stuck {
    Name name;
    Word state;
    Time since;
};
RECORD(Stuck, name, state, since);

// What the inventory says, and what was made of it; `code`: why nothing was.
struct InventoryRead {
    TypeName type;
    std::string code, detail;
    std::uint64_t told = 0, taken = 0, differ = 0, missing = 0;
};
RECORD(InventoryRead, type, code, detail, told, taken, differ, missing);
// Fences begin above what others saw before the log was lost.
struct FencesRaised {
    std::uint64_t base = 0;
};
RECORD(FencesRaised, base);
// The hook made none, and is not asked before `again_at`.
struct MakeFailed {
    TypeName type;
    Reason reason;
    Time again_at;
};
RECORD(MakeFailed, type, reason, again_at);
// Who waits for the type, and what it lacks, was looked at again.
struct TypeLooked {
    TypeName type;
};
RECORD(TypeLooked, type);
// Nobody needed it for as long as its type allows, and yet it stays, for there are no more than there are to be.
struct IdleKept {
    Name name;
    Time until;
};
RECORD(IdleKept, name, until);
// The hook is asked to destroy it; `failed`: it did not.
struct DestroyBegan {
    Name name;
    Reason reason;
};
RECORD(DestroyBegan, name, reason);
struct DestroyFailed {
    Name name;
    Reason reason;
};
RECORD(DestroyFailed, name, reason);

// EFFECTS: what is asked of the outside.
struct PutCleanTask {
    Str queue;
    Name resource;
    TypeName type;
    std::uint64_t fence = 0;
    std::int64_t delay_ms = 0;
    std::string data;
};
RECORD(PutCleanTask, queue, resource, type, fence, delay_ms, data);
struct AskVerification {
    Str url;
    Name resource;
    TypeName type;
    std::uint64_t fence = 0;
};
RECORD(AskVerification, url, resource, type, fence);
struct AskInventory {
    Str url;
    TypeName type;
};
RECORD(AskInventory, url, type);
struct MakeOne {
    Str url;
    TypeName type;
};
RECORD(MakeOne, url, type);
struct DestroyOne {
    Str url;
    Name resource;
    TypeName type;
};
RECORD(DestroyOne, url, resource, type);

struct TellAlert {
    Str url;
    Name resource;
    TypeName type;
    Word what, state;
    Reason reason;
    Time at;
};
RECORD(TellAlert, url, resource, type, what, state, reason, at);

using Event = std::variant<TypeSet, TypeDrained, TypeRemoved, Added, Changed, Removed, Drained, Queued, Came, Withdrawn, Stayed, Leased,
                           Extended, Released, Moved, Kept, CleaningBegan, CleaningHeard, CleanedUnverified, Cleaned, CleanFailed,
                           CleanTask, Stuck, InventoryRead, FencesRaised, MakeFailed, TypeLooked, DestroyBegan, DestroyFailed,
                           Effect<PutCleanTask>, Effect<AskVerification>, Effect<AskInventory>, Effect<MakeOne>, Effect<DestroyOne>,
                           IdleKept, Effect<TellAlert>, EffectOutcome>;

}  // namespace gantry::pool
