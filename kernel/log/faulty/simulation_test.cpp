#include "kernel/log/faulty/simulation.h"

#include <gtest/gtest.h>

#include "kernel/log/faulty/simulated_disk.h"

namespace gantry::log {
namespace {

TEST(Simulation, KeepsEveryPromiseForManySeeds) {
    SimulationReport sum;
    for (std::uint64_t seed = 1; seed <= 500; ++seed) {
        auto r = simulate(seed);
        ASSERT_EQ(r.violation, "") << "seed " << seed << ": log_sim --seeds 1 --from " << seed;
        sum.crashes += r.crashes, sum.failed_writes += r.failed_writes, sum.full_disks += r.full_disks;
        sum.torn_tails += r.torn_tails, sum.damage_named += r.damage_named;
    }
    // It would be of no use if it didn't get into trouble.
    EXPECT_GT(sum.crashes, 1000u);
    EXPECT_GT(sum.failed_writes, 100u);
    EXPECT_GT(sum.full_disks, 100u);
    EXPECT_GT(sum.torn_tails, 100u);
    EXPECT_GT(sum.damage_named, 100u);
}

TEST(Simulation, RepeatsExactly) {
    auto a = simulate(42), b = simulate(42);
    EXPECT_EQ(a.batches, b.batches);
    EXPECT_EQ(a.torn_tails, b.torn_tails);
    EXPECT_EQ(a.full_disks, b.full_disks);
}

std::string content(SimulatedDisk& disk, std::string const& path) { return read_file(disk, path).value_or("(absent)"); }

TEST(SimulatedDisk, KeepsWhatWasSyncedAndAnyPartOfTheRest) {
    bool kept = false, lost = false, torn = false;
    for (std::uint64_t seed = 0; seed < 200; ++seed) {
        SimulatedDisk disk(seed);
        ASSERT_TRUE(disk.make_directories("/d"));
        auto file = *disk.open("/d/f", Open::create_new);
        ASSERT_TRUE(file->write(0, std::string(1024, 'a')));
        ASSERT_TRUE(file->sync());
        ASSERT_TRUE(disk.sync_directory("/d"));
        ASSERT_TRUE(file->write(0, std::string(1024, 'b')));
        disk.crash();
        EXPECT_FALSE(file->write(0, "x"));  // of a process that is no more
        auto now = content(disk, "/d/f");
        ASSERT_EQ(now.size(), 1024u);
        for (int sector : {0, 1})
            ASSERT_TRUE(now.substr(std::size_t(sector) * 512, 512) == std::string(512, now[std::size_t(sector) * 512]));
        kept |= now == std::string(1024, 'b'), lost |= now == std::string(1024, 'a'), torn |= now[0] != now[1023];
    }
    EXPECT_TRUE(kept && lost && torn);
}

TEST(SimulatedDisk, ANameIsCertainOnlyAfterItsDirectoryWasSynced) {
    bool kept = false, lost = false;
    for (std::uint64_t seed = 0; seed < 50; ++seed) {
        SimulatedDisk disk(seed);
        ASSERT_TRUE(disk.make_directories("/d"));
        ASSERT_TRUE((*disk.open("/d/f", Open::create_new))->sync());
        disk.crash();
        (disk.exists("/d/f").value() ? kept : lost) = true;
    }
    EXPECT_TRUE(kept && lost);
}

TEST(SimulatedDisk, AFailedSyncIsNotMadeGoodByAnother) {
    bool lost = false;
    for (std::uint64_t seed = 0; seed < 50; ++seed) {
        SimulatedDisk disk(seed);
        ASSERT_TRUE(disk.make_directories("/d"));
        auto file = *disk.open("/d/f", Open::create_new);
        ASSERT_TRUE(file->write(0, "a") && file->sync() && disk.sync_directory("/d"));
        ASSERT_TRUE(file->write(0, "b"));
        disk.fail_at(1);
        EXPECT_FALSE(file->sync());
        EXPECT_TRUE(file->sync());
        EXPECT_EQ(content(disk, "/d/f"), "b");
        disk.crash();
        lost |= content(disk, "/d/f") == "a";
    }
    EXPECT_TRUE(lost);
}

TEST(SimulatedDisk, IsFullAtItsCapacity) {
    SimulatedDisk disk;
    ASSERT_TRUE(disk.make_directories("/d"));
    disk.set_capacity(1000);
    auto file = *disk.open("/d/f", Open::create_new);
    EXPECT_TRUE(file->allocate(1000));
    EXPECT_EQ(file->allocate(1001).error().code, "disk_full");
    EXPECT_TRUE(file->write(0, std::string(1000, 'x')));
    EXPECT_EQ(disk.free_bytes("/d").value(), 0u);
}

}  // namespace
}  // namespace gantry::log
