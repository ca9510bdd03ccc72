#include "kernel/auth/authorization.h"

#include <gtest/gtest.h>

#include "kernel/auth/secrets.h"
#include "kernel/codec/base64.h"

namespace gantry::auth {
namespace {

std::string basic(std::string_view plain) {
    std::string out = "Basic ";
    codec::append_base64(out, plain);
    return out;
}

TEST(Authorization, BasicThatIsTaken) {
    struct {
        std::string value, name, password;
    } const rows[] = {
        {"Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==", "Aladdin", "open sesame"},  // RFC 7617 §2
        {"basic dGVzdDoxMjPCow==", "test", "123£"},                        // RFC 7617 §2.1
        {"BASIC   dGVzdDoxMjPCow==", "test", "123£"},
        {basic("ann:a:b:"), "ann", "a:b:"},
        {basic("ann:"), "ann", ""},
        {basic(std::string(basic_name_bytes_max, 'n') + ":" + std::string(password_bytes_max, 'p')), std::string(basic_name_bytes_max, 'n'),
         std::string(password_bytes_max, 'p')},
    };
    for (auto const& row : rows) {
        auto const parsed = parse_authorization(row.value);
        ASSERT_TRUE(parsed) << row.value << parsed.error().detail;
        auto const& b = std::get<Basic>(*parsed);
        EXPECT_EQ(b.name, row.name);
        EXPECT_EQ(b.password, row.password);
    }
}

TEST(Authorization, BearerThatIsTaken) {
    for (std::string const token : {"abc", "a-._~+/z==", "gnt_x_y", "a.b.c"}) {
        std::string const header = "bearer " + token;
        auto const parsed = parse_authorization(header);
        ASSERT_TRUE(parsed) << token;
        EXPECT_EQ(std::get<Bearer>(*parsed).token, token);
        EXPECT_EQ(std::get<Bearer>(*parsed).is_jwt(), token == "a.b.c");
    }
    EXPECT_TRUE(parse_authorization("Bearer " + std::string(authorization_bytes_max - 7, 'a')));
    EXPECT_FALSE(parse_authorization("Bearer " + std::string(authorization_bytes_max - 6, 'a')));
}

TEST(Authorization, WhatIsRefusedAndNeverRepeated) {
    struct {
        std::string value, code;
    } const rows[] = {
        {"", "authorization_unsupported"},
        {"Digest username=\"sesame\"", "authorization_unsupported"},
        {"Basicsesame", "authorization_unsupported"},
        {" Basic sesame", "authorization_unsupported"},
        {"Basic", "authorization_malformed"},
        {"Basic ", "authorization_malformed"},
        {"Basic sesame", "authorization_malformed"},
        {"Basic dGVzdDoxMjPCow", "authorization_malformed"},
        {"Basic dGVzdDoxMjPCow== ", "authorization_malformed"},
        {basic("sesame"), "authorization_malformed"},
        {basic(":sesame"), "authorization_malformed"},
        {basic("ann:ses\tame"), "authorization_malformed"},
        {basic(std::string_view("ann:ses\0ame", 11)), "authorization_malformed"},
        {basic("ann:ses\xff"
               "ame"),
         "authorization_malformed"},
        {basic(std::string(basic_name_bytes_max + 1, 'n') + ":p"), "authorization_malformed"},
        {basic("n:" + std::string(password_bytes_max + 1, 'p')), "authorization_malformed"},
        {"Bearer ", "authorization_malformed"},
        {"Bearer sesame sesame", "authorization_malformed"},
        {"Bearer sesame,", "authorization_malformed"},
        {"Bearer =", "authorization_malformed"},
        {"Bearer ses=ame", "authorization_malformed"},
        {"Bearer \"sesame\"", "authorization_malformed"},
    };
    for (auto const& row : rows) {
        auto const parsed = parse_authorization(row.value);
        ASSERT_FALSE(parsed) << row.value;
        EXPECT_EQ(parsed.error().status, 401);
        EXPECT_EQ(parsed.error().code, row.code) << row.value;
        EXPECT_EQ(parsed.error().detail.find("sesame"), std::string::npos) << parsed.error().detail;
    }
}

TEST(Authorization, Challenges) {
    EXPECT_EQ(basic_challenge("main"), "Basic realm=\"main\", charset=\"UTF-8\"");
    EXPECT_EQ(bearer_challenge("main"), "Bearer realm=\"main\"");
    EXPECT_EQ(bearer_challenge("main", "invalid_token"), "Bearer realm=\"main\", error=\"invalid_token\"");
}

TEST(Secrets, TokensAreReadStrictly) {
    SeededRandom random(1);
    auto const id = make_credential_id(random);
    EXPECT_TRUE(is_credential_id(id));
    EXPECT_EQ(id.size(), 12u);
    auto const token = make_token(id, random);
    EXPECT_EQ(token.size(), 4 + 12 + 1 + 43u);
    auto const parts = parse_token(token);
    ASSERT_TRUE(parts);
    EXPECT_EQ(parts->id, id);
    auto const hash = token_hash(token);
    EXPECT_TRUE(is_token_hash(hash));
    EXPECT_TRUE(token_matches(hash, parts->secret));
    EXPECT_FALSE(token_matches(token_hash(make_token(id, random)), parts->secret));
    EXPECT_FALSE(token_matches("", parts->secret));
    for (std::string const& bad : {std::string(), std::string("gnt_"), "x" + token, token + "A", token.substr(0, token.size() - 1),
                                   token + "=", "gnt__" + token.substr(17), "gnt_ABC_" + token.substr(17), "gnt_" + token.substr(17),
                                   token.substr(0, token.size() - 1) + "_",  // left-over bits
                                   "gnt_" + std::string(33, 'a') + "_" + token.substr(17)})
        EXPECT_FALSE(parse_token(bad)) << bad;
    EXPECT_TRUE(parse_token("gnt_" + std::string(32, 'a') + "_" + token.substr(17)));
    EXPECT_FALSE(is_token_hash(hash.substr(1)) || is_token_hash(hash + "0") || is_token_hash("sha256:" + std::string(64, 'G')));
}

TEST(Secrets, PasswordsAreHashedAsLibsodiumReadsThem) {
    SeededRandom random(1);
    PasswordCost const cheap{1, 8 << 10};
    auto const hash = password_hash("correct horse", random, cheap).value();
    EXPECT_TRUE(hash.starts_with("$argon2id$v=19$m=8,t=1,p=1$")) << hash;
    EXPECT_TRUE(is_password_hash(hash));
    EXPECT_TRUE(password_matches(hash, "correct horse"));
    EXPECT_FALSE(password_matches(hash, "correct horsf"));
    EXPECT_FALSE(password_matches(hash, ""));
    EXPECT_FALSE(password_matches("nonsense", "correct horse"));
    EXPECT_NE(password_hash("correct horse", random, cheap).value(), hash) << "salted";
    auto const dummy = dummy_password_hash(hash);
    EXPECT_TRUE(dummy.starts_with("$argon2id$v=19$m=8,t=1,p=1$")) << dummy;
    EXPECT_FALSE(password_matches(dummy, "correct horse"));
    EXPECT_TRUE(dummy_password_hash("").starts_with("$argon2id$v=19$m=65536,t=2,p=1$"));
    EXPECT_TRUE(is_password_hash(dummy_password_hash("")));
    auto const tail = hash.substr(hash.find("p=1"));
    for (std::string const head :
         {"$argon2i$v=19$m=8,t=1,", "$argon2id$v=16$m=8,t=1,", "$argon2id$v=19$m=7,t=1,", "$argon2id$v=19$m=1048577,t=1,",
          "$argon2id$v=19$m=8,t=0,", "$argon2id$v=19$m=8,t=17,", "$argon2id$v=19$m=8,"})
        EXPECT_FALSE(is_password_hash(head + tail)) << head;
    EXPECT_TRUE(is_password_hash("$argon2id$v=19$m=1048576,t=16," + tail));
    EXPECT_FALSE(is_password_hash(hash + "A") || is_password_hash(hash.substr(0, hash.size() - 1)));
}

TEST(Secrets, PasswordsHaveBounds) {
    EXPECT_TRUE(check_password(std::string(password_bytes_min, 'p')));
    EXPECT_TRUE(check_password(std::string(password_bytes_max, 'p')));
    for (std::string const& bad : {std::string(password_bytes_min - 1, 'p'), std::string(password_bytes_max + 1, 'p'),
                                   std::string("pass\tword"), std::string("password\x7f"), std::string("passwor\xff")})
        EXPECT_EQ(check_password(bad).error().code, "password_unusable");
}

}  // namespace
}  // namespace gantry::auth
