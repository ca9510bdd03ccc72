#include "kernel/log/file/recovery.h"

#include <algorithm>
#include <cstring>
#include <functional>

namespace gantry::log {
namespace {

constexpr std::size_t look_bytes = 1 << 20;

Problem gap(std::string const& path, Position position, std::string what) { return damaged({path, 0, position, std::move(what)}); }

Result<void> check_succession(Segment const& before, Segment const& after) {
    if (after.header.number != before.header.number + 1)
        return fail(gap(after.path, before.header.first, "a segment is missing between this one and the one before it"));
    if (after.header.first < before.header.first || after.header.base_time < before.header.base_time)
        return fail(gap(after.path, before.header.first, "the segment is older than the one before it"));
    return {};
}

// Writes [from, to) again, as it reads now.
Result<void> rewrite(File& file, std::uint64_t from, std::uint64_t to) {
    std::string chunk;
    while (from < to) {
        chunk.resize(std::size_t(std::min<std::uint64_t>(to - from, look_bytes)));
        TRY_ASSIGN(auto n, file.read(from, chunk));
        if (n < chunk.size())
            return fail(Problem{500, "disk_failed", "The disk failed.", {}, "a segment became shorter while it was read"});
        TRY_VOID(file.write(from, chunk));
        from += n;
    }
    return {};
}

Result<void> zero(File& file, std::uint64_t from, std::uint64_t to) {
    std::string zeros(std::size_t(std::min<std::uint64_t>(to > from ? to - from : 0, look_bytes)), '\0');
    for (; from < to; from += zeros.size())
        TRY_VOID(file.write(from, std::string_view(zeros).substr(0, std::size_t(std::min<std::uint64_t>(to - from, zeros.size())))));
    return {};
}

// The newest segment: what is good, what is torn, what is damaged.
Result<void> recover_tail(Disk& disk, Recovered& out) {
    Segment& segment = *out.segments.back();
    TRY_ASSIGN(out.newest, disk.open(segment.path, Open::existing_write));
    File& file = *out.newest;
    std::uint64_t durable = segment.header.header_bytes;
    std::uint64_t end = 0;
    auto note = [&](SegmentWalk const& walk) { return durable = std::max<std::uint64_t>(durable, walk.stored().durable), true; };
    TRY_ASSIGN(auto damage, walk_segment(file, segment, nullptr, Check::chain, out.reached, end, note));
    TRY_ASSIGN(auto behind, look_behind(file, segment.header, end));
    if (behind.was_durable) {
        auto place = damage.value_or(Damage{segment.path, end, out.reached.next, "zeros where a batch was durable"});
        return fail(damaged(place));
    }
    if (behind.last_nonzero > end) out.torn_bytes = behind.last_nonzero - end;
    if (segment.file_bytes < end) {  // cut off in the zeros behind the header or the last batch
        TRY_VOID(file.allocate(end));
        segment.file_bytes = end;
    }
    TRY_VOID(rewrite(file, durable, end));
    TRY_VOID(zero(file, end, behind.last_nonzero));
    TRY_VOID(file.sync());
    segment.end = end;
    // Its name, too: an earlier process may have failed between the rename and the sync of the directory.
    TRY_VOID(disk.sync_directory(segment.path.substr(0, segment.path.rfind('/'))));
    return {};
}

}  // namespace

void Segment::mark(Chained const& before, std::uint64_t offset) {
    if (!marks.empty() && offset < marks.back().offset + mark_distance_bytes) return;
    marks.push_back({before.next, offset, before.chain, before.time, before.epoch});
}

Result<std::vector<std::shared_ptr<Segment>>> load_segments(Disk& disk, std::string const& directory) {
    TRY_ASSIGN(auto names, disk.list(directory));
    std::vector<std::shared_ptr<Segment>> segments;
    for (auto& name : names) {
        auto parsed = parse_segment_name(name);
        if (!parsed) continue;
        auto segment = std::make_shared<Segment>();
        segment->path = directory + "/" + name;
        TRY_ASSIGN(auto file, disk.open(segment->path, Open::existing_read));
        TRY_ASSIGN(segment->header, read_header(*file, segment->path));
        TRY_ASSIGN(segment->file_bytes, file->size());
        if (segment->header.first != parsed->first || segment->header.number != parsed->number)
            return fail(gap(segment->path, parsed->first, "the segment isn't the one that its name says"));
        if (!segments.empty()) TRY_VOID(check_succession(*segments.back(), *segment));
        segments.push_back(std::move(segment));
    }
    return segments;
}

Result<std::optional<Damage>> walk_segment(File& file, Segment& segment, SegmentHeader const* next, Check check, Chained& reached,
                                           std::uint64_t& end, std::function<bool(SegmentWalk const&)> const& visit) {
    auto& header = segment.header;
    SegmentWalk walk(file, header, segment.path, header.header_bytes, segment.file_bytes, base_of(header), check);
    bool marking = !segment.marked;
    std::optional<Damage> found;
    for (;;) {
        auto before = walk.reached();
        TRY_ASSIGN(auto step, walk.next());
        if (step == SegmentWalk::Step::damage) found = walk.damage();
        if (step != SegmentWalk::Step::batch) break;
        if (marking) segment.mark(before, walk.batch_offset());
        if (visit && !visit(walk)) break;
    }
    reached = walk.reached(), end = walk.offset();
    segment.marked = segment.marked || !found;
    if (!found && next && reached != base_of(*next))
        found = Damage{segment.path, end, reached.next, "the segment ends before the next one begins"};
    return found;
}

Result<Evidence> look_behind(File& file, SegmentHeader const& header, std::uint64_t offset) {
    Evidence found;
    found.last_nonzero = offset;
    TRY_ASSIGN(auto size, file.size());
    if (size <= offset) return found;
    std::string buffer(std::min<std::uint64_t>(look_bytes, size - offset) + batch_header_bytes, '\0');  // chunks overlap by a header
    for (std::uint64_t at = offset;; at += look_bytes) {
        TRY_ASSIGN(auto n, file.read(at, buffer));
        for (std::size_t i = 0; i < std::min<std::size_t>(n, look_bytes); i += 8) {
            std::uint64_t word = 0;
            std::memcpy(&word, buffer.data() + i, std::min<std::size_t>(8, n - i));
            if (word == 0) continue;
            found.last_nonzero = at + std::min<std::size_t>(i + 8, n);
            BatchHeader batch;
            if (i + batch_header_bytes > n || !decode_header(buffer.data() + i, header.salt, std::uint32_t(at + i), batch)) continue;
            found.was_durable |= batch.durable > offset;
            found.last = std::max(found.last, batch.first + batch.count - 1);
        }
        if (n < buffer.size()) return found;
    }
}

Result<Recovered> recover(Disk& disk, std::string const& directory) {
    Recovered out;
    TRY_ASSIGN(out.segments, load_segments(disk, directory));
    if (out.segments.empty()) return out;
    if (out.segments.size() > 1) {
        auto& segment = *out.segments[out.segments.size() - 2];
        TRY_ASSIGN(auto file, disk.open(segment.path, Open::existing_read));
        TRY_ASSIGN(auto damage, walk_segment(*file, segment, &out.segments.back()->header, Check::chain, out.reached, segment.end));
        if (damage) return fail(damaged(*damage));
    }
    TRY_VOID(recover_tail(disk, out));
    return out;
}

}  // namespace gantry::log
