#pragma once
#include <atomic>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "kernel/log/backup.h"
#include "kernel/runtime/admin.h"
#include "kernel/runtime/host.h"

namespace gantry::runtime {

// Backs up all logs of a process while it serves, one backup at a time. What it copies is how all of them stood at one moment, so no
// follower's cursor is ahead of its source. Any thread may ask.
class Backups {
   public:
    struct OfLog {
        std::string site, directory;
        Host* host = nullptr;
    };
    struct Parts {
        log::Disk& disk;
        Clock& clock;
        std::string data;  // empty: all is in memory, and nothing can be backed up
        std::vector<std::string> sites;
        std::string version;
        std::function<std::vector<OfLog>()> logs;
        std::function<void(std::move_only_function<void()>)> background;
    };
    struct Progress {
        std::string state = "none";  // running, done, failed
        std::string to;
        std::uint64_t bytes_done = 0, bytes_of = 0;
        std::optional<Problem> problem;
        std::optional<log::BackupManifest> manifest;
    };
    explicit Backups(Parts parts) : parts_(std::move(parts)) {}

    // 409 "backup_running", 409 "backup_of_memory", 400 "request_invalid", 503 "service_starting".
    Result<void> start(std::string to, std::uint64_t bytes_a_second_max);
    Progress progress() const;
    // Before a stop: what is under way fails.
    void end() { ended_ = true; }

    // How each log stands at one moment, in the order of `logs`; waits until that is durable.
    static Result<std::vector<log::Status>> stand(std::vector<OfLog> const& logs);

   private:
    Result<log::BackupManifest> run(std::string const& to, std::uint64_t bytes_a_second_max);
    Parts parts_;
    std::atomic<bool> ended_ = false;
    mutable std::mutex mutex_;
    Progress progress_;
};

// POST backups {to, mib_s_max}, GET backups.
std::vector<Admin::Route> routes_of(Backups& backups);

}  // namespace gantry::runtime
