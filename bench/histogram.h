#pragma once
#include <array>
#include <bit>
#include <cstdint>

namespace gantry::bench {

// Counts of durations in nanoseconds, 32 steps an octave: a percentile is right within 3 %. The array alone is its whole form, so
// that it can lie in a shared file (sync_probe.cpp) and be read by bench/measure.py, which mirrors `index` and `middle`.
struct Histogram {
    static constexpr std::size_t size = 1920;
    std::array<std::uint64_t, size> counts{};

    static constexpr std::size_t index(std::uint64_t ns) {
        if (ns < 32) return ns;
        auto octave = std::size_t(std::bit_width(ns)) - 1;
        return (octave - 4) * 32 + ((ns >> (octave - 5)) & 31);
    }
    static constexpr double middle(std::size_t index) {
        if (index < 32) return double(index);
        auto shift = index / 32 - 1;
        return double((32 + index % 32) << shift) + double(std::uint64_t(1) << shift) / 2;
    }
    void add(std::uint64_t ns) { ++counts[index(ns)]; }
    std::uint64_t total() const {
        std::uint64_t sum = 0;
        for (auto n : counts) sum += n;
        return sum;
    }
    // 0 when nothing was counted.
    double percentile_us(double share) const {
        auto left = std::uint64_t(share * double(total()));
        for (std::size_t i = 0; i < size; ++i) {
            if (counts[i] > left) return middle(i) / 1000;
            left -= counts[i];
        }
        return 0;
    }
};

}  // namespace gantry::bench
