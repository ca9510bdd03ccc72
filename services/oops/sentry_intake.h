#pragma once
#include "services/oops/sentry_envelope.h"
#include "services/oops/sentry_event.h"

// What an envelope brings, item by item.
namespace gantry::oops {

// How sessions of a release went, since the client last told.
struct SessionCounts {
    std::string session;  // its id; empty for a count of many. A client tells one session several times: first with `started` 1
    std::string release, environment;
    std::optional<Time> started_at;
    std::uint64_t started = 0;
    std::uint64_t ended = 0;
    std::uint64_t errored = 0;  // with handled errors
    std::uint64_t crashed = 0;
    std::uint64_t abnormal = 0;
};

// What a client didn't send, and why: ("ratelimit_backoff", "error", 3).
struct ClientDropped {
    std::string reason, category;
    std::uint64_t count = 0;
};

struct Attachment {
    std::string name, content_type, type;
    std::string_view bytes;
};

struct CheckIn {
    std::string id, monitor, status, environment;
    std::optional<double> duration_s;
};

// A transaction, spans, a profile, a replay, logs, metrics, or a type that nobody knows yet.
struct RawItem {
    std::string type, content_type;
    std::size_t item_count = 0;
    std::string_view payload;
};

struct SentryIntake {
    std::string event_id;         // to answer with; empty when nothing in the envelope has one
    std::optional<Time> sent_at;  // by the client's clock
    std::vector<Report> reports;  // of events, feedback, user reports, CSP reports
    std::vector<SessionCounts> sessions;
    std::vector<ClientDropped> dropped;
    std::vector<Attachment> attachments;
    std::vector<CheckIn> check_ins;
    std::vector<RawItem> raw;
    std::vector<Problem> refused;  // items that couldn't be read, each named; the others count
};

// Views point into `envelope`'s body. Only the framing can fail as a whole (split_envelope); an item that can't be read is refused alone.
SentryIntake read_items(Envelope const& envelope, ReadOptions const& options);

}  // namespace gantry::oops
