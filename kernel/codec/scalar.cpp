#include "kernel/codec/scalar.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>

#include "kernel/codec/base64.h"
#include "kernel/codec/json.h"
#include "kernel/codec/utf8.h"

namespace gantry::codec {
namespace detail {
namespace {

constexpr std::size_t shown_chars_max = 40, names_listed_max = 12;

std::string_view first_characters(std::string_view text, std::size_t n) {
    std::size_t i = 0;
    for (; n > 0 && i < text.size(); --n) i += std::max<std::size_t>(1, utf8_length_at(text, i));
    return text.substr(0, i);
}

std::string joined(std::span<std::string_view const> names) {
    std::string out;
    for (std::size_t i = 0; i < names.size() && i < names_listed_max; ++i) out.append(i ? ", " : "").append(names[i]);
    if (names.size() > names_listed_max) out += fmt::format(" and {} more", names.size() - names_listed_max);
    return out;
}

std::vector<std::string_view> names_of(Type const& type) {
    std::vector<std::string_view> names;
    for (auto const& v : type.values) names.push_back(v.name);
    return names;
}

bool id_character(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '.' || c == ':' || c == '-';
}

std::string check_id(Type const& type, std::string_view s, bool quiet) {
    bool right = s.size() >= std::size_t(type.min) && s.size() <= type.max && s.starts_with(type.prefix);
    for (char c : s) right = right && id_character(c);
    return right ? std::string() : mismatch(type, quoted(s), quiet);
}

std::string check_text(Type const& type, std::string_view s, bool quiet) {
    if (type.is_id) return check_id(type, s, quiet);
    Utf8Scan scan = scan_utf8(s);
    if (!scan.valid()) return fmt::format("expected {}, found bytes that are not UTF-8 at offset {}", expectation(type), scan.bad_at);
    if (scan.has_nul) return fmt::format("expected {}, found a NUL character inside", expectation(type));
    if (scan.characters < std::uint64_t(type.min) || scan.characters > type.max)
        return fmt::format("expected {}, found {} character{}", expectation(type), scan.characters, scan.characters == 1 ? "" : "s");
    return {};
}

std::string set_sequence(Type const& type, void* out, std::string_view s, bool quiet) {
    std::string_view digits = s.starts_with(type.prefix) ? s.substr(type.prefix.size()) : std::string_view{};
    std::uint64_t n = 0;
    auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), n);
    bool whole = !digits.empty() && error == std::errc() && end == digits.data() + digits.size();
    if (!whole || n > type.max || (digits[0] == '0' && digits.size() > 1)) return mismatch(type, quoted(s), quiet);
    type.ops.set_integer(out, std::int64_t(n));
    return {};
}

// parse_time's sentence names the text as well: only its reason is taken.
std::string set_time(Type const& type, void* out, std::string_view s, bool quiet) {
    auto time = parse_time(s);
    if (time) return type.ops.set_integer(out, time->us), std::string();
    std::string_view why = time.error().detail;
    why = why.substr(0, why.rfind(" (right"));
    return mismatch(type, quiet ? "" : fmt::format("{}: {}", quoted(s), why.substr(why.rfind(": ") + 2)), quiet);
}

std::string set_enum(Type const& type, void* out, std::string_view s, bool quiet) {
    for (auto const& v : type.values)
        if (v.name == s) return type.ops.set_integer(out, v.value), std::string();
    std::string detail = mismatch(type, quoted(s), quiet);
    auto names = names_of(type);
    if (auto near = nearest(s, names); !near.empty() && !quiet) detail += fmt::format(", did you mean \"{}\"?", near);
    return detail;
}

// What a token of JSON's number grammar is made of; `valid` is false for anything else.
struct NumberToken {
    bool valid = false, negative = false, whole = false;
    std::string_view digits;  // before point and exponent
};
NumberToken scan_number(std::string_view s) {
    NumberToken n;
    std::size_t at = 0;
    auto digit = [&] { return at < s.size() && s[at] >= '0' && s[at] <= '9'; };
    auto skip_digits = [&] {
        std::size_t from = at;
        while (digit()) ++at;
        return at > from;
    };
    if (s.starts_with('-')) n.negative = true, at = 1;
    std::size_t from = at;
    if (!skip_digits() || (s[from] == '0' && at > from + 1)) return n;
    n.digits = s.substr(from, at - from);
    n.whole = at == s.size();
    if (at < s.size() && s[at] == '.') {
        ++at;
        if (!skip_digits()) return n;
    }
    if (at < s.size() && (s[at] == 'e' || s[at] == 'E')) {
        ++at;
        if (at < s.size() && (s[at] == '+' || s[at] == '-')) ++at;
        if (!skip_digits()) return n;
    }
    n.valid = at == s.size();
    return n;
}

std::string set_real(Type const& type, void* out, std::string_view token, bool quiet) {
    double value = 0;
    auto [end, error] = std::from_chars(token.data(), token.data() + token.size(), value);
    // Out of range says both too large and too small for a double; too small is zero enough.
    bool too_small = token.find("e-") != token.npos || token.find("E-") != token.npos;
    if (error == std::errc::result_out_of_range && !too_small)
        return mismatch(type, fmt::format("{}, which is too large", token.substr(0, shown_chars_max)), quiet);
    *static_cast<double*>(out) = value;
    return {};
}

}  // namespace

