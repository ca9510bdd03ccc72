// A short run of the simulation, and that it notices what it is there to notice. `make sim SEEDS=10000` is the long one.
#include "kernel/testing/sim/kernel_simulation.h"

#include <gtest/gtest.h>

#include "kernel/base/slowed_for_test.h"

namespace gantry::sim {
namespace {

TEST(KernelSimulation, KeepsEveryPromise) {
    Report sum;
    for (std::uint64_t seed = 1; seed <= rounds(300); ++seed) {
        auto const report = simulate(seed);
        EXPECT_EQ(report.violation, "") << "seed " << seed;
        sum += report;
    }
    // A world in which nothing happens keeps every promise, too.
    for (auto count : {sum.commands, sum.refused, sum.reads, sum.charges, sum.repeated_charges, sum.reminders, sum.entries, sum.stops,
                       sum.failed_writes, sum.full_disks, sum.snapshots})
        EXPECT_GT(count, 0u);
    if (slowed == 1) EXPECT_GT(sum.cuts, 0u) << "seldom";
}

TEST(KernelSimulation, RepeatsExactly) {
    for (std::uint64_t seed = 1; seed <= 20; ++seed) {
        auto const once = simulate(seed), again = simulate(seed);
        EXPECT_EQ(once.digest, again.digest) << seed;
        EXPECT_EQ(once.commands, again.commands) << seed;
    }
}

TEST(KernelSimulation, NoticesBrokenPromises) {
    for (auto broken : {Broken::answers_before_durable, Broken::effects_before_durable, Broken::forgotten_cursor}) {
        int noticed = 0;
        for (std::uint64_t seed = 1; seed <= 50; ++seed) noticed += !simulate(seed, broken).violation.empty();
        EXPECT_GT(noticed, 0) << int(broken);
    }
}

}  // namespace
}  // namespace gantry::sim
