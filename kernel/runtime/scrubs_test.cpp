// The schedule of the scrub, by a clock that is set.
#include "kernel/runtime/scrubs.h"

#include <gtest/gtest.h>

#include "kernel/log/testing.h"

namespace gantry::runtime {
namespace {

class ScrubTest : public log::FileLogTest {
   protected:
    ScrubTest() {
        clock.set_wall(Time{1'772'359'200'000'000});
        open(), fill(300);
        restart();
    }
    void restart() {
        scrubs_.emplace(Scrubs::Parts{disk, clock, &reports_, "/data/scrub.json", Duration::days(7), 16 << 10,
                                      [] { return std::vector<Scrubs::OfLog>{{"main", "notes", directory}}; }});
    }
    // Turns a second apart until the round has ended; how many it took.
    int round() {
        for (int turns = 1; turns < 1000; ++turns) {
            auto turned = scrubs_->turn();
            EXPECT_TRUE(turned) << turned.error().cause;
            if (!scrubs_->status().running) return turns;
            clock.advance(Duration::seconds(1));
        }
        return -1;
    }
    Reports reports_{{disk, "/data/reports", clock, random, "1", [](std::move_only_function<void()> task) { task(); }}};
    std::optional<Scrubs> scrubs_;
};

TEST_F(ScrubTest, RunsWhenItIsDueAndAtItsRate) {
    EXPECT_EQ(round(), 1);
    EXPECT_EQ(scrubs_->status().rounds_total, 0u) << "a first start has nothing old";
    clock.advance(Duration::seconds(7 * 86'400 - 1));
    EXPECT_EQ(round(), 1);
    EXPECT_EQ(scrubs_->status().rounds_total, 0u);
    clock.advance(Duration::seconds(1));
    EXPECT_GT(round(), 3) << "a bounded number of bytes a second";
    auto const status = scrubs_->status();
    EXPECT_EQ(status.rounds_total, 1u);
    EXPECT_EQ(status.segments, segment_files().size() - 1);
    EXPECT_TRUE(status.damages.empty());
    EXPECT_EQ(*status.next, *status.ended + Duration::days(7));
}

TEST_F(ScrubTest, ARestartRemembersWhenTheLastRoundEnded) {
    round();
    clock.advance(Duration::days(4));
    restart();
    round();
    clock.advance(Duration::days(3));
    restart();
    round();
    EXPECT_EQ(scrubs_->status().rounds_total, 1u);
}

TEST_F(ScrubTest, DamageIsAReportAndStandsInTheStatusUntilARoundFindsNone) {
    auto const file = segment_files().front();
    disk.flip_bit(file, 3000, 1);
    scrubs_->ask();
    round();
    auto const status = scrubs_->status();
    ASSERT_EQ(status.damages.size(), 1u);
    EXPECT_EQ(status.damages[0].file, file);
    EXPECT_EQ(status.damages[0].service, "notes");
    auto const names = *disk.list("/data/reports");
    ASSERT_EQ(names.size(), 1u);
    EXPECT_NE(log::read_file(disk, "/data/reports/" + names[0])->find(file), std::string::npos);
    disk.flip_bit(file, 3000, 1);
    scrubs_->ask();
    round();
    EXPECT_TRUE(scrubs_->status().damages.empty());
    EXPECT_EQ(scrubs_->status().damages_total, 1u);
}

}  // namespace
}  // namespace gantry::runtime
