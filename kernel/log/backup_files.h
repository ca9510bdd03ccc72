#pragma once
#include "kernel/log/backup.h"

// What writing and reading a backup share.
namespace gantry::log {

// A check on the way; a failure ends the copy.
using BytesSeen = std::function<Result<void>(std::uint64_t bytes)>;
// Reads the first `bytes` of a file, writes them to `to` unless it is null, and sums them up.
Result<void> copy_bytes(File& from, File* to, std::uint64_t bytes, std::uint32_t& crc, BytesSeen const& seen);
// "backup_damaged" unless the file is there with its checksum.
Result<void> check_file(Disk& disk, std::string const& place, BackupFile const& file, BytesSeen const& seen);
std::unexpected<Problem> backup_damaged(std::string const& file, std::string_view what);

Result<void> write_manifest(Disk& disk, std::string const& place, BackupManifest manifest);
// "backup_absent", "backup_damaged", "data_format".
Result<BackupManifest> read_manifest(Disk& disk, std::string const& place);

}  // namespace gantry::log
