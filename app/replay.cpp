#include "app/replay.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "app/ask.h"
#include "app/rehearsal/place.h"
#include "app/version.h"
#include "kernel/runtime/report_for_oops.h"
#include "kernel/runtime/report_spool.h"

namespace gantry::app {
namespace {

using runtime::FailureReport;

struct Found {
    FailureReport report;
    std::string site;
};

std::optional<std::string> in_spool(std::string const& site_directory, std::string const& id) {
    return runtime::ReportSpool(log::system_disk(), site_directory + "/reports.d", site_directory + "/failures.d").find(id);
}

Result<Found> find_on_disk(ReplayWanted const& wanted) {
    std::vector<std::string> sites{wanted.site};
    if (wanted.site.empty()) {
        TRY_ASSIGN(sites, log::system_disk().list(wanted.data));
    }
    for (auto const& site : sites) {
        auto const json = in_spool(wanted.data + "/" + site, wanted.id);
        if (!json) continue;
        TRY_ASSIGN(auto report, codec::from_json<FailureReport>(*json, {.lenient = true}));
        return Found{std::move(report), site};
    }
    return fail(404, "report_not_found",
                fmt::format("{} has no report {}: name another directory with --data, or the server whose oops has it with --url",
                            wanted.data, wanted.id));
}

Result<Found> find_in_oops(ReplayWanted const& wanted) {
    TRY_ASSIGN(auto const json, ask({wanted.server, "GET", "/oops/v1/reports/" + wanted.id}));
    TRY_ASSIGN(auto report, runtime::report_in_oops(json));
    auto site = wanted.site.empty() ? report.site : wanted.site;
    return Found{std::move(report), site.empty() ? "main" : site};
}

struct FoundLog {
    rehearsal::Place place;
    std::string snapshots;  // their directory; empty: there are none
};

// On the disk; else a copy of the server's, which lives as long as the place.
Result<FoundLog> find_log(ReplayWanted const& wanted, Found const& found) {
    auto const& service = found.report.service;
    auto const site = wanted.data + "/" + found.site;
    auto const here = fmt::format("{}/{}/{}", wanted.logs.empty() ? wanted.data : wanted.logs, found.site, service);
    if (log::system_disk().exists(here + "/log").value_or(false))
        return FoundLog{{service, {here + "/log", site}, nullptr}, here + "/snapshots"};
    if (!wanted.ask_server) return fail(404, "log_not_found", fmt::format("there is no log of {} in {}", service, here));
    TRY_ASSIGN(auto const server, find_server(wanted.server));
    TRY_ASSIGN(auto place, rehearsal::find_log({server.url, service, found.site}, {service}));
    return FoundLog{std::move(place), {}};
}

std::string outcome_text(int status, std::string_view code, std::optional<runtime::ReportedException> const& exception,
                         std::string_view cause) {
    auto out = fmt::format("{} {}", status, code);
    if (exception) return out + fmt::format(" {}: {}", exception->type, exception->message);
    return cause.empty() ? out : out + fmt::format(": {}", cause);
}

void compare(ReplayTold& told, FailureReport const& report, runtime::Replayed& replayed) {
    told.events = std::move(replayed.events), told.stack = std::move(replayed.stack);
    told.expected = outcome_text(report.status, report.code, report.exception, report.cause);
    if (replayed.outcome) {
        told.got = fmt::format("{} {}", replayed.outcome->status, replayed.outcome->body.substr(0, 1000));
        return;
    }
    auto const& problem = replayed.outcome.error();
    told.got = outcome_text(problem.status, problem.code, replayed.exception, problem.cause);
    auto const type = [](auto const& exception) { return exception ? exception->type : std::string(); };
    bool const says_the_same =
        report.exception && replayed.exception ? report.exception->message == replayed.exception->message : report.cause == problem.cause;
    told.same = problem.status == report.status && problem.code == report.code && type(report.exception) == type(replayed.exception) &&
                (says_the_same || !report.masked.empty());
}

}  // namespace

Result<ReplayTold> replay(ReplayWanted const& wanted, std::vector<runtime::ServiceDecl> const& services, config::Config const* config) {
    if (!runtime::is_report_id(wanted.id)) return fail(404, "report_not_found", "expected a report's id, like OOPS-… and 32 digits");
    TRY_ASSIGN(auto found, wanted.ask_server ? find_in_oops(wanted) : find_on_disk(wanted));
    auto const& report = found.report;
    if (!report.seen || report.kind != "request")
        return fail(400, "replay_impossible",
                    fmt::format("{} {} of {} failed with {}: only a request that came to see its service's state is replayed", report.kind,
                                report.route, report.service.empty() ? "the process" : report.service, report.code));
    auto const decl = std::ranges::find(services, report.service, &runtime::ServiceDecl::name);
    if (decl == services.end())
        return fail(400, "service_unknown", fmt::format("there is no service '{}' in this program", report.service));
    TRY_ASSIGN(auto log, find_log(wanted, found));
    TRY_ASSIGN(auto side, rehearsal::Rehearser::open(*decl, log.place.at, version()));
    if (config) side->configure(*config);
    TRY_ASSIGN(auto replayed, side->replay(report, log.snapshots));
    ReplayTold told{.id = report.id, .service = report.service, .route = report.route};
    told.report_build_id = report.build_id, told.this_build_id = observe::own_build_id(), told.seen = *report.seen;
    told.caller = report.caller, told.masked = report.masked, told.log_end = side->hello().events;
    compare(told, report, replayed);
    return told;
}

std::string text_of(ReplayTold const& told) {
    auto out = fmt::format("{}: {} {}\n", told.id, told.service, told.route);
    if (told.report_build_id != told.this_build_id)
        out +=
            fmt::format("built: the report's program is another build ({}) than this one ({})\n", told.report_build_id, told.this_build_id);
    out += fmt::format("state: of {}, in a log of {} events\n", told.seen.position, told.log_end);
    out +=
        fmt::format("given: time {}, caller {}{}{}, {} random numbers{}\n", format_time(told.seen.now), told.caller.id,
                    told.caller.sees_all ? " (sees all)" : "",
                    told.caller.teams.empty() ? "" : fmt::format(" of {}", fmt::join(told.caller.teams, ", ")), told.seen.drawn_total,
                    told.seen.drawn_total > told.seen.drawn.size() ? fmt::format(", of which {} are known", told.seen.drawn.size()) : "");
    for (auto const& pointer : told.masked) out += fmt::format("masked: {} was left out of the report, and has its default\n", pointer);
    out += fmt::format("then:  {}\nnow:   {}\n", told.expected, told.got);
    for (auto const& event : told.events) out += fmt::format("  would have recorded {}\n", event);
    for (auto const& frame : told.stack) {
        out += fmt::format("  {}", frame.function.empty() ? fmt::format("{}+0x{:x}", frame.object, frame.address) : frame.function);
        out += frame.file.empty() ? "\n" : fmt::format(" ({}:{})\n", frame.file, frame.line);
    }
    return out + (told.same ? "the same failure\n" : "it went otherwise\n");
}

}  // namespace gantry::app
