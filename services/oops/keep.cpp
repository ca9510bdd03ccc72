#include "services/oops/keep.h"

#include "services/oops/groups.h"

namespace gantry::oops {
namespace {

constexpr std::size_t looked_at_max = 2000, kept_max = 200;  // of one turn
constexpr std::size_t batch_bytes_wanted = 8 << 20;          // of what is written once more at a time
constexpr std::uint32_t the_row = 1;

KeepingRow keeping_of(State const& s) {
    auto const* row = s.keeping.find(the_row);
    return row ? *row : KeepingRow{};
}

bool stays(State const& s, std::uint32_t n, std::int64_t newest_max) {
    auto const& bucket = s.bucket(s.report(n).bucket);
    if (s.group(bucket.group).bug != 0) return true;
    auto newer = bucket.newest;
    for (; newest_max > 0 && newer != 0; --newest_max, newer = s.report(newer).older)
        if (newer == n) return true;
    return false;
}

std::optional<MapAt> map_at(State const& s, std::uint64_t position) {
    std::optional<MapAt> found;
    s.maps.walk(nullptr, [&](MapKey const& key, MapRow const& row) {
        if (row.position == position) found = MapAt{Name(Str(key.view().substr(key.view().find('/') + 1))), position};
        return !found;
    });
    return found;
}

}  // namespace

std::optional<Position> unjudged(State const& s) {
    std::optional<Position> oldest;
    if (auto const judged = keeping_of(s).judged; judged < s.reports.size()) oldest = s.report(judged + 1).position;
    if (auto const* first = s.again.first()) oldest = std::min(oldest.value_or(first->position), first->position);
    return oldest;
}

std::vector<Event> judge_some(State const& s, Ctx const& cx) {
    auto const& settings = cx.configured<Settings>();
    auto const row = keeping_of(s);
    if (!settings.retention || row.judging != row.judged || row.judging_again != 0) return {};
    auto const old_us = (cx.now - *settings.retention).us;
    KeepSome some;
    Judging judging{row.judged, 0};
    std::size_t looked_at = 0;
    auto const room = [&] { return looked_at < looked_at_max && some.reports.size() + some.maps.size() < kept_max; };
    for (; judging.upto < s.reports.size() && room() && s.report(judging.upto + 1).received_us <= old_us; ++looked_at)
        if (++judging.upto; stays(s, judging.upto, settings.keep_newest))
            some.reports.push_back({judging.upto, s.report(judging.upto).position});
    s.again.ascend({}, [&](Again const& again) {
        if (again.at_us > old_us || !room()) return false;
        ++looked_at, judging.again = again.position;
        if (again.report == 0) {
            if (auto const map = map_at(s, again.position)) some.maps.push_back(*map);
        } else if (stays(s, again.report, settings.keep_newest)) {
            some.reports.push_back({again.report, again.position});
        }
        return true;
    });
    if (looked_at == 0) return {};
    if (some.reports.empty() && some.maps.empty()) return {Judged{judging.upto, judging.again}};
    return {judging, Effect<KeepSome>{cx.fresh("e_"), std::move(some)}};
}

Result<WrittenAgain> keep_some(KeepSome const& some, Outside& outside) {
    auto events = outside.events<Event>();
    WrittenAgain kept;
    std::size_t bytes = 0;
    for (auto const& one : some.reports) {
        if (bytes > batch_bytes_wanted) {
            kept.rest.reports.push_back(one);
            continue;
        }
        TRY_ASSIGN(auto const* event, events.at(one.position));
        auto const* reported = reported_in(event);
        if (!reported) continue;
        std::string encoded;
        codec::put(encoded, reported->report.exceptions), codec::put(encoded, reported->report.extra);
        bytes += encoded.size() + 4096;
        kept.reports.push_back({one.report, *reported});
    }
    for (auto const& one : some.maps) {
        if (bytes > batch_bytes_wanted) {
            kept.rest.maps.push_back(one);
            continue;
        }
        TRY_ASSIGN(auto const* event, events.at(one.position));
        auto const* map = event ? std::get_if<SourceMapKept>(event) : nullptr;
        if (map) bytes += map->map.data.size(), kept.maps.push_back(*map);
    }
    return kept;
}

std::vector<Event> kept_some(State const& s, KeepSome const&, Result<WrittenAgain> const& kept, Ctx const& cx) {
    if (!kept) return {};  // it holds the cut back, and waits for an operator
    auto const row = keeping_of(s);
    std::vector<Event> events;
    bool const done = kept->rest.reports.empty() && kept->rest.maps.empty();
    if (done) events.push_back(Judged{row.judging, row.judging_again});
    for (auto const& report : kept->reports) events.push_back(report);
    for (auto const& map : kept->maps)
        if (s.maps.contains(map_key(std::uint32_t(std::int64_t(map.project)), map.debug_id.view()))) events.push_back(map);
    if (!done) events.push_back(Effect<KeepSome>{cx.fresh("e_"), kept->rest});
    return events;
}

void State::apply(Judging const& e) {
    keeping.change_or_put(the_row, [&](KeepingRow& row) { row.judging = e.upto, row.judging_again = e.again; });
}

void State::apply(Judged const& e) {
    keeping.change_or_put(the_row, [&](KeepingRow& row) { row.judged = row.judging = e.upto, row.judging_again = 0; });
    std::vector<Again> gone;
    again.ascend({}, [&](Again const& one) {
        if (one.position > e.again) return false;
        return gone.push_back(one), true;
    });
    for (auto const& one : gone) again.erase(one);
}

void State::apply(KeptOn const& e, At const& at) {
    reports.mut(e.report - 1).position = at.position;
    again.insert({at.position, at.time.us, e.report, 0});
}

}  // namespace gantry::oops
