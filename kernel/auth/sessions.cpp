#include "kernel/auth/sessions.h"

#include <sodium.h>

#include <algorithm>
#include <cstring>

#include "kernel/auth/base64url.h"
#include "kernel/codec/utf8.h"

namespace gantry::auth {
namespace {

std::string_view chars(std::span<std::uint8_t const> bytes) { return {reinterpret_cast<char const*>(bytes.data()), bytes.size()}; }

}  // namespace

std::string cut_device(std::string_view device) {
    std::string out;
    for (std::size_t i = 0; i < device.size();) {
        auto const n = codec::utf8_length_at(device, i);
        if (out.size() + std::max<std::size_t>(n, 1) > Sessions::device_bytes_max) break;
        bool const plain = n > 0 && static_cast<unsigned char>(device[i]) >= 0x20 && device[i] != 0x7f;
        out.append(plain ? device.substr(i, n) : "?");
        i += std::max<std::size_t>(n, 1);
    }
    return out;
}

std::size_t Sessions::HashOfHash::operator()(Hash const& hash) const {
    std::size_t out;
    std::memcpy(&out, hash.data(), sizeof out);
    return out;
}

Sessions::Hash Sessions::hash_of(std::string_view id) {
    Hash hash;
    crypto_hash_sha256(hash.data(), reinterpret_cast<unsigned char const*>(id.data()), id.size());
    return hash;
}

Time Sessions::ends_at(Session const& session) const {
    return std::min(session.seen.started_at + limits_.absolute, session.seen.seen_at + limits_.idle);
}

Sessions::Table::iterator Sessions::remove(Table::iterator at, Time now, End how) {
    if (how == End::told) {
        ended_.insert_or_assign(at->first, now + limits_.ended_told);
        ended_oldest_first_.emplace_back(at->first, now + limits_.ended_told);
    }
    while (!ended_oldest_first_.empty() && (ended_oldest_first_.size() > limits_.ended_max || ended_oldest_first_.front().second <= now)) {
        ended_.erase(ended_oldest_first_.front().first);
        ended_oldest_first_.pop_front();
    }
    return sessions_.erase(at);
}

void Sessions::make_room(std::string_view caller_name, Time now) {
    std::size_t own = 0;
    auto oldest = sessions_.end(), oldest_own = sessions_.end();
    for (auto at = sessions_.begin(); at != sessions_.end();) {
        if (ends_at(at->second) <= now) {
            at = remove(at, now, End::silent);
            continue;
        }
        auto older = [&](auto than) { return than == sessions_.end() || at->second.seen.seen_at < than->second.seen.seen_at; };
        bool const is_own = at->second.caller->name() == caller_name;
        own += is_own;
        if (is_own && older(oldest_own)) oldest_own = at;
        if (older(oldest)) oldest = at;
        ++at;
    }
    if (own >= limits_.per_caller_max)
        remove(oldest_own, now, End::told);
    else if (sessions_.size() >= limits_.sessions_max)
        remove(oldest, now, End::told);
}

std::string Sessions::start(std::shared_ptr<Caller const> caller, IpAddress const& address, std::string_view device, Time now) {
    std::array<std::uint8_t, 32> secret;
    std::array<std::uint8_t, 9> handle;
    std::lock_guard lock(mutex_);
    random_.fill(secret), random_.fill(handle);
    auto id = base64url(chars(secret));
    make_room(caller->name(), now);
    Session session{std::move(caller), {base64url(chars(handle)), now, now, {}, address, cut_device(device)}};
    sessions_.emplace(hash_of(id), std::move(session));
    return id;
}

Result<Identity> Sessions::find(std::string_view id, IpAddress const& address, Time now) {
    auto const hash = hash_of(id);
    std::lock_guard lock(mutex_);
    auto const at = sessions_.find(hash);
    if (at == sessions_.end()) {
        auto const ended = ended_.find(hash);
        if (ended != ended_.end() && now < ended->second) return fail(401, "session_ended", "The session was ended: sign in again.");
        return fail(401, "session_unknown", "There is no such session: sign in.");
    }
    auto& session = at->second;
    if (session.caller->is_ended()) {
        remove(at, now, End::told);
        return fail(401, "session_ended", "The session was ended: sign in again.");
    }
    if (now >= ends_at(session)) {
        remove(at, now, End::silent);
        return fail(401, "session_expired", "The session has expired: sign in again.");
    }
    session.seen.seen_at = std::max(session.seen.seen_at, now), session.seen.address = address;
    return Identity{session.caller, session.seen.handle, ends_at(session)};
}

template <class Pick>
std::size_t Sessions::end_if(Time now, Pick pick) {
    std::size_t ended = 0;
    for (auto at = sessions_.begin(); at != sessions_.end();) {
        if (!pick(*at)) {
            ++at;
            continue;
        }
        at = remove(at, now, End::told), ++ended;
    }
    return ended;
}

bool Sessions::end(std::string_view id, Time now) {
    std::lock_guard lock(mutex_);
    auto const at = sessions_.find(hash_of(id));
    if (at == sessions_.end()) return false;
    return remove(at, now, End::told), true;
}

bool Sessions::end_one(std::string_view caller_name, std::string_view handle, Time now) {
    std::lock_guard lock(mutex_);
    return end_if(now, [&](auto const& at) { return at.second.caller->name() == caller_name && at.second.seen.handle == handle; }) > 0;
}

std::size_t Sessions::end_all(std::string_view caller_name, Time now, std::string_view but) {
    auto const kept = hash_of(but);
    std::lock_guard lock(mutex_);
    return end_if(now, [&](auto const& at) { return at.second.caller->name() == caller_name && (but.empty() || at.first != kept); });
}

std::vector<SessionSeen> Sessions::list(std::string_view caller_name, std::string_view current_id, Time now) const {
    auto const current = hash_of(current_id);
    std::vector<SessionSeen> out;
    {
        std::lock_guard lock(mutex_);
        for (auto const& [hash, session] : sessions_) {
            if (session.caller->name() != caller_name || session.caller->is_ended() || ends_at(session) <= now) continue;
            out.push_back(session.seen);
            out.back().ends_at = ends_at(session), out.back().current = !current_id.empty() && hash == current;
        }
    }
    std::ranges::sort(out,
                      [](auto const& a, auto const& b) { return std::tie(b.started_at, a.handle) < std::tie(a.started_at, b.handle); });
    return out;
}

std::size_t Sessions::size() const {
    std::lock_guard lock(mutex_);
    return sessions_.size();
}

}  // namespace gantry::auth
