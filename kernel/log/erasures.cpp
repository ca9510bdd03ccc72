#include "kernel/log/erasures.h"

#include <fmt/format.h>

#include <algorithm>

#include "kernel/codec/json.h"

namespace gantry::log {

Result<Erasures> Erasures::open(Disk& disk, std::string path) {
    Erasures out(disk, std::move(path));
    if (out.path_.empty()) return out;
    TRY_ASSIGN(bool there, disk.exists(out.path_));
    if (!there) return out;
    TRY_ASSIGN(auto text, read_file(disk, out.path_));
    std::string_view rest(text);
    for (int line = 1; !rest.empty(); ++line) {
        auto const end = std::min(rest.find('\n'), rest.size());
        auto erasure = codec::from_json<Erasure>(rest.substr(0, end));
        if (!erasure) {
            Problem problem{500, "erasures_damaged", "The record of erasures can't be read."};
            problem.cause = fmt::format("{}, line {}: put back a copy, or remove the line", out.path_, line);
            return fail(std::move(problem));
        }
        out.all_.push_back(std::move(*erasure));
        rest.remove_prefix(std::min(end + 1, rest.size()));
    }
    return out;
}

Erasure const* Erasures::find(std::string_view subject) const {
    auto found = std::ranges::find(all_.rbegin(), all_.rend(), subject, &Erasure::subject);
    return found == all_.rend() ? nullptr : &*found;
}

Result<Erasure> Erasures::erase(codec::SubjectKeys& keys, std::string_view subject, Time now) {
    if (!keys.find(subject)) {
        if (auto const* earlier = find(subject)) return *earlier;
        return fail(
            404, "subject_unknown",
            fmt::format("no personal value was recorded under \"{}\": a subject is \"s_\" and 32 hexadecimal digits, as `gantry log "
                        "cat` shows it; for a person's name or address give it as `name`",
                        subject));
    }
    all_.push_back({std::string(subject), now, false});
    TRY_VOID(save());
    keys.erase(subject);
    all_.back().done = true;
    TRY_VOID(save());
    return all_.back();
}

Result<void> Erasures::finish(codec::SubjectKeys& keys) {
    bool changed = false;
    for (auto& erasure : all_)
        if (!erasure.done) keys.erase(erasure.subject), erasure.done = changed = true;
    return changed ? save() : Result<void>();
}

Result<std::size_t> Erasures::repeat(codec::SubjectKeys& keys, std::vector<Erasure> const& erasures, Time since) {
    std::size_t repeated = 0;
    for (auto const& erasure : erasures) {
        if (erasure.at < since || !keys.find(erasure.subject)) continue;
        all_.push_back({erasure.subject, erasure.at, false});
        ++repeated;
    }
    if (repeated == 0) return repeated;
    TRY_VOID(save());
    TRY_VOID(finish(keys));
    return repeated;
}

Result<void> Erasures::save() const {
    if (path_.empty()) return {};
    std::string text;
    for (auto const& erasure : all_) codec::append_json(text, erasure), text += '\n';
    return write_file_durably(*disk_, path_, text);
}

}  // namespace gantry::log
