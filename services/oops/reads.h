#pragma once
#include "services/oops/groups.h"

// Reports themselves: the state says where they are, the log has them.
namespace gantry::oops {

struct ReportBrief {
    ReportId id;
    std::uint32_t project = 0;
    GroupId group;
    Time received_at;
    ReportKind kind = ReportKind::error;
    Level level = Level::error;
    std::string title, release, environment;
    std::optional<std::string> snippet;  // of what was searched for
};
RECORD(ReportBrief, id, project, group, received_at, kind, level, title, release, environment, snippet);

struct ReportWhole {
    Report report;
    std::uint32_t project = 0;
    GroupId group;
    BucketId bucket;
    std::string title;
    std::optional<ReportId> older, newer;  // of the same group; newer: of its newest 100,000
};
RECORD(ReportWhole, report, project, group, bucket, title, older, newer);

struct ById {
    ReportId id;
};
RECORD(ById, id);
struct ReportListing {
    static constexpr bool has_defaults = true;
    std::optional<Text<0, 2000>> q;  // searched for; without it the newest first
    std::optional<Project> project;
    std::optional<GroupId> group;
    std::optional<Phrase> release;
    std::optional<Name> environment;
    std::optional<Level> level;
    std::optional<ReportKind> kind;
    std::optional<Time> before, after;
    Limit limit = 50;
    std::optional<std::string> cursor;
};
RECORD(ReportListing, q, project, group, release, environment, level, kind, before, after, limit, cursor);

// The report that an answer is about, and its neighbours.
struct FoundReport {
    Position position = 0;
    struct Row {
        std::uint32_t number = 0, project = 0;
        GroupId group;
        BucketId bucket;
        Time received_at;
        ReportKind kind = ReportKind::error;
        Level level = Level::error;
        std::string title, release, environment;
    };
    Row row;
    std::optional<ReportId> older, newer;
    std::vector<MapAt> maps;
};

Result<FoundReport> find_report(State const& s, ById const& in, Ctx const& cx);
Result<ReportWhole> tell_report(FoundReport const& found, Events<Event>& events, Ctx const& cx);

// How many reports of a group came in each hour or day that had some, the newest first. Those that were counted without their bodies have
// no time of their own, and are in the group's count alone.
enum class CountStep : std::uint8_t { hour, day };
ENUM(CountStep, hour, day);
struct CountsAsked {
    static constexpr bool has_defaults = true;
    GroupId id;
    CountStep step = CountStep::day;
    std::optional<Time> after;  // nothing: a day ago, of days a month
};
RECORD(CountsAsked, id, step, after);
struct CountAt {
    Time at;
    std::uint64_t count = 0;
};
RECORD(CountAt, at, count);
struct Counts {
    std::vector<CountAt> counts;
    bool complete = true;  // false: the newest 100,000 reports were counted
};
RECORD(Counts, counts, complete);
Result<Counts> count_reports(State const& s, CountsAsked const& in, Ctx const& cx);

// What the index has of a report: `message` and `frames` to be searched as text; the fields that answers `field:value`.
text::Schema search_schema();
void index_report(State const& s, Reported const& e, TextChanges& out);
Result<text::Query> find_reports(ReportListing const& in, Ctx const& cx);
Result<Page<ReportBrief>> list_reports(State const& s, ReportListing const& in, text::Found const& found, Ctx const& cx);

}  // namespace gantry::oops
