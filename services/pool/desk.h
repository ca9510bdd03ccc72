#pragma once
#include <map>
#include <set>

#include "services/pool/match.h"

// What a decision works with: the state, the events that it records so far, and what those make of what is free. Whoever waits is served
// here, in the decision that frees.
//
// The order in which tickets are served: first those that are firm (they waited longer than the patience of their types), the oldest first;
// then by priority, then whose owner holds least, then by age. A firm ticket that can't have its whole set yet has what is free of it set
// aside: nobody behind it is given that. So a large set is never passed over for ever, and since each decision reckons anew, in one order,
// what is set aside for whom, no two tickets hold parts that the other one needs. Who is above the quota has nothing set aside.
namespace gantry::pool {

// A ticket that asks: in line, or just coming.
struct Asker {
    Ticket ticket;
    Owner owner;
    Reason reason;
    std::vector<Want> wants;
    std::uint64_t seq = 0, priority = 0;
    std::int64_t lease_ms = 0;
    std::int64_t firm_us = 0;
    std::optional<Time> from;
    std::uint64_t alike = 0;
    Bound bound_to;
};

// The place of a ticket among those that wait for the same: the least is served first.
struct Turn {
    std::uint64_t soft = 0, priority = 0, share = 0, seq = 0;
    auto operator<=>(Turn const&) const = default;
};

class Desk {
   public:
    Desk(State const& s, Ctx const& cx) : s_(s), cx_(cx), base_(std::uint64_t(s.totals[State::fence_base])) {}

    State const& state() const { return s_; }
    Ctx const& cx() const { return cx_; }
    std::vector<Event> events;
    void record(Event event) { events.push_back(std::move(event)); }
    // Of the next event: what it fences.
    std::uint64_t next_fence() const { return base_ + cx_.next + events.size(); }
    void raise_fences(std::uint64_t base);
    std::vector<Event> take_events() { return std::move(events); }

    // It can be given from here on, or no more, by the events so far.
    void came_free(std::uint32_t resource);
    void is_gone(std::uint32_t resource);
    void left_line(std::uint64_t seq) { served_.insert(seq); }
    void returned(std::uint32_t type, std::string_view owner) { --held_[held_key(type, hash64(owner))]; }

    // Serves whoever waits for the type and can be; `newcomer`, if given, is one of them. True: it was served. Only those are looked at for
    // whose kinds something is left.
    bool match(std::uint32_t type) { return match({type}, nullptr); }
    bool match(std::vector<std::uint32_t> const& types, Asker const* newcomer);
    // How many stand before a ticket in the longest of its lines.
    std::uint64_t place_of(TicketRow const& row) const;
    // What the hook that makes is asked for in this decision is not in the state yet.
    std::map<std::uint32_t, std::uint64_t> asked_to_make;
    // Tickets and resources that were looked at, and steps of what is looked up.
    mutable std::uint64_t looked_at = 0;

   private:
    // One who waits, in the heap from which the least turn comes first.
    struct Entry {
        Turn turn;
        WaitKey key;
        bool operator<(Entry const& b) const { return b.turn < turn; }
    };
    using Kinds = std::set<std::uint32_t>;
    Turn turn_of(WaitKey const& key) const;
    std::uint64_t held(std::uint64_t type, std::uint64_t owner) const;
    bool has_quota(Asker const& asker) const;
    Picked pick_for(Asker const& asker) const;
    bool is_fresh(std::uint32_t resource) const;
    bool is_offered(std::uint32_t resource) const;
    bool is_given_out(std::uint32_t type) const;
    template <class Change>
    void change_offer(std::uint32_t resource, Change&& change);
    void unclaim();
    std::int64_t left(std::uint32_t kind) const;
    void offer(Want const& want, Visit const& visit) const;
    bool offer_kind(std::uint32_t kind, bool warm, Visit const& visit) const;
    bool offer_these(std::vector<std::uint32_t> const& resources, bool warm, Visit const& visit) const;
    void give(Asker const& asker, Picked const& picked);
    bool give_to(Asker const* newcomer);
    Kinds kinds_to_serve(std::vector<std::uint32_t> const& types) const;
    std::vector<Entry> gather(Kinds const& kinds) const;
    bool any_left(Kinds const& kinds) const;
    bool can_use(Entry const& entry) const;
    Asker asker_of(WaitKey const& key) const;

    State const& s_;
    Ctx const& cx_;
    std::uint64_t base_;
    std::vector<std::uint32_t> fresh_;
    std::set<std::uint32_t> gone_, claimed_;
    std::map<std::uint32_t, std::int64_t> offers_;  // by kind: what this decision changes of KindRow::free
    std::set<std::uint64_t> served_;
    std::map<std::uint64_t, std::int64_t> held_;  // what this decision changes of State::held
};

// Whether a ticket is firm by now.
inline bool is_firm(std::int64_t firm_us, Ctx const& cx) { return firm_us <= cx.now.us; }
// The numbers of the types that are wanted, each once.
std::vector<std::uint32_t> types_of(State const& s, std::span<Want const> wants);

}  // namespace gantry::pool
