#pragma once
#include "kernel/service.h"

// What accounts write to their log. Verifiers (of passwords, tokens, sessions, codes) are in `Kept` alone, which no feed tells; the rest
// says what happened. No secret is in any of them.
namespace gantry::accounts {

using AccountId = Seq<"u_">;
using TokenId = Seq<"t">;  // the credential's id in "gnt_t17_…"
using SessionId = Seq<"se_">;
using Name = Text<1, 120>;
using Login = Text<1, 254>;  // of a person a mail address, of a service its handle; small letters
using Email = Text<3, 254>;
using ScopeText = Text<1, 100>;
using Team = Text<1, 60>;
using Note = Text<0, 300>;

enum class Kind : std::uint8_t { person, service };
ENUM(Kind, person, service);

struct Created {
    AccountId id;
    Kind kind = Kind::person;
    Name name;
    Login login;
    bool verified = false;           // the address, by whoever made the account
    std::optional<AccountId> owner;  // of a service: the person who answers for it
    std::vector<ScopeText> scopes;
    bool sees_all = false;
};
RECORD(Created, id, kind, name, login, verified, owner, scopes, sees_all);

struct Renamed {
    AccountId id;
    Name name;
};
RECORD(Renamed, id, name);

// All that `id` has belongs to `into` from here on; `id` signs in no more.
struct Merged {
    AccountId id, into;
};
RECORD(Merged, id, into);

struct Disabled {
    AccountId id;
    Note note;
};
RECORD(Disabled, id, note);
struct Enabled {
    AccountId id;
};
RECORD(Enabled, id);

struct RightsSet {
    AccountId id;
    std::vector<ScopeText> scopes;
    std::vector<Team> teams;
    bool sees_all = false;
};
RECORD(RightsSet, id, scopes, teams, sees_all);

struct EmailAsked {  // to be proved
    AccountId id;
    Email email;
};
RECORD(EmailAsked, id, email);
struct EmailVerified {
    AccountId id;
    Email email;
};
RECORD(EmailVerified, id, email);
struct EmailRemoved {
    AccountId id;
    Email email;
};
RECORD(EmailRemoved, id, email);

struct PasswordSet {
    AccountId id;
};
RECORD(PasswordSet, id);
struct PasswordRehashed {  // the same one, in today's form
    AccountId id;
};
RECORD(PasswordRehashed, id);

struct CodesAsked {  // a seed was given out; it counts once a code of it came
    AccountId id;
};
RECORD(CodesAsked, id);
struct CodesOn {
    AccountId id;
};
RECORD(CodesOn, id);
struct CodesOff {
    AccountId id;
};
RECORD(CodesOff, id);
struct CodeUsed {
    AccountId id;
    std::int64_t step = 0;
};
RECORD(CodeUsed, id, step);
struct RecoveryUsed {
    AccountId id;
    std::uint32_t at = 0;  // which of them
};
RECORD(RecoveryUsed, id, at);

struct TokenIssued {
    TokenId token;
    AccountId id;
    Name name;
    std::vector<ScopeText> scopes;  // none: all of the account's
    std::optional<Time> expires_at;
};
RECORD(TokenIssued, token, id, name, scopes, expires_at);
struct TokenEnds {  // sooner than it said
    TokenId token;
    Time at;
};
RECORD(TokenEnds, token, at);
struct TokenRevoked {
    TokenId token;
};
RECORD(TokenRevoked, token);

struct SessionStarted {
    SessionId session;
    AccountId id;
    Time ends_at;
    Personal<Text<0, 300>> from;  // address and device, with a blank between
};
RECORD(SessionStarted, session, id, ends_at, from);
struct SessionsEnded {
    std::vector<SessionId> sessions;
};
RECORD(SessionsEnded, sessions);

// What was used since such a fact was recorded last: coarse by intent.
struct Used {
    std::vector<TokenId> tokens;
    std::vector<SessionId> sessions;
};
RECORD(Used, tokens, sessions);

// Passwords are refused until then: too many were wrong.
struct Locked {
    AccountId id;
    std::uint32_t failures = 0;
    Time until;
};
RECORD(Locked, id, failures, until);

enum class Verifier : std::uint8_t { password, token, session, seed, recovery };
ENUM(Verifier, password, token, session, seed, recovery);
// A verifier, of the fact before it: packed hash, digest, sealed seed, or digests one after another.
struct Kept {
    Verifier of = Verifier::password;
    std::uint64_t number = 0;  // of the account, token or session
    Bytes verifier;
};
RECORD(Kept, of, number, verifier);

using Event = std::variant<Created, Renamed, Merged, Disabled, Enabled, RightsSet, EmailAsked, EmailVerified, EmailRemoved, PasswordSet,
                           PasswordRehashed, CodesAsked, CodesOn, CodesOff, CodeUsed, RecoveryUsed, TokenIssued, TokenEnds, TokenRevoked,
                           SessionStarted, SessionsEnded, Used, Locked, Kept, Effect<SendMail>, EffectOutcome>;

}  // namespace gantry::accounts
