#include "services/oops/summary.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <unordered_map>

namespace gantry::oops {
namespace {

constexpr std::size_t examined_max = 20'000, mailed_max = 10'000;
constexpr std::size_t rows_max = 10, groups_max = 50, urls_max = 5, ids_max = 10;
constexpr std::size_t scanned_max = 2'000'000;  // rows of other projects, under the service's lock
constexpr std::size_t text_chars_max = 19'500;

std::uint32_t number(Project project) { return std::uint32_t(std::int64_t(project)); }
Time day_of(Time at) { return Time{at.us / Duration::days(1).us * Duration::days(1).us}; }

// The newest report of a project before a time; reports stand in the order in which they came. 0: there is none.
std::uint32_t newest_before(State const& s, std::uint32_t project, Time to) {
    std::size_t low = 0, high = s.reports.size();
    while (low < high) {
        auto const middle = (low + high) / 2;
        (s.reports[middle].received_us < to.us ? low : high) = s.reports[middle].received_us < to.us ? middle + 1 : middle;
    }
    auto const bottom = low > scanned_max ? low - scanned_max : 0;
    for (; low > bottom; --low)
        if (s.reports[low - 1].project == project) return std::uint32_t(low);
    return 0;
}

// Counts all of a day and lists its newest.
std::uint64_t list_day(State const& s, std::uint32_t project, Time day, std::size_t max, Position durable, std::vector<GroupAt>& out) {
    std::uint64_t all = 0;
    for (auto n = newest_before(s, project, day + Duration::days(1)); n != 0; n = s.report(n).older_of_project) {
        auto const& row = s.report(n);
        if (row.received_us < day.us) break;
        if (row.position > durable) continue;
        ++all;
        if (out.size() < max) out.push_back({s.bucket(row.bucket).group, row.position});
    }
    return all;
}

template <class Map, class Make, class Less>
auto top(Map const& map, std::size_t max, Make make, Less less) {
    std::vector<std::decay_t<decltype(make(*map.begin()))>> rows;
    for (auto const& entry : map) rows.push_back(make(entry));
    std::ranges::sort(rows, less);
    if (rows.size() > max) rows.resize(max);
    return rows;
}
std::vector<TextCount> most_frequent(std::map<std::string, std::uint64_t> const& counts, std::size_t max) {
    return top(
        counts, max, [](auto const& e) { return TextCount{e.first, e.second}; },
        [](auto const& a, auto const& b) { return a.count > b.count; });
}

class Summarizer {
   public:
    void add(std::uint32_t group, Reported const& reported) {
        auto const& report = reported.report;
        auto const facts = facts_of(report);
        auto const topic = report.topic.empty() ? std::string("(no page)") : report.topic.str();
        ++classes_[facts.what];
        if (facts.total_ms > 0) {
            auto& page = times_[topic];
            ++page.count, page.total += facts.total_ms, page.most = std::max(page.most, facts.total_ms);
            page.estimates += facts.total_is_estimate;
        }
        if (facts.statements > 0) {
            auto& page = statements_[topic];
            ++page.count, page.total += facts.statements, page.most = std::max<std::int64_t>(page.most, facts.statements);
            page.sql_ms += facts.sql_ms;
        }
        if (facts.what == ReportClass::timeout) {
            ++timeouts_[topic];
            if (!facts.costliest_statement.empty()) ++timeout_statements_[facts.costliest_statement];
        }
        if (facts.what == ReportClass::not_found && !facts.local_referrer) return;
        count(groups_[facts.what][group], facts, reported, topic);
    }
    void finish(Summary& out) const {
        for (auto const& [what, count] : classes_) out.classes.push_back({what, count});
        std::ranges::sort(out.classes, std::ranges::greater(), &ClassCount::count);
        auto const mean = [](Sums const& sums, std::int64_t of) { return of / std::int64_t(sums.count); };
        out.slowest_pages = top(
            times_, rows_max,
            [&](auto const& e) {
                return PageTimes{e.first, e.second.count, mean(e.second, e.second.total), e.second.most, e.second.estimates};
            },
            [](auto const& a, auto const& b) { return a.longest_ms > b.longest_ms; });
        out.most_statements = top(
            statements_, rows_max,
            [&](auto const& e) {
                return PageStatements{e.first, e.second.count, std::uint64_t(mean(e.second, e.second.total)), std::uint64_t(e.second.most),
                                      mean(e.second, e.second.sql_ms)};
            },
            [](auto const& a, auto const& b) { return a.most > b.most; });
        out.timeouts_by_page = most_frequent(timeouts_, rows_max);
        out.timeouts_by_statement = most_frequent(timeout_statements_, rows_max);
        for (auto const& [what, groups] : groups_) out.sections.push_back(section(what, groups));
    }

