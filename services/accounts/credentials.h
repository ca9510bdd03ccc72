#pragma once
#include "services/accounts/people.h"

// What an account shows: passwords, codes, tokens; and its sessions.
namespace gantry::accounts {

struct NewPassword {
    Secret<Text<1, 1024>> password;
    std::optional<Secret<Text<1, 1024>>> old;  // the one before, if there is one
};
RECORD(NewPassword, password, old);
struct GivenPassword {
    AccountId id;
    Secret<Text<1, 1024>> password;
};
RECORD(GivenPassword, id, password);
struct ToChange {
    auth::PasswordCost cost;
    std::string password, old, verifier;  // verifier: of the one before, packed
};
struct Hashed {
    std::string verifier, before;  // packed
};
Result<ToChange> to_change(State const& s, NewPassword const& in, Ctx const& cx);
Result<Hashed> changed_hash(ToChange const& what, NewPassword const&);
Result<Changed> change_password(State const& s, NewPassword const& in, Hashed const& hashed, Ctx const& cx);
Result<ToChange> to_give(State const& s, GivenPassword const& in, Ctx const& cx);
Result<Hashed> given_hash(ToChange const& what, GivenPassword const&);
Result<Changed> give_password(State const& s, GivenPassword const& in, Hashed const& hashed, Ctx const& cx);

// A seed for an authenticator: counts once a code of it came.
struct CodesOffered {
    Secret<Text<1, 100>> seed;  // base32
    Secret<Text<1, 500>> uri;   // for a QR code
};
RECORD(CodesOffered, seed, uri);
struct Code {
    Secret<Text<1, 40>> code;
};
RECORD(Code, code);
struct CodesStarted {
    std::vector<Secret<Text<1, 40>>> recovery;
};
RECORD(CodesStarted, recovery);
Result<Emit<CodesOffered, Event>> offer_codes(State const& s, Nothing const& in, Ctx const& cx);
Result<Emit<CodesStarted, Event>> start_codes(State const& s, Code const& in, Ctx const& cx);
Result<Changed> stop_codes(State const& s, Code const& in, Ctx const& cx);  // with a code of them
Result<Changed> drop_codes(State const& s, ById const& in, Ctx const& cx);  // by an administrator

enum class TokenState { active, expired, revoked };
ENUM(TokenState, active, expired, revoked);
struct TokenView {
    TokenId id;
    AccountId account;
    std::string name;
    TokenState state = TokenState::active;
    std::vector<std::string> scopes;  // none: all of the account's
    Time created_at;
    std::optional<Time> expires_at, revoked_at, used_at;
};
RECORD(TokenView, id, account, name, state, scopes, created_at, expires_at, revoked_at, used_at);
struct NewToken {
    static constexpr bool has_defaults = true;
    Name name = "?";
    std::optional<std::vector<ScopeText>> scopes;
    std::optional<Time> expires_at;
};
RECORD(NewToken, name, scopes, expires_at);
struct NewTokenOf {
    static constexpr bool has_defaults = true;
    AccountId id;
    Name name = "?";
    std::optional<std::vector<ScopeText>> scopes;
    std::optional<Time> expires_at;
};
RECORD(NewTokenOf, id, name, scopes, expires_at);
struct Issued {
    TokenView token;
    Secret<Text<1, 128>> secret;  // told once
    std::optional<TokenView> before;
};
RECORD(Issued, token, secret, before);
struct TokenById {
    TokenId token;
};
RECORD(TokenById, token);
struct Rotate {
    static constexpr bool has_defaults = true;
    TokenId token;
    std::optional<Duration> overlap;  // how long the old one stays; a day, if it isn't said
    std::optional<Time> expires_at;   // of the new one; if it isn't said, as long from now as the old one had
};
RECORD(Rotate, token, overlap, expires_at);
struct TokenFilter {
    static constexpr bool has_defaults = true;
    Limit limit = 100;
    std::optional<std::string> cursor;
};
RECORD(TokenFilter, limit, cursor);
struct TokenFilterOf {
    static constexpr bool has_defaults = true;
    AccountId id;
    Limit limit = 100;
    std::optional<std::string> cursor;
};
RECORD(TokenFilterOf, id, limit, cursor);
using IssuedToken = Emit<Issued, Event>;
using ChangedToken = Emit<TokenView, Event>;
Result<Page<TokenView>> my_tokens(State const& s, TokenFilter const& in, Ctx const& cx);
Result<Page<TokenView>> tokens_of(State const& s, TokenFilterOf const& in, Ctx const& cx);
Result<IssuedToken> issue(State const& s, NewToken const& in, Ctx const& cx);
Result<IssuedToken> issue_for(State const& s, NewTokenOf const& in, Ctx const& cx);
// Of one's own, or of a service that one owns; `any_…` are an administrator's.
Result<IssuedToken> rotate(State const& s, Rotate const& in, Ctx const& cx);
Result<IssuedToken> rotate_any(State const& s, Rotate const& in, Ctx const& cx);
Result<ChangedToken> revoke(State const& s, TokenById const& in, Ctx const& cx);
Result<ChangedToken> revoke_any(State const& s, TokenById const& in, Ctx const& cx);

struct SessionView {
    SessionId id;
    Time started_at, seen_at, ends_at;
    std::string address, device;
};
RECORD(SessionView, id, started_at, seen_at, ends_at, address, device);
struct SessionById {
    SessionId session;
};
RECORD(SessionById, session);
struct Ended {
    std::uint64_t ended = 0;
};
RECORD(Ended, ended);
Result<Page<SessionView>> my_sessions(State const& s, Nothing const& in, Ctx const& cx);
Result<Emit<Ended, Event>> end_session(State const& s, SessionById const& in, Ctx const& cx);
Result<Emit<Ended, Event>> end_my_sessions(State const& s, Nothing const& in, Ctx const& cx);
Result<Emit<Ended, Event>> end_sessions_of(State const& s, ById const& in, Ctx const& cx);
std::vector<SessionId> sessions_of(State const& s, AccountId id);

}  // namespace gantry::accounts
