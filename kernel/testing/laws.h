#pragma once
#include "kernel/testing/bench_of_one.h"

namespace gantry::testing {

// What every service owes, checked on whatever a test left in the log and asked:
//   1. folding the log from zero, and from a snapshot or a baseline taken at any place of it, gives the live state;
//   2. every event survives decoding and encoding;
//   3. after a restart every read answers as before;
//   4. a read told twice is told the same, and one of a stranger never fails through our fault;
//   5. every route says what it does;
//   6. no secret of a request is in the log.
class Laws {
   public:
    explicit Laws(BenchOfOne& bench) : bench_(bench) {}
    void check();

   private:
    using Folded = std::unique_ptr<void, void (*)(void*)>;
    void folds_are_equal();
    void fold(void* state, log::Position after, log::Position until);
    Folded through_a_snapshot(void const* state, state::Form form);
    void events_survive();
    void reads_are_steady();
    void routes_are_described();
    void secrets_stay_out();
    BenchOfOne& bench_;
};

}  // namespace gantry::testing
