#include "kernel/log/erasures.h"

#include <fmt/format.h>

#include <algorithm>

#include "kernel/log/lines.h"

namespace gantry::log {

Result<Erasures> Erasures::open(Disk& disk, std::string path) {
    Erasures out(disk, std::move(path));
    TRY_ASSIGN(out.all_, read_lines<Erasure>(disk, out.path_, {500, "erasures_damaged", "The record of erasures can't be read."}));
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

Result<void> Erasures::save() const { return write_lines(*disk_, path_, all_); }

}  // namespace gantry::log
