#include "kernel/auth/cookies.h"

#include <fmt/format.h>

#include <algorithm>

#include "kernel/auth/names.h"

namespace gantry::auth {
namespace {
constexpr std::size_t id_characters = 43;
bool is_id(std::string_view s) {
    return s.size() == id_characters && std::ranges::all_of(s, [](char c) { return is_alphanumeric(c) || c == '-' || c == '_'; });
}
}  // namespace

std::string_view session_cookie_name(CookieOver over) { return over == CookieOver::secure ? "__Host-gantry" : "gantry"; }

std::string session_cookie(CookieOver over, std::string_view id, Duration lifetime) {
    return fmt::format("{}={}; Max-Age={}; Path=/; HttpOnly; SameSite=Strict{}", session_cookie_name(over), id, lifetime.us / 1'000'000,
                       over == CookieOver::secure ? "; Secure" : "");
}

std::optional<std::string_view> session_of_cookies(CookieOver over, std::string_view cookie_header) {
    if (cookie_header.size() > cookie_bytes_max) return {};
    std::optional<std::string_view> found;
    auto const name = session_cookie_name(over);
    for (auto rest = cookie_header; !rest.empty();) {
        auto const end = std::min(rest.find(';'), rest.size());
        auto pair = rest.substr(0, end);
        rest.remove_prefix(std::min(end + 1, rest.size()));
        while (pair.starts_with(' ')) pair.remove_prefix(1);
        if (!pair.starts_with(name) || pair.size() <= name.size() || pair[name.size()] != '=') continue;
        if (found) return {};
        found = pair.substr(name.size() + 1);
    }
    return found && is_id(*found) ? found : std::nullopt;
}

}  // namespace gantry::auth
