#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace gantry {

// Randomness as the process sees it: injected, so that a simulated run repeats exactly.
class Random {
   public:
    virtual ~Random() = default;
    virtual std::uint64_t next() = 0;
    std::uint64_t below(std::uint64_t bound) { return bound == 0 ? 0 : next() % bound; }  // bias is irrelevant to its users
    bool chance(double probability) { return double(next() >> 11) * 0x1.0p-53 < probability; }
    void fill(std::span<std::uint8_t> out);
};
Random& system_random();  // getrandom(2); safe from any thread

// SplitMix64: small, fast, repeatable. Not for secrets.
class SeededRandom final : public Random {
   public:
    explicit SeededRandom(std::uint64_t seed) : state_(seed) {}
    std::uint64_t next() override;

   private:
    std::uint64_t state_;
};

// 20 characters of [0-9a-z], sortable by time in their first ten: 48 bits of milliseconds and 52 of randomness, Crockford-like.
std::string fresh_id(std::string_view prefix, std::int64_t now_us, Random& random);

}  // namespace gantry
