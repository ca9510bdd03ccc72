#include "app/accounts_callers.h"

#include <gtest/gtest.h>

#include "kernel/auth/callers_file.h"
#include "kernel/auth/file_callers.h"
#include "kernel/auth/passkey_device_for_test.h"
#include "services/accounts/accounts_test.h"

namespace gantry::app {
namespace {

using accounts::noon;

// The accounts' directory over a service in memory, as the gate has it.
class AccountsCallersTest : public ::testing::Test {
   protected:
    AccountsCallersTest() {
        h.person("ann@example.org", R"(,"password":"correct horse","scopes":["accounts:self","tracker:*"])");
        made = make();
    }
    std::unique_ptr<runtime::SiteCallers> make(CallersSource source = CallersSource::automatic) {
        return make_accounts_callers(
            {.host = h.host(), .file = *file, .memory = book, .settings = accounts::cheap(), .source = source, .clock = h.clock()});
    }
    auth::CallerDirectory& callers() { return made->directory(); }
    auth::SessionBook& sessions() { return made->sessions(); }
    Time now() { return h.clock().wall(); }
    static std::string told(Result<auth::Identity> const& identity) { return identity ? identity->caller->name() : identity.error().code; }
    std::string token(std::string const& body = R"({"name":"laptop"})") {
        return h.as("u_1").post("/accounts/v1/me/tokens", body).ok(201).json_at("/secret");
    }
    std::string signed_in() {
        auto const identity = callers().by_password("ann@example.org", "correct horse", now());
        EXPECT_TRUE(identity) << identity.error().code;
        return sessions().start(identity->caller, *auth::parse_address("192.0.2.7"), "Firefox", now()).value();
    }
    // The seed of codes that are on.
    std::string codes_on() {
        auto const seed = *auth::decode_base32(h.as("u_1").post("/accounts/v1/me/codes", "{}").ok().json_at("/seed"));
        auto const step = now().us / 1'000'000 / auth::code_step_s;
        auto const reply = h.post("/accounts/v1/me/codes/confirm", fmt::format(R"({{"code":"{}"}})", auth::code_of_step(seed, step))).ok();
        recovery = reply.json_at("/recovery/0");
        h.advance(Duration::seconds(60));
        return seed;
    }
    std::string code_now(std::string const& seed) { return auth::code_of_step(seed, now().us / 1'000'000 / auth::code_step_s); }

