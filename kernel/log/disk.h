#pragma once
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "kernel/base/result.h"

namespace gantry::log {

// The file system as the log sees it, injected: `system_disk()` is POSIX, `SimulatedDisk` (kernel/log/faulty) forgets, tears,
// reorders and fails on command. Paths are relative to nothing: callers pass whole paths. Every failure is a Problem whose
// `cause` has the path, the call and errno's text, and whose `code` is "disk_full" for ENOSPC and EDQUOT, "disk_failed" otherwise.
class File {
   public:
    virtual ~File() = default;
    // Reads up to out.size() bytes at `offset`; fewer only at the end of the file.
    virtual Result<std::size_t> read(std::uint64_t offset, std::span<char> out) = 0;
    // Writes all bytes, or fails. Not durable before sync(); after a failure what is on the disk is unknown.
    virtual Result<void> write(std::uint64_t offset, std::string_view bytes) = 0;
    // fdatasync: what was written before is durable when it returns. After a failure nothing may be assumed, and a second call proves
    // nothing.
    virtual Result<void> sync() = 0;
    // Extends the file to `size`, zeroed and allocated, so that later writes within need no metadata.
    virtual Result<void> allocate(std::uint64_t size) = 0;
    virtual Result<void> truncate(std::uint64_t size) = 0;
    virtual Result<std::uint64_t> size() = 0;
};

// The last two fail if the name is taken; a private file is readable by its owner alone, from its first moment.
enum class Open { existing_read, existing_write, create_new, create_private };

class Disk {
   public:
    virtual ~Disk() = default;
    virtual Result<std::unique_ptr<File>> open(std::string const& path, Open how) = 0;
    virtual Result<void> make_directories(std::string const& path) = 0;               // like mkdir -p, each new entry synced
    virtual Result<std::vector<std::string>> list(std::string const& directory) = 0;  // names, sorted; absent directory: empty
    virtual Result<void> rename(std::string const& from, std::string const& to) = 0;  // atomic; durable after sync_directory
    virtual Result<void> remove(std::string const& path) = 0;
    virtual Result<void> sync_directory(std::string const& path) = 0;
    virtual Result<bool> exists(std::string const& path) = 0;
    virtual Result<std::uint64_t> free_bytes(std::string const& path) = 0;
    // "ext4", "xfs", "nfs", … of the file system that holds `path`.
    virtual Result<std::string> file_system(std::string const& path) = 0;
    // An exclusive lock on a file, held until the returned object dies; "data_locked" names the owner (pid) when taken.
    virtual Result<std::unique_ptr<File>> lock(std::string const& path) = 0;
};
Disk& system_disk();

// Whole small files, with the usual care: written beside, synced, renamed, directory synced.
Result<std::string> read_file(Disk& disk, std::string const& path);
Result<void> write_file_durably(Disk& disk, std::string const& path, std::string_view bytes, Open how = Open::create_new);

}  // namespace gantry::log
