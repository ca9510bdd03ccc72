#pragma once
#include "services/oops/classify.h"
#include "services/oops/state.h"

// The summary of a day, as those who answer for a site read it in the morning: what failed, how often, where, and what was slow.
namespace gantry::oops {

struct ClassCount {
    ReportClass what = ReportClass::exception;
    std::uint64_t count = 0;
};
RECORD(ClassCount, what, count);
struct PageTimes {
    std::string topic;
    std::uint64_t reports = 0;
    std::int64_t mean_ms = 0, longest_ms = 0;
    std::uint64_t estimates = 0;  // of which no duration was told: the end of the timeline
};
RECORD(PageTimes, topic, reports, mean_ms, longest_ms, estimates);
struct PageStatements {
    std::string topic;
    std::uint64_t reports = 0, mean = 0, most = 0;
    std::int64_t mean_sql_ms = 0;
};
RECORD(PageStatements, topic, reports, mean, most, mean_sql_ms);
struct TextCount {
    std::string text;
    std::uint64_t count = 0;
};
RECORD(TextCount, text, count);
struct UrlCount {
    std::string url, topic;
    std::uint64_t count = 0;
    std::vector<ReportId> reports;  // at most ten
};
RECORD(UrlCount, url, topic, count, reports);
struct GroupDay {
    GroupId group;
    std::string title, bug;
    std::uint64_t count = 0, get = 0, post = 0, other = 0, robots = 0, local = 0;  // local: led here by a page of the same site
    std::string top_referrer;
    std::vector<UrlCount> urls;  // the five most frequent
};
RECORD(GroupDay, group, title, bug, count, get, post, other, robots, local, top_referrer, urls);
struct Section {
    ReportClass what = ReportClass::exception;
    std::vector<GroupDay> groups;  // the most frequent first
    std::uint64_t groups_left_out = 0;
};
RECORD(Section, what, groups, groups_left_out);

struct Summary {
    Project project = 1;
    ProjectName name;
    Time day;
    std::uint64_t reports = 0, examined = 0, unreadable = 0;  // of that day; the newest are examined
    bool complete = true;                                     // false: not all were examined
    std::vector<ClassCount> classes;
    std::vector<PageTimes> slowest_pages;
    std::vector<PageStatements> most_statements;
    std::vector<TextCount> timeouts_by_page, timeouts_by_statement;
    std::vector<Section> sections;  // pages not found: those that our own pages led to
    std::optional<std::string> text;
};
RECORD(Summary, project, name, day, reports, examined, unreadable, complete, classes, slowest_pages, most_statements, timeouts_by_page,
       timeouts_by_statement, sections, text);

struct SummaryAsked {
    Project project;
    std::optional<Text<10, 10>> day;  // "2026-11-21", UTC; nothing: yesterday
    bool text = false;
    static constexpr bool has_defaults = true;
};
RECORD(SummaryAsked, project, day, text);
struct SummaryLook {
    Summary head;
    std::vector<GroupAt> reports;
    std::vector<std::pair<std::uint32_t, std::string>> bugs;  // of groups
    bool text = false;
};
Result<SummaryLook> find_summary(State const& s, SummaryAsked const& in, Ctx const& cx);
Result<Summary> tell_summary(SummaryLook const& look, Events<Event>& events, Ctx const& cx);
// As the mail has it: at most 20,000 characters.
std::string text_of(Summary const& summary);

// The timer's decision, and the mail.
std::vector<Event> day_ended(State const& s, std::uint32_t const& project, Ctx const& cx);
Result<MailSent> mail_summary(MailSummary const& what, Outside& outside);

}  // namespace gantry::oops
