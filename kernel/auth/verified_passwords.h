#pragma once
#include <cstdint>
#include <deque>
#include <mutex>
#include <optional>
#include <string_view>
#include <unordered_map>

#include "kernel/auth/caller.h"
#include "kernel/base/random.h"
#include "kernel/codec/keyed_hash.h"

namespace gantry::auth {

// Passwords that were verified a moment ago, so that not every request of a Basic client costs a tenth of a second. What is kept of the
// header is a hash under a key of this process. Safe from any thread.
class VerifiedPasswords {
   public:
    struct Limits {
        std::size_t entries_max = 10'000;
        Duration lifetime = Duration::seconds(600);
    };
    explicit VerifiedPasswords(Random& random) : VerifiedPasswords(random, Limits{}) {}
    VerifiedPasswords(Random& random, Limits limits);

    // `header` is the whole value of Authorization; `generation` that of the directory, now.
    std::optional<Identity> find(std::string_view header, std::uint64_t generation, Time now) const;
    // `generation` was read before the password was verified. The oldest entry makes room.
    void keep(std::string_view header, Identity identity, std::uint64_t generation, Time now);
    std::size_t size() const;

   private:
    struct Hash {
        std::size_t operator()(codec::KeyedHash const& hash) const;
    };
    struct Entry {
        Identity identity;
        std::uint64_t generation;
        Time until;
        std::uint64_t number;  // of the keep() that made it
    };
    Limits limits_;
    codec::HashKey key_;
    mutable std::mutex mutex_;
    std::unordered_map<codec::KeyedHash, Entry, Hash> entries_;
    std::deque<std::pair<codec::KeyedHash, std::uint64_t>> oldest_first_;
    std::uint64_t kept_ = 0;
};

}  // namespace gantry::auth