   private:
    struct Sums {
        std::uint64_t count = 0, estimates = 0;
        std::int64_t total = 0, most = 0, sql_ms = 0;
    };
    struct OneUrl {
        std::uint64_t count = 0;
        std::string topic;
        std::vector<ReportId> ids;
    };
    struct OneGroup {
        std::string title;
        std::uint64_t count = 0, get = 0, post = 0, other = 0, robots = 0, local = 0;
        std::map<std::string, std::uint64_t> referrers;
        std::map<std::string, OneUrl> urls;
    };
    static void count(OneGroup& group, ReportFacts const& facts, Reported const& reported, std::string const& topic) {
        auto const& report = reported.report;
        if (group.count++ == 0) group.title = reported.title.str();
        ++(report.method == "GET" || report.method == "HEAD" ? group.get : report.method == "POST" ? group.post : group.other);
        group.robots += facts.robot, group.local += facts.local_referrer;
        if (!report.referrer.empty()) ++group.referrers[report.referrer.str()];
        auto& url = group.urls[report.url.str()];
        if (url.count++ == 0) url.topic = topic;
        if (url.ids.size() < ids_max) url.ids.push_back(report.id);
    }
    static Section section(ReportClass what, std::map<std::uint32_t, OneGroup> const& groups) {
        Section out{.what = what};
        out.groups = top(
            groups, groups_max,
            [](auto const& e) {
                auto const& g = e.second;
                GroupDay day{.group = GroupId{e.first},
                             .title = g.title,
                             .count = g.count,
                             .get = g.get,
                             .post = g.post,
                             .other = g.other,
                             .robots = g.robots,
                             .local = g.local};
                if (auto const referrers = most_frequent(g.referrers, 1); !referrers.empty()) day.top_referrer = referrers.front().text;
                day.urls = top(
                    g.urls, urls_max, [](auto const& u) { return UrlCount{u.first, u.second.topic, u.second.count, u.second.ids}; },
                    [](auto const& a, auto const& b) { return a.count > b.count; });
                return day;
            },
            [](auto const& a, auto const& b) { return a.count > b.count; });
        out.groups_left_out = groups.size() - out.groups.size();
        return out;
    }

