#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <filesystem>

#include "app/doctor/check.h"
#include "app/doctor/disk_time.h"
#include "app/terminal.h"
#include "kernel/codec/json.h"
#include "kernel/log/backup.h"
#include "kernel/log/data_dir.h"

namespace gantry::app::doctor {
namespace {

constexpr char const* directory = "data directory";

// Files that open doors: callers, keys, the token of the running server.
constexpr std::array<std::string_view, 4> private_files = {"callers.json", "request.key", "subject.keys", "server.json"};

std::string existing_parent(std::string path) {
    std::error_code ignored;
    auto at = std::filesystem::absolute(path, ignored);
    while (at.has_relative_path() && !std::filesystem::exists(at, ignored)) at = at.parent_path();
    return at.string();
}

bool writable(std::string const& path) { return ::faccessat(AT_FDCWD, path.c_str(), W_OK | X_OK, AT_EACCESS) == 0; }

Check check_absent(std::string const& data) {
    auto const parent = existing_parent(data);
    if (!std::filesystem::is_directory(parent))
        return wrong(directory, fmt::format("{} can't be made: {} is no directory", data, parent), "name another one with --data");
    if (!writable(parent))
        return wrong(directory, fmt::format("{} can't be made: {}: {}", data, parent, std::strerror(errno)),
                     fmt::format("mkdir {} and give it to the user {} (chown), or name another one with --data", data, ::geteuid()));
    return fine(directory, fmt::format("{} is not there; serve makes it", data));
}

Check check_directory(std::string const& data, struct stat const& about) {
    if (!S_ISDIR(about.st_mode)) return wrong(directory, data + " is no directory", "name another one with --data");
    auto const mode = about.st_mode & 07777;
    struct statvfs volume{};
    if (::statvfs(data.c_str(), &volume) == 0 && (volume.f_flag & ST_RDONLY))
        return wrong(directory, data + " is on a file system that is mounted read-only",
                     "mount it for writing (mount -o remount,rw); the kernel does this itself after disk errors: see dmesg");
    if (!writable(data))
        return wrong(directory, fmt::format("{} (owner {}, mode {:04o}): {}", data, about.st_uid, mode, std::strerror(errno)),
                     fmt::format("chown {} {}", ::geteuid(), data));
    if (mode & S_IWOTH)
        return wrong(directory, fmt::format("everybody on this machine may write to {} (mode {:04o})", data, mode), "chmod 750 " + data);
    if (about.st_uid != ::geteuid())
        return warn(directory, fmt::format("{} belongs to the user {}, and this is {}", data, about.st_uid, ::geteuid()),
                    "run the server, and this, as the user to whom the data belongs");
    if (mode & S_IRWXO)
        return warn(directory, fmt::format("everybody on this machine may look into {} (mode {:04o})", data, mode), "chmod 750 " + data);
    return fine(directory, fmt::format("{} (owner {}, mode {:04o})", data, about.st_uid, mode));
}

Check check_file_system(std::string const& data) {
    auto const kind = log::system_disk().file_system(data);
    if (!kind) return wrong("file system", kind.error().cause, "name a directory on a local disk with --data");
    if (log::is_network_file_system(*kind))
        return wrong("file system", fmt::format("{} is on {}, where neither locks nor syncs can be trusted", data, *kind),
                     "name a directory on a local disk with --data");
    if (*kind == "tmpfs")
        return warn("file system", data + " is on tmpfs: it is gone with the machine's next start", "use a directory on a disk");
    return fine("file system", *kind);
}

Check check_space(std::string const& data) {
    struct statvfs volume{};
    if (::statvfs(data.c_str(), &volume) != 0) return wrong("space", std::strerror(errno), "see whether the file system is sound: dmesg");
    auto const block = std::uint64_t(volume.f_frsize);
    return judge_space(volume.f_bavail * block, volume.f_blocks * block, volume.f_favail, volume.f_files);
}

Check check_format(std::string const& data) {
    auto const text = text_of(data + "/FORMAT");
    constexpr std::string_view ours = "gantry-data ";
    if (text.empty()) {
        if (std::filesystem::is_empty(data)) return fine("data format", "none yet");
        return wrong("data format", data + " holds something else: there is no FORMAT in it", "name another directory with --data");
    }
    int found = 0;
    if (!text.starts_with(ours) || std::from_chars(text.data() + ours.size(), text.data() + text.size(), found).ec != std::errc())
        return wrong("data format", data + "/FORMAT isn't ours", "name another directory with --data");
    if (found == log::DataDirectory::format) return fine("data format", fmt::format("{}", found));
    return wrong("data format", fmt::format("{}; this program reads {}", found, log::DataDirectory::format),
                 found < log::DataDirectory::format ? "run `gantry log upgrade`" : "run the release that wrote it, or a newer one");
}

Check check_lock(std::string const& data, Machine const& machine) {
    int const pid = holder_of(data);
    if (pid == 0) return fine("lock", "nobody has the data open");
    if (pid < 0)
        return wrong("lock", fmt::format("{}/LOCK: {}", data, std::strerror(errno)), fmt::format("chown -R {} {}", ::geteuid(), data));
    auto name = text_of(fmt::format("{}/{}/comm", machine.proc, pid));
    while (!name.empty() && name.back() == '\n') name.pop_back();
    return fine("lock", fmt::format("process {}{} has the data open", pid, name.empty() ? "" : " (" + name + ")"));
}

void check_private(std::string const& path, std::vector<std::string>& open, std::string& chmod) {
    struct stat about{};
    if (::stat(path.c_str(), &about) != 0 || !(about.st_mode & (S_IRWXO | S_IRWXG))) return;
    open.push_back(fmt::format("{} (mode {:04o})", path, about.st_mode & 07777));
    chmod += (chmod.empty() ? "chmod 600 " : " ") + path;
}

Check check_keys(std::string const& data) {
    std::vector<std::string> open;
    std::string chmod;
    check_private(data + "/server.json", open, chmod);
    std::error_code ignored;
    for (auto const& site : std::filesystem::directory_iterator(data, ignored))
        if (site.is_directory(ignored))
            for (auto name : private_files) check_private(fmt::format("{}/{}", site.path().string(), name), open, chmod);
    if (open.empty()) return fine("keys", "the files of callers and keys are their owner's alone");
    return wrong("keys", fmt::format("others may use {}", fmt::join(open, ", ")), chmod);
}

struct LastScrub {
    Time ended{};
};
RECORD(LastScrub, ended);

}  // namespace

int holder_of(std::string const& data) {
    auto const path = data + "/LOCK";
    int const fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (fd < 0) return errno == ENOENT || errno == ENOTDIR ? 0 : -1;
    bool const held = ::flock(fd, LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK;
    ::close(fd);
    if (!held) return 0;
    auto const text = text_of(path);
    int pid = 0;
    std::from_chars(text.data(), text.data() + text.size(), pid);
    return std::max(pid, 1);  // who made the lock and hasn't written its number yet
}

Check judge_space(std::uint64_t free_bytes, std::uint64_t bytes, std::uint64_t free_inodes, std::uint64_t inodes) {
    constexpr std::uint64_t bytes_least = 512 << 20, inodes_least = 1000;
    auto const found = fmt::format("{} of {} free{}", format_bytes(free_bytes), format_bytes(bytes),
                                   inodes ? fmt::format(", {} of {} inodes", free_inodes, inodes) : "");
    auto const remedy = "make room, or move the data to a larger disk; without room commands get 507 and reads go on";
    if (free_bytes < bytes_least || (inodes && free_inodes < inodes_least)) return wrong("space", found, remedy);
    if (free_bytes < bytes / 10 || (inodes && free_inodes < inodes / 50)) return warn("space", found, remedy);
    return fine("space", found);
}

Check judge_syncs(std::int64_t p50_us, std::int64_t p99_us) {
    auto const found = fmt::format("a sync takes {:.2f} ms (p50), {:.2f} ms (p99)", double(p50_us) / 1000, double(p99_us) / 1000);
    if (p50_us < 5)
        return warn("disk", found + ": too fast to reach a disk",
                    "on a power cut what was acknowledged may be lost: use a real disk that syncs");
    if (p50_us > 50'000 || p99_us > 1'000'000)
        return wrong("disk", found + ": every command waits so long", "use a faster disk, or find out who else writes to it (iostat -x 1)");
    if (p50_us > 15'000 || p99_us > 200'000)
        return warn("disk", found + ": slow, and every command waits so long",
                    "use an SSD, or find out who else writes to it (iostat -x 1)");
    return fine("disk", found);
}

Check check_backup(std::string const& data, Time now) {
    auto const text = text_of(data + "/" + std::string(log::last_backup_file));
    if (text_of(data + "/FORMAT").empty()) return fine("backup", "there is nothing to back up yet");
    auto last = codec::from_json<log::LastBackup>(text, {.lenient = true});
    if (text.empty() || !last) return warn("backup", "no backup is known of", "gantry backup DIR, every day, to another disk");
    auto const found = fmt::format("the last one is from {}, in {}", format_time(last->at), last->to);
    if (now - last->at > Duration::days(7)) return warn("backup", found, "gantry backup DIR, every day, to another disk");
    return fine("backup", found);
}

Check check_scrub(std::string const& data, Duration every, Time now) {
    auto const text = text_of(data + "/scrub.json");
    if (every.us == 0)
        return warn("scrub", "[log] scrub_every is 0: rot on the disk is found only when it is needed", "set [log] scrub_every = \"7d\"");
    auto last = codec::from_json<LastScrub>(text, {.lenient = true});
    if (text.empty() || !last) return fine("scrub", "none yet: the first is due after the server ran for a while");
    auto const found = fmt::format("the last one ended {}", format_time(last->ended));
    if (now - last->ended > Duration{2 * every.us})
        return warn("scrub", found + fmt::format(", more than twice {} ago", format_duration(every)),
                    "let the server run, and see `gantry log verify`");
    return fine("scrub", found);
}

std::vector<Check> check_data(std::string const& data, Machine const& machine) {
    struct stat about{};
    if (::stat(data.c_str(), &about) != 0) {
        if (errno != ENOENT)
            return {wrong(directory, fmt::format("{}: {}", data, std::strerror(errno)),
                          "name another one with --data, or let this user enter it")};
        auto const parent = existing_parent(data);
        std::vector<Check> out{check_absent(data)};
        if (out[0].verdict == Verdict::ok) out.push_back(check_file_system(parent)), out.push_back(check_space(parent));
        return out;
    }
    std::vector<Check> out{check_directory(data, about)};
    if (!S_ISDIR(about.st_mode)) return out;
    out.push_back(check_file_system(data)), out.push_back(check_space(data));
    if (out[0].verdict == Verdict::problem) return out;
    out.push_back(check_disk(data, *machine.clock));
    out.push_back(check_lock(data, machine)), out.push_back(check_format(data)), out.push_back(check_keys(data));
    return out;
}

}  // namespace gantry::app::doctor
