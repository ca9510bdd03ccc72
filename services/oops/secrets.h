#pragma once
#include "kernel/service.h"

// What must not be kept: values under names that tell of a secret, and texts that look like one wherever they stand.
namespace gantry::oops {

inline constexpr std::string_view hidden_text = "<hidden>";

// On by default. Names are compared without case and without `-`, `_`, `.`, blanks: "API-Key" is "apikey".
struct SecretRules {
    bool off = false;
    std::vector<std::string> also;    // parts of further names, in small letters and digits
    std::vector<std::string> except;  // whole names that are no secret after all
};

// Whether a name tells of a secret: it holds password, passwd, passphrase, secret, token, authorization, cookie, apikey, accesskey,
// privatekey, credential, oauthsignature, sessionid or sessionkey, or is pwd, pw, auth, dsn, sid, pin or cvv. Numbers about tokens
// ("max_tokens", "token_count") aren't secrets.
bool names_a_secret(std::string_view name, SecretRules const& rules = {});

// Replaces in a text what looks like a secret by "<hidden>", and returns how many: digits of a payment card (13 to 19 that pass the check
// of ISO/IEC 7812), the password of a URL (`https://user:password@host`), what stands behind a name that tells of a secret in
// `name=value`, `name = "value"` and `"name": "value"`, a PEM private key, and the credentials behind Bearer and Basic. `out` is set only
// if there was any.
std::size_t hide_in_text(std::string_view text, std::string& out, SecretRules const& rules = {});

// Appends a value as compact JSON with all of this hidden; returns how many were.
std::size_t write_without_secrets(codec::JsonValue value, std::string& out, SecretRules const& rules = {});

}  // namespace gantry::oops
