// kernel_sim --seeds N [--from S]: runs the simulation of the whole kernel for N seeds and prints each one that breaks a promise.
#include "kernel/log/faulty/seeds.h"
#include "kernel/observe/log_line.h"
#include "kernel/testing/sim/kernel_simulation.h"

namespace {

// The simulated process says of each effect that fails that it does.
class Nowhere final : public gantry::observe::LogSink {
   public:
    void write(std::string_view) override {}
};

}  // namespace

int main(int argc, char** argv) {
    using namespace gantry;
    Nowhere nowhere;
    observe::Logger silent(system_clock(), nowhere, observe::LogFormat::json);
    observe::set_process_logger(&silent);
    auto const simulate = [](std::uint64_t seed) { return sim::simulate(seed); };
    auto const outcome = log::simulate_seeds<sim::Report>(argc, argv, simulate, [](auto const& sum) {
        return fmt::format(
            "{} commands ({} refused, {} for want of space), {} reads, {} charges ({} repeated), {} reminders, {} entries, {} stops, {} "
            "failed writes, {} snapshots, {} cuts",
            sum.commands, sum.refused, sum.full_disks, sum.reads, sum.charges, sum.repeated_charges, sum.reminders, sum.entries, sum.stops,
            sum.failed_writes, sum.snapshots, sum.cuts);
    });
    observe::set_process_logger(nullptr);
    return outcome;
}
