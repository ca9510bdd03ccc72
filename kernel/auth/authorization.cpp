#include "kernel/auth/authorization.h"

#include <fmt/format.h>

#include <algorithm>

#include "kernel/auth/names.h"
#include "kernel/auth/secrets.h"
#include "kernel/base/assert.h"
#include "kernel/codec/base64.h"
#include "kernel/codec/utf8.h"

namespace gantry::auth {
namespace {

std::unexpected<Problem> malformed(std::string_view what) { return fail(401, "authorization_malformed", what); }

bool has_control(std::string_view s) {
    return std::ranges::any_of(s, [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; });
}

// RFC 9110 §11.2: 1*( ALPHA / DIGIT / "-" / "." / "_" / "~" / "+" / "/" ) *"="
bool is_token68(std::string_view s) {
    auto const end = std::min(s.find('='), s.size());
    auto is_digit = [](char c) { return is_alphanumeric(c) || std::string_view("-._~+/").find(c) != std::string_view::npos; };
    return end > 0 && std::ranges::all_of(s.substr(0, end), is_digit) && s.find_first_not_of('=', end) == s.npos;
}

Result<Authorization> parse_basic(std::string_view credentials) {
    auto const text = codec::decode_base64(credentials);
    if (!text) return malformed("Basic: expected base64 with its padding behind the scheme");
    auto const colon = text->find(':');
    if (colon == text->npos) return malformed("Basic: there is no ':' between name and password");
    if (colon == 0) return malformed("Basic: the name is empty");
    if (colon > basic_name_bytes_max) return malformed("Basic: the name is too long");
    if (text->size() - colon - 1 > password_bytes_max) return malformed("Basic: the password is too long");
    if (!codec::scan_utf8(*text).valid()) return malformed("Basic: name and password must be UTF-8");
    if (has_control(*text)) return malformed("Basic: name and password have no control characters");
    return Basic{text->substr(0, colon), text->substr(colon + 1)};
}

}  // namespace

bool Bearer::is_jwt() const { return std::ranges::count(token, '.') == 2; }

Result<Authorization> parse_authorization(std::string_view value) {
    if (value.size() > authorization_bytes_max) return malformed("Authorization is too long");
    auto const space = value.find(' ');
    auto const scheme = value.substr(0, space);
    auto is_scheme = [&](std::string_view name) { return std::ranges::equal(scheme, name, [](char a, char b) { return lower(a) == b; }); };
    bool const basic = is_scheme("basic"), bearer = is_scheme("bearer");
    if (!basic && !bearer) return fail(401, "authorization_unsupported", "Authorization must be Basic or Bearer.");
    auto credentials = space == value.npos ? std::string_view{} : value.substr(space);
    while (credentials.starts_with(' ')) credentials.remove_prefix(1);
    if (credentials.empty()) return malformed("there is nothing behind the scheme");
    if (basic) return parse_basic(credentials);
    if (!is_token68(credentials)) return malformed("Bearer: expected one token of [A-Za-z0-9-._~+/] and '=' at its end");
    return Bearer{credentials};
}

std::string basic_challenge(std::string_view realm) {
    GANTRY_ASSERT(realm.find_first_of("\"\\") == realm.npos, "a realm that needs no quoting");
    return fmt::format("Basic realm=\"{}\", charset=\"UTF-8\"", realm);
}

std::string bearer_challenge(std::string_view realm, std::string_view error) {
    GANTRY_ASSERT(realm.find_first_of("\"\\") == realm.npos, "a realm that needs no quoting");
    return error.empty() ? fmt::format("Bearer realm=\"{}\"", realm) : fmt::format("Bearer realm=\"{}\", error=\"{}\"", realm, error);
}

}  // namespace gantry::auth