    accounts::Accounts h;
    SeededRandom random{7};
    std::unique_ptr<auth::FileCallers> file = *auth::FileCallers::make("");
    auth::Sessions memory{random};
    auth::SessionsInMemory book{memory};
    std::unique_ptr<runtime::SiteCallers> made;
    std::string recovery;
};

TEST_F(AccountsCallersTest, ATokenIsKnownUntilItIsRevokedOrEnds) {
    auto const secret = token(R"({"name":"ci","expires_at":"2026-01-01T13:00:00Z"})");
    auto const identity = callers().by_token(secret, now());
    ASSERT_TRUE(identity);
    EXPECT_EQ(identity->caller->id(), "u_1");
    EXPECT_EQ(identity->valid_until, noon + Duration::hours(1));
    EXPECT_TRUE(identity->caller->scopes().allow("tracker:write"));
    EXPECT_EQ(told(callers().by_token(secret, noon + Duration::hours(1))), "token_expired");
    EXPECT_EQ(callers().by_token(secret, now())->caller, identity->caller) << "one Caller for all";
    EXPECT_FALSE(made->end_changed());
    auto const before = callers().generation();
    h.as("u_1").call("DELETE", "/accounts/v1/me/tokens/t1").ok();
    EXPECT_NE(callers().generation(), before);
    EXPECT_FALSE(identity->caller->is_ended());
    EXPECT_TRUE(made->end_changed());
    EXPECT_TRUE(identity->caller->is_ended());
    EXPECT_EQ(told(callers().by_token(secret, now())), "token_revoked");
}

TEST_F(AccountsCallersTest, ATokenOfAnotherSiteIsUnknown) {
    auto const here = token();
    accounts::Accounts other;
    other.person("ann@example.org");
    auto const there = other.as("u_1").post("/accounts/v1/me/tokens", R"({"name":"laptop"})").ok(201).json_at("/secret");
    auto bent = here;
    bent.back() = bent.back() == 'A' ? 'E' : 'A';
    EXPECT_EQ(told(callers().by_token(here, now())), "1");
    for (auto const& wrong : {there.substr(0, 7) + "_" + bent.substr(7), bent, std::string("gnt_t9_") + here.substr(7)})
        EXPECT_NE(told(callers().by_token(wrong, now())), "1") << wrong;
    EXPECT_EQ(told(callers().by_token(bent, now())), "token_unknown");
    EXPECT_EQ(told(callers().by_token("gnt_t9_" + here.substr(7), now())), "token_unknown");
    EXPECT_EQ(told(callers().by_token("nonsense", now())), "token_malformed");
}

TEST_F(AccountsCallersTest, ATokensScopesAreAmongItsAccounts) {
    auto const narrow = callers().by_token(token(R"({"name":"ro","scopes":["*:read"]})"), now());
    EXPECT_TRUE(narrow->caller->scopes().allow("tracker:read"));
    EXPECT_FALSE(narrow->caller->scopes().allow("tracker:write"));
    EXPECT_FALSE(narrow->caller->scopes().allow("accounts:self"));
    h.as("u_admin").call("PUT", "/accounts/v2/users/u_1/rights", R"({"scopes":["accounts:self"],"teams":["devs"],"sees_all":false})").ok();
    EXPECT_TRUE(made->end_changed());
    EXPECT_TRUE(narrow->caller->is_ended());
}

TEST_F(AccountsCallersTest, APasswordIsVerifiedAndEveryFailureTellsTheSame) {
    EXPECT_EQ(told(callers().by_password("Ann@Example.org", "correct horse", now())), "1");
    auto const wrong = callers().by_password("ann@example.org", "incorrect horse", now());
    auto const unknown = callers().by_password("bob@example.org", "correct horse", now());
    EXPECT_EQ(told(wrong), "password_wrong");
    EXPECT_EQ(told(unknown), "password_wrong");
    EXPECT_EQ(wrong.error().detail, unknown.error().detail);
    h.as("u_admin").post("/accounts/v2/users/u_1/disable", "{}").ok();
    EXPECT_EQ(told(callers().by_password("ann@example.org", "correct horse", now())), "caller_disabled");
    EXPECT_EQ(told(callers().by_password("ann@example.org", "incorrect horse", now())), "password_wrong");
}

TEST_F(AccountsCallersTest, AMergedAccountIsToldSoToWhoKnowsItsPassword) {
    h.person("old@example.org", R"(,"password":"battery staple")");
    EXPECT_EQ(told(callers().by_password("old@example.org", "battery staple", now())), "2");
    auto const secret = h.as("u_admin").post("/accounts/v2/users/u_2/tokens", R"({"name":"x"})").ok(201).json_at("/secret");
    h.post("/accounts/v2/users/u_2/merge", R"({"into":"u_1"})").ok();
    EXPECT_EQ(told(callers().by_password("old@example.org", "battery staple", now())), "account_merged");
    EXPECT_EQ(told(callers().by_password("old@example.org", "correct horse", now())), "1") << "its address is the other's";
    EXPECT_EQ(told(callers().by_password("old@example.org", "neither of them", now())), "password_wrong");
    EXPECT_EQ(told(callers().by_name("2", now())), "account_merged");
    EXPECT_EQ(told(callers().by_token(secret, now())), "1");
}

TEST_F(AccountsCallersTest, ACodeGoesWithThePasswordAndCountsOnce) {
    auto const seed = codes_on();
    auto with = [&](std::string const& code) {
        return told(callers().by_password_and_code("ann@example.org", "correct horse", code, now()));
    };
    EXPECT_EQ(told(callers().by_password("ann@example.org", "correct horse", now())), "code_missing");
    EXPECT_EQ(told(callers().by_password("ann@example.org", "incorrect horse", now())), "password_wrong");
    EXPECT_EQ(with("000000"), "code_wrong");
    auto const code = code_now(seed);
    EXPECT_EQ(with(code), "1");
    EXPECT_EQ(with(code), "code_wrong") << "replayed";
    h.advance(Duration::seconds(60));
    EXPECT_EQ(with(code), "code_wrong") << "too old";
    EXPECT_EQ(with(code_now(seed)), "1");
    EXPECT_EQ(with(recovery), "1");
    EXPECT_EQ(with(recovery), "code_wrong");
    h.restart();
    made = make();
    EXPECT_EQ(with(code_now(seed)), "code_wrong") << "a restart forgets no used code";
}

TEST_F(AccountsCallersTest, APasskeySignsInAloneAndCountsOnce) {
    auth::PasskeyDevice device;
    auto challenge = [&](std::string const& path) {
        return *auth::decode_base64url(h.as("u_1").post("/accounts/v1/" + path, "{}").ok().json_at("/challenge"));
    };
    auto const created = device.make(challenge("me/passkeys/begin"));
    h.as("u_1")
        .post("/accounts/v1/me/passkeys", fmt::format(R"({{"name":"n","client_data":"{}","attestation":"{}"}})",
                                                      auth::base64url(created.client_data), auth::base64url(created.attestation)))
        .ok(201);
    codes_on();
    auto said = [&](std::string const& user) {
        auto const shown = device.show(challenge("passkeys/challenge"));
        return fmt::format(R"({{"id":"{}","credential":"{}","client_data":"{}","authenticator_data":"{}","signature":"{}"}})", user,
                           auth::base64url(device.credential), auth::base64url(shown.client_data),
                           auth::base64url(shown.authenticator_data), auth::base64url(shown.signature));
    };
    auto const once = said("u_1");
    auto const identity = callers().by_passkey(once, now());
    ASSERT_TRUE(identity) << identity.error().code;
    EXPECT_EQ(identity->caller->name(), "1");
    EXPECT_TRUE(sessions().start(identity->caller, *auth::parse_address("192.0.2.7"), "Firefox", now()));
    EXPECT_EQ(told(callers().by_passkey(once, now())), "passkey_challenge_used");
    EXPECT_EQ(told(callers().by_passkey(said("u_2"), now())), "passkey_unknown");
    for (std::string const& text : {"", "{}", "[]", R"({"id":"u_0"})"})
        EXPECT_EQ(told(callers().by_passkey(text, now())), "passkey_malformed") << text;
    h.advance(Duration::seconds(1));
    h.as("u_admin").post("/accounts/v2/users/u_1/disable", "{}").ok();
    EXPECT_EQ(told(callers().by_passkey(said("u_1"), now())), "caller_disabled");
    EXPECT_EQ(told(static_cast<auth::CallerDirectory&>(*file).by_passkey(once, now())), "passkey_unknown");
}

TEST_F(AccountsCallersTest, SessionsLastThroughARestartAndEndWhenTheyShould) {
    auto const id = signed_in();
    EXPECT_EQ(id.size(), 43u);
    EXPECT_EQ(told(sessions().find(id, {}, now())), "1");
    h.restart();
    made = make();
    auto const identity = sessions().find(id, {}, now());
    ASSERT_TRUE(identity);
    auto const listed = sessions().list("1", id, now());
    ASSERT_EQ(listed.size(), 1u);
    EXPECT_TRUE(listed[0].current);
    EXPECT_EQ(listed[0].device, "Firefox");
    EXPECT_EQ(auth::format_address(listed[0].address), "192.0.2.7");
    EXPECT_TRUE(sessions().end(id, now()));
    EXPECT_EQ(told(sessions().find(id, {}, now())), "session_unknown");
    EXPECT_TRUE(made->end_changed());
    EXPECT_TRUE(identity->caller->is_ended());
    EXPECT_TRUE(sessions().end(id, now()));
    auto bent = id;
    bent[20] = bent[20] == 'A' ? 'B' : 'A';
    EXPECT_EQ(told(sessions().find(bent, {}, now())), "session_unknown");
}

TEST_F(AccountsCallersTest, SessionsEndByIdlenessAndByAge) {
    auto const settings = accounts::cheap();
    auto const id = signed_in();
    EXPECT_EQ(told(sessions().find(id, {}, noon + settings.session_idle - Duration::micros(1))), "1");
    EXPECT_EQ(told(sessions().find(id, {}, noon + settings.session_idle)), "1") << "it was used meanwhile";
    EXPECT_EQ(told(sessions().find(id, {}, noon + settings.session_idle + settings.session_idle)), "session_expired");
    auto const other = signed_in();
    for (auto at = noon; at < noon + settings.session_max; at = at + Duration::hours(6))
        EXPECT_EQ(told(sessions().find(other, {}, at)), "1");
    EXPECT_EQ(told(sessions().find(other, {}, noon + settings.session_max)), "session_unknown");
    h.at(noon + settings.session_max).tick();
    EXPECT_EQ(h.state().sessions.size(), 0u);
}

TEST_F(AccountsCallersTest, OneEndsAllOthers) {
    auto const a = signed_in(), b = signed_in(), c = signed_in();
    EXPECT_TRUE(sessions().end_one("1", "se_1", now()));
    EXPECT_EQ(told(sessions().find(a, {}, now())), "session_unknown");
    EXPECT_TRUE(sessions().end_all("1", now(), c));
    EXPECT_EQ(told(sessions().find(b, {}, now())), "session_unknown");
    EXPECT_EQ(told(sessions().find(c, {}, now())), "1");
    h.as("u_1").call("PUT", "/accounts/v1/me/password", R"({"old":"correct horse","password":"battery staple"})").ok();
    EXPECT_EQ(told(sessions().find(c, {}, now())), "session_unknown") << "another password";
}

TEST_F(AccountsCallersTest, AnImportedHashIsMadeAnewAtTheFirstLogin) {
    std::string const hash = "$2b$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW";  // of "U*U", too short for a new one
    std::string const longer =
        "$6$saltstring$svn8UoSVapNtMuq1ukKS4tPQd8iKwSMHWjl/O817G3uBnIFNjnQJuesI68u4OTLiBFdcbYEdFCoEOfaS35inz1";  // of "Hello world!"
    h.as("u_admin").post("/accounts/v1/imports", R"({"email":"b@example.org","name":"b","password_hash":")" + hash + "\"}").ok(201);
    h.as("u_admin").post("/accounts/v1/imports", R"({"email":"c@example.org","name":"c","password_hash":")" + longer + "\"}").ok(201);
    EXPECT_EQ(told(callers().by_password("b@example.org", "U*U", now())), "2");
    EXPECT_EQ(auth::unpack_verifier(h.state().password_of({2})), hash);
    EXPECT_EQ(told(callers().by_password("c@example.org", "Hello world!", now())), "3");
    EXPECT_TRUE(auth::is_password_hash(auth::unpack_verifier(h.state().password_of({3}))));
    EXPECT_EQ(told(callers().by_password("c@example.org", "Hello world!", now())), "3");
    EXPECT_EQ(told(callers().by_password("c@example.org", "Hello world?", now())), "password_wrong");
}

