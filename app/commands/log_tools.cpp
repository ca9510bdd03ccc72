#include <fmt/format.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>

#include "app/commands/log.h"
#include "app/commands/log_place.h"
#include "app/problems.h"
#include "app/terminal.h"
#include "kernel/codec/json.h"
#include "kernel/log/data_dir.h"
#include "kernel/log/file/tools.h"

namespace gantry::app {
namespace {

struct PlaceShown {
    std::string file;
    std::uint64_t offset = 0, position = 0;
    std::string what;
};
RECORD(PlaceShown, file, offset, position, what);
struct VerifyShown {
    bool ok = true;
    std::uint64_t segments = 0, batches = 0, events = 0, bytes = 0, begin = 0, end = 0;
    std::string incarnation;
    std::uint64_t torn_bytes = 0;
    std::vector<PlaceShown> damages;
};
RECORD(VerifyShown, ok, segments, batches, events, bytes, begin, end, incarnation, torn_bytes, damages);
struct RepairShown {
    bool repaired = false;
    std::uint64_t last_kept = 0, last_lost = 0;
    std::vector<std::string> aside;
    std::optional<std::string> incarnation;
    std::vector<PlaceShown> damages;
};
RECORD(RepairShown, repaired, last_kept, last_lost, aside, incarnation, damages);
struct UpgradeShown {
    std::uint32_t from = 0, to = 0;
    std::uint64_t batches = 0;
    std::string kept;
};
RECORD(UpgradeShown, from, to, batches, kept);

std::vector<PlaceShown> places(std::vector<log::Damage> const& damages) {
    std::vector<PlaceShown> out;
    for (auto const& d : damages) out.push_back({d.file, d.offset, d.position, d.what});
    return out;
}

int failed(Problem const& problem) { return complain(problem), exit_of(problem); }

// A directory that isn't there must not be made by looking at it.
Result<void> must_exist(std::string const& directory) {
    TRY_ASSIGN(auto names, log::system_disk().list(directory));
    if (names.empty()) return fail(404, "log_not_found", fmt::format("there is no log in {}", directory));
    return {};
}

int show(log::VerifyReport const& r, bool json) {
    VerifyShown shown{r.ok(),       r.segments,       r.batches, r.events, r.bytes, r.begin, r.end, log::incarnation_text(r.incarnation),
                      r.torn_bytes, places(r.damages)};
    std::string out = codec::to_json(shown) + "\n";
    if (!json) {
        out = fmt::format("{} events ({} to {}) in {} batches, {} segments, {}\n", r.events, r.begin, r.end, r.batches, r.segments,
                          format_bytes(r.bytes));
        if (r.torn_bytes)
            out += fmt::format("{} bytes behind the last whole batch were never acknowledged; the next start cuts them\n", r.torn_bytes);
        for (auto const& d : r.damages)
            out += fmt::format("{} {} at offset {}, position {}: {}\n", styled(Stream::out, Style::red, "damaged:"), d.file, d.offset,
                               d.position, d.what);
        out += r.ok() ? styled(Stream::out, Style::green, "whole") + "\n" : "see what a repair would cut: gantry log repair --dry-run\n";
    }
    if (!print(out)) return exit_failed;
    return r.ok() ? exit_ok : exit_data;
}

int verify(LogOptions const& o) {
    if (auto there = must_exist(o.directory()); !there) return failed(there.error());
    auto report = log::verify(log::system_disk(), o.directory());
    return report ? show(*report, o.json) : failed(report.error());
}

int repair(LogOptions const& o, bool dry_run) {
    auto& disk = log::system_disk();
    if (auto there = must_exist(o.directory()); !there) return failed(there.error());
    auto data = log::DataDirectory::open(disk, o.data);
    if (!data) return failed(data.error());
    auto r = log::repair(disk, o.directory(), dry_run ? log::Repair::dry_run : log::Repair::act, {}, system_clock(), system_random());
    if (!r) return failed(r.error());
    RepairShown shown{!dry_run && !r->damages.empty(), r->last_kept, r->last_lost, r->aside, {}, places(r->damages)};
    if (r->incarnation) shown.incarnation = log::incarnation_text(r->incarnation);
    if (!print(o.json ? codec::to_json(shown) + "\n" : r->text())) return exit_failed;
    return dry_run && !r->damages.empty() ? exit_data : exit_ok;
}

using Stdio = std::unique_ptr<std::FILE, int (*)(std::FILE*)>;
Stdio open_stream(std::string const& path, char const* mode) {
    bool const reading = mode[0] == 'r';
    if (path == "-") return Stdio(reading ? stdin : stdout, [](std::FILE* f) { return std::fflush(f); });
    return Stdio(std::fopen(path.c_str(), mode), &std::fclose);
}
int stream_failed(std::string const& path) { return complain(fmt::format("{}: {}", path, std::strerror(errno))), exit_failed; }

int export_to(LogOptions const& o, std::string const& path) {
    if (path == "-" && is_terminal(Stream::out))
        return complain("an export is binary: name a FILE, or send standard output elsewhere"), exit_usage;
    if (auto there = must_exist(o.directory()); !there) return failed(there.error());
    auto out = open_stream(path, "wbx");
    if (!out) return stream_failed(path);
    auto done = log::export_log(log::system_disk(), o.directory(), [&](std::string_view bytes) -> Result<void> {
        if (std::fwrite(bytes.data(), 1, bytes.size(), out.get()) == bytes.size()) return {};
        return fail(500, "export_failed", fmt::format("{}: {}", path, std::strerror(errno)));
    });
    if (!done) return failed(done.error());
    return std::fflush(out.get()) == 0 ? exit_ok : stream_failed(path);
}

int import_from(LogOptions const& o, std::string const& path) {
    auto in = open_stream(path, "rb");
    if (!in) return stream_failed(path);
    auto& disk = log::system_disk();
    auto data = log::DataDirectory::open(disk, o.data);
    if (!data) return failed(data.error());
    auto fill = [&](std::span<char> into) -> Result<std::size_t> {
        auto n = std::fread(into.data(), 1, into.size(), in.get());
        if (n == 0 && std::ferror(in.get())) return fail(500, "import_unreadable", fmt::format("{}: {}", path, std::strerror(errno)));
        return n;
    };
    auto report = log::import_log(disk, o.directory(), fill, {}, system_clock(), system_random());
    return report ? show(*report, o.json) : failed(report.error());
}

int upgrade(LogOptions const& o) {
    auto& disk = log::system_disk();
    auto data = log::DataDirectory::open(disk, o.data);
    if (!data) return failed(data.error());
    auto r = log::upgrade(disk, o.directory(), {}, system_clock(), system_random());
    if (!r) return failed(r.error());
    UpgradeShown shown{r->from, r->to, r->batches, r->kept};
    auto people = r->from == r->to
                      ? fmt::format("The log has the current format, {}.\n", r->to)
                      : fmt::format("From format {} to {}: {} batches. The old form is in {}.\n", r->from, r->to, r->batches, r->kept);
    return print(o.json ? codec::to_json(shown) + "\n" : people) ? exit_ok : exit_failed;
}

std::shared_ptr<LogOptions> options_of(CLI::App& command) {
    auto o = std::make_shared<LogOptions>();
    add_log_options(command, *o);
    return o;
}

}  // namespace

void add_log_verify(CLI::App& log, Action& action) {
    auto* command = log.add_subcommand("verify", "Read everything and say whether it is whole; changes nothing.");
    auto o = options_of(*command);
    command->callback([&action, o] { action = [o] { return verify(*o); }; });
}

void add_log_repair(CLI::App& log, Action& action) {
    auto* command = log.add_subcommand("repair", "Cut a log at its first damage and keep aside what was cut; the server must be stopped.");
    auto o = options_of(*command);
    auto dry_run = std::make_shared<bool>();
    command->add_flag("--dry-run", *dry_run, "Only say what would be cut.");
    command->callback([&action, o, dry_run] { action = [=] { return repair(*o, *dry_run); }; });
}

void add_log_export(CLI::App& log, Action& action) {
    auto* command = log.add_subcommand("export", "Write a log as one portable stream.");
    auto o = options_of(*command);
    auto path = std::make_shared<std::string>("-");
    command->add_option("FILE", *path, "A file that isn't there yet; -: standard output.")->capture_default_str();
    command->callback([&action, o, path] { action = [=] { return export_to(*o, *path); }; });
}

void add_log_import(CLI::App& log, Action& action) {
    auto* command = log.add_subcommand("import", "Make a log from an exported stream; the server must be stopped.");
    auto o = options_of(*command);
    auto path = std::make_shared<std::string>("-");
    command->add_option("FILE", *path, "The stream; -: standard input.")->capture_default_str();
    command->callback([&action, o, path] { action = [=] { return import_from(*o, *path); }; });
}

void add_log_upgrade(CLI::App& log, Action& action) {
    auto* command = log.add_subcommand("upgrade", "Rewrite a log of an older disk format; the server must be stopped.");
    auto o = options_of(*command);
    command->callback([&action, o] { action = [o] { return upgrade(*o); }; });
}

}  // namespace gantry::app
