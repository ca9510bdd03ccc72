#pragma once
#include <cstdint>
#include <deque>
#include <mutex>
#include <string_view>
#include <unordered_map>

#include "kernel/auth/address.h"
#include "kernel/base/random.h"
#include "kernel/base/result.h"
#include "kernel/base/time.h"

namespace gantry::auth {

// Slows down who guesses: after some failures each further one doubles the wait, for the address (of IPv6 its /64) and for the name. The
// wait for a name is short, for anyone can fail in another's name. Safe from any thread.
class FailedLogins {
   public:
    struct Limits {
        int free_failures = 5;
        Duration first_wait = Duration::seconds(1);
        Duration address_wait_max = Duration::seconds(900);
        Duration name_wait_max = Duration::seconds(30);
        Duration forget_after = Duration::seconds(3600);  // without a failure
        std::size_t entries_max = 20'000;                 // addresses and names together; the oldest makes room
    };
    explicit FailedLogins(Random& random) : FailedLogins(random, Limits{}) {}
    FailedLogins(Random& random, Limits limits);

    // Asked before a password is verified, and before a token that isn't known yet is looked up. 429 "too_many_failures" with
    // retry_after_s. An empty name counts for the address alone.
    Result<void> check(IpAddress const& address, std::string_view name, std::int64_t now_ns);
    void failed(IpAddress const& address, std::string_view name, std::int64_t now_ns);
    // Forgets the failures in this name; those of the address stay, for one who knows one password may guess others.
    void succeeded(std::string_view name);
    std::size_t size() const;

   private:
    struct Entry {
        int failures = 0;
        std::int64_t last_ns = 0, blocked_until_ns = INT64_MIN / 2;  // far, and not so far that a difference overflows
        std::uint64_t number = 0;
    };
    std::uint64_t key_of(IpAddress const& address) const;
    std::uint64_t key_of(std::string_view name) const;
    std::int64_t wait_ns(std::uint64_t key, std::int64_t now_ns);
    void count(std::uint64_t key, Duration wait_max, std::int64_t now_ns);
    Limits limits_;
    std::uint64_t seed_;
    mutable std::mutex mutex_;
    std::unordered_map<std::uint64_t, Entry> entries_;
    std::deque<std::pair<std::uint64_t, std::uint64_t>> oldest_first_;
    std::uint64_t made_ = 0;
};

}  // namespace gantry::auth
