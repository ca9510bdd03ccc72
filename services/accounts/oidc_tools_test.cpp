// Registering tools, who may use them, and their secrets.
#include "services/accounts/oidc_test.h"

namespace gantry::accounts {
namespace {

class Tools : public Provider, public ::testing::Test {};

TEST_F(Tools, AreMadeListedChangedAndRemoved) {
    auto const made =
        as("u_admin").post("/accounts/v1/tools", R"({"name":"Wiki","home":"https://w.example/","redirect_uris":["https://w.example/cb"]})");
    EXPECT_EQ(made.status(), 201);
    EXPECT_EQ(made.json_at("/tool/client_id"), "tl_1");
    auto const told_once = made.json_at("/secret");
    EXPECT_TRUE(told_once.starts_with("gnt_tl1_"));
    as("u_admin").get("/accounts/v1/tools").ok().has(R"("name":"Wiki")").lacks(told_once);
    as("u_admin")
        .call("PUT", "/accounts/v1/tools/tl_1",
              R"({"name":"The wiki","home":"https://w.example/","redirect_uris":["https://w.example/b"],"teams":["docs"]})")
        .ok();
    as("u_admin").get("/accounts/v1/tools/tl_1").ok().has(R"("name":"The wiki")").has("https://w.example/b").has(R"("teams":["docs"])");
    as("u_admin").call("DELETE", "/accounts/v1/tools/tl_1").ok();
    as("u_admin").get("/accounts/v1/tools/tl_1").fails(404, "tool_not_found");
    as("u_admin").call("DELETE", "/accounts/v1/tools/tl_1").fails(404, "tool_not_found");
    as("u_admin")
        .post("/accounts/v1/tools", R"({"name":"N","home":"https://w.example/","redirect_uris":["https://w.example/cb"]})")
        .ok(201)
        .has("tl_2");
}

TEST_F(Tools, HaveAddressesThatABrowserCanGoTo) {
    for (std::string const& uri : {"ftp://w.example/", "https://", "https://u@w.example/", "https://w.example/#x", "https://w.example/ x",
                                   "javascript:alert(1)", "//w.example", "https://w.example/\\u00e9"})
        as("u_admin")
            .post("/accounts/v1/tools", fmt::format(R"({{"name":"N","home":"https://w.example/","redirect_uris":["{}"]}})", uri))
            .fails(422, "tool_invalid")
            .has("/redirect_uris/0");
    as("u_admin")
        .post("/accounts/v1/tools", R"({"name":"N","home":"x","redirect_uris":[]})")
        .fails(422, "tool_invalid")
        .has("/home")
        .has("/redirect_uris");
    as("u_admin")
        .post("/accounts/v1/tools",
              R"({"name":"N","home":"https://w.example/","redirect_uris":["https://w.example/"],"scopes":["no scope"]})")
        .fails(422, "tool_invalid")
        .has("/scopes/0");
}

TEST_F(Tools, AreForWhomTheyAreFor) {
    tool();
    tool(R"(,"teams":["docs"])");
    tool(R"(,"scopes":["tracker:write"])");
    as(ann).get("/accounts/v1/me/tools").ok().has(R"("id":"tl_1")").lacks("tl_2").lacks("tl_3");
    EXPECT_EQ(value_in(authorize(asked()).header("Location"), "error"), "access_denied");
    auto const rights = [&](std::string const& scopes, std::string const& teams) {
        as("u_admin")
            .call("PUT", "/accounts/v2/users/u_1/rights", fmt::format(R"({{"scopes":[{}],"teams":[{}],"sees_all":false}})", scopes, teams))
            .ok();
    };
    rights(R"("accounts:self","tracker:*")", R"("docs")");
    as(ann).get("/accounts/v1/me/tools").ok().has("tl_1").has("tl_2").has("tl_3");
    auto const got = exchange(code());
    ASSERT_EQ(got.status(), 200) << got.body();
    EXPECT_EQ(testing::json_at(claims(got.json_at("/id_token")), "/groups/0"), "docs");
    rights(R"("accounts:self")", "");
    EXPECT_EQ(refresh(got.json_at("/refresh_token")).status(), 400) << "no more";
    EXPECT_EQ(userinfo(got.json_at("/access_token")).status(), 401);
}

TEST_F(Tools, ARemovedToolGetsNothingMore) {
    tool();
    auto const got = exchange(code());
    as("u_admin").call("DELETE", "/accounts/v1/tools/" + client).ok();
    EXPECT_EQ(refresh(got.json_at("/refresh_token")).json_at("/error"), "invalid_client");
    EXPECT_EQ(userinfo(got.json_at("/access_token")).status(), 401);
    EXPECT_EQ(authorize(asked()).status(), 400);
}

TEST_F(Tools, ASecretIsRotatedWithAnOverlap) {
    tool();
    auto const old = secret;
    auto const rotated = as("u_admin").post("/accounts/v1/tools/tl_1/rotate", R"({"overlap":"1h"})").ok();
    auto const fresh = rotated.json_at("/secret");
    EXPECT_NE(fresh, old);
    EXPECT_NE(rotated.body().find("old_secret_until"), std::string::npos);
    for (auto const& each : {old, fresh}) {
        secret = each;
        EXPECT_EQ(exchange(code()).status(), 200);
    }
    advance(Duration::hours(1));
    secret = old;
    EXPECT_EQ(exchange(code()).json_at("/error"), "invalid_client");
    secret = fresh;
    EXPECT_EQ(exchange(code()).status(), 200);
    as("u_admin").post("/accounts/v1/tools/tl_1/rotate", R"({"overlap":"91d"})").fails(422, "overlap_invalid");
}

TEST_F(Tools, APublicOneHasNoSecretAndPkceAlone) {
    tool(R"(,"is_public":true)");
    EXPECT_EQ(secret, "");
    EXPECT_EQ(exchange(code()).status(), 200);
    secret = "gnt_tl1_x";
    EXPECT_EQ(exchange(code()).json_at("/error"), "invalid_client");
    as("u_admin").post("/accounts/v1/tools/tl_1/rotate", "{}").fails(422, "tool_is_public");
    EXPECT_EQ(as("anonymous").post("/accounts/oidc/introspect", "client_id=tl_1&token=x").status(), 401);
}

TEST_F(Tools, WithoutAKeyNothingIsSigned) {
    as("u_admin")
        .post("/accounts/v1/tools",
              fmt::format(R"({{"name":"N","home":"https://w.example/","redirect_uris":["{}"],"is_public":true}})", callback))
        .ok(201);
    auto const first = code();
    auto const early = exchange(first);
    EXPECT_EQ(early.status(), 503);
    EXPECT_EQ(early.json_at("/error"), "temporarily_unavailable");
    run_effects();
    EXPECT_EQ(exchange(first).status(), 200) << "the code wasn't used up";
}

}  // namespace
}  // namespace gantry::accounts
