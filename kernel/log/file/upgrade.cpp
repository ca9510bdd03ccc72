#include <fmt/format.h>

#include <cstring>

#include "kernel/log/file/log_writer.h"
#include "kernel/log/file/recovery.h"
#include "kernel/log/file/tools.h"

namespace gantry::log {
namespace {

// Version 0, of before the first release: as version 1, but no batch carries a running hash.
class Upgrade {
   public:
    Upgrade(Disk& disk, std::string const& directory, LogWriter& writer) : disk_(disk), directory_(directory), writer_(writer) {}

    Result<std::uint64_t> run(std::vector<std::string> const& names) {
        for (std::size_t i = 0; i < names.size(); ++i) TRY_VOID(segment(directory_ + "/" + names[i], i + 1 == names.size()));
        TRY_VOID(writer_.finish());
        return batches_;
    }

   private:
    Result<void> segment(std::string const& path, bool newest) {
        TRY_ASSIGN(auto file, disk_.open(path, Open::existing_read));
        TRY_ASSIGN(auto header, read_header(*file, path, 0));
        TRY_ASSIGN(auto bytes, file->size());
        SegmentWalk walk(*file, header, path, header.header_bytes, bytes, base_of(header));
        for (;;) {
            TRY_ASSIGN(auto step, walk.next());
            if (step == SegmentWalk::Step::damage && !newest) return fail(damaged(walk.damage()));
            if (step != SegmentWalk::Step::batch) return {};  // the newest ends where its last whole batch does
            std::string encoded;
            chain_ = encode(walk.batch(), chain_, encoded);
            TRY_VOID(writer_.add(encoded, header.schemas));
            ++batches_;
        }
    }
    Disk& disk_;
    std::string const& directory_;
    LogWriter& writer_;
    std::uint64_t chain_ = 0;
    std::uint64_t batches_ = 0;
};

Result<void> swap_in(Disk& disk, std::string const& directory, std::string const& fresh, std::string const& kept) {
    auto parent = directory.substr(0, directory.rfind('/'));
    TRY_ASSIGN(bool there, disk.exists(directory));
    if (there) TRY_VOID(disk.rename(directory, kept));
    TRY_VOID(disk.sync_directory(parent));
    TRY_VOID(disk.rename(fresh, directory));
    return disk.sync_directory(parent);
}

}  // namespace

Result<UpgradeReport> upgrade(Disk& disk, std::string const& directory, Options const& options, Clock& clock, Random& random) {
    UpgradeReport report;
    auto fresh = directory + ".upgrade", kept = directory + ".v0";
    TRY_ASSIGN(bool old_there, disk.exists(directory));
    TRY_ASSIGN(bool interrupted, disk.exists(fresh));
    if (!old_there && interrupted) {  // between the two renames: the new form is complete
        report.from = 0, report.kept = kept;
        TRY_VOID(swap_in(disk, directory, fresh, kept));
        return report;
    }
    TRY_ASSIGN(auto names, disk.list(directory));
    std::erase_if(names, [](auto& n) { return !parse_segment_name(n); });
    if (names.empty()) return fail(404, "log_absent", "There is no log.");
    TRY_ASSIGN(auto newest, disk.open(directory + "/" + names.back(), Open::existing_read));
    TRY_ASSIGN(report.from, read_version(*newest, directory + "/" + names.back()));
    if (report.from == format_version) return report;
    if (report.from != 0) return fail(500, "log_format", fmt::format("The log has format version {}: run the release that wrote it, or a newer one.", report.from));
    TRY_VOID(disk.make_directories(fresh));
    TRY_ASSIGN(auto stale, disk.list(fresh));
    for (auto& name : stale) TRY_VOID(disk.remove(fresh + "/" + name));
    auto first = *parse_segment_name(names.front());
    Chained from;
    from.next = first.first;
    LogWriter writer(disk, fresh, options, clock, random, from, first.number);
    TRY_ASSIGN(report.batches, Upgrade(disk, directory, writer).run(names));
    report.kept = kept;
    TRY_VOID(swap_in(disk, directory, fresh, kept));
    return report;
}

}  // namespace gantry::log
