#pragma once
#include "kernel/auth/passkey.h"
#include "services/accounts/credentials.h"

// Passkeys: added, listed and removed by whoever is signed in, and shown to the gate to sign in. A challenge is kept nowhere: it holds its
// time, and the site's proof that it gave it, for one account to add a passkey or for anyone to sign in. It counts for five minutes.
// Signing in by one ends all challenges that were given up to then, for that passkey: no answer counts twice, whether the authenticator
// counts its signatures or not. Adding by one is kept from a repeat by the credential's id, as long as the passkey is there.
namespace gantry::accounts {

inline constexpr std::size_t passkeys_max = 20;  // of an account
inline constexpr Duration challenge_time = Duration::seconds(300);

using Base64url = Text<1, 24000>;

struct PasskeyOffer {
    std::string challenge, rp_id, rp_name;
    std::string user_id, user_login, user_name;
    std::vector<std::string> known;  // credentials that the account has, in base64url
    std::int64_t timeout_ms = 0;
};
RECORD(PasskeyOffer, challenge, rp_id, rp_name, user_id, user_login, user_name, known, timeout_ms);
struct PasskeyChallenge {
    std::string challenge, rp_id;
    std::int64_t timeout_ms = 0;
};
RECORD(PasskeyChallenge, challenge, rp_id, timeout_ms);
struct PasskeyView {
    PasskeyId id;
    std::string name;
    PasskeyKind kind = PasskeyKind::es256;
    Time added_at;
    std::optional<Time> used_at;
};
RECORD(PasskeyView, id, name, kind, added_at, used_at);
struct NewPasskey {
    Name name;
    Base64url client_data, attestation;
};
RECORD(NewPasskey, name, client_data, attestation);
struct PasskeyById {
    PasskeyId passkey;
};
RECORD(PasskeyById, passkey);
struct PasskeysRemoved {
    std::uint64_t removed = 0;
};
RECORD(PasskeysRemoved, removed);

// 422 "passkeys_unavailable" where the server goes by an address or a name that passkeys can't be for.
Result<auth::PasskeyExpected> passkeys_for(Ctx const& cx);

Result<Emit<PasskeyOffer, Event>> begin_passkey(State const& s, Nothing const& in, Ctx const& cx);
// The name is a copy: reading what the browser said overwrites what a decoded input borrows from.
struct ToAdd {
    std::string name;
    auth::PasskeyMade made;
    auth::PasskeyExpected expected;
};
Result<ToAdd> to_add_passkey(State const& s, NewPasskey const& in, Ctx const& cx);
struct CheckedPasskey {
    std::string name;
    auth::Passkey made;
};
Result<CheckedPasskey> checked_passkey(ToAdd const& what, NewPasskey const& in);
Result<Emit<PasskeyView, Event>> add_passkey(State const& s, NewPasskey const& in, CheckedPasskey const& checked, Ctx const& cx);
Result<Page<PasskeyView>> my_passkeys(State const& s, Nothing const& in, Ctx const& cx);
Result<Emit<PasskeyView, Event>> remove_passkey(State const& s, PasskeyById const& in, Ctx const& cx);
Result<Emit<PasskeysRemoved, Event>> drop_passkeys(State const& s, ById const& in, Ctx const& cx);
Result<Emit<PasskeyChallenge, Event>> challenge_passkey(State const& s, Nothing const& in, Ctx const& cx);

// What the gate is shown: `id` is the passkey's user handle, the rest base64url of what the browser gave. Problems are 401:
// "passkey_unknown", "passkey_challenge_expired", "passkey_challenge_used", those of check_passkey_shown() and check_account().
struct ShownPasskey {
    AccountId id;
    Base64url credential, client_data, authenticator_data, signature;
};
RECORD(ShownPasskey, id, credential, client_data, authenticator_data, signature);
struct ToVerify {
    PasskeyId passkey;
    auth::Passkey known;
    auth::PasskeyShown shown;
    auth::PasskeyExpected expected;
    Time challenged_at;
};
struct VerifiedPasskey {
    PasskeyId passkey;
    std::uint32_t counter = 0;
    Time challenged_at;
};
struct PasskeyHolder {
    AccountId id;
};
RECORD(PasskeyHolder, id);
Result<ToVerify> to_verify_passkey(State const& s, ShownPasskey const& in, Ctx const& cx);
Result<VerifiedPasskey> verified_passkey(ToVerify const& what, ShownPasskey const& in);
Result<Emit<PasskeyHolder, Event>> use_passkey(State const& s, ShownPasskey const& in, VerifiedPasskey const& verified, Ctx const& cx);

}  // namespace gantry::accounts
