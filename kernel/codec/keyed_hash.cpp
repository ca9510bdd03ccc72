#include "kernel/codec/keyed_hash.h"

#include <sodium.h>

namespace gantry::codec {

KeyedHash keyed_hash(HashKey const& key, std::string_view bytes) {
    KeyedHash out;
    crypto_generichash(out.data(), out.size(), reinterpret_cast<unsigned char const*>(bytes.data()), bytes.size(), key.data(), key.size());
    return out;
}

}  // namespace gantry::codec
