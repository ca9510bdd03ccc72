#include "app/log_reader.h"

#include <fmt/format.h>

#include <algorithm>

namespace gantry::app {

Result<std::vector<std::string>> LogReader::names() const {
    TRY_ASSIGN(auto all, disk_->list(directory_));
    std::erase_if(all, [](auto const& name) { return !log::parse_segment_name(name); });
    return all;
}

Result<void> LogReader::enter(std::string const& name) {
    path_ = directory_ + "/" + name;
    TRY_ASSIGN(file_, disk_->open(path_, log::Open::existing_read));
    TRY_ASSIGN(header_, log::read_header(*file_, path_));
    reached_ = log::base_of(header_), offset_ = header_.header_bytes;
    return {};
}

Result<LogReader> LogReader::open(log::Disk& disk, std::string directory, log::Position after) {
    LogReader reader(disk, std::move(directory));
    TRY_ASSIGN(auto names, reader.names());
    if (names.empty()) return fail(404, "log_not_found", fmt::format("there is no log in {}", reader.directory_));
    reader.begin_ = log::parse_segment_name(names.front())->first, reader.segments_ = names.size();
    for (auto const& name : names) {
        TRY_ASSIGN(auto file, disk.open(reader.directory_ + "/" + name, log::Open::existing_read));
        TRY_ASSIGN(auto size, file->size());
        reader.bytes_ += size;
    }
    auto behind = std::ranges::find_if(names, [&](auto const& name) { return log::parse_segment_name(name)->first > after + 1; });
    TRY_VOID(reader.enter(behind == names.begin() ? names.front() : *std::prev(behind)));
    return reader;
}

Result<std::string> LogReader::next_name() const {
    TRY_ASSIGN(auto all, names());
    auto next = std::ranges::find_if(all, [&](auto const& name) { return log::parse_segment_name(name)->number == header_.number + 1; });
    return next == all.end() ? std::string() : *next;
}

Result<std::optional<log::Damage>> LogReader::advance(Visitor const& visit) {
    for (;;) {
        TRY_ASSIGN(auto size, file_->size());
        log::SegmentWalk walk(*file_, header_, path_, offset_, size, reached_);
        bool enough = false;
        auto step = log::SegmentWalk::Step::end;
        do {
            TRY_ASSIGN(step, walk.next());
            enough = step == log::SegmentWalk::Step::batch && !visit(walk.batch());
        } while (step == log::SegmentWalk::Step::batch && !enough);
        offset_ = walk.offset(), reached_ = walk.reached();
        if (enough) return std::nullopt;
        TRY_ASSIGN(auto next, next_name());
        at_newest_ = next.empty();
        if (step == log::SegmentWalk::Step::damage) return walk.damage();
        if (at_newest_) return std::nullopt;
        auto const before = reached_;
        TRY_VOID(enter(next));
        if (reached_.next != before.next || reached_.chain != before.chain)
            return log::Damage{path_, 0, before.next, "the segment doesn't continue the one before it"};
    }
}

}  // namespace gantry::app
