#pragma once
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "kernel/base/result.h"

struct evp_pkey_st;

namespace gantry::auth {

// RFC 7518 §3, RFC 8037. `none` and the symmetric HS* are refused: whoever can verify those can sign.
enum class JwtAlgorithm { rs256, ps256, es256, eddsa };
std::string_view name_of(JwtAlgorithm algorithm);
std::optional<JwtAlgorithm> algorithm_named(std::string_view name);

// A public key of a set. Copies share it; safe from any thread.
class JwtKey {
   public:
    std::string kid;                        // may be empty
    std::optional<JwtAlgorithm> algorithm;  // what the key says it is for alone
    // Whether a key of this type may carry the algorithm, and the key itself allows it.
    bool fits(JwtAlgorithm algorithm) const;
    // `signature` as JWS has it: for ES256 64 bytes R and S, for EdDSA 64, for RSA as many as the modulus.
    bool verify(JwtAlgorithm algorithm, std::string_view signed_text, std::string_view signature) const;

   private:
    friend class JwtKeys;
    enum class Type { rsa, p256, ed25519 } type_ = Type::rsa;
    std::shared_ptr<evp_pkey_st> key_;
};

// A JSON Web Key Set (RFC 7517).
class JwtKeys {
   public:
    static constexpr std::size_t bytes_max = 256 * 1024, keys_max = 100;
    static constexpr int rsa_bits_min = 2048, rsa_bits_max = 8192;

    // Keys of other types or for other uses are left out, as RFC 7517 §5 says; so are those that are too weak, private, or broken, each
    // told by skipped(). 400 "jwks_invalid" when the text is no set, or no key of it can be used.
    static Result<JwtKeys> parse(std::string_view json);

    std::vector<JwtKey> const& all() const { return keys_; }
    // Whether the set has this very key, under the same kid.
    bool holds(JwtKey const& key) const;
    std::vector<std::string> const& skipped() const { return skipped_; }  // "key 2 (kid \"a\"): an RSA key of 1024 bits …"

   private:
    std::vector<JwtKey> keys_;
    std::vector<std::string> skipped_;
};

}  // namespace gantry::auth
