#include "services/oops/reads.h"

#include <fmt/format.h>

#include "services/oops/maps.h"
#include "services/oops/oops_id.h"

namespace gantry::oops {
namespace {

constexpr std::size_t examined_max = 100'000;  // reports of one list, under the service's lock

FoundReport::Row row_of(State const& s, std::uint32_t n) {
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

bool answers(State const& s, ReportRow const& row, ReportListing const& in) {
    if (in.release && s.phrases.text(row.release) != in.release->view()) return false;
    if (in.environment && s.words.text(row.environment) != in.environment->view()) return false;
    if (in.level && row.level != std::uint8_t(*in.level)) return false;
    if (in.kind && row.kind != std::uint8_t(*in.kind)) return false;
    if (in.before && row.received_us >= in.before->us) return false;
    return !(in.after && row.received_us <= in.after->us);
}

// As JSON has it, without the quotes.
template <class Enum>
std::string word_of(Enum value) {
    auto const quoted = codec::to_json(value);
    return quoted.substr(1, quoted.size() - 2);
}

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

Heads heads_of(State const& s, GroupId group) {
    Heads heads;
    for (auto b = s.group(group.n).first_bucket; b != 0; b = s.bucket(b).next) heads.at.push_back(s.bucket(b).newest);
    return heads;
}

}  // namespace

Result<FoundReport> find_report(State const& s, ById const& in, Ctx const& cx) {
    auto const id = lookup_id(in.id.view()).value_or(in.id.str());
    std::uint32_t n = 0;
    s.projects.walk(nullptr, [&](std::uint32_t project, ProjectRow const&) {
        n = s.find_report(project, id);
        return n == 0;
    });
    if (n == 0 || s.report(n).position > cx.durable)
        return fail(404, "report_not_found", "no report with this id came here; a program that reports may still hold it in its spool");
    FoundReport found{.position = s.report(n).position, .row = row_of(s, n)};
    s.looked_at(found.row.group);
    auto const id_of = [&](std::uint32_t other) { return ReportId(std::string(s.ids.text(s.report(other).id))); };
    auto heads = heads_of(s, found.row.group);
    std::uint32_t before = 0;
    for (std::size_t examined = 0; examined < examined_max; ++examined) {
        auto const next = heads.take(s);
        if (next == 0) break;
        if (next < n) {
            found.older = id_of(next);
            break;
        }
        if (next == n && before != 0 && s.report(before).position <= cx.durable) found.newer = id_of(before);
        before = next;
    }
    if (auto const older = s.report(n).older; !found.older && older != 0) found.older = id_of(older);
    found.maps = maps_of(s, found.row.project);
    return found;
}

Result<ReportWhole> tell_report(FoundReport const& found, Events<Event>& events, Ctx const&) {
    TRY_ASSIGN(auto const* event, events.at(found.position));
    auto const* told = reported_in(event);
    if (!told) return fail(410, "report_gone", "the log has this report's body no more: it was pruned");
    auto const& row = found.row;
    ReportWhole whole{told->report, row.project, row.group, row.bucket, row.title, found.older, found.newer};
    MapReader reader(events, found.maps);
    TRY_VOID(reader.rewrite(whole.report));
    return whole;
}

Result<Counts> count_reports(State const& s, CountsAsked const& in, Ctx const& cx) {
    if (!s.has_group(in.id.n)) return fail(404, "group_not_found", "there is no group with this id");
    s.looked_at(in.id);
    auto const step = in.step == CountStep::hour ? Duration::hours(1) : Duration::days(1);
    auto const after = in.after.value_or(cx.now - Duration{step.us * (in.step == CountStep::hour ? 24 : 30)});
    Counts out;
    auto heads = heads_of(s, in.id);
    for (std::size_t examined = 0;; ++examined) {
        auto const n = heads.take(s);
        if (n == 0 || s.report(n).received_us < after.us) break;
        if (examined == examined_max || out.counts.size() == 10'000) {
            out.complete = false;
            break;
        }
        Time const at{s.report(n).received_us / step.us * step.us};
        if (out.counts.empty() || out.counts.back().at != at) out.counts.push_back({at, 0});
        ++out.counts.back().count;
    }
    return out;
}

text::Schema search_schema() {
    return {.texts = {{"title", 4}, {"message", 2, text::Phrases::exact, 300}, {"frames", 1, text::Phrases::as_words}},
            .numbers = {"duration_ms", "status"},
            .exact = {},
            .version = 2};
}

void index_report(State const& s, Reported const& e, TextChanges& out) {
    auto const& r = e.report;
    auto const number = s.find_report(std::uint32_t(std::int64_t(e.project)), r.id.view());
    if (number == 0) return;
    text::Document document{.id = number, .time = r.received_at};
    std::string message(r.message.view()), frames;
    for (auto const& exception : r.exceptions) {
        message.append(" ").append(exception.type.view()).append(": ").append(exception.value.view());
        document.value("type", exception.type.view());
        for (auto const& frame : exception.frames)
            frames.append(frame.module.view()).append(" ").append(frame.function.view()).append(" ").append(frame.file.view()).append("\n");
    }
    document.text("title", e.title.view()).text("message", message).text("frames", frames);
    auto const value = [&](std::string_view field, std::string_view text) {
        if (!text.empty()) document.value(field, text.substr(0, 200));
    };
    value("project", std::to_string(std::int64_t(e.project)));
    value("id", r.id.view()), value("release", r.release.view()), value("environment", r.environment.view());
    value("topic", r.topic.view()), value("url", r.url.view()), value("method", r.method.view()), value("logger", r.logger.view());
    value("hostname", r.hostname.view()), value("reporter", r.reporter.view()), value("platform", r.platform.view());
    value("sdk", r.sdk.view()), value("trace", r.trace_id.view()), value("request", r.request_id.view());
    value("level", word_of(r.level)), value("kind", word_of(r.kind));
    for (auto const& tag : r.tags) value(tag.key.view(), tag.value.view());
    if (r.duration_ms) document.number("duration_ms", *r.duration_ms);
    if (r.status) document.number("status", *r.status);
    out.put(std::move(document));
}

Result<text::Query> find_reports(ReportListing const& in, Ctx const& cx) {
    if (!in.q) return text::Query{.match = {}, .nothing = true};
    TRY_ASSIGN(auto match, text::parse(in.q->view(), search_schema(), {.now = cx.now}));
    std::vector<text::Match> all{std::move(match)};
    if (in.project) all.push_back(text::value_is("project", std::to_string(std::int64_t(*in.project))));
    if (in.release) all.push_back(text::value_is("release", in.release->view()));
    if (in.environment) all.push_back(text::value_is("environment", in.environment->view()));
    return text::Query{.match = text::all_of(std::move(all)),
                       .limit = std::size_t(std::int64_t(in.limit)),
                       .after = in.cursor.value_or(""),
                       .snippet_bytes = 200};
}

namespace {

ReportBrief brief(State const& s, std::uint32_t n) {
    auto row = row_of(s, n);
    return {.id = ReportId(Str(s.ids.text(s.report(n).id))),
            .project = row.project,
            .group = row.group,
            .received_at = row.received_at,
            .kind = row.kind,
            .level = row.level,
            .title = std::move(row.title),
            .release = std::move(row.release),
            .environment = std::move(row.environment),
            .snippet = {}};
}

Page<ReportBrief> told(State const& s, ReportListing const& in, text::Found const& found) {
    Page<ReportBrief> page;
    for (auto const& hit : found.hits) {
        auto const n = std::uint32_t(hit.id);
        if (n == 0 || n > s.reports.size() || !answers(s, s.report(n), in) ||
            (in.group && s.bucket(s.report(n).bucket).group != in.group->n))
            continue;
        page.items.push_back(brief(s, n));
        if (hit.snippet) page.items.back().snippet = hit.snippet->text;
    }
    return page;
}

Result<Heads> heads_of(State const& s, ReportListing const& in) {
    if (in.group) {
        if (!s.has_group(in.group->n)) return fail(404, "group_not_found", "there is no group with this id");
        s.looked_at(*in.group);
        return heads_of(s, *in.group);
    }
    if (!in.project)
        return fail({400,
                     "request_invalid",
                     "reports of a project, of a group, or that are searched for",
                     {{"?project", "expected this, ?group or ?q"}}});
    auto const project = std::uint32_t(std::int64_t(*in.project));
    auto const* row = s.projects.find(project);
    if (!row) return fail(404, "project_not_found", "there is no project of this number");
    s.looked_at_project(project);
    return Heads{{row->newest}, true};
}

}  // namespace

Result<Page<ReportBrief>> list_reports(State const& s, ReportListing const& in, text::Found const& found, Ctx const&) {
    if (in.q) return told(s, in, found);
    TRY_ASSIGN(auto heads, heads_of(s, in));
    std::uint32_t below = UINT32_MAX;
    if (in.cursor) {
        TRY_ASSIGN(below, read_cursor<std::uint32_t>(*in.cursor));
    }
    Page<ReportBrief> page;
    std::size_t examined = 0;
    std::uint32_t last = below;
    while (auto const n = heads.take(s)) {
        if (n >= below) continue;
        if (std::int64_t(page.items.size()) == in.limit || examined == examined_max) {
            page.next = make_cursor(last), page.complete = false;
            if (examined == examined_max) page.why = fmt::format("{} reports were examined: go on with next", examined_max);
            break;
        }
        ++examined, last = n;
        if (answers(s, s.report(n), in)) page.items.push_back(brief(s, n));
    }
    return page;
}

}  // namespace gantry::oops
