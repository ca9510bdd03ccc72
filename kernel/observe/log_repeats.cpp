#include "kernel/observe/log_repeats.h"

#include <algorithm>
#include <utility>

#include "kernel/base/hash.h"

namespace gantry::observe {

std::uint64_t Repeats::hash(Level level, std::string_view module, std::string_view message) {
    return hash64(message, hash64(module, std::uint64_t(level)));
}

bool Repeats::take(std::uint64_t hash, Level level, std::string_view module, std::string_view message, Time wall, std::int64_t steady_ns) {
    auto found = lines_.find(hash);
    if (found == lines_.end()) {
        if (lines_.size() >= lines_max || message.size() > message_bytes_max) return true;
        found = lines_.try_emplace(hash).first;
        found->second.kept = {.level = level, .module = std::string(module), .message = std::string(message), .first = {}, .last = {}};
        found->second.ends_ns = steady_ns + window.us * 1000;
        next_end_ns_ = std::min(next_end_ns_, found->second.ends_ns);
    }
    auto& [kept, written, ends_ns] = found->second;
    if (kept.level != level || kept.module != module || kept.message != message) return true;  // another line with the same hash
    if (steady_ns >= ends_ns) {
        if (kept.times > 0) ended_early_.push_back(kept);
        kept.times = 0, written = 0, ends_ns = steady_ns + window.us * 1000;
    }
    if (written < written_max) return ++written, true;
    if (kept.times++ == 0) kept.first = wall;
    kept.last = wall;
    return false;
}

std::vector<Repeats::Ended> Repeats::end(std::int64_t steady_ns, Which which) {
    auto ended = std::exchange(ended_early_, {});
    next_end_ns_ = INT64_MAX;
    for (auto at = lines_.begin(); at != lines_.end();) {
        auto& line = at->second;
        if (which == Which::ended && steady_ns < line.ends_ns) {
            next_end_ns_ = std::min(next_end_ns_, line.ends_ns);
            ++at;
            continue;
        }
        if (line.kept.times > 0) ended.push_back(std::move(line.kept));
        at = lines_.erase(at);
    }
    std::ranges::sort(ended, {}, &Ended::first);
    return ended;
}

}  // namespace gantry::observe
