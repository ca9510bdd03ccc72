// Passkeys: added, listed, removed, and shown to sign in.
#include "services/accounts/passkeys.h"

#include <gtest/gtest.h>

#include "kernel/auth/passkey_device_for_test.h"
#include "services/accounts/accounts_test.h"

namespace gantry::accounts {
namespace {

using Device = auth::PasskeyDevice;

class AddedPasskeys : public Accounts, public ::testing::Test {
   protected:
    AddedPasskeys() { person("ann@example.org"), person("bob@example.org"); }
    std::string challenge(std::string const& who = "u_1") {
        return *auth::decode_base64url(as(who).post("/accounts/v1/me/passkeys/begin", "{}").ok().json_at("/challenge"));
    }
    Said add(auth::PasskeyMade const& made, std::string const& who = "u_1", std::string const& name = "Laptop") {
        return as(who).post("/accounts/v1/me/passkeys", fmt::format(R"({{"name":"{}","client_data":"{}","attestation":"{}"}})", name,
                                                                    auth::base64url(made.client_data), auth::base64url(made.attestation)));
    }
    Said add(std::string const& who = "u_1") { return add(device.make(challenge(who)), who); }
    Device device;
};

TEST_F(AddedPasskeys, AreListedAndRemovedByTheirOwner) {
    as("u_1")
        .post("/accounts/v1/me/passkeys/begin", "{}")
        .ok()
        .has(R"("rp_id":"localhost")")
        .has(R"("user_login":"ann@example.org")")
        .has(R"("known":[])");
    auto const handle = as("u_2").post("/accounts/v1/me/passkeys/begin", "{}").ok().json_at("/user_id");
    EXPECT_TRUE(auth::decode_base64url(handle).value_or("").starts_with("u_2.")) << handle;
    add().ok(201).has(R"("id":"pk_1")").has(R"("kind":"es256")").lacks("key");
    as("u_1").post("/accounts/v1/me/passkeys/begin", "{}").ok().has(auth::base64url(device.credential));
    as("u_1").get("/accounts/v1/me/passkeys").ok().has(R"("name":"Laptop")").lacks("used_at");
    as("u_2").get("/accounts/v1/me/passkeys").ok().has(R"("items":[])");
    as("u_2").call("DELETE", "/accounts/v1/me/passkeys/pk_1").fails(404, "passkey_not_found");
    as("u_1").call("DELETE", "/accounts/v1/me/passkeys/pk_1").ok().wrote(PasskeyRemoved{{1}, {1}});
    as("u_1").call("DELETE", "/accounts/v1/me/passkeys/pk_1").fails(404, "passkey_not_found");
    as("u_1").get("/accounts/v1/me/passkeys").ok().has(R"("items":[])");
}

TEST_F(AddedPasskeys, AreDroppedByAnAdministrator) {
    add().ok(201);
    add(Device(auth::PasskeyAlgorithm::eddsa, "another").make(challenge())).ok(201).has(R"("id":"pk_2")").has("eddsa");
    as("u_admin").call("DELETE", "/accounts/v2/users/u_1/passkeys").ok().has(R"("removed":2)");
    as("u_admin").call("DELETE", "/accounts/v2/users/u_1/passkeys").ok().has(R"("removed":0)").wrote_nothing();
    as("u_admin").call("DELETE", "/accounts/v2/users/u_9/passkeys").fails(404, "account_not_found");
    add(Device(auth::PasskeyAlgorithm::rs256, "a third").make(challenge())).ok(201).has(R"("id":"pk_3")");
}

TEST_F(AddedPasskeys, AnswerAChallengeThatWasGivenToTheirOwnerOfLate) {
    add(device.make("a challenge of one's own")).fails(422, "passkey_challenge_wrong");
    add(device.make(challenge("u_2"))).fails(422, "passkey_challenge_wrong");
    auto const open = *auth::decode_base64url(as("u_1").post("/accounts/v1/passkeys/challenge", "{}").ok().json_at("/challenge"));
    add(device.make(open)).fails(422, "passkey_challenge_wrong");
    auto other = challenge();
    other[3] ^= 1;
    add(device.make(other)).fails(422, "passkey_challenge_wrong");
    auto const late = device.make(challenge());
    advance(challenge_time);
    add(late).fails(422, "passkey_challenge_expired");
    auto const once = device.make(challenge());
    advance(Duration::seconds(299));
    add(once).ok(201);
    add(once).fails(409, "passkey_known");
}

TEST_F(AddedPasskeys, AreRefusedWithWhatIsWrong) {
    device.flags = 0x01;
    add().fails(422, "passkey_user_unverified");
    device.flags = 0x05, device.origin = "http://evil.example";
    add().fails(422, "passkey_origin_wrong");
    auto made = Device().make(challenge());
    made.attestation = "?";
    add(made).fails(422, "passkey_malformed");
    as("u_1")
        .post("/accounts/v1/me/passkeys", R"({"name":"n","client_data":"no base64url","attestation":"AA"})")
        .fails(422, "passkey_malformed")
        .has("/client_data");
    auto const ci = service("ci", "u_1");
    as(ci).post("/accounts/v1/me/passkeys/begin", "{}").fails(422, "service_has_tokens");
    as("u_admin").post("/accounts/v1/me/passkeys/begin", "{}").fails(403, "no_account");
}

TEST_F(AddedPasskeys, AreTwentyAtMost) {
    for (std::size_t i = 0; i < passkeys_max; ++i)
        add(Device(auth::PasskeyAlgorithm::es256, fmt::format("credential {}", i)).make(challenge())).ok(201);
    as("u_1").post("/accounts/v1/me/passkeys/begin", "{}").fails(409, "too_many_passkeys");
    as("u_1").call("DELETE", "/accounts/v1/me/passkeys/pk_7").ok();
    add().ok(201);
}

TEST_F(AddedPasskeys, AreForTheNameOfTheServer) {
    struct {
        std::string url, rp, id, origin;
    } const rows[] = {{"https://Gantry.example/", "", "gantry.example", "https://gantry.example"},
                      {"https://gantry.example:443", "", "gantry.example", "https://gantry.example"},
                      {"https://gantry.example:8443", "", "gantry.example", "https://gantry.example:8443"},
                      {"https://{site}.gantry.example", "gantry.example", "gantry.example", "https://main.gantry.example"},
                      {"http://127.0.0.1:8080", "", "localhost", "http://localhost"},
                      {"http://localhost:8080", "", "localhost", "http://localhost:8080"},
                      {"http://[::1]:8080", "", "localhost", "http://localhost"},
                      {"https://192.0.2.7", "", "", ""},
                      {"https://[2001:db8::1]:8443", "", "", ""},
                      {"https://gantry.example", "other.example", "", ""},
                      {"https://gantry.example", "ry.example", "", ""},
                      {"gantry.example", "", "", ""}};
    SeededRandom random{1};
    Viewer const viewer{Str("u_1")};
    for (auto const& row : rows) {
        Settings settings;
        settings.url = Text<1, 500>(row.url), settings.passkey_rp = Text<0, 253>(row.rp);
        auto const found = passkeys_for(Ctx{.viewer = viewer, .random = random, .settings = &settings});
        EXPECT_EQ(found ? found->rp_id : "", row.id) << row.url;
        EXPECT_EQ(found ? found->origin : "", row.origin) << row.url;
        if (!found) EXPECT_EQ(found.error().code, "passkeys_unavailable");
    }
}

// --- signing in, as the gate asks

class ShownPasskeys : public AddedPasskeys {
   protected:
    ShownPasskeys() { add().ok(201); }
    std::string open_challenge() {
        return *auth::decode_base64url(as("u_nobody").post("/accounts/v1/passkeys/challenge", "{}").ok().json_at("/challenge"));
    }
    ShownPasskey of(auth::PasskeyShown const& said, std::uint64_t account = 1) {
        auto text = [](std::string const& bytes) { return Base64url(auth::base64url(bytes)); };
        return {{account}, text(device.credential), text(said.client_data), text(said.authenticator_data), text(said.signature)};
    }
    // What became of it: who is in, or why nobody is.
    std::string use(ShownPasskey const& in) {
        std::string told;
        Viewer const viewer{Str("u_1"), true};
        auto bind = [&](codec::Type const&, void* out) -> Result<void> { return *static_cast<ShownPasskey*>(out) = in, Result<void>(); };
        host().call(door().use_passkey, viewer, bind,
                    [&](Result<runtime::Answer> answer) { told = answer ? answer->body : answer.error().code; });
        return told;
    }
    std::string use(auth::PasskeyShown const& said, std::uint64_t account = 1) { return use(of(said, account)); }
    static constexpr auto in = R"({"id":"u_1"})";
};

TEST_F(ShownPasskeys, SayWhoIsThereAndAreNotedAsUsed) {
    EXPECT_EQ(use(device.show(open_challenge())), in);
    as("u_1").get("/accounts/v1/me/passkeys").ok().has(R"("used_at":"2026-01-01T12:00)");
}

TEST_F(ShownPasskeys, AnswerAChallengeOnce) {
    auto const first = open_challenge();
    advance(Duration::seconds(1));
    auto const second = open_challenge();
    EXPECT_EQ(use(device.show(second)), in);
    EXPECT_EQ(use(device.show(second)), "passkey_challenge_used");
    EXPECT_EQ(use(device.show(first)), "passkey_challenge_used");
    restart();
    EXPECT_EQ(use(device.show(second)), "passkey_challenge_used");
    advance(Duration::seconds(1));
    EXPECT_EQ(use(device.show(open_challenge())), in);
}

TEST_F(ShownPasskeys, AnswerAChallengeOfThisSiteForSigningIn) {
    EXPECT_EQ(use(device.show("1767268800000000.x.y")), "passkey_challenge_wrong");
    EXPECT_EQ(use(device.show(challenge())), "passkey_challenge_wrong");  // that was for adding one
    auto const late = device.show(open_challenge());
    advance(challenge_time);
    EXPECT_EQ(use(late), "passkey_challenge_expired");
}

TEST_F(ShownPasskeys, CountForward) {
    device.counter = 9;
    auto const once = device.show(open_challenge());
    EXPECT_EQ(use(once), in);
    EXPECT_EQ(use(once), "passkey_challenge_used");
    for (std::uint32_t back : {9u, 8u, 0u}) {
        advance(Duration::seconds(1));
        device.counter = back;
        EXPECT_EQ(use(device.show(open_challenge())), "passkey_cloned");
    }
    advance(Duration::seconds(1));
    device.counter = 10;
    EXPECT_EQ(use(device.show(open_challenge())), in);
}

TEST_F(ShownPasskeys, AreRefusedWithWhatIsWrong) {
    EXPECT_EQ(use(device.show(open_challenge()), 2), "passkey_unknown");
    EXPECT_EQ(use(device.show(open_challenge()), 77), "passkey_unknown");
    auto bent = device.show(open_challenge());
    bent.signature.back() ^= 1;
    EXPECT_EQ(use(bent), "passkey_signature_wrong");
    device.flags = 0x01;
    EXPECT_EQ(use(device.show(open_challenge())), "passkey_user_unverified");
    device.flags = 0x05, device.rp_id = "elsewhere.example";
    EXPECT_EQ(use(device.show(open_challenge())), "passkey_rp_wrong");
    device.rp_id = "localhost", device.origin = "https://evil.example";
    EXPECT_EQ(use(device.show(open_challenge())), "passkey_origin_wrong");
    device.origin = "http://localhost:8080";
    auto unread = of(device.show(open_challenge()));
    unread.signature = "no base64url";
    EXPECT_EQ(use(unread), "passkey_malformed");
    EXPECT_EQ(use(device.show(open_challenge())), in);
}

// The other one knows the credential, and has put a key of his own to it.
TEST_F(ShownPasskeys, OpenTheirOwnAccountAlone) {
    Device other(auth::PasskeyAlgorithm::es256, device.credential);
    add(other.make(challenge("u_2")), "u_2").ok(201);
    EXPECT_EQ(use(other.show(open_challenge()), 1), "passkey_signature_wrong");
    EXPECT_EQ(use(device.show(open_challenge()), 2), "passkey_signature_wrong");
    EXPECT_EQ(use(other.show(open_challenge()), 2), R"({"id":"u_2"})");
    EXPECT_EQ(use(device.show(open_challenge()), 1), in);
}

TEST_F(ShownPasskeys, LetNoDisabledOrMergedAccountInAndNoneThatWasRemoved) {
    auto act = [&](std::string const& what, std::string const& body = "{}") {
        as("u_admin").post("/accounts/v2/users/u_1/" + what, body).ok();
        advance(Duration::seconds(1));
    };
    act("disable");
    EXPECT_EQ(use(device.show(open_challenge())), "caller_disabled");
    act("enable");
    EXPECT_EQ(use(device.show(open_challenge())), in);
    act("merge", R"({"into":"u_2"})");
    EXPECT_EQ(use(device.show(open_challenge())), "account_merged");
    as("u_admin").call("DELETE", "/accounts/v2/users/u_1/passkeys").ok();
    EXPECT_EQ(use(device.show(open_challenge())), "passkey_unknown");
}

}  // namespace
}  // namespace gantry::accounts
