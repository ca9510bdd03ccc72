#include <fmt/format.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <memory>
#include <optional>

#include "app/ask.h"
#include "app/commands/commands.h"
#include "app/problems.h"
#include "app/server_option.h"
#include "app/terminal.h"
#include "app/version.h"
#include "kernel/codec/json.h"
#include "kernel/log/backup.h"
#include "kernel/log/data_dir.h"

namespace gantry::app {
namespace {

struct BackupOptions {
    std::string to, data, check;
    ServerOption server;
    std::uint64_t mib_s_max = 0;
    bool json = false;
};
struct BackupBody {
    std::string to;
    std::optional<std::uint64_t> mib_s_max;
};
RECORD(BackupBody, to, mib_s_max);

// The state of a backup as the server tells it, and what is shown of one.
struct LogTold {
    std::string site, service, position;
};
RECORD(LogTold, site, service, position);
struct BackupTold {
    std::string state, to;
    std::uint64_t bytes_done = 0, bytes_of = 0;
    std::optional<Time> at;
    std::vector<LogTold> logs;
    std::optional<std::string> code, detail, cause;
};
RECORD(BackupTold, state, to, bytes_done, bytes_of, at, logs, code, detail, cause);

// On a terminal, in place.
void show_progress(std::uint64_t done, std::uint64_t of) {
    if (is_terminal(Stream::err)) fmt::print(stderr, "\r{} of {}    ", format_bytes(done), format_bytes(of));
}
void end_progress() {
    if (is_terminal(Stream::err)) fmt::print(stderr, "\r{:40}\r", "");
}

BackupTold told(log::BackupManifest const& manifest, std::string const& place) {
    BackupTold out{"done", place, manifest.bytes(), manifest.bytes(), manifest.at, {}, {}, {}, {}};
    for (auto const& log : manifest.logs) out.logs.push_back({log.site, log.service, fmt::format("{}.{}", log.incarnation, log.position)});
    return out;
}

int show(BackupTold const& backup, bool json, std::string_view what) {
    if (json) return print(codec::to_json(backup) + "\n") ? exit_ok : exit_failed;
    std::string out = fmt::format("{}: as of {}, in {}\n", what, backup.at ? format_time(*backup.at) : "", backup.to);
    std::vector<std::vector<std::string>> rows;
    for (auto const& log : backup.logs) rows.push_back({log.site, log.service, log.position});
    return print(out + table({"SITE", "SERVICE", "POSITION"}, rows)) ? exit_ok : exit_failed;
}

Result<BackupTold> back_up_online(BackupOptions const& o) {
    BackupBody body{std::filesystem::absolute(o.to).lexically_normal().string(), {}};
    if (o.mib_s_max) body.mib_s_max = o.mib_s_max;
    TRY_ASSIGN(
        auto answer,
        ask({.server = o.server, .method = "POST", .target = "/_gantry/v1/backups", .body = codec::to_json(body), .has_data = true}));
    for (;;) {
        TRY_ASSIGN(auto now, read_answer<BackupTold>(answer));
        show_progress(now.bytes_done, now.bytes_of);
        if (now.state == "done") return now;
        if (now.state != "running") {
            Problem problem{500, now.code.value_or("backup_failed"), now.detail.value_or("the server was started again")};
            problem.cause = now.cause.value_or("");
            return fail(std::move(problem));
        }
        ::poll(nullptr, 0, 100);
        TRY_ASSIGN(answer, ask({o.server, "GET", "/_gantry/v1/backups"}));
    }
}

Result<BackupTold> back_up_stopped(BackupOptions const& o) {
    auto& disk = log::system_disk();
    TRY_ASSIGN(auto source, log::stopped_source(disk, o.data));
    TRY_ASSIGN(auto data, log::DataDirectory::open(disk, o.data));
    source.at = system_clock().wall(), source.version = version();
    TRY_ASSIGN(auto manifest, log::back_up(disk, source, o.to, [](auto done, auto of) { return show_progress(done, of), true; }));
    return told(manifest, o.to);
}

int check(BackupOptions const& o) {
    auto manifest = log::check_backup(log::system_disk(), o.check, [](auto done, auto of) { return show_progress(done, of), true; });
    end_progress();
    if (!manifest) return complain(manifest.error()), exit_of(manifest.error());
    return show(told(*manifest, o.check), o.json, "whole");
}

int backup(BackupOptions const& o) {
    if (o.to.empty() == o.check.empty()) return complain("name --to DIR or --check DIR, one of them"), exit_usage;
    if (!o.check.empty()) return check(o);
    ::umask(077);  // it holds the keys
    auto done = o.data.empty() ? back_up_online(o) : back_up_stopped(o);
    end_progress();
    if (!done) return complain(done.error()), exit_of(done.error());
    return show(*done, o.json, "backed up");
}

struct RestoreOptions {
    std::string from, data, erasures;
    bool json = false;
};

// Of a file, or of every site of a directory: an old data directory, or a later backup.
Result<std::vector<log::Erasure>> erasures_of(std::string const& path) {
    std::vector<log::Erasure> out;
    std::vector<std::string> files;
    std::error_code error;
    if (std::filesystem::is_directory(path, error)) {
        for (auto const& site : std::filesystem::directory_iterator(path, error))
            for (auto const& file : std::filesystem::directory_iterator(site.path(), error))
                if (file.path().filename().string().starts_with("erasures.ndjson")) files.push_back(file.path().string());
    } else if (std::filesystem::exists(path, error)) {
        files.push_back(path);
    }
    if (files.empty())
        return fail(404, "erasures_absent", path + " holds no erasures.ndjson: name that file, a data directory, or a later backup");
    for (auto const& file : files) {
        TRY_ASSIGN(auto some, log::Erasures::open(log::system_disk(), file));
        out.insert(out.end(), some.all().begin(), some.all().end());
    }
    return out;
}

int restore(RestoreOptions const& o) {
    std::vector<log::Erasure> erasures;
    if (!o.erasures.empty()) {
        auto known = erasures_of(o.erasures);
        if (!known) return complain(known.error()), exit_of(known.error());
        erasures = std::move(*known);
    }
    ::umask(077);
    auto restored = log::restore_backup(log::system_disk(), o.from, o.data, erasures, system_clock(), system_random(),
                                        [](auto done, auto of) { return show_progress(done, of), true; });
    end_progress();
    if (!restored) return complain(restored.error()), exit_of(restored.error());
    if (o.json) return print(codec::to_json(*restored) + "\n") ? exit_ok : exit_failed;
    std::vector<std::vector<std::string>> rows;
    for (auto const& log : restored->logs)
        rows.push_back({log.site, log.service, std::to_string(log.position), log.former, log.incarnation});
    auto out = fmt::format("restored into {}: as of {}\n", o.data, format_time(restored->at));
    if (restored->erased_again) out += fmt::format("{} subjects were erased again\n", restored->erased_again);
    return print(out + table({"SITE", "SERVICE", "UP TO", "OF", "GOES ON AS"}, rows)) ? exit_ok : exit_failed;
}

}  // namespace

void add_backup(CLI::App& app, Action& action) {
    auto* command = app.add_subcommand("backup", "Back up all logs and keys of a server, while it serves or when it is stopped.");
    auto o = std::make_shared<BackupOptions>();
    command->add_option("--to", o->to, "Absent or empty, or an earlier backup, to which what is new is added.")->type_name("DIR");
    command->add_option("--check", o->check, "Instead: read a backup and say whether it is whole.")->type_name("DIR");
    auto* server = add_server_option(*command, o->server, "The running server, on this machine.");
    command->add_option("--data", o->data, "Instead: the data directory of a server that is stopped.")->type_name("DIR")->excludes(server);
    command->add_option("--mib-s-max", o->mib_s_max, "Most that the server reads a second; 0: no limit.")
        ->type_name("MIB")
        ->capture_default_str();
    command->add_flag("--json", o->json, "For programs: one JSON object.");
    command->callback([&action, o] { action = [o] { return backup(*o); }; });
}

void add_restore(CLI::App& app, Action& action) {
    auto* command = app.add_subcommand("restore", "Make a data directory of a backup; each log goes on in a new history.");
    auto o = std::make_shared<RestoreOptions>();
    command->add_option("--from", o->from, "The backup.")->type_name("DIR")->required();
    command->add_option("--data", o->data, "The data directory: absent or empty.")->type_name("DIR")->required();
    command
        ->add_option("--erasures", o->erasures,
                     "Erases again what was erased since: an erasures.ndjson, the data directory that was lost, or a later backup.")
        ->type_name("PLACE");
    command->add_flag("--json", o->json, "For programs: one JSON object.");
    command->callback([&action, o] { action = [o] { return restore(*o); }; });
}

}  // namespace gantry::app
