#pragma once
#include <string>
#include <vector>

#include "services/accounts/state.h"

// Who there is: accounts, their names, addresses, rights, and what becomes of them.
namespace gantry::accounts {

// [accounts]
struct Settings {
    static constexpr bool has_defaults = true;
    Text<1, 500> url = "http://127.0.0.1:8080";
    Text<1, 60> issuer = "Gantry";
    std::vector<std::string> scopes = {"accounts:self"};
    Bounded<1, 1024> password_memory_mib = 64;
    Bounded<1, 16> password_passes = 2;
    Duration session_idle = Duration::hours(12);
    Duration session_max = Duration::days(14);
    Duration token_max = Duration::days(366);
    Duration oidc_tokens = Duration::seconds(600);
    Duration oidc_keys = Duration::days(90);
    Text<0, 253> passkey_rp = "";
};
RECORD(Settings, url, issuer, scopes, password_memory_mib, password_passes, session_idle, session_max, token_max, oidc_tokens, oidc_keys,
       passkey_rp);
auth::PasswordCost cost_of(Settings const& settings);
// [accounts] url, with "{site}" filled in and without '/' at its end.
std::string url_of(Ctx const& cx);

enum class AccountState { active, disabled, merged };
ENUM(AccountState, active, disabled, merged);

struct EmailView {
    std::string email;
    bool verified = false;
    bool pending = false;  // nobody signs in by it before it is verified
};
RECORD(EmailView, email, verified, pending);

// As version 2 tells it.
struct Account {
    AccountId id;
    Kind kind = Kind::person;
    std::string name;
    std::string login;  // a person's first address, a service's handle
    AccountState state = AccountState::active;
    std::vector<EmailView> emails;
    std::vector<std::string> scopes, teams;
    bool sees_all = false;
    bool has_password = false, has_codes = false;
    std::optional<AccountId> owner, merged_into;
    std::optional<Time> locked_until;
    Time created_at, changed_at;
};
RECORD(Account, id, kind, name, login, state, emails, scopes, teams, sees_all, has_password, has_codes, owner, merged_into, locked_until,
       created_at, changed_at);

// As version 1 tells it: there is no username any more, but its readers live on.
struct UserV1 {
    AccountId id;
    std::string username, email, name;
    AccountState state = AccountState::active;
    Time created_at;
};
RECORD(UserV1, id, username, email, name, state, created_at);

struct ById {
    AccountId id;
};
RECORD(ById, id);
struct Nothing {};
EMPTY_RECORD(Nothing);
struct AccountFilter {
    static constexpr bool has_defaults = true;
    std::optional<Login> login;  // exactly this one: an address or a handle
    std::optional<Kind> kind;
    std::optional<AccountState> state;
    std::optional<AccountId> owner;
    Limit limit = 100;
    std::optional<std::string> cursor;
};
RECORD(AccountFilter, login, kind, state, owner, limit, cursor);
struct UserFilterV1 {
    static constexpr bool has_defaults = true;
    Limit limit = 100;
    std::optional<std::string> cursor;
};
RECORD(UserFilterV1, limit, cursor);

struct NewAccount {
    static constexpr bool has_defaults = true;
    std::optional<Kind> kind;
    Name name = "?";
    Login login = "?";  // a mail address, or a service's handle
    std::optional<Secret<Text<1, 1024>>> password;
    std::optional<std::vector<ScopeText>> scopes;
    std::optional<AccountId> owner;  // of a service
    std::optional<bool> sees_all;
};
RECORD(NewAccount, kind, name, login, password, scopes, owner, sees_all);
struct NewUserV1 {
    Email email;
    std::optional<Text<1, 254>> username;  // was one's own once; the address takes its place
    std::optional<Name> name;
};
RECORD(NewUserV1, email, username, name);
struct Setup {
    Text<32, 32> proof;  // of the first run's link
    Name name;
    Email email;
    Secret<Text<1, 1024>> password;
};
RECORD(Setup, proof, name, email, password);

// One of many, with the hash that another program made.
struct Import {
    Email email;
    Name name;
    std::optional<Text<1, 300>> password_hash;
    std::optional<bool> verified;
};
RECORD(Import, email, name, password_hash, verified);
struct Imported {
    AccountId id;
};
RECORD(Imported, id);

struct Rename {
    AccountId id;
    Name name;
};
RECORD(Rename, id, name);
struct RenameSelf {
    Name name;
};
RECORD(RenameSelf, name);
struct Merge {
    AccountId id, into;
};
RECORD(Merge, id, into);
struct Disable {
    AccountId id;
    std::optional<Note> note;
};
RECORD(Disable, id, note);
struct Rights {
    AccountId id;
    std::vector<ScopeText> scopes;
    std::vector<Team> teams;
    bool sees_all = false;
};
RECORD(Rights, id, scopes, teams, sees_all);
struct OwnEmail {
    Email email;
};
RECORD(OwnEmail, email);
struct EmailProof {
    AccountId id;
    Email email;
    Text<32, 32> proof;
};
RECORD(EmailProof, id, email, proof);

using Changed = Emit<Account, Event>;

// The account that calls; 403 "no_account" for every other caller.
Result<AccountId> self(State const& s, Ctx const& cx);
Result<AccountId> existing(State const& s, AccountId id);
// One that may still change: 409 "account_merged".
Result<AccountId> living(State const& s, AccountId id);
// In small letters; 422 "email_invalid".
Result<std::string> plain_email(std::string_view text);
Account view_of(State const& s, AccountId id);
// What proves the first run's link.
std::string setup_proof(codec::HashKey const& key);

Result<Account> show(State const& s, ById const& in, Ctx const& cx);
Result<Page<Account>> list(State const& s, AccountFilter const& in, Ctx const& cx);
Result<UserV1> show_v1(State const& s, ById const& in, Ctx const& cx);
Result<Page<UserV1>> list_v1(State const& s, UserFilterV1 const& in, Ctx const& cx);
Result<Account> me(State const& s, Nothing const& in, Ctx const& cx);

// What hashes a password on the way.
struct ToHash {
    auth::PasswordCost cost;
    std::string password;  // empty: there is none
};
Result<ToHash> to_create(State const& s, NewAccount const& in, Ctx const& cx);
Result<std::string> hashed(ToHash const& what, NewAccount const&);
Result<Changed> create(State const& s, NewAccount const& in, std::string const& verifier, Ctx const& cx);
Result<ToHash> to_set_up(State const& s, Setup const& in, Ctx const& cx);
Result<std::string> hashed_setup(ToHash const& what, Setup const&);
Result<Changed> set_up(State const& s, Setup const& in, std::string const& verifier, Ctx const& cx);
Result<Emit<UserV1, Event>> create_v1(State const& s, NewUserV1 const& in, Ctx const& cx);
Result<Emit<Imported, Event>> import(State const& s, Import const& in, Ctx const& cx);

Result<Changed> rename(State const& s, Rename const& in, Ctx const& cx);
Result<Changed> rename_self(State const& s, RenameSelf const& in, Ctx const& cx);
Result<Changed> merge(State const& s, Merge const& in, Ctx const& cx);
Result<Changed> disable(State const& s, Disable const& in, Ctx const& cx);
Result<Changed> enable(State const& s, ById const& in, Ctx const& cx);
Result<Changed> set_rights(State const& s, Rights const& in, Ctx const& cx);
Result<Changed> add_email(State const& s, OwnEmail const& in, Ctx const& cx);
Result<Changed> remove_email(State const& s, OwnEmail const& in, Ctx const& cx);
Result<Changed> verify_email(State const& s, EmailProof const& in, Ctx const& cx);

}  // namespace gantry::accounts
