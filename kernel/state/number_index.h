#pragma once
#include <algorithm>
#include <atomic>
#include <cstdint>
#include <utility>
#include <vector>

#include "kernel/state/hash_index.h"

namespace gantry::state {

// Finds rows by a number that is given out in order and ends in about that order: pages of 64 neighbours, four bytes each. Of what a
// HashIndex would scatter over all of its memory a page stays together, so that a snapshot's view shares nearly all of it. A page goes
// with its last number: the one that stays for ever costs 272 bytes.
class NumberIndex {
   public:
    static constexpr std::uint32_t none = HashIndex::none;

    std::uint32_t find(std::uint64_t number) const {
        auto const page = page_of(number);
        return page == none ? none : pages_[page].rows[number % page_numbers] - 1;  // 0: not there
    }
    // The number must not be there.
    void insert(std::uint64_t number, std::uint32_t row) {
        auto page = page_of(number);
        if (page == none) page = fresh(number / page_numbers);
        Page& at = pages_.mut(page);
        at.rows[number % page_numbers] = row + 1, ++at.count, ++size_;
    }
    void erase(std::uint64_t number) {
        auto const page = page_of(number);
        GANTRY_ASSERT(page != none && pages_[page].rows[number % page_numbers] != 0, "an erased number is in its index");
        Page& at = pages_.mut(page);
        at.rows[number % page_numbers] = 0, --size_;
        if (--at.count > 0) return;
        directory_.erase(mix64(at.base), page);
        at.base = unused;
        free_.push_back(page);
    }
    std::size_t size() const { return size_; }
    std::size_t memory_bytes() const { return directory_.memory_bytes() + pages_.memory_bytes() + free_.memory_bytes(); }

    // Visits (number, row) in the order of the numbers.
    template <class Visit>
    void walk(Visit&& visit) const {
        for (auto const& [base, page] : in_order())
            for (std::uint64_t i = 0; i < page_numbers; ++i)
                if (auto const row = pages_[page].rows[i]; row != 0) visit(base * page_numbers + i, row - 1);
    }
    // Where a page lies is of no meaning.
    void save(Out& out) const {
        auto const pages = in_order();
        out.number(std::uint64_t(pages.size()));
        for (auto const& [base, page] : pages) out.write(&pages_[page], sizeof(Page));
    }
    bool load(In& in) {
        *this = {};
        std::uint64_t n;
        if (!in.number(n) || n > in.left() / sizeof(Page)) return false;
        for (; n > 0; --n) {
            Page page;
            if (!in.read(&page, sizeof page) || page.base > unused / page_numbers || page_of(page.base * page_numbers) != none)
                return false;
            std::uint64_t used = 0;
            for (auto row : page.rows) used += row != 0;
            if (used == 0 || used != page.count) return false;
            directory_.insert(mix64(page.base), std::uint32_t(pages_.size()));
            pages_.push_back(page);
            size_ += used;
        }
        return true;
    }

   private:
    static constexpr std::uint64_t page_numbers = 64, unused = ~std::uint64_t(0);
    struct Page {
        std::uint64_t base = unused;  // its first number / 64
        std::uint64_t count = 0;
        std::uint32_t rows[page_numbers] = {};
    };
    std::vector<std::pair<std::uint64_t, std::uint32_t>> in_order() const {
        std::vector<std::pair<std::uint64_t, std::uint32_t>> pages;
        for (std::size_t i = 0; i < pages_.size(); ++i)
            if (pages_[i].count > 0) pages.emplace_back(pages_[i].base, std::uint32_t(i));
        std::ranges::sort(pages);
        return pages;
    }
    std::uint32_t page_of(std::uint64_t number) const {
        auto const base = number / page_numbers;
        if (base < pages_.size() && pages_[base].base == base) return std::uint32_t(base);  // where nothing ended yet
        auto const last = last_found_.load();
        if (last < pages_.size() && pages_[last].base == base) return last;
        auto const found = directory_.find(mix64(base), [&](std::uint32_t page) { return pages_[page].base == base; });
        if (found != none) last_found_.store(found);
        return found;
    }
    // Neighbours are asked for together. Readers of one index may be many.
    class LastFound {
       public:
        LastFound() = default;
        LastFound(LastFound const& o) : page_(o.load()) {}
        LastFound& operator=(LastFound const& o) { return store(o.load()), *this; }
        ~LastFound() = default;
        std::uint32_t load() const { return page_.load(std::memory_order_relaxed); }
        void store(std::uint32_t page) { page_.store(page, std::memory_order_relaxed); }

       private:
        std::atomic<std::uint32_t> page_ = none;
    };
    std::uint32_t fresh(std::uint64_t base) {
        auto const page = place_row(pages_, free_, {.base = base});
        directory_.insert(mix64(base), page);
        return page;
    }
    HashIndex directory_;
    Chunked<Page> pages_;
    Chunked<std::uint32_t> free_;
    std::size_t size_ = 0;
    mutable LastFound last_found_;
};

}  // namespace gantry::state
