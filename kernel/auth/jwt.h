#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "kernel/auth/jwks.h"
#include "kernel/base/result.h"
#include "kernel/base/time.h"

namespace gantry::auth {

// What a JWT (RFC 7519, signed as compact JWS, RFC 7515; checks after RFC 8725) must say.
struct JwtExpectations {
    std::string issuer;
    std::vector<std::string> audiences;  // one of them
    std::string name_claim = "sub";
    std::string groups_claim = "groups";
    std::vector<JwtAlgorithm> algorithms = {JwtAlgorithm::rs256, JwtAlgorithm::ps256, JwtAlgorithm::es256, JwtAlgorithm::eddsa};
    std::vector<std::string> types = {"JWT", "at+jwt"};  // of `typ`, where there is one
    Duration leeway = Duration::seconds(60);             // for clocks that differ
    std::size_t bytes_max = 8 * 1024;
};

struct JwtClaims {
    std::string name;
    std::vector<std::string> scopes, groups;
    Time expires_at;  // as it says, without leeway
};
struct VerifiedJwt {
    JwtClaims claims;
    JwtKey key;  // by which it was verified
};

// Claims are read only of a token whose signature is right. Problems are 401 and repeat nothing of the token: "jwt_too_large",
// "jwt_malformed", "jwt_type_wrong", "jwt_critical_unknown", "jwt_algorithm_refused", "jwt_key_unknown", "jwt_signature_wrong",
// "jwt_claim_malformed", "jwt_issuer_wrong", "jwt_audience_wrong", "jwt_expiry_missing", "jwt_expired", "jwt_not_yet_valid".
Result<VerifiedJwt> verify_jwt(std::string_view token, JwtKeys const& keys, JwtExpectations const& expected, Time now);

// The claims of a token of this type whose RS256 signature is right, as JSON. Whether it has expired, whose it is and for whom is the
// caller's to look at: for a token that a provider made itself, and gets back. Problems as above.
Result<std::string> signed_claims(std::string_view token, JwtKeys const& keys, std::string_view type = "JWT");

// A provider's metadata (OpenID Connect Discovery 1.0 §3; the document lies at the issuer's URL + "/.well-known/openid-configuration").
struct Discovery {
    std::string issuer, jwks_uri;
};
// 400 "discovery_invalid": of another issuer than was asked (§4.3), or keys that would not come by https (http on loopback may).
Result<Discovery> parse_discovery(std::string_view json, std::string_view issuer);

}  // namespace gantry::auth
