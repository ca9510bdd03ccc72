#include "kernel/log/scrub.h"

#include <algorithm>

namespace gantry::log {

Result<std::vector<Scrubber::Found>> Scrubber::step(std::uint64_t bytes) {
    std::vector<Found> found;
    auto const until = bytes_ + bytes;
    while (!done() && bytes_ < until) {
        auto const log = log_;
        TRY_ASSIGN(auto damage, reading_ ? read(until) : next_segment());
        if (damage) found.push_back({log, std::move(*damage)});
    }
    return found;
}

// Opens the next one that has a successor: the newest one is still being written, and every start checks it.
Result<std::optional<Damage>> Scrubber::next_segment() {
    auto const& directory = directories_[log_];
    TRY_ASSIGN(auto names, disk_.list(directory));
    std::erase_if(names, [](auto const& name) { return !parse_segment_name(name); });
    auto const next = std::ranges::upper_bound(names, before_);
    if (next == names.end() || next + 1 == names.end()) {
        ++log_, before_.clear(), reached_.reset();
        return std::nullopt;
    }
    auto const path = directory + "/" + *next;
    // Whatever was cut away since the last one went in whole segments from the front.
    if (!before_.empty() && parse_segment_name(*next)->number != parse_segment_name(before_)->number + 1) reached_.reset();
    before_ = *next;
    auto reading = std::make_unique<Reading>();
    reading->path = path;
    auto file = disk_.open(path, Open::existing_read);
    if (!file) {
        TRY_ASSIGN(bool there, disk_.exists(path));
        if (there) return std::unexpected(std::move(file.error()));
        reached_.reset();
        return std::nullopt;
    }
    reading->file = std::move(*file);
    TRY_ASSIGN(auto size, reading->file->size());
    auto const first = parse_segment_name(*next)->first;
    auto header = read_header(*reading->file, path);
    if (!header) {
        end_segment({});
        return Damage{path, 0, first, "the segment header is damaged"};
    }
    reading->header = std::move(*header);
    auto const base = base_of(reading->header);
    bool const continues = !reached_ || *reached_ == base;
    reading->walk.emplace(*reading->file, reading->header, path, reading->header.header_bytes, size, base, Check::chain);
    reading_ = std::move(reading);
    if (continues) return std::nullopt;
    return Damage{path, 0, reached_->next, "the segment doesn't continue the one before it"};
}

Result<std::optional<Damage>> Scrubber::read(std::uint64_t until) {
    auto& walk = *reading_->walk;
    while (bytes_ < until) {
        auto const at = walk.offset();
        auto step = walk.next();
        if (!step) {  // a sector that can't be read is damage, too
            Damage damage = walk.damage();
            damage.what = step.error().cause.empty() ? step.error().detail : step.error().cause;
            end_segment({});
            return damage;
        }
        bytes_ += walk.offset() - at;
        if (*step == SegmentWalk::Step::damage) {
            auto damage = walk.damage();
            end_segment({});
            return damage;
        }
        if (*step == SegmentWalk::Step::end) {
            end_segment(walk.reached());
            return std::nullopt;
        }
    }
    return std::nullopt;
}

void Scrubber::end_segment(std::optional<Chained> reached) {
    reading_.reset();
    reached_ = reached;
    ++segments_;
    ++bytes_;  // so that many empty ones end a step, too
}

}  // namespace gantry::log
