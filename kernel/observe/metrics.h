#pragma once
#include <array>
#include <atomic>
#include <bit>
#include <cstdint>
#include <deque>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

// Counts and distributions of the process, by name. Adding is one relaxed atomic operation from any thread; a reader may see the parts of
// a histogram a moment apart.
namespace gantry::observe {

class Counter {
   public:
    void add(std::uint64_t n = 1) { value_.fetch_add(n, std::memory_order_relaxed); }
    std::uint64_t value() const { return value_.load(std::memory_order_relaxed); }

   private:
    std::atomic<std::uint64_t> value_{0};
};

// A distribution of whole numbers ≥ 0 (of microseconds, bytes, items: the name says which) in fixed buckets: four to each power of two, so
// that a bound is at most a quarter above the values in its bucket. Values from 2^40 on share the last one.
class Histogram {
   public:
    static constexpr std::size_t buckets = 4 + 38 * 4 + 1;
    void record(std::uint64_t value) {
        counts_[bucket_of(value)].fetch_add(1, std::memory_order_relaxed);
        sum_.fetch_add(value, std::memory_order_relaxed);
    }
    std::uint64_t count() const;
    std::uint64_t sum() const { return sum_.load(std::memory_order_relaxed); }
    std::uint64_t count_in(std::size_t bucket) const { return counts_[bucket].load(std::memory_order_relaxed); }
    // The bound of the bucket that holds the value at `share` (0 to 1) of all; 0 when nothing was recorded.
    std::uint64_t quantile(double share) const;

    static constexpr std::size_t bucket_of(std::uint64_t value) {
        if (value < 4) return std::size_t(value);
        int const power = std::bit_width(value) - 1;
        return power >= 40 ? buckets - 1 : 4 + std::size_t(power - 2) * 4 + std::size_t(value >> (power - 2) & 3);
    }
    // The largest value of a bucket; of the last one, the largest of all.
    static constexpr std::uint64_t bound_of(std::size_t bucket) {
        if (bucket < 4) return bucket;
        if (bucket == buckets - 1) return ~std::uint64_t(0);
        std::size_t const power = (bucket - 4) / 4 + 2, quarter = (bucket - 4) % 4;
        return ((5 + quarter) << (power - 2)) - 1;
    }

   private:
    std::array<std::atomic<std::uint64_t>, buckets> counts_{};
    std::atomic<std::uint64_t> sum_{0};
};

// Names are snake_case, with the unit last: "http_requests_total", "log_sync_us". What is asked for by the same name is the same object,
// and lives as long as the registry; a name asked for as both kinds is a bug.
class Metrics {
   public:
    Counter& counter(std::string_view name, std::string_view help);
    Histogram& histogram(std::string_view name, std::string_view help);

    struct Listed {
        std::string_view name, help;
        Counter const* counter = nullptr;  // one of the two
        Histogram const* histogram = nullptr;
    };
    std::vector<Listed> list() const;  // by name

   private:
    template <class T>
    struct Named {
        std::string name, help;
        T metric;
        Named(std::string_view n, std::string_view h) : name(n), help(h) {}
    };
    mutable std::mutex mutex_;
    std::deque<Named<Counter>> counters_;      // guarded by mutex_; a deque never moves its elements
    std::deque<Named<Histogram>> histograms_;  // guarded by mutex_
};

}  // namespace gantry::observe
