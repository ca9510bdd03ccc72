#include "kernel/auth/passkey.h"

#include <gtest/gtest.h>

#include "kernel/auth/passkey_device_for_test.h"

namespace gantry::auth {
namespace {

constexpr auto es256 = PasskeyAlgorithm::es256, rs256 = PasskeyAlgorithm::rs256, eddsa = PasskeyAlgorithm::eddsa;

std::string code_of(auto const& result) { return result ? "" : result.error().code; }

class Passkeys : public ::testing::Test {
   protected:
    PasskeyDevice device;
    PasskeyExpected expected{"a challenge", "localhost", "http://localhost"};
    std::string made() { return code_of(check_passkey_made(device.make("a challenge"), expected)); }
    std::string shown() { return code_of(check_passkey_shown(device.show("a challenge"), known, expected)); }
    Passkey known = check_passkey_made(device.make("a challenge"), expected).value();
};

TEST_F(Passkeys, OfAllAlgorithmsAreMadeAndShown) {
    for (auto algorithm : {es256, rs256, eddsa})
        for (std::string const format : {"none", "packed"}) {
            PasskeyDevice one(algorithm);
            auto const kept = check_passkey_made(one.make("c1", format), {"c1", "localhost", "http://localhost"});
            ASSERT_TRUE(kept) << int(algorithm) << format << kept.error().code << kept.error().detail;
            EXPECT_EQ(kept->algorithm, algorithm);
            EXPECT_EQ(kept->credential, "credential-of-16");
            one.counter = 7;
            auto const counter = check_passkey_shown(one.show("c2"), *kept, {"c2", "localhost", "http://localhost"});
            ASSERT_TRUE(counter) << int(algorithm) << counter.error().code;
            EXPECT_EQ(*counter, 7u);
        }
}

TEST_F(Passkeys, AnswerTheChallengeThatWasGiven) {
    expected.challenge = "another one";
    EXPECT_EQ(made(), "passkey_challenge_wrong");
    EXPECT_EQ(shown(), "passkey_challenge_wrong");
    EXPECT_EQ(passkey_challenge(device.show("a challenge").client_data, 401).value(), "a challenge");
    EXPECT_EQ(passkey_challenge("{}", 401).error().code, "passkey_malformed");
}

TEST_F(Passkeys, AreAskedForByAPageOfTheirServer) {
    struct {
        std::string rp, own, said;
        bool fits;
    } const rows[] = {{"localhost", "http://localhost", "http://localhost", true},
                      {"localhost", "http://localhost", "http://localhost:1", true},
                      {"localhost", "http://localhost", "https://localhost:8443", true},
                      {"localhost", "http://localhost", "http://localhost:", false},
                      {"localhost", "http://localhost", "http://localhost:8080.evil.example", false},
                      {"localhost", "http://localhost", "http://localhost.evil.example", false},
                      {"localhost", "http://localhost", "http://127.0.0.1:8080", false},
                      {"gantry.example", "https://gantry.example", "https://gantry.example", true},
                      {"gantry.example", "https://gantry.example", "https://gantry.example:8443", false},
                      {"gantry.example", "https://gantry.example", "http://gantry.example", false},
                      {"gantry.example", "https://gantry.example", "https://evil.gantry.example", false},
                      {"gantry.example", "https://gantry.example", "", false}};
    for (auto const& row : rows) {
        device.rp_id = expected.rp_id = row.rp, expected.origin = row.own, device.origin = row.said;
        EXPECT_EQ(made(), row.fits ? "" : "passkey_origin_wrong") << row.said;
        EXPECT_EQ(shown(), row.fits ? "" : "passkey_origin_wrong") << row.said;
    }
}

TEST_F(Passkeys, AreNotAskedForInAFrameOfAnother) {
    device.more = R"(,"crossOrigin":false)";
    EXPECT_EQ(shown(), "");
    device.more = R"(,"crossOrigin":true)";
    EXPECT_EQ(shown(), "passkey_origin_wrong");
    EXPECT_EQ(made(), "passkey_origin_wrong");
}

TEST_F(Passkeys, AreForOneServer) {
    device.rp_id = "elsewhere.example";
    EXPECT_EQ(made(), "passkey_rp_wrong");
    EXPECT_EQ(shown(), "passkey_rp_wrong");
}

TEST_F(Passkeys, VerifyTheirUser) {
    device.flags = 0x01;
    EXPECT_EQ(made(), "passkey_user_unverified");
    EXPECT_EQ(shown(), "passkey_user_unverified");
    device.flags = 0x04;
    EXPECT_EQ(made(), "passkey_user_absent");
    EXPECT_EQ(shown(), "passkey_user_absent");
}

TEST_F(Passkeys, AreNotTakenFromTheOtherCeremony) {
    device.create_type = "webauthn.get", device.get_type = "webauthn.create";
    EXPECT_EQ(made(), "passkey_ceremony_wrong");
    EXPECT_EQ(shown(), "passkey_ceremony_wrong");
}

TEST_F(Passkeys, SignWhatTheyShow) {
    auto refused = [&](PasskeyShown const& said) { return code_of(check_passkey_shown(said, known, expected)); };
    auto said = device.show("a challenge");
    EXPECT_EQ(refused(said), "");
    auto bent = said;
    bent.signature.back() ^= 1;
    EXPECT_EQ(refused(bent), "passkey_signature_wrong");
    bent = said, bent.authenticator_data[36] ^= 1;  // the counter
    EXPECT_EQ(refused(bent), "passkey_signature_wrong");
    bent = said, bent.client_data.insert(1, " ");
    EXPECT_EQ(refused(bent), "passkey_signature_wrong");
    bent = said, bent.signature.clear();
    EXPECT_EQ(refused(bent), "passkey_malformed");
    bent = said, bent.authenticator_data.resize(36);
    EXPECT_EQ(refused(bent), "passkey_malformed");
    EXPECT_EQ(refused(PasskeyDevice(es256, device.credential).show("a challenge")), "passkey_signature_wrong");
    EXPECT_EQ(refused(PasskeyDevice(eddsa, device.credential).show("a challenge")), "passkey_signature_wrong");
}

TEST_F(Passkeys, CountForwardOrNotAtAll) {
    struct {
        std::uint32_t before, now;
        bool fits;
    } const rows[] = {{0, 0, true}, {0, 1, true}, {5, 6, true}, {5, 5, false}, {5, 4, false}, {5, 0, false}};
    for (auto const& row : rows) {
        known.counter = row.before, device.counter = row.now;
        EXPECT_EQ(shown(), row.fits ? "" : "passkey_cloned") << row.before << " " << row.now;
    }
}

TEST_F(Passkeys, AttestNothingOrThemselves) {
    auto code = [&](PasskeyMade const& said) { return code_of(check_passkey_made(said, expected)); };
    using D = PasskeyDevice;
    EXPECT_EQ(code(device.make("a challenge", "fido-u2f")), "passkey_attestation_unsupported");
    auto const maker = D::map(3) + D::text("alg") + D::integer(-7) + D::text("sig") + D::bytes("s") + D::text("x5c") +
                       std::string("\x81", 1) + D::bytes("certificate");
    EXPECT_EQ(code(device.make("a challenge", "packed", maker)), "passkey_attestation_unsupported");
    auto const wrong = D::map(2) + D::text("alg") + D::integer(-7) + D::text("sig") + D::bytes("not a signature");
    EXPECT_EQ(code(device.make("a challenge", "packed", wrong)), "passkey_attestation_wrong");
    EXPECT_EQ(code(device.make("a challenge", "packed", D::map(0))), "passkey_attestation_wrong");
}

TEST_F(Passkeys, ThatAreCutOrBentAreRefusedAndNothingElseHappens) {
    auto const whole = device.make("a challenge", "packed");
    for (std::size_t n = 0; n < whole.attestation.size(); ++n) {
        auto cut = whole;
        cut.attestation.resize(n);
        EXPECT_EQ(code_of(check_passkey_made(cut, expected)), "passkey_malformed") << n;
        auto bent = whole;
        bent.attestation[n] ^= 0x15;
        EXPECT_FALSE(check_passkey_made(bent, expected)) << n;
    }
    auto no_key = whole;
    no_key.attestation = PasskeyDevice::map(3) + PasskeyDevice::text("fmt") + PasskeyDevice::text("none") + PasskeyDevice::text("attStmt") +
                         PasskeyDevice::map(0) + PasskeyDevice::text("authData") +
                         PasskeyDevice::bytes(device.show("a challenge").authenticator_data);
    EXPECT_FALSE(check_passkey_made(no_key, expected));
}

}  // namespace
}  // namespace gantry::auth
