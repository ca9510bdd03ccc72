#pragma once
#include <optional>
#include <string>
#include <string_view>

// Base64url of RFC 4648 §5 without padding, as tokens, JWTs and session ids use it.
namespace gantry::auth {
std::string base64url(std::string_view bytes);
// Strict: no padding, no white space, zero left-over bits. Nothing when it isn't that.
std::optional<std::string> decode_base64url(std::string_view text);
}  // namespace gantry::auth
