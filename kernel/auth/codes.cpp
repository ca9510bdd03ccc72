#include "kernel/auth/codes.h"

#include <fmt/format.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <sodium.h>

#include <array>

#include "kernel/auth/names.h"
#include "kernel/base/assert.h"

namespace gantry::auth {
namespace {

constexpr std::string_view alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
constexpr std::string_view recovery_alphabet = "0123456789abcdefghjkmnpqrstvwxyz";

std::string uri_part(std::string_view text) {
    std::string out;
    for (char c : text)
        if (is_alphanumeric(c) || c == '-' || c == '.' || c == '_')
            out += c;
        else
            fmt::format_to(std::back_inserter(out), "%{:02X}", static_cast<unsigned char>(c));
    return out;
}

}  // namespace

std::string base32(std::string_view bytes) {
    std::string out;
    unsigned buffer = 0;
    int bits = 0;
    for (char c : bytes) {
        buffer = buffer << 8 | static_cast<unsigned char>(c), bits += 8;
        for (; bits >= 5; bits -= 5) out += alphabet[buffer >> (bits - 5) & 31];
        buffer &= (1u << bits) - 1;
    }
    if (bits > 0) out += alphabet[buffer << (5 - bits) & 31];
    return out;
}

std::optional<std::string> decode_base32(std::string_view text) {
    std::string out;
    unsigned buffer = 0;
    int bits = 0;
    for (char c : text) {
        auto const at = alphabet.find(c >= 'a' && c <= 'z' ? char(c - 'a' + 'A') : c);
        if (at == alphabet.npos) return {};
        buffer = buffer << 5 | unsigned(at), bits += 5;
        if (bits >= 8) out += char(buffer >> (bits - 8) & 0xff), bits -= 8;
        buffer &= (1u << bits) - 1;
    }
    if (bits >= 5 || buffer != 0) return {};
    return out;
}

std::string make_code_seed(Random& random) {
    std::array<std::uint8_t, code_seed_bytes> seed;
    random.fill(seed);
    return std::string(reinterpret_cast<char const*>(seed.data()), seed.size());
}

std::string code_uri(std::string_view issuer, std::string_view account, std::string_view seed) {
    return fmt::format("otpauth://totp/{}:{}?secret={}&issuer={}", uri_part(issuer), uri_part(account), base32(seed), uri_part(issuer));
}

// RFC 4226 §5.3
std::string code_of_step(std::string_view seed, std::int64_t step) {
    std::array<unsigned char, 8> counter;
    for (int i = 0; i < 8; ++i) counter[std::size_t(i)] = static_cast<unsigned char>(std::uint64_t(step) >> (56 - 8 * i));
    std::array<unsigned char, EVP_MAX_MD_SIZE> mac;
    unsigned size = 0;
    auto const* made = HMAC(EVP_sha1(), seed.data(), int(seed.size()), counter.data(), counter.size(), mac.data(), &size);
    GANTRY_ASSERT(made && size == 20, "HMAC-SHA1 has 20 bytes");
    auto const at = mac[19] & 15u;
    auto const number = (mac[at] & 127u) << 24 | unsigned(mac[at + 1]) << 16 | unsigned(mac[at + 2]) << 8 | mac[at + 3];
    return fmt::format("{:06}", number % 1'000'000);
}

std::optional<std::int64_t> matching_step(std::string_view seed, std::string_view code, Time now, std::int64_t used) {
    if (code.size() != 6) return {};
    auto const here = now.us / 1'000'000 / code_step_s;
    std::optional<std::int64_t> found;
    for (auto step : {here - 1, here, here + 1}) {
        auto const right = code_of_step(seed, step);
        if (sodium_memcmp(right.data(), code.data(), right.size()) == 0 && step > used && !found) found = step;
    }
    return found;
}

std::string make_recovery_code(Random& random) {
    std::string out;
    auto bits = random.next();
    for (int i = 0; i < 16; ++i) {
        if (i == 8) bits = random.next();
        if (i > 0 && i % 4 == 0) out += '-';
        out += recovery_alphabet[bits & 31], bits >>= 5;
    }
    return out;
}

std::string recovery_digest(std::string_view code) {
    std::string plain;
    for (char c : code)
        if (c != '-' && c != ' ') plain += lower(c);
    std::array<unsigned char, crypto_hash_sha256_BYTES> sum;
    crypto_hash_sha256(sum.data(), reinterpret_cast<unsigned char const*>(plain.data()), plain.size());
    return std::string(reinterpret_cast<char const*>(sum.data()), sum.size());
}

}  // namespace gantry::auth
