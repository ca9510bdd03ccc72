#pragma once
#include <map>
#include <set>
#include <string>
#include <vector>

#include "services/tracker/state.h"

namespace gantry::tracker {

// One report as it comes in. `at` is now and `reporter` the caller when they aren't given.
struct NewReport {
    Package package;
    Phrase version;
    Word arch, stage;
    std::optional<Text<1, 200>> id;
    std::optional<Time> at;
    std::optional<Phrase> source;
    std::optional<Word> reporter, series;
    std::optional<Phrase> trigger;
    std::optional<Word> result;
    std::optional<Text<1, 2000>> url, note;
    std::optional<Text<1, 200>> who;  // a person, "Ann Lee <ann@example.org>": kept so that it can be erased
};
RECORD(NewReport, package, version, arch, stage, id, at, source, reporter, series, trigger, result, url, note, who);

enum class Outcome { recorded, repeated };
ENUM(Outcome, recorded, repeated);

struct Taken {
    Outcome outcome = Outcome::recorded;
    std::optional<RunId> run;  // of a repeat: none
};
RECORD(Taken, outcome, run);

// Decides for reports one after another which run each belongs to, where each sees what the ones before it did. The rules, by package,
// arch, series and trigger (a key), with `newest` the key's newest run:
//   - a report on newest's version belongs to it; but when that has completed and the report is later, it opens a run of its own;
//   - one on another version, no older than newest's start, supersedes newest if that is in flight, and opens a run; but while an earlier
//     run of that version has no result, it belongs there: a superseded run may still tell its end;
//   - an older one belongs to the run of its version that had begun by then, or opens a run of the past.
class Intake {
   public:
    Intake(State const& state, Ctx const& cx) : state_(state), cx_(cx), next_run_(state.runs.size() + 1) {}
    // 507 "words_full" when the vocabulary is.
    Result<Taken> take(NewReport const& report);
    std::vector<Event> take_events() { return std::move(events_); }
    std::uint32_t repeated() const { return repeated_; }

   private:
    struct Run {
        std::uint64_t n = 0;
        std::string version;
        Time started, ended;  // ended.us 0: in flight
        bool has_result = false;
    };
    struct Key {
        std::vector<Run> runs;    // newest first: as far as they were looked at
        std::uint64_t older = 0;  // in the state: what comes behind them
        std::size_t looked_at = 0;
    };
    using KeyText = std::tuple<std::string, std::string, std::string, std::string>;
    static constexpr std::size_t runs_looked_at_max = 1000;
    static constexpr std::size_t words_max = 65'000;

    bool is_repeat(std::string_view reporter, NewReport const& report);
    Result<void> check_words(NewReport const& report, std::string_view reporter) const;
    Key& key_of(NewReport const& report);
    bool look_further(Key& key);
    Run* choose(Key& key, std::string_view version, Time at, bool& past);
    Run* earlier(Key& key, std::string_view version, Time at);
    Run& open(Key& key, std::string_view version, Time at, bool past);

    State const& state_;
    Ctx const& cx_;
    std::uint64_t next_run_;
    std::map<KeyText, Key> keys_;
    std::set<std::pair<std::uint64_t, std::uint64_t>> ids_;
    std::vector<Event> events_;
    std::uint32_t repeated_ = 0;
};

}  // namespace gantry::tracker
