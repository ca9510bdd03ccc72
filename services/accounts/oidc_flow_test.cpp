// The OpenID Connect provider, as tools and browsers go through it.
#include "services/accounts/oidc_test.h"

namespace gantry::accounts {
namespace {

class OidcFlow : public Provider, public ::testing::Test {};

TEST_F(OidcFlow, ACodeBecomesTokensOfThePerson) {
    tool();
    auto const said = authorize(asked());
    ASSERT_EQ(said.status(), 303) << said.body();
    auto const back = said.header("Location");
    EXPECT_TRUE(back.starts_with(std::string(callback) + "?code=gnc_")) << back;
    EXPECT_EQ(value_in(back, "state"), "st 1&");
    EXPECT_EQ(value_in(back, "iss"), issuer);
    EXPECT_EQ(said.header("Cache-Control"), "no-store");

    auto const got = exchange(value_in(back, "code"));
    ASSERT_EQ(got.status(), 200) << got.body();
    EXPECT_EQ(got.header("Cache-Control"), "no-store");
    EXPECT_EQ(got.json_at("/token_type"), "Bearer");
    EXPECT_EQ(got.json_at("/expires_in"), "600");
    auto const keys = auth::JwtKeys::parse(jwks());
    ASSERT_TRUE(keys) << keys.error().detail;
    auth::JwtExpectations const expected{.issuer = std::string(issuer), .audiences = {client}};
    auto const verified = auth::verify_jwt(got.json_at("/id_token"), *keys, expected, noon);
    ASSERT_TRUE(verified) << verified.error().detail;
    EXPECT_EQ(verified->claims.name, ann);
    auto const told = claims(got.json_at("/id_token"));
    EXPECT_EQ(testing::json_at(told, "/nonce"), "n1");
    EXPECT_EQ(testing::json_at(told, "/sid"), "se_1");
    EXPECT_EQ(testing::json_at(told, "/email"), "ann@example.org");
    EXPECT_EQ(testing::json_at(told, "/auth_time"), std::to_string(noon.us / 1'000'000));
    auto const half = auth::digest_of(got.json_at("/access_token")).substr(0, 16);
    EXPECT_EQ(testing::json_at(told, "/at_hash"), auth::base64url(half));

    userinfo(got.json_at("/access_token")).ok().has(R"("sub":"u_1")").has(R"("name":"ann@example.org")").has(R"("groups":[])");
    advance(Duration::seconds(600));
    EXPECT_EQ(userinfo(got.json_at("/access_token")).status(), 401);
}

TEST_F(OidcFlow, ScopesSayWhatIsTold) {
    tool();
    auto got = exchange(code({{"scope", "openid unheard_of"}, {"nonce", ""}, {"state", ""}}));
    ASSERT_EQ(got.status(), 200) << got.body();
    EXPECT_EQ(got.json_at("/scope"), "openid");
    got.lacks("refresh_token");
    auto const told = claims(got.json_at("/id_token"));
    EXPECT_FALSE(testing::json_at(told, "/email")) << told;
    EXPECT_FALSE(testing::json_at(told, "/nonce")) << told;
    EXPECT_EQ(userinfo(got.json_at("/access_token")).body(), R"({"sub":"u_1"})");
}

TEST_F(OidcFlow, ARefreshTokenIsRotatedAndItsReuseEndsTheFamily) {
    tool();
    auto const first = exchange(code());
    auto const second = refresh(first.json_at("/refresh_token"));
    ASSERT_EQ(second.status(), 200) << second.body();
    EXPECT_NE(second.json_at("/refresh_token"), first.json_at("/refresh_token"));
    EXPECT_EQ(testing::json_at(claims(second.json_at("/id_token")), "/sub"), ann);
    restart();
    EXPECT_EQ(refresh(first.json_at("/refresh_token")).status(), 400);
    auto const newest = refresh(second.json_at("/refresh_token"));
    EXPECT_EQ(newest.status(), 400) << "the family is ended";
    EXPECT_EQ(newest.json_at("/error"), "invalid_grant");
    EXPECT_EQ(userinfo(second.json_at("/access_token")).status(), 401);
}

TEST_F(OidcFlow, ABrowserFromTheToolsPageComesOnceMoreByOurOwn) {
    tool();
    auto const foreign_page = as("anonymous").get("/accounts/oidc/authorize?" + asked());
    ASSERT_EQ(foreign_page.status(), 200);
    EXPECT_NE(foreign_page.body().find(R"(<meta http-equiv="refresh" content="0;url=authorize?)"), std::string::npos)
        << foreign_page.body();
    EXPECT_NE(foreign_page.body().find("&amp;gantry_step=1"), std::string::npos);
    EXPECT_EQ(authorize(asked() + "&gantry_step=1").status(), 303);
}

TEST_F(OidcFlow, WhoeverIsntSignedInSignsInAndComesBack) {
    tool();
    auto const sent = as("anonymous").get("/accounts/oidc/authorize?" + asked() + "&gantry_step=1");
    ASSERT_EQ(sent.status(), 303);
    auto const to = sent.header("Location");
    ASSERT_TRUE(to.starts_with("/#/signin/once/")) << to;
    auto const query = ForeignRequest::parse_form(to.substr(std::string_view("/#/signin/once/").size()));
    auto const back = authorize(query->front().first);
    EXPECT_EQ(back.status(), 303);
    EXPECT_NE(value_in(back.header("Location"), "code"), "") << back.header("Location");
    auto const quiet = as("anonymous").get("/accounts/oidc/authorize?" + asked({{"prompt", "none"}}) + "&gantry_step=1");
    EXPECT_EQ(value_in(quiet.header("Location"), "error"), "login_required");
    EXPECT_EQ(value_in(quiet.header("Location"), "state"), "st 1&");
}

TEST_F(OidcFlow, PromptLoginAndMaxAgeAskForANewSession) {
    tool();
    advance(Duration::seconds(100));
    for (auto const& wish : {Form{{"prompt", "login"}}, Form{{"max_age", "60"}}}) {
        auto const sent = authorize(asked(wish));
        auto const to = sent.header("Location");
        ASSERT_TRUE(to.starts_with("/#/signin/anew/")) << to;
        auto const query = ForeignRequest::parse_form(to.substr(std::string_view("/#/signin/anew/").size()))->front().first;
        EXPECT_TRUE(authorize(query).header("Location").starts_with("/#/signin/anew/")) << "the old session isn't enough";
        advance(Duration::seconds(5));
        sign_in(state().next_session().n);
        EXPECT_NE(value_in(authorize(query).header("Location"), "code"), "");
        advance(Duration::seconds(100));
    }
    EXPECT_NE(value_in(authorize(asked({{"max_age", "101"}})).header("Location"), "code"), "");
    EXPECT_EQ(value_in(authorize(asked({{"max_age", "60"}, {"prompt", "none"}})).header("Location"), "error"), "login_required");
}

TEST_F(OidcFlow, EndingTheSessionsEndsWhatToolsHaveAndTellsThem) {
    tool(R"(,"backchannel_logout_uri":"https://tool.example/out")");
    auto const got = exchange(code());
    as(ann).call("DELETE", "/accounts/v1/me/sessions").ok();
    EXPECT_EQ(refresh(got.json_at("/refresh_token")).status(), 400);
    EXPECT_EQ(userinfo(got.json_at("/access_token")).status(), 401);
    tick();
    run_effects();
    ASSERT_EQ(sent.size(), 1u);
    EXPECT_EQ(sent[0].target, "https://tool.example/out");
    ASSERT_TRUE(sent[0].body.starts_with("logout_token="));
    auto const told = auth::signed_claims(sent[0].body.substr(13), *auth::JwtKeys::parse(jwks()), "logout+jwt");
    ASSERT_TRUE(told) << told.error().code;
    EXPECT_EQ(testing::json_at(*told, "/sid"), "se_1");
    EXPECT_EQ(testing::json_at(*told, "/aud"), client);
    EXPECT_NE(told->find(R"("http://schemas.openid.net/event/backchannel-logout":{})"), std::string::npos);
    EXPECT_EQ(state().grants.size(), 0u);
}

TEST_F(OidcFlow, ACodeThatNobodyTookLeavesAndNoOneIsTold) {
    tool(R"(,"backchannel_logout_uri":"https://tool.example/out")");
    auto const unused = code();
    advance(code_lifetime), tick();
    EXPECT_EQ(state().grants.size(), 0u);
    EXPECT_EQ(exchange(unused).json_at("/error"), "invalid_grant");
    run_effects();
    EXPECT_TRUE(sent.empty());
}

TEST_F(OidcFlow, AToolEndsTheSessionByItsIdToken) {
    tool();
    auto const got = exchange(code());
    advance(Duration::hours(2));  // the ID token has expired: it still says who
    auto const query =
        written({{"id_token_hint", got.json_at("/id_token")}, {"post_logout_redirect_uri", "https://tool.example/bye"}, {"state", "s"}});
    auto const out = as("anonymous").get("/accounts/oidc/logout?" + query);
    EXPECT_EQ(out.status(), 303) << out.body();
    EXPECT_EQ(out.header("Location"), "https://tool.example/bye?state=s");
    EXPECT_EQ(state().sessions.size(), 0u);
    EXPECT_EQ(refresh(got.json_at("/refresh_token")).json_at("/error"), "invalid_grant");
    EXPECT_EQ(as("anonymous").post("/accounts/oidc/logout", query).status(), 303) << "again: it is over already";
}

TEST_F(OidcFlow, RevocationEndsTheGrantAndIntrospectionTells) {
    tool();
    auto const got = exchange(code());
    auto const ask = [&](std::string const& path, std::string const& token) {
        return as("anonymous")
            .post("/accounts/oidc/" + path, written({{"token", token}, {"client_id", client}, {"client_secret", secret}}));
    };
    ask("introspect", got.json_at("/access_token")).ok().has(R"("active":true)").has(R"("sub":"u_1")").has(R"("client_id":"tl_1")");
    ask("introspect", got.json_at("/refresh_token")).ok().has(R"("active":true)");
    ask("introspect", "gna_1_1_x").ok().has(R"({"active":false})");
    ask("revoke", "no token").ok();
    ask("revoke", got.json_at("/refresh_token")).ok();
    ask("introspect", got.json_at("/access_token")).ok().has(R"({"active":false})");
    EXPECT_EQ(refresh(got.json_at("/refresh_token")).json_at("/error"), "invalid_grant");
}

TEST_F(OidcFlow, AKeyIsRotatedAndTheOldOneIsShownUntilItsTokensExpired) {
    tool();
    auto const old = exchange(code()).json_at("/id_token");
    as("u_admin").post("/accounts/v1/oidc-keys/rotate", "{}").ok(202);
    as("u_admin").post("/accounts/v1/oidc-keys/rotate", "{}").ok(202).wrote_nothing();
    run_effects();
    EXPECT_EQ(auth::JwtKeys::parse(jwks())->all().size(), 2u);
    auto const fresh = exchange(code()).json_at("/id_token");
    EXPECT_NE(old.substr(0, old.find('.')), fresh.substr(0, fresh.find('.'))) << "another kid";
    EXPECT_TRUE(claims(old).starts_with("{")) << claims(old);
    advance(Duration::seconds(660)), tick();
    EXPECT_EQ(auth::JwtKeys::parse(jwks())->all().size(), 1u);
    EXPECT_EQ(claims(old), "jwt_key_unknown");
    EXPECT_TRUE(claims(fresh).starts_with("{"));
}

TEST_F(OidcFlow, AKeyThatIsOldGetsASuccessor) {
    tool();
    auto const first = as("u_admin").get("/accounts/v1/oidc-keys").ok().json_at("/items/0/kid");
    advance(Duration::days(90)), tick();
    run_effects();
    as("u_admin").get("/accounts/v1/oidc-keys").ok().has(first).has(R"("id":"key_2")");
    tick(), run_effects();
    as("u_admin").get("/accounts/v1/oidc-keys").ok().lacks("key_3");
}

TEST_F(OidcFlow, DiscoveryNamesTheEndpoints) {
    auto const said = as("anonymous").get("/accounts/oidc/.well-known/openid-configuration").ok();
    EXPECT_EQ(said.json_at("/issuer"), issuer);
    EXPECT_EQ(said.json_at("/token_endpoint"), std::string(issuer) + "/token");
    EXPECT_EQ(said.json_at("/code_challenge_methods_supported/0"), "S256");
    EXPECT_EQ(jwks(), R"({"keys":[]})") << "no tool, no key";
}

TEST_F(OidcFlow, OneSessionHoldsSoManyGrantsOfATool) {
    tool();
    for (int i = 0; i < 25; ++i) exchange(code()).ok();
    EXPECT_EQ(state().grants.size(), 20u);
}

}  // namespace
}  // namespace gantry::accounts
