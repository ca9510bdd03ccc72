#pragma once
#include <memory>
#include <string>

#include "kernel/log/disk.h"

namespace gantry::log {

// The data of one process: DATA/FORMAT says how to read it, DATA/LOCK who has it, DATA/<site>/<service>/{log,snapshots} hold it,
// and DATA/<site>/<service>/text what finds its words.
// Problems of open: "data_format" (another version; the cause has the remedy), "data_locked", "data_on_network" (file locks and
// syncs of a network file system can't be trusted), "disk_failed", "disk_full".
class DataDirectory {
   public:
    static constexpr int format = 1;

    // Makes the directory and FORMAT if there is none; holds the lock until it dies.
    static Result<DataDirectory> open(Disk& disk, std::string path);

    std::string const& path() const { return path_; }
    std::string log_of(std::string_view site, std::string_view service) const;
    std::string snapshots_of(std::string_view site, std::string_view service) const;
    std::string text_of(std::string_view site, std::string_view service) const;

   private:
    DataDirectory(std::string path, std::unique_ptr<File> lock) : path_(std::move(path)), lock_(std::move(lock)) {}
    std::string path_;
    std::unique_ptr<File> lock_;
};

// nfs, smb, 9p, sshfs and their like.
bool is_network_file_system(std::string_view name);

}  // namespace gantry::log
