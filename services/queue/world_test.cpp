// A short run of the queue's world, and that its laws notice what they are there to notice. `make sim SERVICE=queue` is the long one.
#include "services/queue/world_test.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

namespace gantry::queue {
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
    for (auto count : {sum.asked, sum.refused, sum.unanswered, sum.waited, sum.events, sum.timers, sum.stops, sum.snapshots})
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
INSTANTIATE_TEST_SUITE_P(Queue, Worlds, ::testing::Values(LogKind::file, LogKind::memory),
                         [](auto const& info) { return info.param == LogKind::file ? "OnFiles" : "InMemory"; });

TEST(Sabotage, ALogThatForgetsIsNoticed) {
    sim::Quiet const quiet;
    int noticed = 0;
    for (std::uint64_t seed = 1; seed <= 20; ++seed)
        noticed += !sim::simulate_world(make_world, seed, LogKind::memory, sim::Sabotage::forgets).violation.empty();
    EXPECT_GT(noticed, 10);
}

// Facts as a broken queue would record them, one second apart.
class Forged : public ::testing::Test {
   protected:
    std::string saw(Event const& event) {
        ++position_;
        return laws_.saw({position_, Time{std::int64_t(position_) * 1'000'000}, "u_ann"}, event);
    }
    std::string put(std::uint64_t number, std::string key = "", std::string group = "", std::uint32_t priority = 0) {
        Put put{.id = TaskId{number},
                .queue = QueueName("q"),
                .priority = priority,
                .key = Text<0, 200>(Str(key)),
                .group = Text<0, 200>(Str(group))};
        return saw(put);
    }
    std::string reserve(std::uint64_t number, std::int64_t until_s = 1000) {
        return saw(Reserved{TaskId{number}, Worker("w"), Time{until_s * 1'000'000}});
    }
    std::string complete(std::uint64_t number) { return saw(Completed{TaskId{number}, {}, {}}); }
    std::string fail(std::uint64_t number, Ending ending, std::optional<Time> retry_at) {
        return saw(Failed{.id = TaskId{number}, .ending = ending, .retry_at = retry_at});
    }
    Laws laws_;
    std::uint64_t position_ = 0;
};

TEST_F(Forged, ATaskThatRunsAgain) {
    EXPECT_EQ(put(1) + reserve(1) + complete(1), "");
    EXPECT_EQ(reserve(1), "t_1 runs again after it had ended");
}
TEST_F(Forged, TwoHolders) {
    EXPECT_EQ(put(1) + reserve(1), "");
    EXPECT_EQ(reserve(1), "t_1 has two live holders, since 2 and 3");
}
TEST_F(Forged, AWordOfNobody) {
    EXPECT_EQ(put(1), "");
    EXPECT_EQ(complete(1), "complete of t_1, which nobody has");
}
TEST_F(Forged, ALeaseThatRunsOutEarly) {
    EXPECT_EQ(put(1) + reserve(1), "");
    EXPECT_EQ(fail(1, Ending::expired, Time{}), "the lease of t_1 ran out before its deadline");
}
TEST_F(Forged, ALeaseThatRunsOutRightAfterAStart) {
    EXPECT_EQ(put(1) + reserve(1, 3), "");
    laws_.started(Time{3'000'000});
    EXPECT_EQ(fail(1, Ending::expired, Time{}), "the lease of t_1 ran out within the grace of a start");
}
TEST_F(Forged, ATaskThatIsGivenUpEarly) {
    EXPECT_EQ(put(1) + reserve(1), "");
    EXPECT_EQ(fail(1, Ending::failed, {}), "t_1 is dead, and had attempts left");
}
TEST_F(Forged, AGroupOutOfOrder) {
    EXPECT_EQ(put(1, "", "g") + put(2, "", "g"), "");
    EXPECT_EQ(reserve(2), "t_2 runs before another one of its group had ended");
}
TEST_F(Forged, AGroupOfWhichTwoRun) {
    EXPECT_EQ(put(1, "", "g") + put(2, "", "g") + reserve(1), "");
    EXPECT_EQ(reserve(2), "t_2 runs before another one of its group had ended");
}
// The least urgent task runs once it is older than its priority makes up for.
TEST_F(Forged, AnOldTaskThatStarves) {
    EXPECT_EQ(put(1, "", "", 3), "");
    for (std::uint64_t number = 2; number <= 4; ++number) EXPECT_EQ(put(number), "");
    EXPECT_EQ(reserve(2) + reserve(3), "") << "those that came at once are more urgent";
    EXPECT_EQ(put(5), "");
    EXPECT_EQ(reserve(5), "t_5 runs, and t_1 is more urgent");
}
TEST_F(Forged, AKeyThatStarvesBesideAnother) {
    std::string told = put(1, "few");
    for (std::uint64_t number = 2; number <= 6; ++number) told += put(number, "many");
    EXPECT_EQ(told + reserve(2) + reserve(3) + reserve(4), "");
    EXPECT_EQ(reserve(5), "the key many had 4 turns in which few had none");
}
TEST_F(Forged, MoreAtOnceThanMayRun) {
    QueueSettings settings;
    settings.concurrency_max = 1;
    EXPECT_EQ(saw(QueueSet{QueueName("q"), settings}) + put(1) + put(2) + reserve(1), "");
    EXPECT_EQ(reserve(2), "2 tasks of q run at once");
}
TEST_F(Forged, ATaskBeforeItsTime) {
    EXPECT_EQ(saw(Put{.id = TaskId{1}, .queue = QueueName("q"), .due = Time{100'000'000}}), "");
    EXPECT_EQ(reserve(1), "t_1 runs before it is due");
}
TEST_F(Forged, AUniqueKeyThatTwoHave) {
    EXPECT_EQ(saw(Put{.id = TaskId{1}, .queue = QueueName("q"), .unique = "u"}), "");
    EXPECT_EQ(saw(Put{.id = TaskId{2}, .queue = QueueName("q"), .unique = "u"}), "t_1 and t_2 have the same unique key");
}

}  // namespace
}  // namespace gantry::queue
