#pragma once
#include <optional>
#include <string>
#include <string_view>

#include "kernel/base/random.h"
#include "kernel/codec/keyed_hash.h"

// What a site can tell again without having kept it, by the key that it holds outside its logs (DATA/<site>/request.key). `purpose` keeps
// what was made for one thing from being shown for another.
namespace gantry::codec {

// 32 characters of base64url that prove that this site said `what`: nobody else can make them. For links in mails.
std::string proof_of(HashKey const& key, std::string_view purpose, std::string_view what);
// In constant time for texts of one length.
bool same_bytes(std::string_view a, std::string_view b);

// XChaCha20-Poly1305: 24 bytes of nonce, the ciphertext, 16 of tag. Nothing when it doesn't open.
std::string seal_for_site(HashKey const& key, std::string_view purpose, std::string_view plain, Random& random);
std::optional<std::string> open_for_site(HashKey const& key, std::string_view purpose, std::string_view sealed);

}  // namespace gantry::codec
