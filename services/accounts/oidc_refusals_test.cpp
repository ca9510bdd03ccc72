// What the OpenID Connect provider refuses, and what it tells whom.
#include "services/accounts/oidc_test.h"

namespace gantry::accounts {
namespace {

class OidcRefusals : public Provider, public ::testing::Test {
   protected:
    OidcRefusals() { tool(); }
    Form taking(std::string const& code) {
        return {{"grant_type", "authorization_code"},
                {"code", code},
                {"redirect_uri", std::string(callback)},
                {"code_verifier", std::string(verifier)}};
    }
    static void put(Form& form, std::string const& name, std::string const& value) {
        std::erase_if(form, [&](auto const& p) { return p.first == name; });
        if (!value.empty()) form.emplace_back(name, value);
    }
    void expect_grant_refused(Said const& said, std::string_view error = "invalid_grant") {
        EXPECT_GE(said.status(), 400) << said.body();
        EXPECT_EQ(said.json_at("/error"), error) << said.body();
        EXPECT_EQ(said.body().find("access_token"), std::string::npos);
    }
};

TEST_F(OidcRefusals, WhatIsWrongInARequestIsToldToTheToolThatSentIt) {
    struct Row {
        std::string name, value, error;
    };
    for (auto const& [name, value, error] : std::initializer_list<Row>{{"response_type", "token", "unsupported_response_type"},
                                                                       {"response_type", "", "unsupported_response_type"},
                                                                       {"response_mode", "fragment", "invalid_request"},
                                                                       {"scope", "profile", "invalid_scope"},
                                                                       {"scope", "", "invalid_scope"},
                                                                       {"code_challenge", "", "invalid_request"},
                                                                       {"code_challenge", "short", "invalid_request"},
                                                                       {"code_challenge_method", "plain", "invalid_request"},
                                                                       {"code_challenge_method", "", "invalid_request"},
                                                                       {"prompt", "none login", "invalid_request"},
                                                                       {"max_age", "-1", "invalid_request"},
                                                                       {"max_age", "soon", "invalid_request"},
                                                                       {"nonce", std::string(501, 'n'), "invalid_request"},
                                                                       {"nonce", "\xff", "invalid_request"},
                                                                       {"request", "x.y.z", "request_not_supported"},
                                                                       {"request_uri", "https://x.example", "request_uri_not_supported"}}) {
        auto const said = authorize(asked({{name, value}}));
        EXPECT_EQ(said.status(), 303) << said.body();
        auto const back = said.header("Location");
        EXPECT_TRUE(back.starts_with(std::string(callback) + "?error=")) << back;
        EXPECT_EQ(value_in(back, "error"), error) << name << '=' << value;
        EXPECT_EQ(value_in(back, "state"), "st 1&");
        EXPECT_EQ(value_in(back, "code"), "");
    }
    EXPECT_EQ(state().grants.size(), 0u);
}

TEST_F(OidcRefusals, ABrowserIsNeverSentToAnAddressThatIsntRegistered) {
    for (std::string const& uri : {"https://evil.example/callback", "https://tool.example/callback/", "https://tool.example/callback?x=1",
                                   "HTTPS://tool.example/callback", "https://tool.example:443/callback", "https://tool.example/callback#",
                                   "/callback", "javascript:alert(1)", ""}) {
        auto const said = authorize(asked({{"redirect_uri", uri}}));
        EXPECT_EQ(said.status(), 400) << uri;
        EXPECT_EQ(said.header("Location"), "") << uri;
        EXPECT_NE(said.body().find("redirect_uri_unknown"), std::string::npos) << said.body();
        EXPECT_EQ(said.body().find("evil"), std::string::npos);
    }
    auto const unknown = authorize(asked({{"client_id", "tl_9"}}));
    EXPECT_EQ(unknown.status(), 400);
    EXPECT_NE(unknown.body().find("client_unknown"), std::string::npos);
    EXPECT_EQ(authorize(asked() + "&redirect_uri=https%3A%2F%2Fevil.example").status(), 400) << "twice";
    EXPECT_EQ(authorize("a=%zz").status(), 400);
    EXPECT_EQ(as(ann).header("Cookie", cookie).call("HEAD", "/accounts/oidc/authorize?" + asked()).status(), 405);
    EXPECT_EQ(as(ann).header("Idempotency-Key", "k").get("/accounts/oidc/authorize?" + asked()).status(), 400);
}

TEST_F(OidcRefusals, AFormCantWriteHeaders) {
    auto const post = [&](std::string const& body) { return as("anonymous").post("/accounts/oidc/authorize", body); };
    EXPECT_EQ(post(asked()).header("Location"), "authorize?" + asked());
    for (std::string const& more : {"&x=\r\nSet-Cookie: gantry=x", "&x=\n", "&x=a b", "&x=\x7f", "&x=\xc3\xa9"}) {
        auto const said = post(asked() + more);
        EXPECT_EQ(said.status(), 400);
        EXPECT_EQ(said.header("Location"), "");
    }
    EXPECT_EQ(post(asked() + "&redirect_uri=x").status(), 400) << "twice";
}

TEST_F(OidcRefusals, TheWayBackFromSigningInCantBeChanged) {
    auto const to = as("anonymous").get("/accounts/oidc/authorize?" + asked({{"prompt", "login"}}) + "&gantry_step=1").header("Location");
    auto const query = ForeignRequest::parse_form(to.substr(std::string_view("/#/signin/once/").size()))->front().first;
    advance(Duration::seconds(1));
    sign_in(2);
    struct Row {
        std::string from, to, code;
    };
    auto const at = query.find("gantry_return=") + 14;
    auto const time = query.substr(at, query.find('.', at) - at);
    for (auto const& [from, to_what, expected] : std::initializer_list<Row>{{"state=st%201%26", "state=other", "return_forged"},
                                                                            {"nonce=n1", "nonce=n2", "return_forged"},
                                                                            {time, "1", "return_forged"},
                                                                            {time + ".", time, "return_forged"},
                                                                            {"gantry_return=", "gantry_return=x", "return_forged"}}) {
        auto changed = query;
        changed.replace(changed.find(from), from.size(), to_what);
        auto const said = authorize(changed);
        EXPECT_EQ(said.status(), 400) << changed;
        EXPECT_NE(said.body().find(expected), std::string::npos) << said.body();
        EXPECT_EQ(said.header("Location"), "");
    }
    EXPECT_NE(value_in(authorize(query).header("Location"), "code"), "");
    advance(Duration::hours(1));
    EXPECT_NE(authorize(query).body().find("return_expired"), std::string::npos);
}

TEST_F(OidcRefusals, ACodeCountsOnceAndItsReplayRevokesWhatCameOfIt) {
    auto const once = code();
    auto const got = exchange(once);
    ASSERT_EQ(got.status(), 200);
    userinfo(got.json_at("/access_token")).ok();
    auto replayed = exchange(once);
    expect_grant_refused(replayed);
    replayed.has("revoked");
    EXPECT_EQ(state().grants.size(), 0u);
    EXPECT_EQ(userinfo(got.json_at("/access_token")).status(), 401);
    expect_grant_refused(refresh(got.json_at("/refresh_token")));
    expect_grant_refused(exchange(once));
}

TEST_F(OidcRefusals, ACodeGoesWithItsVerifierItsAddressAndItsTime) {
    struct Row {
        std::string name, value, error;
    };
    for (auto const& [name, value, error] :
         std::initializer_list<Row>{{"code_verifier", "", "invalid_grant"},
                                    {"code_verifier", std::string(verifier) + "s", "invalid_grant"},
                                    {"code_verifier", "another-verifier-of-at-least-43-characters-xx", "invalid_grant"},
                                    {"redirect_uri", "https://tool.example/other", "invalid_grant"},
                                    {"redirect_uri", "", "invalid_grant"},
                                    {"grant_type", "password", "unsupported_grant_type"},
                                    {"grant_type", "client_credentials", "unsupported_grant_type"},
                                    {"grant_type", "", "unsupported_grant_type"},
                                    {"code", "", "invalid_request"},
                                    {"code", "gnc_1_x", "invalid_grant"},
                                    {"code", "gnc_99_" + std::string(32, 'a'), "invalid_grant"}}) {
        auto form = taking(code());
        put(form, name, value);
        expect_grant_refused(token(form), error);
    }
    auto const late = code();
    advance(Duration::micros(59'999'999));
    EXPECT_EQ(exchange(late).status(), 200);
    auto const too_late = code();
    advance(Duration::seconds(60));
    expect_grant_refused(exchange(too_late));
}

TEST_F(OidcRefusals, AClientShowsItsOwnSecret) {
    auto const mine = client, secret_of_mine = secret;
    tool();  // another one
    auto const others = code();
    auto const refused = [&](std::string const& id, std::string const& shown, std::string const& taken) {
        auto form = taking(taken);
        form.emplace_back("client_id", id);
        if (!shown.empty()) form.emplace_back("client_secret", shown);
        return as("anonymous").post("/accounts/oidc/token", written(form));
    };
    for (auto const& [id, shown] :
         Form{{client, secret_of_mine}, {client, ""}, {client, "gnt_tl2_x"}, {"tl_9", secret}, {"", ""}, {"tl_02", secret}}) {
        auto const said = refused(id, shown, others);
        EXPECT_EQ(said.status(), 401) << id;
        expect_grant_refused(said, "invalid_client");
        EXPECT_EQ(said.header("WWW-Authenticate"), "Basic realm=\"gantry\"");
    }
    expect_grant_refused(refused(mine, secret_of_mine, others));  // a code of another client
    EXPECT_EQ(refused(client, secret, others).status(), 200);
}

TEST_F(OidcRefusals, ASecretComesByBasicTooButOnce) {
    std::string shown;
    codec::append_base64(shown, client + ":" + secret);
    auto const by_header = [&](std::string const& form) {
        return as("anonymous").header("Authorization", "Basic " + shown).post("/accounts/oidc/token", form);
    };
    EXPECT_EQ(by_header(written(taking(code()))).status(), 200);
    expect_grant_refused(by_header(written(taking(code())) + "&client_secret=" + secret), "invalid_client");
    expect_grant_refused(by_header(written(taking(code())) + "&client_id=tl_2"), "invalid_client");
    expect_grant_refused(as("anonymous").header("Authorization", "Bearer x").post("/accounts/oidc/token", written(taking(code()))),
                         "invalid_client");
    auto const kept = written(taking(code()));
    EXPECT_EQ(as("anonymous").header("Idempotency-Key", "k").post("/accounts/oidc/token", kept).status(), 400);
}

TEST_F(OidcRefusals, ADisabledOrMergedAccountGetsNothing) {
    auto const got = exchange(code());
    auto const unused = code();
    as("u_admin").post("/accounts/v2/users/u_1/disable", "{}").ok();
    EXPECT_TRUE(authorize(asked()).header("Location").starts_with("/#/signin/")) << "the session ended";
    expect_grant_refused(exchange(unused));
    expect_grant_refused(refresh(got.json_at("/refresh_token")));
    EXPECT_EQ(userinfo(got.json_at("/access_token")).status(), 401);

    as("u_admin").post("/accounts/v2/users/u_1/enable", "{}").ok();
    expect_grant_refused(refresh(got.json_at("/refresh_token")));
    sign_in(2);
    auto const again = exchange(code());
    auto const bob = person("bob@example.org");
    as("u_admin").post("/accounts/v2/users/u_1/merge", fmt::format(R"({{"into":"{}"}})", bob)).ok();
    expect_grant_refused(refresh(again.json_at("/refresh_token")));
    EXPECT_EQ(userinfo(again.json_at("/access_token")).status(), 401);
    EXPECT_TRUE(authorize(asked()).header("Location").starts_with("/#/signin/"));
}

TEST_F(OidcRefusals, ASessionIsOfTheCookieAndOfTheCaller) {
    person("bob@example.org");
    auto const others = as("u_2").header("Cookie", cookie).get("/accounts/oidc/authorize?" + asked());
    EXPECT_TRUE(others.header("Location").starts_with("/#/signin/")) << "the gate says another one than the cookie";
    EXPECT_EQ(as(ann).get("/accounts/oidc/authorize?" + asked()).status(), 200) << "a token in a script is no session";
    auto forged = cookie;
    forged.back() = forged.back() == 'A' ? 'B' : 'A', forged[forged.size() - 5] ^= 1;
    EXPECT_TRUE(as(ann)
                    .header("Cookie", forged)
                    .get("/accounts/oidc/authorize?" + asked() + "&gantry_step=1")
                    .header("Location")
                    .starts_with("/#/signin/"));
}

TEST_F(OidcRefusals, TokensOfAnotherSiteAreNone) {
    auto const mine = exchange(code());
    Provider other;
    codec::HashKey key{};
    key.fill(7);
    other.set_hash_key(key);
    other.tool();
    auto const theirs = other.exchange(other.code());
    ASSERT_EQ(theirs.status(), 200) << theirs.body();
    EXPECT_EQ(userinfo(theirs.json_at("/access_token")).status(), 401);
    EXPECT_EQ(other.userinfo(mine.json_at("/access_token")).status(), 401);
    expect_grant_refused(refresh(theirs.json_at("/refresh_token")));
    expect_grant_refused(exchange(other.code()));
    auto const hint = as("anonymous").get("/accounts/oidc/logout?id_token_hint=" + theirs.json_at("/id_token"));
    EXPECT_EQ(hint.status(), 400);
    EXPECT_NE(hint.body().find("logout_hint_wrong"), std::string::npos);
    EXPECT_EQ(state().sessions.size(), 1u);
}

TEST_F(OidcRefusals, LoggingOutGoesByAnIdTokenToARegisteredAddress) {
    auto const got = exchange(code());
    struct Row {
        std::string query, code;
    };
    auto const hint = "id_token_hint=" + got.json_at("/id_token");
    for (auto const& [query, expected] :
         std::initializer_list<Row>{{"", "logout_hint_missing"},
                                    {"id_token_hint=a.b.c", "logout_hint_wrong"},
                                    {"id_token_hint=" + got.json_at("/access_token"), "logout_hint_wrong"},
                                    {hint + "x", "logout_hint_wrong"},
                                    {hint + "&client_id=tl_2", "client_unknown"},
                                    {hint + "&post_logout_redirect_uri=https%3A%2F%2Fevil.example", "redirect_uri_unknown"}}) {
        auto const said = as("anonymous").get("/accounts/oidc/logout?" + query);
        EXPECT_EQ(said.status(), 400) << query;
        EXPECT_NE(said.body().find(expected), std::string::npos) << said.body();
        EXPECT_EQ(said.header("Location"), "");
    }
    EXPECT_EQ(state().sessions.size(), 1u);
}

TEST_F(OidcRefusals, UserinfoTakesAnAccessTokenAlone) {
    auto const got = exchange(code());
    for (std::string const& shown : {got.json_at("/refresh_token"), got.json_at("/id_token"), std::string("x"), secret}) {
        auto const said = userinfo(shown);
        EXPECT_EQ(said.status(), 401) << shown;
        EXPECT_EQ(said.header("WWW-Authenticate"), "Bearer realm=\"gantry\", error=\"invalid_token\"");
    }
    EXPECT_EQ(as(ann).header("Cookie", cookie).get("/accounts/oidc/userinfo").status(), 401);
    auto later = got.json_at("/access_token");  // an access token that says it lives longer
    auto const at = later.find('_', 4) + 1;
    later.replace(at, 1, "9");
    EXPECT_EQ(userinfo(later).status(), 401);
}

TEST_F(OidcRefusals, EveryCharacterOfATokenCounts) {
    auto const got = exchange(code());
    auto const once = code(), access = got.json_at("/access_token"), again = got.json_at("/refresh_token");
    auto const changed = [](std::string text, std::size_t at) { return text[at] = text[at] == 'x' ? 'y' : 'x', text; };
    for (std::size_t i = 0; i < access.size(); ++i) EXPECT_EQ(userinfo(changed(access, i)).status(), 401) << i;
    for (std::size_t i = 0; i < once.size(); ++i) expect_grant_refused(exchange(changed(once, i)));
    for (std::size_t i = 0; i < again.size(); ++i) expect_grant_refused(refresh(changed(again, i)));
    for (auto const& longer : {access + "x", access.substr(0, access.size() - 1)}) EXPECT_EQ(userinfo(longer).status(), 401);
    EXPECT_EQ(userinfo(access).status(), 200);
    EXPECT_EQ(exchange(once).status(), 200);
    EXPECT_EQ(refresh(again).status(), 200) << "none of it ended the family";
}

// Whatever stands in a request: the browser goes to the registered address, to our own page, or nowhere.
TEST_F(OidcRefusals, NoRequestLeadsABrowserElsewhere) {
    SeededRandom random(7);
    auto const good = asked() + "&prompt=login&max_age=5&login_hint=a&gantry_step=1&gantry_return=1.x";
    constexpr std::string_view letters = "abc019%&=+/:?#@.-_~ \"'<>\\\xff\n";
    int answered = 0;
    for (int i = 0; i < 3000; ++i) {
        auto query = good;
        for (auto changes = 1 + random.below(4); changes > 0; --changes) {
            auto const at = random.below(query.size());
            if (random.chance(0.3))
                query.erase(at, 1 + random.below(8));
            else
                query.insert(at, 1, letters[random.below(letters.size())]);
        }
        std::erase_if(query, [](char c) { return c == '#'; });
        auto const said = authorize(query);
        auto const to = said.header("Location");
        EXPECT_TRUE(said.status() == 200 || said.status() == 303 || said.status() == 400) << said.status() << ' ' << query;
        EXPECT_TRUE(to.empty() || to.starts_with(std::string(callback) + "?") || to.starts_with("/#/signin/")) << to;
        EXPECT_EQ(to.find_first_of("\r\n"), std::string::npos);
        answered += said.status() == 303;
    }
    EXPECT_GT(answered, 100);
}

TEST_F(OidcRefusals, MoreScopeThanWasGrantedIsntGiven) {
    auto const got = exchange(code({{"scope", "openid offline_access"}}));
    expect_grant_refused(
        token({{"grant_type", "refresh_token"}, {"refresh_token", got.json_at("/refresh_token")}, {"scope", "openid groups"}}),
        "invalid_scope");
    EXPECT_EQ(token({{"grant_type", "refresh_token"}, {"refresh_token", got.json_at("/refresh_token")}, {"scope", "openid"}}).status(),
              200);
}

}  // namespace
}  // namespace gantry::accounts
