#pragma once
#include "services/oops/facts.h"

// The state of oops: a pure fold of the facts. A report is a row of 48 bytes that points at the event with its body; it belongs to a bucket
// (those of one fingerprint), which belongs to a group. 0 is "none" in every number.
namespace gantry::oops {

struct ReportRow {
    std::uint64_t position = 0;  // of the event that holds it
    std::int64_t received_us = 0;
    std::uint32_t id = 0;  // in ids
    std::uint32_t project = 0, bucket = 0;
    std::uint32_t older = 0, older_of_project = 0;  // the report before in its bucket, in its project
    std::uint32_t release = 0;                      // in phrases
    std::uint16_t environment = 0;                  // in words, as all of 16 bits
    std::uint8_t kind = 0, level = 0;
    std::uint32_t spare = 0;
};
RECORD(ReportRow, position, received_us, id, project, bucket, older, older_of_project, release, environment, kind, level, spare);
static_assert(sizeof(ReportRow) == 48);

struct BucketRow {
    std::uint64_t app = 0, system = 0;
    std::int64_t first_us = 0, last_us = 0;
    std::uint64_t count = 0;   // with those whose bodies weren't kept
    std::uint64_t minute = 0;  // since 1970, of `in_minute`
    std::uint32_t in_minute = 0;
    std::uint32_t newest = 0;  // report
    std::uint32_t project = 0, group = 0;
    std::uint32_t next = 0;   // another bucket of the group
    std::uint32_t title = 0;  // in phrases
    std::uint32_t first_release = 0, last_release = 0;
    std::uint16_t ruled_title = 0;
    std::uint8_t kind = 0, level = 0;
    std::uint32_t cursor = 0, cursor_of = 0;  // how far a regroup has come in its reports: the oldest that was looked at
    std::uint32_t spare = 0;
};
RECORD(BucketRow, app, system, first_us, last_us, count, minute, in_minute, newest, project, group, next, title, first_release,
       last_release, ruled_title, kind, level, cursor, cursor_of, spare);

struct GroupRow {
    std::int64_t first_us = 0, last_us = 0;
    std::uint64_t count = 0;
    std::int64_t ignored_until_us = 0;
    std::uint32_t window = 0;  // of ten minutes since 1970, of `in_window`
    std::uint32_t in_window = 0;
    std::uint32_t usual = 0;    // reports of a window before it, times usual_unit: of the last ones more than of older ones
    std::uint32_t project = 0;  // 0: all its buckets went elsewhere
    std::uint32_t first_bucket = 0;
    std::uint32_t newest = 0;                        // report
    std::uint32_t title = 0, assignee = 0, bug = 0;  // in phrases
    std::uint32_t first_release = 0, last_release = 0, resolved_in = 0;
    std::uint32_t merged_into = 0;           // group, where it went
    std::uint32_t went_to = 0, went_of = 0;  // where a regroup moved its reports: one group, or `several`
    std::uint16_t status = 0;
    std::uint8_t kind = 0, level = 0;
};
RECORD(GroupRow, first_us, last_us, count, ignored_until_us, window, in_window, usual, project, first_bucket, newest, title, assignee, bug,
       first_release, last_release, resolved_in, merged_into, went_to, went_of, status, kind, level);

struct ProjectRow {
    ProjectName name;
    Text<32, 32> key;
    Time made_at;
    Alerts alerts;
    Limits limits;
    std::uint64_t reports = 0, counted_only = 0, client_dropped = 0, items = 0;
    std::uint32_t newest = 0;  // report
    std::uint64_t minute = 0, in_minute = 0;
    RulesText rules;
    std::uint64_t rules_at = 0;  // position; 0: there never were any
    std::uint32_t regroup = 0;   // that runs
    std::uint32_t maps = 0;
};
RECORD(ProjectRow, name, key, made_at, alerts, limits, reports, counted_only, client_dropped, items, newest, minute, in_minute, rules,
       rules_at, regroup, maps);

struct ReleaseKey {
    std::uint32_t project = 0, release = 0, environment = 0;
    auto operator<=>(ReleaseKey const&) const = default;
};
RECORD(ReleaseKey, project, release, environment);
struct ReleaseRow {
    Time first_seen, last_seen;
    std::uint64_t reports = 0;
    std::uint64_t sessions = 0, errored = 0, crashed = 0, abnormal = 0;
    bool crashes_told = false;
};
RECORD(ReleaseRow, first_seen, last_seen, reports, sessions, errored, crashed, abnormal, crashes_told);

// Groups in the order of their newest report.
struct Latest {
    std::uint64_t project = 0;
    std::int64_t last_us = 0;
    std::uint64_t group = 0;
    auto operator<=>(Latest const&) const = default;
};
RECORD(Latest, project, last_us, group);

struct MoveRow {
    MoveKind kind = MoveKind::merge;
    std::vector<Moved> buckets;
    Time at;
    Person by;
    std::optional<MoveId> undone_by;
};
RECORD(MoveRow, kind, buckets, at, by, undone_by);

// "0000000001/01234567-…": the project and the debug id.
using MapKey = Text<11, 60>;
MapKey map_key(std::uint32_t project, std::string_view debug_id);
struct MapRow {
    std::uint64_t position = 0, size_bytes = 0;
    Phrase file;
    Time kept_at;
};
RECORD(MapRow, position, size_bytes, file, kept_at);

struct RegroupRow {
    std::uint32_t project = 0;
    RegroupStatus status = RegroupStatus::running;
    std::optional<Time> since;
    std::uint64_t rules_at = 0;
    std::uint64_t total = 0, examined = 0, moved = 0, unreadable = 0;
    std::vector<std::uint64_t> parts;  // positions of its Regrouped, for who undoes it
    Time begun_at;
    std::optional<Time> ended_at;
    Person by;
    std::optional<RegroupId> undoes, undone_by;
};
RECORD(RegroupRow, project, status, since, rules_at, total, examined, moved, unreadable, parts, begun_at, ended_at, by, undoes, undone_by);

// What retention comes to besides reports in their order: source maps, and reports that were written once more.
struct Again {
    std::uint64_t position = 0;
    std::int64_t at_us = 0;
    std::uint32_t report = 0;  // 0: a source map
    std::uint32_t spare = 0;
    auto operator<=>(Again const&) const = default;
};
RECORD(Again, position, at_us, report, spare);
struct KeepingRow {
    std::uint32_t judged = 0;   // reports up to this one were looked at
    std::uint32_t judging = 0;  // and up to this one are
    std::uint64_t judging_again = 0;
};
RECORD(KeepingRow, judged, judging, judging_again);

inline constexpr std::uint32_t usual_unit = 256;
inline constexpr std::int64_t minute_us = 60'000'000, window_us = 10 * minute_us;

struct State {
    state::Marks marks;  // groups by number; projects by number with the highest bit
    Table<std::uint32_t, ProjectRow> projects;
    state::Names phrases, words, ids;   // ids: of reports, whichever project they are of
    state::Chunked<ReportRow> reports;  // 1 at [0], as the next two
    state::Chunked<BucketRow> buckets;
    state::Chunked<GroupRow> groups;
    state::HashIndex report_index, app_index, system_index;  // of buckets the last two
    state::Ordered<Latest> latest;
    Table<std::uint64_t, ReleaseRow> releases;  // by release_key
    Table<std::uint64_t, MoveRow> moves;
    Table<std::uint64_t, RegroupRow> regroups;
    Table<MapKey, MapRow> maps;
    state::Ordered<Again> again;
    Table<std::uint32_t, KeepingRow> keeping;  // one row: 1
    Due<std::uint32_t> summaries;              // of projects that want a daily one
    Outbox outbox;