TEST_F(AccountsCallersTest, TooManyWrongPasswordsLockAndTellTheOwner) {
    std::vector<std::string> mails;
    for (int i = 0; i < 20; ++i) EXPECT_EQ(told(callers().by_password("ann@example.org", "guess number", now())), "password_wrong");
    EXPECT_EQ(told(callers().by_password("ann@example.org", "correct horse", now())), "password_wrong") << "locked, and no word of it";
    EXPECT_EQ(h.state().outbox.size(), 1u) << "a mail";
    h.advance(Duration::seconds(900));
    EXPECT_EQ(told(callers().by_password("ann@example.org", "correct horse", now())), "1");
    for (int i = 0; i < 19; ++i) EXPECT_EQ(told(callers().by_password("ann@example.org", "guess number", now())), "password_wrong");
    EXPECT_EQ(told(callers().by_password("ann@example.org", "correct horse", now())), "1") << "one fewer locks nothing";
}

TEST_F(AccountsCallersTest, TheFileIsKnownBesideTheAccountsUnlessTheyStandAlone) {
    auto const added = auth::add_credential("", "bob", {}, {}, now(), random);
    ASSERT_TRUE(added);
    ASSERT_TRUE(file->reload(added->text));
    EXPECT_EQ(told(callers().by_token(added->secret, now())), "bob");
    auto const strict = make(CallersSource::accounts);
    EXPECT_EQ(told(strict->directory().by_token(added->secret, now())), "token_unknown");
    EXPECT_EQ(told(strict->directory().by_name("bob", now())), "caller_unknown");
    auto const digits = auth::add_credential(added->text, "1", {}, {}, now(), random);
    ASSERT_TRUE(file->reload(digits->text));
    EXPECT_EQ(told(callers().by_token(digits->secret, now())), "caller_unknown") << "it would be taken for the account";
    auto const caller = callers().by_token(added->secret, now())->caller;
    auto const id = sessions().start(caller, {}, "curl", now());
    EXPECT_EQ(told(sessions().find(*id, {}, now())), "bob");
}

