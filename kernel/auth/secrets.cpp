#include "kernel/auth/secrets.h"

#include <fmt/format.h>
#include <sodium.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "kernel/auth/base64url.h"
#include "kernel/auth/names.h"
#include "kernel/base/assert.h"
#include "kernel/codec/base64.h"
#include "kernel/codec/utf8.h"

namespace gantry::auth {
namespace {

constexpr std::size_t secret_bytes = 32, secret_characters = 43, id_bytes_max = 32;
constexpr std::string_view hash_prefix = "sha256:", argon_prefix = "$argon2id$v=19$m=";
constexpr std::size_t salt_bytes = crypto_pwhash_argon2id_SALTBYTES, argon_bytes = 32;

unsigned char const* raw(std::string_view s) { return reinterpret_cast<unsigned char const*>(s.data()); }

bool is_hex(char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); }

std::string unpadded_base64(std::string_view bytes) {
    std::string out;
    codec::append_base64(out, bytes);
    while (out.ends_with('=')) out.pop_back();
    return out;
}

std::string argon_text(PasswordCost cost, std::string_view salt, std::string_view hash) {
    return fmt::format("{}{},t={},p=1${}${}", argon_prefix, cost.memory_bytes / 1024, cost.passes, unpadded_base64(salt),
                       unpadded_base64(hash));
}

// A number in front of `rest`, and the text `behind` it.
bool take_number(std::string_view& rest, unsigned& out, std::string_view behind) {
    auto const read = std::from_chars(rest.data(), rest.data() + rest.size(), out);
    if (read.ec != std::errc() || read.ptr == rest.data()) return false;
    rest.remove_prefix(std::size_t(read.ptr - rest.data()));
    if (!rest.starts_with(behind)) return false;
    return rest.remove_prefix(behind.size()), true;
}

std::optional<PasswordCost> cost_of(std::string_view hash) {
    if (!hash.starts_with(argon_prefix) || hash.size() >= crypto_pwhash_STRBYTES) return {};
    auto rest = hash.substr(argon_prefix.size());
    unsigned kib = 0, passes = 0;
    if (!take_number(rest, kib, ",t=") || !take_number(rest, passes, ",p=1$")) return {};
    auto const dollar = rest.find('$');
    auto const salt = rest.substr(0, dollar), sum = dollar == rest.npos ? std::string_view{} : rest.substr(dollar + 1);
    auto is_base64 = [](std::string_view s) {
        return std::ranges::all_of(s, [](char c) { return is_alphanumeric(c) || c == '+' || c == '/'; });
    };
    if (kib < 8 || kib > 1u << 20 || passes < 1 || passes > 16) return {};
    if (salt.size() < 11 || salt.size() > 44 || sum.size() != 43 || !is_base64(salt) || !is_base64(sum)) return {};
    return PasswordCost{passes, std::size_t(kib) * 1024};
}

}  // namespace

