#include "kernel/auth/jwt.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "kernel/auth/jwt_callers.h"
#include "kernel/auth/jwt_signer_for_test.h"

namespace gantry::auth {
namespace {

constexpr Time now{1'772'359'200'000'000};
constexpr std::int64_t now_s = 1'772'359'200, second_ns = 1'000'000'000;

JwtExpectations expected() {
    JwtExpectations out;
    out.issuer = "https://id.example", out.audiences = {"gantry", "forge"};
    return out;
}
std::string claims(std::string const& more = "", std::int64_t exp_s = now_s + 300) {
    return fmt::format(R"({{"iss":"https://id.example","aud":"gantry","sub":"ann","exp":{}{}}})", exp_s, more);
}
JwtSigner const& signer() {
    static JwtSigner const one(JwtAlgorithm::es256);
    return one;
}
JwtKeys const& keys() {
    static JwtKeys const set = JwtKeys::parse(signer().jwks()).value();
    return set;
}
std::string code_of(std::string_view token, JwtExpectations const& want = expected(), Time at = now) {
    auto const verified = verify_jwt(token, keys(), want, at);
    if (verified) return "";
    EXPECT_EQ(verified.error().status, 401);
    return verified.error().code;
}
JwtKeys keys_of(std::string const& jwk) {
    auto set = JwtKeys::parse("{\"keys\":[" + jwk + "]}");
    EXPECT_TRUE(set) << set.error().detail;
    return set.value();
}
// Of a token, the part `n` replaced.
std::string with_part(std::string const& token, std::size_t n, std::string const& part) {
    auto const first = token.find('.'), second = token.find('.', first + 1);
    std::string parts[] = {token.substr(0, first), token.substr(first + 1, second - first - 1), token.substr(second + 1)};
    parts[n] = part;
    return parts[0] + "." + parts[1] + "." + parts[2];
}

constexpr char const* rfc_payload = "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";

void expect_vector(std::string const& jwk, JwtAlgorithm algorithm, std::string const& text, std::string const& signature) {
    auto const set = keys_of(jwk);
    ASSERT_EQ(set.all().size(), 1u);
    auto bytes = decode_base64url(signature).value();
    EXPECT_TRUE(set.all()[0].verify(algorithm, text, bytes));
    EXPECT_FALSE(set.all()[0].verify(algorithm, text + "x", bytes));
    bytes[bytes.size() / 2] ^= 1;
    EXPECT_FALSE(set.all()[0].verify(algorithm, text, bytes));
}

TEST(Jwt, Rfc7515AppendixA2) {
    expect_vector(
        R"({"kty":"RSA","e":"AQAB","n":")"
        "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-"
        "pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2Ca"
        "pHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb5"
        "4h4FRWyuXpoQ"
        R"("})",
        JwtAlgorithm::rs256, std::string("eyJhbGciOiJSUzI1NiJ9.") + rfc_payload,
        "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4"
        "BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqv"
        "hJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw");
}

TEST(Jwt, Rfc7515AppendixA3) {
    expect_vector(
        R"({"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"})",
        JwtAlgorithm::es256, std::string("eyJhbGciOiJFUzI1NiJ9.") + rfc_payload,
        "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q");
}

TEST(Jwt, Rfc8037AppendixA4) {
    expect_vector(R"({"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"})", JwtAlgorithm::eddsa,
                  "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc",
                  "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg");
}

TEST(Jwt, EachAlgorithmVerifiesItsOwn) {
    JwtSigner const rs(JwtAlgorithm::rs256), ps(JwtAlgorithm::ps256), es(JwtAlgorithm::es256), ed(JwtAlgorithm::eddsa);
    JwtSigner const* all[] = {&rs, &ps, &es, &ed};
    for (auto const* one : all)
        for (auto const* other : all) {
            auto const verified = verify_jwt(one->token(claims()), keys_of(other->jwk()), expected(), now);
            EXPECT_EQ(verified.has_value(), one == other);
            if (one == other) EXPECT_EQ(verified->claims.name, "ann");
        }
    // An RSA key may sign in both ways, unless it says one.
    auto const text = rs.token(claims());
    EXPECT_EQ(verify_jwt(text, keys_of(rs.jwk("k1", R"(,"alg":"PS256")")), expected(), now).error().code, "jwt_algorithm_refused");
    EXPECT_TRUE(verify_jwt(text, keys_of(rs.jwk("k1", R"(,"alg":"RS256","use":"sig")")), expected(), now));
    auto only_eddsa = expected();
    only_eddsa.algorithms = {JwtAlgorithm::eddsa};
    EXPECT_EQ(verify_jwt(text, keys_of(rs.jwk()), only_eddsa, now).error().code, "jwt_algorithm_refused");
}

TEST(Jwt, HeadersThatAreRefused) {
    struct {
        std::string header, code;
    } const rows[] = {
        {signer().header(), ""},
        {signer().header(R"(,"typ":"JWT")"), ""},
        {signer().header(R"(,"typ":"at+JWT")"), ""},
        {signer().header(R"(,"typ":"application/at+jwt")"), ""},
        {signer().header(R"(,"typ":"logout+jwt")"), "jwt_type_wrong"},
        {signer().header(R"(,"typ":7)"), "jwt_type_wrong"},
        {signer().header(R"(,"crit":["exp"])"), "jwt_critical_unknown"},
        {signer().header(R"(,"b64":false)"), "jwt_critical_unknown"},
        {signer().header(R"(,"alg":"ES256")"), "jwt_malformed"},
        {signer().header(R"(,"x5u":"https://evil.example")"), ""},  // never followed
        {R"({"alg":"none"})", "jwt_algorithm_refused"},
        {R"({"alg":"None"})", "jwt_algorithm_refused"},
        {R"({"alg":"HS256","kid":"k1"})", "jwt_algorithm_refused"},
        {R"({"alg":"ES384","kid":"k1"})", "jwt_algorithm_refused"},
        {R"({"alg":"RS256","kid":"k1"})", "jwt_algorithm_refused"},
        {R"({"alg":["ES256"]})", "jwt_algorithm_refused"},
        {R"({"kid":"k1"})", "jwt_algorithm_refused"},
        {R"({"alg":"ES256"})", ""},
        {R"({"alg":"ES256","kid":"k2"})", "jwt_key_unknown"},
        {R"({"alg":"ES256","kid":""})", "jwt_key_unknown"},
        {R"({"alg":"ES256","kid":1})", "jwt_malformed"},
        {R"(["ES256"])", "jwt_malformed"},
        {R"({"alg":"ES256"} )", ""},
        {R"({"alg":"ES256"}x)", "jwt_malformed"},
        {R"({"alg":"ES256",})", "jwt_malformed"},
        {"", "jwt_malformed"},
        {"{\"alg\":\"ES256\",\"x\":\"\xff\"}", "jwt_malformed"},
    };
    for (auto const& row : rows) EXPECT_EQ(code_of(signer().token(row.header, claims())), row.code) << row.header;
}

TEST(Jwt, ShapesThatAreRefused) {
    auto const good = signer().token(claims());
    ASSERT_EQ(code_of(good), "");
    auto const signature = good.substr(good.rfind('.') + 1);
    for (auto const& bad :
         {std::string(), std::string("."), std::string(".."), good + ".", good + ".x", "x" + good, good + "=", good + "\n", " " + good,
          with_part(good, 0, ""), with_part(good, 2, signature + "A="), with_part(good, 2, signature + "\x01")})
        EXPECT_EQ(code_of(bad), "jwt_malformed") << bad;
    for (auto const& bad :
         {with_part(good, 2, ""), with_part(good, 2, base64url(std::string(64, '\0'))), with_part(good, 2, base64url(std::string(63, 'x'))),
          with_part(good, 2, base64url(std::string(65, 'x'))), with_part(good, 2, base64url(std::string(64, '\xff'))),
          with_part(good, 1, base64url(claims(R"(,"scope":"*")"))), with_part(good, 1, "!!"), with_part(good, 1, "")})
        EXPECT_EQ(code_of(bad), "jwt_signature_wrong") << bad;
    EXPECT_EQ(code_of(signer().token("[1]")), "jwt_malformed");
    EXPECT_EQ(code_of(signer().token(claims(R"(,"exp":1)"))), "jwt_malformed") << "exp stands there twice";
    EXPECT_EQ(code_of(signer().token(claims(R"(,"a":)" + std::string(20, '[') + std::string(20, ']')))), "jwt_malformed");
}

TEST(Jwt, IsAsLongAsItMayBe) {
    auto want = expected();
    auto const token = signer().token(claims());
    want.bytes_max = token.size();
    EXPECT_EQ(code_of(token, want), "");
    want.bytes_max = token.size() - 1;
    EXPECT_EQ(code_of(token, want), "jwt_too_large");
}

TEST(Jwt, ClaimsThatAreRefused) {
    auto all = [](std::string const& iss, std::string const& aud, std::string const& sub, std::string const& exp) {
        std::string out = "{\"x\":1";
        for (auto const& [name, value] : {std::pair{"iss", iss}, {"aud", aud}, {"sub", sub}, {"exp", exp}})
            if (!value.empty()) out += fmt::format(",\"{}\":{}", name, value);
        return out + "}";
    };
    std::string const iss = R"("https://id.example")", aud = R"("gantry")", sub = R"("ann")", exp = std::to_string(now_s + 10);
    struct {
        std::string claims, code;
    } const rows[] = {
        {all(iss, aud, sub, exp), ""},
        {all("", aud, sub, exp), "jwt_issuer_wrong"},
        {all(R"("https://id.example/")", aud, sub, exp), "jwt_issuer_wrong"},
        {all(R"(["https://id.example"])", aud, sub, exp), "jwt_issuer_wrong"},
        {all(iss, "", sub, exp), "jwt_audience_wrong"},
        {all(iss, R"("other")", sub, exp), "jwt_audience_wrong"},
        {all(iss, R"([])", sub, exp), "jwt_audience_wrong"},
        {all(iss, R"(["other","forge"])", sub, exp), ""},
        {all(iss, R"(["gantry",7])", sub, exp), "jwt_audience_wrong"},
        {all(iss, R"({"gantry":1})", sub, exp), "jwt_audience_wrong"},
        {all(iss, aud, "", exp), "jwt_claim_malformed"},
        {all(iss, aud, R"("")", exp), "jwt_claim_malformed"},
        {all(iss, aud, "7", exp), "jwt_claim_malformed"},
        {all(iss, aud, sub, ""), "jwt_expiry_missing"},
        {all(iss, aud, sub, "null"), "jwt_claim_malformed"},
        {all(iss, aud, sub, R"("soon")"), "jwt_claim_malformed"},
        {all(iss, aud, sub, "-1"), "jwt_claim_malformed"},
        {all(iss, aud, sub, "1e300"), "jwt_claim_malformed"},
        {all(iss, aud, sub, exp + ".5"), ""},
        {claims(R"(,"nbf":"x")"), "jwt_claim_malformed"},
        {claims(R"(,"scope":7)"), "jwt_claim_malformed"},
        {claims(R"(,"groups":"a b")"), ""},
        {claims(R"(,"groups":{"a":1})"), "jwt_claim_malformed"},
    };
    for (auto const& row : rows) EXPECT_EQ(code_of(signer().token(row.claims)), row.code) << row.claims;
}

TEST(Jwt, TimesHaveALeeway) {
    auto at = [](std::int64_t seconds) { return Time{seconds * 1'000'000}; };
    auto const token = signer().token(claims("", now_s));
    EXPECT_EQ(code_of(token, expected(), at(now_s + 59)), "");
    EXPECT_EQ(code_of(token, expected(), at(now_s + 60)), "jwt_expired");
    for (std::string const name : {"nbf", "iat"}) {
        auto const early = signer().token(claims(fmt::format(",\"{}\":{}", name, now_s)));
        EXPECT_EQ(code_of(early, expected(), at(now_s - 60)), "");
        EXPECT_EQ(code_of(early, expected(), at(now_s - 61)), "jwt_not_yet_valid");
    }
}

TEST(Jwt, GivesItsClaims) {
    auto want = expected();
    want.name_claim = "preferred_username", want.groups_claim = "roles";
    auto read = [&](std::string const& more) { return verify_jwt(signer().token(claims(more)), keys(), want, now)->claims; };
    auto one = read(R"(,"preferred_username":"bob","scope":" a:b  c:d ","roles":["x","y z"])");
    EXPECT_EQ(one.name, "bob");
    EXPECT_EQ(one.scopes, (std::vector<std::string>{"a:b", "c:d"}));
    EXPECT_EQ(one.groups, (std::vector<std::string>{"x", "y z"}));
    EXPECT_EQ(one.expires_at.us, (now_s + 300) * 1'000'000);
    EXPECT_EQ(read(R"(,"preferred_username":"bob","scope":["a:b"])").scopes, (std::vector<std::string>{"a:b"}));
    EXPECT_EQ(read(R"(,"preferred_username":"bob","scp":["a:b"])").scopes, (std::vector<std::string>{"a:b"}));
}

TEST(JwtKeys, LeaveOutWhatCannotBeUsed) {
    JwtSigner const weak(JwtAlgorithm::rs256, 1024), enough(JwtAlgorithm::rs256, 2048);
    auto const good = signer().jwk();
    struct {
        std::string jwk, why;
    } const rows[] = {
        {weak.jwk(), "an RSA key of 1024 bits"},
        {R"({"kty":"oct","k":"c2VjcmV0"})", "a private key"},
        {signer().jwk("k", R"(,"d":"AA")"), "a private key"},
        {signer().jwk("k", R"(,"use":"enc")"), "not for signatures"},
        {signer().jwk("k", R"(,"key_ops":["sign"])"), "not for signatures"},
        {signer().jwk("k", R"(,"alg":"ES512")"), "its alg is none of"},
        {R"({"kty":"EC","crv":"P-384","x":"AA","y":"AA"})", "expected RSA"},
        {R"({"kty":"EC","crv":"P-256","x":"AA","y":"AA"})", "broken"},
        {R"({"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",)"
         R"("y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a1"})",
         "broken"},
        {R"({"kty":"OKP","crv":"Ed25519","x":"AAAA"})", "broken"},
        {R"({"kty":"OKP","crv":"X25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"})", "expected RSA"},
        {R"({"kty":"RSA","n":"!","e":"AQAB"})", "an RSA key of 0 bits"},
        {R"({})", "expected RSA"},
    };
    for (auto const& row : rows) {
        auto const set = keys_of(row.jwk + "," + good);
        EXPECT_EQ(set.all().size(), 1u) << row.jwk;
        ASSERT_EQ(set.skipped().size(), 1u) << row.jwk;
        EXPECT_NE(set.skipped()[0].find(row.why), std::string::npos) << set.skipped()[0];
        auto const alone = JwtKeys::parse("{\"keys\":[" + row.jwk + "]}");
        ASSERT_FALSE(alone);
        EXPECT_EQ(alone.error().code, "jwks_invalid");
    }
    EXPECT_EQ(keys_of(enough.jwk() + "," + good).all().size(), 2u);
}

TEST(JwtKeys, TextThatIsNoSet) {
    for (std::string const text : {"", "{}", "[]", R"({"keys":7})", R"({"keys":[7]})", R"({"keys":[]})", R"({"keys":[],"keys":[]})",
                                   "{\"keys\":[{\"a\":1,\"a\":2}]}"})
        EXPECT_EQ(JwtKeys::parse(text).error().code, "jwks_invalid") << text;
    std::string many = signer().jwk();
    for (std::size_t i = 1; i < JwtKeys::keys_max; ++i) many += "," + signer().jwk();
    EXPECT_TRUE(JwtKeys::parse("{\"keys\":[" + many + "]}"));
    EXPECT_FALSE(JwtKeys::parse("{\"keys\":[" + many + "," + signer().jwk() + "]}"));
    auto const set = signer().jwks();
    EXPECT_TRUE(JwtKeys::parse(set + std::string(JwtKeys::bytes_max - set.size(), ' ')));
    EXPECT_FALSE(JwtKeys::parse(set + std::string(JwtKeys::bytes_max - set.size() + 1, ' ')));
}

JwtSettings settings() {
    JwtSettings out;
    out.expected = expected(), out.scopes = {"*:read"}, out.scopes_max = {"tracker:*", "*:read"};
    return out;
}

TEST(JwtCallers, MakeCallersOfTokens) {
    auto const callers = JwtCallers::make(settings()).value();
    auto const token = signer().token(claims(R"(,"scope":"openid tracker:write queue:write queue:read * tracker:*","groups":["devs"])"));
    EXPECT_EQ(callers->by_jwt(token, now).error().code, "jwt_keys_missing");
    callers->set_keys(keys());
    auto const ann = callers->by_jwt(token, now).value();
    EXPECT_EQ(ann.caller->id(), "u_ann");
    EXPECT_EQ(ann.caller->teams(), (std::vector<std::string>{"devs"}));
    EXPECT_EQ(ann.caller->scopes().patterns(), (std::vector<std::string>{"tracker:write", "queue:read", "tracker:*"}));
    EXPECT_EQ(ann.valid_until.us, (now_s + 360) * 1'000'000);
    EXPECT_EQ(callers->by_jwt(token, now)->caller, ann.caller) << "remembered";
    EXPECT_EQ(callers->by_jwt(token, ann.valid_until).error().code, "jwt_expired");
    auto const later = callers->by_jwt(signer().token(claims("", now_s + 301)), now).value();
    EXPECT_NE(later.caller, ann.caller);
    EXPECT_EQ(&later.caller->limiter(), &ann.caller->limiter()) << "another token is no fresh burst";
    EXPECT_EQ(later.caller->scopes().patterns(), (std::vector<std::string>{"*:read"}));
}

TEST(JwtCallers, NamesMustBeUsable) {
    auto with_prefix = settings();
    with_prefix.name_prefix = "id.";
    auto const callers = JwtCallers::make(with_prefix).value();
    callers->set_keys(keys());
    EXPECT_EQ(callers->by_jwt(signer().token(claims()), now)->caller->id(), "u_id.ann");
    auto odd = claims();
    odd.replace(odd.find("\"ann\""), 5, "\"a:n|n\"");
    EXPECT_EQ(callers->by_jwt(signer().token(odd), now).error().code, "jwt_name_unusable");
}

TEST(JwtCallers, AskForKeysSeldom) {
    auto const callers = JwtCallers::make(settings()).value();
    EXPECT_TRUE(callers->wants_keys(0));
    EXPECT_FALSE(callers->wants_keys(60 * second_ns - 1));
    EXPECT_TRUE(callers->wants_keys(60 * second_ns));
    callers->set_keys(keys());
    EXPECT_FALSE(callers->wants_keys(1000 * second_ns));
    auto const unknown = signer().token(R"({"alg":"ES256","kid":"new"})", claims());
    EXPECT_EQ(callers->by_jwt(unknown, now).error().code, "jwt_key_unknown");
    EXPECT_TRUE(callers->wants_keys(1000 * second_ns));
    EXPECT_EQ(callers->by_jwt(unknown, now).error().code, "jwt_key_unknown");
    EXPECT_FALSE(callers->wants_keys(1059 * second_ns));
    EXPECT_TRUE(callers->wants_keys(1060 * second_ns));
}

TEST(JwtCallers, KeysThatAreGoneEndTheirCallers) {
    auto const callers = JwtCallers::make(settings()).value();
    JwtSigner const other(JwtAlgorithm::eddsa);
    callers->set_keys(keys());
    auto const ann = callers->by_jwt(signer().token(claims()), now)->caller;
    callers->set_keys(keys_of(signer().jwk() + "," + other.jwk("k2")));
    EXPECT_FALSE(ann->is_ended());
    callers->set_keys(keys_of(other.jwk("k2")));
    EXPECT_TRUE(ann->is_ended());
    EXPECT_EQ(callers->size(), 0u);
    EXPECT_EQ(callers->by_jwt(signer().token(claims()), now).error().code, "jwt_key_unknown");
}

TEST(JwtCallers, RememberSoManyTokens) {
    auto few = settings();
    few.entries_max = 3;
    auto const callers = JwtCallers::make(few).value();
    callers->set_keys(keys());
    for (int i = 0; i < 20; ++i) {
        EXPECT_TRUE(callers->by_jwt(signer().token(claims("", now_s + 100 + i)), now));
        EXPECT_LE(callers->size(), 3u);
    }
}

TEST(JwtCallers, SettingsAreChecked) {
    auto refused = [](auto change) {
        auto bad = settings();
        change(bad);
        auto made = JwtCallers::make(bad);
        return made ? "" : made.error().faults.at(0).pointer;
    };
    EXPECT_EQ(refused([](auto& s) { s.expected.issuer = ""; }), "/issuer");
    EXPECT_EQ(refused([](auto& s) { s.expected.audiences.clear(); }), "/audiences");
    EXPECT_EQ(refused([](auto& s) { s.expected.algorithms.clear(); }), "/algorithms");
    EXPECT_EQ(refused([](auto& s) { s.name_prefix = "_"; }), "/name_prefix");
    EXPECT_EQ(refused([](auto& s) { s.scopes = {"x"}; }), "/scopes");
    EXPECT_EQ(refused([](auto& s) { s.scopes_max = {"x"}; }), "/scopes_max");
}

TEST(Discovery, IsOfTheIssuerAndPointsToHttps) {
    auto code = [](std::string const& issuer, std::string const& uri) {
        auto const found =
            parse_discovery(R"({"issuer":")" + issuer + R"(","jwks_uri":")" + uri + R"(","more":[1]})", "https://id.example");
        return found ? found->jwks_uri : found.error().code;
    };
    EXPECT_EQ(code("https://id.example", "https://id.example/keys"), "https://id.example/keys");
    EXPECT_EQ(code("https://id.example", "http://127.0.0.1:8/keys"), "http://127.0.0.1:8/keys");
    for (std::string const bad : {"http://id.example/keys", "file:///etc/passwd", "https:///x", "http://127.0.0.1.evil.example/",
                                  "http://localhost:80@evil.example/", "", "https://a b"})
        EXPECT_EQ(code("https://id.example", bad), "discovery_invalid") << bad;
    EXPECT_EQ(code("https://id.example/", "https://id.example/keys"), "discovery_invalid");
    EXPECT_EQ(parse_discovery("[]", "x").error().code, "discovery_invalid");
}

}  // namespace
}  // namespace gantry::auth
