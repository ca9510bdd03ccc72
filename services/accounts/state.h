#pragma once
#include <algorithm>

#include "services/accounts/facts.h"

// The state of accounts: a pure fold of the facts. An account is a dense row of 64 bytes; its logins and its password are rows of their
// own, so that a million accounts fit into 300 MB. 0 is "none" in every number.
namespace gantry::accounts {

enum AccountFlags : std::uint16_t { is_service = 1, is_disabled = 2, is_merged = 4, sees_all = 8 };

struct AccountRow {
    std::uint32_t name = 0;               // in names
    std::uint32_t first_login = 0;        // in logins: the one that mail goes to
    std::uint32_t password = 0;           // in passwords
    std::uint32_t scopes = 0, teams = 0;  // in words, one a line
    std::uint32_t owner = 0, merged_into = 0;
    std::uint32_t version = 0;  // another one after each change that matters to who is signed in
    std::int64_t created_us = 0, changed_us = 0;
    std::int64_t locked_until_us = 0;
    std::uint16_t flags = 0, spare = 0;
    std::uint32_t unused = 0;
};
RECORD(AccountRow, name, first_login, password, scopes, teams, owner, merged_into, version, created_us, changed_us, locked_until_us, flags,
       spare, unused);
static_assert(sizeof(AccountRow) == 64, "an account is a line of cache");

struct LoginRow {
    std::uint32_t account = 0;  // 0: nobody's any more
    std::uint32_t was = 0;      // the account that brought it along when it was merged
    std::uint32_t next = 0;     // another one of the account
    std::uint32_t verified = 0;
};
RECORD(LoginRow, account, was, next, verified);

// A packed verifier (kernel/auth/verifier.h) of up to 55 bytes, the first one its length; 255: it is in long_passwords.
struct PasswordRow {
    std::uint64_t a = 0, b = 0, c = 0, d = 0, e = 0, f = 0, g = 0;
};
RECORD(PasswordRow, a, b, c, d, e, f, g);

struct LongPassword {
    Bytes verifier;
};
RECORD(LongPassword, verifier);

struct PendingEmail {
    Email email;
    Time asked_at;
};
RECORD(PendingEmail, email, asked_at);
struct PendingEmails {
    std::vector<PendingEmail> emails;
};
RECORD(PendingEmails, emails);

struct CodesRow {
    bool on = false;
    Bytes seed;      // sealed
    Bytes proposed;  // sealed; counts once a code of it came
    std::int64_t used_step = 0;
    std::vector<Bytes> recovery;  // digests; one that was used is empty
};
RECORD(CodesRow, on, seed, proposed, used_step, recovery);

struct PasskeyRow {
    AccountId account;
    Name name;
    PasskeyKind kind = PasskeyKind::es256;
    Bytes credential, key;
    std::uint32_t counter = 0;
    Time added_at;
    std::optional<Time> used_at;
    Time challenged_at;  // of the newest challenge that it answered
};
RECORD(PasskeyRow, account, name, kind, credential, key, counter, added_at, used_at, challenged_at);

struct TokenRow {
    AccountId account;
    Name name;
    std::vector<ScopeText> scopes;
    Time created_at;
    std::optional<Time> expires_at, revoked_at, used_at;
    Bytes digest;
};
RECORD(TokenRow, account, name, scopes, created_at, expires_at, revoked_at, used_at, digest);

struct SessionRow {
    AccountId account;
    Time started_at, seen_at, ends_at;
    Personal<Text<0, 300>> from;
    Bytes digest;
};
RECORD(SessionRow, account, started_at, seen_at, ends_at, from, digest);

struct ToolRow {
    Name name;
    Url home;
    std::vector<Url> redirect_uris, after_logout_uris;
    std::optional<Url> backchannel_logout_uri;
    bool is_public = false;
    std::vector<Team> teams;
    std::vector<ScopeText> scopes;
    Time created_at, changed_at, secret_at;
    Bytes secret, old_secret;  // digests
    Time old_until;            // of old_secret
};
RECORD(ToolRow, name, home, redirect_uris, after_logout_uris, backchannel_logout_uri, is_public, teams, scopes, created_at, changed_at,
       secret_at, secret, old_secret, old_until);

struct SigningKeyRow {
    Text<1, 100> kid;
    Text<1, 2000> jwk;
    Time made_at;
    std::optional<Time> until;  // it signs no more, and leaves the key set then
    Bytes sealed;               // its private half
};
RECORD(SigningKeyRow, kid, jwk, made_at, until, sealed);

struct GrantRow {
    ToolId tool;
    AccountId account;
    SessionId session;
    Url redirect_uri;
    Text<1, 128> challenge;
    std::optional<Text<1, 500>> nonce;
    Text<1, 200> scope;
    Text<1, 64> salt;
    Time signed_in_at, code_until;
    bool taken = false;            // its code was
    bool over = false;             // its session is
    std::uint32_t generation = 0;  // of the refresh token that counts
};
RECORD(GrantRow, tool, account, session, redirect_uri, challenge, nonce, scope, salt, signed_in_at, code_until, taken, over, generation);

// Of an account: a token, a session, a passkey, or a service that it owns. Of a session: a grant.
struct Own {
    std::uint64_t account = 0, number = 0;
    auto operator<=>(Own const&) const = default;
};
RECORD(Own, account, number);

struct SessionEnd {
    std::int64_t at_us = 0;
    std::uint64_t session = 0;
    auto operator<=>(SessionEnd const&) const = default;
};
RECORD(SessionEnd, at_us, session);

struct State {
    state::Marks marks;                   // changed and looked up: the account's number
    state::Chunked<AccountRow> accounts;  // u_1 at [0]
    state::Names names, logins, words;
    state::Chunked<LoginRow> login_rows;  // by number of the login, from 1 at [0]
    state::Pool<PasswordRow> passwords;
    Table<AccountId, LongPassword> long_passwords;
    Table<AccountId, PendingEmails> pending;
    Table<AccountId, CodesRow> codes;
    Table<TokenId, TokenRow> tokens;
    state::Ordered<Own> tokens_of, services_of;
    Table<SessionId, SessionRow> sessions;
    state::Ordered<Own> sessions_of;
    state::Ordered<SessionEnd> session_ends;
    state::Tally totals;
    Outbox outbox;
    Table<ToolId, ToolRow> tools;
    Table<KeyId, SigningKeyRow> signing_keys;
    Table<GrantId, GrantRow> grants;
    state::Ordered<Own> grants_of;  // by session
    Due<GrantId> grant_ends;        // when its code was to be used, or at once when its session is over

