// A short run of the pool's world, and that its laws notice what they are there to notice. `make sim SERVICE=pool` is the long one.
#include "services/pool/world_test.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

namespace gantry::pool {
namespace {

using sim::LogKind;

class Worlds : public ::testing::TestWithParam<LogKind> {
    sim::Quiet quiet_;
};

TEST_P(Worlds, KeepEveryPromise) {
    sim::WorldReport sum;
    for (std::uint64_t seed = 1; seed <= rounds(100); ++seed) {
        auto const report = sim::simulate_world(make_world, seed, GetParam());
        EXPECT_EQ(report.violation, "") << "seed " << seed;
        sum += report;
    }
    // A world in which nothing happens keeps every promise, too.
    for (auto count : {sum.asked, sum.refused, sum.unanswered, sum.waited, sum.events, sum.timers, sum.effects, sum.stops, sum.snapshots})
        EXPECT_GT(count, 0u) << sum.told();
    if (GetParam() == LogKind::file) {
        EXPECT_GT(sum.failed_writes, 0u);
        EXPECT_GT(sum.full_disks, 0u);
    }
}
TEST_P(Worlds, RepeatExactly) {
    for (std::uint64_t seed = 1; seed <= 10; ++seed) {
        auto const once = sim::simulate_world(make_world, seed, GetParam()), again = sim::simulate_world(make_world, seed, GetParam());
        EXPECT_EQ(once.digest, again.digest) << seed;
        EXPECT_EQ(once.asked, again.asked) << seed;
    }
}
INSTANTIATE_TEST_SUITE_P(Pool, Worlds, ::testing::Values(LogKind::file, LogKind::memory),
                         [](auto const& info) { return info.param == LogKind::file ? "OnFiles" : "InMemory"; });

TEST(Sabotage, ALogThatForgetsIsNoticed) {
    sim::Quiet const quiet;
    int noticed = 0;
    for (std::uint64_t seed = 1; seed <= 20; ++seed)
        noticed += !sim::simulate_world(make_world, seed, LogKind::memory, sim::Sabotage::forgets).violation.empty();
    EXPECT_GT(noticed, 10);
}

// Facts as a broken pool would record them, one second apart.
class Forged : public ::testing::Test {
   protected:
    Forged() {
        for (auto const* name : {"a", "b"}) EXPECT_EQ(saw(Added{.name = Name(name), .type = TypeName("vm"), .state = Word("free")}), "");
    }
    std::string saw(Event const& event) {
        ++position_;
        return laws_.saw({position_, Time{std::int64_t(position_) * 1'000'000}, "u_ann"}, event);
    }
    std::string lease(std::string_view ticket, std::vector<std::string_view> names, std::int64_t until_s = 1000) {
        laws_.wanted(std::string(ticket), "o", {{"vm", std::int64_t(names.size())}});
        Leased leased{.lease = LeaseId{position_ + 1}, .ticket = Ticket(ticket), .owner = Owner("o"), .state = Word("in_use")};
        for (auto name : names) leased.resources.emplace_back(name);
        leased.until = Time{until_s * 1'000'000};
        return saw(leased);
    }
    std::string release(std::uint64_t lease, std::string_view name, std::string_view to = "dirty", Ended how = Ended::released) {
        return saw(Released{.lease = LeaseId{lease}, .resources = {Name(name)}, .to = Word(to), .how = how, .fence = position_ + 1});
    }
    std::string queue(std::string_view ticket, std::int64_t count, std::int64_t firm_s) {
        Want want{.type = TypeName("vm")};
        want.count = count;
        Queued queued{.ticket = Ticket(ticket), .owner = Owner("o"), .wants = {want}};
        queued.firm_at = Time{firm_s * 1'000'000};
        return saw(queued);
    }
    Laws laws_;
    std::uint64_t position_ = 0;
};

TEST_F(Forged, AResourceWithTwoHolders) {
    EXPECT_EQ(lease("t1", {"a"}), "");
    EXPECT_EQ(lease("t2", {"a"}), "a has two holders, ls_3 and ls_4");
}
TEST_F(Forged, OneThatIsGivenUnverified) {
    EXPECT_EQ(lease("t1", {"a"}) + release(3, "a"), "");
    EXPECT_EQ(lease("t2", {"a"}), "a is given and not verified");
}
TEST_F(Forged, OneThatIsFreeUnverified) {
    EXPECT_EQ(lease("t1", {"a"}) + release(3, "a"), "");
    EXPECT_EQ(saw(Cleaned{Name("a"), false, {}}), "a is free, and was not verified");
}
TEST_F(Forged, OneThatComesBackFree) {
    EXPECT_EQ(lease("t1", {"a"}), "");
    EXPECT_EQ(release(3, "a", "free"), "a is free again, and was not verified");
}
TEST_F(Forged, ATicketThatIsServedTwice) {
    EXPECT_EQ(lease("t1", {"a"}), "");
    EXPECT_EQ(lease("t1", {"b"}), "t1 has ls_3, and gets ls_4");
}
TEST_F(Forged, AnothersReturn) {
    EXPECT_EQ(lease("t1", {"a"}) + lease("t2", {"b"}), "");
    EXPECT_EQ(release(3, "b"), "b came back from ls_3, and ls_4 had it");
}
TEST_F(Forged, ALeaseThatRunsOutEarly) {
    EXPECT_EQ(lease("t1", {"a"}), "");
    EXPECT_EQ(release(3, "a", "dirty", Ended::expired), "ls_3 ran out before its deadline");
}
TEST_F(Forged, ALeaseThatRunsOutRightAfterAStart) {
    EXPECT_EQ(lease("t1", {"a"}, 4), "");
    laws_.started(Time{3'000'000});
    EXPECT_EQ(release(3, "a", "dirty", Ended::expired), "ls_3 ran out within the grace of a start");
}
TEST_F(Forged, ALessSetThanWanted) {
    EXPECT_EQ(lease("t0", {"b"}) + queue("t1", 2, 100), "");
    laws_.wanted("t1", "o", {{"vm", 2}});
    Leased leased{.lease = LeaseId{position_ + 1}, .ticket = Ticket("t1"), .owner = Owner("o"), .resources = {Name("a")}};
    leased.state = Word("in_use");
    EXPECT_EQ(saw(leased), "t1 has not what it wants");
}
// A large set isn't starved by small ones once its ticket is firm.
TEST_F(Forged, AnOldTicketThatStarves) {
    EXPECT_EQ(lease("t0", {"b"}) + queue("t1", 2, 100), "");
    EXPECT_EQ(lease("t2", {"a"}) + release(5, "a") + saw(Cleaned{Name("a"), true, {}}), "") << "it isn't firm yet";
    EXPECT_EQ(queue("t3", 2, 1), "");
    EXPECT_EQ(lease("t4", {"a"}), "t4 has 1 of vm, and 0 were not set aside for older tickets");
}
TEST_F(Forged, MoreThanTheQuota) {
    TypeSettings settings;
    settings.quota = 1;
    EXPECT_EQ(saw(TypeSet{TypeName("vm"), settings}) + lease("t1", {"a"}), "");
    EXPECT_EQ(lease("t2", {"b"}), "o has more than its quota");
}
TEST_F(Forged, AFenceThatGoesBack) {
    EXPECT_EQ(lease("t1", {"a"}), "");
    EXPECT_EQ(saw(Released{.lease = LeaseId{3}, .resources = {Name("a")}, .to = Word("dirty"), .fence = 3}),
              "the fence of a went from 3 to 3");
}

}  // namespace
}  // namespace gantry::pool
