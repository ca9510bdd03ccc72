#include "services/oops/reads.h"

#include <fmt/format.h>

#include "services/oops/oops_id.h"

namespace gantry::oops {
namespace {

constexpr std::size_t examined_max = 100'000;  // reports of one list, under the service's lock
constexpr std::int64_t told_max = 100;         // whose events are read for one list

FoundReports::Row row_of(State const& s, std::uint32_t n) {
    auto const& report = s.report(n);
    auto const& bucket = s.bucket(report.bucket);
    return {.number = n,
            .project = report.project,
            .group = GroupId{bucket.group},
            .bucket = BucketId{report.bucket},
            .received_at = Time{report.received_us},
            .kind = ReportKind(report.kind),
            .level = Level(report.level),
            .title = std::string(s.phrases.text(bucket.title)),
            .release = std::string(s.phrases.text(report.release)),
            .environment = std::string(s.words.text(report.environment))};
}

void add(FoundReports& found, State const& s, std::uint32_t n) {
    found.positions.push_back(s.report(n).position);
    found.rows.push_back(row_of(s, n));
}

bool answers(State const& s, ReportRow const& row, ReportListing const& in) {
    if (in.release && s.phrases.text(row.release) != in.release->view()) return false;
    if (in.environment && s.words.text(row.environment) != in.environment->view()) return false;
    if (in.level && row.level != std::uint8_t(*in.level)) return false;
    if (in.kind && row.kind != std::uint8_t(*in.kind)) return false;
    if (in.before && row.received_us >= in.before->us) return false;
    return !(in.after && row.received_us <= in.after->us);
}

Reported const* reported(Event const* event) { return event ? std::get_if<Reported>(event) : nullptr; }

// Newest first: the heads of the chains of a group's buckets, or that of a project.
struct Heads {
    std::vector<std::uint32_t> at;
    bool of_project = false;
    // 0: there are no more.
    std::uint32_t take(State const& s) {
        auto const newest = std::ranges::max_element(at);
        if (newest == at.end() || *newest == 0) return 0;
        auto const n = *newest;
        *newest = of_project ? s.report(n).older_of_project : s.report(n).older;
        return n;
    }
};

}  // namespace

Result<FoundReports> find_report(State const& s, ById const& in, Ctx const& cx) {
    auto const id = lookup_id(in.id.view()).value_or(in.id.str());
    std::uint32_t n = 0;
    s.projects.walk(nullptr, [&](std::uint32_t project, ProjectRow const&) {
        n = s.find_report(project, id);
        return n == 0;
    });
    if (n == 0 || s.report(n).position > cx.durable)
        return fail(404, "report_not_found", "no report with this id came here; a program that reports may still hold it in its spool");
    FoundReports found;
    add(found, s, n);
    s.looked_at(found.rows.front().group);
    if (auto const older = s.report(n).older; older != 0) add(found, s, older);
    return found;
}

Result<ReportWhole> tell_report(FoundReports const& found, std::vector<Event const*> const& events, Ctx const&) {
    auto const* event = reported(events.front());
    if (!event) return fail(410, "report_gone", "the log has this report's body no more: it was pruned");
    auto const& row = found.rows.front();
    ReportWhole whole{event->report, row.project, row.group, row.bucket, row.title, {}, {}};
    if (events.size() > 1)
        if (auto const* older = reported(events[1])) whole.older = older->report.id;
    return whole;
}

Result<FoundReports> find_reports(State const& s, ReportListing const& in, Ctx const& cx) {
    if (in.project.has_value() == in.group.has_value())
        return fail({400, "request_invalid", "reports of a project, or of a group", {{"?project", "expected this or ?group"}}});
    Heads heads;
    if (in.project) {
        auto const project = std::uint32_t(std::int64_t(*in.project));
        auto const* row = s.projects.find(project);
        if (!row) return fail(404, "project_not_found", "there is no project of this number");
        s.looked_at_project(project);
        heads = {{row->newest}, true};
    } else {
        if (!s.has_group(in.group->n)) return fail(404, "group_not_found", "there is no group with this id");
        s.looked_at(*in.group);
        for (auto b = s.group(in.group->n).first_bucket; b != 0; b = s.bucket(b).next) heads.at.push_back(s.bucket(b).newest);
    }
    std::uint32_t below = UINT32_MAX;
    if (in.cursor) {
        TRY_ASSIGN(below, read_cursor<std::uint32_t>(*in.cursor));
    }
    FoundReports found;
    std::size_t examined = 0;
    std::uint32_t last = below;
    while (auto const n = heads.take(s)) {
        auto const& row = s.report(n);
        if (n >= below || row.position > cx.durable) continue;
        if (std::int64_t(found.rows.size()) == std::min<std::int64_t>(in.limit, told_max) || examined == examined_max) {
            found.next = make_cursor(last);
            if (examined == examined_max)
                found.why = fmt::format("{} reports were examined: go on with next", examined_max);
            else if (in.limit > told_max)
                found.why = fmt::format("a page has at most {} reports: go on with next", told_max);
            break;
        }
        ++examined, last = n;
        if (answers(s, row, in)) add(found, s, n);
    }
    return found;
}

Result<Page<ReportBrief>> tell_reports(FoundReports const& found, std::vector<Event const*> const& events, Ctx const&) {
    Page<ReportBrief> page;
    page.next = found.next, page.complete = !found.next, page.why = found.why;
    for (std::size_t i = 0; i < found.rows.size(); ++i) {
        auto const& row = found.rows[i];
        ReportBrief brief{.id = {},
                          .project = row.project,
                          .group = row.group,
                          .received_at = row.received_at,
                          .kind = row.kind,
                          .level = row.level,
                          .title = row.title,
                          .release = row.release,
                          .environment = row.environment,
                          .url = {}};
        if (auto const* event = reported(events[i]))
            brief.id = event->report.id, brief.url = event->report.url.str(), brief.title = event->title.str();
        else
            brief.gone = true;
        page.items.push_back(std::move(brief));
    }
    return page;
}

}  // namespace gantry::oops
