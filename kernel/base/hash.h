#pragma once
#include <cstdint>
#include <string_view>

namespace gantry {
// XXH3, 64 bits. Not for hostile keys outside tables that seed it.
std::uint64_t hash64(std::string_view bytes, std::uint64_t seed = 0) noexcept;
constexpr std::uint64_t mix64(std::uint64_t x) noexcept {
    x ^= x >> 32, x *= 0xe9846af9b1a615d, x ^= x >> 32, x *= 0xe9846af9b1a615d, x ^= x >> 28;
    return x;
}
}  // namespace gantry
