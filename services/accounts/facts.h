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
using ToolId = Seq<"tl_">;  // a relying party's client_id
using KeyId = Seq<"key_">;  // of a signing key
using PasskeyId = Seq<"pk_">;
using GrantId = Seq<"gr_">;  // what a tool was given about one session of a person
using Url = Text<1, 500>;

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

enum class PasskeyKind : std::uint8_t { es256, rs256, eddsa };
ENUM(PasskeyKind, es256, rs256, eddsa);

// Its public half: nobody signs in by what stands here. `counter`: of the authenticator's signatures.
struct PasskeyAdded {
    PasskeyId passkey;
    AccountId id;
    Name name;
    PasskeyKind kind = PasskeyKind::es256;
    Bytes credential, key;
    std::uint32_t counter = 0;
};
RECORD(PasskeyAdded, passkey, id, name, kind, credential, key, counter);
struct PasskeyUsed {
    PasskeyId passkey;
    AccountId id;
    std::uint32_t counter = 0;
    Time challenged_at;  // no challenge of then or before counts again
};
RECORD(PasskeyUsed, passkey, id, counter, challenged_at);
struct PasskeyRemoved {
    PasskeyId passkey;
    AccountId id;
};
RECORD(PasskeyRemoved, passkey, id);

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

// A tool that people sign in to by their account here (OpenID Connect): made, or what it is from here on.
struct ToolSet {
    ToolId tool;
    Name name;
    Url home;
    std::vector<Url> redirect_uris, after_logout_uris;
    std::optional<Url> backchannel_logout_uri;
    bool is_public = false;         // it can keep no secret
    std::vector<Team> teams;        // whose members may use it,
    std::vector<ScopeText> scopes;  // and who has one of these; neither: everyone may
};
RECORD(ToolSet, tool, name, home, redirect_uris, after_logout_uris, backchannel_logout_uri, is_public, teams, scopes);
struct ToolRemoved {
    ToolId tool;
};
RECORD(ToolRemoved, tool);
struct ToolSecretSet {
    ToolId tool;
    Time old_until;  // of the secret before
};
RECORD(ToolSecretSet, tool, old_until);

struct SigningKeyMade {
    KeyId key;
    Text<1, 100> kid;
    Text<1, 2000> jwk;  // the public half
    Time old_until;     // until when tokens of the keys before may be shown
};
RECORD(SigningKeyMade, key, kid, jwk, old_until);
struct SigningKeysEnded {
    std::vector<KeyId> keys;
};
RECORD(SigningKeysEnded, keys);

struct Granted {
    GrantId grant;
    ToolId tool;
    AccountId id;
    SessionId session;
    Url redirect_uri;
    Text<1, 128> challenge;
    std::optional<Text<1, 500>> nonce;
    Text<1, 200> scope;
    Text<1, 64> salt;  // no grant has the tokens of another one, whatever was restored
    Time code_until;
};
RECORD(Granted, grant, tool, id, session, redirect_uri, challenge, nonce, scope, salt, code_until);
struct CodeTaken {
    GrantId grant;
};
RECORD(CodeTaken, grant);
struct Refreshed {
    GrantId grant;
    std::uint32_t generation = 0;  // of the refresh token that counts from here on
};
RECORD(Refreshed, grant, generation);
enum class GrantEnd : std::uint8_t { unused, signed_out, revoked, code_replayed, refresh_reused, superseded };
ENUM(GrantEnd, unused, signed_out, revoked, code_replayed, refresh_reused, superseded);
struct GrantEnded {
    GrantId grant;
    GrantEnd why = GrantEnd::unused;
};
RECORD(GrantEnded, grant, why);

// EFFECTS: a new key, which takes a while; and a tool is told that somebody signed out.
struct MakeSigningKey {};
EMPTY_RECORD(MakeSigningKey);
struct TellSignedOut {
    Url url;
    Text<1, 1000> claims;  // of the logout token
    KeyId key;
    Bytes sealed;  // the key
};
RECORD(TellSignedOut, url, claims, key, sealed);

enum class Verifier : std::uint8_t { password, token, session, seed, recovery, tool, signing_key };
ENUM(Verifier, password, token, session, seed, recovery, tool, signing_key);
// A verifier, of the fact before it: packed hash, digest, sealed seed or key, or digests one after another.
struct Kept {
    Verifier of = Verifier::password;
    std::uint64_t number = 0;  // of the account, token or session
    Bytes verifier;
};
RECORD(Kept, of, number, verifier);

using Event = std::variant<Created, Renamed, Merged, Disabled, Enabled, RightsSet, EmailAsked, EmailVerified, EmailRemoved, PasswordSet,
                           PasswordRehashed, CodesAsked, CodesOn, CodesOff, CodeUsed, RecoveryUsed, TokenIssued, TokenEnds, TokenRevoked,
                           SessionStarted, SessionsEnded, Used, Locked, Kept, Effect<SendMail>, EffectOutcome, ToolSet, ToolRemoved,
                           ToolSecretSet, SigningKeyMade, SigningKeysEnded, Granted, CodeTaken, Refreshed, GrantEnded,
                           Effect<MakeSigningKey>, Effect<TellSignedOut>, PasskeyAdded, PasskeyUsed, PasskeyRemoved>;

}  // namespace gantry::accounts
