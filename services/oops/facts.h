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

struct ProjectMade {
    Project project;
    ProjectName name;
    Text<32, 32> key;  // public: whoever has it may report, and nothing else
};
RECORD(ProjectMade, project, name, key);

// Who is told of what. An alert is sent once for a group that is new, that came back after it was resolved, or of which more came within a
// window than `frequent`.
struct Alerts {
    bool on_new = true, on_regressed = true;
    Bounded<0, 1'000'000> frequent = 0;  // within ten minutes; 0: never
    std::vector<Link> hooks;
    std::vector<Text<3, 320>> mails;
    static constexpr bool has_defaults = true;
};
RECORD(Alerts, on_new, on_regressed, frequent, hooks, mails);

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
};
RECORD(Reported, project, app, system, title, report);

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

enum class AlertKind : std::uint8_t { appeared, regressed, frequent };
ENUM(AlertKind, appeared, regressed, frequent);
// To be done outside: a hook is called.
struct CallHook {
    Link url;
    AlertKind kind = AlertKind::appeared;
    Project project;
    GroupId group;
    Title title;
    ReportId report;
};
RECORD(CallHook, url, kind, project, group, title, report);

using Event = std::variant<ProjectMade, ProjectSet, Reported, Counted, GroupChanged, BucketsMoved, SessionsCounted, ClientsDropped,
                           ItemKept, Effect<CallHook>, EffectOutcome>;

}  // namespace gantry::oops
