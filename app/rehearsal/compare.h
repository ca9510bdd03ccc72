#pragma once
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "app/rehearsal/protocol.h"

// What is found by asking both sides the same.
namespace gantry::app::rehearsal {

struct Question {
    std::string target;
    std::uint64_t as_of = 0;
};

// The first event after which the digests differ.
struct Parting {
    std::uint64_t position = 0;
    std::string old_digest, new_digest;
    std::optional<codec::RawJson> event;  // as `gantry log cat` shows it; whoever has the log fills it in
};
RECORD(Parting, position, old_digest, new_digest, event);

struct OtherAnswer {
    std::string query;
    std::uint64_t as_of = 0;
    int old_status = 0, new_status = 0;
    std::string old_body, new_body;
};
RECORD(OtherAnswer, query, as_of, old_status, new_status, old_body, new_body);

struct Effort {
    std::string version;
    std::uint64_t folded = 0;  // events: more than the log has when a bisection went back
    double fold_ms = 0, digest_ms = 0, query_ms = 0;
    std::uint64_t state_bytes = 0, peak_bytes = 0;  // of the state after the last event; of the process
};
RECORD(Effort, version, folded, fold_ms, digest_ms, query_ms, state_bytes, peak_bytes);

struct Comparison {
    std::string service, incarnation;
    std::uint64_t from = 0, events = 0;
    bool same = true;
    bool shape_changed = false;      // digests can't be compared
    std::uint64_t digests = 0;       // positions at which they were compared
    std::optional<Parting> parting;  // the first, if they ever differ
    std::uint64_t queries = 0;
    std::vector<OtherAnswer> answers;  // that differ
    Effort old_binary, new_binary;
};
RECORD(Comparison, service, incarnation, from, events, same, shape_changed, digests, parting, queries, answers, old_binary, new_binary);

struct Plan {
    std::vector<Question> queries;  // each as_of lies in the log
    std::uint64_t every = 0;        // events between two compared digests; 0: a sixteenth of the log
};

// A problem of a side names it: "new binary: …". 409 "rehearsal_mismatch" when the sides don't speak of the same log.
Result<Comparison> compare(Side& old_side, Side& new_side, Plan plan);

}  // namespace gantry::app::rehearsal
