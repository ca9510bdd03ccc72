#pragma once
#include <map>

#include "services/tracker/state.h"

// What the tracker tells.
namespace gantry::tracker {

struct RunView {
    RunId id;
    std::string package, version, arch, series, trigger, source, reporter, stage;
    std::optional<std::string> result;
    bool superseded = false;
    Time started_at, updated_at;
    std::optional<Time> completed_at;
};
RECORD(RunView, id, package, version, arch, series, trigger, source, reporter, stage, result, superseded, started_at, updated_at,
       completed_at);

struct StageView {
    std::string stage;
    Time at;           // the reporter's
    Time received_at;  // to the second
    std::string reporter;
    std::optional<std::string> result, url, note, who;
};
RECORD(StageView, stage, at, received_at, reporter, result, url, note, who);

// A run with what was told of it, the oldest stage first. Of more than 1000 stages the newest are here: `stages_total` says how many there
// are.
struct RunHistory {
    RunId id;
    std::string package, version, arch, series, trigger, source, reporter, stage;
    std::optional<std::string> result;
    bool superseded = false;
    Time started_at, updated_at;
    std::optional<Time> completed_at;
    std::uint64_t stages_total = 0;
    std::vector<StageView> stages;
};
RECORD(RunHistory, id, package, version, arch, series, trigger, source, reporter, stage, result, superseded, started_at, updated_at,
       completed_at, stages_total, stages);

struct PackageHistory {
    std::string package;
    std::vector<RunHistory> runs;  // the newest number first
    std::optional<std::string> next;
    bool complete = true;
};
RECORD(PackageHistory, package, runs, next, complete);

struct HourView {
    Time hour;
    std::uint64_t reports = 0, completed = 0;
};
RECORD(HourView, hour, reports, completed);

struct Summary {
    std::uint64_t in_flight = 0, completed = 0, superseded = 0, evicted = 0, packages = 0, reports = 0;
    std::map<std::string, std::uint64_t> stages;   // of what is in flight
    std::map<std::string, std::uint64_t> results;  // of what completed
    std::vector<HourView> hours;                   // the last 168 that have reports, the oldest first
};
RECORD(Summary, in_flight, completed, superseded, evicted, packages, reports, stages, results, hours);

struct ImportView {
    std::string import, at;
    std::uint64_t chunks = 0, reports = 0, repeated = 0;
    Time updated_at;
};
RECORD(ImportView, import, at, chunks, reports, repeated, updated_at);

enum class RunState { in_flight, completed };
ENUM(RunState, in_flight, completed);

// Filters of runs: what is given must be so.
struct RunFilter {
    static constexpr bool has_defaults = true;
    std::optional<RunState> state;
    std::optional<Word> stage, reporter, series, arch, result;
    std::optional<Phrase> source, trigger;
    std::optional<Package> prefix;  // of the package's name
    std::optional<Time> since;      // told of at that time or later
    Limit limit = 100;
    std::optional<std::string> cursor;
};
RECORD(RunFilter, state, stage, reporter, series, arch, result, source, trigger, prefix, since, limit, cursor);

struct ByPackage {
    static constexpr bool has_defaults = true;
    Package name;
    Limit limit = 100;
    std::optional<std::string> cursor;
};
RECORD(ByPackage, name, limit, cursor);

struct ByRun {
    RunId id;
};
RECORD(ByRun, id);

struct Nothing {};
EMPTY_RECORD(Nothing);

struct ByImport {
    Text<1, 200> import;
};
RECORD(ByImport, import);

struct ImportFilter {
    static constexpr bool has_defaults = true;
    Limit limit = 100;
    std::optional<std::string> cursor;
};
RECORD(ImportFilter, limit, cursor);

// The newest run of each package, arch, series and trigger: in flight (the oldest first), completed (the newest first), or all by name.
Result<Page<RunView>> packages(State const& s, RunFilter const& in, Ctx const& cx);
// Every completed run, the newest first.
Result<Page<RunView>> results(State const& s, RunFilter const& in, Ctx const& cx);
Result<PackageHistory> package(State const& s, ByPackage const& in, Ctx const& cx);
Result<RunHistory> run(State const& s, ByRun const& in, Ctx const& cx);
Result<Summary> summary(State const& s, Nothing const& in, Ctx const& cx);
Result<Page<ImportView>> imports(State const& s, ImportFilter const& in, Ctx const& cx);
Result<ImportView> import(State const& s, ByImport const& in, Ctx const& cx);

}  // namespace gantry::tracker
