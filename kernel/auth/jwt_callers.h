#pragma once
#include <array>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "kernel/auth/caller.h"
#include "kernel/auth/jwt.h"

namespace gantry::auth {

struct JwtSettings {
    JwtExpectations expected;
    std::string name_prefix;                      // in front of the name, so that a provider's names meet no others
    std::vector<std::string> scopes;              // of one whose token says none
    std::vector<std::string> scopes_max = {"*"};  // what a token may give at most
    RateLimits limits;
    std::size_t entries_max = 10'000;  // tokens remembered
    Duration fetch_every_min = Duration::seconds(60);
};

// Callers by the tokens of an identity provider. Its keys come from whoever fetches them. Safe from any thread.
class JwtCallers {
   public:
    // 400 "jwt_settings_invalid".
    static Result<std::unique_ptr<JwtCallers>> make(JwtSettings settings);

    // A token that was verified before costs a hash until it expires; others a verification (tens of microseconds; ES256 and EdDSA over a
    // hundred). Problems of verify_jwt(); 401 "jwt_name_unusable"; 503 "jwt_keys_missing" before the first keys came. Scopes that are no
    // patterns of this program ("openid", "profile") are passed over, as are those beyond `scopes_max`.
    Result<Identity> by_jwt(std::string_view token, Time now);

    // What was verified by a key that is gone is forgotten, and its callers are ended.
    void set_keys(JwtKeys keys);
    // Whether the owner should fetch the keys now: there are none, or a token named one that isn't known. True at most every
    // `fetch_every_min`, whatever tokens come, and saying so counts as a try.
    bool wants_keys(std::int64_t now_ns);
    std::size_t size() const;

   private:
    using Hash = std::array<std::uint8_t, 32>;
    struct HashOfHash {
        std::size_t operator()(Hash const& hash) const;
    };
    struct Entry {
        Identity identity;
        JwtKey key;
        std::uint64_t number;
    };
    explicit JwtCallers(JwtSettings settings) : settings_(std::move(settings)) {}
    Result<CallerTraits> traits_of(JwtClaims const& claims) const;
    std::shared_ptr<Caller const> caller_of(CallerTraits traits);
    void keep(Hash const& hash, Entry entry);
    JwtSettings settings_;
    Scopes scopes_max_;
    mutable std::mutex mutex_;
    std::shared_ptr<JwtKeys const> keys_;
    std::unordered_map<Hash, Entry, HashOfHash> entries_;
    std::deque<std::pair<Hash, std::uint64_t>> oldest_first_;
    std::map<std::string, std::weak_ptr<CallerLimiter>, std::less<>> limiters_;  // by name: another token is no other caller
    std::uint64_t kept_ = 0;
    bool key_missing_ = true;
    std::optional<std::int64_t> asked_ns_;
};

}  // namespace gantry::auth