bool is_credential_id(std::string_view text) {
    return !text.empty() && text.size() <= id_bytes_max &&
           std::ranges::all_of(text, [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z'); });
}

std::string make_credential_id(Random& random) {
    constexpr std::string_view digits = "0123456789abcdefghjkmnpqrstvwxyz";
    std::string id;
    for (auto bits = random.next(); id.size() < 12; bits >>= 5) id += digits[bits & 31];
    return id;
}

std::optional<TokenParts> parse_token(std::string_view text) {
    if (text.size() > token_bytes_max || !text.starts_with(token_prefix)) return {};
    text.remove_prefix(token_prefix.size());
    auto const end = text.find('_');
    if (end == text.npos || !is_credential_id(text.substr(0, end)) || text.size() - end - 1 != secret_characters) return {};
    auto secret = decode_base64url(text.substr(end + 1));
    if (!secret || secret->size() != secret_bytes) return {};
    return TokenParts{text.substr(0, end), std::move(*secret)};
}

std::string make_token(std::string_view id, Random& random) {
    std::array<std::uint8_t, secret_bytes> secret;
    random.fill(secret);
    return fmt::format("{}{}_{}", token_prefix, id, base64url({reinterpret_cast<char const*>(secret.data()), secret.size()}));
}

std::string token_hash(std::string_view token) {
    auto const parts = parse_token(token);
    GANTRY_ASSERT(parts, "a token of make_token");
    std::array<unsigned char, crypto_hash_sha256_BYTES> sum;
    crypto_hash_sha256(sum.data(), raw(parts->secret), parts->secret.size());
    std::string out(hash_prefix);
    for (auto byte : sum) out += fmt::format("{:02x}", byte);
    return out;
}

bool is_token_hash(std::string_view text) {
    return text.starts_with(hash_prefix) && text.size() == hash_prefix.size() + 64 &&
           std::ranges::all_of(text.substr(hash_prefix.size()), is_hex);
}

bool token_matches(std::string_view hash, std::string_view secret) {
    constexpr std::string_view digits = "0123456789abcdef";
    std::array<unsigned char, crypto_hash_sha256_BYTES> sum;
    crypto_hash_sha256(sum.data(), raw(secret), secret.size());
    std::array<char, 64> hex;
    for (std::size_t i = 0; i < sum.size(); ++i) hex[2 * i] = digits[sum[i] >> 4], hex[2 * i + 1] = digits[sum[i] & 15];
    return hash.size() == hash_prefix.size() + hex.size() && sodium_memcmp(hash.data() + hash_prefix.size(), hex.data(), hex.size()) == 0;
}

Result<void> check_password(std::string_view password) {
    auto wrong = [](std::string_view what) { return fail(400, "password_unusable", what); };
    if (password.size() < password_bytes_min) return wrong("a password has at least 8 bytes");
    if (password.size() > password_bytes_max) return wrong("a password has at most 1024 bytes");
    if (!codec::scan_utf8(password).valid()) return wrong("a password is UTF-8");
    if (std::ranges::any_of(password, [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }))
        return wrong("a password has no control characters");  // RFC 7617 §2
    return {};
}

Result<std::string> password_hash(std::string_view password, Random& random, PasswordCost cost) {
    TRY_VOID(check_password(password));
    GANTRY_ASSERT(sodium_init() >= 0, "libsodium can't start");
    std::array<std::uint8_t, salt_bytes> salt;
    random.fill(salt);
    std::array<unsigned char, argon_bytes> sum;
    if (crypto_pwhash_argon2id(sum.data(), sum.size(), password.data(), password.size(), salt.data(), cost.passes, cost.memory_bytes,
                               crypto_pwhash_argon2id_ALG_ARGON2ID13) != 0)
        return fail(500, "memory_exhausted", "there is no memory to hash a password");
    return argon_text(cost, {reinterpret_cast<char const*>(salt.data()), salt.size()},
                      {reinterpret_cast<char const*>(sum.data()), sum.size()});
}

bool is_password_hash(std::string_view text) { return cost_of(text).has_value(); }

bool password_matches(std::string_view hash, std::string_view password) {
    GANTRY_ASSERT(sodium_init() >= 0, "libsodium can't start");
    std::array<char, crypto_pwhash_STRBYTES> padded{};
    if (hash.size() >= padded.size() || password.size() > password_bytes_max) return false;
    std::ranges::copy(hash, padded.begin());
    return crypto_pwhash_argon2id_str_verify(padded.data(), password.data(), password.size()) == 0;
}

std::size_t password_work(std::string_view hash) {
    auto const cost = cost_of(hash);
    return cost ? cost->passes * cost->memory_bytes : 0;
}

std::string dummy_password_hash(std::string_view like) {
    auto const cost = cost_of(like);
    return argon_text(cost ? *cost : PasswordCost{}, std::string(salt_bytes, '\0'), std::string(argon_bytes, '\0'));
}

}  // namespace gantry::auth
