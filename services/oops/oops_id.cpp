#include "services/oops/oops_id.h"

#include <fmt/format.h>
#include <openssl/evp.h>

#include <algorithm>

namespace gantry::oops {
namespace {

constexpr std::string_view oops = "OOPS-";
constexpr std::size_t md5_digits = 32, prefix_chars_max = 40, number_digits_max = 10;

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_letter(char c) { return (c | 0x20) >= 'a' && (c | 0x20) <= 'z'; }
bool is_hex(char c) { return is_digit(c) || ((c | 0x20) >= 'a' && (c | 0x20) <= 'f'); }
bool all_hex(std::string_view s) { return std::all_of(s.begin(), s.end(), is_hex); }
std::string lower(std::string_view s) {
    std::string out(s);
    for (char& c : out)
        if (c >= 'A' && c <= 'Z') c = char(c | 0x20);
    return out;
}

bool is_date(std::string_view s) {
    return s.size() == 10 && s[4] == '-' && s[7] == '-' &&
           std::all_of(s.begin(), s.end(), [&](char const& c) { return &c == &s[4] || &c == &s[7] || is_digit(c); });
}
bool is_uuid(std::string_view s) {
    if (s.size() == md5_digits) return all_hex(s);
    if (s.size() != 36) return false;
    for (std::size_t i = 0; i < s.size(); ++i)
        if (i == 8 || i == 13 || i == 18 || i == 23 ? s[i] != '-' : !is_hex(s[i])) return false;
    return true;
}

// Digits, a prefix that starts and ends with a letter, digits.
bool read_numbered(std::string_view s, LegacyId& out) {
    std::size_t day = 0, end = s.size();
    while (day < s.size() && is_digit(s[day])) ++day;
    while (end > day && is_digit(s[end - 1])) --end;
    auto const prefix = s.substr(day, end - day);
    if (day == 0 || day > number_digits_max || prefix.empty() || prefix.size() > prefix_chars_max) return false;
    if (end == s.size() || s.size() - end > number_digits_max || !is_letter(prefix.front()) || !is_letter(prefix.back())) return false;
    if (!std::all_of(prefix.begin(), prefix.end(), [](char c) { return is_letter(c) || is_digit(c) || c == '-'; })) return false;
    out.day = s.substr(0, day), out.prefix = prefix, out.id = s.substr(end);
    return true;
}
bool read_uuid(std::string_view s, LegacyId& out) {
    for (std::size_t length : {std::size_t(36), md5_digits}) {
        if (s.size() < length + 2 || s[s.size() - length - 1] != 'Z' || !is_uuid(s.substr(s.size() - length))) continue;
        auto const prefix = s.substr(0, s.size() - length - 1);
        if (prefix.size() > prefix_chars_max || !is_letter(prefix[0])) continue;
        if (!std::all_of(prefix.begin(), prefix.end(), [](char c) { return is_letter(c) || is_digit(c) || c == '-'; })) continue;
        out.day.clear(), out.prefix = prefix, out.id = s.substr(s.size() - length);
        return true;
    }
    return false;
}

bool starts_oops(std::string_view s) { return s.size() >= oops.size() && lower(s.substr(0, oops.size())) == "oops-"; }

}  // namespace

std::string content_id(std::string_view bson) {
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned size = 0;
    EVP_Digest(bson.data(), bson.size(), digest, &size, EVP_md5(), nullptr);
    std::string out(oops);
    for (unsigned i = 0; i < size; ++i) out += fmt::format("{:02x}", digest[i]);
    return out;
}

std::optional<LegacyId> parse_legacy_id(std::string_view text) {
    LegacyId out;
    if (text.ends_with(',')) text.remove_suffix(1);
    if (text.size() > 11 && text[10] == '/' && is_date(text.substr(0, 10))) out.date = text.substr(0, 10), text.remove_prefix(11);
    if (starts_oops(text)) text.remove_prefix(oops.size());
    if (read_uuid(text, out) || read_numbered(text, out)) return out;
    return {};
}

std::string to_string(LegacyId const& id) {
    auto const date = id.date.empty() ? std::string() : id.date + '/';
    return fmt::format("{}OOPS-{}{}{}{}", date, id.day, id.prefix, id.day.empty() ? "Z" : "", id.id);
}

std::optional<std::string> lookup_id(std::string_view typed) {
    while (!typed.empty() && (typed.back() == ',' || typed.back() == ' ' || typed.back() == '\n')) typed.remove_suffix(1);
    while (!typed.empty() && typed.front() == ' ') typed.remove_prefix(1);
    if (typed.size() == md5_digits && all_hex(typed)) return lower(typed);
    if (starts_oops(typed) && typed.size() == oops.size() + md5_digits && all_hex(typed.substr(oops.size())))
        return fmt::format("OOPS-{}", lower(typed.substr(oops.size())));
    auto legacy = parse_legacy_id(typed);
    if (!legacy) return {};
    legacy->date.clear();
    return to_string(*legacy);
}

std::vector<std::string> ids_in(std::string_view text) {
    std::vector<std::string> out;
    for (std::size_t i = 0; i + oops.size() < text.size(); ++i) {
        if (!starts_oops(text.substr(i)) || (i > 0 && (is_letter(text[i - 1]) || is_digit(text[i - 1])))) continue;
        std::size_t end = i + oops.size();
        while (end < text.size() && (is_letter(text[end]) || is_digit(text[end]) || text[end] == '-')) ++end;
        while (text[end - 1] == '-') --end;
        auto id = lookup_id(text.substr(i, end - i));
        if (id && std::find(out.begin(), out.end(), *id) == out.end()) out.push_back(std::move(*id));
    }
    return out;
}

}  // namespace gantry::oops
