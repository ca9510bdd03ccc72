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
    std::string title, release, environment, url;
    bool gone = false;  // the log has its body no more
};
RECORD(ReportBrief, id, project, group, received_at, kind, level, title, release, environment, url, gone);

struct ReportWhole {
    Report report;
    std::uint32_t project = 0;
    GroupId group;
    BucketId bucket;
    std::string title;
    std::optional<ReportId> older, newer;  // of the same group
};
RECORD(ReportWhole, report, project, group, bucket, title, older, newer);

struct ById {
    ReportId id;
};
RECORD(ById, id);
struct ReportListing {
    static constexpr bool has_defaults = true;
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
RECORD(ReportListing, project, group, release, environment, level, kind, before, after, limit, cursor);

// The rows that an answer is about, and where their events are.
struct FoundReports {
    std::vector<Position> positions;
    struct Row {
        std::uint32_t number = 0, project = 0;
        GroupId group;
        BucketId bucket;
        Time received_at;
        ReportKind kind = ReportKind::error;
        Level level = Level::error;
        std::string title, release, environment;
    };
    std::vector<Row> rows;
    std::optional<std::string> next;
    std::optional<std::string> why;
};

Result<FoundReports> find_report(State const& s, ById const& in, Ctx const& cx);
Result<ReportWhole> tell_report(FoundReports const& found, std::vector<Event const*> const& events, Ctx const& cx);
Result<FoundReports> find_reports(State const& s, ReportListing const& in, Ctx const& cx);
Result<Page<ReportBrief>> tell_reports(FoundReports const& found, std::vector<Event const*> const& events, Ctx const& cx);

}  // namespace gantry::oops
