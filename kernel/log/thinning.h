#pragma once
#include <cstdint>
#include <span>
#include <vector>

#include "kernel/log/log.h"

namespace gantry::log {

struct KeptSnapshot {
    Position position = 0;
    std::uint64_t bytes = 0;
};

// Which of the snapshots of one history go, as Snapshots::Keep says: indexes into `by_position`, in rising order.
std::vector<std::size_t> surplus(std::span<KeptSnapshot const> by_position, Snapshots::Keep keep);

}  // namespace gantry::log
