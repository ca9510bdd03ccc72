#include "services/tracker/queries.h"

#include <algorithm>

namespace gantry::tracker {
namespace {

constexpr std::size_t rows_examined_max = 20'000;  // by one list: well below a millisecond of the service's lock
constexpr std::size_t stages_max = 1000;
constexpr std::size_t hours_max = 168;

std::optional<std::string> if_any(std::string_view text) {
    if (text.empty()) return {};
    return std::string(text);
}

template <class View>
void fill(State const& s, std::uint64_t n, View& out) {
    RunRow const& run = s.run(n);
    KeyRow const& key = s.key(run.key);
    out.id = RunId{n};
    out.package = s.packages.text(key.package), out.version = s.phrases.text(run.version);
    out.arch = s.words.text(key.arch), out.series = s.words.text(key.series), out.trigger = s.phrases.text(key.trigger);
    out.source = s.phrases.text(run.source), out.reporter = s.words.text(run.reporter), out.stage = s.words.text(run.stage);
    out.result = if_any(s.words.text(run.result));
    out.superseded = run.flags & run_superseded;
    out.started_at = {run.started_us}, out.updated_at = {run.updated_us};
    if (run.result != 0) out.completed_at = Time{run.ended_us};
}

StageView stage_view(State const& s, std::uint32_t number) {
    StepRow const& step = s.steps[number];
    StageView out{std::string(s.words.text(step.stage)),
                  {step.at_us},
                  {std::int64_t(step.received_s) * 1'000'000},
                  std::string(s.words.text(step.reporter)),
                  if_any(s.words.text(step.result)),
                  {},
                  {},
                  {}};
    if (!step.has_extra) return out;
    if (auto const* extra = s.extras.find(number)) {
        out.url = if_any(extra->url), out.note = if_any(extra->note);
        if (extra->who && !extra->who->erased) out.who = extra->who->value.str();
    }
    return out;
}

RunHistory history(State const& s, std::uint64_t n) {
    RunHistory out;
    fill(s, n, out);
    RunRow const& run = s.run(n);
    out.stages_total = run.steps;
    for (auto step = run.last_step; step != 0 && out.stages.size() < stages_max; step = s.steps[step].older)
        out.stages.push_back(stage_view(s, step));
    std::ranges::reverse(out.stages);
    return out;
}

// A filter with its names looked up once. A name that nobody used matches nothing.
class Sieve {
   public:
    Sieve(State const& s, RunFilter const& in) : s_(s), in_(in) {
        word(in.stage, stage_), word(in.reporter, reporter_), word(in.series, series_), word(in.arch, arch_), word(in.result, result_);
        phrase(in.source, source_), phrase(in.trigger, trigger_);
    }
    bool nothing() const { return nothing_; }
    bool takes(std::uint64_t n) const {
        RunRow const& run = s_.run(n);
        if (differs(stage_, run.stage) || differs(reporter_, run.reporter) || differs(result_, run.result) || differs(source_, run.source))
            return false;
        if (in_.since && run.updated_us < in_.since->us) return false;
        KeyRow const& key = s_.key(run.key);
        if (differs(arch_, key.arch) || differs(series_, key.series) || differs(trigger_, key.trigger)) return false;
        if (in_.prefix && !s_.packages.text(key.package).starts_with(in_.prefix->view())) return false;
        return !in_.state || (*in_.state == RunState::completed ? run.result != 0 : run.ended_us == 0);
    }

   private:
    static bool differs(std::optional<std::uint32_t> const& wanted, std::uint32_t is) { return wanted && *wanted != is; }
    void word(std::optional<Word> const& text, std::optional<std::uint32_t>& out) {
        if (text) look(s_.words.find(*text), out);
    }
    void phrase(std::optional<Phrase> const& text, std::optional<std::uint32_t>& out) {
        if (text) look(s_.phrases.find(*text), out);
    }
    void look(std::uint32_t number, std::optional<std::uint32_t>& out) {
        out = number;
        nothing_ = nothing_ || number == State::unknown;
    }
    State const& s_;
    RunFilter const& in_;
    std::optional<std::uint32_t> stage_, reporter_, series_, arch_, result_, source_, trigger_;
    bool nothing_ = false;
};

// Gathers a page: `offer` says whether to go on; `cursor` names the run that was offered last.
class Gatherer {
   public:
    Gatherer(State const& s, RunFilter const& in, Page<RunView>& page) : s_(s), sieve_(s, in), limit_(std::size_t(in.limit)), page_(page) {}
    bool nothing() const { return sieve_.nothing(); }
    template <class Cursor>
    bool offer(std::uint64_t n, Cursor&& cursor) {
        if (page_.items.size() == limit_ || ++examined_ > rows_examined_max) return stop();
        last_ = cursor();
        if (!sieve_.takes(n)) return true;
        fill(s_, n, page_.items.emplace_back());
        return true;
    }