TEST_F(AccountsCallersTest, WithoutAnyoneTheSiteIsOpenAndTheLinkIsTold) {
    accounts::Accounts empty;
    auto of = [&](CallersSource source) {
        return make_accounts_callers(
            {.host = empty.host(), .file = *file, .memory = book, .settings = accounts::cheap(), .source = source});
    };
    auto const open = of(CallersSource::automatic), alone = of(CallersSource::accounts);
    EXPECT_FALSE(open->directory().has_callers());
    EXPECT_TRUE(alone->directory().has_callers()) << "closed, but for the link";
    EXPECT_EQ(open->first_steps("http://x"), "first account: http://x/#/setup/" + accounts::setup_proof(empty.host().hash_key()));
    empty.person("ann@example.org");
    EXPECT_TRUE(open->directory().has_callers());
    EXPECT_EQ(open->first_steps("http://x"), "");
    empty.as("u_admin").post("/accounts/v2/users/u_1/disable", "{}").ok();
    EXPECT_TRUE(open->directory().has_callers()) << "who once asked for credentials doesn't open again";
}

TEST_F(AccountsCallersTest, UseIsRecordedCoarsely) {
    auto const secret = token();
    EXPECT_TRUE(callers().by_token(secret, now()));
    made->keep_house();
    EXPECT_EQ(h.state().tokens.find({1})->used_at, noon);
    for (int i = 0; i < 4; ++i) {
        h.advance(Duration::seconds(70));
        EXPECT_TRUE(callers().by_token(secret, now()));
        made->keep_house();
        EXPECT_EQ(h.state().tokens.find({1})->used_at, noon) << "within five minutes nothing is written";
    }
    h.advance(Duration::seconds(70));
    EXPECT_TRUE(callers().by_token(secret, now()));
    made->keep_house();
    EXPECT_EQ(h.state().tokens.find({1})->used_at, now());
}

}  // namespace
}  // namespace gantry::app
