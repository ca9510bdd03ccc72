#include "services/oops/state.h"

#include <fmt/format.h>

#include <algorithm>

#include "services/oops/releases.h"

namespace gantry::oops {
namespace {

std::uint64_t report_hash(std::uint32_t project, std::uint32_t id) { return mix64(std::uint64_t(project) << 32 | id); }
std::uint64_t bucket_hash(std::uint32_t project, std::uint64_t f) { return mix64(f ^ mix64(project)); }
std::uint64_t release_key(std::uint32_t project, std::uint32_t release, std::uint32_t environment) {
    return mix64(std::uint64_t(project) << 40 ^ std::uint64_t(release) << 12 ^ environment);
}
std::uint32_t number(Project project) { return std::uint32_t(std::int64_t(project)); }
// Ten minutes after midnight: what was told late is there.
Time summary_due(Time now) {
    auto const day_us = Duration::days(1).us;
    return Time{(now.us / day_us + 1) * day_us + window_us};
}
constexpr std::uint32_t words_max = 65'535;  // what a row has room for; later ones are 0

}  // namespace

MapKey map_key(std::uint32_t project, std::string_view debug_id) { return Str(fmt::format("{:010}/{}", project, debug_id.substr(0, 49))); }

std::uint32_t State::find_report(std::uint32_t project, std::string_view id) const {
    auto const number = ids.find(id);
    if (number == state::HashIndex::none || number == 0) return 0;
    marks.looked_up(report_hash(project, number));
    auto const found = report_index.find(report_hash(project, number),
                                         [&](std::uint32_t row) { return reports[row].id == number && reports[row].project == project; });
    return found == state::HashIndex::none ? 0 : found + 1;
}

std::uint32_t State::find_bucket(std::uint32_t project, std::uint64_t app, std::uint64_t system) const {
    auto const by = [&](state::HashIndex const& index, std::uint64_t BucketRow::* member, std::uint64_t wanted) {
        if (wanted == 0) return std::uint32_t(0);
        auto const found = index.find(bucket_hash(project, wanted),
                                      [&](std::uint32_t row) { return buckets[row].project == project && buckets[row].*member == wanted; });
        return found == state::HashIndex::none ? 0 : found + 1;
    };
    if (auto const found = by(app_index, &BucketRow::app, app)) return found;
    return by(system_index, &BucketRow::system, system);
}

Status State::status_of(GroupRow const& group, Time now) {
    auto const status = Status(group.status);
    bool const over = status == Status::ignored && group.ignored_until_us != 0 && group.ignored_until_us <= now.us;
    return over ? Status::open : status;
}

bool State::regresses(GroupRow const& group, std::string_view release) const {
    if (Status(group.status) != Status::resolved) return false;
    auto const repaired = phrases.text(group.resolved_in);
    if (repaired.empty() || release.empty() || release == repaired) return true;
    auto const order = compare_releases(parse_release(release), parse_release(repaired));
    if (order != std::partial_ordering::unordered) return order >= 0;
    // Then the one seen later is the later one: phrases are numbered by first sight.
    auto const seen = phrases.find(release);
    return seen == state::HashIndex::none || seen >= group.resolved_in;
}

// Each window's count goes in by an eighth.
std::uint32_t State::usual_in(GroupRow const& group, std::uint32_t window) {
    if (window <= group.window) return group.usual;
    auto usual = group.usual - group.usual / 8 + std::uint32_t(std::min<std::uint64_t>(group.in_window, 1 << 20) * (usual_unit / 8));
    for (auto quiet = std::min<std::uint32_t>(window - group.window - 1, 200); quiet > 0; --quiet) usual -= usual / 8;
    return usual;
}

ReleaseRow const* State::release(std::uint32_t project, std::string_view release, std::string_view environment) const {
    auto const phrase = phrases.find(release), word = words.find(environment);
    if (phrase == state::HashIndex::none || word == state::HashIndex::none) return nullptr;
    return releases.find(release_key(project, phrase, std::min(word, words_max)));
}

void State::apply(ProjectMade const& e, At const& at) {
    projects.put(number(e.project), {.name = e.name, .key = e.key, .made_at = at.time});
}

void State::apply(ProjectSet const& e, At const& at) {
    projects.change(number(e.project), [&](ProjectRow& p) { p.name = e.name, p.alerts = e.alerts, p.limits = e.limits; });
    if (!e.alerts.daily_summary)
        summaries.clear(number(e.project));
    else if (!summaries.find(number(e.project)))
        summaries.set(number(e.project), summary_due(at.time));
}

void State::apply(DayEnded const& e) {
    if (summaries.find(number(e.project))) summaries.set(number(e.project), summary_due(e.day + Duration::days(1)));
}

void State::apply(RulesSet const& e, At const& at) {
    projects.change(number(e.project), [&](ProjectRow& p) { p.rules = e.text, p.rules_at = at.position; });
}

std::uint32_t State::open_bucket(Opened const& what) {
    BucketRow bucket{.app = what.app, .system = what.system, .project = what.project, .group = std::uint32_t(groups.size() + 1)};
    bucket.title = phrases.intern(what.title), bucket.ruled_title = what.ruled_title;
    bucket.kind = what.kind, bucket.level = what.level;
    buckets.push_back(bucket);
    auto const n = std::uint32_t(buckets.size());
    auto const add = [&](state::HashIndex& index, std::uint64_t f) {
        if (f != 0) index.insert(bucket_hash(bucket.project, f), n - 1);
    };
    add(app_index, what.app), add(system_index, what.system);
    groups.push_back({.project = bucket.project, .first_bucket = n, .title = bucket.title, .kind = bucket.kind, .level = bucket.level});
    return n;
}

void State::apply(Reported const& e, At const& at) {
    auto const project = number(e.project);
    auto n = find_bucket(project, e.app, e.system);
    if (n == 0)
        n = open_bucket(
            {project, e.app, e.system, e.title.view(), e.ruled_title, std::uint8_t(e.report.kind), std::uint8_t(e.report.level)});
    auto const release = phrases.intern(e.report.release.view());
    auto const environment = std::min(words.intern(e.report.environment.view()), words_max);
    ReportRow row{.position = at.position,
                  .received_us = at.time.us,
                  .id = ids.intern(e.report.id.view()),
                  .project = project,
                  .bucket = n,
                  .older = bucket(n).newest,
                  .older_of_project = 0,
                  .release = release,
                  .environment = std::uint16_t(environment == words_max ? 0 : environment),
                  .kind = std::uint8_t(e.report.kind),
                  .level = std::uint8_t(e.report.level)};
    auto const number = std::uint32_t(reports.size() + 1);
    projects.change(project, [&](ProjectRow& p) {
        row.older_of_project = p.newest, p.newest = number, ++p.reports;
        auto const minute = std::uint64_t(at.time.us / minute_us);
        p.in_minute = p.minute == minute ? p.in_minute + 1 : 1, p.minute = minute;
    });
    reports.push_back(row);
    report_index.insert(report_hash(project, row.id), number - 1);
    marks.changed(report_hash(project, row.id));
    buckets.mut(n - 1).newest = number;
    count(n, release, at.time);
    auto& group = groups.mut(bucket(n).group - 1);
    group.newest = number;
    if (regresses(group, e.report.release.view())) group.status = std::uint16_t(Status::regressed);
    releases.change_or_put(release_key(project, release, environment), [&](ReleaseRow& r) {
        if (r.reports++ == 0 && r.sessions == 0) r.first_seen = at.time;
        r.last_seen = at.time;
    });
}

void State::apply(Counted const& e, At const& at) {
    count(std::uint32_t(e.bucket.n), phrases.intern(e.release.view()), at.time);
    projects.change(number(e.project), [](ProjectRow& p) { ++p.counted_only; });
}

void State::count(std::uint32_t n, std::uint32_t release, Time at) {
    auto const minute = std::uint64_t(at.us / minute_us);
    auto const window = std::uint32_t(at.us / window_us);
    auto& bucket = buckets.mut(n - 1);
    bucket.in_minute = bucket.minute == minute ? bucket.in_minute + 1 : 1, bucket.minute = minute;
    auto& group = groups.mut(bucket.group - 1);
    if (group.window != window) group.usual = usual_in(group, window), group.in_window = 0, group.window = window;
    ++group.in_window;
    group.merged_into = 0;  // it was empty after a regroup, and is no more
    auto const add = [&](auto& row) {
        if (row.count++ == 0) row.first_us = at.us, row.first_release = release;
        if (release != 0) row.last_release = release;
    };
    add(bucket), add(group);
    bucket.last_us = at.us;
    rank(bucket.group, at.us);
    changed(bucket.group);
}

void State::rank(std::uint64_t n, std::int64_t last_us) {
    auto& group = groups.mut(n - 1);
    if (group.last_us != 0) latest.erase({group.project, group.last_us, n});
    group.last_us = last_us;
    if (last_us != 0) latest.insert({group.project, last_us, n});
}

void State::changed(std::uint64_t group) {
    marks.changed(group);
    marks.changed(groups[group - 1].project | project_bit);
}

void State::apply(GroupChanged const& e) {
    auto& group = groups.mut(e.group.n - 1);
    if (e.status) group.status = std::uint16_t(*e.status), group.resolved_in = 0, group.ignored_until_us = 0;
    if (e.resolved_in) group.resolved_in = phrases.intern(e.resolved_in->view());
    if (e.ignored_until) group.ignored_until_us = e.ignored_until->us;
    if (e.assignee) group.assignee = phrases.intern(e.assignee->view());
    if (e.bug) group.bug = phrases.intern(e.bug->view());
    changed(e.group.n);
}

// What a group says of itself is what its buckets say.
void State::gather(std::uint64_t n) {
    auto& group = groups.mut(n - 1);
    auto const rest = group;
    std::int64_t last_us = 0;
    group.count = 0, group.first_us = 0, group.newest = 0;
    for (auto b = rest.first_bucket; b != 0; b = bucket(b).next) {
        auto const& one = bucket(b);
        if (b == rest.first_bucket) group.title = one.title, group.kind = one.kind, group.level = one.level;
        if (one.count == 0) continue;
        group.count += one.count;
        if (group.first_us == 0 || one.first_us < group.first_us) group.first_us = one.first_us, group.first_release = one.first_release;
        if (one.last_us > last_us) last_us = one.last_us, group.last_release = one.last_release;
        group.newest = std::max(group.newest, one.newest);
    }
    rank(n, last_us);
    changed(n);
}

void State::apply(BucketsMoved const& e, At const& at) {
    std::vector<std::uint64_t> touched;
    for (auto const& moved : e.buckets) {
        auto const& from = groups[moved.from.n - 1];
        if (moved.to.n > groups.size()) groups.push_back({.project = from.project});
        auto& bucket = buckets.mut(moved.bucket.n - 1);
        auto* link = &groups.mut(moved.from.n - 1).first_bucket;
        while (*link != 0 && *link != moved.bucket.n) link = &buckets.mut(*link - 1).next;
        *link = bucket.next;
        auto& to = groups.mut(moved.to.n - 1);
        bucket.next = to.first_bucket, to.first_bucket = std::uint32_t(moved.bucket.n), bucket.group = std::uint32_t(moved.to.n);
        for (auto const group : {moved.from.n, moved.to.n})
            if (std::ranges::find(touched, group) == touched.end()) touched.push_back(group);
        groups.mut(moved.from.n - 1).merged_into = std::uint32_t(moved.to.n);
    }
    for (auto const group : touched) {
        gather(group);
        if (groups[group - 1].first_bucket != 0) groups.mut(group - 1).merged_into = 0;
    }
    moves.put(e.move.n, {e.kind, e.buckets, at.time, Person(at.caller.substr(0, 200)), {}});
    if (e.undoes) moves.change(e.undoes->n, [&](MoveRow& m) { m.undone_by = e.move; });
}

void State::apply(SessionsCounted const& e, At const& at) {
    auto const release = phrases.intern(e.release.view()), environment = words.intern(e.environment.view());
    releases.change_or_put(release_key(number(e.project), release, std::min(environment, words_max)), [&](ReleaseRow& r) {
        if (r.reports == 0 && r.sessions == 0) r.first_seen = at.time;
        r.last_seen = at.time;
        r.sessions += e.started, r.errored += e.errored, r.crashed += e.crashed, r.abnormal += e.abnormal;
    });
}

void State::apply(SourceMapKept const& e, At const& at) {
    auto const key = map_key(number(e.project), e.debug_id.view());
    if (!maps.contains(key)) projects.change(number(e.project), [](ProjectRow& p) { ++p.maps; });
    maps.put(key, {at.position, e.map.data.size(), e.file, at.time});
    again.insert({at.position, at.time.us, 0, 0});
}

void State::apply(SourceMapDropped const& e) {
    if (maps.erase(map_key(number(e.project), e.debug_id.view()))) projects.change(number(e.project), [](ProjectRow& p) { --p.maps; });
}

void State::apply(CrashesTold const& e) {
    auto const release = phrases.intern(e.release.view()), environment = words.intern(e.environment.view());
    releases.change_or_put(release_key(number(e.project), release, std::min(environment, words_max)),
                           [](ReleaseRow& r) { r.crashes_told = true; });
}

void State::apply(ClientsDropped const& e) {
    projects.change(number(e.project), [&](ProjectRow& p) { p.client_dropped += e.count; });
}

void State::apply(ItemKept const& e) {
    projects.change(number(e.project), [](ProjectRow& p) { ++p.items; });
}

}  // namespace gantry::oops
