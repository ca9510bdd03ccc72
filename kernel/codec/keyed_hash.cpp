#include "kernel/codec/keyed_hash.h"

#include <sodium.h>

namespace gantry::codec {

KeyedHash keyed_hash(HashKey const& key, std::string_view bytes) {
    KeyedHash out;
    crypto_generichash(out.data(), out.size(), reinterpret_cast<unsigned char const*>(bytes.data()), bytes.size(), key.data(), key.size());
    return out;
}

std::string pseudonym(HashKey const& key, std::string_view name) {
    constexpr std::string_view digits = "0123456789abcdef";
    auto const hash = keyed_hash(key, name);
    std::string out = "s_";
    for (std::size_t i = 0; i < 16; ++i) out += digits[hash[i] >> 4], out += digits[hash[i] & 15];
    return out;
}

}  // namespace gantry::codec
