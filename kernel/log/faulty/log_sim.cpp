// log_sim --seeds N [--from S]: runs the simulation of the log for N seeds and prints each one that breaks a promise.
#include "kernel/log/faulty/seeds.h"
#include "kernel/log/faulty/simulation.h"

int main(int argc, char** argv) {
    return gantry::log::simulate_seeds<gantry::log::SimulationReport>(argc, argv, &gantry::log::simulate, [](auto const& sum) {
        return fmt::format("{} batches, {} stops, {} failed writes, {} times no space, {} torn tails, {} damages named, {} undecidable",
                           sum.batches, sum.crashes, sum.failed_writes, sum.full_disks, sum.torn_tails, sum.damage_named,
                           sum.damage_undecidable);
    });
}
