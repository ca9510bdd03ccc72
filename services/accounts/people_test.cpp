#include "services/accounts/accounts_test.h"

namespace gantry::accounts {
namespace {

TEST(People, AreMadeShownListedAndRenamed) {
    Accounts h;
    auto const ann = h.person("Ann@Example.org");
    EXPECT_EQ(ann, "u_1");
    auto const ci = h.service("ci-builder", ann);
    h.get("/accounts/v2/users/u_1").ok().has(R"("login":"ann@example.org")").has(R"("scopes":["accounts:self"])").lacks("username");
    h.get("/accounts/v2/users/" + ci).ok().has(R"("owner":"u_1")").has(R"("emails":[])");
    h.get("/accounts/v2/users?kind=service").ok().has("ci-builder").lacks("ann@");
    h.get("/accounts/v2/users?login=ANN@example.org").ok().has(R"("id":"u_1")");
    h.get("/accounts/v2/users?login=nobody@example.org").ok().has(R"("items":[])");
    auto const next = h.get("/accounts/v2/users?limit=1").ok().has(R"("complete":false)").next();
    h.get("/accounts/v2/users?limit=1&cursor=" + next).ok().has("ci-builder").has(R"("complete":true)");
    h.call("PUT", "/accounts/v2/users/u_1/name", R"({"name":"Ann Lee"})").ok().wrote(Renamed{{1}, "Ann Lee"});
    h.call("PUT", "/accounts/v2/users/u_1/name", R"({"name":"Ann Lee"})").ok().wrote_nothing();
    h.as("u_1").call("PUT", "/accounts/v1/me/name", R"({"name":"Ann"})").ok().has(R"("name":"Ann")");
    h.as("u_1").get("/accounts/v1/me").ok().has(R"("name":"Ann")");
    h.as("u_local").get("/accounts/v1/me").fails(403, "no_account");
}

TEST(People, WhatMakesNoSenseIsRefused) {
    Accounts h;
    auto const ann = h.person("ann@example.org");
    auto const ci = h.service("ci", ann);
    struct {
        char const* body;
        int status;
        char const* code;
    } const rows[] = {
        {R"({"name":"x","login":"ann@example.org"})", 409, "login_taken"},
        {R"({"name":"x","login":"ANN@EXAMPLE.ORG"})", 409, "login_taken"},
        {R"({"name":"x","login":"no address"})", 422, "email_invalid"},
        {R"({"name":"x","login":"a@b@c"})", 422, "email_invalid"},
        {R"({"name":"x","login":"a@.org"})", 422, "email_invalid"},
        {R"({"kind":"service","name":"x","login":"Ci","owner":"u_1"})", 422, "handle_invalid"},
        {R"({"kind":"service","name":"x","login":"ci","owner":"u_1"})", 409, "login_taken"},
        {R"({"kind":"service","name":"x","login":"cd"})", 422, "owner_missing"},
        {R"({"kind":"service","name":"x","login":"cd","owner":"u_2"})", 422, "owner_is_service"},
        {R"({"kind":"service","name":"x","login":"cd","owner":"u_9"})", 404, "account_not_found"},
        {R"({"kind":"service","name":"x","login":"cd","owner":"u_1","password":"long enough"})", 422, "service_has_tokens"},
        {R"({"name":"x","login":"x@example.org","owner":"u_1"})", 422, "owner_unexpected"},
        {R"({"name":"x","login":"x@example.org","scopes":["x"]})", 422, "scope_invalid"},
        {R"({"name":"x","login":"x@example.org","password":"short"})", 422, "password_unusable"},
        {R"({"name":"","login":"x@example.org"})", 400, "body_invalid"},
    };
    for (auto const& row : rows) h.as("u_admin").post("/accounts/v2/users", row.body).fails(row.status, row.code).wrote_nothing();
    h.get("/accounts/v2/users/u_9").fails(404, "account_not_found");
    h.get("/accounts/v2/users?cursor=x").fails(400, "cursor_invalid");
}

TEST(People, BothVersionsLiveOnOneState) {
    Accounts h;
    h.as("u_admin")
        .post("/accounts/v1/users", R"({"email":"ann@example.org","username":"ann"})")
        .ok(201)
        .has(R"("username":"ann@example.org")");
    h.person("bob@example.org");
    h.get("/accounts/v1/users").ok().has(R"("username":"bob@example.org","email":"bob@example.org")");
    h.get("/accounts/v2/users/u_1").ok().has(R"("name":"ann")").lacks("username");
    h.get("/accounts/v1/users/u_2").ok().has(R"("username":"bob@example.org")");
}

TEST(People, AMergedAccountsThingsBelongToTheOther) {
    Accounts h;
    auto const ann = h.person("ann@example.org", R"(,"password":"correct horse")"), old = h.person("old@example.org");
    auto const ci = h.service("ci", old);
    auto const token = h.post("/accounts/v2/users/" + old + "/tokens", R"({"name":"laptop"})").ok(201).json_at("/token/id");
    h.post("/accounts/v2/users/u_2/merge", R"({"into":"u_1"})").ok().has("old@example.org").wrote(Merged{{2}, {1}});
    h.get("/accounts/v2/users/u_2").ok().has(R"("state":"merged")").has(R"("merged_into":"u_1")").has(R"("emails":[])");
    h.get("/accounts/v2/users/" + ci).ok().has(R"("owner":"u_1")");
    h.get("/accounts/v2/users/u_1/tokens").ok().has("laptop");
    h.as("u_1").call("DELETE", "/accounts/v1/me/tokens/" + token).ok();
    h.as("u_2").get("/accounts/v1/me").fails(409, "account_merged");
    EXPECT_EQ(check_account(h.state(), {2}).error().code, "account_merged");
    EXPECT_EQ(find_login(h.state(), "old@example.org", noon).account.n, 1u);
}

TEST(People, MergesHaveNoCycles) {
    Accounts h;
    for (auto const* email : {"a@example.org", "b@example.org", "c@example.org"}) h.person(email);
    h.service("ci", "u_1");
    auto merge = [&](int id, int into) {
        return h.as("u_admin").post(fmt::format("/accounts/v2/users/u_{}/merge", id), fmt::format(R"({{"into":"u_{}"}})", into));
    };
    merge(1, 1).fails(422, "merge_into_itself");
    merge(1, 4).fails(422, "merge_of_kinds");
    merge(1, 2).ok();
    merge(2, 1).fails(409, "account_merged");
    merge(1, 3).fails(409, "account_merged");
    merge(2, 3).ok();
    merge(3, 1).fails(409, "account_merged");
    h.get("/accounts/v2/users/u_3").ok().has("a@example.org").has("b@example.org");
    h.post("/accounts/v2/users/u_1/enable", "{}").fails(409, "account_merged");
}

TEST(People, ADisabledAccountIsLetInNoMore) {
    Accounts h;
    h.person("ann@example.org");
    h.post("/accounts/v2/users/u_1/disable", R"({"note":"left"})").ok().has("disabled").wrote(Disabled{{1}, "left"});
    h.post("/accounts/v2/users/u_1/disable", "{}").ok().wrote_nothing();
    EXPECT_EQ(check_account(h.state(), {1}).error().code, "caller_disabled");
    h.post("/accounts/v2/users/u_1/enable", "{}").ok().wrote(Enabled{{1}});
    EXPECT_TRUE(check_account(h.state(), {1}));
}

TEST(People, RightsAreSet) {
    Accounts h;
    h.person("ann@example.org");
    auto const path = "/accounts/v2/users/u_1/rights";
    h.call("PUT", path, R"({"scopes":["tracker:*"],"teams":["devs"],"sees_all":true})").ok().has(R"("teams":["devs"])").has("tracker:*");
    h.call("PUT", path, R"({"scopes":["tracker:*"],"teams":["devs"],"sees_all":true})").ok().wrote_nothing();
    h.call("PUT", path, R"({"scopes":["x"],"teams":[],"sees_all":false})").fails(422, "scope_invalid");
    h.call("PUT", path, R"({"scopes":[],"teams":["A team"],"sees_all":false})").fails(422, "team_invalid");
}

TEST(People, AnAddressIsProvedByALinkThatIsInNoLog) {
    Accounts h;
    h.person("ann@example.org"), h.person("bob@example.org");
    h.as("u_1").post("/accounts/v1/me/emails", R"({"email":"ann@home.example"})").ok(202).has(R"("pending":true)");
    EXPECT_FALSE(h.state().by_login("ann@home.example"));
    auto const asked = h.state().pending.find({1})->emails.front().asked_at;
    auto const what = fmt::format("u_1 ann@home.example {}", asked.us);
    auto const proof = codec::proof_of(h.host().hash_key(), "email", what);
    auto verify = [&](std::string const& email, std::string const& with) {
        return h.as("u_x").post("/accounts/v1/emails/verify", fmt::format(R"({{"id":"u_1","email":"{}","proof":"{}"}})", email, with));
    };
    verify("ann@home.example", std::string(32, 'x')).fails(403, "link_wrong");
    verify("bob@example.org", proof).fails(403, "link_wrong");
    verify("ann@home.example", proof).ok().wrote(EmailVerified{{1}, "ann@home.example"});
    verify("ann@home.example", proof).fails(403, "link_wrong");  // once
    EXPECT_EQ(h.state().by_login("ann@home.example").n, 1u);
    h.as("u_1").call("DELETE", "/accounts/v1/me/emails/ann@example.org").ok().has(R"("login":"ann@home.example")");
    h.as("u_1").call("DELETE", "/accounts/v1/me/emails/ann@home.example").fails(409, "email_last");
    h.as("u_1").call("DELETE", "/accounts/v1/me/emails/ann@example.org").fails(404, "email_not_found");
    // Someone else's address is told to nobody: it can't be verified twice.
    h.as("u_1").post("/accounts/v1/me/emails", R"({"email":"bob@example.org"})").ok(202);
    auto const later = h.state().pending.find({1})->emails.front().asked_at;
    verify("bob@example.org", codec::proof_of(h.host().hash_key(), "email", fmt::format("u_1 bob@example.org {}", later.us)))
        .fails(409, "login_taken");
}

TEST(People, ALinkEndsAfterThreeDays) {
    Accounts h;
    h.person("ann@example.org");
    h.as("u_1").post("/accounts/v1/me/emails", R"({"email":"ann@home.example"})").ok(202);
    auto const proof = codec::proof_of(h.host().hash_key(), "email", fmt::format("u_1 ann@home.example {}", noon.us));
    auto const body = fmt::format(R"({{"id":"u_1","email":"ann@home.example","proof":"{}"}})", proof);
    h.advance(Duration::days(3)).post("/accounts/v1/emails/verify", body).fails(403, "link_wrong");
    h.at(noon + Duration::days(3) - Duration::micros(1)).post("/accounts/v1/emails/verify", body);
}

TEST(People, TheFirstOneIsMadeByTheLinkAndOnce) {
    Accounts h;
    auto const body = [&](std::string const& proof) {
        return fmt::format(R"({{"proof":"{}","name":"Ann","email":"ann@example.org","password":"correct horse"}})", proof);
    };
    h.as("anonymous").post("/accounts/v1/setup", body(std::string(32, 'x'))).fails(403, "link_wrong");
    auto const proof = setup_proof(h.host().hash_key());
    h.post("/accounts/v1/setup", body(proof)).ok(201).has(R"("scopes":["*"])").has(R"("sees_all":true)").has(R"("has_password":true)");
    h.post("/accounts/v1/setup", body(proof)).fails(409, "already_set_up");
}

TEST(People, AreImportedWithTheirHashes) {
    Accounts h;
    std::string const hash = "$2b$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW";
    auto const import = [&](std::string const& email, std::string const& with) {
        return h.as("u_admin").post("/accounts/v1/imports",
                                    fmt::format(R"({{"email":"{}","name":"x","password_hash":"{}"}})", email, with));
    };
    import("ann@example.org", hash).ok(201).has("u_1");
    import("bob@example.org", "plain").fails(422, "hash_unknown").lacks("plain");
    import("ann@example.org", hash).fails(409, "login_taken");
    EXPECT_EQ(auth::unpack_verifier(find_login(h.state(), "ann@example.org", noon).verifier), hash);
}

}  // namespace
}  // namespace gantry::accounts
