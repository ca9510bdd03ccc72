#pragma once
#include <bit>
#include <tuple>

#include "services/pool/facts.h"

// The pool's state: a pure fold of the facts. Types, resources and tickets are numbers here. What is free stands in an order, by kind,
// health and last use; who waits, by kind and age. A kind is what a wish can be looked up by: a type; the resources of a type that have a
// label with some value; one resource.
namespace gantry::pool {

// The states that every type has; further ones are numbered behind them by their name.
enum Phase : std::uint32_t { free_, reserved, in_use, dirty, cleaning, quarantined, retired, further };

struct Resource {
    std::uint32_t type = 0;  // 0: it was removed
    std::uint32_t state = free_;
    std::uint64_t lease = 0;  // of now; 0: none
    std::uint64_t fence = 0;  // only grows
    std::uint64_t used = 0;   // position of its last return
    std::uint64_t position = 0;
    Time since{}, added_at{};
    Labels labels;
    Numbers numbers;
    std::string data;
    Origin origin = Origin::told;
    bool drained = false, destroying = false, unverified = false, stuck = false;
    // By whose word it is in this state, until when, and why: an administrator's, a cleaner's.
    std::string by, reason;
    Time until{}, alert_at{}, dies_at{}, idle_at{};
    std::string task, trouble;         // of its cleaning: the queue's task, and why there is none
    std::uint32_t clean_failures = 0;  // since it was clean
    std::uint32_t leases = 0, broken = 0, expired = 0;
    std::uint32_t health = 100;
    std::string broken_by;
    std::uint32_t first_step = 0, last_step = 0, steps = 0;  // of its history
};
RECORD(Resource, type, state, lease, fence, used, position, since, added_at, labels, numbers, data, origin, drained, destroying, unverified,
       stuck, by, reason, until, alert_at, dies_at, idle_at, task, trouble, clean_failures, leases, broken, expired, health, broken_by,
       first_step, last_step, steps);

struct TypeRow {
    TypeSettings settings;
    bool removed = false, drained = false, retires = false;  // retires: what becomes free while it is drained
    std::string drain_reason;
    Time drained_at{};
    std::vector<std::uint64_t> counts;  // by state
    std::uint64_t stuck = 0, waiting = 0, leased = 0;
    std::uint64_t held_ms = 0, waited_ms = 0;  // means of late
    std::uint64_t leases = 0, returns = 0, waits = 0, expired = 0, broken = 0, clean_failures = 0;
    // The last inventory, and the last trouble with the hook that makes.
    Time inventory_at{};
    std::string inventory_code, inventory_detail, make_trouble;
    std::uint64_t inventory_told = 0, inventory_taken = 0, inventory_differ = 0, inventory_missing = 0;
    Time make_again_at{};

