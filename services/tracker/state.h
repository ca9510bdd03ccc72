#pragma once
#include "services/tracker/facts.h"

// The tracker's state: a pure fold of the facts. Names are numbers here, rows are small and dense, and chains hang on them: a package
// has keys (arch, series, trigger), a key has runs, a run has steps. 0 is "none" in every number.
namespace gantry::tracker {

struct KeyRow {
    std::uint32_t package = 0;
    std::uint32_t trigger = 0;  // in phrases
    std::uint16_t arch = 0;     // in words, as all of 16 bits
    std::uint16_t series = 0;
    std::uint32_t newest = 0;  // run
    std::uint32_t runs = 0;
    std::uint32_t next = 0;  // another key of the package
};
RECORD(KeyRow, package, trigger, arch, series, newest, runs, next);

enum RunFlags : std::uint16_t { run_superseded = 1 };

struct RunRow {
    std::uint32_t key = 0;                  // 0: the run was evicted
    std::uint32_t version = 0, source = 0;  // in phrases
    std::uint32_t older = 0;                // the run before, of the same key
    std::uint32_t last_step = 0;            // the latest by time
    std::uint32_t steps = 0;
    std::uint16_t reporter = 0, stage = 0;  // of the latest step
    std::uint16_t result = 0;               // 0: not completed
    std::uint16_t flags = 0;
    std::int64_t started_us = 0, updated_us = 0;
    std::int64_t ended_us = 0;   // completed, or superseded; 0 while in flight
    std::uint64_t position = 0;  // of the newest event about it
};
RECORD(RunRow, key, version, source, older, last_step, steps, reporter, stage, result, flags, started_us, updated_us, ended_us, position);
static_assert(sizeof(RunRow) == 64, "a run is a line of cache");

struct StepRow {
    std::int64_t at_us = 0;
    std::uint32_t received_s = 0;  // since 1970
    std::uint32_t older = 0;
    std::uint16_t stage = 0, reporter = 0, result = 0;
    std::uint16_t has_extra = 0;
};
RECORD(StepRow, at_us, received_s, older, stage, reporter, result, has_extra);

// What few reports have and nobody filters on.
struct Extra {
    std::string url, note;
    std::optional<Personal<Text<1, 200>>> who;
};
RECORD(Extra, url, note, who);

struct PackageRow {
    std::uint32_t first_key = 0;
};
RECORD(PackageRow, first_key);

struct Ended {
    std::int64_t at_us = 0;
    std::uint64_t run = 0;
    auto operator<=>(Ended const&) const = default;
};
RECORD(Ended, at_us, run);

struct Hour {
    std::uint64_t reports = 0, completed = 0;
};
RECORD(Hour, reports, completed);

struct ReportHash {
    std::uint64_t a = 0, b = 0;
    bool operator==(ReportHash const&) const = default;
};
RECORD(ReportHash, a, b);
ReportHash hash_of(std::string_view reporter, std::string_view id);

struct ImportRow {
    std::string at;
    std::uint64_t chunks = 0, reports = 0, repeated = 0;
    Time updated_at;
};
RECORD(ImportRow, at, chunks, reports, repeated, updated_at);

struct Totals {
    std::uint64_t reports = 0, completed = 0, superseded = 0, evicted = 0;
};

inline constexpr std::int64_t hour_us = 3'600'000'000;
inline std::int64_t hour_of(std::int64_t us) { return us / hour_us - (us % hour_us < 0); }

struct State {
    state::Marks marks;  // changed and looked up: the hash of a package's name
    state::Names packages, phrases, words;
    state::Chunked<PackageRow> package_rows;  // by number of the name, from 1 at [0]
    state::Ordered<std::uint32_t> by_name;    // packages in the order of their names
    state::Chunked<KeyRow> keys;              // from 1 at [0]
    state::HashIndex key_index;
    state::Chunked<RunRow> runs;  // r_1 at [0]
    state::Pool<StepRow> steps;
    Table<std::uint32_t, Extra> extras;  // by step
    state::Bits in_flight;               // runs
    state::Ordered<Ended> ended;         // runs that completed or were superseded
    state::Tally by_stage, by_result;    // by word: in flight, completed
    state::Tally totals;                 // by Total
    Table<std::int64_t, Hour> hours;     // by hours since 1970
    state::Chunked<ReportHash> ids;
    state::HashIndex id_index;
    Table<Text<1, 200>, ImportRow> imports;

    enum Total : std::uint64_t { reports, completed, superseded, evicted };

    void apply(Reported const& e, At const& at);
    void apply(Superseded const& e, At const& at);
    void apply(ImportMoved const& e, At const& at);
    void apply(Evicted const& e, At const& at);
    void prefetch(Event const& e) const;

    // Lookups by number, for rows that are there.
    RunRow const& run(std::uint64_t n) const { return runs[n - 1]; }
    KeyRow const& key(std::uint32_t n) const { return keys[n - 1]; }
    bool has_run(std::uint64_t n) const { return n >= 1 && n <= runs.size() && run(n).key != 0; }
    // 0 when there is none.
    std::uint32_t find_key(std::string_view package, std::string_view arch, std::string_view series, std::string_view trigger) const;
    bool knows(ReportHash const& id) const;
    static constexpr std::uint32_t unknown = state::HashIndex::none;  // of a name

   private:
    RunRow& open(Reported const& e);
    std::uint32_t key_for(Reported const& e);
    void add_step(RunRow& run, Reported const& e, At const& at);
    void complete(RunRow& run, Reported const& e);
    void leave_flight(RunRow& run, std::uint64_t n);
    void unlink(std::uint64_t n);
    void forget(std::uint64_t n);
    void mark(RunRow const& run);
};
STATE(State, marks, packages, phrases, words, package_rows, by_name, keys, key_index, runs, steps, extras, in_flight, ended, by_stage,
      by_result, totals, hours, ids, id_index, imports);

}  // namespace gantry::tracker
