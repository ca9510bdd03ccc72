#pragma once
#include <cstdint>

#include "kernel/state/chunked.h"

namespace gantry::state {

// Finds rows by the hash of their key: open addressing, eight bytes a slot (32 bits of hash, 32 of row + 1), linear probing with
// backward shift. The rows themselves hold the keys; `same(row)` compares.
class HashIndex {
   public:
    static constexpr std::uint32_t none = ~std::uint32_t(0);

    template <class Same>
    std::uint32_t find(std::uint64_t hash, Same&& same) const {
        if (slots_.empty()) return none;
        std::uint32_t tag = std::uint32_t(hash);
        for (std::size_t i = tag & mask();; i = (i + 1) & mask()) {
            std::uint64_t slot = slots_[i];
            if (slot == 0) return none;
            if (std::uint32_t(slot >> 32) == tag && same(std::uint32_t(slot) - 1)) return std::uint32_t(slot) - 1;
        }
    }
    // The key must not be there.
    void insert(std::uint64_t hash, std::uint32_t row) {
        if ((used_ + 1) * 4 > slots_.size() * 3) grow();
        place(std::uint32_t(hash), row), ++used_;
    }
    void erase(std::uint64_t hash, std::uint32_t row) {
        std::uint64_t wanted = std::uint64_t(std::uint32_t(hash)) << 32 | (row + 1);
        std::size_t i = std::uint32_t(hash) & mask();
        while (slots_[i] != wanted) {
            GANTRY_ASSERT(slots_[i] != 0, "an erased row is in its index");
            i = (i + 1) & mask();
        }
        for (std::size_t next = (i + 1) & mask();; next = (next + 1) & mask()) {
            std::uint64_t slot = slots_[next];
            std::size_t home = std::size_t(slot >> 32) & mask();
            if (slot == 0) break;
            if (((next - home) & mask()) < ((next - i) & mask())) continue;  // it may not move before its home
            slots_.mut(i) = slot, i = next;
        }
        slots_.mut(i) = 0, --used_;
    }
    void prefetch(std::uint64_t hash) const {
        if (!slots_.empty()) __builtin_prefetch(&slots_[std::uint32_t(hash) & mask()]);
    }
    std::size_t size() const { return used_; }
    void clear() { slots_.clear(), used_ = 0; }
    std::size_t memory_bytes() const { return slots_.memory_bytes(); }
    void save(Out& out) const { out.number(std::uint64_t(used_)), slots_.save_as_they_lie(out); }
    bool load(In& in) {
        std::uint64_t used;
        if (!in.number(used) || !slots_.load_as_they_lie(in)) return false;
        used_ = used;
        if (slots_.empty()) return used == 0;
        return std::has_single_bit(slots_.size()) && used <= slots_.size() / 4 * 3 && (in.form == Form::as_they_lie || used == count());
    }

   private:
    std::size_t count() const {
        std::size_t n = 0;
        for (std::size_t i = 0; i < slots_.size(); ++i) n += slots_[i] != 0;
        return n;
    }
    std::size_t mask() const { return slots_.size() - 1; }
    void place(std::uint32_t tag, std::uint32_t row) {
        std::size_t i = tag & mask();
        while (slots_[i] != 0) i = (i + 1) & mask();
        slots_.mut(i) = std::uint64_t(tag) << 32 | (row + 1);
    }
    void grow() {
        Chunked<std::uint64_t> old;
        std::swap(old, slots_);
        slots_.resize(old.empty() ? 16 : old.size() * 2);
        for (std::size_t i = 0; i < old.size(); ++i)
            if (old[i] != 0) place(std::uint32_t(old[i] >> 32), std::uint32_t(old[i]) - 1);
    }
    Chunked<std::uint64_t> slots_;
    std::size_t used_ = 0;
};

}  // namespace gantry::state