std::string quoted(std::string_view text) {
    std::string out;
    std::string_view start = first_characters(text, shown_chars_max);
    if (!scan_utf8(start).valid()) return "text that is not UTF-8";
    append_json_string(out, start);
    if (start.size() < text.size()) out.insert(out.size() - 1, "…");
    return out;
}

std::string suggestion(std::string_view wrong, std::span<std::string_view const> known) {
    if (auto near = nearest(wrong, known); !near.empty()) return fmt::format(", did you mean \"{}\"?", near);
    return known.empty() ? std::string("; no field is known here") : "; known are " + joined(known);
}

std::string expectation(Type const& type) {
    switch (type.kind) {
        case Kind::boolean: return "true or false";
        case Kind::integer:
            if (type.is_signed) return fmt::format("an integer from {} to {}", type.min, std::int64_t(type.max));
            return fmt::format("an integer from {} to {}", type.min, type.max);
        case Kind::real: return "a number";
        case Kind::text:
            if (type.is_id) return fmt::format("an id like \"{}…\" of at most 64 letters, digits, '_', '.', ':' or '-'", type.prefix);
            if (type.max == ~std::uint64_t(0)) return "text";
            if (type.min == 0) return fmt::format("text of at most {} characters", type.max);
            return fmt::format("text of {} to {} characters", type.min, type.max);
        case Kind::sequence: return fmt::format("a number like \"{}17\"", type.prefix);
        case Kind::bytes: return "base64 text";
        case Kind::time: return "an RFC 3339 time like \"2026-01-31T12:00:00Z\"";
        case Kind::duration: return "a duration like \"1h30m\"";
        case Kind::enumeration: return "one of " + joined(names_of(type));
        case Kind::optional:
        case Kind::secret:
        case Kind::personal: return expectation(type.element());
        case Kind::list: return "a list";
        case Kind::map:
        case Kind::record: return "an object";
        case Kind::variant: return "an object with a \"type\"";
        case Kind::ref: return "a position";
        case Kind::raw_json: return "a JSON value";
    }
    return {};
}

std::string mismatch(Type const& type, std::string_view found, bool quiet) {
    return fmt::format("expected {}, found {}", expectation(type), quiet ? "something else (not shown)" : found);
}

std::string set_from_text(Type const& type, void* out, std::string_view s, ScalarOptions options) {
    switch (type.kind) {
        case Kind::text:
            if (auto detail = check_text(type, s, options.quiet); !detail.empty()) return detail;
            options.borrow ? type.ops.borrow(out, s) : type.ops.set(out, s);
            return {};
        case Kind::sequence: return set_sequence(type, out, s, options.quiet);
        case Kind::bytes:
            if (auto bytes = decode_base64(s)) return type.ops.set(out, *bytes), std::string();
            return mismatch(type, quoted(s), options.quiet);
        case Kind::time: return set_time(type, out, s, options.quiet);
        case Kind::duration:
            if (auto d = parse_duration(s)) return type.ops.set_integer(out, d->us), std::string();
            return mismatch(type, quoted(s), options.quiet);
        case Kind::enumeration: return set_enum(type, out, s, options.quiet);
        default: return mismatch(type, quoted(s), options.quiet);
    }
}

