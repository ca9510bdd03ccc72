#pragma once
#include <bit>
#include <cstdint>
#include <optional>

#include "kernel/service.h"

// How long tasks waited and ran, per queue, in this hour and the one before: histograms whose buckets are a quarter of a doubling wide.
namespace gantry::queue {

inline constexpr std::uint64_t time_buckets = 160;  // up to 2^40 us, twelve days
enum class TimeOf : std::uint8_t { wait, run };

constexpr std::uint64_t time_bucket(std::int64_t us) {
    if (us < 4) return us < 0 ? 0 : std::uint64_t(us);
    auto const u = std::uint64_t(us);
    auto const doublings = std::uint64_t(std::bit_width(u)) - 3;  // of 4
    auto const bucket = 4 + doublings * 4 + ((u >> doublings) & 3);
    return bucket < time_buckets ? bucket : time_buckets - 1;
}
// The greatest time of a bucket.
constexpr std::int64_t time_bucket_end(std::uint64_t bucket) {
    if (bucket < 4) return std::int64_t(bucket);
    auto const doublings = (bucket - 4) / 4;
    return std::int64_t(((5 + (bucket - 4) % 4) << doublings) - 1);
}
constexpr std::uint64_t time_cell(std::uint32_t queue, TimeOf of, std::int64_t hour, std::uint64_t bucket) {
    return ((std::uint64_t(queue) * 2 + std::uint64_t(of)) * 2 + std::uint64_t(hour & 1)) * time_buckets + bucket;
}

}  // namespace gantry::queue
