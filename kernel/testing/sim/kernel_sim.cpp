// kernel_sim --seeds N [--from S]: runs the simulation of the whole kernel for N seeds and prints each one that breaks a promise.
#include <fmt/format.h>

#include <cstdlib>
#include <cstring>

#include "kernel/observe/log_line.h"
#include "kernel/testing/sim/kernel_simulation.h"

int main(int argc, char** argv) {
    std::uint64_t seeds = 1000, from = 1;
    for (int i = 1; i + 1 < argc; i += 2) {
        if (std::strcmp(argv[i], "--seeds") == 0)
            seeds = std::strtoull(argv[i + 1], nullptr, 10);
        else if (std::strcmp(argv[i], "--from") == 0)
            from = std::strtoull(argv[i + 1], nullptr, 10);
        else
            return fmt::print(stderr, "usage: kernel_sim [--seeds N] [--from S]\n"), 2;
    }
    gantry::sim::Report sum;
    std::uint64_t broken = 0;
    for (auto seed = from; seed < from + seeds; ++seed) {
        auto const report = gantry::sim::simulate(seed);
        if (!report.violation.empty()) ++broken, fmt::print("seed {}: {}\n", seed, report.violation);
        sum += report;
    }
    fmt::print(
        "{} seeds, {} broken; {} commands ({} refused, {} for want of space), {} reads, {} charges ({} repeated), {} reminders, {} "
        "entries, "
        "{} stops, {} failed writes, {} snapshots, {} cuts\n",
        seeds, broken, sum.commands, sum.refused, sum.full_disks, sum.reads, sum.charges, sum.repeated_charges, sum.reminders, sum.entries,
        sum.stops, sum.failed_writes, sum.snapshots, sum.cuts);
    return broken == 0 ? 0 : 1;
}