    std::uint64_t count(std::uint32_t state) const { return state < counts.size() ? counts[state] : 0; }
    std::uint64_t total() const;  // without the retired
};
RECORD(TypeRow, settings, removed, drained, retires, drain_reason, drained_at, counts, stuck, waiting, leased, held_ms, waited_ms, leases,
       returns, waits, expired, broken, clean_failures, inventory_at, inventory_code, inventory_detail, make_trouble, inventory_told,
       inventory_taken, inventory_differ, inventory_missing, make_again_at);

enum class TicketState { waiting, ahead, held, over, withdrawn };
ENUM(TicketState, waiting, ahead, held, over, withdrawn);
struct TicketRow {
    TicketState state = TicketState::waiting;
    std::uint64_t seq = 0;  // position of the event that queued it; 0: it was served at once
    std::uint64_t lease = 0;
    std::string owner, caller, reason;
    std::vector<Want> wants;  // while it waits
    std::uint32_t priority = 0;
    std::int64_t lease_ms = 0;
    Time asked_at{}, firm_at{};
    std::optional<Time> from, until;
    std::uint64_t alike = 0;
    std::vector<std::uint32_t> kinds;  // while it waits: for each want the one that the fewest are of, each once
    std::string bound_to;
};
RECORD(TicketRow, state, seq, lease, owner, caller, reason, wants, priority, lease_ms, asked_at, firm_at, from, until, alike, kinds,
       bound_to);

struct Lease {
    std::string ticket, owner, caller, reason;
    std::vector<std::uint32_t> resources;  // that it holds; once it is over: that it held last
    std::uint32_t state = in_use;
    Time began{}, heard{}, until{};
    std::int64_t lease_ms = 0;
    bool over = false;
    Ended how = Ended::released;
    Time ended{};
    std::string bound_to;
};
RECORD(Lease, ticket, owner, caller, reason, resources, state, began, heard, until, lease_ms, over, how, ended, bound_to);

// A kind's number: of a type that of its name; else with one of these bits, of a label or of the resource.
inline constexpr std::uint32_t label_bit = 1u << 31, name_bit = 1u << 30;
struct KindRow {
    std::uint32_t type = 0;
    std::uint64_t members = 0, free = 0, waiting = 0;  // one resource is counted for as long as somebody waits for it
};
RECORD(KindRow, type, members, free, waiting);

// Of what is free, in the order in which it is given.
struct FreeKey {
    std::uint32_t kind = 0, weak = 0;  // weak: 0 is healthy, up to 3
    std::uint64_t used = 0;
    std::uint64_t resource = 0;
    auto operator<=>(FreeKey const&) const = default;
};
RECORD(FreeKey, kind, weak, used, resource);
struct Member {
    std::uint32_t kind = 0, resource = 0;
    auto operator<=>(Member const&) const = default;
};
RECORD(Member, kind, resource);
// A resource by one of its numbers: `what` is that number's name and the type, `value` the number as ordered bits.
struct NumberKey {
    std::uint32_t what = 0, resource = 0;
    std::uint64_t value = 0;
    auto operator<=>(NumberKey const& b) const { return std::tie(what, value, resource) <=> std::tie(b.what, b.value, b.resource); }
    bool operator==(NumberKey const&) const = default;
};
RECORD(NumberKey, what, resource, value);
// A kind that somebody waits for and that something free is of.
struct Ripe {
    std::uint32_t type = 0, kind = 0;
    auto operator<=>(Ripe const&) const = default;
};
RECORD(Ripe, type, kind);
// A ticket that waits for a kind: all that its turn depends on.
struct WaitKey {
    std::uint32_t type = 0, kind = 0;
    std::uint64_t seq = 0, kinds = 1;       // kinds: of the ticket
    std::uint64_t priority = 0, owner = 0;  // owner: a hash
    std::int64_t firm_us = 0;
    auto operator<=>(WaitKey const&) const = default;
};
RECORD(WaitKey, type, kind, seq, kinds, priority, owner, firm_us);
struct EndedKey {
    std::uint64_t position = 0, lease = 0;
    auto operator<=>(EndedKey const&) const = default;
};
RECORD(EndedKey, position, lease);
// A lease that isn't over, or by its age (with the bit) a ticket in line, by a hash of what it is bound to.
struct BoundKey {
    std::uint64_t hash = 0, id = 0;
    auto operator<=>(BoundKey const&) const = default;
};
RECORD(BoundKey, hash, id);
inline constexpr std::uint64_t in_line_bit = std::uint64_t(1) << 63;
struct Step {
    std::uint64_t position = 0;
    std::int64_t at_us = 0;
    std::uint64_t newer = 0;
};
RECORD(Step, position, at_us, newer);
struct Counted {
    std::uint64_t n = 0;
};
RECORD(Counted, n);
struct Hour {
    std::uint64_t given = 0, freed = 0, queued = 0;
};
RECORD(Hour, given, freed, queued);
struct InLine {
    std::uint32_t ticket = 0;
};
RECORD(InLine, ticket);
struct Left {
    std::string ticket;
};
RECORD(Left, ticket);
struct Making {
    std::uint32_t type = 0;
};
RECORD(Making, type);

inline constexpr std::int64_t hour_us = 3'600'000'000;
inline constexpr std::size_t ended_max = 50'000;  // leases that are over and remembered
inline constexpr std::uint32_t steps_max = 200;   // of one resource's history
inline constexpr std::uint64_t hours_max = 24 * 28;

// What a key of `due` is about.
enum class Alarm : std::uint64_t { resource = 1, ticket = 2, type = 3 };
constexpr std::uint64_t alarm(Alarm what, std::uint64_t n) { return std::uint64_t(what) << 56 | n; }

struct State {
    state::Marks marks;                        // lists look at all, and every change is one
    state::Names names, type_names, words;     // of resources, of types, of further states
    Table<std::uint32_t, Resource> resources;  // by number of the name
    Table<std::uint32_t, TypeRow> types;       // by number of the name
    state::CountedNames kind_names;            // of labels with their value, and of numbers: kind_text
    Table<std::uint32_t, KindRow> kinds;
    state::Ordered<Member> members;      // resources of each type and label
    state::Ordered<FreeKey> free;        // those that can be given, by type and label
    state::Ordered<NumberKey> numbered;  // resources by their numbers
    state::Ordered<Ripe> ripe;
    state::Ordered<Member> troubled;  // resources that need somebody, by type
    state::CountedNames ticket_names;
    Table<std::uint32_t, TicketRow> tickets;
    Table<std::uint64_t, InLine> line;  // tickets that wait, by age
    state::Ordered<WaitKey> waiting;    // for each of their kinds
    Table<std::uint64_t, Lease> leases;
    state::Ordered<EndedKey> ended;        // leases that are over, and tickets that were withdrawn (lease 0), by their end
    Table<std::uint64_t, Left> withdrawn;  // by that position
    state::Ordered<BoundKey> bound;
    Table<std::uint64_t, Counted> held;  // by held_key: how many an owner has of a type
    state::Pool<Step> steps;             // of histories
    Table<std::uint64_t, Hour> hours;    // by hour_key
    Table<EffectId, Making> making;      // what the hook is asked to make
    Due<std::uint64_t> lease_due;        // by lease
    Due<std::uint64_t> due;              // by alarm
    state::Tally totals;                 // by Total
    Outbox outbox;