    void apply(ProjectMade const& e, At const& at);
    void apply(ProjectSet const& e, At const& at);
    void apply(Reported const& e, At const& at);
    void apply(Counted const& e, At const& at);
    void apply(GroupChanged const& e);
    void apply(BucketsMoved const& e, At const& at);
    void apply(SessionsCounted const& e, At const& at);
    void apply(ClientsDropped const& e);
    void apply(ItemKept const& e);
    void apply(RulesSet const& e, At const& at);
    void apply(RegroupBegun const& e, At const& at);
    void apply(Regrouped const& e, At const& at);
    void apply(RegroupEnded const& e, At const& at);
    void apply(CrashesTold const& e);
    void apply(DayEnded const& e);
    void apply(SourceMapKept const& e, At const& at);
    void apply(SourceMapDropped const& e);
    void apply(Judging const& e);
    void apply(Judged const& e);
    void apply(KeptOn const& e, At const& at);

    // 0 when there is none.
    std::uint32_t find_report(std::uint32_t project, std::string_view id) const;
    std::uint32_t find_bucket(std::uint32_t project, std::uint64_t app, std::uint64_t system) const;
    ReportRow const& report(std::uint64_t n) const { return reports[n - 1]; }
    BucketRow const& bucket(std::uint64_t n) const { return buckets[n - 1]; }
    GroupRow const& group(std::uint64_t n) const { return groups[n - 1]; }
    bool has_group(std::uint64_t n) const { return n >= 1 && n <= groups.size(); }
    // What a group is as of now: one that was ignored until a time is open after it.
    static Status status_of(GroupRow const& group, Time now);
    // Whether one more report, of this release, is a regression of a resolved group.
    bool regresses(GroupRow const& group, std::string_view release) const;
    // What is usual in a window, as of this one, times usual_unit.
    static std::uint32_t usual_in(GroupRow const& group, std::uint32_t window);
    ReleaseRow const* release(std::uint32_t project, std::string_view release, std::string_view environment) const;
    void looked_at(GroupId group) const { marks.looked_up(group.n); }
    void looked_at_project(std::uint32_t project) const { marks.looked_up(project | project_bit); }

   private:
    static constexpr std::uint64_t project_bit = std::uint64_t(1) << 63;
    struct Opened {
        std::uint32_t project = 0;
        std::uint64_t app = 0, system = 0;
        std::string_view title;
        bool ruled_title = false;
        std::uint8_t kind = 0, level = 0;
    };
    std::uint32_t open_bucket(Opened const& what);
    void count(std::uint32_t bucket, std::uint32_t release, Time at);
    void rank(std::uint64_t group, std::int64_t last_us);
    void gather(std::uint64_t group);
    void changed(std::uint64_t group);
    // Of a regroup: the last report of a bucket that is newer than n; 0: there is none. `n` goes down from call to call.
    std::uint32_t newer_in(std::uint32_t bucket, std::uint32_t n, std::uint32_t regroup);
    void take_out(std::uint32_t n, std::uint32_t regroup);
    void put_into(std::uint32_t n, std::uint32_t bucket, std::uint32_t regroup);
    void pass_on(std::uint64_t group);
};
STATE(State, marks, projects, phrases, words, ids, reports, buckets, groups, report_index, app_index, system_index, latest, releases, moves,
      regroups, maps, again, keeping, summaries, outbox);

}  // namespace gantry::oops
