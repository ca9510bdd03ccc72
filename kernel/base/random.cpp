#include "kernel/base/random.h"

#include <sys/random.h>

#include <algorithm>
#include <cstring>

#include "kernel/base/assert.h"

namespace gantry {
namespace {
class SystemRandom final : public Random {
   public:
    std::uint64_t next() override {
        thread_local std::uint64_t pool[32];
        thread_local std::size_t left = 0;
        if (left == 0) {
            GANTRY_ASSERT(getrandom(pool, sizeof pool, 0) == sizeof pool, "the kernel gives random numbers");
            left = std::size(pool);
        }
        return pool[--left];
    }
};
}  // namespace

void Random::fill(std::span<std::uint8_t> out) {
    for (std::size_t i = 0; i < out.size(); i += 8) {
        std::uint64_t word = next();
        std::memcpy(out.data() + i, &word, std::min<std::size_t>(8, out.size() - i));
    }
}

Random& system_random() {
    static SystemRandom random;
    return random;
}

std::uint64_t SeededRandom::next() {
    std::uint64_t z = (state_ += 0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
}

std::string fresh_id(std::string_view prefix, std::int64_t now_us, Random& random) {
    static constexpr char alphabet[] = "0123456789abcdefghjkmnpqrstvwxyz";
    std::string id(prefix);
    std::uint64_t ms = std::uint64_t(now_us / 1000), tail = random.next();
    for (int shift = 45; shift >= 0; shift -= 5) id += alphabet[ms >> shift & 31];
    for (int shift = 45; shift >= 0; shift -= 5) id += alphabet[tail >> shift & 31];
    return id;
}
}  // namespace gantry
