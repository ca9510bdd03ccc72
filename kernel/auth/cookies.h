#pragma once
#include <optional>
#include <string>
#include <string_view>

#include "kernel/base/time.h"

// The cookie that carries a session's id (RFC 6265bis).
namespace gantry::auth {

// Secure: by TLS.
enum class CookieOver { secure, plain };
// "__Host-gantry" where it is secure: no other host and no plain page can set one by that name.
std::string_view session_cookie_name(CookieOver over);
// For Set-Cookie: HttpOnly, SameSite=Strict, Path=/. A lifetime of 0 takes the cookie away.
std::string session_cookie(CookieOver over, std::string_view id, Duration lifetime);
// The session's id in a Cookie header's value; nothing when there is none, when there are two, or when it can't be an id.
inline constexpr std::size_t cookie_bytes_max = 16 * 1024;
std::optional<std::string_view> session_of_cookies(CookieOver over, std::string_view cookie_header);

}  // namespace gantry::auth
