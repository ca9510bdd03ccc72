// POST /oidc/token: a code, or a refresh token, for new tokens. Signing takes a millisecond, so it is done outside of the service's lock:
// what is to be signed is looked up, signed, and looked up again before anything is recorded.
#include <fmt/format.h>

#include <algorithm>

#include "services/accounts/oidc_keys.h"
#include "services/accounts/oidc_tokens.h"
#include "services/accounts/sign_in.h"

namespace gantry::accounts {
namespace {

struct IdClaims {
    std::string iss, sub, aud;
    std::int64_t exp = 0, iat = 0, auth_time = 0;
    std::optional<std::string> nonce;
    std::string at_hash, sid;
    std::optional<std::string> name, preferred_username, email;
    std::optional<bool> email_verified;
    std::optional<std::vector<std::string>> groups;
};
RECORD(IdClaims, iss, sub, aud, exp, iat, auth_time, nonce, at_hash, sid, name, preferred_username, email, email_verified, groups);

struct TokenAnswer {
    std::string access_token, token_type = "Bearer";
    std::int64_t expires_in = 0;
    std::optional<std::string> refresh_token;
    std::string id_token, scope;
};
RECORD(TokenAnswer, access_token, token_type, expires_in, refresh_token, id_token, scope);

std::int64_t seconds(Time t) { return t.us / 1'000'000; }

// RFC 7636 §4.6.
bool proves(std::string_view verifier, std::string_view challenge) {
    return codec::same_bytes(auth::base64url(auth::digest_of(verifier)), challenge);
}

ToSign twice(GrantId id, GrantEnd why) {
    ToSign out{.grant = id};
    out.end = why;
    return out;
}

Result<ToSign> by_code(State const& s, TokenRequest const& in, ToolId tool, Ctx const& cx) {
    if (!in.code) return fail(400, "invalid_request", "code is missing");
    auto const shown = read_token(s, in.code->value, cx);
    auto const* grant = shown && shown->kind == ShownKind::code ? s.grants.find(shown->grant) : nullptr;
    if (!grant || grant->tool != tool) return invalid_grant("the code isn't one of this client, or has expired");
    if (grant->taken) return twice(shown->grant, GrantEnd::code_replayed);
    if (grant->code_until <= cx.now) return invalid_grant("the code has expired");
    if (in.redirect_uri.value_or("") != grant->redirect_uri.view())
        return invalid_grant("redirect_uri isn't the one that the code was sent to");
    if (!in.verifier) return invalid_grant("code_verifier is missing: PKCE is asked for");
    if (!proves(in.verifier->value, grant->challenge.view())) return invalid_grant("code_verifier isn't what the code was asked for with");
    ToSign out{.grant = shown->grant};
    if (has_word(grant->scope.view(), "offline_access")) out.generation = 1;
    return out;
}

Result<ToSign> by_refresh_token(State const& s, TokenRequest const& in, ToolId tool, Ctx const& cx) {
    if (!in.refresh_token) return fail(400, "invalid_request", "refresh_token is missing");
    auto const shown = read_token(s, in.refresh_token->value, cx);
    auto const* grant = shown && shown->kind == ShownKind::refresh ? s.grants.find(shown->grant) : nullptr;
    if (!grant || grant->tool != tool) return invalid_grant("the refresh token isn't one of this client, or was ended");
    if (shown->number != grant->generation) return twice(shown->grant, GrantEnd::refresh_reused);
    for (auto rest = in.scope ? std::string_view(*in.scope) : std::string_view(); !rest.empty();) {
        auto const word = rest.substr(0, rest.find(' '));
        rest.remove_prefix(std::min(word.size() + 1, rest.size()));
        if (!word.empty() && !has_word(grant->scope.view(), word)) return fail(400, "invalid_scope", "more scope than was granted");
    }
    ToSign out{.grant = shown->grant};
    out.generation = grant->generation + 1;
    return out;
}

Result<ToSign> look(State const& s, TokenRequest const& in, Ctx const& cx) {
    TRY_ASSIGN(auto const tool, find_client(s, in.client, cx.now));
    bool const code = in.grant_type == "authorization_code";
    if (!code && in.grant_type != "refresh_token")
        return fail(400, "unsupported_grant_type", "grant_type is authorization_code or refresh_token here");
    TRY_ASSIGN(auto out, code ? by_code(s, in, tool, cx) : by_refresh_token(s, in, tool, cx));
    if (!out.end && !is_alive(s, *s.grants.find(out.grant), cx.now))
        return invalid_grant("the session is over, or this person may not use the tool any more");
    return out;
}

void write_claims(State const& s, GrantRow const& grant, ToSign& out, Ctx const& cx) {
    auto const until = cx.now + cx.configured<Settings>().oidc_tokens;
    out.access_token = access_token_of(out.grant, grant, until, cx), out.scope = grant.scope.str();
    if (out.generation) out.refresh_token = refresh_token_of(out.grant, grant, out.generation, cx);
    auto person = person_of(s, grant.account, grant.scope.view());
    IdClaims claims{.iss = issuer_of(cx), .sub = fmt::format("u_{}", grant.account.n), .aud = fmt::format("tl_{}", grant.tool.n)};
    claims.exp = seconds(until), claims.iat = seconds(cx.now), claims.auth_time = seconds(grant.signed_in_at);
    if (grant.nonce) claims.nonce = grant.nonce->str();
    claims.at_hash = auth::base64url(auth::digest_of(out.access_token).substr(0, 16));
    claims.sid = fmt::format("se_{}", grant.session.n);
    claims.name = std::move(person.name), claims.preferred_username = std::move(person.preferred_username);
    claims.email = std::move(person.email), claims.email_verified = person.email_verified, claims.groups = std::move(person.groups);
    out.claims = codec::to_json(claims);
}

}  // namespace

Result<TokenRequest> parse_token_request(ForeignRequest const& request) {
    if (!request.header("Idempotency-Key").empty()) return fail(400, "invalid_request", "an answer with tokens isn't kept to be repeated");
    TRY_ASSIGN(auto form, parameters_of(request.body));
    TokenRequest out;
    TRY_ASSIGN(out.client, shown_client(request, form));
    out.grant_type = take(form, "grant_type").value_or("");
    auto const secret = [&](std::string_view name) -> std::optional<Secret<std::string>> {
        auto value = take(form, name);
        return value ? std::optional(Secret<std::string>{std::move(*value)}) : std::nullopt;
    };
    out.code = secret("code"), out.verifier = secret("code_verifier"), out.refresh_token = secret("refresh_token");
    out.redirect_uri = take(form, "redirect_uri"), out.scope = take(form, "scope");
    return out;
}

Result<ToSign> to_sign(State const& s, TokenRequest const& in, Ctx const& cx) {
    TRY_ASSIGN(auto out, look(s, in, cx));
    if (out.end) return out;
    auto const id = signing_key(s);
    auto key = id ? cx.open(key_purpose(id), s.signing_keys.find(id)->sealed.data) : std::nullopt;
    if (!key) return fail(Problem{503, "signing_key_missing", "there is no key to sign with yet: try again", {}, {}, 1});
    out.key = std::move(*key);
    write_claims(s, *s.grants.find(out.grant), out, cx);
    return out;
}

Result<Signed> signed_token(ToSign const& what, TokenRequest const&) {
    if (what.end) return Signed{what, {}};
    auto const key = auth::JwtSigningKey::of_der(what.key);
    if (!key) return fail(500, "signing_key_broken", "the key to sign with can't be read");
    return Signed{what, key->sign(what.claims)};
}

Result<Emit<ForeignReply, Event>> give_tokens(State const& s, TokenRequest const& in, Signed const& made, Ctx const& cx) {
    TRY_ASSIGN(auto const now, look(s, in, cx));
    if (now.end) {
        auto const refused =
            invalid_grant(*now.end == GrantEnd::code_replayed ? "the code was used already: what came of it is revoked"
                                                              : "the refresh token was used already: all that came of it is revoked");
        return Emit<ForeignReply, Event>{{GrantEnded{now.grant, *now.end}}, refused_for_programs(refused.error())};
    }
    TokenAnswer out{.access_token = made.what.access_token, .expires_in = cx.configured<Settings>().oidc_tokens.us / 1'000'000};
    if (!made.what.refresh_token.empty()) out.refresh_token = made.what.refresh_token;
    out.id_token = made.id_token, out.scope = made.what.scope;
    Emit<ForeignReply, Event> emit{{}, answer(200, codec::to_json(out))};
    if (in.grant_type == "authorization_code")
        emit.events.push_back(CodeTaken{now.grant});
    else
        emit.events.push_back(Refreshed{now.grant, now.generation});
    return emit;
}

}  // namespace gantry::accounts
