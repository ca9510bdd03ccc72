#pragma once
#include "services/accounts/accounts_test.h"
#include "services/accounts/oidc_protocol.h"

// What the tests of the OpenID Connect provider share: a person who is signed in, a tool, and the client's part of the protocol.
namespace gantry::accounts {

using Form = std::vector<std::pair<std::string, std::string>>;

class Provider : public Accounts {
   public:
    static constexpr std::string_view callback = "https://tool.example/callback",
                                      verifier = "a-verifier-of-at-least-forty-three-characters";
    static constexpr std::string_view issuer = "http://127.0.0.1:8080/accounts/oidc";

    Provider() {
        ann = person("ann@example.org");
        sign_in(1);
        outside([this](client::Request request) {
            sent.push_back(std::move(request));
            client::Reply reply;
            reply.status = 200;
            return reply;
        });
    }

    std::string ann, secret, cookie;
    std::string client = "tl_1";
    std::vector<client::Request> sent;  // by effects

    // A session of hers, as the gate starts one.
    void sign_in(std::uint64_t session, std::uint64_t account = 1) {
        std::string const bytes(session_secret_bytes, char('a' + session));
        given(SessionStarted{{session}, {account}, clock().wall() + Duration::days(14), {Text<0, 300>("127.0.0.1 Firefox"), "s_1"}},
              Kept{Verifier::session, session, Bytes{auth::digest_of(bytes)}});
        cookie = "gantry=" + session_id({session}, bytes);
    }
    void tool(std::string const& more = {}) {
        auto made = as("u_admin").post("/accounts/v1/tools",
                                       fmt::format(R"({{"name":"Wiki","home":"https://tool.example/",)"
                                                   R"("redirect_uris":["{}"],"after_logout_uris":["https://tool.example/bye"]{}}})",
                                                   callback, more));
        made.ok(201);
        client = made.json_at("/tool/id");
        secret = made.body().find("\"secret\"") == std::string::npos ? "" : made.json_at("/secret");
        run_effects();
    }

    static std::string written(Form const& form) {
        std::string out;
        for (auto const& [name, value] : form) out += (out.empty() ? "" : "&") + name + "=" + percent_encoded(value);
        return out;
    }
    static std::string value_in(std::string const& url, std::string const& name) {
        auto const form = ForeignRequest::parse_form(std::string_view(url).substr(std::min(url.find('?') + 1, url.size())));
        for (auto const& [n, value] : form.value_or(Form{}))
            if (n == name) return value;
        return {};
    }
    static std::string challenge() { return auth::base64url(auth::digest_of(verifier)); }

    // What a tool asks; `other`: parameters that are otherwise, or are left out (empty).
    std::string asked(Form const& other = {}) const {
        Form form{{"response_type", "code"},
                  {"client_id", client},
                  {"redirect_uri", std::string(callback)},
                  {"scope", "openid profile email groups offline_access"},
                  {"state", "st 1&"},
                  {"nonce", "n1"},
                  {"code_challenge", challenge()},
                  {"code_challenge_method", "S256"}};
        for (auto const& [name, value] : other) {
            auto const at = std::ranges::find(form, name, [](auto const& p) { return p.first; });
            at == form.end() ? void(form.emplace_back(name, value)) : void(at->second = value);
        }
        std::erase_if(form, [](auto const& p) { return p.second.empty(); });
        return written(form);
    }
    // By a browser that shows the cookie.
    Said authorize(std::string const& query) { return as(ann).header("Cookie", cookie).get("/accounts/oidc/authorize?" + query); }
    std::string code(Form const& other = {}) {
        auto const said = authorize(asked(other));
        EXPECT_EQ(said.status(), 303) << said.body();
        auto const found = value_in(said.header("Location"), "code");
        EXPECT_NE(found, "") << said.header("Location");
        return found;
    }
    Said token(Form form, bool with_secret = true) {
        form.emplace_back("client_id", client);
        if (with_secret && !secret.empty()) form.emplace_back("client_secret", secret);
        return as("anonymous").post("/accounts/oidc/token", written(form));
    }
    Said exchange(std::string const& code) {
        return token({{"grant_type", "authorization_code"},
                      {"code", code},
                      {"redirect_uri", std::string(callback)},
                      {"code_verifier", std::string(verifier)}});
    }
    Said refresh(std::string const& refresh_token) { return token({{"grant_type", "refresh_token"}, {"refresh_token", refresh_token}}); }
    Said userinfo(std::string const& access_token) {
        return as("anonymous").header("Authorization", "Bearer " + access_token).get("/accounts/oidc/userinfo");
    }
    std::string jwks() { return as("anonymous").get("/accounts/oidc/jwks").ok().body(); }
    // The claims of an ID token that the key set verifies.
    std::string claims(std::string const& id_token) {
        auto const keys = auth::JwtKeys::parse(jwks());
        if (!keys) return keys.error().detail;
        auto const read = auth::signed_claims(id_token, *keys);
        return read ? *read : read.error().code;
    }
};

}  // namespace gantry::accounts
