#include "kernel/codec/site_seal.h"

#include <sodium.h>

#include <algorithm>
#include <array>

namespace gantry::codec {
namespace {

constexpr std::size_t nonce_bytes = crypto_aead_xchacha20poly1305_ietf_NPUBBYTES, tag_bytes = crypto_aead_xchacha20poly1305_ietf_ABYTES;
static_assert(sizeof(HashKey) == crypto_aead_xchacha20poly1305_ietf_KEYBYTES);

unsigned char const* raw(std::string_view s) { return reinterpret_cast<unsigned char const*>(s.data()); }
unsigned char* raw(std::string& s) { return reinterpret_cast<unsigned char*>(s.data()); }

// A key of its own for each use.
KeyedHash derived(HashKey const& key, std::string_view use, std::string_view purpose) {
    std::string text("gantry ");
    text.append(use).append(1, '\0').append(purpose);
    return keyed_hash(key, text);
}

}  // namespace

std::string proof_of(HashKey const& key, std::string_view purpose, std::string_view what) {
    auto const hash = keyed_hash(derived(key, "proof", purpose), what);
    std::array<char, 33> text;
    sodium_bin2base64(text.data(), text.size(), hash.data(), 24, sodium_base64_VARIANT_URLSAFE_NO_PADDING);
    return std::string(text.data(), 32);
}

bool same_bytes(std::string_view a, std::string_view b) { return a.size() == b.size() && sodium_memcmp(a.data(), b.data(), a.size()) == 0; }

std::string seal_for_site(HashKey const& key, std::string_view purpose, std::string_view plain, Random& random) {
    std::array<std::uint8_t, nonce_bytes> nonce;
    random.fill(nonce);
    std::string out(reinterpret_cast<char const*>(nonce.data()), nonce.size());
    out.resize(nonce_bytes + plain.size() + tag_bytes);
    auto own = derived(key, "seal", purpose);
    unsigned long long size = 0;
    crypto_aead_xchacha20poly1305_ietf_encrypt(raw(out) + nonce_bytes, &size, raw(plain), plain.size(), nullptr, 0, nullptr, nonce.data(),
                                               own.data());
    sodium_memzero(own.data(), own.size());
    return out;
}

std::optional<std::string> open_for_site(HashKey const& key, std::string_view purpose, std::string_view sealed) {
    if (sealed.size() < nonce_bytes + tag_bytes) return {};
    std::string out(sealed.size() - nonce_bytes - tag_bytes, '\0');
    auto own = derived(key, "seal", purpose);
    unsigned long long size = 0;
    int const opened = crypto_aead_xchacha20poly1305_ietf_decrypt(raw(out), &size, nullptr, raw(sealed) + nonce_bytes,
                                                                  sealed.size() - nonce_bytes, nullptr, 0, raw(sealed), own.data());
    sodium_memzero(own.data(), own.size());
    if (opened != 0) return {};
    return out;
}

}  // namespace gantry::codec