    Table<PasskeyId, PasskeyRow> passkeys;
    state::Ordered<Own> passkeys_of;

    enum Total : std::uint64_t {
        tokens_made,
        sessions_made,
        changes,
        enabled,
        merged_passwords,
        tools_made,
        keys_made,
        grants_made,
        passkeys_made
    };

    void apply(Created const& e, At const& at);
    void apply(Renamed const& e, At const& at);
    void apply(Merged const& e, At const& at);
    void apply(Disabled const& e, At const& at);
    void apply(Enabled const& e, At const& at);
    void apply(RightsSet const& e, At const& at);
    void apply(EmailAsked const& e, At const& at);
    void apply(EmailVerified const& e, At const& at);
    void apply(EmailRemoved const& e, At const& at);
    void apply(PasswordSet const& e, At const& at);
    void apply(PasswordRehashed const&) {}
    void apply(CodesAsked const& e, At const& at);
    void apply(CodesOn const& e, At const& at);
    void apply(CodesOff const& e, At const& at);
    void apply(CodeUsed const& e);
    void apply(RecoveryUsed const& e);
    void apply(TokenIssued const& e, At const& at);
    void apply(TokenEnds const& e);
    void apply(TokenRevoked const& e, At const& at);
    void apply(SessionStarted const& e, At const& at);
    void apply(SessionsEnded const& e, At const& at);
    void apply(Used const& e, At const& at);
    void apply(Locked const& e, At const& at);
    void apply(Kept const& e);
    void apply(ToolSet const& e, At const& at);
    void apply(ToolRemoved const& e) { tools.erase(e.tool); }
    void apply(ToolSecretSet const& e, At const& at);
    void apply(SigningKeyMade const& e, At const& at);
    void apply(SigningKeysEnded const& e);
    void apply(Granted const& e);
    void apply(CodeTaken const& e);
    void apply(Refreshed const& e);
    void apply(GrantEnded const& e);
    void apply(PasskeyAdded const& e, At const& at);
    void apply(PasskeyUsed const& e, At const& at);
    void apply(PasskeyRemoved const& e, At const& at);

    bool has(AccountId id) const { return id.n >= 1 && id.n <= accounts.size() && accounts[id.n - 1].name != 0; }
    // Of one that is there; noted as looked up.
    AccountRow const& account(AccountId id) const {
        marks.looked_up(id.n);
        return accounts[id.n - 1];
    }
    AccountId next_account() const { return {accounts.size() + 1}; }
    TokenId next_token() const { return {std::uint64_t(totals[tokens_made]) + 1}; }
    SessionId next_session() const { return {std::uint64_t(totals[sessions_made]) + 1}; }
    ToolId next_tool() const { return {std::uint64_t(totals[tools_made]) + 1}; }
    KeyId next_key() const { return {std::uint64_t(totals[keys_made]) + 1}; }
    PasskeyId next_passkey() const { return {std::uint64_t(totals[passkeys_made]) + 1}; }
    GrantId next_grant() const { return {std::uint64_t(totals[grants_made]) + 1}; }
    // Its number in `logins`; 0 when nobody signs in by it.
    std::uint32_t find_login(std::string_view login) const;
    LoginRow const& login(std::uint32_t number) const { return login_rows[number - 1]; }
    // Whose it is, by a login; 0: nobody's.
    AccountId by_login(std::string_view login) const;
    std::string_view first_login(AccountId id) const { return logins.text(account(id).first_login); }
    // The packed verifier; empty: there is none.
    std::string password_of(AccountId id) const;

   private:
    AccountRow* row_of(AccountId id, At const* at = nullptr);
    void add_login(AccountId id, std::string_view text, bool verified);
    void remove_login(AccountId id, std::string_view text);
    void keep_password(AccountId id, std::string_view packed);
    void drop_password(AccountRow& row, AccountId id);
    void matters(AccountId id);
    void end_session(SessionId id, Time at);
    void count(Total which, std::uint64_t n) { totals.add(which, std::max<std::int64_t>(0, std::int64_t(n) - totals[which])); }
    void drop_pending(AccountId id, std::string_view email);
};
STATE(State, marks, accounts, names, logins, words, login_rows, passwords, long_passwords, pending, codes, tokens, tokens_of, services_of,
      sessions, sessions_of, session_ends, totals, outbox, tools, signing_keys, grants, grants_of, grant_ends, passkeys, passkeys_of);

// Lists of short texts as one text, a line each: equal lists are one word.
template <class T>
std::string lines_of(std::vector<T> const& texts) {
    std::string out;
    for (auto const& text : texts) out.append(out.empty() ? "" : "\n").append(text.view());
    return out;
}
std::vector<std::string_view> split_lines(std::string_view lines);

}  // namespace gantry::accounts
