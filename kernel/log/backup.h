#pragma once
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "kernel/base/random.h"
#include "kernel/base/record.h"
#include "kernel/log/disk.h"
#include "kernel/log/erasures.h"
#include "kernel/log/log.h"

// Backups of the logs and keys of a process, and what is made of them (docs/log-format.md, "Backups"). A backup is a directory:
//
//     manifest.json                                    written last: without it there is no backup
//     <site>/<service>/log/<segment>                   as in the data directory, without the zeros behind the last batch
//     <site>/{request.key,subject.keys,erasures.ndjson,flags.ndjson,callers.json}-<time>
//
// A second backup to the same place adds what is new; until its manifest is there, the earlier one stays whole: of a segment that grew only
// the bytes that the manifest speaks of count.
namespace gantry::log {

struct BackupFile {
    std::string name;  // below the backup's directory
    std::string as;    // what it is called in a data directory, below that
    std::uint64_t bytes = 0;
    std::uint32_t crc = 0;  // CRC-32C of these
    std::string chain;      // of a segment: the running hash at its end, in hexadecimal
};
RECORD(BackupFile, name, as, bytes, crc, chain);

// One element of the position vector, with what it needs.
struct BackupLog {
    std::string site, service;
    std::string incarnation;
    Position begin = 1, position = 0;
    std::string chain;
    std::vector<BackupFile> segments;
};
RECORD(BackupLog, site, service, incarnation, begin, position, chain, segments);

struct BackupManifest {
    std::uint32_t format = 1;
    std::string version;  // of the program
    Time at{};            // before any of it was read
    std::vector<BackupLog> logs;
    std::vector<BackupFile> keys;
    std::uint32_t crc = 0;  // of this manifest, as JSON with a zero here
    std::uint64_t bytes() const;
};
RECORD(BackupManifest, format, version, at, logs, keys, crc);

// DATA/backup.json: that a backup was finished, for whoever asks how old the last one is.
inline constexpr std::string_view last_backup_file = "backup.json";
struct LastBackup {
    std::string to;
    Time at{};
};
RECORD(LastBackup, to, at);

// What is to be backed up. The logs are durable up to where `at` says they stood at one moment; nothing removes segments meanwhile.
struct BackupSource {
    struct OfLog {
        std::string site, service, directory;
        std::optional<Status> at;  // nothing: to its end; nobody writes it
    };
    std::string data;  // the data directory
    std::vector<std::string> sites;
    std::vector<OfLog> logs;
    Time at{};
    std::string version;
};
// Is told how far it came; false ends it ("stopped").
using BackupProgress = std::function<bool(std::uint64_t bytes_done, std::uint64_t bytes_of)>;

// Copies, checks what it wrote, then writes the manifest. Problems: "data_exists" (`to` holds something else, or a backup of another
// history), "log_damaged", "disk_failed", "disk_full", "stopped".
Result<BackupManifest> back_up(Disk& disk, BackupSource const& source, std::string const& to, BackupProgress const& progress);
// The logs of a data directory that nobody has open, by what lies there.
Result<BackupSource> stopped_source(Disk& disk, std::string const& data);

// The manifest of a backup after all its files were read against it. "backup_absent", "backup_damaged" names the file.
Result<BackupManifest> check_backup(Disk& disk, std::string const& from, BackupProgress const& progress);

struct Restored {
    struct OfLog {
        std::string site, service;
        std::string former, incarnation;  // `former` ended at `position`; what has seen more of it is refused
        Position position = 0;
    };
    Time at{};  // of the backup
    std::vector<OfLog> logs;
    std::uint64_t erased_again = 0;
};
RECORD(Restored::OfLog, site, service, former, incarnation, position);
RECORD(Restored, at, logs, erased_again);

// Makes a data directory of a backup, whole or not at all. Each log goes on in a new incarnation. `erasures` are those known elsewhere:
// what was erased after the backup is erased again. "data_exists" unless `data` is absent or empty.
Result<Restored> restore_backup(Disk& disk, std::string const& from, std::string const& data, std::vector<Erasure> const& erasures,
                                Clock& clock, Random& random, BackupProgress const& progress);

}  // namespace gantry::log
