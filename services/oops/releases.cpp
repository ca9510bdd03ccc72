#include "services/oops/releases.h"

#include <algorithm>
#include <array>
#include <map>
#include <set>

namespace gantry::oops {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_letter(char c) { return (c | 0x20) >= 'a' && (c | 0x20) <= 'z'; }
bool all_digits(std::string_view s) { return !s.empty() && std::all_of(s.begin(), s.end(), is_digit); }

// Numbers of any length, by value.
std::strong_ordering compare_numbers(std::string_view a, std::string_view b) {
    while (a.size() > 1 && a[0] == '0') a.remove_prefix(1);
    while (b.size() > 1 && b[0] == '0') b.remove_prefix(1);
    return a.size() != b.size() ? a.size() <=> b.size() : a <=> b;
}

struct Semver {
    std::array<std::string_view, 3> numbers = {"0", "0", "0"};
    std::string_view prerelease;
};
bool identifiers_only(std::string_view s) {
    return !s.empty() && std::all_of(s.begin(), s.end(), [](char c) { return is_digit(c) || is_letter(c) || c == '-' || c == '.'; });
}
std::optional<Semver> semver(std::string_view s) {
    Semver out;
    if (s.size() > 1 && (s[0] == 'v' || s[0] == 'V') && is_digit(s[1])) s.remove_prefix(1);
    if (auto const plus = s.find('+'); plus != s.npos) {
        if (!identifiers_only(s.substr(plus + 1))) return {};
        s = s.substr(0, plus);
    }
    if (auto const dash = s.find('-'); dash != s.npos) {
        out.prerelease = s.substr(dash + 1), s = s.substr(0, dash);
        if (!identifiers_only(out.prerelease)) return {};
    }
    std::size_t count = 0;
    for (;; ++count) {
        auto const dot = s.find('.');
        if (count == 3 || !all_digits(s.substr(0, dot))) return {};
        out.numbers[count] = s.substr(0, dot);
        if (dot == s.npos) break;
        s.remove_prefix(dot + 1);
    }
    // A single number is a date or a build, and "1-2" is Debian's.
    if (count == 0 || (count < 2 && all_digits(out.prerelease))) return {};
    return out;
}

std::string_view take_identifier(std::string_view& s) {
    auto const dot = s.find('.');
    auto const out = s.substr(0, dot);
    s.remove_prefix(dot == s.npos ? s.size() : dot + 1);
    return out;
}
std::strong_ordering compare_prereleases(std::string_view a, std::string_view b) {
    if (a.empty() || b.empty()) return a.empty() <=> b.empty();  // a release comes after its prereleases
    while (!a.empty() && !b.empty()) {
        auto const x = take_identifier(a), y = take_identifier(b);
        bool const nx = all_digits(x), ny = all_digits(y);
        auto const order = nx && ny ? compare_numbers(x, y) : nx != ny ? ny <=> nx : x <=> y;
        if (order != 0) return order;
    }
    return b.empty() <=> a.empty();
}
std::strong_ordering compare_semver(Semver const& a, Semver const& b) {
    for (std::size_t i = 0; i < 3; ++i)
        if (auto const order = compare_numbers(a.numbers[i], b.numbers[i]); order != 0) return order;
    return compare_prereleases(a.prerelease, b.prerelease);
}

// deb-version(7): `~` before the end, the end before letters, letters before all else.
int weight(std::string_view s, std::size_t i) {
    if (i >= s.size() || is_digit(s[i])) return 0;
    if (s[i] == '~') return -1;
    return is_letter(s[i]) ? int(std::uint8_t(s[i])) : int(std::uint8_t(s[i])) + 256;
}
std::strong_ordering compare_part(std::string_view a, std::string_view b) {
    std::size_t i = 0, j = 0;
    while (i < a.size() || j < b.size()) {
        while ((i < a.size() && !is_digit(a[i])) || (j < b.size() && !is_digit(b[j]))) {
            if (auto const order = weight(a, i) <=> weight(b, j); order != 0) return order;
            ++i, ++j;
        }
        auto const number = [](std::string_view s, std::size_t& at) {
            auto const from = std::min(at, s.size());
            at = from;
            while (at < s.size() && is_digit(s[at])) ++at;
            return at == from ? std::string_view("0") : s.substr(from, at - from);
        };
        auto const x = number(a, i), y = number(b, j);
        if (auto const order = compare_numbers(x, y); order != 0) return order;
    }
    return std::strong_ordering::equal;
}
std::string_view take_epoch(std::string_view& s) {
    auto const colon = s.find(':');
    if (colon == s.npos || !all_digits(s.substr(0, colon))) return "0";
    auto const out = s.substr(0, colon);
    s.remove_prefix(colon + 1);
    return out;
}
std::string_view take_revision(std::string_view& s) {
    auto const dash = s.rfind('-');
    if (dash == s.npos) return "0";
    auto const out = s.substr(dash + 1);
    s = s.substr(0, dash);
    return out;
}

ReleaseForm form_of(std::string_view version) {
    if (semver(version)) return ReleaseForm::semver;
    bool const dotted = std::all_of(version.begin(), version.end(), [](char c) { return is_digit(c) || c == '.'; });
    if (!version.empty() && is_digit(version[0]) && dotted) return ReleaseForm::numbers;
    // A hash starts with a digit as often as not; a version has a separator.
    auto const separated = version.find_first_of(".:-~+") != version.npos;
    return !version.empty() && is_digit(version[0]) && separated ? ReleaseForm::debian : ReleaseForm::other;
}

std::strong_ordering compare_as(ReleaseForm form, std::string_view a, std::string_view b) {
    if (form == ReleaseForm::other) return std::strong_ordering::equal;
    return form == ReleaseForm::semver ? compare_semver(semver(a).value(), semver(b).value()) : compare_debian(a, b);
}
// The form in which all versions of a package can be compared.
ReleaseForm common_form(std::set<ReleaseForm> const& forms) {
    if (forms.contains(ReleaseForm::other)) return ReleaseForm::other;
    return forms.size() == 1 ? *forms.begin() : ReleaseForm::debian;
}

}  // namespace

