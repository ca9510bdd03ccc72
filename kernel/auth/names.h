#pragma once
#include <algorithm>
#include <string_view>

// The characters that names are made of.
namespace gantry::auth {

constexpr char lower(char c) { return c >= 'A' && c <= 'Z' ? char(c | 0x20) : c; }
constexpr bool is_alphanumeric(char c) { return (c >= '0' && c <= '9') || (lower(c) >= 'a' && lower(c) <= 'z'); }

// RFC 9110 §5.6.2
constexpr bool is_token_character(char c) {
    return is_alphanumeric(c) || std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
}

// RFC 7239 §6.3: "_" and at least one of [A-Za-z0-9._-].
constexpr bool is_obfuscated(std::string_view s) {
    return s.size() > 1 && s[0] == '_' &&
           std::ranges::all_of(s, [](char c) { return is_alphanumeric(c) || c == '.' || c == '_' || c == '-'; });
}

// A caller's name: with "u_" in front it is an Id<"u_">. No ':', so that it can be the user of Basic (RFC 7617 §2).
inline constexpr std::size_t caller_name_bytes_max = 62;
inline constexpr std::string_view caller_name_rule = "1 to 62 characters of [A-Za-z0-9_.-], the first a letter or a digit";
constexpr bool is_caller_name(std::string_view s) {
    return !s.empty() && s.size() <= caller_name_bytes_max && is_alphanumeric(s[0]) &&
           std::ranges::all_of(s, [](char c) { return is_alphanumeric(c) || c == '.' || c == '_' || c == '-'; });
}

}  // namespace gantry::auth
