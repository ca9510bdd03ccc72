#include "kernel/auth/jwt_callers.h"

#include <sodium.h>

#include <algorithm>
#include <cstring>

#include "kernel/auth/names.h"

namespace gantry::auth {
namespace {

// Whether everything that `pattern` allows is allowed by `most`: the pattern itself, read as a scope, must be.
bool is_within(std::string_view pattern, Scopes const& most) { return most.allow(pattern == "*" ? std::string_view("*:*") : pattern); }

}  // namespace

Result<std::unique_ptr<JwtCallers>> JwtCallers::make(JwtSettings settings) {
    std::vector<Fault> faults;
    auto say = [&](char const* pointer, std::string what) { faults.push_back({pointer, std::move(what)}); };
    if (settings.expected.issuer.empty()) say("/issuer", "expected the issuer's URL, as it stands in tokens");
    if (settings.expected.audiences.empty())
        say("/audiences", "expected at least one audience: without it a token for anyone else would do");
    if (settings.expected.algorithms.empty()) say("/algorithms", "expected at least one algorithm");
    if (!settings.name_prefix.empty() && !is_caller_name(settings.name_prefix))
        say("/name_prefix", "expected the beginning of a caller's name");
    auto most = Scopes::parse(settings.scopes_max), given = Scopes::parse(settings.scopes);
    if (!most) say("/scopes_max", most.error().detail);
    if (!given) say("/scopes", given.error().detail);
    if (!faults.empty()) {
        auto detail = faults.front().detail;
        return fail(Problem{400, "jwt_settings_invalid", std::move(detail), std::move(faults)});
    }
    std::unique_ptr<JwtCallers> out(new JwtCallers(std::move(settings)));
    out->scopes_max_ = std::move(*most);
    return out;
}

std::size_t JwtCallers::HashOfHash::operator()(Hash const& hash) const {
    std::size_t out;
    std::memcpy(&out, hash.data(), sizeof out);
    return out;
}

Result<CallerTraits> JwtCallers::traits_of(JwtClaims const& claims) const {
    CallerTraits out;
    out.name = settings_.name_prefix + claims.name;
    if (!is_caller_name(out.name))
        return fail(401, "jwt_name_unusable",
                    "The token's name of the caller must be 1 to 62 characters of [A-Za-z0-9_.-], the first a letter or a digit.");
    std::vector<std::string> scopes;
    for (auto const& scope : claims.scopes)
        if (Scopes::is_pattern(scope) && is_within(scope, scopes_max_) && scopes.size() < Scopes::patterns_max) scopes.push_back(scope);
    TRY_ASSIGN(out.scopes, Scopes::parse(claims.scopes.empty() ? settings_.scopes : scopes));
    out.teams = claims.groups, out.limits = settings_.limits;
    return out;
}

std::shared_ptr<Caller const> JwtCallers::caller_of(CallerTraits traits) {
    auto const name = traits.name;
    auto caller = std::make_shared<Caller const>(std::move(traits), limiters_[name].lock());
    limiters_[name] = caller->shared_limiter();
    if (limiters_.size() > 2 * settings_.entries_max) std::erase_if(limiters_, [](auto const& at) { return at.second.expired(); });
    return caller;
}

void JwtCallers::keep(Hash const& hash, Entry entry) {
    entry.number = ++kept_;
    oldest_first_.emplace_back(hash, entry.number);
    entries_.insert_or_assign(hash, std::move(entry));
    while (entries_.size() > settings_.entries_max || oldest_first_.size() > 2 * settings_.entries_max) {
        auto const [oldest, number] = oldest_first_.front();
        oldest_first_.pop_front();
        auto const at = entries_.find(oldest);
        if (at != entries_.end() && at->second.number == number) entries_.erase(at);
    }
}

Result<Identity> JwtCallers::by_jwt(std::string_view token, Time now) {
    Hash hash;
    crypto_hash_sha256(hash.data(), reinterpret_cast<unsigned char const*>(token.data()), token.size());
    std::shared_ptr<JwtKeys const> keys;
    {
        std::lock_guard lock(mutex_);
        auto const at = entries_.find(hash);
        if (at != entries_.end() && at->second.identity.holds(now)) return at->second.identity;
        keys = keys_;
    }
    if (!keys) {
        Problem p{503, "jwt_keys_missing", "The keys of the token's issuer are not there yet."};
        p.retry_after_s = 5;
        return fail(std::move(p));
    }
    auto verified = verify_jwt(token, *keys, settings_.expected, now);
    if (!verified) {
        std::lock_guard lock(mutex_);
        key_missing_ = key_missing_ || verified.error().code == "jwt_key_unknown";
        return fail(std::move(verified.error()));
    }
    TRY_ASSIGN(auto traits, traits_of(verified->claims));
    std::lock_guard lock(mutex_);
    Identity identity{caller_of(std::move(traits)), {}, verified->claims.expires_at + settings_.expected.leeway};
    // Keys that changed meanwhile may no longer hold this one: the next request asks again.
    if (keys == keys_) keep(hash, {identity, verified->key, 0});
    return identity;
}

void JwtCallers::set_keys(JwtKeys keys) {
    std::lock_guard lock(mutex_);
    keys_ = std::make_shared<JwtKeys const>(std::move(keys));
    key_missing_ = false;
    std::erase_if(entries_, [&](auto const& at) {
        if (keys_->holds(at.second.key)) return false;
        return at.second.identity.caller->end(), true;
    });
}

bool JwtCallers::wants_keys(std::int64_t now_ns) {
    std::lock_guard lock(mutex_);
    if (!key_missing_ || (asked_ns_ && now_ns - *asked_ns_ < settings_.fetch_every_min.us * 1000)) return false;
    asked_ns_ = now_ns;
    return true;
}

std::size_t JwtCallers::size() const {
    std::lock_guard lock(mutex_);
    return entries_.size();
}

}  // namespace gantry::auth
