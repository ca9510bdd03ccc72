// How much is looked at, where there is much: a count, for times are a machine's. On the bare state, for what is folded is all that counts.
#include "services/pool/match.h"
#include "services/pool/desk.h"
#include "services/pool/pool_test.h"

namespace gantry::pool {
namespace {

class Looks : public ::testing::Test {
   protected:
    static constexpr int resources = 20'000, tickets = 10'000;
    Looks() { fold(TypeSet{"vm", {}}); }
    template <class E>
    void fold(E const& e) {
        At const at{++position, noon, "u_local"};
        if constexpr (requires { s.apply(e, at); })
            s.apply(e, at);
        else
            s.apply(e);
    }
    void add(std::string const& name, Labels labels, Numbers numbers = {}, std::string_view state = "free") {
        fold(Added{Name(name), "vm", std::move(labels), std::move(numbers), {}, Word(state), position + 1, Origin::told});
    }
    void queue(std::string const& ticket, Want want, Time firm_at) {
        std::vector<Want> const wants{std::move(want)};
        fold(Queued{Ticket(ticket), Owner(ticket), {}, wants, 1000, 60'000, firm_at, {}, {}, alike_of(wants), {}});
    }
    struct Got {
        bool served;
        std::uint64_t looked_at;
    };
    // Of somebody who comes and wants it.
    Got ask(Want want) {
        want.type = "vm";
        Ctx const cx{.viewer = viewer, .now = noon, .next = position + 1, .random = random};
        Desk desk(s, cx);
        Asker asker{.ticket = "new", .owner = "ann", .wants = {want}, .lease_ms = 1000};
        bool const served = desk.match({s.type_number("vm")}, &asker);
        return {served, desk.looked_at};
    }
    std::uint64_t looks_for_all(Want want, std::uint64_t expected) {
        want.type = "vm";
        std::uint64_t looked_at = 0;
        EXPECT_EQ(count_fitting(s, want, 1000, looked_at), expected);
        return looked_at;
    }
    // Once a resource has come free: who was given it, and how much was looked at.
    std::pair<std::string, std::uint64_t> free(std::string const& name) {
        Ctx const cx{.viewer = viewer, .now = noon, .next = position + 1, .random = random};
        Desk desk(s, cx);
        desk.came_free(s.names.find(name));
        desk.match(s.type_number("vm"));
        for (auto const& event : desk.events)
            if (auto const* leased = std::get_if<Leased>(&event)) return {leased->ticket.str(), desk.looked_at};
        return {"", desk.looked_at};
    }
    State s;
    Position position = 0;
    Viewer viewer{"u_local"};
    SeededRandom random{1};
};

TEST_F(Looks, AWishIsLookedUpAmongManyThatAreFree) {
    for (int i = 0; i < resources; ++i)
        add(fmt::format("vm-{}", i), {{"arch", i % 2 ? "amd64" : "arm64"}, {"rack", std::to_string(i % 100)}},
            {{"memory_gb", i % 64}, {"disk_gb", i}});
    struct {
        char const* what;
        Want want;
        bool served;
        std::uint64_t looks_max;
    } const rows[] = {
        {"a label that none has", {.labels = {{"arch", "riscv64"}}}, false, 0},
        {"labels that are never together: those of the rarer one", {.labels = {{"arch", "amd64"}, {"rack", "8"}}}, false, 200},
        {"labels of some", {.labels = {{"arch", "amd64"}, {"rack", "7"}}}, true, 1},
        {"a number that none has", {.ranges = {{"memory_gb", {64, {}}}}}, false, tried_first},
        {"a number that is not known", {.ranges = {{"cpus", {1, {}}}}}, false, tried_first},
        {"a number that few have", {.ranges = {{"disk_gb", {{}, 4.5}}}}, true, tried_first + 10},
        {"two ranges that are never together: those in the narrower one",
         {.ranges = {{"disk_gb", {19'000, 19'001}}, {"memory_gb", {60, {}}}}},
         false,
         tried_first + 10},
        {"anything", {}, true, 1},
    };
    for (auto const& row : rows) {
        auto const got = ask(row.want);
        EXPECT_EQ(got.served, row.served) << row.what;
        EXPECT_LE(got.looked_at, row.looks_max) << row.what;
    }
    EXPECT_EQ(looks_for_all({.labels = {{"arch", "riscv64"}}}, 0), 0u);
    EXPECT_LE(looks_for_all({.labels = {{"arch", "amd64"}, {"rack", "8"}}}, 0), 200u);
    EXPECT_LE(looks_for_all({.ranges = {{"disk_gb", {{}, 4.5}}}}, 5), tried_first + 10);
    EXPECT_LE(looks_for_all({.ranges = {{"memory_gb", {64, {}}}}}, 0), tried_first);
}

TEST_F(Looks, WhatIsFoundByNumberComesInTheOrderOfTheType) {
    for (int i = 0; i < 200; ++i) add(fmt::format("vm-{}", i), {}, {{"n", i}});
    Ctx const cx{.viewer = viewer, .now = noon, .next = position + 1, .random = random};
    for (auto const& [prefer, expected] : {std::pair(Preference::warm, "vm-19"), std::pair(Preference::rested, "vm-10")}) {
        TypeSettings settings;
        settings.prefer = prefer;
        fold(TypeSet{"vm", settings});
        Desk desk(s, cx);
        Want const want{.type = "vm", .ranges = {{"n", {10, 19}}}};
        Asker const asker{.ticket = "t", .owner = "ann", .wants = {want}, .lease_ms = 1000};
        ASSERT_TRUE(desk.match({s.type_number("vm")}, &asker));
        EXPECT_EQ(std::get<Leased>(desk.events.front()).resources.front().view(), expected);
    }
}

TEST_F(Looks, WhatComesFreeIsShownToThoseAloneWhoCouldUseIt) {
    for (int i = 0; i < 100; ++i) add(fmt::format("other-{}", i), {{"for", fmt::format("group-{}", i)}}, {}, "quarantined");
    add("mine", {{"for", "me"}}, {}, "quarantined");
    for (int i = 0; i < tickets; ++i) {
        Want const by_label{.type = "vm", .labels = {{"for", fmt::format("group-{}", i % 100)}}};
        Want const by_name{.type = "vm", .names = {Name(fmt::format("other-{}", i % 100))}};
        queue(fmt::format("t{}", i), i % 3 == 0 ? by_name : by_label, i % 2 ? noon + Duration::hours(1) : Time{1});
    }
    auto [who, looked_at] = free("mine");
    EXPECT_EQ(who, "");
    EXPECT_LE(looked_at, 10u);
    queue("me", {.type = "vm", .labels = {{"for", "me"}}}, noon + Duration::hours(1));
    std::tie(who, looked_at) = free("mine");
    EXPECT_EQ(who, "me");
    EXPECT_LE(looked_at, 10u);
    std::tie(who, looked_at) = free("other-0");
    EXPECT_EQ(who, "t0") << "the oldest of those that are firm, and wants it by name";
}

TEST_F(Looks, OfWishesThatAreAlikeAndCantBeMetOneIsLookedUp) {
    for (int i = 0; i < 10; ++i) add(fmt::format("small-{}", i), {}, {{"memory_gb", 4}}, "quarantined");
    for (int i = 0; i < tickets; ++i) queue(fmt::format("t{}", i), {.type = "vm", .ranges = {{"memory_gb", {64, {}}}}}, Time{1});
    auto const [who, looked_at] = free("small-3");
    EXPECT_EQ(who, "");
    EXPECT_LE(looked_at, tickets + 10u) << "each is passed over, one is looked up";
}

// What the indexes say is what a look at all says, whatever happens to labels, numbers and states.
TEST_F(Looks, TheIndexesAreAsTheResources) {
    auto const any = [&](std::uint64_t n) { return random.next() % n; };
    for (int i = 0; i < 60; ++i) add(fmt::format("vm-{}", i), {{"a", std::to_string(any(3))}}, {{"n", double(any(5))}});
    for (int step = 0; step < 400; ++step) {
        Name const name(fmt::format("vm-{}", any(60)));
        auto const* r = s.resource(name);
        switch (any(4)) {
            case 0: fold(Changed{name, {{"a", std::to_string(any(3))}, {"b", "x"}}, {{"n", double(any(5))}}, {}}); break;
            case 1: fold(Moved{name, any(2) ? "free" : "quarantined", {}, position + 1}); break;
            case 2: r ? fold(Removed{name, {}}) : add(name.str(), {{"a", "1"}}, {{"n", 2}}); break;
            default: fold(Drained{name, any(2) == 0, {}});
        }
    }
    auto const has = [](auto const& set, auto const& key) {
        bool found = false;
        set.ascend(key, [&](auto const& k) { return found = k == key, false; });
        return found;
    };
    auto const type = s.type_number("vm");
    std::map<std::uint32_t, KindRow> expected;
    std::size_t numbers = 0;
    s.resources.walk(nullptr, [&](std::uint32_t number, Resource const& r) {
        numbers += r.numbers.size();
        s.each_kind(number, r, [&](std::uint32_t kind) {
            if (kind & name_bit) return;
            ++expected[kind].members, expected[kind].free += State::can_be_given(r);
            EXPECT_EQ(State::can_be_given(r), has(s.free, free_key(kind, number, r)));
            EXPECT_TRUE(has(s.members, Member{kind, number}));
        });
        return true;
    });
    EXPECT_EQ(s.numbered.size(), numbers);
    EXPECT_EQ(s.kinds.size(), expected.size());
    std::size_t members = 0, free = 0;
    for (auto const& [kind, row] : expected) {
        members += row.members, free += row.free;
        auto const* found = s.kinds.find(kind);
        ASSERT_TRUE(found);
        EXPECT_TRUE(found->members == row.members && found->free == row.free && found->type == type && found->waiting == 0);
    }
    EXPECT_EQ(s.members.size(), members);
    EXPECT_EQ(s.free.size(), free);
}

}  // namespace
}  // namespace gantry::pool
