#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "kernel/base/random.h"
#include "kernel/base/time.h"

// The second thing that someone shows: codes of RFC 6238 (TOTP: SHA-1, 30 seconds, 6 digits, as every authenticator app has them), and
// recovery codes. Pure: who uses them keeps the seed sealed, and remembers which step was used.
namespace gantry::auth {

// RFC 4648 §6, without padding.
std::string base32(std::string_view bytes);
std::optional<std::string> decode_base32(std::string_view text);

inline constexpr std::int64_t code_step_s = 30;
inline constexpr std::size_t code_seed_bytes = 20;
std::string make_code_seed(Random& random);
// otpauth://totp/…, which a QR code carries.
std::string code_uri(std::string_view issuer, std::string_view account, std::string_view seed);
// The six digits of a step, which is Unix time / 30 s.
std::string code_of_step(std::string_view seed, std::int64_t step);
// The step whose code this is, of the one before now's, now's, and the one behind it, if it is later than `used`: a code counts once.
std::optional<std::int64_t> matching_step(std::string_view seed, std::string_view code, Time now, std::int64_t used);

// "k7wd-93qm-…": 80 random bits in four groups of four characters.
std::string make_recovery_code(Random& random);
// SHA-256 of what it says, whatever hyphens, blanks and capitals it is written with. 80 bits need no slow hash.
std::string recovery_digest(std::string_view code);

}  // namespace gantry::auth
