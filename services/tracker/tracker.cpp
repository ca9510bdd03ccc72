#include "services/tracker/tracker.h"

namespace gantry::tracker {
namespace {

constexpr std::size_t chunk_reports_max = 10'000;
constexpr std::size_t evicted_at_once_max = 1000;

Result<Emit<Taken, Event>> report(State const& s, NewReport const& in, Ctx const& cx) {
    Intake intake(s, cx);
    TRY_ASSIGN(auto taken, intake.take(in));
    return Emit<Taken, Event>{intake.take_events(), taken};
}

Result<Emit<ImportView, Event>> chunk(State const& s, Chunk const& in, Ctx const& cx) {
    auto const* row = s.imports.find(in.import);
    ImportRow const stands = row ? *row : ImportRow{};
    if (in.from != Str(stands.at)) return fail(409, "import_elsewhere", "this import stands at \"" + stands.at + "\": go on from there");
    if (in.reports.empty() || in.reports.size() > chunk_reports_max)
        return fail({422,
                     "chunk_size",
                     "a chunk has 1 to 10000 reports",
                     {{"/reports", "expected 1 to 10000, found " + std::to_string(in.reports.size())}}});
    Intake intake(s, cx);
    for (auto const& report : in.reports) TRY_VOID(intake.take(report));
    ImportMoved const moved{in.import, in.to, std::uint32_t(in.reports.size()), intake.repeated()};
    Emit<ImportView, Event> out{intake.take_events(), {}};
    out.events.push_back(moved);
    out.reply = {in.import.str(), in.to.str(), stands.chunks + 1, stands.reports + moved.reports, stands.repeated + moved.repeated, cx.now};
    return out;
}

}  // namespace

std::vector<Event> Service::tick(State const& s, Ctx const& cx) {
    auto const& settings = cx.configured<Settings>();
    if (!settings.window) return {};
    Evicted out{{}, cx.now - *settings.window};
    s.ended.ascend(Ended{}, [&](Ended const& e) {
        if (e.at_us >= out.before.us || out.runs.size() == evicted_at_once_max) return false;
        out.runs.push_back(RunId{e.run});
        return true;
    });
    if (out.runs.empty()) return {};
    return {std::move(out)};
}

std::vector<std::pair<std::string_view, std::string_view>> Service::settings_docs() {
    return {{"window", "How long ended runs stay, as 90d; the log follows. Not set: for ever."}};
}

std::vector<Route> Service::routes() {
    Scope const write{"tracker:write"}, read{"tracker:read"};
    return {
        route<Service>(V1, "POST", "/reports", &report, write, Doc{"Report that a package reached a stage."}, Bulk{}),
        route<Service>(V1, "POST", "/imports/{import}/chunks", &chunk, write, Doc{"Report what an import has read, exactly once."}),
        route<Service>(V1, "GET", "/packages", &packages, read, Doc{"The newest run of each package, arch, series and trigger."}),
        route<Service>(V1, "GET", "/packages/{name}", &package, read, Doc{"The whole history of one package."}),
        route<Service>(V1, "GET", "/runs/{id}", &run, read, Doc{"One run with its stages."}),
        route<Service>(V1, "GET", "/results", &results, read, Doc{"Completed runs, the newest first."}),
        route<Service>(V1, "GET", "/summary", &summary, read, Doc{"Counts by stage, by result, by hour."}),
        route<Service>(V1, "GET", "/imports", &imports, read, Doc{"The imports, by name."}),
        route<Service>(V1, "GET", "/imports/{import}", &import, read, Doc{"Where an import stands."}),
    };
}

}  // namespace gantry::tracker
