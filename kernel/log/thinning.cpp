#include "kernel/log/thinning.h"

#include <algorithm>
#include <numeric>
#include <optional>

namespace gantry::log {
namespace {

constexpr std::size_t always_kept = 2;
constexpr double gap_per_age = 0.5;

// How wide the hole is that a snapshot would leave, as a share of its age.
double hole(std::span<KeptSnapshot const> all, std::vector<std::size_t> const& kept, std::size_t i) {
    auto const before = i == 0 ? Position{0} : all[kept[i - 1]].position;
    auto const age = all[kept.back()].position - all[kept[i]].position;
    return double(all[kept[i + 1]].position - before) / double(std::max<Position>(age, 1));
}

}  // namespace

std::vector<std::size_t> surplus(std::span<KeptSnapshot const> by_position, Snapshots::Keep keep) {
    std::vector<std::size_t> kept(by_position.size()), gone;
    std::iota(kept.begin(), kept.end(), std::size_t{0});
    std::uint64_t bytes = 0;
    for (auto const& s : by_position) bytes += s.bytes;
    while (kept.size() > always_kept) {
        std::size_t least = 0;
        for (std::size_t i = 1; i + always_kept < kept.size(); ++i)
            if (hole(by_position, kept, i) < hole(by_position, kept, least)) least = i;
        if (hole(by_position, kept, least) > gap_per_age && bytes <= keep.bytes_max) break;
        bytes -= by_position[kept[least]].bytes;
        gone.push_back(kept[least]);
        kept.erase(kept.begin() + std::ptrdiff_t(least));
    }
    std::ranges::sort(gone);
    return gone;
}

}  // namespace gantry::log
