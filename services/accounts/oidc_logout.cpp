#include "services/accounts/oidc_logout.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>

#include "services/accounts/oidc_keys.h"

namespace gantry::accounts {
namespace {

// What a logout token says, but for the time, which is that of the attempt.
struct LogoutClaims {
    std::string iss, sub, aud, jti, sid;
};
RECORD(LogoutClaims, iss, sub, aud, jti, sid);

constexpr std::string_view logout_event = R"("events":{"http://schemas.openid.net/event/backchannel-logout":{}})";
constexpr std::int64_t logout_token_s = 120;

struct Hint {
    ToolId tool;
    AccountId account;
    SessionId session;
    std::int64_t auth_time = 0;
};

std::uint64_t number_after(std::string_view prefix, std::string const& text) {
    std::uint64_t n = 0;
    if (text.starts_with(prefix)) (void)std::from_chars(text.data() + prefix.size(), text.data() + text.size(), n);
    return n;
}

// An ID token of this issuer, of whatever age.
Result<Hint> read_hint(State const& s, std::string_view token, Ctx const& cx) {
    auto const wrong = [] { return fail(400, "logout_hint_wrong", "The ID token that came along isn't one of this place."); };
    auto const keys = auth::JwtKeys::parse(jwks_of(s, cx.now));
    auto const claims = keys ? auth::signed_claims(token, *keys) : std::unexpected(keys.error());
    auto const members = claims ? auth::json_members(*claims) : std::nullopt;
    if (!members || auth::text_member(*members, "iss") != issuer_of(cx)) return wrong();
    Hint out{.tool = tool_named(auth::text_member(*members, "aud").value_or(""))};
    out.account = {number_after("u_", auth::text_member(*members, "sub").value_or(""))};
    out.session = {number_after("se_", auth::text_member(*members, "sid").value_or(""))};
    out.auth_time = std::llround(auth::number_member(*members, "auth_time").value_or(0));
    if (!out.tool || !out.account || !out.session) return wrong();
    return out;
}

}  // namespace

Result<LogoutRequest> parse_logout(ForeignRequest const& request) {
    if (request.verb == "HEAD") return fail(405, "method_not_allowed", "this path takes GET, POST");
    TRY_ASSIGN(auto form, parameters_of(request.verb == "POST" ? request.body : request.query));
    LogoutRequest out;
    if (auto hint = take(form, "id_token_hint")) out.id_token_hint = Secret<std::string>{std::move(*hint)};
    out.client_id = take(form, "client_id"), out.post_logout_redirect_uri = take(form, "post_logout_redirect_uri");
    out.state = take(form, "state");
    return out;
}

Result<Emit<ForeignReply, Event>> log_out(State const& s, LogoutRequest const& in, Ctx const& cx) {
    if (!in.id_token_hint)
        return fail(400, "logout_hint_missing", "The tool didn't say whose session is to end. Sign out here, by the menu under your name.");
    TRY_ASSIGN(auto const hint, read_hint(s, in.id_token_hint->value, cx));
    auto const* tool = s.tools.find(hint.tool);
    if (!tool || (in.client_id && tool_named(*in.client_id) != hint.tool))
        return fail(400, "client_unknown", "The tool that sent you here isn't registered.");
    auto const& back = in.post_logout_redirect_uri;
    bool const known =
        !back || std::ranges::find(tool->after_logout_uris, *back, [](Url const& u) { return u.view(); }) != tool->after_logout_uris.end();
    if (!known)
        return fail(400, "redirect_uri_unknown", "The tool that sent you here wants you back at an address that isn't registered for it.");
    Emit<ForeignReply, Event> out;
    auto const* session = s.sessions.find(hint.session);
    // A number that a restored log gave out again is another session.
    if (session && session->account == hint.account && session->started_at.us / 1'000'000 == hint.auth_time)
        out.events.push_back(SessionsEnded{{hint.session}});
    std::vector<std::pair<std::string_view, std::string>> more;
    if (back && in.state) more.emplace_back("state", *in.state);
    out.reply = redirect(back ? std::string_view(*back) : "/", more);
    return out;
}

std::vector<Event> end_grant(State const& s, GrantId const& id, Ctx const& cx) {
    auto const& grant = *s.grants.find(id);
    std::vector<Event> events{GrantEnded{id, grant.over ? GrantEnd::signed_out : GrantEnd::unused}};
    auto const* tool = s.tools.find(grant.tool);
    auto const key = signing_key(s);
    if (!grant.over || !grant.taken || !tool || !tool->backchannel_logout_uri || !key) return events;
    LogoutClaims const claims{issuer_of(cx), fmt::format("u_{}", grant.account.n), fmt::format("tl_{}", grant.tool.n), cx.fresh("lo_"),
                              fmt::format("se_{}", grant.session.n)};
    events.push_back(Effect<TellSignedOut>{
        EffectId(cx.fresh("e_")),
        {*tool->backchannel_logout_uri, Text<1, 1000>(codec::to_json(claims)), key, s.signing_keys.find(key)->sealed}});
    return events;
}

Result<client::Reply> tell_signed_out(TellSignedOut const& what, Outside& outside) {
    auto const der = outside.open ? outside.open(key_purpose(what.key), what.sealed.data) : std::nullopt;
    auto const key = der ? auth::JwtSigningKey::of_der(*der) : std::nullopt;
    if (!key) return fail(422, "signing_key_broken", "the key to sign with can't be read");
    auto const now = outside.now().us / 1'000'000;
    auto claims = what.claims.str();
    claims.pop_back();
    fmt::format_to(std::back_inserter(claims), R"(,"iat":{},"exp":{},{}}})", now, now + logout_token_s, logout_event);
    client::Request request;
    request.method = "POST", request.target = what.url.str();
    request.headers = {{"Content-Type", "application/x-www-form-urlencoded"}};
    request.body = "logout_token=" + key->sign(claims, "logout+jwt");
    return outside.call(std::move(request));
}

}  // namespace gantry::accounts
