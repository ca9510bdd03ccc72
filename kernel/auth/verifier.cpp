#include "kernel/auth/verifier.h"

#include <crypt.h>
#include <fmt/format.h>
#include <openssl/evp.h>
#include <sodium.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "kernel/base/varint.h"
#include "kernel/codec/base64.h"

namespace gantry::auth {
namespace {

constexpr std::size_t salt_bytes = 16, hash_bytes = 32, packed_bytes = 1 + 1 + 4 + salt_bytes + hash_bytes;
constexpr std::string_view argon_prefix = "$argon2id$v=19$m=";
constexpr unsigned pbkdf2_rounds_max = 5'000'000;

std::optional<std::string> unpadded(std::string_view text) {
    std::string padded(text);
    while (padded.size() % 4 != 0) padded += '=';
    return codec::decode_base64(padded);
}

std::string unpadded_base64(std::string_view bytes) {
    std::string out;
    codec::append_base64(out, bytes);
    while (out.ends_with('=')) out.pop_back();
    return out;
}

bool take_number(std::string_view& rest, unsigned& out, std::string_view behind) {
    auto const read = std::from_chars(rest.data(), rest.data() + rest.size(), out);
    if (read.ec != std::errc() || read.ptr == rest.data()) return false;
    rest.remove_prefix(std::size_t(read.ptr - rest.data()));
    if (!rest.starts_with(behind)) return false;
    return rest.remove_prefix(behind.size()), true;
}

struct Argon {
    unsigned kib = 0, passes = 0;
    std::string salt, hash;
};
std::optional<Argon> parse_argon(std::string_view text) {
    if (!is_password_hash(text)) return {};
    Argon out;
    auto rest = text.substr(argon_prefix.size());
    if (!take_number(rest, out.kib, ",t=") || !take_number(rest, out.passes, ",p=1$")) return {};
    auto const dollar = rest.find('$');
    auto salt = unpadded(rest.substr(0, dollar)), hash = unpadded(rest.substr(dollar + 1));
    if (!salt || !hash) return {};
    return out.salt = std::move(*salt), out.hash = std::move(*hash), out;
}

struct Pbkdf2 {
    unsigned rounds = 0;
    std::string_view salt;
    std::string hash;
};
std::optional<Pbkdf2> parse_pbkdf2(std::string_view text) {
    constexpr std::string_view prefix = "pbkdf2_sha256$";
    if (!text.starts_with(prefix)) return {};
    Pbkdf2 out;
    auto rest = text.substr(prefix.size());
    if (!take_number(rest, out.rounds, "$") || out.rounds < 1 || out.rounds > pbkdf2_rounds_max) return {};
    auto const dollar = rest.find('$');
    if (dollar == rest.npos || dollar == 0 || dollar > 128) return {};
    auto hash = codec::decode_base64(rest.substr(dollar + 1));
    if (!hash || hash->size() != hash_bytes) return {};
    return out.salt = rest.substr(0, dollar), out.hash = std::move(*hash), out;
}

bool pbkdf2_matches(Pbkdf2 const& known, std::string_view password) {
    std::array<unsigned char, hash_bytes> sum;
    int const made = PKCS5_PBKDF2_HMAC(password.data(), int(password.size()), reinterpret_cast<unsigned char const*>(known.salt.data()),
                                       int(known.salt.size()), int(known.rounds), EVP_sha256(), int(sum.size()), sum.data());
    return made == 1 && sodium_memcmp(sum.data(), known.hash.data(), sum.size()) == 0;
}

// bcrypt's and yescrypt's cost is a logarithm, SHA's a number of rounds.
bool is_affordable_crypt(std::string_view text) {
    bool const printable = std::ranges::all_of(text, [](char c) { return c > 0x20 && c < 0x7f && c != ':'; });
    if (!printable || text.size() > 200) return false;
    if (text.starts_with("$2b$") || text.starts_with("$2y$") || text.starts_with("$2a$")) {
        unsigned cost = 0;
        auto rest = text.substr(4);
        return text.size() == 60 && take_number(rest, cost, "$") && cost >= 4 && cost <= 15;
    }
    if (text.starts_with("$5$") || text.starts_with("$6$")) {
        auto rest = text.substr(3);
        unsigned rounds = 5000;
        if (rest.starts_with("rounds=") && (rest.remove_prefix(7), !take_number(rest, rounds, "$"))) return false;
        return rounds <= 1'000'000 && text.size() > (text[1] == '5' ? 46u : 89u);
    }
    // The default costs alone: "j9T" is yescrypt's, as Debian's passwd makes it.
    return text.starts_with("$y$j9T$") && text.size() > 50;
}

bool crypt_matches(std::string const& text, std::string_view password) {
    if (password.find('\0') != password.npos) return false;
    crypt_data data{};
    auto const* made = ::crypt_r(std::string(password).c_str(), text.c_str(), &data);
    return made && std::string_view(made).size() == text.size() && sodium_memcmp(made, text.data(), text.size()) == 0;
}

}  // namespace

std::string pack_verifier(std::string_view text) {
    auto const argon = parse_argon(text);
    if (!argon || argon->salt.size() != salt_bytes || argon->hash.size() != hash_bytes) return std::string(text);
    std::string out(1, 'a');
    out += char(argon->passes);
    for (int shift = 24; shift >= 0; shift -= 8) out += char(argon->kib >> shift & 0xff);
    return out + argon->salt + argon->hash;
}

std::string unpack_verifier(std::string_view packed) {
    if (packed.size() != packed_bytes || packed[0] != 'a') return std::string(packed);
    unsigned kib = 0;
    for (std::size_t i = 2; i < 6; ++i) kib = kib << 8 | static_cast<unsigned char>(packed[i]);
    return fmt::format("{}{},t={},p=1${}${}", argon_prefix, kib, int(packed[1]), unpadded_base64(packed.substr(6, salt_bytes)),
                       unpadded_base64(packed.substr(6 + salt_bytes)));
}

bool is_importable_hash(std::string_view text) { return is_password_hash(text) || parse_pbkdf2(text) || is_affordable_crypt(text); }

bool any_password_matches(std::string_view text, std::string_view password) {
    if (password.size() > password_bytes_max) return false;
    if (is_password_hash(text)) return password_matches(text, password);
    if (auto const known = parse_pbkdf2(text)) return pbkdf2_matches(*known, password);
    return is_affordable_crypt(text) && crypt_matches(std::string(text), password);
}

bool wants_rehash(std::string_view text, PasswordCost cost) {
    auto const argon = parse_argon(text);
    return !argon || std::size_t(argon->kib) * 1024 < cost.memory_bytes || argon->passes < cost.passes;
}

std::string digest_of(std::string_view secret) {
    std::array<unsigned char, crypto_hash_sha256_BYTES> sum;
    crypto_hash_sha256(sum.data(), reinterpret_cast<unsigned char const*>(secret.data()), secret.size());
    return std::string(reinterpret_cast<char const*>(sum.data()), sum.size());
}

}  // namespace gantry::auth
