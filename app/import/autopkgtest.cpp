#include "app/import/autopkgtest.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <tuple>

#include "app/import/json_reply.h"
#include "app/import/line_reader.h"
#include "app/import/zone.h"
#include "kernel/codec/utf8.h"

namespace gantry::import {
namespace {

namespace fs = std::filesystem;
constexpr std::size_t small_file_bytes_max = 1 << 20, excuses_bytes_max = 256u << 20;

std::string_view first_line(std::string_view s) { return s.substr(0, s.find('\n')); }

std::vector<std::string_view> split(std::string_view s, char separator) {
    std::vector<std::string_view> parts;
    while (!s.empty()) {
        auto const end = std::min(s.find(separator), s.size());
        if (end > 0) parts.push_back(s.substr(0, end));
        s.remove_prefix(std::min(end + 1, s.size()));
    }
    return parts;
}

bool is_stamp(std::string_view s) {
    if (s.size() < 16 || s[8] != '_' || !s.ends_with('@') || (s.size() > 16 && s[15] != '_')) return false;
    return std::ranges::all_of(s.substr(0, 15), [&](char const& c) { return &c == &s[8] || (c >= '0' && c <= '9'); });
}

// "20240102_030405_abcde@": the moment in UTC.
std::optional<Time> stamp_time(std::string_view s) {
    auto const local = parse_local_time(
        fmt::format("{}-{}-{} {}:{}:{}", s.substr(0, 4), s.substr(4, 2), s.substr(6, 2), s.substr(9, 2), s.substr(11, 2), s.substr(13, 2)));
    if (!local) return {};
    return Time{seconds_from_civil(local->year, local->month, local->day, local->hour, local->minute, local->second) * 1'000'000};
}

// The triggers that a result's environment names: "hello/2.10-3 glibc/2.36-9".
std::string triggers_of(std::string const& testinfo) {
    constexpr std::string_view name = "ADT_TEST_TRIGGERS=";
    for (auto const& entry : json_texts(testinfo, "custom_environment").value_or(std::vector<std::string>{}))
        if (entry.starts_with(name)) return fmt::format("{}", fmt::join(split(entry.substr(name.size()), ' '), " "));
    return {};
}

// The version that the triggers give `package`, or "".
std::string_view triggered_version(std::string_view triggers, std::string_view package) {
    for (auto trigger : split(triggers, ' '))
        if (auto slash = trigger.find('/'); slash != trigger.npos && trigger.substr(0, slash) == package) return trigger.substr(slash + 1);
    return {};
}

}  // namespace

std::optional<ResultPath> parse_result_path(std::string_view folder) {
    auto const parts = split(folder, '/');
    if (parts.size() < 5) return {};
    auto part = [&](std::size_t from_end) { return std::string(parts[parts.size() - from_end]); };
    ResultPath p{part(5), part(4), part(3), part(2), part(1)};
    std::string_view const package = p.package;
    bool const prefix_fits = p.prefix == package.substr(0, package.starts_with("lib") ? 4 : 1);
    if (!is_stamp(p.stamp) || !prefix_fits) return {};
    return p;
}

std::optional<ExitMeaning> meaning_of_exit(int code) {
    switch (code) {
        case 0: return ExitMeaning{"pass", ""};
        case 2: return ExitMeaning{"pass", "some tests were skipped"};
        case 4: return ExitMeaning{"fail", ""};
        case 6: return ExitMeaning{"fail", "some tests were skipped"};
        case 8: return ExitMeaning{"neutral", "no tests were run"};
        case 12: return ExitMeaning{"fail", "erroneous package"};
        case 14: return ExitMeaning{"fail", "erroneous package, some tests were skipped"};
        case 16: return ExitMeaning{"tmpfail", "the testbed failed"};
        case 20:
        case 99: return ExitMeaning{"tmpfail", "unexpected failure"};
        default: return {};
    }
}

std::expected<Report, std::string> report_of(TestResult const& t) {
    auto wrong = [](std::string text) { return std::unexpected(std::move(text)); };
    if (!t.exitcode) return wrong("no exitcode");
    auto const text = first_line(*t.exitcode);
    int code = -1;
    auto const [end, error] = std::from_chars(text.data(), text.data() + text.size(), code);
    auto const meaning = error == std::errc{} && end == text.data() + text.size() ? meaning_of_exit(code) : std::nullopt;
    if (!meaning) return wrong(fmt::format("exitcode: expected an exit status of autopkgtest, found '{}'", shortened(text, 40)));
    auto const at = stamp_time(t.stamp);
    if (!at) return wrong(fmt::format("'{}' is no time", t.stamp));
    std::string const triggers = t.testinfo ? triggers_of(*t.testinfo) : "";
    if (t.testinfo && !json_texts(*t.testinfo, "custom_environment") && !is_json(*t.testinfo)) return wrong("testinfo.json is no JSON");

    Report r{.package = t.package, .arch = t.arch, .stage = "autopkgtest", .at = *at, .source = t.package, .reporter = "autopkgtest"};
    if (t.version_line) {
        auto const words = split(first_line(*t.version_line), ' ');
        if (words.size() != 2)
            return wrong(fmt::format("testpkg-version: expected 'PACKAGE VERSION', found '{}'", shortened(*t.version_line, 60)));
        if (words[0] != t.package) return wrong(fmt::format("testpkg-version names '{}', the path '{}'", words[0], t.package));
        r.version = words[1];
    } else {
        if (meaning->result != "tmpfail") return wrong("no testpkg-version");
        auto const version = triggered_version(triggers, t.package);
        r.version = version.empty() ? "unknown" : version;
    }
    r.id = bounded_id(fmt::format("{}_{}_{}_{}", t.release, t.arch, t.package, std::string_view(t.stamp).substr(0, t.stamp.size() - 1)));
    r.series = t.release, r.result = meaning->result;
    std::string note(meaning->note);
    if (t.duration) note += fmt::format("{}took {} s", note.empty() ? "" : "; ", shortened(first_line(*t.duration), 20));
    if (!note.empty()) r.note = note;
    if (!triggers.empty()) r.trigger = shortened(triggers, note_bytes_max);
    if (!t.url.empty()) r.url = t.url;
    return r;
}

namespace {

// A whole file, plain or gzipped, UTF-8, at most `bytes_max`.
std::expected<std::string, std::string> read_text(fs::path const& path, std::size_t bytes_max) {
    auto reader = LineReader::open(path.string());
    if (!reader) return std::unexpected(reader.error().detail);
    std::string text;
    using Got = LineReader::Got;
    for (Got got = (*reader)->next();; got = (*reader)->next()) {
        if (got == Got::end) got = (*reader)->take_partial();
        if (got == Got::end) return text;
        if (got == Got::malformed) return std::unexpected(fmt::format("line {}: {}", (*reader)->number(), (*reader)->fault()));
        if (text.size() + (*reader)->text().size() > bytes_max) return std::unexpected(fmt::format("larger than {} bytes", bytes_max));
        text.append((*reader)->text()).push_back('\n');
    }
}

// False: a file is there but can't be read; complained of.
bool read_result_files(fs::path const& folder, TestResult& t, Complaints& complaints) {
    bool all = true;
    auto read = [&](char const* name, std::optional<std::string>& into) {
        std::error_code ignored;
        if (!fs::exists(folder / name, ignored)) return;
        auto text = read_text(folder / name, small_file_bytes_max);
        if (text)
            into = std::move(*text);
        else
            complaints.malformed((folder / name).string(), 0, text.error()), all = false;
    };
    read("exitcode", t.exitcode), read("testpkg-version", t.version_line), read("testinfo.json", t.testinfo), read("duration", t.duration);
    return all;
}

void read_result(fs::path const& folder, AutopkgtestInput const& input, Complaints& complaints, std::vector<Positioned>& out) {
    auto path = parse_result_path(folder.string());
    if (!path) return complaints.malformed(folder.string(), 0, "expected a path RELEASE/ARCH/PREFIX/PACKAGE/YYYYMMDD_HHMMSS@");
    TestResult t{path->release, path->arch, path->package, path->stamp, "", {}, {}, {}, {}};
    std::error_code ignored;
    if (!input.results_url.empty() && fs::exists(folder / "log.gz", ignored))
        t.url =
            fmt::format("{}/{}/{}/{}/{}/{}/log.gz", input.results_url, path->release, path->arch, path->prefix, path->package, path->stamp);
    if (!read_result_files(folder, t, complaints)) return;
    auto report = report_of(t);
    if (!report) return complaints.malformed(folder.string(), 0, report.error());
    out.push_back({std::move(*report), "", folder.string(), 0});
}

Result<std::vector<Positioned>> read_results(std::string const& dir, AutopkgtestInput const& input, Complaints& complaints) {
    std::error_code error;
    std::vector<fs::path> folders;
    fs::path const root = fs::canonical(dir, error);
    auto consider = [&](fs::path const& folder) {
        std::error_code ignored;
        if (is_stamp(folder.filename().string()) || fs::exists(folder / "exitcode", ignored)) folders.push_back(folder);
    };
    if (!error) consider(root);
    for (fs::recursive_directory_iterator it(root, error), end; !error && it != end; it.increment(error))
        if (std::error_code ignored; it->is_directory(ignored)) consider(it->path());
    if (error) return fail(404, "file_not_readable", fmt::format("{}: {}", dir, error.message()));
    std::ranges::sort(folders);
    std::vector<Positioned> found;
    for (auto const& folder : folders) read_result(folder, input, complaints, found);
    std::ranges::sort(found, {}, [](Positioned const& p) { return std::tie(p.report.at, p.file); });
    return found;
}

}  // namespace

Result<std::vector<Positioned>> read_autopkgtest(std::string const& path, AutopkgtestInput const& input, Complaints& complaints) {
    AutopkgtestInput trimmed = input;
    while (trimmed.results_url.ends_with('/')) trimmed.results_url.pop_back();
    std::error_code ignored;
    if (fs::is_directory(path, ignored)) return read_results(path, trimmed, complaints);
    auto yaml = read_text(path, excuses_bytes_max);
    if (!yaml) return fail(404, "file_not_readable", yaml.error());
    return read_excuses(*yaml, path, input.series, complaints);
}

}  // namespace gantry::import
