#include "services/accounts/credentials.h"

#include <fmt/format.h>

#include <algorithm>

namespace gantry::accounts {
namespace {

constexpr std::size_t tokens_max = 1000, listed_sessions_max = 1000, recovery_codes = 10;
constexpr Duration overlap_usual = Duration::days(1), overlap_max = Duration::days(90);

struct Cursor {
    TokenId token;
};
RECORD(Cursor, token);

std::string purpose_of(AccountId id) { return fmt::format("codes u_{}", id.n); }

Result<std::string> packed_hash(std::string const& password, auth::PasswordCost cost) {
    auto text = auth::password_hash(password, system_random(), cost);
    if (text) return auth::pack_verifier(*text);
    auto problem = std::move(text.error());
    if (problem.status == 400) problem.status = 422;
    return fail(std::move(problem));
}

// Whoever knew the password before is signed out.
std::vector<Event> password_events(State const& s, AccountId id, std::string const& verifier) {
    std::vector<Event> events{PasswordSet{id}, Kept{Verifier::password, id.n, Bytes{verifier}}};
    if (auto sessions = sessions_of(s, id); !sessions.empty()) events.push_back(SessionsEnded{std::move(sessions)});
    return events;
}

Account with_password(State const& s, AccountId id, Ctx const& cx) {
    auto out = view_of(s, id);
    out.has_password = true, out.locked_until.reset(), out.changed_at = cx.now;
    return out;
}

}  // namespace

Result<ToChange> to_change(State const& s, NewPassword const& in, Ctx const& cx) {
    TRY_ASSIGN(auto const id, self(s, cx));
    if (s.account(id).flags & is_service) return fail(422, "service_has_tokens", "a service signs in by tokens, not by a password");
    ToChange out{cost_of(cx.configured<Settings>()), in.password.value.str(), in.old ? in.old->value.str() : "", s.password_of(id)};
    if (!out.verifier.empty() && out.old.empty())
        return fail({422, "old_password_missing", "there is a password: say it, too", {{"/old", "expected the password of now"}}});
    return out;
}

Result<Hashed> changed_hash(ToChange const& what, NewPassword const&) {
    if (!what.verifier.empty() && !auth::any_password_matches(auth::unpack_verifier(what.verifier), what.old))
        return fail(403, "old_password_wrong", "the old password is another one");
    TRY_ASSIGN(auto verifier, packed_hash(what.password, what.cost));
    return Hashed{std::move(verifier), what.verifier};
}

Result<Changed> change_password(State const& s, NewPassword const&, Hashed const& hashed, Ctx const& cx) {
    TRY_ASSIGN(auto const id, self(s, cx));
    if (s.password_of(id) != hashed.before) return fail(409, "password_changed", "the password was changed meanwhile");
    return Changed{password_events(s, id, hashed.verifier), with_password(s, id, cx)};
}

Result<ToChange> to_give(State const& s, GivenPassword const& in, Ctx const& cx) {
    TRY_ASSIGN(auto const id, living(s, in.id));
    if (s.account(id).flags & is_service) return fail(422, "service_has_tokens", "a service signs in by tokens, not by a password");
    return ToChange{cost_of(cx.configured<Settings>()), in.password.value.str(), {}, {}};
}

Result<Hashed> given_hash(ToChange const& what, GivenPassword const&) {
    TRY_ASSIGN(auto verifier, packed_hash(what.password, what.cost));
    return Hashed{std::move(verifier), {}};
}

Result<Changed> give_password(State const& s, GivenPassword const& in, Hashed const& hashed, Ctx const& cx) {
    TRY_ASSIGN(auto const id, living(s, in.id));
    return Changed{password_events(s, id, hashed.verifier), with_password(s, id, cx)};
}

Result<Emit<CodesOffered, Event>> offer_codes(State const& s, Nothing const&, Ctx const& cx) {
    TRY_ASSIGN(auto const id, self(s, cx));
    if (s.password_of(id).empty()) return fail(422, "password_missing", "codes go with a password: set one first");
    if (auto const* row = s.codes.find(id); row && row->on)
        return fail(409, "codes_on", "codes are asked for already: stop that first, with a code");
    auto const seed = auth::make_code_seed(cx.random);
    auto const uri = auth::code_uri(cx.configured<Settings>().issuer, s.first_login(id), seed);
    return Emit<CodesOffered, Event>{{CodesAsked{id}, Kept{Verifier::seed, id.n, Bytes{cx.seal(purpose_of(id), seed)}}},
                                     {{Text<1, 100>(auth::base32(seed))}, {Text<1, 500>(uri)}}};
}

Result<Emit<CodesStarted, Event>> start_codes(State const& s, Code const& in, Ctx const& cx) {
    TRY_ASSIGN(auto const id, self(s, cx));
    auto const* row = s.codes.find(id);
    if (!row || row->proposed.data.empty()) return fail(409, "codes_not_offered", "there is no seed to confirm: ask for one first");
    auto const seed = cx.open(purpose_of(id), row->proposed.data);
    if (!seed) return fail(409, "codes_unreadable", "the seed can't be read any more: the site has another key; ask for a new one");
    auto const step = auth::matching_step(*seed, in.code.value, cx.now, 0);
    if (!step) return fail(403, "code_wrong", "the code is wrong, or too old: is the clock of the device right?");
    Emit<CodesStarted, Event> out{{CodesOn{id}, CodeUsed{id, *step}}, {}};
    Kept kept{Verifier::recovery, id.n, {}};
    for (std::size_t i = 0; i < recovery_codes; ++i) {
        auto const code = auth::make_recovery_code(cx.random);
        kept.verifier.data += auth::recovery_digest(code);
        out.reply.recovery.push_back({Text<1, 40>(code)});
    }
    out.events.push_back(std::move(kept));
    return out;
}

Result<std::vector<Event>> use_code(State const& s, AccountId id, std::string_view code, Ctx const& cx) {
    auto const wrong = [] { return fail(401, "code_wrong", "The code is wrong, too old, or was used already."); };
    auto const* row = s.codes.find(id);
    if (!row || !row->on) return wrong();
    auto const seed = cx.open(purpose_of(id), row->seed.data);
    if (auto const step = seed ? auth::matching_step(*seed, code, cx.now, row->used_step) : std::nullopt)
        return std::vector<Event>{CodeUsed{id, *step}};
    auto const digest = auth::recovery_digest(code);
    for (std::uint32_t i = 0; i < row->recovery.size(); ++i)
        if (codec::same_bytes(row->recovery[i].data, digest)) return std::vector<Event>{RecoveryUsed{id, i}};
    return wrong();
}

Result<Changed> stop_codes(State const& s, Code const& in, Ctx const& cx) {
    TRY_ASSIGN(auto const id, self(s, cx));
    TRY_VOID(use_code(s, id, in.code.value, cx));
    return drop_codes(s, {id}, cx);
}

Result<Changed> drop_codes(State const& s, ById const& in, Ctx const& cx) {
    TRY_ASSIGN(auto const id, living(s, in.id));
    auto out = view_of(s, id);
    if (!s.codes.find(id)) return Changed{{}, out};
    out.has_codes = false, out.changed_at = cx.now;
    return Changed{{CodesOff{id}}, out};
}

// --- tokens --------------------------------------------------------------------------------------------------------------------

namespace {

TokenView view_of(TokenId id, TokenRow const& row, Time now) {
    TokenView out{id, row.account, row.name.str(), TokenState::active, {}, row.created_at, row.expires_at, row.revoked_at, row.used_at};
    for (auto const& scope : row.scopes) out.scopes.push_back(scope.str());
    if (row.expires_at && *row.expires_at <= now) out.state = TokenState::expired;
    if (row.revoked_at) out.state = TokenState::revoked;
    return out;
}

Page<TokenView> page_of(State const& s, AccountId id, Limit limit, TokenId after, Time now) {
    s.marks.looked_up(id.n);
    Page<TokenView> page;
    s.tokens_of.ascend({id.n, after.n + 1}, [&](Own const& own) {
        if (own.account != id.n) return false;
        if (page.items.size() == std::size_t(limit)) {
            page.complete = false, page.next = make_cursor(Cursor{page.items.back().id});
            return false;
        }
        page.items.push_back(view_of({own.number}, *s.tokens.find({own.number}), now));
        return true;
    });
    return page;
}

Result<TokenId> cursor_of(std::optional<std::string> const& text) {
    if (!text) return TokenId{};
    TRY_ASSIGN(auto const cursor, read_cursor<Cursor>(*text));
    return cursor.token;
}

std::size_t count_tokens(State const& s, AccountId id) {
    std::size_t n = 0;
    s.tokens_of.ascend({id.n, 0}, [&](Own const& own) { return own.account == id.n && ++n <= tokens_max; });
    return n;
}

Result<IssuedToken> issue_to(State const& s, AccountId id, Name const& name, std::vector<ScopeText> scopes, std::optional<Time> expires_at,
                             Ctx const& cx) {
    std::vector<std::string> patterns;
    for (auto const& scope : scopes) patterns.push_back(scope.str());
    if (auto parsed = auth::Scopes::parse(patterns); !parsed) {
        parsed.error().status = 422;
        for (auto& fault : parsed.error().faults) fault.pointer = "/scopes" + fault.pointer;
        return fail(std::move(parsed.error()));
    }
    auto const latest = cx.now + cx.configured<Settings>().token_max;
    if (!expires_at) expires_at = latest;
    if (*expires_at <= cx.now || *expires_at > latest)
        return fail({422,
                     "expiry_invalid",
                     "a token ends in the future, and within [accounts] token_max",
                     {{"/expires_at", "expected a time up to " + format_time(latest)}}});
    if (count_tokens(s, id) >= tokens_max) return fail(409, "too_many_tokens", "an account has at most 1000 tokens");
    auto const token = s.next_token();
    auto const secret = auth::make_token(fmt::format("t{}", token.n), cx.random);
    TokenRow const row{.account = id, .name = name, .scopes = scopes, .created_at = cx.now, .expires_at = expires_at};
    Kept kept{Verifier::token, token.n, Bytes{auth::digest_of(auth::parse_token(secret)->secret)}};
    return IssuedToken{{TokenIssued{token, id, name, std::move(scopes), expires_at}, std::move(kept)},
                       {view_of(token, row, cx.now), {Text<1, 128>(secret)}, {}},
                       201};
}

Result<TokenId> known_token(State const& s, TokenId id) {
    if (!s.tokens.contains(id)) return fail(404, "token_not_found", "there is no token with this id");
    return id;
}

// Others' tokens are absent.
Result<TokenId> own_token(State const& s, TokenId id, Ctx const& cx) {
    TRY_ASSIGN(auto const me, self(s, cx));
    TRY_VOID(known_token(s, id));
    auto const account = s.tokens.find(id)->account;
    if (account == me || s.account(account).owner == me.n) return id;
    return fail(404, "token_not_found", "there is no token with this id");
}

}  // namespace

Result<Page<TokenView>> my_tokens(State const& s, TokenFilter const& in, Ctx const& cx) {
    TRY_ASSIGN(auto const id, self(s, cx));
    TRY_ASSIGN(auto const after, cursor_of(in.cursor));
    return page_of(s, id, in.limit, after, cx.now);
}

Result<Page<TokenView>> tokens_of(State const& s, TokenFilterOf const& in, Ctx const& cx) {
    TRY_ASSIGN(auto const id, existing(s, in.id));
    TRY_ASSIGN(auto const after, cursor_of(in.cursor));
    return page_of(s, id, in.limit, after, cx.now);
}

Result<IssuedToken> issue(State const& s, NewToken const& in, Ctx const& cx) {
    TRY_ASSIGN(auto const id, self(s, cx));
    return issue_to(s, id, in.name, in.scopes.value_or(std::vector<ScopeText>()), in.expires_at, cx);
}

Result<IssuedToken> issue_for(State const& s, NewTokenOf const& in, Ctx const& cx) {
    TRY_ASSIGN(auto const id, living(s, in.id));
    return issue_to(s, id, in.name, in.scopes.value_or(std::vector<ScopeText>()), in.expires_at, cx);
}

Result<IssuedToken> rotate(State const& s, Rotate const& in, Ctx const& cx) {
    TRY_VOID(own_token(s, in.token, cx));
    return rotate_any(s, in, cx);
}

Result<IssuedToken> rotate_any(State const& s, Rotate const& in, Ctx const& cx) {
    TRY_VOID(known_token(s, in.token));
    auto const& old = *s.tokens.find(in.token);
    auto before = view_of(in.token, old, cx.now);
    if (before.state != TokenState::active) return fail(409, "token_inactive", "the token has ended: issue a new one");
    auto const overlap = in.overlap.value_or(overlap_usual);
    if (overlap.us < 0 || overlap > overlap_max)
        return fail({422, "overlap_invalid", "both tokens are valid for at most 90 days", {{"/overlap", "expected 0 to 90d"}}});
    auto const lifetime = old.expires_at ? *old.expires_at - old.created_at : cx.configured<Settings>().token_max;
    TRY_ASSIGN(auto out, issue_to(s, old.account, old.name, old.scopes, in.expires_at.value_or(cx.now + lifetime), cx));
    auto const at = std::min(cx.now + overlap, old.expires_at.value_or(cx.now + overlap));
    out.events.push_back(TokenEnds{in.token, at});
    before.expires_at = at, out.reply.before = std::move(before);
    return out;
}

Result<ChangedToken> revoke(State const& s, TokenById const& in, Ctx const& cx) {
    TRY_VOID(own_token(s, in.token, cx));
    return revoke_any(s, in, cx);
}

Result<ChangedToken> revoke_any(State const& s, TokenById const& in, Ctx const& cx) {
    TRY_VOID(known_token(s, in.token));
    auto out = view_of(in.token, *s.tokens.find(in.token), cx.now);
    if (out.state == TokenState::revoked) return ChangedToken{{}, out};
    out.state = TokenState::revoked, out.revoked_at = cx.now;
    return ChangedToken{{TokenRevoked{in.token}}, out};
}

// --- sessions ------------------------------------------------------------------------------------------------------------------

std::vector<SessionId> sessions_of(State const& s, AccountId id) {
    std::vector<SessionId> out;
    s.sessions_of.ascend({id.n, 0}, [&](Own const& own) { return own.account == id.n && (out.push_back({own.number}), true); });
    return out;
}

Result<Page<SessionView>> my_sessions(State const& s, Nothing const&, Ctx const& cx) {
    TRY_ASSIGN(auto const id, self(s, cx));
    Page<SessionView> page;
    for (auto session : sessions_of(s, id)) {
        auto const& row = *s.sessions.find(session);
        if (row.ends_at <= cx.now) continue;
        if (page.items.size() == listed_sessions_max) {
            page.complete = false, page.why = "1000 sessions are listed";
            break;
        }
        auto const from = row.from.value.view();
        auto const blank = std::min(from.find(' '), from.size());
        page.items.push_back({session, row.started_at, row.seen_at, row.ends_at, std::string(from.substr(0, blank)),
                              std::string(from.substr(std::min(blank + 1, from.size())))});
    }
    return page;
}

Result<Emit<Ended, Event>> end_session(State const& s, SessionById const& in, Ctx const& cx) {
    TRY_ASSIGN(auto const id, self(s, cx));
    auto const* row = s.sessions.find(in.session);
    if (!row || row->account != id) return fail(404, "session_not_found", "there is no session of this account with this id");
    return Emit<Ended, Event>{{SessionsEnded{{in.session}}}, {1}};
}

Result<Emit<Ended, Event>> end_my_sessions(State const& s, Nothing const&, Ctx const& cx) {
    TRY_ASSIGN(auto const id, self(s, cx));
    return end_sessions_of(s, {id}, cx);
}

Result<Emit<Ended, Event>> end_sessions_of(State const& s, ById const& in, Ctx const&) {
    TRY_VOID(existing(s, in.id));
    auto ended = sessions_of(s, in.id);
    Ended const reply{ended.size()};
    if (ended.empty()) return Emit<Ended, Event>{{}, reply};
    return Emit<Ended, Event>{{SessionsEnded{std::move(ended)}}, reply};
}

}  // namespace gantry::accounts
