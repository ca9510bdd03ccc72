#pragma once
#include "kernel/testing/bench_of_one.h"

namespace gantry::testing {

// Whether bytes of an event are what its value is written as: law 2 for one event.
bool survives(codec::Type const& type, std::string_view payload);

// What every service owes, checked on whatever a test left in the log and asked:
//   1. folding the log from zero, and from a snapshot or a baseline taken at any place of it, gives the live state;
//   2. every event survives decoding and encoding;
//   3. after a restart, from the log alone or from a snapshot that was kept on the way, every read answers as before;
//   4. a read told twice is told the same, and one of a stranger never fails through our fault;
//   5. every route says what it does, a read takes only what fits into a query, and the OpenAPI document is JSON;
//   6. no Secret of a request is in the log or in the answer to a read, and no Personal value in the log but sealed;
//   7. what a moment of the past is told as is what a fold up to there tells;
//   8. after each time that it followed: a fold of the log knows how far it came, and what it could not take.
// Of a log that retention cut in the test (keep_house) no fold from zero is left: law 1 holds for a restart from its baseline, law 7 is not
// asked.
class Laws {
   public:
    explicit Laws(BenchOfOne& bench) : bench_(bench) {}
    void check();

    // The same for a service that is only declared: law 5.
    static void check_routes(std::vector<Route> const& routes);

   private:
    using Folded = std::unique_ptr<void, void (*)(void*)>;
    bool is_cut() const { return bench_.log_->status().begin > 1; }
    void folds_are_equal();
    void fold(void* state, log::Position after, log::Position until);
    std::vector<log::Position> places();
    Folded through_a_snapshot(void const* state, state::Form form);
    void events_survive();
    void reads_are_steady();
    void the_past_stands();
    std::string told(BenchOfOne::Asked const& read, std::string_view caller);
    void reads_are_as(std::vector<std::string> const& before, std::string const& when);
    void routes_are_described();
    void documents_are_whole();
    void secrets_stay_out();
    void expect_no_secret(std::string_view in, std::string const& where);
    BenchOfOne& bench_;
};

}  // namespace gantry::testing
