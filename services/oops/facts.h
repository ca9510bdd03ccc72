#pragma once
#include "services/oops/report.h"

// What oops writes to its log: the reports themselves, whole, and what people made of them.
namespace gantry::oops {

// A project's number is part of its DSN, where Sentry's clients keep digits alone.
using Project = Bounded<1, 4'000'000'000>;
using ProjectName = Text<1, 100>;
using GroupId = Seq<"g_">;
using BucketId = Seq<"b_">;
using MoveId = Seq<"mv_">;
using Title = Text<0, 300>;
using Person = Text<0, 200>;
using Link = Text<0, 2000>;
using RulesText = Text<0, 65536>;
using RegroupId = Seq<"rg_">;

struct ProjectMade {
    Project project;
    ProjectName name;
    Text<32, 32> key;  // public: whoever has it may report, and nothing else
};
RECORD(ProjectMade, project, name, key);

// Who is told of what. An alert is sent once for a group that is new, that came back after it was resolved, or of which more came within a
// window than `frequent`, or than `spike` times the usual; and for a release of which many sessions crash.
struct Alerts {
    bool on_new = true, on_regressed = true;
    Bounded<0, 1'000'000> frequent = 0;   // within ten minutes; 0: never
    Bounded<0, 10'000> spike = 0;         // times what was usual in ten minutes of the last hours; 0: never
    Bounded<0, 100> crashed_percent = 0;  // of the sessions of a release in an environment, of a hundred at least; 0: never
    bool daily_summary = false;           // to `mails`, after midnight UTC
    std::vector<Link> hooks;
    std::vector<Text<3, 254>> mails;
    static constexpr bool has_defaults = true;
};
RECORD(Alerts, on_new, on_regressed, frequent, spike, crashed_percent, daily_summary, hooks, mails);

struct Limits {
    Bounded<1, 100'000'000> reports_a_minute = 60'000;  // more are refused with 429
    Bounded<1, 100'000'000> group_a_minute = 600;       // more of one group are counted without their bodies
    static constexpr bool has_defaults = true;
};
RECORD(Limits, reports_a_minute, group_a_minute);

struct ProjectSet {
    Project project;
    ProjectName name;
    Alerts alerts;
    Limits limits;
};
RECORD(ProjectSet, project, name, alerts, limits);

// A bucket is all reports of one fingerprint; a group is one bucket, or several that people put together. `app` is of our own frames,
// `system` of all; either finds the bucket.
struct Reported {
    Project project;
    std::uint64_t app = 0, system = 0;
    Title title;
    Report report;
    bool ruled_title = false;  // a rule of the project made it
};
RECORD(Reported, project, app, system, title, report, ruled_title);

// How the reports of a project are grouped from now on (rules.h).
struct RulesSet {
    Project project;
    RulesText text;
};
RECORD(RulesSet, project, text);

// One more of a bucket, of which too many came to keep them all.
struct Counted {
    Project project;
    BucketId bucket;
    Phrase release;
};
RECORD(Counted, project, bucket, release);

enum class Status : std::uint8_t { open, resolved, ignored, regressed };
ENUM(Status, open, resolved, ignored, regressed);

// What people decide about a group; what isn't there stays as it is.
struct GroupChanged {
    GroupId group;
    std::optional<Status> status;
    std::optional<Phrase> resolved_in;  // the release that has the repair; "": whatever comes next is a regression
    std::optional<Time> ignored_until;  // 0: for ever
    std::optional<Person> assignee;     // "": nobody
    std::optional<Link> bug;            // "": none
};
RECORD(GroupChanged, group, status, resolved_in, ignored_until, assignee, bug);

// Buckets go to another group; the way back is in it.
struct Moved {
    BucketId bucket;
    GroupId from, to;
};
RECORD(Moved, bucket, from, to);
enum class MoveKind : std::uint8_t { merge, split, undo };
ENUM(MoveKind, merge, split, undo);
struct BucketsMoved {
    MoveId move;
    MoveKind kind = MoveKind::merge;
    std::optional<MoveId> undoes;
    std::vector<Moved> buckets;
};
RECORD(BucketsMoved, move, kind, undoes, buckets);

// Reports are looked at again, from the newest to the oldest: by the rules of then, or to go back where an earlier one found them.
struct RegroupBegun {
    RegroupId regroup;
    Project project;
    std::optional<Time> since;  // what came before stays where it is
    std::optional<RegroupId> undoes;
};
RECORD(RegroupBegun, regroup, project, since, undoes);
// To another bucket; to one of this fingerprint, which may be a new one, where `to` is 0.
struct Replaced {
    std::uint32_t report = 0;
    BucketId from, to;
    std::uint64_t app = 0, system = 0;
    Title title;  // of a new one
    bool ruled_title = false;
};
RECORD(Replaced, report, from, to, app, system, title, ruled_title);
struct Retitled {
    BucketId bucket;
    Title title, before;
    bool ruled = false, ruled_before = false;
};
RECORD(Retitled, bucket, title, before, ruled, ruled_before);
struct Regrouped {
    RegroupId regroup;
    std::vector<Replaced> reports;
    std::vector<Retitled> buckets;
    std::uint32_t examined = 0, unreadable = 0;  // the log has those no more: they stay where they are
};
RECORD(Regrouped, regroup, reports, buckets, examined, unreadable);
enum class RegroupStatus : std::uint8_t { running, done, cancelled };
ENUM(RegroupStatus, running, done, cancelled);
struct RegroupEnded {
    RegroupId regroup;
    RegroupStatus status = RegroupStatus::done;
};
RECORD(RegroupEnded, regroup, status);

// To be done beside: some reports are read and fingerprinted again. Positions are of the log.
struct ReportAt {
    std::uint32_t report = 0;
    std::uint64_t position = 0;
};
RECORD(ReportAt, report, position);
struct MapAt {
    Name debug_id;
    std::uint64_t position = 0;
};
RECORD(MapAt, debug_id, position);
struct RegroupSome {
    RegroupId regroup;
    std::uint64_t rules = 0;   // of the RulesSet; 0: none
    std::uint64_t undoes = 0;  // of a Regrouped
    std::vector<ReportAt> reports;
    std::uint32_t next = 0;  // report, or part of what is undone; 0: these are the last
    std::vector<MapAt> maps = {};
};
RECORD(RegroupSome, regroup, rules, undoes, reports, next, maps);

// The source map of a generated file; another one of the same debug id takes its place.
struct SourceMapKept {
    Project project;
    Name debug_id;
    Phrase file;
    Bytes map;
};
RECORD(SourceMapKept, project, debug_id, file, map);
struct SourceMapDropped {
    Project project;
    Name debug_id;
};
RECORD(SourceMapDropped, project, debug_id);
// To be done beside: a report that just came is fingerprinted by the sources that its maps lead to.
struct MapOne {
    ReportAt report;
    bool is_new = false;  // nothing was like it as it came
    std::uint64_t rules = 0;
    std::vector<MapAt> maps;
};
RECORD(MapOne, report, is_new, rules, maps);

// Retention comes to reports up to `upto`, and to what was written once more up to `again`: those that stay are written once more, before
// the log is cut.
struct Judging {
    std::uint32_t upto = 0;
    std::uint64_t again = 0;  // position
};
RECORD(Judging, upto, again);
struct Judged {
    std::uint32_t upto = 0;
    std::uint64_t again = 0;
};
RECORD(Judged, upto, again);
struct KeptOn {
    std::uint32_t report = 0;
    Reported what;
};
RECORD(KeptOn, report, what);
struct KeepSome {
    std::vector<ReportAt> reports;
    std::vector<MapAt> maps;
};
RECORD(KeepSome, reports, maps);

// How the sessions of a release went, as clients tell it.
struct SessionsCounted {
    Project project;
    Phrase release;
    Name environment;
    std::uint64_t started = 0, errored = 0, crashed = 0, abnormal = 0;
};
RECORD(SessionsCounted, project, release, environment, started, errored, crashed, abnormal);

// What clients didn't send, and why.
struct ClientsDropped {
    Project project;
    Name reason, category;
    std::uint64_t count = 0;
};
RECORD(ClientsDropped, project, reason, category, count);

// What came along with a report, or that nobody here can read: kept as it came.
struct ItemKept {
    Project project;
    std::optional<ReportId> report;
    Name type, name, content_type;
    Bytes bytes;
};
RECORD(ItemKept, project, report, type, name, content_type, bytes);

// Somebody was told that too many sessions of a release crash.
struct CrashesTold {
    Project project;
    Phrase release;
    Name environment;
};
RECORD(CrashesTold, project, release, environment);

enum class AlertKind : std::uint8_t { appeared, regressed, frequent, spike, crashing };
ENUM(AlertKind, appeared, regressed, frequent, spike, crashing);
// To be done outside: a hook is called.
struct CallHook {
    Link url;
    AlertKind kind = AlertKind::appeared;
    Project project;
    GroupId group;
    Title title;
    ReportId report;
    Phrase release = {};  // of one whose sessions crash, which has neither group nor report
};
RECORD(CallHook, url, kind, project, group, title, report, release);

// The summary of a day is due, and sent where somebody asked for it.
struct DayEnded {
    Project project;
    Time day;
};
RECORD(DayEnded, project, day);
struct GroupAt {
    std::uint32_t group = 0;
    std::uint64_t position = 0;
};
RECORD(GroupAt, group, position);
struct MailSummary {
    Text<3, 254> to;
    Project project;
    ProjectName name;
    Time day;
    std::uint64_t reports = 0;      // of that day, which are more than these where they are too many
    std::vector<GroupAt> examined;  // the newest
};
RECORD(MailSummary, to, project, name, day, reports, examined);

using Event = std::variant<ProjectMade, ProjectSet, Reported, Counted, GroupChanged, BucketsMoved, SessionsCounted, ClientsDropped,
                           ItemKept, Effect<CallHook>, EffectOutcome, RulesSet, RegroupBegun, Regrouped, RegroupEnded, Effect<RegroupSome>,
                           CrashesTold, DayEnded, Effect<SendMail>, Effect<MailSummary>, SourceMapKept, SourceMapDropped, Effect<MapOne>,
                           Judging, Judged, KeptOn, Effect<KeepSome>>;

// The report that an event holds, written once or once more; null: none.
inline Reported const* reported_in(Event const* event) {
    if (!event) return nullptr;
    if (auto const* kept = std::get_if<KeptOn>(event)) return &kept->what;
    return std::get_if<Reported>(event);
}

}  // namespace gantry::oops