    enum Total : std::uint64_t { fence_base, mixed };  // mixed: tickets in line that want more than one type

    void apply(TypeSet const& e, At const& at);
    void apply(TypeDrained const& e, At const& at);
    void apply(TypeRemoved const& e);
    void apply(Added const& e, At const& at);
    void apply(Changed const& e, At const& at);
    void apply(Removed const& e, At const& at);
    void apply(Drained const& e, At const& at);
    void apply(Queued const& e, At const& at);
    void apply(Came const& e);
    void apply(Withdrawn const& e, At const& at);
    void apply(Stayed const& e);
    void apply(Leased const& e, At const& at);
    void apply(Extended const& e, At const& at);
    void apply(Released const& e, At const& at);
    void apply(Moved const& e, At const& at);
    void apply(Kept const& e, At const& at);
    void apply(CleaningBegan const& e, At const& at);
    void apply(CleaningHeard const& e, At const& at);
    void apply(CleanedUnverified const& e, At const& at);
    void apply(Cleaned const& e, At const& at);
    void apply(CleanFailed const& e, At const& at);
    void apply(CleanTask const& e, At const& at);
    void apply(Stuck const& e, At const& at);
    void apply(InventoryRead const& e, At const& at);
    void apply(FencesRaised const& e);
    void apply(MakeFailed const& e);
    void apply(TypeLooked const& e);
    void apply(IdleKept const& e, At const& at);
    void apply(DestroyBegan const& e, At const& at);
    void apply(DestroyFailed const& e, At const& at);
    void apply(Effect<MakeOne> const& e);
    void apply(EffectOutcome const& e);

