#include "services/tracker/intake.h"

#include <algorithm>

namespace gantry::tracker {
namespace {

template <class T>
std::string_view text_of(std::optional<T> const& text) {
    return text ? text->view() : std::string_view();
}

// By what a person goes: the mail address in "Ann Lee <ann@example.org>", else the whole.
std::string address_of(std::string_view who) {
    auto const from = who.rfind('<'), to = who.rfind('>');
    std::string out(from != who.npos && to != who.npos && from + 1 < to ? who.substr(from + 1, to - from - 1) : who);
    std::ranges::transform(out, out.begin(), [](char c) { return c >= 'A' && c <= 'Z' ? char(c - 'A' + 'a') : c; });
    return out;
}

}  // namespace

Result<Taken> Intake::take(NewReport const& report) {
    auto const reporter = report.reporter ? report.reporter->view() : cx_.caller().view();
    if (is_repeat(reporter, report)) return ++repeated_, Taken{Outcome::repeated, {}};
    TRY_VOID(check_words(report, reporter));
    Time const at = report.at.value_or(cx_.now);
    Key& key = key_of(report);
    bool past = false;
    Run* run = choose(key, report.version, at, past);
    if (!run) {
        if (!past && !key.runs.empty() && key.runs.front().ended.us == 0) {
            events_.push_back(Superseded{{key.runs.front().n}, at});
            key.runs.front().ended = at;
        }
        run = &open(key, report.version, at, past);
    }
    run->started = std::min(run->started, at);
    if (report.result && (!run->has_result || at >= run->ended)) run->has_result = true, run->ended = at;
    Reported e{.run = {run->n}, .past = past, .package = report.package, .version = report.version, .arch = report.arch};
    e.series = Text<0, 100>(text_of(report.series)), e.trigger = Text<0, 1000>(text_of(report.trigger));
    e.source = Text<0, 1000>(text_of(report.source)), e.reporter = Word(reporter), e.stage = report.stage, e.at = at;
    e.result = Text<0, 100>(text_of(report.result)), e.id = Text<0, 200>(text_of(report.id));
    e.url = Text<0, 2000>(text_of(report.url)), e.note = Text<0, 2000>(text_of(report.note));
    if (report.who) e.who = Personal<Text<1, 200>>{*report.who, cx_.subject_of(address_of(*report.who))};
    events_.push_back(std::move(e));
    return Taken{Outcome::recorded, RunId{run->n}};
}

bool Intake::is_repeat(std::string_view reporter, NewReport const& report) {
    if (!report.id) return false;
    auto const id = hash_of(reporter, *report.id);
    return state_.knows(id) || !ids_.insert({id.a, id.b}).second;
}

Result<void> Intake::check_words(NewReport const& report, std::string_view reporter) const {
    if (state_.words.size() < words_max) return {};
    for (auto word : {report.arch.view(), report.stage.view(), reporter, text_of(report.series), text_of(report.result)})
        if (state_.words.find(word) == State::unknown)
            return fail(
                507, "words_full",
                "the tracker knows 65000 architectures, stages, reporters, results and series, and takes no new one: " + std::string(word));
    return {};
}

Intake::Key& Intake::key_of(NewReport const& report) {
    auto const series = text_of(report.series), trigger = text_of(report.trigger);
    KeyText name{report.package.str(), report.arch.str(), std::string(series), std::string(trigger)};
    auto [at, fresh] = keys_.try_emplace(std::move(name));
    if (fresh) {
        auto const number = state_.find_key(report.package, report.arch, series, trigger);
        if (number != 0) at->second.older = state_.key(number).newest;
        look_further(at->second);
    }
    return at->second;
}

// Loads one more run of the state; false at the end of what is looked at.
bool Intake::look_further(Key& key) {
    if (key.older == 0 || ++key.looked_at > runs_looked_at_max) return false;
    RunRow const& row = state_.run(key.older);
    key.runs.push_back({key.older, std::string(state_.phrases.text(row.version)), {row.started_us}, {row.ended_us}, row.result != 0});
    key.older = row.older;
    return true;
}

// The run that a report belongs to; null: it opens one.
Intake::Run* Intake::choose(Key& key, std::string_view version, Time at, bool& past) {
    if (key.runs.empty()) return nullptr;
    bool const in_its_time = at >= key.runs.front().started;
    if (Run& newest = key.runs.front(); newest.version == version) {
        if (newest.has_result && at > newest.ended) return nullptr;
        if (in_its_time) return &newest;
        auto* run = earlier(key, version, at);
        return run && run->started <= at ? run : &key.runs.front();
    }
    auto* run = earlier(key, version, at);
    if (in_its_time) return run && !run->has_result ? run : nullptr;
    past = run == nullptr;
    return run;
}

// Of the runs behind the newest, the latest of this version that had begun by then, else the earliest of it.
Intake::Run* Intake::earlier(Key& key, std::string_view version, Time at) {
    std::size_t found = 0;
    for (std::size_t i = 1; i < key.runs.size() || look_further(key); ++i) {
        if (key.runs[i].version != version) continue;
        found = i;
        if (key.runs[i].started <= at) break;
    }
    return found == 0 ? nullptr : &key.runs[found];
}

Intake::Run& Intake::open(Key& key, std::string_view version, Time at, bool past) {
    auto place = key.runs.begin() + (past ? 1 : 0);
    return *key.runs.insert(place, Run{next_run_++, std::string(version), at, past ? at : Time{}, false});
}

}  // namespace gantry::tracker
