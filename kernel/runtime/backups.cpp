#include "kernel/runtime/backups.h"

#include <algorithm>
#include <chrono>
#include <shared_mutex>
#include <thread>

#include "kernel/codec/json.h"
#include "kernel/observe/log_line.h"

namespace gantry::runtime {
namespace {

struct BackupAsked {
    Text<1, 4000> to;
    std::optional<Bounded<1, 1 << 20>> mib_s_max;
};
RECORD(BackupAsked, to, mib_s_max);

struct LogShown {
    std::string site, service, position;
};
RECORD(LogShown, site, service, position);
struct BackupShown {
    std::string state, to;
    std::uint64_t bytes_done = 0, bytes_of = 0;
    std::optional<Time> at;
    std::vector<LogShown> logs;
    std::optional<std::string> code, detail, cause;
};
RECORD(BackupShown, state, to, bytes_done, bytes_of, at, logs, code, detail, cause);

std::string shown(Backups::Progress const& progress) {
    BackupShown out{progress.state, progress.to, progress.bytes_done, progress.bytes_of, {}, {}, {}, {}, {}};
    if (progress.manifest) {
        out.at = progress.manifest->at;
        for (auto const& log : progress.manifest->logs)
            out.logs.push_back({log.site, log.service, log.incarnation + "." + std::to_string(log.position)});
    }
    if (progress.problem) out.code = progress.problem->code, out.detail = progress.problem->detail, out.cause = progress.problem->cause;
    return codec::to_json(out);
}

// Retention removes nothing while this lives.
class KeptSegments {
   public:
    explicit KeptSegments(std::vector<Backups::OfLog> const& logs) : logs_(logs) {
        for (auto const& log : logs_) log.host->keep_segments(true);
    }
    ~KeptSegments() {
        for (auto const& log : logs_) log.host->keep_segments(false);
    }
    KeptSegments(KeptSegments const&) = delete;

   private:
    std::vector<Backups::OfLog> const& logs_;
};

}  // namespace

Result<void> Backups::start(std::string to, std::uint64_t bytes_a_second_max) {
    if (parts_.data.empty()) return fail(409, "backup_of_memory", "this server keeps nothing on a disk: there is nothing to back up");
    if (!to.starts_with('/')) return fail(400, "request_invalid", "to: expected the absolute path of a directory on the server's machine");
    auto const logs = parts_.logs();
    if (!std::ranges::all_of(logs, [](auto const& log) { return log.host->ready(); }))
        return fail({503, "service_starting", "a service is still reading its log: try again", {}, {}, 1});
    {
        std::lock_guard lock(mutex_);
        if (progress_.state == "running")
            return fail(409, "backup_running", "a backup to " + progress_.to + " is under way: wait for its end");
        progress_ = {"running", to, 0, 0, {}, {}};
    }
    parts_.background([this, to = std::move(to), bytes_a_second_max] {
        auto done = run(to, bytes_a_second_max);
        observe::log_line(done ? observe::Level::info : observe::Level::error, "runtime", done ? "backed up" : "the backup failed",
                          {{"to", to}, {"cause", done ? std::string() : done.error().detail + " " + done.error().cause}});
        std::lock_guard lock(mutex_);
        progress_.state = done ? "done" : "failed";
        if (done)
            progress_.manifest = std::move(*done);
        else
            progress_.problem = std::move(done.error());
    });
    return {};
}

Backups::Progress Backups::progress() const {
    std::lock_guard lock(mutex_);
    return progress_;
}

Result<std::vector<log::Status>> Backups::stand(std::vector<OfLog> const& logs) {
    std::vector<log::Status> out;
    {
        std::vector<std::shared_lock<WriterFirstLock>> held;
        for (auto const& log : logs) held.push_back(log.host->hold());
        for (auto const& log : logs) out.push_back(log.host->log().status());
    }
    for (auto const& log : logs) TRY_VOID(log.host->log().wait_durable());
    return out;
}

Result<log::BackupManifest> Backups::run(std::string const& to, std::uint64_t bytes_a_second_max) {
    auto const logs = parts_.logs();
    KeptSegments const kept(logs);
    log::BackupSource source;
    source.data = parts_.data, source.sites = parts_.sites, source.version = parts_.version, source.at = parts_.clock.wall();
    TRY_ASSIGN(auto stand, Backups::stand(logs));
    for (std::size_t i = 0; i < logs.size(); ++i)
        source.logs.push_back({logs[i].site, std::string(logs[i].host->decl().name), logs[i].directory, stand[i]});
    auto const began_ns = parts_.clock.steady_ns();
    return log::back_up(parts_.disk, source, to, [&](std::uint64_t done, std::uint64_t of) {
        {
            std::lock_guard lock(mutex_);
            progress_.bytes_done = done, progress_.bytes_of = of;
        }
        auto early_s = [&] {
            auto const gone_s = double(parts_.clock.steady_ns() - began_ns) / 1e9;
            return bytes_a_second_max ? double(done) / double(bytes_a_second_max) - gone_s : 0.0;
        };
        while (!ended_ && early_s() > 0) std::this_thread::sleep_for(std::chrono::milliseconds(5));
        return !ended_.load();
    });
}

std::vector<Admin::Route> routes_of(Backups& backups) {
    using enum Admin::Where;
    return {{http::Method::Post, "backups", at_once,
             [&](Admin::Asked const& asked) -> Result<std::string> {
                 TRY_ASSIGN(auto wanted, codec::from_json<BackupAsked>(asked.body));
                 TRY_VOID(backups.start(wanted.to.str(), wanted.mib_s_max ? std::uint64_t(*wanted.mib_s_max) << 20 : 0));
                 return shown(backups.progress());
             }},
            {http::Method::Get, "backups", at_once, [&](Admin::Asked const&) -> Result<std::string> { return shown(backups.progress()); }}};
}

}  // namespace gantry::runtime
