#pragma once
#include <array>
#include <cstdint>
#include <string>
#include <string_view>

namespace gantry::codec {

using HashKey = std::array<std::uint8_t, 32>;
using KeyedHash = std::array<std::uint8_t, 32>;

// BLAKE2b with 256 bits under a key (libsodium's generichash): what may be kept of bytes that must not be kept. Without the key nobody
// can tell which bytes they were by trying.
KeyedHash keyed_hash(HashKey const& key, std::string_view bytes);

// The subject of a person's Personal values: stands in the log in clear, so it is no name or address but "s_" and 32 hexadecimal digits of
// the keyed hash of one.
std::string pseudonym(HashKey const& key, std::string_view name);

}  // namespace gantry::codec
