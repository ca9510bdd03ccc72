#include "services/accounts/sign_in.h"

#include <fmt/format.h>

#include <algorithm>

#include "services/accounts/accounts.h"

namespace gantry::accounts {
namespace {

std::vector<std::string> texts_of(std::string_view lines) {
    std::vector<std::string> out;
    for (auto line : split_lines(lines)) out.emplace_back(line);
    return out;
}

// The one that was unused for longest makes room.
constexpr std::size_t sessions_a_person = 50;
constexpr std::size_t number_bytes = 6;  // of a session's id

Result<Emit<StartedSession, Event>> start_session(State const& s, StartSession const& in, Ctx const& cx) {
    TRY_VOID(check_account(s, in.id));
    Emit<StartedSession, Event> out;
    auto const known = sessions_of(s, in.id);
    if (known.size() >= sessions_a_person) {
        auto const oldest = *std::ranges::min_element(known, {}, [&](SessionId id) { return s.sessions.find(id)->seen_at; });
        out.events.push_back(SessionsEnded{{oldest}});
    }
    out.reply.session = s.next_session();
    Personal<Text<0, 300>> from{in.from, cx.subject_of(fmt::format("account u_{}", in.id.n)), false};
    out.events.push_back(SessionStarted{out.reply.session, in.id, in.ends_at, std::move(from)});
    out.events.push_back(Kept{Verifier::session, out.reply.session.n, in.digest});
    return out;
}

Result<Emit<Ended, Event>> end_sessions(State const& s, EndSessions const& in, Ctx const&) {
    SessionsEnded ended;
    for (auto id : in.sessions)
        if (auto const* row = s.sessions.find(id); row && row->account == in.id) ended.sessions.push_back(id);
    Ended const reply{ended.sessions.size()};
    if (ended.sessions.empty()) return Emit<Ended, Event>{{}, reply};
    return Emit<Ended, Event>{{std::move(ended)}, reply};
}

Result<Emit<Nothing, Event>> take_code(State const& s, UseCode const& in, Ctx const& cx) {
    TRY_ASSIGN(auto events, use_code(s, in.id, in.code, cx));
    return Emit<Nothing, Event>{std::move(events), {}};
}

Result<Emit<Nothing, Event>> rehash(State const& s, Rehash const& in, Ctx const&) {
    if (!s.has(in.id) || s.password_of(in.id) != in.before.data) return Emit<Nothing, Event>{};
    return Emit<Nothing, Event>{{PasswordRehashed{in.id}, Kept{Verifier::password, in.id.n, in.verifier}}, {}};
}

// Its owner is told, where there is an address.
Result<Emit<Nothing, Event>> lock(State const& s, Lock const& in, Ctx const& cx) {
    if (!s.has(in.id) || s.account(in.id).locked_until_us > cx.now.us) return Emit<Nothing, Event>{};
    Emit<Nothing, Event> out{{Locked{in.id, in.failures, in.until}}, {}};
    auto const email = s.first_login(in.id);
    if (email.find('@') == email.npos) return out;
    auto const text = fmt::format(
        "{} wrong passwords in a row were tried for your account. Until {} no password is taken; sessions and tokens go on.\n\n"
        "If that wasn't you, someone guesses: a long password, or codes of an authenticator, keep them out.\n",
        in.failures, format_time(in.until));
    out.events.push_back(Effect<SendMail>{EffectId(cx.fresh("e_")),
                                          {Text<3, 254>(email), "Wrong passwords for your account", Text<1, 20000>(text), std::nullopt}});
    return out;
}

Result<Emit<Nothing, Event>> note_use(State const& s, Used const& in, Ctx const&) {
    Used known;
    std::ranges::copy_if(in.tokens, std::back_inserter(known.tokens), [&](TokenId id) { return s.tokens.contains(id); });
    std::ranges::copy_if(in.sessions, std::back_inserter(known.sessions), [&](SessionId id) { return s.sessions.contains(id); });
    if (known.tokens.empty() && known.sessions.empty()) return Emit<Nothing, Event>{};
    return Emit<Nothing, Event>{{std::move(known)}, {}};
}

}  // namespace

Result<void> check_account(State const& s, AccountId id) {
    if (!s.has(id)) return fail(401, "caller_unknown", "The caller is not known.");
    auto const flags = s.account(id).flags;
    if (flags & is_merged)
        return fail(401, "account_merged",
                    fmt::format("This account was merged into u_{}: sign in as that one.", s.account(id).merged_into));
    if (flags & is_disabled) return fail(401, "caller_disabled", "The caller is disabled.");
    return {};
}

Result<FoundToken> find_token(State const& s, std::uint64_t number, std::string_view digest, Time now) {
    auto const* row = s.tokens.find({number});
    // Nothing is said of a token whose secret isn't known: neither that its id exists, nor that it was revoked.
    if (!codec::same_bytes(row ? row->digest.data : std::string(32, '\0'), digest) || !row)
        return fail(401, "token_unknown", "The token is not known.");
    if (row->revoked_at) return fail(401, "token_revoked", "The token was revoked.");
    if (row->expires_at && *row->expires_at <= now) return fail(401, "token_expired", "The token has expired.");
    TRY_VOID(check_account(s, row->account));
    FoundToken out{{number}, row->account, {}, row->expires_at.value_or(Time{INT64_MAX})};
    for (auto const& scope : row->scopes) out.scopes.push_back(scope.str());
    return out;
}

Result<FoundSession> find_session(State const& s, SessionId id, std::string_view digest, Time now) {
    auto const* row = s.sessions.find(id);
    if (!row || !codec::same_bytes(row->digest.data, digest) || row->ends_at <= now)
        return fail(401, "session_unknown", "There is no such session: sign in.");
    TRY_VOID(check_account(s, row->account));
    return FoundSession{row->account, row->started_at, row->seen_at, row->ends_at};
}

std::string session_id(SessionId session, std::string_view secret) {
    std::string bytes;
    for (int shift = 40; shift >= 0; shift -= 8) bytes += char(session.n >> shift & 0xff);
    return auth::base64url(bytes + std::string(secret));
}

std::optional<SessionParts> parse_session(std::string_view id) {
    auto const bytes = auth::decode_base64url(id);
    if (!bytes || bytes->size() != number_bytes + session_secret_bytes) return {};
    SessionParts out;
    for (std::size_t i = 0; i < number_bytes; ++i) out.session.n = out.session.n << 8 | static_cast<unsigned char>((*bytes)[i]);
    out.digest = auth::digest_of(std::string_view(*bytes).substr(number_bytes));
    return out;
}

FoundLogin find_login(State const& s, std::string_view login, Time now) {
    std::string small(login);
    std::ranges::transform(small, small.begin(), [](char c) { return c >= 'A' && c <= 'Z' ? char(c | 0x20) : c; });
    FoundLogin out;
    auto const number = s.find_login(small);
    if (number == 0) return out;
    auto const& row = s.login(number);
    out.account = {row.account}, out.verifier = s.password_of(out.account);
    if (row.was) out.was_verifier = s.password_of({row.was});
    out.locked = s.account(out.account).locked_until_us > now.us;
    auto const* codes = s.codes.find(out.account);
    out.has_codes = codes && codes->on;
    return out;
}

Traits traits_of(State const& s, AccountId id) {
    auto const& row = s.account(id);
    return {row.version, texts_of(s.words.text(row.scopes)), texts_of(s.words.text(row.teams)), bool(row.flags & sees_all)};
}

Door const& door() {
    Scope const nobody{"accounts:door"};
    static Door const made{
        route<Service>(V1, "POST", "/door/session", &start_session, nobody, Doc{"Sign in."}),
        route<Service>(V1, "POST", "/door/end", &end_sessions, nobody, Doc{"Sign out."}),
        route<Service>(V1, "POST", "/door/code", &take_code, nobody, Doc{"A code counts once."}),
        route<Service>(V1, "POST", "/door/rehash", &rehash, nobody, Doc{"The same password in today's form."}),
        route<Service>(V1, "POST", "/door/lock", &lock, nobody, Doc{"Too many passwords were wrong."}),
        route<Service>(V1, "POST", "/door/used", &note_use, nobody, Doc{"What was used of late."}),
        slow_route<Service, &to_verify_passkey, &verified_passkey, &use_passkey>(V1, "POST", "/door/passkey", nobody,
                                                                                 Doc{"Who shows a passkey."}),
    };
    return made;
}

}  // namespace gantry::accounts
