#pragma once
#include <string>
#include <string_view>
#include <variant>

#include "kernel/base/result.h"

// The Authorization header (RFC 9110 §11): Basic (RFC 7617) and Bearer (RFC 6750).
namespace gantry::auth {

struct Basic {
    std::string name, password;
};
struct Bearer {
    std::string_view token;  // in the header's bytes
    bool is_jwt() const;     // three parts with dots between: of an identity provider, not of this program
};
using Authorization = std::variant<Basic, Bearer>;

inline constexpr std::size_t authorization_bytes_max = 16 * 1024;
inline constexpr std::size_t basic_name_bytes_max = 255;

// 401 "authorization_malformed" says what is wrong with it and repeats nothing; 401 "authorization_unsupported" names the schemes.
// Basic: base64 of UTF-8, a name without ':' and control characters, up to the first ':'. Bearer: one token68.
Result<Authorization> parse_authorization(std::string_view value);

// The text for WWW-Authenticate, one challenge a value; `realm` must not hold '"' or '\'. `error` is Bearer's: "invalid_token"
// for a token that was shown, nothing when none was.
std::string basic_challenge(std::string_view realm);
std::string bearer_challenge(std::string_view realm, std::string_view error = {});

}  // namespace gantry::auth
