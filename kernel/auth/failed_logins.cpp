#include "kernel/auth/failed_logins.h"

#include <algorithm>

#include "kernel/auth/limiter.h"
#include "kernel/base/hash.h"

namespace gantry::auth {

FailedLogins::FailedLogins(Random& random, Limits limits) : limits_(limits), seed_(random.next()) {}

// The seed is this process's own: nobody can make two keys meet.
std::uint64_t FailedLogins::key_of(IpAddress const& address) const {
    auto const network = network_of(address);
    return hash64({reinterpret_cast<char const*>(network.bytes.data()), network.bytes.size()}, seed_);
}
std::uint64_t FailedLogins::key_of(std::string_view name) const { return hash64(name, seed_ + 1); }

std::int64_t FailedLogins::wait_ns(std::uint64_t key, std::int64_t now_ns) {
    auto const at = entries_.find(key);
    return at == entries_.end() || at->second.blocked_until_ns <= now_ns ? 0 : at->second.blocked_until_ns - now_ns;
}

Result<void> FailedLogins::check(IpAddress const& address, std::string_view name, std::int64_t now_ns) {
    std::int64_t wait = 0;
    {
        std::lock_guard lock(mutex_);
        wait = wait_ns(key_of(address), now_ns);
        if (!name.empty()) wait = std::max(wait, wait_ns(key_of(name), now_ns));
    }
    if (wait == 0) return {};
    Problem p{429, "too_many_failures", "Signing in failed too often: wait before the next try."};
    p.retry_after_s = retry_after_s(wait);
    return fail(std::move(p));
}

void FailedLogins::count(std::uint64_t key, Duration wait_max, std::int64_t now_ns) {
    auto [at, fresh] = entries_.try_emplace(key);
    auto& entry = at->second;
    if (!fresh && now_ns - entry.last_ns > limits_.forget_after.us * 1000) entry.failures = 0;
    entry.last_ns = now_ns, entry.number = ++made_;
    oldest_first_.emplace_back(key, entry.number);
    if (++entry.failures > limits_.free_failures) {
        int const doublings = std::min(entry.failures - limits_.free_failures - 1, 30);
        entry.blocked_until_ns = now_ns + std::min(limits_.first_wait.us << doublings, wait_max.us) * 1000;
    }
    while (entries_.size() > limits_.entries_max || oldest_first_.size() > 2 * limits_.entries_max) {
        auto const [oldest, number] = oldest_first_.front();
        oldest_first_.pop_front();
        auto const found = entries_.find(oldest);
        if (found != entries_.end() && found->second.number == number) entries_.erase(found);
    }
}

void FailedLogins::failed(IpAddress const& address, std::string_view name, std::int64_t now_ns) {
    std::lock_guard lock(mutex_);
    count(key_of(address), limits_.address_wait_max, now_ns);
    if (!name.empty()) count(key_of(name), limits_.name_wait_max, now_ns);
}

void FailedLogins::succeeded(std::string_view name) {
    std::lock_guard lock(mutex_);
    entries_.erase(key_of(name));
}

std::size_t FailedLogins::size() const {
    std::lock_guard lock(mutex_);
    return entries_.size();
}

}  // namespace gantry::auth
