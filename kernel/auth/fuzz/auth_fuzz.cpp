// Any bytes as what a stranger sends before anyone knows who it is: Authorization, tokens, JWTs, forwarding headers, cookies; and as what
// an issuer or an operator wrote. No crash, no byte beyond its bounds, nobody recognised, and what is read is what was written.
#include <cstdint>
#include <string>
#include <vector>

#include "kernel/auth/authorization.h"
#include "kernel/auth/aws_signature.h"
#include "kernel/auth/base64url.h"
#include "kernel/auth/callers_file.h"
#include "kernel/auth/cookies.h"
#include "kernel/auth/jwt.h"
#include "kernel/auth/origin.h"
#include "kernel/auth/secrets.h"
#include "kernel/base/assert.h"
#include "kernel/codec/base64.h"

namespace gantry::auth {
namespace {

constexpr char const* key_set = R"({"keys":[{"kid":"a","kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"},)"
                                R"({"kid":"b","kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",)"
                                R"("y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}]})";

void forwarding(std::string_view text) {
    static OriginRules const list = OriginRules::make({{"10.0.0.0/8"}, "X-Forwarded-For", "X-Caller"}).value();
    static OriginRules const forwarded = OriginRules::make({{"10.0.0.0/8"}, "Forwarded", ""}).value();
    static OriginRules const single = OriginRules::make({{"10.0.0.0/8"}, "X-Real-IP", ""}).value();
    auto const peer = *parse_address("10.0.0.1"), stranger = *parse_address("192.0.2.1");
    auto const line = text.find('\n');
    std::vector<std::string_view> values = {text.substr(0, line)};
    if (line != text.npos) values.push_back(text.substr(line + 1));
    for (auto const* rules : {&list, &forwarded, &single}) {
        auto const origin = rules->of(peer, values, {});
        if (origin) GANTRY_ASSERT(parse_address(format_address(origin->client)) == origin->client, "an address is written as it is read");
        GANTRY_ASSERT(!rules->of(stranger, values, {}), "a stranger speaks for nobody");
    }
    (void)list.of(peer, {}, values);
    if (auto const block = Cidr::parse(text)) GANTRY_ASSERT(Cidr::parse(block->text()) == *block, "a block is written as it is read");
}

void authorization(std::string_view text) {
    auto const parsed = parse_authorization(text);
    if (!parsed) return;
    if (auto const* basic = std::get_if<Basic>(&*parsed)) {
        GANTRY_ASSERT(basic->name.find(':') == std::string::npos && !basic->name.empty(), "a name ends at the first ':'");
        std::string again = "Basic ";
        codec::append_base64(again, basic->name + ":" + basic->password);
        auto const reread = parse_authorization(again);
        GANTRY_ASSERT(reread && std::get<Basic>(*reread).password == basic->password, "Basic is read as it is written");
    } else {
        GANTRY_ASSERT(!std::get<Bearer>(*parsed).token.empty(), "a token");
    }
}

void tokens(std::string_view text) {
    if (auto const parts = parse_token(text)) {
        GANTRY_ASSERT(text == std::string(token_prefix) + std::string(parts->id) + "_" + base64url(parts->secret), "a token has one form");
        GANTRY_ASSERT(token_matches(token_hash(text), parts->secret), "a token matches its own hash");
    }
    if (auto const bytes = decode_base64url(text)) GANTRY_ASSERT(base64url(*bytes) == text, "base64url has one form");
    for (auto over : {CookieOver::secure, CookieOver::plain})
        if (auto const id = session_of_cookies(over, text)) GANTRY_ASSERT(id->size() == 43, "an id has its length");
    (void)is_password_hash(text);
}

void jwts(std::string_view text) {
    static JwtKeys const keys = JwtKeys::parse(key_set).value();
    JwtExpectations expected;
    expected.issuer = "joe", expected.audiences = {"gantry"};
    auto const verified = verify_jwt(text, keys, expected, Time{1'300'000'000'000'000});
    GANTRY_ASSERT(!verified, "nobody here has the private key");
    GANTRY_ASSERT(verified.error().status == 401, "a refusal");
    // As a header that is read before any signature.
    (void)verify_jwt(base64url(text) + ".e30.AA", keys, expected, Time{});
    (void)JwtKeys::parse(text);
    (void)parse_discovery(text, "https://id.example");
}

void aws_signatures(std::string_view text) {
    std::pair<std::string_view, std::string_view> const headers[] = {
        {"Host", "localhost"}, {"X-Amz-Date", "20260102T030405Z"}, {"Authorization", text}, {text, text}};
    for (auto const& request :
         {AwsRequest{"GET", "/", {}, headers, {}}, AwsRequest{"GET", text, text, std::span(headers).first(1), text}}) {
        auto const shown = shown_aws_signature(request);
        if (!shown) continue;
        for (bool const s3 : {false, true}) {
            AwsRules const rules{.service = s3 ? "s3" : "sqs", .path_as_it_is = s3, .unsigned_payload = s3};
            GANTRY_ASSERT(!check_aws_signature(*shown, request, "nobody has this secret", rules, Time{}), "nobody signed it");
        }
    }
}

void files(std::string_view text) {
    if (auto const file = parse_callers(text)) {
        auto const written = callers_text(*file);
        auto const again = parse_callers(written);
        GANTRY_ASSERT(again && callers_text(*again) == written, "a file is read as it is written");
    }
}

}  // namespace
}  // namespace gantry::auth

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
    std::string_view const text(reinterpret_cast<char const*>(data), size);
    gantry::auth::forwarding(text);
    gantry::auth::authorization(text);
    gantry::auth::tokens(text);
    gantry::auth::jwts(text);
    gantry::auth::files(text);
    gantry::auth::aws_signatures(text);
    return 0;
}
