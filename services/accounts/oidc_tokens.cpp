#include "services/accounts/oidc_tokens.h"

#include <fmt/format.h>

#include <charconv>

#include "services/accounts/sign_in.h"

namespace gantry::accounts {
namespace {

constexpr std::string_view code_prefix = "gnc_", refresh_prefix = "gnr_", access_prefix = "gna_";

std::string proof(std::string_view kind, GrantId id, GrantRow const& grant, std::uint64_t number, Ctx const& cx) {
    return cx.proof_of(fmt::format("oidc {}", kind), fmt::format("{} {} {}", id.n, number, grant.salt.view()));
}

std::optional<std::uint64_t> number_before(std::string_view& rest, char end) {
    std::uint64_t n = 0;
    auto const [at, error] = std::from_chars(rest.data(), rest.data() + rest.size(), n);
    if (error != std::errc() || at == rest.data() + rest.size() || *at != end) return {};
    rest.remove_prefix(std::size_t(at - rest.data()) + 1);
    return n;
}

struct Introspection {
    bool active = false;
    std::optional<std::string> scope, client_id, token_type, sub, iss, username;
    std::optional<std::int64_t> exp;
};
RECORD(Introspection, active, scope, client_id, token_type, sub, iss, username, exp);

struct Userinfo {
    std::string sub;
    std::optional<std::string> name, preferred_username, email;
    std::optional<bool> email_verified;
    std::optional<std::vector<std::string>> groups;
};
RECORD(Userinfo, sub, name, preferred_username, email, email_verified, groups);

bool counts(State const& s, ShownToken const& shown, Time now) {
    auto const& grant = *s.grants.find(shown.grant);
    if (shown.kind == ShownKind::code || !is_alive(s, grant, now)) return false;
    return shown.kind == ShownKind::refresh ? shown.number == grant.generation : std::int64_t(shown.number) * 1'000'000 > now.us;
}

}  // namespace

std::string code_of(GrantId id, GrantRow const& grant, Ctx const& cx) {
    return fmt::format("{}{}_{}", code_prefix, id.n, proof("code", id, grant, 0, cx));
}
std::string refresh_token_of(GrantId id, GrantRow const& grant, std::uint32_t generation, Ctx const& cx) {
    return fmt::format("{}{}_{}_{}", refresh_prefix, id.n, generation, proof("refresh", id, grant, generation, cx));
}
std::string access_token_of(GrantId id, GrantRow const& grant, Time until, Ctx const& cx) {
    auto const second = std::uint64_t(until.us / 1'000'000);
    return fmt::format("{}{}_{}_{}", access_prefix, id.n, second, proof("access", id, grant, second, cx));
}

std::optional<ShownToken> read_token(State const& s, std::string_view text, Ctx const& cx) {
    ShownToken out;
    std::string_view kind = "code";
    if (text.starts_with(refresh_prefix))
        out.kind = ShownKind::refresh, kind = "refresh";
    else if (text.starts_with(access_prefix))
        out.kind = ShownKind::access, kind = "access";
    else if (!text.starts_with(code_prefix))
        return {};
    text.remove_prefix(code_prefix.size());
    auto const id = number_before(text, '_'),
               number = out.kind == ShownKind::code ? std::optional<std::uint64_t>(0) : number_before(text, '_');
    if (!id || !number) return {};
    out.grant = {*id}, out.number = *number;
    auto const* grant = s.grants.find(out.grant);
    if (!grant || !codec::same_bytes(proof(kind, out.grant, *grant, out.number, cx), text)) return {};
    return out;
}

bool is_alive(State const& s, GrantRow const& grant, Time now) {
    auto const* session = s.sessions.find(grant.session);
    auto const* tool = s.tools.find(grant.tool);
    return !grant.over && session && session->ends_at > now && tool && check_account(s, grant.account) && may_use(s, *tool, grant.account);
}

Person person_of(State const& s, AccountId id, std::string_view scope) {
    Person out;
    auto const& row = s.account(id);
    auto const login = s.first_login(id);
    if (has_word(scope, "profile")) out.name = std::string(s.names.text(row.name)), out.preferred_username = std::string(login);
    if (has_word(scope, "email") && login.find('@') != login.npos)
        out.email = std::string(login), out.email_verified = s.login(row.first_login).verified != 0;
    if (has_word(scope, "groups")) out.groups = traits_of(s, id).teams;
    return out;
}

// --- questions about tokens -----------------------------------------------------------------------------------------------------

Result<TokenQuestion> parse_token_question(ForeignRequest const& request) {
    TRY_ASSIGN(auto form, parameters_of(request.body));
    TokenQuestion out;
    TRY_ASSIGN(out.client, shown_client(request, form));
    auto token = take(form, "token");
    if (!token) return fail(400, "invalid_request", "a token is expected");
    out.token = {std::move(*token)};
    return out;
}

// Of an access token, too, the whole grant ends. One that nobody knows is revoked already (RFC 7009 §2.2).
Result<Emit<ForeignReply, Event>> revoke_token(State const& s, TokenQuestion const& in, Ctx const& cx) {
    TRY_ASSIGN(auto const tool, find_client(s, in.client, cx.now));
    auto const shown = read_token(s, in.token.value, cx);
    if (!shown || shown->kind == ShownKind::code || s.grants.find(shown->grant)->tool != tool)
        return Emit<ForeignReply, Event>{{}, answer(200, "")};
    return Emit<ForeignReply, Event>{{GrantEnded{shown->grant, GrantEnd::revoked}}, answer(200, "")};
}

// Records nothing; a body is read of commands alone.
Result<Emit<ForeignReply, Event>> introspect(State const& s, TokenQuestion const& in, Ctx const& cx) {
    TRY_ASSIGN(auto const tool, find_client(s, in.client, cx.now));
    if (s.tools.find(tool)->is_public) return invalid_client("a public client may not ask this");
    Introspection out;
    auto const shown = read_token(s, in.token.value, cx);
    if (!shown || !counts(s, *shown, cx.now)) return Emit<ForeignReply, Event>{{}, answer(200, codec::to_json(out))};
    auto const& grant = *s.grants.find(shown->grant);
    out.active = true, out.scope = grant.scope.str(), out.client_id = fmt::format("tl_{}", grant.tool.n);
    out.sub = fmt::format("u_{}", grant.account.n), out.iss = issuer_of(cx), out.username = std::string(s.first_login(grant.account));
    if (shown->kind == ShownKind::access) out.exp = std::int64_t(shown->number), out.token_type = "Bearer";
    return Emit<ForeignReply, Event>{{}, answer(200, codec::to_json(out))};
}

Result<UserinfoRequest> parse_userinfo(ForeignRequest const& request) {
    auto const header = request.header("Authorization");
    auto const shown = header.empty() ? std::nullopt : std::optional(auth::parse_authorization(header));
    auto const* bearer = shown && *shown ? std::get_if<auth::Bearer>(&**shown) : nullptr;
    if (!bearer) return fail(401, "invalid_token", "an access token is expected: Authorization: Bearer");
    return UserinfoRequest{{std::string(bearer->token)}};
}

Result<ForeignReply> userinfo(State const& s, UserinfoRequest const& in, Ctx const& cx) {
    auto const shown = read_token(s, in.token.value, cx);
    if (!shown || shown->kind != ShownKind::access || !counts(s, *shown, cx.now))
        return fail(401, "invalid_token", "the access token isn't one of this site, has expired, or was ended");
    auto const& grant = *s.grants.find(shown->grant);
    auto person = person_of(s, grant.account, grant.scope.view());
    Userinfo const out{
        fmt::format("u_{}", grant.account.n), person.name, person.preferred_username, person.email, person.email_verified, person.groups};
    return answer(200, codec::to_json(out));
}

}  // namespace gantry::accounts
