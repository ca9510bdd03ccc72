#pragma once
#include <cstdint>
#include <span>
#include <string_view>

#include "kernel/auth/caller.h"

namespace gantry::auth {

// Knows the callers of a site and what they show. All is safe from any thread. Every failure is a Problem 401 that doesn't say what was
// shown: "token_malformed", "token_unknown", "token_expired", "token_revoked", "password_wrong" (of an unknown caller, too),
// "password_expired", "code_missing" (the password is right, and a second thing is asked for), "code_wrong", "certificate_unknown",
// "certificate_ambiguous", "certificate_expired", "certificate_revoked", "caller_unknown", "caller_disabled".
class CallerDirectory {
   public:
    virtual ~CallerDirectory() = default;
    // Well below 20 us: for the thread of the connection.
    virtual Result<Identity> by_token(std::string_view token, Time now) const = 0;
    // The names of a certificate that was verified already: subject's common name, alternative names.
    virtual Result<Identity> by_certificate(std::span<std::string_view const> names, Time now) const = 0;
    // A trusted proxy's word, or a session's caller.
    virtual Result<Identity> by_name(std::string_view name, Time now) const = 0;
    // Slow by intent (PasswordCost): for a worker's thread. An unknown caller costs the same and gets the same answer as a wrong password.
    virtual Result<Identity> by_password(std::string_view name, std::string_view password, Time now) const = 0;
    // The same with a code of an authenticator, or a recovery code. May wait until it is durable that the code was used.
    virtual Result<Identity> by_password_and_code(std::string_view name, std::string_view password, std::string_view, Time now) const {
        return by_password(name, password, now);
    }
    // What a browser made a passkey say, as JSON: see services/accounts/passkeys.h (401 "passkey_unknown" and others). As slow as a
    // password.
    virtual Result<Identity> by_passkey(std::string_view, Time) const {
        return fail(401, "passkey_unknown", "No account here has this passkey: there are no accounts.");
    }
    // Another number after each change.
    virtual std::uint64_t generation() const = 0;
    // Whether someone could be recognised, now or since the start: who once asked for credentials doesn't open when all are taken away.
    virtual bool has_callers() const = 0;
};

}  // namespace gantry::auth
