#include "kernel/auth/jwt.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "kernel/auth/base64url.h"
#include "kernel/auth/json_members.h"
#include "kernel/auth/names.h"

namespace gantry::auth {
namespace {

std::unexpected<Problem> malformed(std::string_view what) { return fail(401, "jwt_malformed", what); }
std::unexpected<Problem> claim(std::string_view what) { return fail(401, "jwt_claim_malformed", what); }

bool same_type(std::string_view a, std::string_view b) {
    constexpr std::string_view application = "application/";  // RFC 7515 §4.1.9: may be left out
    auto without = [&](std::string_view s) {
        bool const has = s.size() > application.size() &&
                         std::ranges::equal(s.substr(0, application.size()), application, [](char x, char y) { return lower(x) == y; });
        return has ? s.substr(application.size()) : s;
    };
    return std::ranges::equal(without(a), without(b), [](char x, char y) { return lower(x) == lower(y); });
}

struct Parts {
    std::string_view signed_text, payload;
    Members header;
    std::string signature;
};

Result<Parts> split(std::string_view token, std::size_t bytes_max) {
    if (token.size() > bytes_max) return fail(401, "jwt_too_large", "The token is too long.");
    auto const first = token.find('.'), second = first == token.npos ? token.npos : token.find('.', first + 1);
    if (second == token.npos || token.find('.', second + 1) != token.npos)
        return malformed("The token must have three parts with a '.' between.");
    auto const header = decode_base64url(token.substr(0, first)), signature = decode_base64url(token.substr(second + 1));
    if (!header || !signature) return malformed("The token's header and signature must be base64url without padding.");
    auto members = json_members(*header);
    if (!members) return malformed("The token's header must be a JSON object that has no member twice.");
    return Parts{token.substr(0, second), token.substr(first + 1, second - first - 1), std::move(*members), *signature};
}

Result<JwtAlgorithm> check_header(Members const& header, JwtExpectations const& expected) {
    if (has_member(header, "crit")) return fail(401, "jwt_critical_unknown", "The token has a critical header that is not understood.");
    if (has_member(header, "b64")) return fail(401, "jwt_critical_unknown", "The token's payload must be base64url.");
    if (has_member(header, "typ")) {
        auto const type = text_member(header, "typ");
        if (!type || std::ranges::none_of(expected.types, [&](auto const& t) { return same_type(t, *type); }))
            return fail(401, "jwt_type_wrong", "The token's typ is not that of an access token.");
    }
    auto const algorithm = algorithm_named(text_member(header, "alg").value_or(""));
    if (!algorithm || std::ranges::find(expected.algorithms, *algorithm) == expected.algorithms.end())
        return fail(401, "jwt_algorithm_refused", "The token's alg is not one of those that are allowed: RS256, PS256, ES256, EdDSA.");
    return *algorithm;
}

// The keys that the header may mean: by its kid, or all when it names none.
Result<JwtKey> find_key(Parts const& parts, JwtAlgorithm algorithm, JwtKeys const& keys) {
    auto const kid = text_member(parts.header, "kid");
    if (has_member(parts.header, "kid") && !kid) return malformed("The token's kid must be text.");
    bool known = false, fitting = false;
    for (auto const& key : keys.all()) {
        if (kid && key.kid != *kid) continue;
        known = true;
        if (!key.fits(algorithm)) continue;
        fitting = true;
        if (key.verify(algorithm, parts.signed_text, parts.signature)) return key;
    }
    if (!known) return fail(401, "jwt_key_unknown", "The token's key is not one of the issuer's.");
    if (!fitting) return fail(401, "jwt_algorithm_refused", "The token's alg does not fit its key.");
    return fail(401, "jwt_signature_wrong", "The token's signature is wrong.");
}

// NumericDate (RFC 7519 §2): seconds, perhaps with a fraction.
Result<std::optional<Time>> time_claim(Members const& claims, std::string_view name) {
    if (!has_member(claims, name)) return std::nullopt;
    auto const seconds = number_member(claims, name);
    constexpr double year_9999_s = 253'402'300'799.0;
    if (!seconds || !(*seconds >= 0 && *seconds <= year_9999_s))
        return claim(fmt::format("The token's {} must be a number of seconds since 1970.", name));
    return Time{std::llround(*seconds * 1e6)};
}

Result<void> check_audience(Members const& claims, JwtExpectations const& expected) {
    std::vector<std::string> audiences;
    if (auto one = text_member(claims, "aud"))
        audiences.push_back(std::move(*one));
    else if (auto list = texts_member(claims, "aud"))
        audiences = std::move(*list);
    for (auto const& a : audiences)
        if (std::ranges::find(expected.audiences, a) != expected.audiences.end()) return {};
    return fail(401, "jwt_audience_wrong", "The token is meant for another audience.");
}

Result<Time> check_times(Members const& claims, JwtExpectations const& expected, Time now) {
    TRY_ASSIGN(auto const expires, time_claim(claims, "exp"));
    TRY_ASSIGN(auto const from, time_claim(claims, "nbf"));
    TRY_ASSIGN(auto const issued, time_claim(claims, "iat"));
    if (!expires) return fail(401, "jwt_expiry_missing", "The token must say when it expires.");
    if (now >= *expires + expected.leeway) return fail(401, "jwt_expired", "The token has expired.");
    if ((from && now + expected.leeway < *from) || (issued && now + expected.leeway < *issued))
        return fail(401, "jwt_not_yet_valid", "The token is not valid yet.");
    return *expires;
}

std::vector<std::string> words(std::string_view text) {
    std::vector<std::string> out;
    while (!text.empty()) {
        auto const end = std::min(text.find(' '), text.size());
        if (end > 0) out.emplace_back(text.substr(0, end));
        text.remove_prefix(std::min(end + 1, text.size()));
    }
    return out;
}

// A string with spaces between (RFC 8693 §4.2), or a list.
Result<std::vector<std::string>> words_claim(Members const& claims, std::string_view name) {
    if (name.empty() || !has_member(claims, name)) return std::vector<std::string>();
    if (auto text = text_member(claims, name)) return words(*text);
    if (auto list = texts_member(claims, name)) return std::move(*list);
    return claim(fmt::format("The token's {} must be text or a list of texts.", name));
}

Result<JwtClaims> read_claims(std::string_view payload, JwtExpectations const& expected, Time now) {
    auto const json = decode_base64url(payload);
    auto const claims = json ? json_members(*json) : std::nullopt;
    if (!claims) return malformed("The token's claims must be a JSON object that has no member twice.");
    if (text_member(*claims, "iss") != expected.issuer) return fail(401, "jwt_issuer_wrong", "The token is of another issuer.");
    TRY_VOID(check_audience(*claims, expected));
    JwtClaims out;
    TRY_ASSIGN(out.expires_at, check_times(*claims, expected, now));
    auto const name = text_member(*claims, expected.name_claim);
    if (!name || name->empty()) return claim(fmt::format("The token's {} must name the caller.", expected.name_claim));
    out.name = *name;
    TRY_ASSIGN(out.scopes, words_claim(*claims, has_member(*claims, "scope") ? "scope" : "scp"));
    TRY_ASSIGN(out.groups, words_claim(*claims, expected.groups_claim));
    return out;
}

bool is_fetchable(std::string_view url) {
    if (url.find_first_of(" \t\r\n\"<>") != url.npos) return false;
    if (url.starts_with("https://")) return url.size() > 8 && url[8] != '/';
    for (std::string_view host : {"http://127.0.0.1", "http://localhost", "http://[::1]"})
        if (url.starts_with(host) && url.size() > host.size() && (url[host.size()] == ':' || url[host.size()] == '/'))
            return url.find('@') == url.npos;
    return false;
}

}  // namespace

Result<std::string> signed_claims(std::string_view token, JwtKeys const& keys, std::string_view type) {
    JwtExpectations const expected{.issuer = {}, .audiences = {}, .algorithms = {JwtAlgorithm::rs256}, .types = {std::string(type)}};
    TRY_ASSIGN(auto const parts, split(token, expected.bytes_max));
    TRY_ASSIGN(auto const algorithm, check_header(parts.header, expected));
    TRY_VOID(find_key(parts, algorithm, keys));
    auto claims = decode_base64url(parts.payload);
    if (!claims) return malformed("The token's claims must be base64url without padding.");
    return std::move(*claims);
}

Result<VerifiedJwt> verify_jwt(std::string_view token, JwtKeys const& keys, JwtExpectations const& expected, Time now) {
    TRY_ASSIGN(auto parts, split(token, expected.bytes_max));
    TRY_ASSIGN(auto algorithm, check_header(parts.header, expected));
    TRY_ASSIGN(auto key, find_key(parts, algorithm, keys));
    TRY_ASSIGN(auto claims, read_claims(parts.payload, expected, now));
    return VerifiedJwt{std::move(claims), std::move(key)};
}

Result<Discovery> parse_discovery(std::string_view json, std::string_view issuer) {
    auto invalid = [](std::string what) { return fail(400, "discovery_invalid", what); };
    auto const members = json_members(json);
    if (!members) return invalid("expected a JSON object that has no member twice");
    Discovery out{text_member(*members, "issuer").value_or(""), text_member(*members, "jwks_uri").value_or("")};
    if (out.issuer != issuer) return invalid(fmt::format("the document is of another issuer than {}", issuer));
    if (!is_fetchable(out.jwks_uri)) return invalid("jwks_uri must be an https URL (http on loopback)");
    return out;
}

}  // namespace gantry::auth
