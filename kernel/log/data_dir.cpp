#include "kernel/log/data_dir.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>

namespace gantry::log {
namespace {

constexpr std::array<std::string_view, 20> network_file_systems = {"nfs",   "nfs4",  "cifs",   "smb",      "smb2",      "smb3",    "smbfs",
                                                                   "9p",    "afs",   "ceph",   "coda",     "gfs2",      "gpfs",    "lustre",
                                                                   "ncpfs", "ocfs2", "beegfs", "orangefs", "glusterfs", "virtiofs"};
constexpr std::array<std::string_view, 9> network_fuse = {"fuse.sshfs", "fuse.s3fs",      "fuse.glusterfs",
                                                          "fuse.ceph",  "fuse.ceph-fuse", "fuse.rclone",
                                                          "fuse.davfs", "fuse.juicefs",   "fuse.mount.glusterfs"};
constexpr std::string_view format_prefix = "gantry-data ";

Problem refused(std::string_view code, std::string_view detail, std::string cause) {
    Problem p{500, std::string(code), std::string(detail)};
    p.cause = std::move(cause);
    return p;
}

Result<void> check_format(std::string const& path, std::string_view text) {
    int found = 0;
    bool ours = text.starts_with(format_prefix) &&
                std::from_chars(text.data() + format_prefix.size(), text.data() + text.size(), found).ec == std::errc();
    if (!ours)
        return fail(
            refused("data_format", "The directory holds no data of this program.", path + "/FORMAT isn't ours; name another directory"));
    if (found == DataDirectory::format) return {};
    auto remedy = found < DataDirectory::format ? "run `gantry log upgrade`" : "run the release that wrote it, or a newer one";
    return fail(refused("data_format", fmt::format("The data has format {}, this program reads {}.", found, DataDirectory::format),
                        fmt::format("{}: {}", path, remedy)));
}

}  // namespace

bool is_network_file_system(std::string_view name) {
    return (std::ranges::find(network_file_systems, name) != network_file_systems.end()) ||
           (std::ranges::find(network_fuse, name) != network_fuse.end());
}

Result<DataDirectory> DataDirectory::open(Disk& disk, std::string path) {
    while (path.size() > 1 && path.ends_with('/')) path.pop_back();
    TRY_VOID(disk.make_directories(path));
    TRY_ASSIGN(auto kind, disk.file_system(path));
    if (is_network_file_system(kind))
        return fail(refused(
            "data_on_network", "The data would lie on a network file system.",
            fmt::format("{} is on {}, where neither locks nor syncs can be trusted; name a directory on a local disk", path, kind)));
    TRY_ASSIGN(auto lock, disk.lock(path + "/LOCK"));
    auto file = path + "/FORMAT";
    TRY_ASSIGN(bool known, disk.exists(file));
    if (known) {
        TRY_ASSIGN(auto text, read_file(disk, file));
        TRY_VOID(check_format(path, text));
    } else {
        TRY_VOID(write_file_durably(disk, file, fmt::format("{}{}\n", format_prefix, format)));
    }
    return DataDirectory(std::move(path), std::move(lock));
}

std::string DataDirectory::log_of(std::string_view site, std::string_view service) const {
    return fmt::format("{}/{}/{}/log", path_, site, service);
}
std::string DataDirectory::snapshots_of(std::string_view site, std::string_view service) const {
    return fmt::format("{}/{}/{}/snapshots", path_, site, service);
}
std::string DataDirectory::text_of(std::string_view site, std::string_view service) const {
    return fmt::format("{}/{}/{}/text", path_, site, service);
}

}  // namespace gantry::log
