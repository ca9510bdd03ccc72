#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "kernel/auth/secrets.h"
#include "kernel/base/record.h"
#include "kernel/base/text.h"
#include "kernel/base/time.h"

// The text of DATA/<site>/callers.json, and what the command `gantry auth` does to it: text in, text out. It holds hashes, never secrets.
namespace gantry::auth {

enum class CredentialKind { password, token, certificate };
ENUM(CredentialKind, password, token, certificate);

struct CredentialRow {
    static constexpr bool has_defaults = true;
    std::string id;  // names it in logs and on the command line; a part of a token
    std::optional<CredentialKind> kind;
    std::optional<std::string> hash;         // token: "sha256:…"; password: "$argon2id$…"
    std::optional<std::string> certificate;  // the name that the certificate must carry
    std::optional<Time> created_at, expires_at, revoked_at;
    std::string note;
    bool operator==(CredentialRow const&) const = default;
    bool is_active(Time now) const { return !(expires_at && *expires_at <= now) && !(revoked_at && *revoked_at <= now); }
};
RECORD(CredentialRow, id, kind, hash, certificate, created_at, expires_at, revoked_at, note);

struct RateRow {
    double per_s = 0;
    std::int64_t burst = 1;
    bool operator==(RateRow const&) const = default;
};
RECORD(RateRow, per_s, burst);

struct CallerRow {
    static constexpr bool has_defaults = true;
    std::string name;
    std::vector<std::string> scopes, teams, addresses;
    bool sees_all = false;
    bool disabled = false;
    std::optional<RateRow> rate;
    std::optional<std::int64_t> concurrent;
    std::vector<CredentialRow> credentials;
    bool operator==(CallerRow const&) const = default;
};
RECORD(CallerRow, name, scopes, teams, addresses, sees_all, disabled, rate, concurrent, credentials);

struct CallersFile {
    static constexpr std::size_t callers_max = 100'000, credentials_max = 100, teams_max = 100, passwords_max = 4;
    std::vector<CallerRow> callers;
    CallerRow* find(std::string_view name);
};
RECORD(CallersFile, callers);

// 400 "callers_invalid" with every fault that was found (up to 20), each with its pointer. Empty text is an empty file.
Result<CallersFile> parse_callers(std::string_view text);
std::string callers_text(CallersFile const& file);

// What is given about a caller; what isn't stays as it is.
struct CallerChange {
    std::optional<std::vector<std::string>> scopes, teams, addresses;
    std::optional<bool> sees_all;
    std::optional<RateRow> rate;
    std::optional<std::int64_t> concurrent;
};
struct NewCredential {
    CredentialKind kind = CredentialKind::token;
    std::string password;     // of a password
    std::string certificate;  // the name, of a certificate
    std::optional<Time> expires_at;
    std::string note;
    PasswordCost cost = {};
};
struct Edited {
    std::string text;
    std::string name;
    std::vector<std::string> credentials;  // ids of those that were made or changed
    std::string secret;                    // a new token, to be shown once and kept nowhere
};

// A caller, new or known, gets a credential. 400 "callers_invalid", 400 "password_unusable".
Result<Edited> add_credential(std::string_view text, std::string_view name, CallerChange const& change, NewCredential const& credential,
                              Time now, Random& random);
// A second credential of the same kind; the first one ends after `overlap`. `what`: a credential's id, or the name of a caller with one
// active credential. `replacement` brings the new password, or certificate name, and an end if it has one.
// 404 "credential_not_found", 409 "credential_ambiguous", 409 "credential_inactive".
Result<Edited> rotate_credential(std::string_view text, std::string_view what, NewCredential replacement, Duration overlap, Time now,
                                 Random& random);
// One credential by its id, or all active ones of a caller. They stay listed, so that their holder is told why.
Result<Edited> revoke_credential(std::string_view text, std::string_view what, Time now);
// 404 "caller_not_found".
Result<Edited> remove_caller(std::string_view text, std::string_view name);
enum class CallerState { enabled, disabled };
Result<Edited> set_caller_state(std::string_view text, std::string_view name, CallerState state);

// The kind of the credential that rotate_credential() would replace.
Result<CredentialKind> kind_to_rotate(std::string_view text, std::string_view what, Time now);

}  // namespace gantry::auth
