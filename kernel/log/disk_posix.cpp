#include <fcntl.h>
#include <fmt/format.h>
#include <linux/magic.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <memory>

#include "kernel/log/aligned.h"
#include "kernel/log/disk.h"

namespace gantry::log {
namespace {

std::unexpected<Problem> failed(std::string_view call, std::string_view path, int error) {
    bool full = error == ENOSPC || error == EDQUOT;
    Problem p{full ? 507 : 500, full ? "disk_full" : "disk_failed", full ? "The disk is full." : "The disk failed."};
    p.cause = fmt::format("{} {}: {}", call, path, std::strerror(error));
    return fail(std::move(p));
}

class PosixFile final : public File {
   public:
    PosixFile(int fd, std::string path) : fd_(fd), path_(std::move(path)) {}
    ~PosixFile() override {
        ::close(fd_);
        if (direct_ >= 0) ::close(direct_);
    }

    Result<std::size_t> read(std::uint64_t offset, std::span<char> out) override {
        std::size_t done = 0;
        while (done < out.size()) {
            auto n = ::pread(fd_, out.data() + done, out.size() - done, off_t(offset + done));
            if (n < 0 && errno == EINTR) continue;
            if (n < 0) return failed("pread", path_, errno);
            if (n == 0) break;
            done += std::size_t(n);
        }
        return done;
    }
    Result<void> write(std::uint64_t offset, std::string_view bytes) override {
        TRY_VOID(write_past_the_cache(offset, bytes));
        while (!bytes.empty()) {
            auto n = ::pwrite(fd_, bytes.data(), bytes.size(), off_t(offset));
            if (n < 0 && errno == EINTR) continue;
            if (n < 0) return failed("pwrite", path_, errno);
            if (n == 0) return failed("pwrite", path_, EIO);
            bytes.remove_prefix(std::size_t(n)), offset += std::uint64_t(n);
        }
        return {};
    }
    Result<void> sync() override {
        if (::fdatasync(fd_) != 0) return failed("fdatasync", path_, errno);
        return {};
    }
    Result<void> allocate(std::uint64_t bytes) override {
        TRY_ASSIGN(auto at, size());
        if (bytes <= at) return {};
        int error = 0;
        do error = ::fallocate(fd_, 0, 0, off_t(bytes)) == 0 ? 0 : errno;
        while (error == EINTR);
        if (error != 0 && error != EOPNOTSUPP) return failed("fallocate", path_, error);
        // Zeros are written out: a block that is allocated but unwritten costs a metadata change at its first use, thus at a commit.
        static AlignedBytes const zeros(1 << 20);
        while (at < bytes) {
            auto const n = std::min<std::uint64_t>(bytes - at, zeros.size());
            TRY_VOID(write(at, zeros.view().substr(0, std::size_t(n))));
            at += n;
        }
        return {};
    }
    Result<void> truncate(std::uint64_t bytes) override {
        if (::ftruncate(fd_, off_t(bytes)) != 0) return failed("ftruncate", path_, errno);
        return {};
    }
    Result<std::uint64_t> size() override {
        struct stat info{};
        if (::fstat(fd_, &info) != 0) return failed("fstat", path_, errno);
        return std::uint64_t(info.st_size);
    }
    int descriptor() const { return fd_; }

   private:
    static constexpr std::uint64_t block_bytes = 4096;

    // Writes whole blocks from aligned memory without the page cache, where the file system can, and leaves the rest in `bytes`: a log is
    // written once and seldom read, and pages that are touched for the first time cost more than the disk's transfer.
    Result<void> write_past_the_cache(std::uint64_t& offset, std::string_view& bytes) {
        if (!direct_works_ || offset % block_bytes != 0 || reinterpret_cast<std::uintptr_t>(bytes.data()) % block_bytes != 0) return {};
        if (bytes.size() < block_bytes) return {};
        if (direct_ < 0) direct_ = ::open(path_.c_str(), O_WRONLY | O_DIRECT | O_CLOEXEC);
        direct_works_ = direct_ >= 0;
        while (direct_works_ && bytes.size() >= block_bytes) {
            auto n = ::pwrite(direct_, bytes.data(), bytes.size() / block_bytes * block_bytes, off_t(offset));
            if (n < 0 && errno == EINTR) continue;
            if (n < 0 && errno != EINVAL) return failed("pwrite", path_, errno);
            direct_works_ = n > 0 && std::uint64_t(n) % block_bytes == 0;
            if (n > 0) bytes.remove_prefix(std::size_t(n)), offset += std::uint64_t(n);
        }
        return {};
    }