   private:
    bool stop() {
        page_.complete = false, page_.next = last_;
        if (page_.items.size() < limit_) page_.why = "20000 runs were looked at: go on with next";
        return false;
    }
    State const& s_;
    Sieve sieve_;
    std::size_t limit_, examined_ = 0;
    std::string last_;
    Page<RunView>& page_;
};

struct FlightCursor {
    std::uint64_t flight_run = 0;
};
RECORD(FlightCursor, flight_run);
struct EndedCursor {
    std::int64_t ended_us = 0;
    std::uint64_t run = 0;
};
RECORD(EndedCursor, ended_us, run);
struct NameCursor {
    std::string package;
    std::uint32_t key = 0;
};
RECORD(NameCursor, package, key);

struct ImportCursor {
    std::string import;
};
RECORD(ImportCursor, import);

template <class Cursor>
Result<std::optional<Cursor>> start(std::optional<std::string> const& text) {
    if (!text) return std::optional<Cursor>();
    TRY_ASSIGN(Cursor cursor, read_cursor<Cursor>(*text));
    return std::optional<Cursor>(std::move(cursor));
}

Result<void> in_flight(State const& s, RunFilter const& in, Gatherer& page) {
    TRY_ASSIGN(auto after, start<FlightCursor>(in.cursor));
    for (auto n = s.in_flight.next(after ? after->flight_run + 1 : 1); n != state::Bits::none; n = s.in_flight.next(n + 1))
        if (!page.offer(n, [&] { return make_cursor(FlightCursor{n}); })) break;
    return {};
}

enum class Which { newest, all };
Result<void> completed(State const& s, RunFilter const& in, Which which, Gatherer& page) {
    TRY_ASSIGN(auto after, start<EndedCursor>(in.cursor));
    Ended const below = after ? Ended{after->ended_us, after->run} : Ended{INT64_MAX, UINT64_MAX};
    s.ended.descend(below, [&](Ended const& e) {
        if (s.run(e.run).result == 0) return true;
        if (which == Which::newest && s.key(s.run(e.run).key).newest != e.run) return true;
        return page.offer(e.run, [&] { return make_cursor(EndedCursor{e.at_us, e.run}); });
    });
    return {};
}

Result<void> by_name(State const& s, RunFilter const& in, Gatherer& page) {
    TRY_ASSIGN(auto after, start<NameCursor>(in.cursor));
    std::string_view const prefix = in.prefix ? in.prefix->view() : std::string_view();
    std::string_view const from = after ? std::string_view(after->package) : prefix;
    bool going = true;
    s.by_name.ascend(
        from,
        [&](std::uint32_t package) {
            auto const name = s.packages.text(package);
            if (name < from) return true;
            if (!name.starts_with(prefix)) return false;
            bool skipping = after && name == after->package;  // up to and with the key that was given last
            for (auto k = s.package_rows[package - 1].first_key; k != 0 && going; k = s.key(k).next) {
                if (skipping) {
                    skipping = k != after->key;
                    continue;
                }
                if (auto n = s.key(k).newest; n != 0) going = page.offer(n, [&] { return make_cursor(NameCursor{std::string(name), k}); });
            }
            return going;
        },
        [&](std::uint32_t n) { return s.packages.text(n); });
    return {};
}

}  // namespace

Result<Page<RunView>> packages(State const& s, RunFilter const& in, Ctx const&) {
    s.marks.looked_at_all();
    Page<RunView> page;
    Gatherer gatherer(s, in, page);
    if (gatherer.nothing()) return page;
    auto gathered = in.prefix || !in.state             ? by_name(s, in, gatherer)
                    : *in.state == RunState::in_flight ? in_flight(s, in, gatherer)
                                                       : completed(s, in, Which::newest, gatherer);
    if (!gathered) return std::unexpected(std::move(gathered.error()));
    return page;
}

Result<Page<RunView>> results(State const& s, RunFilter const& in, Ctx const&) {
    s.marks.looked_at_all();
    Page<RunView> page;
    Gatherer gatherer(s, in, page);
    if (!gatherer.nothing()) TRY_VOID(completed(s, in, Which::all, gatherer));
    return page;
}

Result<PackageHistory> package(State const& s, ByPackage const& in, Ctx const&) {
    s.marks.looked_up(hash64(in.name));
    TRY_ASSIGN(auto after, start<FlightCursor>(in.cursor));
    auto const number = s.packages.find(in.name);
    std::vector<std::uint64_t> runs;
    bool all = true;
    for (auto k = number == State::unknown ? 0 : s.package_rows[number - 1].first_key; k != 0; k = s.key(k).next)
        for (std::uint64_t n = s.key(k).newest; n != 0; n = s.run(n).older) {
            if (runs.size() == rows_examined_max) {
                all = false;
                break;
            }
            runs.push_back(n);
        }
    if (runs.empty()) return fail(404, "package_not_found", "no run of a package with this name is known");
    std::ranges::sort(runs, std::greater());
    PackageHistory out{in.name.str(), {}, {}, all};
    for (auto n : runs) {
        if (after && n >= after->flight_run) continue;
        if (out.runs.size() == std::size_t(in.limit)) {
            out.next = make_cursor(FlightCursor{out.runs.back().id.n}), out.complete = false;
            break;
        }
        out.runs.push_back(history(s, n));
    }
    return out;
}

Result<RunHistory> run(State const& s, ByRun const& in, Ctx const&) {
    s.marks.looked_at_all();
    if (in.id.n >= 1 && in.id.n <= s.runs.size() && !s.has_run(in.id.n))
        return fail(410, "run_evicted", "this run ended before the tracker's window ([tracker] window) and left it");
    if (!s.has_run(in.id.n)) return fail(404, "run_not_found", "there is no run with this id");
    return history(s, in.id.n);
}

Result<Summary> summary(State const& s, Nothing const&, Ctx const&) {
    s.marks.looked_at_all();
    Summary out;
    out.in_flight = s.in_flight.size(), out.packages = s.package_rows.size();
    out.completed = std::uint64_t(s.totals[State::completed]), out.superseded = std::uint64_t(s.totals[State::superseded]);
    out.evicted = std::uint64_t(s.totals[State::evicted]), out.reports = std::uint64_t(s.totals[State::reports]);
    for (std::uint32_t w = 1; w <= s.words.size(); ++w) {
        if (auto n = s.by_stage[w]; n > 0) out.stages.emplace(s.words.text(w), n);
        if (auto n = s.by_result[w]; n > 0) out.results.emplace(s.words.text(w), n);
    }
    std::int64_t newest = 0;
    s.hours.walk_back([&](std::int64_t hour, Hour const& h) {
        if (out.hours.empty()) newest = hour;
        if (out.hours.size() == hours_max || hour <= newest - std::int64_t(hours_max)) return false;
        out.hours.push_back({{hour * hour_us}, h.reports, h.completed});
        return true;
    });
    std::ranges::reverse(out.hours);
    return out;
}

static ImportView view(std::string_view name, ImportRow const& row) {
    return {std::string(name), row.at, row.chunks, row.reports, row.repeated, row.updated_at};
}

Result<Page<ImportView>> imports(State const& s, ImportFilter const& in, Ctx const&) {
    Page<ImportView> page;
    std::optional<Text<1, 200>> after;
    if (in.cursor) {
        TRY_ASSIGN(auto cursor, read_cursor<ImportCursor>(*in.cursor));
        after = Text<1, 200>(cursor.import);
    }
    s.imports.walk(after ? &*after : nullptr, [&](Text<1, 200> const& name, ImportRow const& row) {
        if (page.items.size() == std::size_t(in.limit)) {
            page.complete = false, page.next = make_cursor(ImportCursor{page.items.back().import});
            return false;
        }
        page.items.push_back(view(name, row));
        return true;
    });
    return page;
}

Result<ImportView> import(State const& s, ByImport const& in, Ctx const&) {
    if (auto const* row = s.imports.find(in.import)) return view(in.import, *row);
    return fail(404, "import_not_found", "nothing was imported under this name");
}

}  // namespace gantry::tracker
