#include <fmt/format.h>

#include <memory>
#include <string>
#include <vector>

#include "app/ask.h"
#include "app/commands/commands.h"
#include "app/problems.h"
#include "app/terminal.h"
#include "kernel/base/time.h"

namespace gantry::app {
namespace {

struct WhyOptions {
    ServerOption server;
    std::string id;
    bool json = false;
};

struct ToldCause {
    std::string service;
    std::int64_t position = 0;
};
RECORD(ToldCause, service, position);
struct ToldStep {
    std::uint32_t depth = 0;
    std::string kind, service, position;
    Time time{};
    std::string caller, request_id, trace_id;
    std::vector<std::string> events;
    std::uint64_t events_total = 0;
    std::optional<ToldCause> cause;
    bool asked = false;
};
RECORD(ToldStep, depth, kind, service, position, time, caller, request_id, trace_id, events, events_total, cause, asked);
struct ToldReport {
    std::string id, code, detail, cause, route;
};
RECORD(ToldReport, id, code, detail, cause, route);
struct ToldWhy {
    std::vector<ToldStep> steps;
    std::optional<ToldReport> report;
    bool complete = true;
};
RECORD(ToldWhy, steps, report, complete);

std::string joined(std::vector<std::string> const& names, std::uint64_t total) {
    std::string out;
    for (auto const& name : names) out.append(out.empty() ? "" : ", ").append(name);
    return total > names.size() ? fmt::format("{}, … ({} in all)", out, total) : out;
}

std::string line_of(ToldStep const& s) {
    std::string out(s.depth * 2, ' ');
    out += fmt::format("{} {} {} {}: {}", format_time(s.time), s.service, s.position.substr(s.position.find('.') + 1), s.kind,
                       joined(s.events, s.events_total));
    if (!s.caller.empty()) out += fmt::format(", by {}", s.caller);
    if (!s.request_id.empty()) out += fmt::format(", request {}", s.request_id);
    if (s.cause && s.depth == 0) out += fmt::format(", because of {} {}", s.cause->service, s.cause->position);
    return out + (s.asked ? "  <- asked for\n" : "\n");
}

int why(WhyOptions const& o) {
    auto answer = ask({o.server, "GET", "/_gantry/v1/why/" + o.id});
    if (!answer) return complain(answer.error()), exit_of(answer.error());
    if (o.json) return print(*answer + "\n") ? exit_ok : exit_failed;
    auto told = read_answer<ToldWhy>(*answer);
    if (!told) return complain(told.error()), exit_failed;
    std::string out;
    if (told->report)
        out += fmt::format("report {}: {} failed with {}: {} ({})\n", told->report->id, told->report->route, told->report->code,
                           told->report->detail, told->report->cause);
    for (auto const& step : told->steps) out += line_of(step);
    if (told->steps.empty()) out += "Nothing was recorded; --json shows what is kept of it.\n";
    if (!told->complete) out += "There is more: the search ended at one of its limits.\n";
    return print(out) ? exit_ok : exit_failed;
}

}  // namespace

void add_why(CLI::App& app, Action& action) {
    auto* command = app.add_subcommand("why", "What began something, and all that came of it: across services, followers and effects.");
    auto o = std::make_shared<WhyOptions>();
    command->add_option("ID", o->id, "The id of a request, a trace or a report, or a position (Gantry-Position).")->required();
    add_server_option(*command, o->server);
    command->add_flag("--json", o->json, "For programs: as the server tells it, with the traces that are kept.");
    command->callback([&action, o] { action = [o] { return why(*o); }; });
}

}  // namespace gantry::app
