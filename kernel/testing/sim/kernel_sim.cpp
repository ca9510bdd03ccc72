// kernel_sim --seeds N [--from S]: runs the simulation of the whole kernel for N seeds and prints each one that breaks a promise.
#include "kernel/log/faulty/seeds.h"
#include "kernel/testing/sim/kernel_simulation.h"

int main(int argc, char** argv) {
    return gantry::log::simulate_seeds<gantry::sim::Report>(
        argc, argv, [](auto seed) { return gantry::sim::simulate(seed); },
        [](auto const& sum) {
            return fmt::format(
                "{} commands ({} refused, {} for want of space), {} reads, {} charges ({} repeated), {} reminders, {} entries, {} stops, "
                "{} "
                "failed writes, {} snapshots, {} cuts",
                sum.commands, sum.refused, sum.full_disks, sum.reads, sum.charges, sum.repeated_charges, sum.reminders, sum.entries,
                sum.stops, sum.failed_writes, sum.snapshots, sum.cuts);
        });
}
