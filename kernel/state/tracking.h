#pragma once
#include <array>
#include <atomic>
#include <concepts>
#include <cstdint>
#include <span>
#include <vector>

#include "kernel/base/hash.h"
#include "kernel/base/text.h"

namespace gantry {

// For whom a read runs. The kernel fills it; visibility rules look at it.
struct Viewer {
    Str id = {};                  // the caller's name, "anonymous" when nobody is known
    bool sees_all = false;        // the kernel itself: replay, digest, snapshot
    std::vector<Str> teams = {};  // of the caller
};

namespace state {

// A key of a table, hashed with the table's salt. What a read looked up and what a fold touched meet here: a cached answer or a
// parked reader is still right as long as none of its keys was touched.
using KeyHash = std::uint64_t;

// Notes of one read. Bounded: a read of more than `keys_max` keys is noted as a read of everything.
class Reading {
   public:
    static constexpr std::size_t keys_max = 64;
    // A read of the past goes by today's rights: the state that it reads, and that of now, which stands still as long as this lives.
    struct Today {
        void const* past;
        void const* now;
    };
    explicit Reading(Viewer const& viewer) : Reading(viewer, {nullptr, nullptr}) {}
    Reading(Viewer const& viewer, Today today) : viewer_(viewer), today_(today) {}
    void note(KeyHash key) {
        if (size_ == keys_max) return void(broad_ = true);
        keys_[size_++] = key;
    }
    // A table as a whole: it changes with every write to it.
    void note_wide(KeyHash table) { note(table), wide_ = true; }
    std::span<KeyHash const> keys() const { return {keys_.data(), size_}; }
    bool broad() const { return broad_; }
    bool wide() const { return wide_ || broad_; }
    Viewer const& viewer() const { return viewer_; }
    // A member of the state of the past as it is now; null: this is a read of now.
    template <class Member>
    Member const* now(Member const* member) const {
        if (!today_.now) return nullptr;
        auto const at = reinterpret_cast<char const*>(member) - static_cast<char const*>(today_.past);
        return reinterpret_cast<Member const*>(static_cast<char const*>(today_.now) + at);
    }

   private:
    Viewer const& viewer_;
    Today today_;
    std::size_t size_ = 0;
    bool broad_ = false, wide_ = false;
    std::array<KeyHash, keys_max> keys_;
};

// The position of the last touch of each key, by hash: lossy on the safe side (two keys may share a stamp). Written under the
// service's lock, read without it.
class Stamps {
   public:
    static constexpr std::size_t size = 1u << 14;
    void touch(KeyHash key, std::uint64_t position) { stamps_[key & (size - 1)].store(position, std::memory_order_release); }
    std::uint64_t last(KeyHash key) const { return stamps_[key & (size - 1)].load(std::memory_order_acquire); }

   private:
    std::array<std::atomic<std::uint64_t>, size> stamps_{};
};

// Where apply's touches go while the service runs live; replay tracks nothing.
struct Writing {
    Stamps& stamps;
    std::uint64_t position;
    std::vector<KeyHash>* touched = nullptr;  // for waiters, when there are any
};

inline constinit thread_local Reading* reading = nullptr;
inline constinit thread_local Writing* writing = nullptr;

template <class Row>
concept HasVisibility = requires(Row const& row, Viewer const& viewer) {
    { visible(row, viewer) } -> std::convertible_to<bool>;
};
// A service says who may see a row by a function `bool visible(Row const&, Viewer const&)` beside the row; without one, everyone.
template <class Row>
bool may_see(Row const& row, Viewer const& viewer) {
    if constexpr (HasVisibility<Row>)
        return viewer.sees_all || visible(row, viewer);
    else
        return true;
}
// The part of a table that tracking needs. `salt` is given by the runtime, the same for the same member of every copy.
class Tracked {
   public:
    void set_salt(std::uint64_t salt) { salt_ = mix64(salt); }

   protected:
    KeyHash key_of_hash(std::uint64_t key) const { return salt_ ^ key; }
    void note(std::uint64_t key) const {
        if (reading) reading->note(salt_ ^ key);
    }
    void note_all() const {
        if (reading) reading->note_wide(salt_);
    }
    // Touches the key, and the table as a whole for those who listed or counted it.
    void touch(std::uint64_t key) {
        auto* const to = writing;
        if (!to) return;
        to->stamps.touch(salt_ ^ key, to->position);
        to->stamps.touch(salt_, to->position);
        if (to->touched) [[unlikely]]
            to->touched->insert(to->touched->end(), {salt_ ^ key, salt_});
    }

   private:
    std::uint64_t salt_ = 0;
};

}  // namespace state
}  // namespace gantry