    std::map<ReportClass, std::uint64_t> classes_;
    std::map<std::string, Sums> times_, statements_;
    std::map<std::string, std::uint64_t> timeouts_, timeout_statements_;
    std::map<ReportClass, std::map<std::uint32_t, OneGroup>> groups_;
};

Result<void> summarize(Summary& summary, std::vector<GroupAt> const& reports, Events<Event>& events) {
    Summarizer all;
    for (auto const& at : reports) {
        TRY_ASSIGN(auto const* event, events.at(at.position));
        auto const* reported = reported_in(event);
        if (reported) ++summary.examined, all.add(at.group, *reported);
    }
    summary.unreadable = reports.size() - summary.examined;
    summary.complete = summary.examined == summary.reports;
    all.finish(summary);
    return {};
}

std::string_view title_of(ReportClass what) {
    switch (what) {
        case ReportClass::exception: return "Exceptions";
        case ReportClass::timeout: return "Time-outs";
        case ReportClass::soft_timeout: return "Soft time-outs";
        case ReportClass::not_found: return "Pages not found, from our own pages";
        case ReportClass::unauthorised: return "Unauthorised";
        case ReportClass::user_generated: return "Asked for by users";
        case ReportClass::remote_error: return "Remote errors";
        case ReportClass::remote_warning: return "Remote warnings";
        case ReportClass::informational: return "Informational";
        case ReportClass::message: return "Messages";
        case ReportClass::csp: return "Content security policy";
        case ReportClass::feedback: return "Feedback";
    }
    return "Others";
}

void write_group(std::string& out, GroupDay const& g) {
    out += fmt::format("\n {:5} {} (g_{})\n", g.count, g.title, g.group.n);
    if (!g.bug.empty()) out += fmt::format("       Bug: {}\n", g.bug);
    out += fmt::format("       GET: {}  POST: {}  other: {}  robots: {}  local: {}\n", g.get, g.post, g.other, g.robots, g.local);
    if (!g.top_referrer.empty()) out += fmt::format("       Referrer: {}\n", g.top_referrer);
    for (auto const& u : g.urls) {
        out += fmt::format("       {:5} {} ({})\n             ", u.count, u.url.empty() ? "(no address)" : u.url, u.topic);
        for (std::size_t i = 0; i < u.reports.size(); ++i) out += fmt::format("{}{}", i ? ", " : "", u.reports[i].view());
        out += '\n';
    }
}

}  // namespace

Result<SummaryLook> find_summary(State const& s, SummaryAsked const& in, Ctx const& cx) {
    auto const* row = s.projects.find(number(in.project));
    if (!row) return fail(404, "project_not_found", "there is no project of this number");
    Time day = day_of(cx.now - Duration::days(1));
    if (in.day) {
        auto const told = parse_time(in.day->str() + "T00:00:00Z");
        if (!told) return fail({400, "request_invalid", "this is no day", {{"?day", "expected a day as 2026-11-21"}}});
        day = *told;
    }
    SummaryLook look{.head = {.project = in.project, .name = row->name, .day = day}, .text = in.text};
    look.head.reports = list_day(s, number(in.project), day, examined_max, cx.durable, look.reports);
    std::vector<std::uint32_t> groups;
    for (auto const& at : look.reports) groups.push_back(at.group);
    std::ranges::sort(groups);
    groups.erase(std::ranges::unique(groups).begin(), groups.end());
    for (auto const group : groups)
        if (auto const bug = s.group(group).bug; bug != 0) look.bugs.emplace_back(group, s.phrases.text(bug));
    s.looked_at_project(number(in.project));
    return look;
}

Result<Summary> tell_summary(SummaryLook const& look, Events<Event>& events, Ctx const&) {
    auto summary = look.head;
    TRY_VOID(summarize(summary, look.reports, events));
    for (auto& section : summary.sections)
        for (auto& group : section.groups) {
            auto const bug = std::ranges::find(look.bugs, std::uint32_t(group.group.n), &std::pair<std::uint32_t, std::string>::first);
            if (bug != look.bugs.end()) group.bug = bug->second;
        }
    if (look.text) summary.text = text_of(summary);
    return summary;
}

std::string text_of(Summary const& summary) {
    std::string out =
        fmt::format("Reports of {} on {} (UTC): {}\n", summary.name.view(), format_time(summary.day).substr(0, 10), summary.reports);
    if (!summary.complete)
        out += fmt::format("Of these {} were read, the newest; {} are pruned. All below is of those that were read.\n", summary.examined,
                           summary.unreadable);
    out += '\n';
    for (auto const& c : summary.classes) out += fmt::format(" {:6} {}\n", c.count, title_of(c.what));
    auto const heading = [&](std::string_view text) { out += fmt::format("\n=== {} ===\n", text); };
    if (!summary.slowest_pages.empty()) heading("Slowest pages");
    for (auto const& p : summary.slowest_pages)
        out += fmt::format(" {:7} ms longest {:7} ms mean {:5} times  {}{}\n", p.longest_ms, p.mean_ms, p.reports, p.topic,
                           p.estimates ? " (estimated)" : "");
    if (!summary.most_statements.empty()) heading("Most statements");
    for (auto const& p : summary.most_statements)
        out += fmt::format(" {:7} most {:7} mean {:7} ms SQL {:5} times  {}\n", p.most, p.mean, p.mean_sql_ms, p.reports, p.topic);
    if (!summary.timeouts_by_page.empty()) heading("Time-outs by page");
    for (auto const& t : summary.timeouts_by_page) out += fmt::format(" {:6} {}\n", t.count, t.text);
    if (!summary.timeouts_by_statement.empty()) heading("Time-outs by their costliest statement");
    for (auto const& t : summary.timeouts_by_statement) out += fmt::format(" {:6} {}\n", t.count, t.text);
    for (auto const& section : summary.sections) {
        heading(title_of(section.what));
        for (auto const& group : section.groups) write_group(out, group);
        if (section.groups_left_out) out += fmt::format("\n       … and {} groups more\n", section.groups_left_out);
    }
    if (out.size() <= text_chars_max) return out;
    out.resize(out.rfind('\n', text_chars_max) + 1);
    return out + "\n… the page of the summary has the rest\n";
}

std::vector<Event> day_ended(State const& s, std::uint32_t const& project, Ctx const& cx) {
    auto const due = *s.summaries.find(project);
    auto const day = day_of(due - Duration::days(1));
    std::vector<Event> events{DayEnded{Project(project), day}};
    auto const* row = s.projects.find(project);
    MailSummary mail{.project = Project(project), .name = row->name, .day = day};
    mail.reports = list_day(s, project, day, mailed_max, UINT64_MAX, mail.examined);
    for (auto const& to : row->alerts.mails) {
        mail.to = to;
        events.push_back(Effect<MailSummary>{cx.fresh("e_"), mail});
    }
    return events;
}

Result<MailSent> mail_summary(MailSummary const& what, Outside& outside) {
    Summary summary{.project = what.project, .name = what.name, .day = what.day, .reports = what.reports};
    auto events = outside.events<Event>();
    TRY_VOID(summarize(summary, what.examined, events));
    auto const subject = fmt::format("{}: {} reports on {}", what.name.view(), what.reports, format_time(what.day).substr(0, 10));
    return send_mail({.to = what.to, .subject = Str(subject), .text = Str(text_of(summary)), .proof = {}}, outside);
}

}  // namespace gantry::oops
