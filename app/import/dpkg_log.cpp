#include "app/import/dpkg_log.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

namespace gantry::import {
namespace {

using Kind = DpkgLine::Kind;
constexpr std::string_view none = "<none>";
constexpr std::array states = {"not-installed",   "config-files",     "half-installed",   "unpacked",
                               "half-configured", "triggers-awaited", "triggers-pending", "installed"};

template <class... Parts>
std::unexpected<std::string> wrong(fmt::format_string<Parts...> text, Parts&&... parts) {
    return std::unexpected(fmt::format(text, std::forward<Parts>(parts)...));
}

std::string quoted(std::string_view text) { return fmt::format("'{}'", shortened(text, 60)); }

std::string_view take_word(std::string_view& rest) {
    auto const space = rest.find(' ');
    std::string_view word = rest.substr(0, space);
    rest = space == rest.npos ? std::string_view{} : rest.substr(space + 1);
    return word;
}

bool is_lower_or_digit(char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); }
bool is_package(std::string_view s) {
    return !s.empty() && is_lower_or_digit(s.front()) &&
           std::ranges::all_of(s, [](char c) { return is_lower_or_digit(c) || c == '+' || c == '-' || c == '.'; });
}
bool is_arch(std::string_view s) {
    return !s.empty() && std::ranges::all_of(s, [](char c) { return is_lower_or_digit(c) || c == '-'; });
}
bool is_version(std::string_view s) {
    return !s.empty() && std::ranges::all_of(s, [](char c) {
        return is_lower_or_digit(c) || (c >= 'A' && c <= 'Z') || c == '.' || c == '+' || c == '-' || c == '~' || c == ':';
    });
}

std::expected<void, std::string> take_package(std::string_view& rest, DpkgLine& line) {
    std::string_view const word = take_word(rest);
    auto const colon = word.find(':');
    line.package = word.substr(0, colon);
    if (!is_package(line.package)) return wrong("expected PACKAGE:ARCH, found {}", quoted(word));
    if (colon == word.npos) return {};
    line.arch = word.substr(colon + 1);
    if (!is_arch(line.arch)) return wrong("expected an architecture after ':', found {}", quoted(word));
    return {};
}

std::expected<std::string_view, std::string> take_version(std::string_view& rest) {
    std::string_view const word = take_word(rest);
    if (word != none && !is_version(word)) return wrong("expected a version or <none>, found {}", quoted(word));
    return word;
}

std::expected<DpkgLine, std::string> done(std::string_view rest, DpkgLine line) {
    if (!rest.empty()) return wrong("expected the end of the line, found {}", quoted(rest));
    return line;
}

std::expected<DpkgLine, std::string> parse_status(std::string_view rest, DpkgLine line) {
    line.kind = Kind::status, line.state = take_word(rest);
    if (std::ranges::find(states, line.state) == states.end()) return wrong("unknown package state {}", quoted(line.state));
    if (auto ok = take_package(rest, line); !ok) return std::unexpected(ok.error());
    auto version = take_version(rest);
    if (!version) return std::unexpected(version.error());
    line.version = *version;
    return done(rest, line);
}

std::expected<DpkgLine, std::string> parse_action(Kind kind, std::string_view rest, DpkgLine line) {
    line.kind = kind;
    if (auto ok = take_package(rest, line); !ok) return std::unexpected(ok.error());
    auto before = take_version(rest);
    if (!before) return std::unexpected(before.error());
    auto after = take_version(rest);
    if (!after) return std::unexpected(after.error());
    line.old_version = *before, line.version = *after;
    if ((kind == Kind::install || kind == Kind::upgrade) && line.version == none) return wrong("expected the new version, found <none>");
    if (kind == Kind::remove && line.old_version == none) return wrong("expected the version to remove, found <none>");
    return done(rest, line);
}

std::expected<DpkgLine, std::string> parse_startup(std::string_view rest, DpkgLine line) {
    std::string_view const type = take_word(rest), command = take_word(rest);
    if (type != "archives" && type != "packages") return wrong("expected startup archives or packages, found {}", quoted(type));
    if (command.empty()) return wrong("expected a command after 'startup {}'", type);
    return done(rest, line);
}

std::expected<DpkgLine, std::string> parse_conffile(std::string_view rest, DpkgLine line) {
    auto const space = rest.rfind(' ');  // a file name may hold spaces
    std::string_view const decision = space == rest.npos ? std::string_view{} : rest.substr(space + 1);
    if (decision != "install" && decision != "keep") return wrong("expected conffile FILE install|keep, found {}", quoted(rest));
    return line;
}

// What dpkg may state right after the action without anything having happened yet.
bool restates(Kind action, std::string_view state) {
    if (action == Kind::install) return state == "config-files" || state == "not-installed";
    return state == "installed";
}

std::string_view result_of(std::string_view state) {
    if (state == "installed") return "installed";
    if (state == "config-files") return "removed";
    if (state == "not-installed") return "purged";
    return {};
}

std::string_view name_of(Kind action) { return action == Kind::install ? "install" : action == Kind::upgrade ? "upgrade" : "remove"; }

}  // namespace

