#include "kernel/auth/jwt_sign.h"

#include <gtest/gtest.h>

#include "kernel/auth/base64url.h"
#include "kernel/auth/jwt.h"

namespace gantry::auth {
namespace {

constexpr std::string_view claims = R"({"iss":"https://a.example","sub":"u_1","aud":"tl_1","exp":1000000600,"iat":1000000000})";

JwtKeys set_of(JwtSigningKey const& key) { return *JwtKeys::parse("{\"keys\":[" + key.jwk() + "]}"); }

TEST(JwtSigningKey, WhatItSignsIsVerifiedByItsPublicHalfAlone) {
    auto const key = JwtSigningKey::make(), other = JwtSigningKey::make();
    auto const token = key.sign(claims);
    JwtExpectations const expected{.issuer = "https://a.example", .audiences = {"tl_1"}};
    auto const verified = verify_jwt(token, set_of(key), expected, Time{1'000'000'001'000'000});
    ASSERT_TRUE(verified) << verified.error().detail;
    EXPECT_EQ(verified->claims.name, "u_1");
    EXPECT_EQ(verified->key.kid, key.kid());
    EXPECT_EQ(verify_jwt(token, set_of(other), expected, Time{1'000'000'001'000'000}).error().code, "jwt_key_unknown");
    EXPECT_EQ(key.jwk().find("\"d\""), std::string::npos);
}

TEST(JwtSigningKey, IsWrittenAndReadAgain) {
    auto const key = JwtSigningKey::make();
    auto const again = JwtSigningKey::of_der(key.der());
    ASSERT_TRUE(again);
    EXPECT_EQ(again->kid(), key.kid());
    EXPECT_EQ(again->sign(claims), key.sign(claims)) << "the same text for the same claims";
    EXPECT_FALSE(JwtSigningKey::of_der(""));
    EXPECT_FALSE(JwtSigningKey::of_der("no key"));
    EXPECT_FALSE(JwtSigningKey::of_der(key.der().substr(0, 300)));
}

TEST(JwtSigningKey, SignedClaimsAreReadOfItsTypeAlone) {
    auto const key = JwtSigningKey::make();
    auto const keys = set_of(key);
    EXPECT_EQ(signed_claims(key.sign(claims), keys).value_or(""), claims);
    EXPECT_EQ(signed_claims(key.sign(claims, "logout+jwt"), keys, "logout+jwt").value_or(""), claims);
    EXPECT_EQ(signed_claims(key.sign(claims, "logout+jwt"), keys).error().code, "jwt_type_wrong");
    auto forged = key.sign(claims);
    auto const dot = forged.find('.') + 1;
    forged.replace(dot, forged.rfind('.') - dot, base64url(R"({"sub":"u_2"})"));
    EXPECT_EQ(signed_claims(forged, keys).error().code, "jwt_signature_wrong");
    EXPECT_EQ(signed_claims("a.b", keys).error().code, "jwt_malformed");
    auto const none = base64url(R"({"alg":"none"})") + "." + base64url(claims) + ".";
    EXPECT_EQ(signed_claims(none, keys).error().code, "jwt_algorithm_refused");
}

}  // namespace
}  // namespace gantry::auth
