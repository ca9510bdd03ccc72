#pragma once
#include "services/accounts/passkeys.h"

// What the gate asks of accounts: who a token, a session or a login is, without a route. Pure: who calls holds the service's lock, and
// verifies passwords outside of it.
namespace gantry::accounts {

// What lets an account in now, or why not: 401 "caller_disabled", "account_merged".
Result<void> check_account(State const& s, AccountId id);

struct FoundToken {
    TokenId token;
    AccountId account;
    std::vector<std::string> scopes;
    Time until;
};
// Of "gnt_t<n>_<secret>"; `number` and `digest` of it. 401 "token_unknown", "token_expired", "token_revoked", and those of check_account().
Result<FoundToken> find_token(State const& s, std::uint64_t number, std::string_view digest, Time now);

struct FoundSession {
    AccountId account;
    Time started_at, seen_at, ends_at;
};
// 401 "session_unknown" (never there, or over), and those of check_account().
Result<FoundSession> find_session(State const& s, SessionId id, std::string_view digest, Time now);

// A session's id as its cookie has it: the number and a secret in 43 characters of base64url.
inline constexpr std::size_t session_secret_bytes = 26;
std::string session_id(SessionId session, std::string_view secret);
struct SessionParts {
    SessionId session;
    std::string digest;
};
std::optional<SessionParts> parse_session(std::string_view id);

// Everything about a login that verifying a password needs; of an unknown one nothing.
struct FoundLogin {
    AccountId account;         // n 0: nobody
    std::string verifier;      // packed; empty: it has none
    std::string was_verifier;  // of the account that was merged and brought the login along
    bool locked = false, has_codes = false;
};
FoundLogin find_login(State const& s, std::string_view login, Time now);

// Who an account is to the gate.
struct Traits {
    std::uint32_t version = 0;
    std::vector<std::string> scopes, teams;
    bool sees_all = false;
};
Traits traits_of(State const& s, AccountId id);

// Decisions of the gate's own, by routes that nobody reaches from outside.
struct StartSession {
    AccountId id;
    Bytes digest;
    Time ends_at;
    Text<0, 300> from;
};
RECORD(StartSession, id, digest, ends_at, from);
struct StartedSession {
    SessionId session;
};
RECORD(StartedSession, session);
struct EndSessions {
    AccountId id;
    std::vector<SessionId> sessions;
};
RECORD(EndSessions, id, sessions);
struct UseCode {
    AccountId id;
    Text<0, 40> code;
};
RECORD(UseCode, id, code);
struct Rehash {
    AccountId id;
    Bytes before, verifier;
};
RECORD(Rehash, id, before, verifier);
struct Lock {
    AccountId id;
    std::uint32_t failures = 0;
    Time until;
};
RECORD(Lock, id, failures, until);

struct Door {
    Route start_session, end_sessions, use_code, rehash, lock, note_use, use_passkey;
};
Door const& door();

// With which of its parts an account's code was answered.
Result<std::vector<Event>> use_code(State const& s, AccountId id, std::string_view code, Ctx const& cx);

}  // namespace gantry::accounts
