#pragma once
#include <atomic>

#include "kernel/service.h"

// A service for the tests of commands that wait: things on shelves, which are taken in the order in which they came.
namespace gantry::shelf {

struct Put {
    Str shelf, what;
};
RECORD(Put, shelf, what);
struct Taken {
    Str shelf, by;
};
RECORD(Taken, shelf, by);
using Event = std::variant<Put, Taken>;

struct Shelf {
    std::vector<std::uint64_t> things;  // positions of their `put`, the oldest first
    std::uint64_t taken = 0;
};
RECORD(Shelf, things, taken);

struct State {
    Table<Str, Shelf> shelves;
    void apply(Put const& e, At const& at) {
        shelves.change_or_put(e.shelf, [&](Shelf& s) { s.things.push_back(at.position); });
    }
    void apply(Taken const& e) {
        shelves.change(e.shelf, [](Shelf& s) { s.things.erase(s.things.begin()), ++s.taken; });
    }
};
STATE(State, shelves);

struct NewThing {
    Str shelf, what;
};
RECORD(NewThing, shelf, what);
struct Wanted {
    static constexpr bool has_defaults = true;
    Str shelf, by;
    std::optional<Str> or_shelf;  // another one that will do
    Bounded<0, 1'000'000> wait_ms = 0;
    Bounded<0, 1'000'000> alike = 0;
    Bounded<1, 1'000'000> at_least = 1;  // things on the shelf, before one is taken
};
RECORD(Wanted, shelf, by, or_shelf, wait_ms, alike, at_least);
struct Found {
    Str by;
    std::uint64_t put_at = 0, taken_at = 0;  // 0: there was nothing
};
RECORD(Found, by, put_at, taken_at);
struct Got {
    Str by;
    std::string what, noted;  // noted: who has it, as the log says
};
RECORD(Got, by, what, noted);
struct Count {
    std::uint64_t things = 0, taken = 0;
};
RECORD(Count, things, taken);
struct ByName {
    Str shelf;
};
RECORD(ByName, shelf);

inline std::atomic<int> decided = 0;  // how often somebody who wants something was

inline Result<Emit<Count, Event>> put(State const& s, NewThing const& in, Ctx const&) {
    auto const* shelf = s.shelves.find(in.shelf);
    return Emit<Count, Event>{{Put{in.shelf, in.what}}, {shelf ? shelf->things.size() + 1 : 1, shelf ? shelf->taken : 0}};
}
inline Result<Emit<Found, Event>> take(State const& s, Wanted const& in, Ctx const& cx) {
    ++decided;
    Emit<Found, Event> out;
    out.reply.by = in.by;
    for (auto const& name : {in.shelf, in.or_shelf.value_or(in.shelf)}) {
        auto const* shelf = s.shelves.find(name);
        if (!shelf || shelf->things.size() < std::size_t(std::int64_t(in.at_least))) continue;
        out.reply.put_at = shelf->things.front(), out.reply.taken_at = cx.next;
        out.events.push_back(Taken{name, in.by});
        return out;
    }
    if (in.by == Str("a fool")) return out.wait.emplace(), out;  // whether he may or not
    if (!cx.may_wait) return out;
    std::vector<state::KeyHash> keys{s.shelves.key_of(in.shelf)};
    if (in.or_shelf) keys.push_back(s.shelves.key_of(*in.or_shelf));
    out.wait = Wait{std::move(keys), cx.now + Duration::millis(in.wait_ms), std::uint64_t(std::int64_t(in.alike))};
    return out;
}
inline Result<Got> tell(Found const& found, Events<Event>& events, Ctx const&) {
    Got got{found.by, "nothing", ""};
    if (found.put_at == 0) return got;
    TRY_ASSIGN(auto const* put_event, events.at(found.put_at));
    got.what = put_event ? std::get<Put>(*put_event).what.str() : "gone";
    if (got.what == "a mistake") return fail(422, "thing_unusable", "it can't be shown");
    if (got.what == "a bomb") throw std::runtime_error("an answer that fails");
    TRY_ASSIGN(auto const* taken_event, events.at(found.taken_at));
    got.noted = taken_event ? std::get<Taken>(*taken_event).by.str() : "gone";
    return got;
}
// The same without the log.
inline Result<Emit<Found, Event>> take_blindly(State const& s, Wanted const& in, Ctx const& cx) { return take(s, in, cx); }
inline Result<Count> count(State const& s, ByName const& in, Ctx const&) {
    auto const* shelf = s.shelves.find(in.shelf);
    return shelf ? Count{shelf->things.size(), shelf->taken} : Count{};
}

inline Result<Wanted> parse_take(ForeignRequest const& request) {
    Wanted in;
    in.shelf = Str(request.field("shelf")), in.by = Str(request.parameter("by").value_or("someone"));
    in.wait_ms = std::int64_t(60'000), in.alike = std::int64_t(7);
    return Wanted(in);
}
inline Result<ForeignReply> tell_plainly(Found const& found, Events<Event>& events, Ctx const& cx) {
    TRY_ASSIGN(auto const got, tell(found, events, cx));
    return ForeignReply{200, "text/plain", got.what + " for " + got.by.str()};
}

struct Service {
    using State = shelf::State;
    using Event = shelf::Event;
    static constexpr std::string_view name = "shelf";
    static std::vector<Route> routes() {
        return {
            route<Service>(V1, "POST", "/put", &put, Scope{"shelf:write"}, Doc{"Put something on a shelf."}, Bulk{}),
            told_command<Service, &take, &tell>(V1, "POST", "/take", Scope{"shelf:write"}, Doc{"Take what came first."}, Waits{}, Bulk{}),
            route<Service>(V1, "POST", "/take-blindly", &take_blindly, Scope{"shelf:write"}, Doc{"The same, unseen."}, Waits{}),
            route<Service>(V1, "POST", "/never-waits", &take_blindly, Scope{"shelf:write"}, Doc{"The same, at once."}),
            route<Service>(V1, "GET", "/{shelf}", &count, Scope{"shelf:read"}, Doc{"What is on a shelf."}),
            told_foreign<Service, &take, &tell_plainly>("POST", "/plain/{shelf}", &parse_take, Scope{"shelf:write"},
                                                        Doc{"For those who read no JSON."}, {.waits = true})};
    }
};

}  // namespace gantry::shelf
