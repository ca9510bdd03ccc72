#pragma once
#include "services/oops/state.h"

// What people see of groups, reports and projects, and what they decide about them.
namespace gantry::oops {

// [oops]
struct Settings {
    std::optional<Duration> retention;
    Bounded<0, 1000> keep_newest = 5;
    std::optional<Text<1, 2000>> public_url;
    static constexpr bool has_defaults = true;
};
RECORD(Settings, retention, keep_newest, public_url);

struct ProjectView {
    std::uint32_t project = 0;
    ProjectName name;
    Text<32, 32> key;
    std::optional<std::string> dsn;  // what a client is configured with; of a read only with [oops] public_url
    Time made_at;
    Alerts alerts;
    Limits limits;
    std::uint64_t reports = 0, counted_only = 0, client_dropped = 0, items = 0;
};
RECORD(ProjectView, project, name, key, dsn, made_at, alerts, limits, reports, counted_only, client_dropped, items);

struct GroupView {
    GroupId id;
    std::uint32_t project = 0;
    std::string title;
    ReportKind kind = ReportKind::error;
    Level level = Level::error;
    Status status = Status::open;
    std::uint64_t count = 0;
    Time first_seen, last_seen;
    std::string first_release, last_release, resolved_in, assignee, bug;
    std::optional<Time> ignored_until;
    std::optional<GroupId> merged_into;  // all its buckets went there
};
RECORD(GroupView, id, project, title, kind, level, status, count, first_seen, last_seen, first_release, last_release, resolved_in, assignee,
       bug, ignored_until, merged_into);
GroupView view_of(State const& s, GroupId id, Time now);

struct BucketView {
    BucketId id;
    std::string title;
    std::uint64_t count = 0;
    Time first_seen, last_seen;
};
RECORD(BucketView, id, title, count, first_seen, last_seen);
struct GroupWhole {
    GroupView group;
    std::vector<BucketView> buckets;
    bool buckets_complete = true;
};
RECORD(GroupWhole, group, buckets, buckets_complete);

struct NewProject {
    ProjectName name;
};
RECORD(NewProject, name);
struct ByProject {
    Project project;
};
RECORD(ByProject, project);
struct ProjectListing {
    static constexpr bool has_defaults = true;
    Limit limit = 100;
    std::optional<std::string> cursor;
};
RECORD(ProjectListing, limit, cursor);
struct ProjectChange {
    Project project;
    std::optional<ProjectName> name;
    std::optional<Alerts> alerts;
    std::optional<Limits> limits;
    static constexpr bool has_defaults = true;
};
RECORD(ProjectChange, project, name, alerts, limits);

Result<Emit<ProjectView, Event>> make_project(State const& s, NewProject const& in, Ctx const& cx);
Result<Emit<ProjectView, Event>> change_project(State const& s, ProjectChange const& in, Ctx const& cx);
Result<ProjectView> show_project(State const& s, ByProject const& in, Ctx const& cx);
Result<Page<ProjectView>> list_projects(State const& s, ProjectListing const& in, Ctx const& cx);

struct GroupListing {
    static constexpr bool has_defaults = true;
    Project project;
    std::optional<Status> status;
    std::optional<Level> level;
    std::optional<ReportKind> kind;
    std::optional<Person> assignee;
    std::optional<Text<1, 200>> title;  // a part of it, in any case of letters
    Limit limit = 100;
    std::optional<std::string> cursor;
};
RECORD(GroupListing, project, status, level, kind, assignee, title, limit, cursor);
struct ByGroup {
    GroupId id;
};
RECORD(ByGroup, id);
struct GroupChange {
    GroupId id;
    std::optional<Status> status;
    std::optional<Phrase> resolved_in;
    std::optional<Time> ignored_until;
    std::optional<Person> assignee;
    std::optional<Link> bug;
    static constexpr bool has_defaults = true;
};
RECORD(GroupChange, id, status, resolved_in, ignored_until, assignee, bug);
struct Merge {
    GroupId id;
    std::vector<GroupId> groups;
};
RECORD(Merge, id, groups);
struct Split {
    GroupId id;
    std::vector<BucketId> buckets;
};
RECORD(Split, id, buckets);
struct ByMove {
    MoveId id;
};
RECORD(ByMove, id);
struct MoveView {
    MoveId id;
    MoveKind kind = MoveKind::merge;
    GroupId group;  // where the buckets are now
    std::vector<Moved> buckets;
};
RECORD(MoveView, id, kind, group, buckets);

struct MoveListing {
    static constexpr bool has_defaults = true;
    std::optional<Project> project;
    Limit limit = 100;
    std::optional<std::string> cursor;
};
RECORD(MoveListing, project, limit, cursor);
struct MoveTold {
    MoveId id;
    std::uint32_t project = 0;
    MoveKind kind = MoveKind::merge;
    std::vector<Moved> buckets;
    Time at;
    Person by;
    std::optional<MoveId> undone_by;
};
RECORD(MoveTold, id, project, kind, buckets, at, by, undone_by);
Result<Page<MoveTold>> list_moves(State const& s, MoveListing const& in, Ctx const& cx);

Result<Page<GroupView>> list_groups(State const& s, GroupListing const& in, Ctx const& cx);
Result<GroupWhole> show_group(State const& s, ByGroup const& in, Ctx const& cx);
Result<Emit<GroupView, Event>> change_group(State const& s, GroupChange const& in, Ctx const& cx);
Result<Emit<MoveView, Event>> merge_groups(State const& s, Merge const& in, Ctx const& cx);
Result<Emit<MoveView, Event>> split_group(State const& s, Split const& in, Ctx const& cx);
Result<Emit<MoveView, Event>> undo_move(State const& s, ByMove const& in, Ctx const& cx);

struct ReleaseView {
    std::string release, environment;
    Time first_seen, last_seen;
    std::uint64_t reports = 0, sessions = 0, errored = 0, crashed = 0, abnormal = 0;
};
RECORD(ReleaseView, release, environment, first_seen, last_seen, reports, sessions, errored, crashed, abnormal);

}  // namespace gantry::oops