std::string set_from_number(Type const& type, void* out, std::string_view token, bool quiet) {
    NumberToken number = scan_number(token);
    std::string_view shown = token.substr(0, shown_chars_max);
    if (!number.valid) return mismatch(type, quoted(token), quiet);
    if (type.kind == Kind::real) return set_real(type, out, token, quiet);
    if (!number.whole) return mismatch(type, shown, quiet) + " (integers are written without fraction or exponent)";
    std::uint64_t magnitude = 0;
    auto [end, error] = std::from_chars(number.digits.data(), number.digits.data() + number.digits.size(), magnitude);
    std::uint64_t limit = type.kind == Kind::ref ? ~std::uint64_t(0) : type.max;
    bool fits = error == std::errc();
    if (type.is_signed && type.kind == Kind::integer) {
        bool in_range = magnitude <= std::uint64_t(INT64_MAX) + (number.negative ? 1 : 0);
        auto n = std::int64_t(number.negative ? 0 - magnitude : magnitude);
        fits = fits && in_range && n >= type.min && n <= std::int64_t(limit);
        magnitude = std::uint64_t(n);
    } else {
        fits = fits && magnitude <= limit && (!number.negative || magnitude == 0) && magnitude >= std::uint64_t(type.min);
    }
    if (!fits) return mismatch(type, shown, quiet);
    type.ops.set_integer(out, std::int64_t(magnitude));
    return {};
}

}  // namespace detail

namespace {
std::string set_any(Type const& type, void* out, std::string_view text, bool quiet) {
    switch (type.kind) {
        case Kind::boolean:
            if (text != "true" && text != "false") return detail::mismatch(type, detail::quoted(text), quiet);
            return type.ops.set_integer(out, text == "true"), std::string();
        case Kind::integer:
        case Kind::real:
        case Kind::ref: return detail::set_from_number(type, out, text, quiet);
        case Kind::enumeration: {
            std::string name(text);
            for (char& c : name) c = c == '-' ? '_' : c;
            return detail::set_from_text(type, out, name, {.quiet = quiet});
        }
        case Kind::optional: return set_any(type.element(), type.ops.emplace(out), text, quiet);
        case Kind::secret:
        case Kind::personal: return set_any(type.element(), type.ops.emplace(out), text, true);
        case Kind::list: {
            type.ops.clear(out);
            for (std::size_t from = 0; from < text.size() || (from > 0 && from == text.size());) {
                std::size_t comma = std::min(text.find(',', from), text.size());
                auto why = set_any(type.element(), type.ops.push(out), text.substr(from, comma - from), quiet);
                if (!why.empty()) return why;
                from = comma + 1;
            }
            return {};
        }
        case Kind::map:
        case Kind::record:
        case Kind::variant:
        case Kind::raw_json: return "expected " + detail::expectation(type) + ", which can't be given as plain text";
        default: return detail::set_from_text(type, out, text, {.quiet = quiet});
    }
}
}  // namespace

Result<void> decode_scalar(Type const& type, void* out, std::string_view text) {
    std::string why = set_any(type, out, text, false);
    if (why.empty()) return {};
    return fail(Problem{400, "value_invalid", why, {{"", why}}});
}

std::string_view nearest(std::string_view wrong, std::span<std::string_view const> known) {
    std::size_t const allowed = 1 + wrong.size() / 4;
    std::size_t best = allowed + 1;
    std::string_view found;
    for (auto name : known) {
        if (wrong.size() > 64 || std::max(name.size(), wrong.size()) - std::min(name.size(), wrong.size()) > allowed) continue;
        // Optimal string alignment over three rows: before the last, last, current.
        std::vector<std::size_t> older(name.size() + 1), last(name.size() + 1), row(name.size() + 1);
        for (std::size_t j = 0; j <= name.size(); ++j) last[j] = j;
        for (std::size_t i = 1; i <= wrong.size(); ++i) {
            row[0] = i;
            for (std::size_t j = 1; j <= name.size(); ++j) {
                row[j] = std::min({last[j] + 1, row[j - 1] + 1, last[j - 1] + (wrong[i - 1] != name[j - 1])});
                bool swapped = i > 1 && j > 1 && wrong[i - 1] == name[j - 2] && wrong[i - 2] == name[j - 1];
                if (swapped) row[j] = std::min(row[j], older[j - 2] + 1);
            }
            older.swap(last), last.swap(row);
        }
        if (last[name.size()] < best && last[name.size()] < std::max(name.size(), wrong.size())) best = last[name.size()], found = name;
    }
    return found;
}

}  // namespace gantry::codec
