#include "kernel/auth/verified_passwords.h"

#include <algorithm>
#include <cstring>

namespace gantry::auth {

VerifiedPasswords::VerifiedPasswords(Random& random, Limits limits) : limits_(limits) { random.fill(key_); }

std::size_t VerifiedPasswords::Hash::operator()(codec::KeyedHash const& hash) const {
    std::size_t out;
    std::memcpy(&out, hash.data(), sizeof out);
    return out;
}

std::optional<Identity> VerifiedPasswords::find(std::string_view header, std::uint64_t generation, Time now) const {
    auto const hash = codec::keyed_hash(key_, header);
    std::lock_guard lock(mutex_);
    auto const at = entries_.find(hash);
    if (at == entries_.end() || at->second.generation != generation || at->second.until <= now || !at->second.identity.holds(now))
        return {};
    return at->second.identity;
}

void VerifiedPasswords::keep(std::string_view header, Identity identity, std::uint64_t generation, Time now) {
    auto const hash = codec::keyed_hash(key_, header);
    std::lock_guard lock(mutex_);
    auto const number = ++kept_;
    entries_.insert_or_assign(hash, Entry{std::move(identity), generation, now + limits_.lifetime, number});
    oldest_first_.emplace_back(hash, number);
    while (entries_.size() > limits_.entries_max || oldest_first_.size() > 2 * limits_.entries_max) {
        auto const [oldest, made_by] = oldest_first_.front();
        oldest_first_.pop_front();
        auto const at = entries_.find(oldest);
        if (at != entries_.end() && at->second.number == made_by) entries_.erase(at);
    }
}

std::size_t VerifiedPasswords::size() const {
    std::lock_guard lock(mutex_);
    return entries_.size();
}

}  // namespace gantry::auth
