#include <fmt/format.h>
#include <gtest/gtest.h>

#include <chrono>
#include <thread>

#include "kernel/auth/callers_file.h"
#include "kernel/auth/file_callers.h"

namespace gantry::auth {
namespace {

constexpr Time noon{1'772'359'200'000'000};
constexpr PasswordCost cheap{1, 8 << 10};
using Names = std::vector<std::string_view>;

class Callers : public testing::Test {
   protected:
    Edited add(std::string const& name, NewCredential credential = {}, CallerChange change = {}) {
        credential.cost = cheap;
        auto edited = add_credential(text, name, change, credential, noon, random);
        EXPECT_TRUE(edited) << edited.error().detail;
        if (!edited) return {};
        text = edited->text;
        return *edited;
    }
    Edited add_password(std::string const& name, std::string const& password) {
        return add(name, {.kind = CredentialKind::password, .password = password});
    }
    Edited add_certificate(std::string const& name, std::string const& certificate) {
        return add(name, {.kind = CredentialKind::certificate, .certificate = certificate});
    }
    void take(Result<Edited> edited) {
        ASSERT_TRUE(edited) << edited.error().detail;
        text = edited->text;
    }
    std::unique_ptr<FileCallers> load() {
        auto made = FileCallers::make(text);
        EXPECT_TRUE(made) << made.error().detail;
        return std::move(*made);
    }
    static std::string code(Result<Identity> const& identity) {
        if (!identity) EXPECT_EQ(identity.error().status, 401);
        return identity ? identity->caller->name() : identity.error().code;
    }
    SeededRandom random{7};
    std::string text;
};

TEST_F(Callers, AreKnownByTheirTokens) {
    auto const ann = add("ann", {.expires_at = noon + Duration::days(90), .note = "ci"},
                         {.scopes = {{"tracker:*"}},
                          .teams = {{"devs"}},
                          .addresses = {{"10.0.0.0/8"}},
                          .sees_all = true,
                          .rate = RateRow{10, 20},
                          .concurrent = 3});
    add("bob");
    EXPECT_EQ(text.find(ann.secret.substr(17)), std::string::npos) << "the secret is kept nowhere";
    auto const callers = load();
    auto const known = callers->by_token(ann.secret, noon).value();
    EXPECT_EQ(known.caller->id(), "u_ann");
    EXPECT_EQ(known.credential, ann.credentials.at(0));
    EXPECT_EQ(known.valid_until, noon + Duration::days(90));
    EXPECT_TRUE(known.caller->sees_all() && known.caller->scopes().allow("tracker:write"));
    EXPECT_EQ(known.caller->teams(), (std::vector<std::string>{"devs"}));
    EXPECT_EQ(known.caller->limiter().limits(), (RateLimits{10, 20, 3}));
    EXPECT_EQ(code(callers->by_token(ann.secret, noon + Duration::micros(Duration::days(90).us - 1))), "ann");
    EXPECT_EQ(code(callers->by_token(ann.secret, noon + Duration::days(90))), "token_expired");
    auto other = ann.secret;
    other[30] = other[30] == 'A' ? 'B' : 'A';
    EXPECT_EQ(code(callers->by_token(other, noon)), "token_unknown");
    EXPECT_EQ(code(callers->by_token(make_token("nobody", random), noon)), "token_unknown");
    EXPECT_EQ(code(callers->by_token("gnt_x", noon)), "token_malformed");
    EXPECT_EQ(callers->by_token(other, noon).error().detail.find(other), std::string::npos);
}

TEST_F(Callers, RotationLeavesBothValidForAWindow) {
    auto const first = add("ann");
    auto const second = rotate_credential(text, "ann", {}, Duration::hours(24), noon, random).value();
    take(second);
    auto const callers = load();
    EXPECT_EQ(code(callers->by_token(first.secret, noon + Duration::hours(23))), "ann");
    EXPECT_EQ(code(callers->by_token(first.secret, noon + Duration::hours(24))), "token_expired");
    EXPECT_EQ(code(callers->by_token(second.secret, noon + Duration::hours(25))), "ann");
    EXPECT_EQ(rotate_credential(text, "ann", {}, {}, noon, random).error().code, "credential_ambiguous");
    EXPECT_TRUE(rotate_credential(text, second.credentials[0], {}, {}, noon, random));
    EXPECT_TRUE(rotate_credential(text, "ann", {}, {}, noon + Duration::hours(24), random)) << "one is left by then";
    EXPECT_EQ(rotate_credential(text, "nobody", {}, {}, noon, random).error().code, "credential_not_found");
    take(revoke_credential(text, "ann", noon));
    EXPECT_EQ(rotate_credential(text, "ann", {}, {}, noon, random).error().code, "credential_inactive");
    EXPECT_EQ(rotate_credential(text, first.credentials[0], {}, {}, noon, random).error().code, "credential_inactive");
    EXPECT_EQ(kind_to_rotate(text, second.credentials[0], noon).value(), CredentialKind::token);
}

TEST_F(Callers, RotationNeverLengthensTheOldOne) {
    auto const first = add("ann", {.expires_at = noon + Duration::hours(1)});
    take(rotate_credential(text, "ann", {}, Duration::hours(24), noon, random));
    EXPECT_EQ(code(load()->by_token(first.secret, noon + Duration::hours(1))), "token_expired");
}

TEST_F(Callers, ARevokedTokenIsToldSo) {
    auto const first = add("ann"), second = add("ann");
    take(revoke_credential(text, first.credentials[0], noon));
    auto const callers = load();
    EXPECT_EQ(code(callers->by_token(first.secret, noon)), "token_revoked");
    EXPECT_EQ(code(callers->by_token(second.secret, noon)), "ann");
    EXPECT_EQ(revoke_credential(text, "ann", noon)->credentials, second.credentials) << "the other one is revoked already";
    EXPECT_EQ(revoke_credential(text, "nobody", noon).error().code, "credential_not_found");
}

TEST_F(Callers, ADisabledOneIsToldSo) {
    auto const ann = add("ann");
    add_password("ann", "password");
    take(set_caller_state(text, "ann", CallerState::disabled));
    auto const callers = load();
    EXPECT_EQ(code(callers->by_token(ann.secret, noon)), "caller_disabled");
    EXPECT_EQ(code(callers->by_name("ann", noon)), "caller_disabled");
    EXPECT_EQ(code(callers->by_password("ann", "password", noon)), "caller_disabled");
    EXPECT_EQ(code(callers->by_password("ann", "passwore", noon)), "password_wrong");
    take(set_caller_state(text, "ann", CallerState::enabled));
    EXPECT_EQ(code(load()->by_token(ann.secret, noon)), "ann");
    EXPECT_EQ(set_caller_state(text, "bob", CallerState::enabled).error().code, "caller_not_found");
    take(remove_caller(text, "ann"));
    EXPECT_EQ(code(load()->by_token(ann.secret, noon)), "token_unknown");
    EXPECT_EQ(remove_caller(text, "ann").error().code, "caller_not_found");
    EXPECT_FALSE(load()->has_callers());
}

TEST_F(Callers, WhoseLastIsTakenAwayLeaveTheDoorShut) {
    auto const callers = load();
    EXPECT_FALSE(callers->has_callers());
    auto const ann = add("ann");
    EXPECT_TRUE(callers->reload(text));
    EXPECT_TRUE(callers->has_callers());
    EXPECT_TRUE(callers->reload(""));
    EXPECT_TRUE(callers->has_callers());
    EXPECT_EQ(code(callers->by_token(ann.secret, noon)), "token_unknown");
}

TEST_F(Callers, AreKnownByTheirPasswords) {
    add_password("ann", "first password");
    take(rotate_credential(text, "ann", {.password = "second password", .cost = cheap}, Duration::hours(1), noon, random));
    add("bob");
    auto const callers = load();
    EXPECT_EQ(code(callers->by_password("ann", "first password", noon)), "ann");
    EXPECT_EQ(code(callers->by_password("ann", "second password", noon)), "ann");
    EXPECT_EQ(callers->by_password("ann", "first password", noon)->valid_until, noon + Duration::hours(1));
    EXPECT_EQ(code(callers->by_password("ann", "first password", noon + Duration::hours(1))), "password_expired");
    for (std::string const name : {"ann", "bob", "nobody", "", "a:b"}) {
        auto const refused = callers->by_password(name, "wrong password", noon);
        EXPECT_EQ(code(refused), "password_wrong");
        EXPECT_EQ(refused.error().detail, callers->by_password("nobody", "x", noon).error().detail);
    }
}

TEST_F(Callers, AnUnknownNameTakesAsLongAsAWrongPassword) {
    NewCredential slow{.kind = CredentialKind::password, .password = "a password", .cost = {2, 4 << 20}};
    text = add_credential(text, "ann", {}, slow, noon, random)->text;
    text = add_credential(text, "ann", {}, slow, noon, random)->text;
    add_password("bob", "a password");
    auto const callers = load();
    auto took = [&](std::string const& name) {
        auto least = std::chrono::nanoseconds::max();
        for (int i = 0; i < 5; ++i) {
            auto const from = std::chrono::steady_clock::now();
            EXPECT_EQ(code(callers->by_password(name, "wrong password", noon)), "password_wrong");
            least = std::min<std::chrono::nanoseconds>(least, std::chrono::steady_clock::now() - from);
        }
        return double(least.count());
    };
    EXPECT_GT(took("nobody"), took("ann") / 2);
    EXPECT_LT(took("nobody"), took("ann") * 2);
}

TEST_F(Callers, AreKnownByTheirCertificates) {
    add_certificate("ann", "ann.example"), add_certificate("ann", "ann2.example"), add_certificate("bob", "bob.example");
    auto callers = load();
    EXPECT_EQ(code(callers->by_certificate(Names{"x", "ann.example"}, noon)), "ann");
    EXPECT_EQ(code(callers->by_certificate(Names{"ann.example", "ann2.example"}, noon)), "ann");
    EXPECT_EQ(code(callers->by_certificate(Names{"ann.example", "bob.example"}, noon)), "certificate_ambiguous");
    EXPECT_EQ(code(callers->by_certificate(Names{"x"}, noon)), "certificate_unknown");
    EXPECT_EQ(code(callers->by_certificate({}, noon)), "certificate_unknown");
    take(revoke_credential(text, "bob", noon));
    EXPECT_EQ(code(load()->by_certificate(Names{"bob.example"}, noon)), "certificate_revoked");
    add_certificate("ann", "bob.example");
    EXPECT_EQ(code(load()->by_certificate(Names{"bob.example"}, noon)), "ann") << "a revoked name may be given anew";
    take(rotate_credential(text, load()->by_certificate(Names{"ann.example"}, noon)->credential, {.certificate = "ann3.example"}, {}, noon,
                           random));
    EXPECT_EQ(code(load()->by_certificate(Names{"ann.example"}, noon)), "certificate_expired");
    EXPECT_EQ(code(load()->by_certificate(Names{"ann3.example"}, noon)), "ann");
}

TEST_F(Callers, AreNamedByAProxy) {
    add("ann");
    EXPECT_EQ(code(load()->by_name("ann", noon)), "ann");
    EXPECT_EQ(code(load()->by_name("bob", noon)), "caller_unknown");
}

TEST_F(Callers, ReloadKeepsWhoDidNotChange) {
    auto const ann = add("ann", {}, {.rate = RateRow{1, 5}}), bob = add("bob"), eve = add("eve");
    auto const callers = load();
    auto held = [&](Edited const& who) { return callers->by_token(who.secret, noon)->caller; };
    auto const ann_before = held(ann), bob_before = held(bob), eve_before = held(eve);
    EXPECT_TRUE(ann_before->limiter().take(0).allowed);
    auto const generation = callers->generation();
    add("ann", {.note = "a second one ends nothing"});
    take(remove_caller(text, "eve"));
    text = add_credential(text, "bob", {.scopes = {{"*"}}}, {.cost = cheap}, noon, random)->text;
    auto const counts = callers->reload(text).value();
    EXPECT_EQ(counts.kept, 1u);
    EXPECT_EQ(counts.made, 1u);
    EXPECT_EQ(counts.ended, 2u);
    EXPECT_GT(callers->generation(), generation);
    EXPECT_EQ(held(ann), ann_before);
    EXPECT_FALSE(ann_before->is_ended());
    EXPECT_EQ(ann_before->limiter().look(0).remaining, 4);
    EXPECT_TRUE(bob_before->is_ended() && eve_before->is_ended());
    EXPECT_NE(held(bob), bob_before);
    EXPECT_TRUE(held(bob)->scopes().allow("x:y"));
}

TEST_F(Callers, ReloadEndsWhoLostACredentialAndKeepsTheLimiter) {
    auto const one = add("ann", {}, {.rate = RateRow{1, 5}}), two = add("ann");
    auto const callers = load();
    auto before = callers->by_token(one.secret, noon).value();
    EXPECT_TRUE(before.caller->limiter().take(0).allowed);
    EXPECT_TRUE(before.holds(noon));
    take(revoke_credential(text, two.credentials[0], noon));
    EXPECT_TRUE(callers->reload(text));
    EXPECT_FALSE(before.holds(noon));
    auto after = callers->by_token(one.secret, noon).value();
    EXPECT_EQ(&after.caller->limiter(), &before.caller->limiter());
    EXPECT_EQ(callers->reload(text)->kept, 1u);
    take(rotate_credential(text, one.credentials[0], {}, Duration::hours(1), noon, random));
    EXPECT_TRUE(callers->reload(text));
    EXPECT_TRUE(after.caller->is_ended()) << "its end moved";
    EXPECT_EQ(callers->by_token(one.secret, noon)->valid_until, noon + Duration::hours(1));
    auto last = callers->by_token(one.secret, noon)->caller;
    take(set_caller_state(text, "ann", CallerState::disabled));
    EXPECT_TRUE(callers->reload(text));
    EXPECT_TRUE(last->is_ended());
}

TEST_F(Callers, ABrokenReloadChangesNothing) {
    auto const ann = add("ann");
    auto const callers = load();
    auto const before = callers->by_token(ann.secret, noon)->caller;
    EXPECT_EQ(callers->reload("{").error().code, "callers_invalid");
    EXPECT_EQ(callers->by_token(ann.secret, noon)->caller, before);
    EXPECT_FALSE(before->is_ended());
    EXPECT_EQ(callers->generation(), 1u);
}

TEST_F(Callers, AreReadWhileTheyAreReloaded) {
    auto const ann = add("ann");
    auto const other = add_credential(text, "ann", {.scopes = {{"*"}}}, {.cost = cheap}, noon, random)->text;
    auto const callers = load();
    std::atomic<bool> done = false;
    std::vector<std::thread> readers;
    for (int i = 0; i < 3; ++i)
        readers.emplace_back([&] {
            while (!done) EXPECT_EQ(code(callers->by_token(ann.secret, noon)), "ann");
        });
    for (int i = 0; i < 200; ++i) EXPECT_TRUE(callers->reload(i % 2 ? text : other));
    done = true;
    for (auto& t : readers) t.join();
}

TEST_F(Callers, FaultsAreNamedWithTheirPlace) {
    std::string const hash = "sha256:" + std::string(64, '0');
    auto caller = [](std::string const& more) { return R"({"callers":[{"name":"ann")" + more + "}]}"; };
    auto credential = [&](std::string const& fields) { return caller(R"(,"credentials":[{)" + fields + "}]"); };
    struct {
        std::string text, pointer, said;
    } const rows[] = {
        {"[]", "", ""},
        {R"({"caller":[]})", "/caller", "did you mean \"callers\""},
        {caller(R"(,"scope":["*"])"), "/callers/0/scope", "did you mean \"scopes\""},
        {R"({"callers":[{}]})", "/callers/0/name", "1 to 62 characters"},
        {R"({"callers":[{"name":"a b"}]})", "/callers/0/name", "found \"a b\""},
        {R"({"callers":[{"name":"a"},{"name":"a"}]})", "/callers/1/name", "there is another caller"},
        {caller(R"(,"scopes":["*","x"])"), "/callers/0/scopes/1", "expected a scope"},
        {caller(R"(,"addresses":["10.0.0.1/8"])"), "/callers/0/addresses/0", "10.0.0.0/8"},
        {caller(R"(,"teams":[""])"), "/callers/0/teams/0", "1 to 200"},
        {caller(R"(,"rate":{"per_s":0,"burst":1})"), "/callers/0/rate/per_s", "0.001"},
        {caller(R"(,"rate":{"per_s":1000001,"burst":1})"), "/callers/0/rate/per_s", "1000000"},
        {caller(R"(,"rate":{"per_s":1,"burst":0})"), "/callers/0/rate/burst", "1 to"},
        {caller(R"(,"rate":{"per_s":1})"), "/callers/0/rate/burst", "found nothing"},
        {caller(R"(,"concurrent":0)"), "/callers/0/concurrent", "1 to"},
        {credential(R"("id":"x","kind":"key")"), "/callers/0/credentials/0/kind", "password, token, certificate"},
        {credential(R"("id":"x")"), "/callers/0/credentials/0/kind", "found nothing"},
        {credential(R"("id":"X","kind":"token","hash":")" + hash + "\""), "/callers/0/credentials/0/id", "[0-9a-z]"},
        {credential(R"("id":"x","kind":"token")"), "/callers/0/credentials/0/hash", "sha256:"},
        {credential(R"("id":"x","kind":"token","hash":"my secret")"), "/callers/0/credentials/0/hash", "sha256:"},
        {credential(R"("id":"x","kind":"password","hash":"hunter22")"), "/callers/0/credentials/0/hash", "argon2id"},
        {credential(R"("id":"x","kind":"certificate")"), "/callers/0/credentials/0/certificate", "the name in the certificate"},
        {credential(R"("id":"x","kind":"certificate","certificate":"a","hash":"b")"), "/callers/0/credentials/0/hash", "has no hash"},
        {credential(R"("id":"x","kind":"token","certificate":"a","hash":")" + hash + "\""), "/callers/0/credentials/0/certificate",
         "another kind"},
        {credential(R"("id":"x","kind":"token","hash":")" + hash + R"("},{"id":"x","kind":"token","hash":")" + hash + "\""),
         "/callers/0/credentials/1/id", "another credential"},
        {credential(R"("id":"x","kind":"certificate","certificate":"a"},{"id":"y","kind":"certificate","certificate":"a")"),
         "/callers/0/credentials/1/certificate", "another credential"},
        {credential(R"("id":"x","kind":"token","expires_at":"soon","hash":")" + hash + "\""), "/callers/0/credentials/0/expires_at", ""},
    };
    for (auto const& row : rows) {
        auto const parsed = parse_callers(row.text);
        ASSERT_FALSE(parsed) << row.text;
        EXPECT_EQ(parsed.error().code, "callers_invalid");
        ASSERT_FALSE(parsed.error().faults.empty()) << row.text;
        EXPECT_EQ(parsed.error().faults[0].pointer, row.pointer) << row.text;
        EXPECT_NE(parsed.error().faults[0].detail.find(row.said), std::string::npos) << parsed.error().faults[0].detail;
        for (auto const& fault : parsed.error().faults) {
            EXPECT_EQ(fault.detail.find("hunter22"), std::string::npos);
            EXPECT_EQ(fault.detail.find("my secret"), std::string::npos);
        }
    }
}

