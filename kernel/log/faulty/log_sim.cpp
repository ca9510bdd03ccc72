// log_sim --seeds N [--from S]: runs the simulation of the log for N seeds and prints each one that breaks a promise.
#include <fmt/format.h>

#include <cstdlib>
#include <cstring>

#include "kernel/log/faulty/simulation.h"

int main(int argc, char** argv) {
    std::uint64_t seeds = 1000, from = 1;
    for (int i = 1; i + 1 < argc; i += 2) {
        if (std::strcmp(argv[i], "--seeds") == 0)
            seeds = std::strtoull(argv[i + 1], nullptr, 10);
        else if (std::strcmp(argv[i], "--from") == 0)
            from = std::strtoull(argv[i + 1], nullptr, 10);
        else
            return fmt::print(stderr, "usage: log_sim [--seeds N] [--from S]\n"), 2;
    }
    gantry::log::SimulationReport sum;
    std::uint64_t broken = 0;
    for (auto seed = from; seed < from + seeds; ++seed) {
        auto r = gantry::log::simulate(seed);
        if (!r.violation.empty()) ++broken, fmt::print("seed {}: {}\n", seed, r.violation);
        sum.batches += r.batches, sum.crashes += r.crashes, sum.failed_writes += r.failed_writes, sum.full_disks += r.full_disks;
        sum.torn_tails += r.torn_tails, sum.damage_named += r.damage_named, sum.damage_undecidable += r.damage_undecidable;
    }
    fmt::print(
        "{} seeds, {} broken; {} batches, {} stops, {} failed writes, {} times no space, {} torn tails, {} damages named, {} undecidable\n",
        seeds, broken, sum.batches, sum.crashes, sum.failed_writes, sum.full_disks, sum.torn_tails, sum.damage_named,
        sum.damage_undecidable);
    return broken == 0 ? 0 : 1;
}
