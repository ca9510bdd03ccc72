#pragma once
#include <optional>
#include <string>
#include <string_view>

#include "kernel/auth/secrets.h"

// Verifiers in their short form, as a service keeps a million of them, and those that other programs made.
namespace gantry::auth {

// What is kept of a password. Argon2id with 16 bytes of salt and 32 of hash takes 53 bytes: 'a', passes (1), KiB (4, big endian), salt,
// hash; every other text is kept as it is.
std::string pack_verifier(std::string_view text);
std::string unpack_verifier(std::string_view packed);

// Argon2id of ours (is_password_hash), or what crypt(3) verifies: bcrypt "$2b$", yescrypt "$y$", SHA-512 "$6$", SHA-256 "$5$"; or
// Django's "pbkdf2_sha256$rounds$salt$base64". Costs that nobody can wait for are refused.
bool is_importable_hash(std::string_view text);
// Of any of those. In constant time where the form allows it.
bool any_password_matches(std::string_view text, std::string_view password);
// Whether it is to be made anew at the next login: of another form, or cheaper than `cost`.
bool wants_rehash(std::string_view text, PasswordCost cost);

// SHA-256 of a token's 32 secret bytes or of a session's id: 256 random bits need no slow hash.
std::string digest_of(std::string_view secret);

}  // namespace gantry::auth
