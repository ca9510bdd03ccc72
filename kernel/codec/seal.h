#pragma once
#include <array>
#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "kernel/base/random.h"
#include "kernel/codec/binary.h"

// Sealing of Personal<T>: XChaCha20-Poly1305 (IETF form, libsodium) under one key per subject, kept outside the log. A sealed value in the
// binary form is: 1, varint length + subject, varint length + sealed, where sealed = 24-byte nonce, ciphertext, 16-byte tag, and the
// subject is authenticated with it: bytes moved to another subject don't open. The plain bytes are the value's binary form.
namespace gantry::codec {

using SubjectKey = std::array<std::uint8_t, 32>;

// Keys of all subjects of a site. Safe from any thread.
class SubjectKeys {
   public:
    virtual ~SubjectKeys() = default;
    // The subject's key; a new one is durable before it is returned, since what it seals may become durable.
    virtual SubjectKey get_or_make(std::string_view subject) = 0;
    virtual std::optional<SubjectKey> find(std::string_view subject) const = 0;
    // Destroys the key, and with it every value sealed under it. False when there was none.
    virtual bool erase(std::string_view subject) = 0;
    // From hold() to release() a subject gets keys that nobody keeps: what is sealed under them never opens. So a state that still holds an
    // erased value may be written once more.
    virtual void hold(std::string_view subject) = 0;
    virtual void release(std::string_view subject) = 0;
    // Whether the keys of one command's new subjects find room for certain: asked before it is decided.
    virtual bool has_room() { return true; }
};

class MemorySubjectKeys final : public SubjectKeys {
   public:
    explicit MemorySubjectKeys(Random& random) : random_(random) {}
    SubjectKey get_or_make(std::string_view subject) override;
    std::optional<SubjectKey> find(std::string_view subject) const override;
    bool erase(std::string_view subject) override;
    void hold(std::string_view subject) override;
    void release(std::string_view subject) override;

   private:
    Random& random_;
    mutable std::mutex mutex_;
    std::map<std::string, SubjectKey, std::less<>> keys_;
    std::set<std::string, std::less<>> held_;
};

// Both must outlive the sealer. Nonces are 24 random bytes. `open` gives nothing when the subject has no key, and when the bytes don't
// open under it: the key may be a new one, made after an erasure (damage is the log's checksums' business).
Sealer make_sealer(SubjectKeys& keys, Random& random);

}  // namespace gantry::codec