TEST_F(Callers, TheFileHasLimits) {
    auto rate = [&](double per_s, std::int64_t burst, std::int64_t concurrent) {
        return add_credential("", "ann", {.rate = RateRow{per_s, burst}, .concurrent = concurrent}, {}, noon, random).has_value();
    };
    EXPECT_TRUE(rate(RateLimits::per_s_min, 1, 1) && rate(RateLimits::per_s_max, RateLimits::burst_max, RateLimits::concurrent_max));
    EXPECT_FALSE(rate(RateLimits::per_s_min / 2, 1, 1) || rate(1, RateLimits::burst_max + 1, 1) ||
                 rate(1, 1, RateLimits::concurrent_max + 1));
    for (std::size_t i = 0; i < CallersFile::passwords_max; ++i) add_password("ann", "password");
    EXPECT_EQ(add_credential(text, "ann", {}, {.kind = CredentialKind::password, .password = "password", .cost = cheap}, noon, random)
                  .error()
                  .code,
              "callers_invalid");
    for (std::size_t i = CallersFile::passwords_max; i < CallersFile::credentials_max; ++i) add("ann");
    EXPECT_EQ(add_credential(text, "ann", {}, {}, noon, random).error().faults.at(0).pointer, "/callers/0/credentials");
    EXPECT_TRUE(add_credential("", "ann", {.teams = std::vector<std::string>(CallersFile::teams_max, "t")}, {}, noon, random));
    EXPECT_FALSE(add_credential("", "ann", {.teams = std::vector<std::string>(CallersFile::teams_max + 1, "t")}, {}, noon, random));
}