std::expected<DpkgLine, std::string> parse_dpkg_line(std::string_view text) {
    DpkgLine line;
    auto time = parse_local_time(text);
    if (!time || text.size() < 20 || text[19] != ' ') return wrong("expected YYYY-MM-DD HH:MM:SS and an action, found {}", quoted(text));
    line.time = *time;
    std::string_view rest = text.substr(20);
    std::string_view const word = take_word(rest);
    if (word == "status") return parse_status(rest, line);
    if (word == "install") return parse_action(Kind::install, rest, line);
    if (word == "upgrade") return parse_action(Kind::upgrade, rest, line);
    if (word == "remove") return parse_action(Kind::remove, rest, line);
    if (word == "configure" || word == "trigproc" || word == "purge" || word == "disappear") return parse_action(Kind::known, rest, line);
    if (word == "startup") return parse_startup(rest, line);
    if (word == "conffile") return parse_conffile(rest, line);
    return wrong("unknown action {}", quoted(word));
}

Report DpkgRuns::start(DpkgLine const& line, Run& run) {
    bool const removing = line.kind == Kind::remove;
    run.version = removing ? line.old_version : line.version;
    run.old_version = !removing && line.old_version != none ? line.old_version : std::string_view{};
    run.action = line.kind, run.open = run.fresh = true;
    Report report{.version = run.version, .stage = std::string(name_of(line.kind))};
    if (!run.old_version.empty()) report.note = "from " + run.old_version;
    return report;
}

Report DpkgRuns::reach(DpkgLine const& line, Run& run) {
    Report report{.stage = std::string(line.state)};
    std::string_view const result = result_of(line.state);
    bool const restated = run.open && run.fresh && restates(run.action, line.state);
    bool const ends = !result.empty() && !restated;
    bool const names_old = run.open && !run.old_version.empty() && line.version == run.old_version && line.version != run.version;
    if (names_old && ends)
        report.note = fmt::format("{} was not kept", run.version), run.version = run.old_version;
    else if (names_old)
        report.note = "still version " + run.old_version;
    else if (line.version != none && line.version != run.version)
        run = Run{.version = std::string(line.version)};
    if (run.version.empty()) run.version = line.version;
    if (restated) report.note = fmt::format("as it was before the {}", name_of(run.action));
    if (ends) report.result = std::string(result);
    report.version = run.version;
    run.open = !ends, run.fresh = false;
    if (ends) run.old_version.clear();
    return report;
}

std::expected<std::optional<Report>, std::string> DpkgRuns::take(DpkgLine const& line, Time at) {
    if (line.kind == Kind::known) return std::nullopt;
    std::string const package(line.package);
    std::string arch(line.arch);
    if (arch.empty()) {
        auto known = arch_of_.find(package);
        arch = known != arch_of_.end() ? known->second : native_;
        if (arch.empty()) return wrong("expected PACKAGE:ARCH, found '{}' and no line before that names an architecture", package);
    } else {
        if (auto& last = arch_of_[package]; last != arch) last = arch;
        if (native_.empty() && arch != "all") native_ = arch;
    }
    Run& run = known_[package + ':' + arch];
    Report report = line.kind == Kind::status ? reach(line, run) : start(line, run);
    report.package = package, report.arch = std::move(arch), report.at = at, report.reporter = "dpkg";
    return report;
}

}  // namespace gantry::import
