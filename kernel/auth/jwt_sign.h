#pragma once
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "kernel/auth/jwks.h"

struct evp_pkey_st;

namespace gantry::auth {

// A private key that signs JWTs by RS256, which every relying party can verify. Copies share it; safe from any thread.
class JwtSigningKey {
   public:
    static constexpr unsigned rsa_bits = 2048;
    // By OpenSSL's own randomness; takes a tenth of a second.
    static JwtSigningKey make();
    // What der() gave; nothing for anything else.
    static std::optional<JwtSigningKey> of_der(std::string_view der);

    std::string der() const;  // PKCS #8, in clear: to be sealed before it is kept
    std::string kid() const;  // the thumbprint of RFC 7638
    std::string jwk() const;  // the public half, as a member of a key set
    // A compact JWS over the claims, a JSON object. The same text for the same claims. Takes about a millisecond.
    std::string sign(std::string_view claims, std::string_view type = "JWT") const;

   private:
    std::shared_ptr<evp_pkey_st> key_;
};

}  // namespace gantry::auth
