#pragma once
#include <stdexcept>

#include "kernel/service.h"

// Two trivial services for the tests of followers: a bank, and a ledger that follows it.
namespace gantry::bank {

using AccountId = Id<"a_">;
struct Opened {
    AccountId id;
    Str owner;
};
RECORD(Opened, id, owner);
struct Moved {
    AccountId id;
    std::int64_t cents;
};
RECORD(Moved, id, cents);
struct Closed {
    AccountId id;
};
RECORD(Closed, id);
using Event = std::variant<Opened, Moved, Closed>;

struct Account {
    AccountId id;
    Str owner;
    std::int64_t cents = 0;
};
RECORD(Account, id, owner, cents);
struct State {
    Table<AccountId, Account> accounts;
    void apply(Opened const& e) { accounts.put(e.id, Account{e.id, e.owner}); }
    void apply(Moved const& e) {
        accounts.change(e.id, [&](Account& a) { a.cents = std::int64_t(std::uint64_t(a.cents) + std::uint64_t(e.cents)); });
    }
    void apply(Closed const& e) { accounts.erase(e.id); }
};
STATE(State, accounts);

struct NewAccount {
    AccountId id;
    Str owner;
};
RECORD(NewAccount, id, owner);
struct Move {
    AccountId id;
    std::int64_t cents;
};
RECORD(Move, id, cents);
struct ById {
    AccountId id;
};
RECORD(ById, id);
using Done = Emit<ById, Event>;
inline Result<Done> open(State const&, NewAccount const& in, Ctx const&) { return Done{{Opened{in.id, in.owner}}, {in.id}}; }
inline Result<Done> move(State const&, Move const& in, Ctx const&) { return Done{{Moved{in.id, in.cents}}, {in.id}}; }
inline Result<Done> close(State const&, ById const& in, Ctx const&) { return Done{{Closed{in.id}}, {in.id}}; }

struct Service {
    using State = bank::State;
    using Event = bank::Event;
    static constexpr std::string_view name = "bank";
    static std::vector<Route> routes() {
        return {route<Service>(V1, "POST", "/accounts", &open, Scope{"bank:write"}, Doc{"Open an account."}),
                route<Service>(V1, "POST", "/accounts/{id}/moves", &move, Scope{"bank:write"}, Doc{"Move money."}),
                route<Service>(V1, "POST", "/accounts/{id}/close", &close, Scope{"bank:write"}, Doc{"Close an account."})};
    }
};

}  // namespace gantry::bank

namespace gantry::ledger {

using bank::AccountId;
struct Listed {
    AccountId id;
    Str owner, by;
    Time opened_at;
};
RECORD(Listed, id, owner, by, opened_at);
struct Counted {
    AccountId id;
    std::int64_t cents;
};
RECORD(Counted, id, cents);
struct Forgiven {
    Str owner;
};
RECORD(Forgiven, owner);
using Event = std::variant<Listed, Counted, Forgiven>;

struct Line {
    AccountId id;
    Str owner, by;
    Time opened_at;
    std::int64_t moves = 0, cents = 0;
};
RECORD(Line, id, owner, by, opened_at, moves, cents);
struct Owner {
    Str owner;
    bool forgiven = false;
};
RECORD(Owner, owner, forgiven);
struct State {
    Table<AccountId, Line> lines;
    Table<Str, Owner> owners;
    void apply(Listed const& e) {
        if (e.owner == Str("u_poison")) throw std::runtime_error("a fold that breaks its promise");
        lines.put(e.id, Line{e.id, e.owner, e.by, e.opened_at});
    }
    void apply(Counted const& e) {
        lines.change(e.id, [&](Line& l) { ++l.moves, l.cents = std::int64_t(std::uint64_t(l.cents) + std::uint64_t(e.cents)); });
    }
    void apply(Forgiven const& e) { owners.put(e.owner, Owner{e.owner, true}); }
};
STATE(State, lines, owners);

inline Result<std::vector<Event>> on_opened(State const& s, bank::Opened const& e, At const& at, Ctx const&) {
    if (e.owner == Str("u_thrower")) throw std::runtime_error("a decision that fails");
    if (e.owner == Str("u_bad") && !s.owners.find(e.owner)) return fail(422, "owner_refused", "nobody lists the accounts of this owner");
    return std::vector<Event>{Listed{e.id, e.owner, Str(at.caller), at.time}};
}
inline Result<std::vector<Event>> on_moved(State const& s, bank::Moved const& e, At const&, Ctx const&) {
    if (e.cents == 0) return std::vector<Event>{};
    if (!s.lines.contains(e.id)) return fail(409, "account_unknown", "this account is not listed");
    return std::vector<Event>{Counted{e.id, e.cents}};
}

struct ById {
    AccountId id;
};
RECORD(ById, id);
struct ByOwner {
    Str owner;
};
RECORD(ByOwner, owner);
inline Result<Line> show(State const& s, ById const& in, Ctx const&) {
    if (auto* line = s.lines.find(in.id)) return *line;
    return fail(404, "line_not_found", "there is no such line");
}
inline Result<Emit<ByOwner, Event>> forgive(State const&, ByOwner const& in, Ctx const&) {
    return Emit<ByOwner, Event>{{Forgiven{in.owner}}, in};
}

struct Service {
    using State = ledger::State;
    using Event = ledger::Event;
    static constexpr std::string_view name = "ledger";
    static std::vector<Route> routes() {
        return {route<Service>(V1, "POST", "/owners", &forgive, Scope{"ledger:write"}, Doc{"Forgive an owner."}),
                route<Service>(V1, "GET", "/lines/{id}", &show, Scope{"ledger:read"}, Doc{"Read one line."})};
    }
    static std::vector<Follower> followers() { return {follow<Service, bank::Service>(&on_opened, &on_moved)}; }
};

}  // namespace gantry::ledger
