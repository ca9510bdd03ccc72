#include "app/import/log_source.h"

#include <fmt/format.h>

#include <limits>

namespace gantry::import {

using Got = LineReader::Got;
using Found = PositionFinder::Found;

Result<std::unique_ptr<DpkgLogSource>> DpkgLogSource::open(LogSourceOptions options, Zone& zone, Complaints& complaints) {
    std::unique_ptr<DpkgLogSource> source(new DpkgLogSource(std::move(options), zone, complaints));
    TRY_VOID(source->reopen(source->options_.files));
    if (source->options_.follow && (source->readers_.empty() || source->readers_.back()->compressed()))
        return fail(400, "nothing_to_follow", "--follow needs the log that dpkg writes: a plain file, newer than the others");
    if (source->options_.follow) source->watch_.emplace(source->readers_.back()->path());
    return source;
}

Result<void> DpkgLogSource::reopen(std::vector<std::string> const& paths) {
    TRY_ASSIGN(readers_, open_log(paths));
    at_ = 0, done_before_ = 0;
    return {};
}

PositionFinder::Found DpkgLogSource::find(LogPosition const& wanted, std::uint64_t& before) {
    PositionFinder finder(wanted);
    for (auto& reader : readers_) {
        for (auto got = reader->next(); got != Got::end; got = reader->next()) finder.line(reader->text());
        if (!options_.follow || reader != readers_.back())
            if (reader->take_partial() != Got::end) finder.line(reader->text());
        reader->rewind();
    }
    before = finder.lines_before();
    return finder.found();
}

Result<std::uint64_t> DpkgLogSource::lines_before(LogPosition const& wanted) {
    std::uint64_t before = 0;
    Found found = find(wanted, before);
    if (found == Found::exactly) return before;
    // The log was rotated since, and only its newest file was named: its older parts lie beside it.
    auto paths = options_.files;
    for (auto const& path : options_.files)
        for (auto& sibling : rotated_siblings(path, paths)) paths.push_back(std::move(sibling));
    if (paths.size() > options_.files.size()) {
        TRY_VOID(reopen(paths));
        if (found = find(wanted, before); found == Found::exactly || found == Found::by_hash) return before;
        TRY_VOID(reopen(options_.files));
        found = find(wanted, before);
    }
    if (found == Found::all_newer)
        complaints_.warn(
            fmt::format("the import stands at {}, older than the oldest line given: what lies between is missing", wanted.time));
    if (found == Found::by_time)
        complaints_.warn(fmt::format("the line at {} where the import stands is gone: going on with the first newer one", wanted.time));
    return before;
}

Result<void> DpkgLogSource::start_after(std::string_view position) {
    complaints_.read_again();
    TRY_VOID(reopen(options_.files));
    std::uint64_t before = 0;
    if (!position.empty()) {
        auto wanted = LogPosition::parse(position);
        if (!wanted)
            return fail(409, "import_of_another_kind",
                        fmt::format("the import stands at '{}', which is no position of a dpkg log: choose another --name", position));
        TRY_ASSIGN(before, lines_before(*wanted));
    }
    runs_.clear(), counter_.clear(), previous_ = {}, lines_ = 0, skip_ = before;
    return {};
}

bool DpkgLogSource::next_file() {
    if (at_ + 1 >= readers_.size()) return false;
    done_before_ += readers_[at_]->size_bytes();
    ++at_;
    return true;
}

bool DpkgLogSource::renewed() {
    LineReader& old = *readers_[at_];
    struct stat now;
    if (::stat(old.path().c_str(), &now) != 0) return false;
    bool const other = now.st_dev != old.device() || now.st_ino != old.inode();
    if (!other && std::uint64_t(now.st_size) < old.offset()) {
        old.rewind();
        return true;
    }
    // dpkg writes to the old file as long as it runs, and it runs alone: once the new file has a line, the old one is complete.
    if (!other || now.st_size == 0) return false;
    auto fresh = LineReader::open(old.path());
    if (!fresh) return false;
    readers_.push_back(std::move(*fresh));
    return true;
}

bool DpkgLogSource::next_line() {
    for (bool drained = false; at_ < readers_.size();) {
        LineReader& reader = *readers_[at_];
        Got got = reader.next();
        bool const last = at_ + 1 == readers_.size();
        if (got == Got::end && !(last && options_.follow)) got = reader.take_partial();
        if (got == Got::end) {
            if (next_file()) continue;
            if (!options_.follow || drained || !renewed()) return false;
            drained = at_ + 1 == readers_.size();  // truncated: read once more
            continue;
        }
        ++lines_;
        if (got == Got::line) return text_ = reader.text(), true;
        complaints_.malformed(reader.path(), reader.number(), reader.fault());
    }
    return false;
}

std::optional<Positioned> DpkgLogSource::understand() {
    LineReader const& reader = *readers_[at_];
    auto complain = [&](std::string const& what) {
        complaints_.malformed(reader.path(), reader.number(), what);
        return std::nullopt;
    };
    auto line = parse_dpkg_line(text_);
    if (line || parse_local_time(text_)) counter_.count(text_);
    if (!line) return complain(line.error());
    Time const at = zone_.resolve(line->time, previous_);
    previous_ = at;
    auto report = runs_.take(*line, at);
    if (!report) return complain(report.error());
    if (!*report || lines_ <= skip_) return {};
    return Positioned{std::move(**report), counter_.position(text_).text(), reader.path(), reader.number()};
}

std::optional<Positioned> DpkgLogSource::next() {
    while (next_line())
        if (auto found = understand()) return found;
    return {};
}

bool DpkgLogSource::wait_for_more() {
    if (!watch_) return false;
    watch_->wait();
    return true;
}

std::uint64_t DpkgLogSource::done() const { return done_before_ + (at_ < readers_.size() ? readers_[at_]->offset() : 0); }

std::uint64_t DpkgLogSource::total() const {
    std::uint64_t bytes = 0;
    for (auto& reader : readers_) bytes += reader->size_bytes();
    return bytes;
}

}  // namespace gantry::import