Release parse_release(std::string_view text) {
    auto const at = text.rfind('@');
    // "@scope/name" alone is no package with a version.
    bool const named = at != text.npos && at > 0 && at + 1 < text.size();
    Release out{std::string(named ? text.substr(0, at) : std::string_view()), std::string(named ? text.substr(at + 1) : text)};
    out.form = form_of(out.version);
    return out;
}

std::partial_ordering compare_releases(Release const& a, Release const& b) {
    if (a.package != b.package) return std::partial_ordering::unordered;
    auto const form = common_form({a.form, b.form});
    if (form == ReleaseForm::other) return a.version == b.version ? std::partial_ordering::equivalent : std::partial_ordering::unordered;
    return compare_as(form, a.version, b.version);
}

std::strong_ordering compare_debian(std::string_view a, std::string_view b) {
    auto const epoch_a = take_epoch(a), epoch_b = take_epoch(b);
    if (auto const order = compare_numbers(epoch_a, epoch_b); order != 0) return order;
    auto const revision_a = take_revision(a), revision_b = take_revision(b);
    if (auto const order = compare_part(a, b); order != 0) return order;
    return compare_part(revision_a, revision_b);
}

void sort_releases(std::vector<SeenRelease>& releases) {
    struct Parsed {
        Release release;
        SeenRelease seen;
    };
    std::vector<Parsed> all;
    std::map<std::string, std::set<ReleaseForm>> forms;
    for (auto& seen : releases) {
        all.push_back({parse_release(seen.text), seen});
        forms[all.back().release.package].insert(all.back().release.form);
    }
    std::sort(all.begin(), all.end(), [&](Parsed const& a, Parsed const& b) {
        if (a.release.package != b.release.package) return a.release.package < b.release.package;
        auto const order = compare_as(common_form(forms[a.release.package]), a.release.version, b.release.version);
        if (order != 0) return order < 0;
        if (a.seen.first_seen != b.seen.first_seen) return a.seen.first_seen < b.seen.first_seen;
        return a.seen.text < b.seen.text;
    });
    for (std::size_t i = 0; i < all.size(); ++i) releases[i] = std::move(all[i].seen);
}

}  // namespace gantry::oops
