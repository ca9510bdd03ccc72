#include "kernel/auth/codes.h"

#include <gtest/gtest.h>

#include "kernel/auth/verifier.h"

namespace gantry::auth {
namespace {

TEST(Codes, Base32IsThatOfRfc4648) {
    struct {
        char const *plain, *coded;
    } const rows[] = {{"", ""}, {"f", "MY"}, {"fo", "MZXQ"}, {"foo", "MZXW6"}, {"foob", "MZXW6YQ"}, {"foobar", "MZXW6YTBOI"}};
    for (auto const& row : rows) {
        EXPECT_EQ(base32(row.plain), row.coded);
        EXPECT_EQ(decode_base32(row.coded), row.plain);
    }
    EXPECT_EQ(decode_base32("mzxw6"), "foo");
    for (auto const* wrong : {"M", "MZ1", "MZ=", "MZXW6Y", "MB"}) EXPECT_FALSE(decode_base32(wrong)) << wrong;
}

// RFC 6238, appendix B, with the last six of its eight digits.
TEST(Codes, AreThoseOfRfc6238) {
    std::string const seed = "12345678901234567890";
    struct {
        std::int64_t at_s;
        char const* code;
    } const rows[] = {{59, "287082"},         {1111111109, "081804"}, {1111111111, "050471"},
                      {1234567890, "005924"}, {2000000000, "279037"}, {20000000000, "353130"}};
    for (auto const& row : rows) EXPECT_EQ(code_of_step(seed, row.at_s / code_step_s), row.code);
}

TEST(Codes, CountOnceAndAStepEarlyOrLate) {
    std::string const seed = "12345678901234567890";
    Time const now{1'111'111'111'000'000};
    auto const here = now.us / 1'000'000 / code_step_s;
    for (std::int64_t step = here - 3; step <= here + 3; ++step) {
        auto const found = matching_step(seed, code_of_step(seed, step), now, 0);
        EXPECT_EQ(found.has_value(), step >= here - 1 && step <= here + 1) << step - here;
        if (found) EXPECT_EQ(*found, step);
    }
    EXPECT_TRUE(matching_step(seed, code_of_step(seed, here), now, here - 1));
    EXPECT_FALSE(matching_step(seed, code_of_step(seed, here), now, here));
    EXPECT_FALSE(matching_step(seed, code_of_step(seed, here - 1), now, here));
    EXPECT_FALSE(matching_step(seed, "05047", now, 0));
    EXPECT_FALSE(matching_step(seed, "", now, 0));
}

TEST(Codes, TheUriNamesIssuerAndAccount) {
    EXPECT_EQ(code_uri("My forge", "ann@example.org", "foobar"),
              "otpauth://totp/My%20forge:ann%40example.org?secret=MZXW6YTBOI&issuer=My%20forge");
}

TEST(Codes, RecoveryCodesAreReadAsPeopleWriteThem) {
    SeededRandom random(1);
    auto const code = make_recovery_code(random);
    EXPECT_EQ(code.size(), 19u);
    std::string shouted;
    for (char c : code) shouted += c == '-' ? ' ' : c >= 'a' && c <= 'z' ? char(c - 32) : c;
    EXPECT_EQ(recovery_digest(code), recovery_digest(shouted));
    EXPECT_NE(recovery_digest(code), recovery_digest(make_recovery_code(random)));
}

TEST(Verifier, ArgonIsPackedAndAllElseKept) {
    SeededRandom random(1);
    PasswordCost const cost{1, 1 << 20};
    auto const text = *password_hash("correct horse", random, cost);
    auto const packed = pack_verifier(text);
    EXPECT_EQ(packed.size(), 54u);
    EXPECT_EQ(unpack_verifier(packed), text);
    EXPECT_TRUE(any_password_matches(unpack_verifier(packed), "correct horse"));
    EXPECT_FALSE(any_password_matches(unpack_verifier(packed), "correct horsf"));
    EXPECT_FALSE(wants_rehash(text, cost));
    EXPECT_TRUE(wants_rehash(text, {2, 1 << 20}));
    EXPECT_TRUE(wants_rehash(text, {1, 2 << 20}));
    std::string const other = "$6$saltsalt$";
    EXPECT_EQ(unpack_verifier(pack_verifier(other)), other);
}

// Made by other programs: mkpasswd, Python's crypt, Django.
TEST(Verifier, HashesOfOtherProgramsAreVerified) {
    std::string const django = "pbkdf2_sha256$1000$salt$BMEL9jq9QeeHWyc4HRWUZ2ZbF5YYlNSSUVnooPzz/TQ=";  // of "lorem ipsum"
    std::string const sha512 =
        "$6$saltstring$svn8UoSVapNtMuq1ukKS4tPQd8iKwSMHWjl/O817G3uBnIFNjnQJuesI68u4OTLiBFdcbYEdFCoEOfaS35inz1";  // of "Hello world!"
    EXPECT_TRUE(is_importable_hash(sha512));
    EXPECT_TRUE(any_password_matches(sha512, "Hello world!"));
    EXPECT_FALSE(any_password_matches(sha512, "Hello world?"));
    EXPECT_TRUE(is_importable_hash(django));
    EXPECT_TRUE(any_password_matches(django, "lorem ipsum"));
    EXPECT_FALSE(any_password_matches(django, "lorem ipsun"));
    EXPECT_TRUE(wants_rehash(sha512, {1, 8192}));
    EXPECT_TRUE(wants_rehash(django, {1, 8192}));
    std::string const bcrypt = "$2b$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW";  // of "U*U"
    EXPECT_TRUE(any_password_matches(bcrypt, "U*U"));
    EXPECT_FALSE(any_password_matches(bcrypt, "U*V"));
    for (auto const* wrong :
         {"", "plain", "$1$salt$x", "$2b$31$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW", "$6$rounds=9000000$s$x",
          "pbkdf2_sha256$0$salt$x", "pbkdf2_sha256$99999999$salt$x", "$argon2id$v=19$m=9999999999,t=1,p=1$x$y"})
        EXPECT_FALSE(is_importable_hash(wrong)) << wrong;
}

}  // namespace
}  // namespace gantry::auth
