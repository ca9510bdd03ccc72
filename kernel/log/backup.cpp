#include "kernel/log/backup.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <set>

#include "kernel/base/crc32c.h"
#include "kernel/codec/json.h"
#include "kernel/log/backup_files.h"
#include "kernel/log/file/recovery.h"

namespace gantry::log {
namespace {

constexpr std::array<std::string_view, 5> key_files = {"request.key", "subject.keys", "erasures.ndjson", "flags.ndjson", "callers.json"};

std::unexpected<Problem> exists(std::string detail) { return fail(409, "data_exists", std::move(detail)); }
std::string chain_text(std::uint64_t chain) { return fmt::format("{:016x}", chain); }

class Backup {
   public:
    Backup(Disk& disk, BackupSource const& source, std::string const& to, BackupProgress const& progress)
        : disk_(disk), source_(source), to_(to), progress_(progress) {}

    Result<BackupManifest> run() {
        TRY_VOID(open());
        for (auto const& log : source_.logs) TRY_VOID(list(log));
        manifest_.at = source_.at, manifest_.version = source_.version;
        for (std::size_t i = 0; i < source_.logs.size(); ++i) TRY_VOID(copy_log(source_.logs[i], names_[i]));
        for (auto const& site : source_.sites)
            for (auto name : key_files) TRY_VOID(copy_key(site, name));
        for (auto const& file : written_) TRY_VOID(check_file(disk_, to_, file, {}));
        TRY_VOID(write_manifest(disk_, to_, manifest_));
        TRY_VOID(disk_.remove(to_ + "/unfinished"));
        TRY_VOID(remove_others());
        if (progress_) progress_(of_, of_);
        return std::move(manifest_);
    }

   private:
    // Nothing, what an earlier backup began, or one that is whole.
    Result<void> open() {
        TRY_VOID(disk_.make_directories(to_));
        TRY_ASSIGN(auto names, disk_.list(to_));
        TRY_ASSIGN(bool there, disk_.exists(to_ + "/manifest.json"));
        TRY_ASSIGN(bool begun, disk_.exists(to_ + "/unfinished"));
        if (there) TRY_VOID(take_earlier());
        if (!there && !begun && !names.empty())
            return exists(to_ + " holds something else: name an absent or empty directory, or an earlier backup");
        return begun ? Result<void>() : write_file_durably(disk_, to_ + "/unfinished", "");
    }
    Result<void> take_earlier() {
        TRY_ASSIGN(earlier_, read_manifest(disk_, to_));
        return {};
    }
    Result<void> list(BackupSource::OfLog const& log) {
        TRY_ASSIGN(auto names, disk_.list(log.directory));
        std::erase_if(names, [](auto const& name) { return !parse_segment_name(name); });
        for (auto const& name : names) {
            TRY_ASSIGN(auto file, disk_.open(log.directory + "/" + name, Open::existing_read));
            TRY_ASSIGN(auto size, file->size());
            of_ += size;
        }
        names_.push_back(std::move(names));
        return {};
    }
    BackupFile const* earlier(std::string_view name) const {
        for (auto const& log : earlier_.logs)
            for (auto const& file : log.segments)
                if (file.name == name) return &file;
        return nullptr;
    }

    Result<void> copy_log(BackupSource::OfLog const& log, std::vector<std::string> const& names) {
        BackupLog out{log.site, log.service, {}, 1, 0, {}, {}};
        TRY_VOID(disk_.make_directories(fmt::format("{}/{}/{}/log", to_, log.site, log.service)));
        std::optional<Chained> reached;
        for (std::size_t i = 0; i < names.size(); ++i) {
            Segment segment;
            segment.path = log.directory + "/" + names[i];
            TRY_ASSIGN(auto file, disk_.open(segment.path, Open::existing_read));
            TRY_ASSIGN(segment.header, read_header(*file, segment.path));
            TRY_ASSIGN(segment.file_bytes, file->size());
            if (reached && base_of(segment.header) != *reached)
                return fail(damaged({segment.path, 0, reached->next, "the segment doesn't continue the one before it"}));
            if (out.segments.empty()) out.begin = segment.header.first;
            auto const name = fmt::format("{}/{}/log/{}", log.site, log.service, names[i]);
            TRY_ASSIGN(auto copied, copy_segment(*file, segment, name, log.at, i + 1 == names.size()));
            out.incarnation = incarnation_text(segment.header.incarnation);
            reached = reached_, out.position = reached_.next - 1, out.chain = copied.chain;
            out.segments.push_back(std::move(copied));
            done_ += segment.file_bytes;
            TRY_VOID(tell(0));
            if (log.at && reached_.chain == log.at->chain) break;
        }
        if (out.segments.empty()) return fail(404, "log_not_found", fmt::format("there is no log in {}", log.directory));
        if (log.at && out.chain != chain_text(log.at->chain))
            return fail(damaged({log.directory, 0, out.position + 1, "the log on the disk doesn't reach the state that it had in memory"}));
        manifest_.logs.push_back(std::move(out));
        return {};
    }

