#pragma once
#include <cstdint>
#include <string>

namespace gantry::sim {

// What one seed went through.
struct Report {
    std::string violation;  // empty: every promise was kept
    std::uint64_t commands = 0, refused = 0, reads = 0, charges = 0, repeated_charges = 0, reminders = 0, entries = 0;
    std::uint64_t stops = 0, failed_writes = 0, full_disks = 0, snapshots = 0, cuts = 0;
    std::uint64_t digest = 0;  // of both states at the end: the same whenever the seed is run
    Report& operator+=(Report const& other);
};

// Faults of the test's own making, to show that it notices: the seed's world with one promise broken.
enum class Broken { nothing, answers_before_durable, effects_before_durable, forgotten_cursor };

// A process of two services on a disk that fails, tears and forgets: clients that repeat what was not acknowledged, effects on workers of
// any order, timers, a follower, snapshots, baselines and cuts, a clock that runs, killed processes and lost power, all decided by the
// seed.
Report simulate(std::uint64_t seed, Broken broken = Broken::nothing);

}  // namespace gantry::sim
