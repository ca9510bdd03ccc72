#include "kernel/codec/seal.h"

#include <sodium.h>

#include "kernel/base/assert.h"

namespace gantry::codec {
namespace {
constexpr std::size_t nonce_bytes = crypto_aead_xchacha20poly1305_ietf_NPUBBYTES, tag_bytes = crypto_aead_xchacha20poly1305_ietf_ABYTES;
static_assert(nonce_bytes == 24 && tag_bytes == 16 && sizeof(SubjectKey) == crypto_aead_xchacha20poly1305_ietf_KEYBYTES);

unsigned char const* raw(std::string_view s) { return reinterpret_cast<unsigned char const*>(s.data()); }
unsigned char* raw(std::string& s) { return reinterpret_cast<unsigned char*>(s.data()); }

std::string seal(SubjectKeys& keys, Random& random, std::string_view subject, std::string_view plain) {
    SubjectKey key = keys.get_or_make(subject);
    std::string out(nonce_bytes + plain.size() + tag_bytes, '\0');
    random.fill({raw(out), nonce_bytes});
    crypto_aead_xchacha20poly1305_ietf_encrypt(raw(out) + nonce_bytes, nullptr, raw(plain), plain.size(), raw(subject), subject.size(),
                                               nullptr, raw(out), key.data());
    sodium_memzero(key.data(), key.size());
    return out;
}

std::optional<std::string> open(SubjectKeys const& keys, std::string_view subject, std::string_view sealed) {
    auto key = keys.find(subject);
    if (!key || sealed.size() < nonce_bytes + tag_bytes) return {};
    std::string plain(sealed.size() - nonce_bytes - tag_bytes, '\0');
    int failed =
        crypto_aead_xchacha20poly1305_ietf_decrypt(raw(plain), nullptr, nullptr, raw(sealed) + nonce_bytes, sealed.size() - nonce_bytes,
                                                   raw(subject), subject.size(), raw(sealed), key->data());
    sodium_memzero(key->data(), key->size());
    if (failed) return {};
    return plain;
}
}  // namespace

SubjectKey MemorySubjectKeys::get_or_make(std::string_view subject) {
    std::lock_guard lock(mutex_);
    bool const held = held_.contains(subject);
    if (auto at = keys_.find(subject); at != keys_.end() && !held) return at->second;
    SubjectKey key;
    random_.fill(key);
    if (held) return key;
    return keys_.emplace(subject, key).first->second;
}

std::optional<SubjectKey> MemorySubjectKeys::find(std::string_view subject) const {
    std::lock_guard lock(mutex_);
    if (auto at = keys_.find(subject); at != keys_.end()) return at->second;
    return {};
}

bool MemorySubjectKeys::erase(std::string_view subject) {
    std::lock_guard lock(mutex_);
    auto at = keys_.find(subject);
    if (at == keys_.end()) return false;
    sodium_memzero(at->second.data(), at->second.size());
    return keys_.erase(at), true;
}

void MemorySubjectKeys::hold(std::string_view subject) {
    std::lock_guard lock(mutex_);
    held_.emplace(subject);
}

void MemorySubjectKeys::release(std::string_view subject) {
    std::lock_guard lock(mutex_);
    if (auto at = held_.find(subject); at != held_.end()) held_.erase(at);
}

Sealer make_sealer(SubjectKeys& keys, Random& random) {
    GANTRY_ASSERT(sodium_init() >= 0, "libsodium can't start");
    return {.seal = [&](std::string_view subject, std::string_view plain) { return seal(keys, random, subject, plain); },
            .open = [&](std::string_view subject, std::string_view sealed) { return open(keys, subject, sealed); },
            .has_room = [&] { return keys.has_room(); }};
}

}  // namespace gantry::codec
