#include "services/oops/sentry_auth.h"

#include <fmt/format.h>

namespace gantry::oops {
namespace {

constexpr std::size_t key_chars_max = 64;

int hex_digit(char c) { return c >= '0' && c <= '9' ? c - '0' : (c | 0x20) >= 'a' && (c | 0x20) <= 'f' ? (c | 0x20) - 'a' + 10 : -1; }
std::string unescaped(std::string_view text) {
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i) {
        int const high = text[i] == '%' && i + 2 < text.size() ? hex_digit(text[i + 1]) : -1;
        int const low = high >= 0 ? hex_digit(text[i + 2]) : -1;
        if (low >= 0)
            out += char(high << 4 | low), i += 2;
        else
            out += text[i] == '+' ? ' ' : text[i];
    }
    return out;
}

bool is_key(std::string_view key) {
    if (key.empty() || key.size() > key_chars_max) return false;
    for (char c : key)
        if (!((c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') || c == '_')) return false;
    return true;
}
std::string_view trimmed(std::string_view s) {
    while (!s.empty() && (s.front() == ' ' || s.front() == '\t')) s.remove_prefix(1);
    while (!s.empty() && (s.back() == ' ' || s.back() == '\t')) s.remove_suffix(1);
    return s;
}

// `visit(name, value)` for each part of "a=1<separator>b=2".
template <class Visit>
void each_pair(std::string_view text, char separator, Visit visit) {
    while (!text.empty()) {
        auto const part = trimmed(text.substr(0, text.find(separator)));
        text.remove_prefix(std::min(text.size(), text.find(separator)));
        if (!text.empty()) text.remove_prefix(1);
        if (auto const equals = part.find('='); equals != part.npos) visit(part.substr(0, equals), part.substr(equals + 1));
    }
}

Result<void> show(SentryCaller& caller, std::string key, std::string_view where) {
    if (!is_key(key)) return fail(403, "sentry_key_invalid", fmt::format("the key in {} is letters, digits and _, at most 64", where));
    if (!caller.key.empty() && caller.key != key)
        return fail(403, "sentry_key_mismatch", fmt::format("the key in {} is another than the one before", where));
    return caller.key = std::move(key), Result<void>{};
}

Result<void> from_pairs(SentryCaller& caller, std::string_view text, char separator, std::string_view where) {
    Result<void> shown;
    each_pair(text, separator, [&](std::string_view name, std::string_view value) {
        if (name == "sentry_key" && shown) shown = show(caller, unescaped(value), where);
        if (name == "sentry_client" && caller.client.empty()) caller.client = unescaped(value).substr(0, 200);
    });
    return shown;
}

}  // namespace

Result<Dsn> parse_dsn(std::string_view text) {
    auto const refuse = [] { return fail(400, "sentry_dsn_invalid", "a DSN is https://key@host/project"); };
    auto const scheme = text.find("://"), at = text.find('@'), slash = text.rfind('/');
    if (text.size() > 2000 || scheme == text.npos || at == text.npos || at < scheme + 3 || slash == text.npos || slash < at)
        return refuse();
    auto key = text.substr(scheme + 3, at - scheme - 3);
    key = key.substr(0, key.find(':'));
    auto const host = text.substr(at + 1, text.find('/', at) - at - 1), project = text.substr(slash + 1);
    auto const word = [](std::string_view s) { return is_key(s); };
    if (!is_key(key) || host.empty() || !word(project)) return refuse();
    return Dsn{std::string(key), std::string(host), std::string(project)};
}

Result<SentryCaller> sentry_caller(std::string_view query, std::string_view auth_header, std::string_view dsn) {
    SentryCaller caller;
    TRY_VOID(from_pairs(caller, query.substr(query.starts_with('?')), '&', "the query"));
    if (trimmed(auth_header).starts_with("Sentry ") || trimmed(auth_header).starts_with("sentry "))
        TRY_VOID(from_pairs(caller, trimmed(auth_header).substr(7), ',', "X-Sentry-Auth"));
    if (!dsn.empty()) {
        TRY_ASSIGN(auto parsed, parse_dsn(dsn));
        TRY_VOID(show(caller, std::move(parsed.key), "the envelope's dsn"));
        caller.project = std::move(parsed.project);
    }
    if (caller.key.empty())
        return fail(403, "sentry_key_missing", "show the key as sentry_key in the query, in X-Sentry-Auth, or by the envelope's dsn");
    return caller;
}

}  // namespace gantry::oops
