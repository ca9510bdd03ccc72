#pragma once
#include <array>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

// What a process counts while it works. Counting is a few instructions without a lock; the sums are made when somebody asks
// (metrics_writer.h), who may see the parts of one distribution a moment apart.
namespace gantry::observe {

// Added to by any thread.
class Counter {
   public:
    void add(std::uint64_t n = 1) { value_.fetch_add(n, std::memory_order_relaxed); }
    std::uint64_t value() const { return value_.load(std::memory_order_relaxed); }

   private:
    std::atomic<std::uint64_t> value_{0};
};

// Added to by one thread, read by any: no locked instruction.
class Cell {
   public:
    void add(std::uint64_t n = 1) { value_.store(value_.load(std::memory_order_relaxed) + n, std::memory_order_relaxed); }
    std::uint64_t value() const { return value_.load(std::memory_order_relaxed); }

   private:
    std::atomic<std::uint64_t> value_{0};
};

// The bounds of every distribution of time that Gantry shows, inclusive: what is above the last one is counted apart.
inline constexpr std::array<std::int64_t, 17> latency_bounds_ns = {
    50'000,     100'000,     250'000,     500'000,     1'000'000,     2'500'000,     5'000'000,     10'000'000,    25'000'000,
    50'000'000, 100'000'000, 250'000'000, 500'000'000, 1'000'000'000, 2'500'000'000, 5'000'000'000, 10'000'000'000};

// The sum of any number of LatencyCells: `counts[i]` lie at or below bound i and above the one before.
struct LatencySum {
    std::array<std::uint64_t, latency_bounds_ns.size() + 1> counts{};
    std::uint64_t sum_ns = 0;
    std::uint64_t count() const;
};

// A distribution of durations. One thread adds, any reads. A duration below zero (a clock's fault) counts as zero.
class LatencyCells {
   public:
    void add(std::int64_t ns) {
        cells_[bucket_of(ns)].add();
        sum_ns_.add(ns > 0 ? std::uint64_t(ns) : 0);
    }
    void add_to(LatencySum& sum) const {
        for (std::size_t i = 0; i < cells_.size(); ++i) sum.counts[i] += cells_[i].value();
        sum.sum_ns += sum_ns_.value();
    }

    static constexpr std::size_t bucket_of(std::int64_t ns) {
        if (ns <= latency_bounds_ns[0]) return 0;
        std::size_t i = first_bucket[std::bit_width(std::uint64_t(ns))];
        while (i < latency_bounds_ns.size() && ns > latency_bounds_ns[i]) ++i;  // at most twice: two bounds in each power of two
        return i;
    }

   private:
    // By the number of bits of a duration: the bucket of the shortest one with so many.
    static constexpr auto first_bucket = [] {
        std::array<std::uint8_t, 65> first{};
        for (std::size_t bits = 1; bits <= 64; ++bits) {
            std::uint64_t const shortest = std::uint64_t(1) << (bits - 1);
            while (first[bits] < latency_bounds_ns.size() && std::uint64_t(latency_bounds_ns[first[bits]]) < shortest) ++first[bits];
        }
        return first;
    }();
    std::array<Cell, latency_bounds_ns.size() + 1> cells_;
    Cell sum_ns_;
};

// Answers by the first digit of their status. One thread adds, any reads.
enum class StatusClass : std::uint8_t { informational, success, redirection, client_error, server_error, other };
inline constexpr std::size_t status_classes = 6;
constexpr StatusClass status_class(int status) {
    return status >= 100 && status <= 599 ? StatusClass(status / 100 - 1) : StatusClass::other;
}
std::string_view name_of(StatusClass c);  // "2xx"; "other"

class StatusCells {
   public:
    void add(int status) { cells_[std::size_t(status_class(status))].add(); }
    void add_to(std::span<std::uint64_t, status_classes> sums) const {
        for (std::size_t i = 0; i < status_classes; ++i) sums[i] += cells_[i].value();
    }

   private:
    std::array<Cell, status_classes> cells_;
};

// A row of `T` for each of a fixed number of things (routes, services), once for each thread: a thread writes only its own.
template <class T>
class ThreadRows {
   public:
    ThreadRows(std::size_t threads, std::size_t rows) : threads_(threads), rows_(rows), cells_(new Padded[threads * rows]) {}
    std::size_t threads() const { return threads_; }
    std::size_t rows() const { return rows_; }
    T& at(std::size_t thread, std::size_t row) { return cells_[thread * rows_ + row].value; }
    // Calls `f` with the row of every thread.
    template <class F>
    void each(std::size_t row, F&& f) const {
        for (std::size_t t = 0; t < threads_; ++t) f(cells_[t * rows_ + row].value);
    }

   private:
    struct alignas(64) Padded {  // so that no two threads write to one cache line
        T value{};
    };
    std::size_t threads_, rows_;
    std::unique_ptr<Padded[]> cells_;
};

}  // namespace gantry::observe