    // Lookups; null or `unknown` where there is none.
    static constexpr std::uint32_t unknown = state::HashIndex::none;
    Resource const* resource(std::string_view name) const;
    std::uint32_t type_number(std::string_view name) const;  // 0: none
    TypeRow const* type(std::string_view name) const;
    std::uint32_t state_number(std::string_view name) const;  // `unknown` also for one that no type has
    std::string state_name(std::uint32_t state) const;
    // Whether a resource can be given as it is.
    static bool can_be_given(Resource const& r) { return r.state == free_ && !r.drained && !r.destroying && r.type != 0; }
    static bool is_troubled(Resource const& r) { return r.stuck || r.state == quarantined || !r.trouble.empty(); }
    TicketRow const* ticket(std::string_view name) const;
    Ticket ticket_in_line(std::uint64_t seq) const { return Ticket(ticket_names.text(line.find(seq)->ticket)); }
    // The number of a kind of labels, or of a number's name; 0: nothing is of it and nobody waits for it.
    std::uint32_t label_kind(std::uint32_t type, std::string_view label, std::string_view value) const;
    std::uint32_t number_kind(std::uint32_t type, std::string_view name) const;
    // Visits the numbers of the kinds that a resource is of: its type, its labels, itself.
    template <class Visit>
    void each_kind(std::uint32_t number, Resource const& r, Visit&& visit) const {
        visit(r.type);
        for (auto const& [label, value] : r.labels)
            if (auto const kind = label_kind(r.type, label, value)) visit(kind);
        visit(name_bit | number);
    }

   private:
    // Changes a resource and all that is counted and ordered by it. `told`: its history says so.
    enum class History { told, untold };
    template <class Change>
    void change(std::string_view name, At const& at, Change&& change, History history = History::told);
    void enter(Resource& r, std::uint32_t state, At const& at) const;
    void remember(Resource& r, At const& at);
    void set_alarm(std::uint32_t number, Resource const& r);
    void look_soon(std::uint32_t type, Time at);
    void count(std::uint32_t type, std::uint32_t state, std::int64_t by);
    void leave_line(Ticket const& ticket);
    void hold(std::uint32_t type, std::string_view owner, std::int64_t by);
    void count_hour(std::uint32_t type, Time at, std::uint64_t Hour::* what);
    void end_lease(std::uint64_t number, Released const& e, At const& at);
    void forget_ended();
    std::vector<WaitKey> wait_keys(TicketRow const& row) const;
    std::uint32_t state_for(std::string_view name);
    std::uint32_t ticket_for(std::string_view name);
    void forget_ticket(std::string_view name);
    void count_kind(std::uint32_t type, std::uint32_t kind, std::int64_t members, std::int64_t free, std::int64_t waiting);
    void index(std::uint32_t number, Resource const& r);
    void unindex(std::uint32_t number, Resource const& r);
    std::uint32_t kind_for(Want const& want);
    std::vector<std::uint32_t> enter_line(std::vector<Want> const& wants);
};
STATE(State, marks, names, type_names, words, resources, types, kind_names, kinds, members, free, numbered, ripe, troubled, ticket_names,
      tickets, line, waiting, leases, ended, withdrawn, bound, held, steps, hours, making, lease_due, due, totals, outbox);

// Of an owner by the hash of its name.
constexpr std::uint64_t held_key(std::uint64_t type, std::uint64_t owner) { return mix64(owner ^ mix64(type)); }
constexpr std::uint64_t hour_key(std::uint32_t type, std::int64_t hour) { return std::uint64_t(type) << 32 | std::uint32_t(hour); }
std::uint32_t weakness(Resource const& r);
FreeKey free_key(std::uint32_t kind, std::uint32_t number, Resource const& r);
// Bits that are ordered as the numbers are.
constexpr std::uint64_t ordered_bits(double value) {
    auto const bits = std::bit_cast<std::uint64_t>(value == 0 ? 0.0 : value);
    return bits >> 63 ? ~bits : bits | std::uint64_t(1) << 63;
}
// Whether a resource of this type may go from one state to another by a caller's word, without being cleaned.
bool may_go(TypeSettings const& settings, std::string_view from, std::string_view to);
// Whether the type knows a state of this name.
bool knows_state(TypeSettings const& settings, std::string_view name);
std::optional<Phase> phase_of(std::string_view name);

}  // namespace gantry::pool
