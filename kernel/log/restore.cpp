#include <fmt/format.h>

#include <map>

#include "kernel/log/backup_files.h"
#include "kernel/log/data_dir.h"
#include "kernel/log/file/log_writer.h"
#include "kernel/log/file/recovery.h"
#include "kernel/log/file/tools.h"
#include "kernel/log/subject_keys_file.h"

namespace gantry::log {
namespace {

std::string parent_of(std::string const& path) { return path.substr(0, path.rfind('/')); }

class Restore {
   public:
    Restore(Disk& disk, std::string const& from, std::string beside, Clock& clock, Random& random, BackupProgress const& progress)
        : disk_(disk), from_(from), beside_(std::move(beside)), clock_(clock), random_(random), progress_(progress) {}

    Result<Restored> run(BackupManifest const& manifest, std::vector<Erasure> const& erasures) {
        of_ = manifest.bytes();
        Restored out{manifest.at, {}, 0};
        for (auto const& log : manifest.logs) {
            TRY_ASSIGN(auto restored, restore(log));
            out.logs.push_back(std::move(restored));
        }
        for (auto const& key : manifest.keys) TRY_VOID(copy(key, Open::create_private));
        for (auto const& key : manifest.keys)
            if (key.as.ends_with("/subject.keys")) {
                TRY_ASSIGN(auto repeated, erase_again(parent_of(beside_ + "/" + key.as), manifest.at, erasures));
                out.erased_again += repeated;
            }
        return out;
    }

   private:
    Result<Restored::OfLog> restore(BackupLog const& log) {
        auto const directory = fmt::format("{}/{}/{}/log", beside_, log.site, log.service);
        TRY_VOID(empty(directory));
        for (auto const& segment : log.segments) TRY_VOID(copy(segment, Open::create_new));
        TRY_ASSIGN(auto report, verify(disk_, directory));
        if (!report.ok()) return fail(damaged(report.damages.front()));
        TRY_ASSIGN(auto segments, load_segments(disk_, directory));
        if (segments.empty()) return backup_damaged(from_ + "/manifest.json", "a log without segments");
        auto& last = *segments.back();
        TRY_ASSIGN(auto file, disk_.open(last.path, Open::existing_read));
        Chained reached;
        std::uint64_t end = 0;
        TRY_ASSIGN([[maybe_unused]] auto damage, walk_segment(*file, last, nullptr, Check::checksums, reached, end));
        if (fmt::format("{:016x}", reached.chain) != log.chain || reached.next != log.position + 1)
            return backup_damaged(last.path, "the log doesn't end where the manifest says");
        auto const incarnation = random_.next();
        LogWriter writer(disk_, directory, {}, clock_, random_, reached, last.header.number + 1);
        TRY_VOID(writer.begin_incarnation(incarnation, fmt::format("restore of {} up to {}", log.incarnation, log.position),
                                          last.header.schemas));
        TRY_VOID(writer.finish());
        return Restored::OfLog{log.site, log.service, log.incarnation, incarnation_text(incarnation), log.position};
    }
    // What an interrupted restore left.
    Result<void> empty(std::string const& directory) {
        TRY_VOID(disk_.make_directories(directory));
        TRY_ASSIGN(auto names, disk_.list(directory));
        for (auto const& name : names) TRY_VOID(disk_.remove(directory + "/" + name));
        return {};
    }
    Result<void> copy(BackupFile const& file, Open how) {
        auto const path = beside_ + "/" + file.as;
        TRY_VOID(disk_.make_directories(parent_of(path)));
        TRY_ASSIGN(bool stale, disk_.exists(path));
        if (stale) TRY_VOID(disk_.remove(path));
        TRY_ASSIGN(auto in, disk_.open(from_ + "/" + file.name, Open::existing_read));
        TRY_ASSIGN(auto out, disk_.open(path, how));
        std::uint32_t crc = 0;
        TRY_VOID(copy_bytes(*in, out.get(), file.bytes, crc, [&](std::uint64_t bytes) -> Result<void> {
            if (!progress_ || progress_(done_ + bytes, of_)) return {};
            return fail(503, "stopped", "the restore was ended; nothing was restored");
        }));
        done_ += file.bytes;
        if (crc != file.crc) return backup_damaged(from_ + "/" + file.name, "its checksum is wrong");
        TRY_VOID(out->sync());
        return disk_.sync_directory(parent_of(path));
    }
    Result<std::size_t> erase_again(std::string const& site, Time since, std::vector<Erasure> const& erasures) {
        TRY_ASSIGN(auto keys, open_subject_keys(disk_, site + "/subject.keys", random_));
        TRY_ASSIGN(auto known, Erasures::open(disk_, site + "/erasures.ndjson"));
        TRY_VOID(known.finish(*keys));
        return known.repeat(*keys, erasures, since);
    }

    Disk& disk_;
    std::string const& from_;
    std::string beside_;
    Clock& clock_;
    Random& random_;
    BackupProgress const& progress_;
    std::uint64_t done_ = 0, of_ = 0;
};

}  // namespace

Result<BackupManifest> check_backup(Disk& disk, std::string const& from, BackupProgress const& progress) {
    TRY_ASSIGN(auto manifest, read_manifest(disk, from));
    std::uint64_t done = 0, of = manifest.bytes();
    auto check = [&](BackupFile const& file) -> Result<void> {
        TRY_VOID(check_file(disk, from, file, [&](std::uint64_t bytes) -> Result<void> {
            if (!progress || progress(done + bytes, of)) return {};
            return fail(503, "stopped", "the check was ended");
        }));
        done += file.bytes;
        return {};
    };
    for (auto const& log : manifest.logs)
        for (auto const& file : log.segments) TRY_VOID(check(file));
    for (auto const& file : manifest.keys) TRY_VOID(check(file));
    return manifest;
}

Result<Restored> restore_backup(Disk& disk, std::string const& from, std::string const& data, std::vector<Erasure> const& erasures,
                                Clock& clock, Random& random, BackupProgress const& progress) {
    TRY_ASSIGN(auto manifest, read_manifest(disk, from));
    TRY_ASSIGN(auto names, disk.list(data));
    if (!names.empty())
        return fail(409, "data_exists", fmt::format("{} isn't empty: name an absent directory, or move what is there aside", data));
    auto beside = data;
    while (beside.size() > 1 && beside.ends_with('/')) beside.pop_back();
    auto const at = beside;
    beside += ".restoring";
    Result<Restored> out;
    {
        TRY_ASSIGN(auto directory, DataDirectory::open(disk, beside));
        out = Restore(disk, from, beside, clock, random, progress).run(manifest, erasures);
    }
    if (!out) return out;
    TRY_VOID(disk.rename(beside, at));
    auto const slash = at.rfind('/');
    TRY_VOID(disk.sync_directory(slash == at.npos ? "." : slash == 0 ? "/" : at.substr(0, slash)));
    return out;
}

}  // namespace gantry::log
