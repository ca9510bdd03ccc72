#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "kernel/log/file/log_writer.h"
#include "kernel/log/file/recovery.h"
#include "kernel/log/file/tools.h"

namespace gantry::log {
namespace {

Result<std::string> free_name(Disk& disk, std::string const& path) {
    for (int n = 0;; ++n) {
        auto name = n == 0 ? path + ".damaged" : fmt::format("{}.{}.damaged", path, n);
        TRY_ASSIGN(bool taken, disk.exists(name));
        if (!taken) return name;
    }
}

// Copies the first `good` bytes, then writes zeros up to `size`; durable.
Result<void> copy(Disk& disk, std::string const& from, std::string const& to, std::uint64_t good, std::uint64_t size) {
    TRY_ASSIGN(auto in, disk.open(from, Open::existing_read));
    TRY_ASSIGN(auto out, disk.open(to, Open::create_new));
    TRY_VOID(out->allocate(size));
    std::string chunk(1 << 20, '\0');
    for (std::uint64_t at = 0; at < good; at += chunk.size()) {
        chunk.resize(std::size_t(std::min<std::uint64_t>(chunk.size(), good - at)));
        TRY_ASSIGN(auto n, in->read(at, chunk));
        TRY_VOID(out->write(at, std::string_view(chunk).substr(0, n)));
    }
    return out->sync();
}

// The first damage in the order of the log, and what was good before it.
struct Place {
    std::size_t index = 0;          // of the first name that isn't wholly good
    std::shared_ptr<Segment> half;  // set if the damaged segment is good up to `end`
    std::uint64_t end = 0;
    std::shared_ptr<Segment> last_whole;  // the segment before `index`
    Chained reached;
    std::uint64_t number = 1;
};

class Repairer {
   public:
    Repairer(Disk& disk, std::string const& directory, std::vector<std::string> names)
        : disk_(disk), directory_(directory), names_(std::move(names)) {}

    // Follows the log up to `damage`, the first that verify found.
    Result<void> locate(Damage const& damage) {
        auto starts = *parse_segment_name(names_.front());
        place_.reached.next = starts.first, place_.number = starts.number;
        for (;; ++place_.index) {
            auto segment = std::make_shared<Segment>();
            segment->path = path(place_.index);
            bool here = segment->path == damage.file;
            if (here && damage.offset == 0) return {};  // the header, or a gap before it
            TRY_ASSIGN(auto file, disk_.open(segment->path, Open::existing_read));
            TRY_ASSIGN(segment->header, read_header(*file, segment->path));
            TRY_ASSIGN(segment->file_bytes, file->size());
            place_.number = segment->header.number + 1;
            if (here && damage.offset <= segment->header.header_bytes) {  // its first batch: nothing is to be walked
                place_.reached = base_of(segment->header), place_.end = segment->header.header_bytes;
                return place_.half = segment, Result<void>();
            }
            auto stop = [&](SegmentWalk const& walk) { return !here || walk.offset() < damage.offset; };
            TRY_ASSIGN([[maybe_unused]] auto found, walk_segment(*file, *segment, nullptr, Check::chain, place_.reached, place_.end, stop));
            if (here) return place_.half = segment, Result<void>();
            place_.last_whole = segment;
        }
    }

    Result<void> act(RepairReport& report, Options const& options, Clock& clock, Random& random) {
        // Newest first, so that an interrupted repair leaves damage and not a shorter log that looks whole.
        auto first_aside = place_.index + (place_.half ? 1 : 0);
        for (auto i = names_.size(); i-- > first_aside;) TRY_VOID(set_aside(path(i), report));
        auto& known = place_.half ? place_.half : place_.last_whole;
        auto note = fmt::format("repair: positions from {} on are lost", place_.reached.next);
        LogWriter writer(disk_, directory_, options, clock, random, place_.reached, place_.number);
        TRY_VOID(writer.begin_incarnation(report.incarnation = random.next(), note, known ? known->header.schemas : ""));
        TRY_VOID(writer.finish());
        return place_.half ? cut_half(report) : Result<void>();
    }
    Place const& place() const { return place_; }

   private:
    std::string path(std::size_t i) const { return directory_ + "/" + names_[i]; }

    Result<void> set_aside(std::string const& from, RepairReport& report) {
        TRY_ASSIGN(auto name, free_name(disk_, from));
        TRY_VOID(disk_.rename(from, name));
        TRY_VOID(disk_.sync_directory(directory_));
        report.aside.push_back(name);
        return {};
    }
    // The shorter form takes the name in one step.
    Result<void> cut_half(RepairReport& report) {
        auto& half = *place_.half;
        TRY_ASSIGN(auto name, free_name(disk_, half.path));
        TRY_VOID(copy(disk_, half.path, name, half.file_bytes, half.file_bytes));
        report.aside.push_back(name);
        auto beside = directory_ + "/spare-cut.tmp";
        TRY_ASSIGN(bool stale, disk_.exists(beside));
        if (stale) TRY_VOID(disk_.remove(beside));
        TRY_VOID(copy(disk_, half.path, beside, place_.end, half.file_bytes));
        TRY_VOID(disk_.rename(beside, half.path));
        return disk_.sync_directory(directory_);
    }

    Disk& disk_;
    std::string const& directory_;
    std::vector<std::string> names_;
    Place place_;
};

}  // namespace

std::string RepairReport::text() const {
    if (damages.empty()) return "The log is whole: nothing to repair.\n";
    std::string out;
    for (auto& d : damages) out += damaged(d).cause + "\n";
    out += fmt::format("Kept: up to position {}. ", last_kept);
    out += last_lost > last_kept ? fmt::format("Lost: positions {} to {} at least.\n", last_kept + 1, last_lost)
                                 : "Lost: no position that is known of.\n";
    for (auto& file : aside) out += fmt::format("Kept aside: {}\n", file);
    if (incarnation != 0) out += fmt::format("New incarnation: {}\n", incarnation_text(incarnation));
    return out;
}

Result<RepairReport> repair(Disk& disk, std::string const& directory, Repair how, Options const& options, Clock& clock, Random& random) {
    TRY_ASSIGN(auto found, verify(disk, directory));
    RepairReport report;
    report.damages = std::move(found.damages), report.last_lost = found.end, report.last_kept = found.end;
    if (report.damages.empty()) return report;
    TRY_ASSIGN(auto names, disk.list(directory));
    std::erase_if(names, [](auto& n) { return !parse_segment_name(n); });
    Repairer repairer(disk, directory, std::move(names));
    TRY_VOID(repairer.locate(report.damages.front()));
    report.last_kept = repairer.place().reached.next - 1;
    if (how == Repair::act) TRY_VOID(repairer.act(report, options, clock, random));
    return report;
}

}  // namespace gantry::log
