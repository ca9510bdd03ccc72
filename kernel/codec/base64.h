#pragma once
#include <optional>
#include <string>
#include <string_view>

// Base64 of RFC 4648 §4: the '+/' alphabet, padded.
namespace gantry::codec {
void append_base64(std::string& out, std::string_view bytes);
// Strict: whole groups, right padding, zero left-over bits, nothing else. Empty when it isn't that.
std::optional<std::string> decode_base64(std::string_view text);
}  // namespace gantry::codec
