#pragma once
#include <cstdint>
#include <string>

namespace gantry::log {

// What one seed went through.
struct SimulationReport {
    std::string violation;  // empty: every promise was kept
    std::uint64_t batches = 0;
    std::uint64_t crashes = 0;
    std::uint64_t failed_writes = 0;  // ended the process
    std::uint64_t full_disks = 0;     // has_space said no
    std::uint64_t torn_tails = 0;
    std::uint64_t damage_named = 0;
    std::uint64_t damage_undecidable = 0;  // rot in the very last group took it away (docs/durability.md)

    void operator+=(SimulationReport const& other);
};

// Writers of several logs, group commits, spares, cuts, clean stops, killed processes, lost power, failing and full disks, rot: all
// decided by the seed. After every start what is in the logs is compared with what was promised.
SimulationReport simulate(std::uint64_t seed);

}  // namespace gantry::log