    int fd_;
    int direct_ = -1;
    bool direct_works_ = true;
    std::string path_;
};

struct FileSystemName {
    std::uint64_t magic;
    char const* name;
};
constexpr FileSystemName file_systems[] = {
    {EXT4_SUPER_MAGIC, "ext4"},
    {XFS_SUPER_MAGIC, "xfs"},
    {BTRFS_SUPER_MAGIC, "btrfs"},
    {TMPFS_MAGIC, "tmpfs"},
    {OVERLAYFS_SUPER_MAGIC, "overlay"},
    {F2FS_SUPER_MAGIC, "f2fs"},
    {0x2fc12fc1, "zfs"},
    {NFS_SUPER_MAGIC, "nfs"},
    {SMB_SUPER_MAGIC, "smb"},
    {0xff534d42, "cifs"},
    {0xfe534d42, "smb2"},
    {V9FS_MAGIC, "9p"},
    {FUSE_SUPER_MAGIC, "fuse"},
    {CEPH_SUPER_MAGIC, "ceph"},
    {AFS_SUPER_MAGIC, "afs"},
    {CODA_SUPER_MAGIC, "coda"},
    {0x47504653, "gpfs"},
    {0x0bd00bd0, "lustre"},
    {0x01161970, "gfs2"},
    {0x7461636f, "ocfs2"},
};

std::string mount_field(std::string const& octal) {  // \040 and friends, as /proc/self/mountinfo writes them
    std::string out;
    for (std::size_t i = 0; i < octal.size(); ++i) {
        if (octal[i] == '\\' && i + 3 < octal.size())
            out += char(std::stoi(octal.substr(i + 1, 3), nullptr, 8)), i += 3;
        else
            out += octal[i];
    }
    return out;
}

// "fuse.sshfs" and the like are told apart only by the mount table.
std::string mounted_type(std::string const& path) {
    auto table = read_file(system_disk(), "/proc/self/mounts");
    std::error_code ignored;
    auto real = std::filesystem::weakly_canonical(path, ignored).string();
    std::string best_type;
    std::size_t best = 0, at = 0;
    while (table && at < table->size()) {
        auto line = table->substr(at, table->find('\n', at) - at);
        at += line.size() + 1;
        auto a = line.find(' '), b = line.find(' ', a + 1), c = line.find(' ', b + 1);
        if (a == line.npos || b == line.npos || c == line.npos) continue;
        auto mount = mount_field(line.substr(a + 1, b - a - 1));
        bool inside = mount == "/" || real == mount || real.starts_with(mount + "/");
        if (inside && mount.size() >= best) best = mount.size(), best_type = line.substr(b + 1, c - b - 1);
    }
    return best_type;
}

class PosixDisk final : public Disk {
   public:
    Result<std::unique_ptr<File>> open(std::string const& path, Open how) override {
        int flags = how == Open::existing_read ? O_RDONLY : how == Open::existing_write ? O_RDWR : O_RDWR | O_CREAT | O_EXCL;
        int fd = -1;
        do fd = ::open(path.c_str(), flags | O_CLOEXEC, how == Open::create_private ? 0600 : 0640);
        while (fd < 0 && errno == EINTR);
        if (fd < 0) return failed("open", path, errno);
        return std::make_unique<PosixFile>(fd, path);
    }
    Result<void> make_directories(std::string const& path) override {
        if (path.empty() || path == "/") return {};
        struct stat info{};
        if (::stat(path.c_str(), &info) == 0) {
            if (!S_ISDIR(info.st_mode)) return failed("mkdir", path, ENOTDIR);
            return {};
        }
        auto parent = parent_of(path);
        TRY_VOID(make_directories(parent));
        if (::mkdir(path.c_str(), 0750) != 0 && errno != EEXIST) return failed("mkdir", path, errno);
        return sync_directory(parent);
    }
    Result<std::vector<std::string>> list(std::string const& directory) override {
        std::vector<std::string> names;
        std::error_code error;
        std::filesystem::directory_iterator it(directory, error);
        if (error == std::errc::no_such_file_or_directory) return names;
        for (; !error && it != std::filesystem::directory_iterator(); it.increment(error)) names.push_back(it->path().filename().string());
        if (error) return failed("readdir", directory, error.value());
        std::ranges::sort(names);
        return names;
    }
    Result<void> rename(std::string const& from, std::string const& to) override {
        if (::rename(from.c_str(), to.c_str()) != 0) return failed("rename", from, errno);
        return {};
    }
    Result<void> remove(std::string const& path) override {
        if (::unlink(path.c_str()) != 0) return failed("unlink", path, errno);
        return {};
    }
    Result<void> sync_directory(std::string const& path) override {
        int fd = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (fd < 0) return failed("open", path, errno);
        int error = ::fsync(fd) == 0 ? 0 : errno;
        ::close(fd);
        if (error != 0) return failed("fsync", path, error);
        return {};
    }
    Result<bool> exists(std::string const& path) override {
        struct stat info{};
        if (::stat(path.c_str(), &info) == 0) return true;
        if (errno == ENOENT || errno == ENOTDIR) return false;
        return failed("stat", path, errno);
    }
    Result<std::uint64_t> free_bytes(std::string const& path) override {
        struct statvfs info{};
        if (::statvfs(path.c_str(), &info) != 0) return failed("statvfs", path, errno);
        return std::uint64_t(info.f_bavail) * info.f_frsize;
    }
    Result<std::string> file_system(std::string const& path) override {
        struct statfs info{};
        if (::statfs(path.c_str(), &info) != 0) return failed("statfs", path, errno);
        auto magic = std::uint64_t(std::uint32_t(info.f_type));
        std::string name = fmt::format("{:#x}", magic);
        for (auto& known : file_systems)
            if (known.magic == magic) name = known.name;
        if (name == "fuse" || name == "nfs")
            if (auto exact = mounted_type(path); !exact.empty()) return exact;
        return name;
    }
    Result<std::unique_ptr<File>> lock(std::string const& path) override {
        int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0640);
        if (fd < 0) return failed("open", path, errno);
        auto file = std::make_unique<PosixFile>(fd, path);
        if (::flock(fd, LOCK_EX | LOCK_NB) != 0) {
            if (errno != EWOULDBLOCK) return failed("flock", path, errno);
            char owner[32] = {};
            auto n = ::pread(fd, owner, sizeof owner - 1, 0);
            std::string pid(owner, n > 0 ? std::size_t(n) : 0);
            while (!pid.empty() && (pid.back() == '\n' || pid.back() == '\0')) pid.pop_back();
            Problem p{500, "data_locked", fmt::format("The data is in use by process {}.", pid.empty() ? "?" : pid)};
            p.cause = "flock " + path;
            return fail(std::move(p));
        }
        TRY_VOID(file->truncate(0));
        TRY_VOID(file->write(0, fmt::format("{}\n", ::getpid())));
        return file;
    }

   private:
    static std::string parent_of(std::string const& path) {
        auto parent = std::filesystem::path(path).lexically_normal();
        if (!parent.has_filename()) parent = parent.parent_path();
        parent = parent.parent_path();
        return parent.empty() ? "." : parent.string();
    }
};

}  // namespace

Disk& system_disk() {
    static PosixDisk disk;
    return disk;
}

}  // namespace gantry::log
