#define XXH_INLINE_ALL
#include "kernel/base/hash.h"

#include <xxhash.h>

namespace gantry {
std::uint64_t hash64(std::string_view bytes, std::uint64_t seed) noexcept { return XXH3_64bits_withSeed(bytes.data(), bytes.size(), seed); }
}  // namespace gantry
