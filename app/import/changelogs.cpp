#include "app/import/changelogs.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <tuple>
#include <unordered_set>
#include <utility>

#include "app/import/line_reader.h"
#include "kernel/base/hash.h"

namespace gantry::import {
namespace {

namespace fs = std::filesystem;
constexpr Time format_settled{867'715'200'000'000};  // 1997-07-01
constexpr std::string_view blanks = " \t\r";

char lower(char c) { return c >= 'A' && c <= 'Z' ? char(c - 'A' + 'a') : c; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_alpha(char c) { return lower(c) >= 'a' && lower(c) <= 'z'; }
bool starts_with_nocase(std::string_view s, std::string_view prefix) {
    return s.size() >= prefix.size() && std::ranges::equal(s.substr(0, prefix.size()), prefix, {}, lower, lower);
}
std::string_view trimmed(std::string_view s) {
    auto const first = s.find_first_not_of(blanks);
    return first == s.npos ? std::string_view{} : s.substr(first, s.find_last_not_of(blanks) - first + 1);
}

// Words between blanks.
std::vector<std::string_view> words(std::string_view s) {
    std::vector<std::string_view> found;
    for (std::size_t at = s.find_first_not_of(blanks); at != s.npos; at = s.find_first_not_of(blanks, at)) {
        auto const end = std::min(s.find_first_of(blanks, at), s.size());
        found.push_back(s.substr(at, end - at));
        at = end;
    }
    return found;
}

template <class Integer>
bool read_number(std::string_view s, Integer& out) {
    auto [end, error] = std::from_chars(s.data(), s.data() + s.size(), out);
    return error == std::errc{} && end == s.data() + s.size();
}

bool is_name(std::string_view s) {
    auto plain = [](char c) { return is_alpha(c) || is_digit(c) || c == '-' || c == '+' || c == '.' || c == '~'; };
    return !s.empty() && (is_alpha(s.front()) || is_digit(s.front())) && std::ranges::all_of(s, plain);
}

// "SOURCE (VERSION) rest"
struct Heading {
    std::string_view source, version, rest;
};
std::optional<Heading> split_heading(std::string_view text) {
    auto const open = text.find(" ("), close = text.find(')', open == text.npos ? 0 : open);
    if (open == text.npos || close == text.npos) return {};
    Heading h{text.substr(0, open), text.substr(open + 2, close - open - 2), trimmed(text.substr(close + 1))};
    if (!is_name(h.source) || h.version.empty() || h.version.find_first_of(" \t(") != h.version.npos) return {};
    return h;
}

// "26 Dec 2022": 1 to 12, or 0.
unsigned month_number(std::string_view name) {
    constexpr std::array months = {"jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"};
    if (name.size() < 3) return 0;
    for (unsigned m = 0; m < months.size(); ++m)
        if (starts_with_nocase(name, months[m])) return m + 1;
    return 0;
}

// "16:30:00" or "16:30"
bool read_clock(std::string_view s, int& hour, int& minute, int& second) {
    auto const first = s.find(':');
    if (first == s.npos) return false;
    auto const next = s.find(':', first + 1);
    second = 0;
    return read_number(s.substr(0, first), hour) && read_number(s.substr(first + 1, next == s.npos ? next : next - first - 1), minute) &&
           (next == s.npos || read_number(s.substr(next + 1), second)) && hour >= 0 && hour < 24 && minute >= 0 && minute < 60 &&
           second >= 0 && second <= 60;
}

// "+0100"
bool read_offset(std::string_view s, std::int64_t& seconds) {
    int value = 0;
    if (s.size() != 5 || (s[0] != '+' && s[0] != '-') || !read_number(s.substr(1), value) || value < 0 || value % 100 > 59) return false;
    seconds = (value / 100 * 60 + value % 100) * 60 * (s[0] == '-' ? -1 : 1);
    return true;
}

// Numbers behind each `marker` ("closes:"): "#1, bug#2, 3" for Debian; Launchpad's all have a '#'.
void bugs_after(std::string_view text, std::string_view marker, bool hash_needed, std::vector<std::uint64_t>& out) {
    auto same = [](char a, char b) { return lower(a) == b; };
    for (auto it = text.begin();;) {
        auto const found = std::ranges::search(std::ranges::subrange(it, text.end()), marker, same);
        if (found.empty()) return;
        std::size_t at = std::size_t(found.end() - text.begin());
        for (;;) {
            at = std::min(text.find_first_not_of(" \t\n", at), text.size());
            if (!hash_needed && starts_with_nocase(text.substr(at), "bug")) at += 3;
            bool const hash = at < text.size() && text[at] == '#';
            if (hash) ++at;
            if (hash && at < text.size() && text[at] == ' ') ++at;
            std::size_t const start = at;
            while (at < text.size() && is_digit(text[at])) ++at;
            std::uint64_t bug = 0;
            if (start == at || (hash_needed && !hash) || !read_number(text.substr(start, at - start), bug)) break;
            if (std::ranges::find(out, bug) == out.end()) out.push_back(bug);
            if (at >= text.size() || text[at] != ',') break;
            ++at;
        }
        it = text.begin() + std::ptrdiff_t(std::max(at, std::size_t(found.end() - text.begin())));
    }
}

// What tools put at the top level of a changelog beside its entries.
bool is_decoration(std::string_view text) {
    return text.starts_with("#") || text.starts_with("vim:") || text.starts_with("/*") || text.starts_with("<!--") ||
           (text.starts_with("$") && text.find(":") != text.npos);
}
bool ends_the_changelog(std::string_view text) {
    return starts_with_nocase(text, "local variables:") || starts_with_nocase(text, ";; local variables:") ||
           starts_with_nocase(text, "old changelog:") || starts_with_nocase(text, "changelog for ");
}

// "Thu Jan 18 …" or "Fri, 18 Jan 1996 …": a heading of before deb-changelog.
bool is_ancient(std::string_view text) {
    constexpr std::array days = {"mon", "tue", "wed", "thu", "fri", "sat", "sun"};
    auto const parts = words(text);
    if (parts.size() < 4 || std::ranges::none_of(days, [&](auto day) { return starts_with_nocase(parts[0], day); })) return false;
    return month_number(parts[1]) != 0 || month_number(parts[2]) != 0;
}

}  // namespace

std::optional<Time> parse_changelog_date(std::string_view text) {
    auto parts = words(text);
    if (!parts.empty() && parts[0].ends_with(',')) parts.erase(parts.begin());
    if (parts.size() < 5) return {};
    int day = 0, year = 0, hour = 0, minute = 0, second = 0;
    std::int64_t offset = 0;
    unsigned const month = month_number(parts[1]);
    if (!read_number(parts[0], day) || month == 0 || !read_number(parts[2], year) || !read_clock(parts[3], hour, minute, second) ||
        !read_offset(parts[4], offset) || year < 1970 || year > 9999 || day < 1 || day > 31)
        return {};
    return Time{(seconds_from_civil(year, month, unsigned(day), hour, minute, second) - offset) * 1'000'000};
}

bool is_changelog_heading(std::string_view line) {
    auto heading = split_heading(line);
    return heading && heading->rest.find(';') != std::string_view::npos;
}

void ChangelogParser::wrong(std::uint64_t number, std::string_view what) {
    if (!spoilt_ && !old_form_) complaints_.malformed(file_, number, what);
    spoilt_ = true;
}

void ChangelogParser::heading(std::string_view text, std::uint64_t number) {
    if (expect_ == Expect::trailer)
        wrong(number, fmt::format("the entry of line {} has no trailer line (' -- NAME <EMAIL>  DATE')", entry_.line));
    expect_ = Expect::trailer, spoilt_ = false, changes_.clear();
    auto const h = *split_heading(text);
    entry_ = ChangelogEntry{.source = std::string(h.source), .version = std::string(h.version), .line = number};
    auto const semicolon = h.rest.find(';');
    if (semicolon == h.rest.npos) return wrong(number, "expected 'SOURCE (VERSION) DISTRIBUTION; urgency=URGENCY'");
    for (auto word : words(h.rest.substr(0, semicolon))) entry_.distributions.emplace_back(word);
    if (entry_.distributions.empty() || !std::ranges::all_of(entry_.distributions, is_name))
        return wrong(number, "expected a distribution between the version and ';'");
    std::string fields(h.rest.substr(semicolon + 1));
    std::ranges::transform(fields, fields.begin(), lower);
    if (auto at = fields.find("urgency="); at != fields.npos) {
        auto const value = std::string_view(fields).substr(at + 8);
        entry_.urgency = trimmed(value.substr(0, value.find_first_of(", \t(;")));
    }
    entry_.binary_only = fields.find("binary-only=yes") != fields.npos;
}

void ChangelogParser::trailer(std::string_view text, std::uint64_t number) {
    bool const expected = expect_ == Expect::trailer, already_wrong = spoilt_;
    expect_ = Expect::heading, spoilt_ = false;
    std::string_view const rest = trimmed(text.substr(3));
    auto const mail_end = rest.rfind('>'), mail = rest.rfind('<', mail_end);
    bool const has_mail = mail != rest.npos && mail_end != rest.npos;
    std::string_view const date = has_mail ? trimmed(rest.substr(mail_end + 1)) : std::string_view{};
    auto const at = parse_changelog_date(date);
    if (at && *at < format_settled) old_form_ = true;
    std::string what;
    if (!expected) what = "a trailer line (' -- …') without an entry before it";
    if (expected && !has_mail) what = "expected ' -- NAME <EMAIL>  DATE'";
    if (expected && has_mail && !at)
        what = fmt::format("expected a date as 'Mon, 26 Dec 2022 16:30:00 +0100', found '{}'", shortened(date, 60));
    if (!what.empty() && !already_wrong) wrong(number, what);
    spoilt_ = false;
    if (!what.empty() || already_wrong) return;
    entry_.who = shortened(rest.substr(0, mail_end + 1), 200), entry_.at = *at;
    bugs_after(changes_, "closes:", false, entry_.closes);
    bugs_after(changes_, "lp:", true, entry_.launchpad_closes);
    found_(std::exchange(entry_, {}));
}

void ChangelogParser::change(std::string_view text) {
    constexpr std::size_t changes_bytes_max = 1 << 20;
    if (expect_ != Expect::trailer || changes_.size() + text.size() > changes_bytes_max) return;
    changes_.append(text).push_back('\n');
}

void ChangelogParser::other(std::string_view text, std::uint64_t number) {
    if (is_decoration(text)) return;
    if (expect_ == Expect::trailer) return change(text);  // a change that wasn't indented
    if (ends_the_changelog(text) || is_ancient(text)) return void(expect_ = Expect::nothing);
    wrong(number, fmt::format("expected 'SOURCE (VERSION) DISTRIBUTION; urgency=URGENCY', found '{}'", shortened(text, 60)));
}

void ChangelogParser::line(std::string_view text, std::uint64_t number) {
    if (expect_ == Expect::nothing || trimmed(text).empty()) return;
    if (text.front() != ' ' && text.front() != '\t') {
        if (split_heading(text))
            heading(text, number);
        else
            other(text, number);
    } else if (text.starts_with(" --") && text.find('<') != text.npos) {
        trailer(text, number);
    } else {
        change(text);
    }
}

void ChangelogParser::unreadable_line(std::uint64_t number, std::string_view why) {
    if (expect_ != Expect::nothing) wrong(number, why);
}

void ChangelogParser::end(std::uint64_t last_line) {
    if (expect_ == Expect::trailer)
        wrong(last_line, fmt::format("the entry of line {} has no trailer line (' -- NAME <EMAIL>  DATE')", entry_.line));
}

namespace {

std::string bug_list(std::vector<std::uint64_t> const& bugs) { return fmt::format("#{}", fmt::join(bugs, ", #")); }

std::string note_of(ChangelogEntry const& entry) {
    std::string note = entry.urgency.empty() ? "" : "urgency " + entry.urgency;
    auto add = [&](std::string text) { note += (note.empty() ? "" : "; ") + std::move(text); };
    if (!entry.closes.empty()) add("closes " + bug_list(entry.closes));
    if (!entry.launchpad_closes.empty()) add("LP " + bug_list(entry.launchpad_closes));
    if (entry.binary_only) add("binary only");
    return shortened(note, note_bytes_max);
}

// The changelog in a package's folder, or "".
std::string changelog_in(fs::path const& folder) {
    std::error_code ignored;
    for (auto name : {"changelog.Debian.gz", "changelog.Debian", "changelog.gz", "changelog"}) {
        fs::path const path = folder / name;
        if (fs::is_regular_file(fs::symlink_status(path, ignored))) return path.string();
        if (fs::exists(path, ignored)) return {};  // a link into another package's folder
    }
    return {};
}

Result<std::vector<std::string>> changelog_files(std::string const& dir) {
    std::error_code error;
    std::vector<std::string> files;
    if (auto own = changelog_in(dir); !own.empty()) files.push_back(std::move(own));
    for (fs::directory_iterator it(dir, error), end; !error && it != end; it.increment(error)) {
        std::error_code ignored;
        if (!fs::is_directory(it->symlink_status(ignored))) continue;
        if (auto path = changelog_in(it->path()); !path.empty()) files.push_back(std::move(path));
    }
    if (error) return fail(404, "file_not_readable", fmt::format("{}: {}", dir, error.message()));
    std::ranges::sort(files);
    return files;
}

// Several binary packages of one source ship the same file.
std::vector<std::string> distinct(std::vector<std::string> const& files) {
    std::vector<std::string> found;
    std::unordered_set<std::uint64_t> seen;
    for (auto const& path : files) {
        std::ifstream in(path, std::ios::binary);
        std::string const bytes(std::istreambuf_iterator<char>(in), {});
        if (bytes.empty() || seen.insert(hash64(bytes, bytes.size())).second) found.push_back(path);
    }
    return found;
}

struct Dated {
    ChangelogEntry entry;
    std::string const* file;
    std::size_t read = 0;  // order of reading
};

// Upstream's changelogs have the same name as those of native packages: a file counts if it starts as a Debian changelog does.
void read_changelog(std::string const& path, Complaints& complaints, std::vector<Dated>& out) {
    auto reader = LineReader::open(path);
    if (!reader) return complaints.malformed(path, 0, reader.error().detail);
    std::vector<ChangelogEntry> newest_first;
    ChangelogParser parser(path, complaints, [&](ChangelogEntry e) { newest_first.push_back(std::move(e)); });
    bool const debian = path.find("changelog.Debian") != path.npos;
    bool known = debian;
    using Got = LineReader::Got;
    for (Got got = (*reader)->next();; got = (*reader)->next()) {
        if (got == Got::end) got = (*reader)->take_partial();
        if (got == Got::end) break;
        if (!known && got == Got::line && trimmed((*reader)->text()).empty()) continue;
        if (!known && (got != Got::line || !is_changelog_heading((*reader)->text()))) return;
        known = true;
        if (got == Got::line)
            parser.line((*reader)->text(), (*reader)->number());
        else
            parser.unreadable_line((*reader)->number(), (*reader)->fault());
    }
    parser.end((*reader)->number());
    for (auto& entry : newest_first) out.push_back({std::move(entry), &path, out.size()});
}

}  // namespace

std::vector<Positioned> reports_of(ChangelogEntry const& entry, std::string const& file) {
    std::vector<Positioned> found;
    std::string const note = note_of(entry);
    for (auto const& distribution : entry.distributions) {
        if (distribution == "UNRELEASED") continue;
        Report r{.package = entry.source, .version = entry.version, .arch = "source", .stage = "uploaded", .at = entry.at};
        r.id = bounded_id(fmt::format("{}_{}_{}", entry.source, entry.version, distribution));
        r.source = entry.source, r.reporter = "changelogs", r.series = distribution, r.result = "accepted", r.who = entry.who;
        if (!note.empty()) r.note = note;
        found.push_back({std::move(r), "", file, entry.line});
    }
    return found;
}

Result<std::vector<Positioned>> read_changelogs(std::string const& dir, Complaints& complaints) {
    TRY_ASSIGN(auto all_files, changelog_files(dir));
    auto const files = distinct(all_files);
    std::vector<Dated> entries;
    for (auto const& file : files) read_changelog(file, complaints, entries);
    // Equal dates: a file's lower entry is the older one; copies of one changelog in several packages agree on that.
    std::ranges::sort(entries, [](Dated const& a, Dated const& b) {
        return std::tie(a.entry.at, a.entry.source, b.read) < std::tie(b.entry.at, b.entry.source, a.read);
    });
    std::vector<Positioned> reports;
    for (auto const& one : entries)
        for (auto& report : reports_of(one.entry, *one.file)) reports.push_back(std::move(report));
    return reports;
}

}  // namespace gantry::import
