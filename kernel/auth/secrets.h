#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "kernel/base/random.h"
#include "kernel/base/result.h"

// What is kept of tokens and passwords, and how they are held against it.
namespace gantry::auth {

// "gnt_<id>_<secret>": the credential's id, and 32 random bytes in base64url. It can be found in what was leaked by its looks, and names
// its credential without giving it away.
struct TokenParts {
    std::string_view id;
    std::string secret;  // 32 bytes
};
inline constexpr std::string_view token_prefix = "gnt_";
inline constexpr std::size_t token_bytes_max = 128;
std::optional<TokenParts> parse_token(std::string_view text);
std::string make_token(std::string_view id, Random& random);
// 12 characters of [0-9a-z] that name a credential.
std::string make_credential_id(Random& random);
bool is_credential_id(std::string_view text);

// "sha256:" and 64 hexadecimal digits of a token's secret: 256 random bits need no slow hash.
std::string token_hash(std::string_view token);
bool is_token_hash(std::string_view text);
// In constant time.
bool token_matches(std::string_view hash, std::string_view secret);

// Argon2id (RFC 9106) by libsodium, as "$argon2id$v=19$m=65536,t=2,p=1$salt$hash". The default is libsodium's INTERACTIVE: 64 MiB, two
// passes, about a tenth of a second.
struct PasswordCost {
    unsigned passes = 2;
    std::size_t memory_bytes = 64u << 20;
};
inline constexpr std::size_t password_bytes_min = 8, password_bytes_max = 1024;
// 400 "password_unusable": too short, too long, a control character, not UTF-8.
Result<void> check_password(std::string_view password);
Result<std::string> password_hash(std::string_view password, Random& random, PasswordCost cost = {});
// Of this form, and with a cost that verifying can afford (1 GiB, 16 passes).
bool is_password_hash(std::string_view text);
bool password_matches(std::string_view hash, std::string_view password);
// What verifying it takes: passes times bytes; 0 when it is no such hash.
std::size_t password_work(std::string_view hash);
// A hash of nothing, with the cost of `like` (a password's hash, or empty): verifying against it takes as long.
std::string dummy_password_hash(std::string_view like);

}  // namespace gantry::auth
