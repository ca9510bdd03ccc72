#include "kernel/log/faulty/seeds.h"
#include "kernel/observe/log_line.h"
#include "kernel/testing/sim/world.h"

namespace gantry::sim {

struct Quiet::Nowhere final : observe::LogSink {
    void write(std::string_view) override {}
    observe::Logger logger{system_clock(), *this, observe::LogFormat::json};
};
Quiet::Quiet() : nowhere_(std::make_unique<Nowhere>()) { observe::set_process_logger(&nowhere_->logger); }
Quiet::~Quiet() { observe::set_process_logger(nullptr); }

int world_main(int argc, char** argv, std::function<std::unique_ptr<World>(std::uint64_t seed)> const& make) {
    Quiet const quiet;
    auto const both = [&](std::uint64_t seed) {
        auto sum = simulate_world(make, seed, LogKind::file);
        if (!sum.violation.empty()) return sum.violation = "on files: " + sum.violation, sum;
        auto const memory = simulate_world(make, seed, LogKind::memory);
        sum += memory;
        if (!memory.violation.empty()) sum.violation = "in memory: " + memory.violation;
        return sum;
    };
    return log::simulate_seeds<WorldReport>(argc, argv, both, [](auto const& sum) { return sum.told(); });
}

}  // namespace gantry::sim
