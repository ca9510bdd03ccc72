#include "services/accounts/oidc_protocol.h"

#include <fmt/format.h>

#include <algorithm>

namespace gantry::accounts {
namespace {

constexpr std::string_view endpoints = "/accounts/oidc";

struct Refusal {
    std::string error, error_description;
};
RECORD(Refusal, error, error_description);

// What discovery tells (OpenID Connect Discovery 1.0 §3, RFC 8414, RFC 9207).
struct Metadata {
    std::string issuer, authorization_endpoint, token_endpoint, userinfo_endpoint, jwks_uri, revocation_endpoint, introspection_endpoint,
        end_session_endpoint;
    std::vector<std::string> scopes_supported = {"openid", "profile", "email", "groups", "offline_access"};
    std::vector<std::string> response_types_supported = {"code"}, response_modes_supported = {"query"};
    std::vector<std::string> grant_types_supported = {"authorization_code", "refresh_token"};
    std::vector<std::string> subject_types_supported = {"public"}, id_token_signing_alg_values_supported = {"RS256"};
    std::vector<std::string> token_endpoint_auth_methods_supported = {"client_secret_basic", "client_secret_post", "none"};
    std::vector<std::string> code_challenge_methods_supported = {"S256"};
    std::vector<std::string> prompt_values_supported = {"none", "login", "select_account"};
    std::vector<std::string> claims_supported = {"sub",
                                                 "iss",
                                                 "aud",
                                                 "exp",
                                                 "iat",
                                                 "auth_time",
                                                 "nonce",
                                                 "at_hash",
                                                 "sid",
                                                 "name",
                                                 "preferred_username",
                                                 "email",
                                                 "email_verified",
                                                 "groups"};
    bool authorization_response_iss_parameter_supported = true, backchannel_logout_supported = true;
    bool backchannel_logout_session_supported = true, claims_parameter_supported = false, request_parameter_supported = false;
    bool request_uri_parameter_supported = false;
};
RECORD(Metadata, issuer, authorization_endpoint, token_endpoint, userinfo_endpoint, jwks_uri, revocation_endpoint, introspection_endpoint,
       end_session_endpoint, scopes_supported, response_types_supported, response_modes_supported, grant_types_supported,
       subject_types_supported, id_token_signing_alg_values_supported, token_endpoint_auth_methods_supported,
       code_challenge_methods_supported, prompt_values_supported, claims_supported, authorization_response_iss_parameter_supported,
       backchannel_logout_supported, backchannel_logout_session_supported, claims_parameter_supported, request_parameter_supported,
       request_uri_parameter_supported);

// OAuth's own words; everything else is told by its status.
std::string error_of(Problem const& problem) {
    static constexpr std::string_view known[] = {"invalid_request", "invalid_client",         "invalid_grant",
                                                 "invalid_scope",   "unsupported_grant_type", "invalid_token"};
    if (std::ranges::find(known, problem.code) != std::end(known)) return problem.code;
    return problem.status == 503 ? "temporarily_unavailable" : problem.status >= 500 ? "server_error" : "invalid_request";
}

}  // namespace

std::string issuer_of(Ctx const& cx) { return url_of(cx) + std::string(endpoints); }

Result<Parameters> parameters_of(std::string_view form) {
    auto const read = ForeignRequest::parse_form(form);
    if (!read) return fail(400, "invalid_request", "the parameters aren't a form: an escape in them is broken");
    Parameters out;
    for (auto const& [name, value] : *read)
        if (!out.emplace(name, value).second) return fail(400, "invalid_request", "a parameter stands there twice");
    return out;
}

std::optional<std::string> take(Parameters& parameters, std::string_view name) {
    auto const found = parameters.find(std::string(name));
    if (found == parameters.end() || found->second.empty()) return {};
    auto value = std::move(found->second);
    parameters.erase(found);
    return value;
}

std::string percent_encoded(std::string_view text) {
    std::string out;
    for (unsigned char c : text) {
        bool const plain =
            (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' || c == '.' || c == '_' || c == '~';
        plain ? out.push_back(char(c)) : void(fmt::format_to(std::back_inserter(out), "%{:02X}", c));
    }
    return out;
}

ForeignReply redirect(std::string_view to, std::vector<std::pair<std::string_view, std::string>> const& parameters) {
    std::string url(to);
    for (auto const& [name, value] : parameters) {
        url += url.find('?') == url.npos ? '?' : '&';
        url.append(name).append("=").append(percent_encoded(value));
    }
    return {303, "text/plain", "", {{"Location", std::move(url)}, {"Cache-Control", "no-store"}, {"Referrer-Policy", "no-referrer"}}};
}

ForeignReply answer(int status, std::string json) {
    return {status, "application/json", std::move(json), {{"Cache-Control", "no-store"}, {"Pragma", "no-cache"}}};
}

std::string html_escaped(std::string_view text) {
    std::string out;
    for (char c : text) switch (c) {
            case '&': out += "&amp;"; break;
            case '<': out += "&lt;"; break;
            case '>': out += "&gt;"; break;
            case '"': out += "&quot;"; break;
            case '\'': out += "&#39;"; break;
            default: out += c;
        }
    return out;
}

ForeignReply page(int status, std::string_view title, std::string_view html) {
    return {status,
            "text/html; charset=utf-8",
            fmt::format(
                "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width, "
                "initial-scale=1\"><title>{0}</title></head>\n<body><h1>{0}</h1>\n{1}\n</body></html>\n",
                html_escaped(title), html),
            {{"Cache-Control", "no-store"},
             {"Content-Security-Policy", "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"},
             {"Referrer-Policy", "no-referrer"},
             {"X-Content-Type-Options", "nosniff"}}};
}

ForeignReply refused_for_programs(Problem const& problem) {
    auto reply = answer(problem.status, codec::to_json(Refusal{error_of(problem), problem.detail}));
    if (problem.status == 401) reply.headers.push_back({"WWW-Authenticate", "Basic realm=\"gantry\""});
    return reply;
}

ForeignReply refused_at_userinfo(Problem const& problem) {
    auto reply = answer(problem.status, codec::to_json(Refusal{error_of(problem), problem.detail}));
    if (problem.status == 401) reply.headers.push_back({"WWW-Authenticate", "Bearer realm=\"gantry\", error=\"invalid_token\""});
    return reply;
}

ForeignReply refused_for_people(Problem const& problem) {
    auto const html = fmt::format("<p>{}</p>\n<p><code>{}</code></p>\n<p><a href=\"/#/portal\">The tools of this place</a></p>",
                                  html_escaped(problem.detail), html_escaped(problem.code));
    return page(problem.status, "This request can't be answered", html);
}

std::unexpected<Problem> invalid_grant(std::string_view why) { return fail(400, "invalid_grant", std::string(why)); }
std::unexpected<Problem> invalid_client(std::string_view why) { return fail(401, "invalid_client", std::string(why)); }

bool has_word(std::string_view text, std::string_view word) {
    while (!text.empty()) {
        auto const end = std::min(text.find(' '), text.size());
        if (text.substr(0, end) == word) return true;
        text.remove_prefix(std::min(end + 1, text.size()));
    }
    return false;
}

Result<NothingAsked> parse_nothing(ForeignRequest const&) { return NothingAsked{}; }

Result<ForeignReply> discovery(State const&, NothingAsked const&, Ctx const& cx) {
    Metadata out;
    out.issuer = issuer_of(cx);
    out.authorization_endpoint = out.issuer + "/authorize", out.token_endpoint = out.issuer + "/token";
    out.userinfo_endpoint = out.issuer + "/userinfo", out.jwks_uri = out.issuer + "/jwks";
    out.revocation_endpoint = out.issuer + "/revoke", out.introspection_endpoint = out.issuer + "/introspect";
    out.end_session_endpoint = out.issuer + "/logout";
    return ForeignReply{200, "application/json", codec::to_json(out), {{"Cache-Control", "max-age=300"}}};
}

std::string jwks_of(State const& s, Time now) {
    std::string out = R"({"keys":[)";
    s.signing_keys.walk(nullptr, [&](KeyId const&, SigningKeyRow const& key) {
        if (key.until && *key.until <= now) return true;
        out.append(out.back() == '[' ? "" : ",").append(key.jwk.view());
        return true;
    });
    return out + "]}";
}

Result<ForeignReply> key_set(State const& s, NothingAsked const&, Ctx const& cx) {
    return ForeignReply{200, "application/json", jwks_of(s, cx.now), {{"Cache-Control", "max-age=60"}}};
}

}  // namespace gantry::accounts
