#include "kernel/log/file/tools.h"

#include <fmt/format.h>

#include <algorithm>

#include "kernel/log/file/recovery.h"

namespace gantry::log {
namespace {

Result<std::vector<std::string>> segment_names(Disk& disk, std::string const& directory) {
    TRY_ASSIGN(auto names, disk.list(directory));
    std::erase_if(names, [](auto& n) { return !parse_segment_name(n); });
    return names;
}

// Reads a log that may be damaged anywhere, segment by segment.
class Verifier {
   public:
    Verifier(Disk& disk, std::string const& directory) : disk_(disk), directory_(directory) {}

    Result<VerifyReport> run() {
        TRY_ASSIGN(auto names, segment_names(disk_, directory_));
        for (std::size_t i = 0; i < names.size(); ++i) TRY_VOID(segment(names[i], i + 1 == names.size()));
        return std::move(report_);
    }

   private:
    void damage(Damage d) { report_.damages.push_back(std::move(d)); }

    // True if the segment continues what was read before it, or if nothing is known of that.
    bool continues(Segment const& s) {
        if (!known_) return true;
        if (s.header.number != before_.number + 1) return false;
        return base_of(s.header) == reached_;
    }

    Result<void> segment(std::string const& name, bool newest) {
        Segment s;
        s.path = directory_ + "/" + name;
        auto named = *parse_segment_name(name);
        TRY_ASSIGN(auto file, disk_.open(s.path, Open::existing_read));
        TRY_ASSIGN(s.file_bytes, file->size());
        ++report_.segments, report_.bytes += s.file_bytes;
        report_.end = std::max(report_.end, named.first - 1);
        auto header = read_header(*file, s.path);
        if (!header && header.error().code != "log_damaged") return fail(std::move(header.error()));
        if (!header) return known_ = false, damage({s.path, 0, named.first, "the segment header is damaged"}), Result<void>();
        s.header = std::move(*header);
        if (s.header.first != named.first || s.header.number != named.number)
            return known_ = false, damage({s.path, 0, named.first, "the segment isn't the one that its name says"}), Result<void>();
        if (report_.segments == 1) report_.begin = s.header.first;
        if (!continues(s)) damage({s.path, 0, reached_.next, "the segment doesn't continue the one before it"});
        TRY_VOID(walk(*file, s, newest));
        before_ = s.header, report_.incarnation = s.header.incarnation;
        return {};
    }

    Result<void> walk(File& file, Segment& s, bool newest) {
        std::uint64_t end = 0;
        std::optional<Damage> malformed;
        auto visit = [&](SegmentWalk const& w) {
            auto& b = w.batch();
            ++report_.batches, report_.events += b.count;
            if (!events_well_formed(b.events, b.count)) malformed = Damage{s.path, w.batch_offset(), b.first, "the events are malformed"};
            return !malformed;
        };
        TRY_ASSIGN(auto found, walk_segment(file, s, nullptr, Check::chain, reached_, end, visit));
        known_ = !found && !malformed;
        report_.end = std::max(report_.end, reached_.next - 1);
        if (malformed) return damage(*malformed), Result<void>();
        TRY_ASSIGN(auto behind, look_behind(file, s.header, end));
        if (behind.was_durable) report_.end = std::max(report_.end, behind.last);
        if (newest && !behind.was_durable) {
            report_.torn_bytes = behind.last_nonzero - end;
            return {};
        }
        if (!found && behind.was_durable) found = Damage{s.path, end, reached_.next, "zeros where a batch was durable"};
        if (found) known_ = false, damage(*found);
        return {};
    }

    Disk& disk_;
    std::string const& directory_;
    VerifyReport report_;
    bool known_ = false;  // reached_ and before_ say what the next segment must continue
    SegmentHeader before_;
    Chained reached_;
};

}  // namespace

Result<VerifyReport> verify(Disk& disk, std::string const& directory) { return Verifier(disk, directory).run(); }

}  // namespace gantry::log
