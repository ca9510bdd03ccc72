#pragma once
#include <bit>
#include <cstdint>

#include "kernel/state/chunked.h"

namespace gantry::state {

// A set of dense numbers in order, one bit each, with a summary bit for every 64 so that gaps are skipped.
class Bits {
   public:
    void insert(std::uint64_t n) {
        if (n / 64 >= words_.size()) words_.resize(n / 64 + 1), summary_.resize(n / 4096 + 1);
        auto& word = words_.mut(n / 64);
        count_ += !(word >> (n % 64) & 1);
        word |= std::uint64_t(1) << (n % 64);
        auto bit = std::uint64_t(1) << (n / 64 % 64);
        if (!(summary_[n / 4096] & bit)) summary_.mut(n / 4096) |= bit;
    }
    void erase(std::uint64_t n) {
        if (!contains(n)) return;
        auto& word = words_.mut(n / 64);
        word &= ~(std::uint64_t(1) << (n % 64)), --count_;
        if (word == 0) summary_.mut(n / 4096) &= ~(std::uint64_t(1) << (n / 64 % 64));
    }
    bool contains(std::uint64_t n) const { return n / 64 < words_.size() && (words_[n / 64] >> (n % 64) & 1); }
    std::size_t size() const { return count_; }
    static constexpr std::uint64_t none = ~std::uint64_t(0);
    // The smallest member >= n, or none.
    std::uint64_t next(std::uint64_t n) const {
        if (n / 64 >= words_.size()) return none;
        if (auto rest = words_[n / 64] >> (n % 64)) return n + std::uint64_t(std::countr_zero(rest));
        std::uint64_t w = n / 64 + 1;
        while (w < words_.size()) {
            auto rest = summary_[w / 64] >> (w % 64);
            if (rest == 0) {
                w = (w / 64 + 1) * 64;
                continue;
            }
            w += std::uint64_t(std::countr_zero(rest));
            return w * 64 + std::uint64_t(std::countr_zero(words_[w]));
        }
        return none;
    }
    void prefetch(std::uint64_t n) const { words_.prefetch(n / 64); }
    std::size_t memory_bytes() const { return words_.memory_bytes() + summary_.memory_bytes(); }
    void save(Out& out) const {
        out.number(std::uint64_t(count_)), words_.save_as_they_lie(out);
        if (out.form == Form::as_they_lie) summary_.save_as_they_lie(out);
    }
    bool load(In& in) {
        std::uint64_t n;
        if (!in.number(n) || !words_.load_as_they_lie(in)) return false;
        if (in.form == Form::portable) return summarize(), n == count_;
        count_ = n;
        if (!summary_.load_as_they_lie(in)) return false;
        return summary_.size() == (words_.size() + 63) / 64;
    }

   private:
    void summarize() {
        count_ = 0, summary_.clear();
        summary_.resize((words_.size() + 63) / 64);
        for (std::size_t w = 0; w < words_.size(); ++w) {
            if (words_[w] == 0) continue;
            count_ += std::size_t(std::popcount(words_[w]));
            summary_.mut(w / 64) |= std::uint64_t(1) << (w % 64);
        }
    }
    Chunked<std::uint64_t> words_, summary_;
    std::size_t count_ = 0;
};

}  // namespace gantry::state
