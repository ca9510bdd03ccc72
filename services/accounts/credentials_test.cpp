#include "services/accounts/accounts_test.h"

namespace gantry::accounts {
namespace {

class Credentials : public ::testing::Test {
   protected:
    Credentials() { h.person("ann@example.org"), h.person("bob@example.org"); }
    std::string code_of(std::string const& seed, std::int64_t off = 0) {
        return auth::code_of_step(*auth::decode_base32(seed), h.clock().wall().us / 1'000'000 / auth::code_step_s + off);
    }
    Accounts::Said confirm(std::string const& code) {
        return h.as("u_1").post("/accounts/v1/me/codes/confirm", fmt::format(R"({{"code":"{}"}})", code));
    }
    std::string token(std::string const& as = "u_1", std::string const& body = R"({"name":"ci"})") {
        return h.as(as).post("/accounts/v1/me/tokens", body).ok(201).json_at("/token/id");
    }
    Accounts h;
};

TEST_F(Credentials, ThePasswordOfNowGoesWithANewOne) {
    auto const path = "/accounts/v1/me/password";
    h.as("u_1").call("PUT", path, R"({"password":"correct horse"})").ok().has(R"("has_password":true)");
    h.call("PUT", path, R"({"password":"battery staple"})").fails(422, "old_password_missing");
    h.call("PUT", path, R"({"password":"battery staple","old":"wrong horse"})").fails(403, "old_password_wrong");
    h.call("PUT", path, R"({"password":"battery staple","old":"correct horse"})").ok();
    h.call("PUT", path, R"({"password":"short","old":"battery staple"})").fails(422, "password_unusable");
    h.as("u_admin").call("PUT", "/accounts/v2/users/u_1/password", R"({"password":"given by another"})").ok();
    EXPECT_TRUE(auth::any_password_matches(auth::unpack_verifier(h.state().password_of({1})), "given by another"));
    h.call("PUT", "/accounts/v2/users/u_9/password", R"({"password":"given by another"})").fails(404, "account_not_found");
    auto const ci = h.service("ci", "u_1");
    h.call("PUT", "/accounts/v2/users/" + ci + "/password", R"({"password":"given by another"})").fails(422, "service_has_tokens");
    h.as(ci).call("PUT", path, R"({"password":"given by another"})").fails(422, "service_has_tokens");
}

TEST_F(Credentials, VerifiersAreInNoFeed) {
    token();
    Viewer const ann{Str("u_1")}, bob{Str("u_2")}, all{Str("u_3"), true};
    Event const verifier = Kept{Verifier::password, 1, {}}, set = PasswordSet{{1}}, revoked = TokenRevoked{{1}}, used = Used{};
    struct {
        Event const& event;
        bool to_ann, to_bob, to_all;
    } const rows[] = {{verifier, false, false, true}, {set, true, false, true}, {revoked, true, false, true}, {used, false, false, true}};
    for (auto const& row : rows) {
        EXPECT_EQ(Service::keeps_back(row.event), &row.event == &verifier);
        EXPECT_EQ(Service::visible(h.state(), row.event, ann), row.to_ann) << row.event.index();
        EXPECT_EQ(Service::visible(h.state(), row.event, bob), row.to_bob) << row.event.index();
        EXPECT_EQ(Service::visible(h.state(), row.event, all), row.to_all) << row.event.index();
    }
}

TEST_F(Credentials, CodesStartWithOneThatIsRight) {
    h.as("u_1").post("/accounts/v1/me/codes", "{}").fails(422, "password_missing");
    confirm("123456").fails(409, "codes_not_offered");
    h.as("u_1").call("PUT", "/accounts/v1/me/password", R"({"password":"correct horse"})").ok();
    auto const offered = h.as("u_1").post("/accounts/v1/me/codes", "{}").ok().has("otpauth://totp/Gantry:ann%40example.org");
    auto const seed = offered.json_at("/seed");
    confirm(code_of(seed, 2)).fails(403, "code_wrong");
    EXPECT_FALSE(view_of(h.state(), {1}).has_codes);
    auto const again = h.as("u_1").post("/accounts/v1/me/codes", "{}").ok().json_at("/seed");
    confirm(code_of(seed)).fails(403, "code_wrong");  // the seed before
    auto const recovery = confirm(code_of(again)).ok().json_at("/recovery/9");
    EXPECT_TRUE(view_of(h.state(), {1}).has_codes);
    h.as("u_1").post("/accounts/v1/me/codes", "{}").fails(409, "codes_on");
    auto stop = [&](std::string const& code) {
        return h.as("u_1").post("/accounts/v1/me/codes/stop", fmt::format(R"({{"code":"{}"}})", code));
    };
    stop(code_of(again)).fails(401, "code_wrong");  // it was used to confirm
    stop(recovery).ok().has(R"("has_codes":false)");
    stop(recovery).fails(401, "code_wrong");
    EXPECT_EQ(h.state().codes.size(), 0u);
}

TEST_F(Credentials, TokensAreToldOnceAndEnd) {
    auto const issued = h.as("u_1").key("k1").post("/accounts/v1/me/tokens", R"({"name":"ci","scopes":["tracker:read"]})").ok(201);
    EXPECT_TRUE(auth::parse_token(issued.json_at("/secret")));
    h.key("k1").post("/accounts/v1/me/tokens", R"({"name":"ci","scopes":["tracker:read"]})").fails(409, "secret_not_repeated");
    h.get("/accounts/v1/me/tokens").ok().has(R"("scopes":["tracker:read"])").lacks("secret").lacks("digest");
    h.as("u_2").get("/accounts/v1/me/tokens").ok().has(R"("items":[])");
    h.as("u_2").call("DELETE", "/accounts/v1/me/tokens/t1").fails(404, "token_not_found");
    h.as("u_1").call("DELETE", "/accounts/v1/me/tokens/t1").ok().wrote(TokenRevoked{{1}});
    h.as("u_1").call("DELETE", "/accounts/v1/me/tokens/t1").ok().wrote_nothing();
    h.as("u_1").call("DELETE", "/accounts/v1/me/tokens/t9").fails(404, "token_not_found");
    h.as("u_1").post("/accounts/v1/me/tokens/t1/rotate", "{}").fails(409, "token_inactive");
}

TEST_F(Credentials, ATokensEndIsBoundedOnBothSides) {
    auto with_end = [&](Time end) {
        return h.as("u_1").post("/accounts/v1/me/tokens", fmt::format(R"({{"name":"x","expires_at":"{}"}})", format_time(end)));
    };
    auto const latest = noon + cheap().token_max;
    with_end(noon).fails(422, "expiry_invalid");
    with_end(noon + Duration::micros(1)).ok(201);
    with_end(latest).ok(201);
    with_end(latest + Duration::micros(1)).fails(422, "expiry_invalid");
    h.as("u_1").post("/accounts/v1/me/tokens", R"({"name":"x","scopes":["no scope"]})").fails(422, "scope_invalid").has("/scopes/0");
}

TEST_F(Credentials, RotatingKeepsBothForAWhile) {
    token("u_1", R"({"name":"ci","expires_at":"2026-04-01T12:00:00Z"})");
    auto const rotated = h.as("u_1").post("/accounts/v1/me/tokens/t1/rotate", R"({"overlap":"1h"})").ok(201);
    EXPECT_EQ(rotated.json_at("/before/expires_at"), "2026-01-01T13:00:00Z");
    EXPECT_EQ(rotated.json_at("/token/expires_at"), "2026-04-01T12:00:00Z") << "as long as the one before had";
    h.as("u_1").post("/accounts/v1/me/tokens/t2/rotate", R"({"overlap":"91d"})").fails(422, "overlap_invalid");
    h.as("u_1").post("/accounts/v1/me/tokens/t2/rotate", R"({"overlap":"90d"})").ok(201);
    h.as("u_2").post("/accounts/v1/me/tokens/t2/rotate", "{}").fails(404, "token_not_found");
}

TEST_F(Credentials, TheOwnerOfAServiceManagesItsTokens) {
    auto const ci = h.service("ci", "u_1");
    auto const id = h.as("u_admin").post("/accounts/v2/users/" + ci + "/tokens", R"({"name":"farm"})").ok(201).json_at("/token/id");
    h.as("u_2").call("DELETE", "/accounts/v1/me/tokens/" + id).fails(404, "token_not_found");
    h.as("u_1").post("/accounts/v1/me/tokens/" + id + "/rotate", "{}").ok(201).has(R"("account":"u_3")");
    h.as("u_1").call("DELETE", "/accounts/v1/me/tokens/" + id).ok();
}

TEST_F(Credentials, AThousandTokensAndNoMore) {
    for (int i = 0; i < 1000; ++i) h.given(TokenIssued{{std::uint64_t(i + 1)}, {1}, "x", {}, noon + Duration::days(1)});
    h.as("u_1").post("/accounts/v1/me/tokens", R"({"name":"one more"})").fails(409, "too_many_tokens");
    auto const next = h.as("u_1").get("/accounts/v1/me/tokens?limit=999").ok().next();
    h.as("u_1").get("/accounts/v1/me/tokens?limit=999&cursor=" + next).ok().has("t1000").has(R"("complete":true)");
    h.as("u_2").post("/accounts/v1/me/tokens", R"({"name":"another's"})").ok(201);
}

TEST_F(Credentials, SessionsAreListedAndEnded) {
    for (std::uint64_t n : {1, 2, 3})
        h.given(SessionStarted{{n}, {n == 3 ? 2u : 1u}, noon + Duration::days(1), {Text<0, 300>("192.0.2.7 Firefox"), Str("s_1"), false}},
                Kept{Verifier::session, n, Bytes{std::string(32, 'x')}});
    h.as("u_1").get("/accounts/v1/me/sessions").ok().has(R"("address":"192.0.2.7","device":"Firefox")").lacks("se_3").lacks("digest");
    h.as("u_1").call("DELETE", "/accounts/v1/me/sessions/se_3").fails(404, "session_not_found");
    h.as("u_1").call("DELETE", "/accounts/v1/me/sessions/se_1").ok().wrote(SessionsEnded{{{1}}});
    h.as("u_admin").call("DELETE", "/accounts/v2/users/u_2/sessions").ok().has(R"("ended":1)");
    h.as("u_1").call("DELETE", "/accounts/v1/me/sessions").ok().has(R"("ended":1)");
    h.as("u_1").call("DELETE", "/accounts/v1/me/sessions").ok().wrote_nothing();
}

TEST(RandomCommands, KeepTheLaws) {
    for (std::uint64_t seed = 1; seed <= 6; ++seed) {
        Accounts h;
        h.random_commands(seed, 60);
        h.get("/accounts/v2/users?limit=1000").ok();
    }
}

}  // namespace
}  // namespace gantry::accounts