TEST_F(Callers, TheTextComesBackAsItWent) {
    add("ann", {.expires_at = noon, .note = "x \"y\""}, {.scopes = {{"*"}}, .rate = RateRow{0.5, 3}});
    add_certificate("bob", "Bob Ö");
    auto const file = parse_callers(text).value();
    EXPECT_EQ(callers_text(file), text);
    EXPECT_TRUE(text.ends_with("}\n"));
    EXPECT_TRUE(parse_callers(" \n")->callers.empty());
    EXPECT_TRUE(parse_callers("{}")->callers.empty());
}

TEST_F(Callers, WhatIsNotGivenStays) {
    add("ann", {}, {.scopes = {{"a:b"}}, .teams = {{"t"}}, .concurrent = 7});
    add("ann", {}, {.teams = {{"u"}}});
    auto const row = parse_callers(text)->callers.at(0);
    EXPECT_EQ(row.scopes, (std::vector<std::string>{"a:b"}));
    EXPECT_EQ(row.teams, (std::vector<std::string>{"u"}));
    EXPECT_EQ(row.concurrent, 7);
    EXPECT_EQ(row.credentials.size(), 2u);
    EXPECT_EQ(add_credential(text, "a b", {}, {}, noon, random).error().code, "callers_invalid");
    EXPECT_EQ(add_credential(text, "ann", {}, {.kind = CredentialKind::password, .password = "short"}, noon, random).error().code,
              "password_unusable");
}

}  // namespace
}  // namespace gantry::auth
