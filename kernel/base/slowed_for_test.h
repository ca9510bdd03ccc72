#pragma once
#include <cstdint>

namespace gantry {

// How many times longer a test program takes under the sanitizer that it is compiled with.
#if __has_feature(thread_sanitizer)
inline constexpr int slowed = 10;
#elif __has_feature(address_sanitizer)
inline constexpr int slowed = 3;
#else
inline constexpr int slowed = 1;
#endif

// Of a test's random rounds, those that run here: all of them in a release.
constexpr std::uint64_t rounds(std::uint64_t all) { return (all + slowed - 1) / slowed; }

}  // namespace gantry