    Result<BackupFile> copy_segment(File& file, Segment& segment, std::string const& name, std::optional<Status> const& at, bool newest) {
        std::uint64_t end = 0;
        auto visit = [&](SegmentWalk const& walk) { return !at || walk.reached().chain != at->chain; };
        TRY_ASSIGN(auto damage, walk_segment(file, segment, nullptr, Check::chain, reached_, end, visit));
        bool const reached = at && reached_.chain == at->chain;
        if (damage && !reached && (!newest || at)) return fail(damaged(*damage));  // of a stopped log the newest may have a torn tail
        end = padded(end);
        BackupFile out{name, name, end, 0, chain_text(reached_.chain)};
        if (auto const* before = earlier(name)) {
            TRY_ASSIGN(bool same, continues(file, segment, *before, end));
            if (same) return *before;
        }
        TRY_VOID(copy(file, out, Open::create_new));
        return out;
    }
    // Whether the earlier backup has all of a segment. "data_exists" when it has one of another history.
    Result<bool> continues(File& file, Segment const& segment, BackupFile const& before, std::uint64_t end) {
        std::string ours(segment.header.header_bytes, '\0'), theirs(segment.header.header_bytes, '\0');
        TRY_ASSIGN([[maybe_unused]] auto read, file.read(0, ours));
        TRY_ASSIGN(auto copy, disk_.open(to_ + "/" + before.name, Open::existing_read));
        TRY_ASSIGN([[maybe_unused]] auto read_too, copy->read(0, theirs));
        if (ours != theirs || before.bytes > end)
            return exists(fmt::format("{}: the backup in {} is of another history of this log: name another directory", before.name, to_));
        return before.bytes == end && before.chain == chain_text(reached_.chain);
    }

    Result<void> copy_key(std::string const& site, std::string_view name) {
        auto const from = fmt::format("{}/{}/{}", source_.data, site, name);
        TRY_ASSIGN(bool there, disk_.exists(from));
        if (!there) return {};
        TRY_VOID(disk_.make_directories(to_ + "/" + site));
        TRY_ASSIGN(auto file, disk_.open(from, Open::existing_read));
        TRY_ASSIGN(auto size, file->size());
        auto const as = fmt::format("{}/{}", site, name);
        BackupFile out{fmt::format("{}-{}", as, source_.at.us), as, size, 0, {}};
        TRY_VOID(copy(*file, out, Open::create_private));
        manifest_.keys.push_back(std::move(out));
        return {};
    }

    // The first bytes of a file, under a name that appears when they are durable.
    Result<void> copy(File& file, BackupFile& out, Open how) {
        auto const path = to_ + "/" + out.name, beside = path + ".tmp";
        TRY_ASSIGN(bool stale, disk_.exists(beside));
        if (stale) TRY_VOID(disk_.remove(beside));
        {
            TRY_ASSIGN(auto copy, disk_.open(beside, how));
            TRY_VOID(copy_bytes(file, copy.get(), out.bytes, out.crc, [&](std::uint64_t bytes) { return tell(bytes); }));
            TRY_VOID(copy->sync());
        }
        TRY_VOID(disk_.rename(beside, path));
        TRY_VOID(disk_.sync_directory(path.substr(0, path.rfind('/'))));
        written_.push_back(out);
        return {};
    }
    Result<void> tell(std::uint64_t bytes) {
        if (!progress_ || progress_(std::min(done_ + bytes, of_), of_)) return {};
        return fail(503, "stopped", "the backup was ended; what was there before is whole");
    }
    // What only earlier manifests spoke of.
    Result<void> remove_others() {
        std::set<std::string> kept;
        for (auto const& log : manifest_.logs)
            for (auto const& file : log.segments) kept.insert(file.name);
        for (auto const& file : manifest_.keys) kept.insert(file.name);
        std::vector<BackupFile> all = earlier_.keys;
        for (auto const& log : earlier_.logs) all.insert(all.end(), log.segments.begin(), log.segments.end());
        for (auto const& file : all)
            if (!kept.contains(file.name)) TRY_VOID(disk_.remove(to_ + "/" + file.name));
        return {};
    }

    Disk& disk_;
    BackupSource const& source_;
    std::string const& to_;
    BackupProgress const& progress_;
    BackupManifest manifest_, earlier_;
    std::vector<std::vector<std::string>> names_;  // of segments, by log
    std::vector<BackupFile> written_;
    Chained reached_;
    std::uint64_t done_ = 0, of_ = 0;
};

}  // namespace

std::uint64_t BackupManifest::bytes() const {
    std::uint64_t sum = 0;
    for (auto const& log : logs)
        for (auto const& file : log.segments) sum += file.bytes;
    for (auto const& file : keys) sum += file.bytes;
    return sum;
}

Result<BackupManifest> back_up(Disk& disk, BackupSource const& source, std::string const& to, BackupProgress const& progress) {
    auto done = Backup(disk, source, to, progress).run();
    // A note for people: the backup is as good without it.
    if (done && !source.data.empty())
        (void)write_file_durably(disk, source.data + "/" + std::string(last_backup_file), codec::to_json(LastBackup{to, done->at}) + "\n");
    return done;
}

Result<BackupSource> stopped_source(Disk& disk, std::string const& data) {
    BackupSource out;
    out.data = data;
    TRY_ASSIGN(auto sites, disk.list(data));
    for (auto const& site : sites) {
        TRY_ASSIGN(bool is_site, disk.exists(data + "/" + site + "/request.key"));
        if (!is_site) continue;
        out.sites.push_back(site);
        TRY_ASSIGN(auto services, disk.list(data + "/" + site));
        for (auto const& service : services) {
            auto const directory = fmt::format("{}/{}/{}/log", data, site, service);
            TRY_ASSIGN(bool is_log, disk.exists(directory));
            if (is_log) out.logs.push_back({site, service, directory, {}});
        }
    }
    if (out.logs.empty())
        return fail(404, "log_not_found", fmt::format("there are no logs in {}: expected DATA/<site>/<service>/log", data));
    return out;
}

}  // namespace gantry::log
