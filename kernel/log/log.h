#pragma once
#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "kernel/base/result.h"
#include "kernel/base/time.h"
#include "kernel/observe/metrics.h"

namespace gantry::log {

using Position = std::uint64_t;  // of an event: gapless from 1; 0 is "before the first"
using Epoch = std::uint64_t;     // number of a writer's turn: one more at each start or take-over

// Identity of one history: 64 random bits, as 13 characters of [0-9a-hjkmnp-tv-z] outside. A restore, a cut, a repair or a detected loss
// starts a new one.
using Incarnation = std::uint64_t;
std::string incarnation_text(Incarnation id);
std::optional<Incarnation> parse_incarnation(std::string_view text);

enum class BatchKind : std::uint8_t {
    command = 0,      // events that one command recorded
    epoch = 1,        // a writer began its turn (no events)
    incarnation = 2,  // a new history began here; `note` says why (no events)
    baseline = 3,     // one part of a state written into the log; `note` carries the runtime's bytes (no events)
    checkpoint = 4,   // follower cursors without events
    dropped = 5,      // retention cut below a position; `note` says what (no events)
    agreed = 6,       // names the event types that may be recorded from here on, in `note` (no events)
};

struct CauseView {
    std::string_view log;  // "<service>"
    Position position = 0;
};
struct CursorView {
    std::string_view source;
    Incarnation incarnation = 0;
    Position position = 0;
};
// Remembered with the batch, so that a repeat of the command gets the same answer.
struct IdempotencyView {
    std::string_view key_hash;   // 16 bytes
    std::string_view body_hmac;  // 32 bytes
    std::string_view reply;      // the runtime's encoding of status, headers and body
};

// What one command recorded: the unit of the log, all or nothing on replay. As a parameter of append every view need only live
// during the call; in a scan every view lives until the visitor returns.
struct BatchView {
    BatchKind kind = BatchKind::command;
    Position first = 0;  // set by the log on append
    std::uint32_t count = 0;
    Time time{};                  // never before the time of an earlier batch
    Epoch epoch = 0;              // set by the log on append
    Incarnation incarnation = 0;  // set by the log on append
    std::string_view caller;
    std::string_view request_id;
    std::string_view trace_id;     // 16 bytes or empty
    std::string_view trace_state;  // the request's tracestate, only with a trace_id; or empty
    std::optional<CauseView> cause;
    std::optional<IdempotencyView> idempotency;
    std::span<CursorView const> cursors;
    std::string_view note;
    std::string_view events;  // `count` times: varint type, varint size, payload
    std::uint64_t chain = 0;  // running hash over all batches up to this one; set by the log
    // In a scan: the schemas of the event types that the batch was written with (the runtime's bytes, one blob a segment), and
    // hash64 of them, so that a reader parses each blob once. Ignored by append.
    std::string_view schemas;
    std::uint64_t schemas_id = 0;

    Position last() const { return first + count - 1; }  // first - 1 for a batch without events
};

struct Options {
    std::uint64_t segment_bytes_min = 1u << 20;
    std::uint64_t segment_bytes_max = 64u << 20;
    // Commands that wait for the committer hold at most this much memory; beyond it append fails with "log_busy" (503).
    std::uint64_t pending_bytes_max = 256u << 20;
    std::uint64_t batch_bytes_max = 32u << 20;
};

// Where one log stands.
struct Status {
    Incarnation incarnation = 0;
    Epoch epoch = 0;
    Position begin = 1;    // first position still in the log
    Position end = 0;      // last appended
    Position durable = 0;  // last durable
    Time last_time{};
    std::uint64_t chain = 0;
    std::uint64_t bytes = 0;
    std::uint64_t segments = 0;
};

// A history that a log went through: its events begin at `first`, and end where the next one's begin.
struct Era {
    Incarnation incarnation = 0;
    Position first = 1;
    bool operator==(Era const&) const = default;
};
// Up to where an incarnation is part of a log with these eras, the oldest first; nothing when it is none of them. Who has seen no more of
// it may go on: what follows is that of the next era (a restore, a cut). The newest one has no such end: the greatest position.
std::optional<Position> shared_until(std::span<Era const> eras, Incarnation incarnation);

// One log of one service and site. append() is called under the service's lock, by one thread at a time; everything else from any thread.
class Log {
   public:
    virtual ~Log() = default;

    // True when a batch of `bytes` can be written without asking the file system for space. Asked before decide; false becomes 507.
    virtual bool has_space(std::uint64_t bytes) = 0;

    // Whether events of so many bytes would be taken now; what append() fails with otherwise. Who asks before the events are folded needn't
    // take the fold back. What a batch has beside its events is counted by guess: append() may still refuse.
    virtual Result<void> may_append(std::uint64_t event_bytes) = 0;
    // Takes the batch into the queue of the committer and returns the position of its first event (for a batch without events:
    // end + 1, which it doesn't use up). Never waits for the disk. Fails only with "log_busy", "batch_too_large" or "log_closed", and then
    // recorded nothing.
    virtual Result<Position> append(BatchView const& batch) = 0;

    // Called from the committer, in order, each time more became durable, with the position now durable. Set once, before the
    // first append; must not block. A batch without events is covered by wait_durable() only.
    virtual void on_durable(std::function<void(Position)> callback) = 0;
    // Blocks until all that was appended before the call is durable (shutdown, tools, tests).
    virtual Result<void> wait_durable() = 0;

    // Reads whole batches in order whose last event is after `after` (and batches without events from there on), up to what is durable when
    // this is called. Every batch is checksummed first; damage is a Problem "log_damaged" that names file, offset, position and the
    // remedy, and comes behind what is good in front of it.
    class Reader {
       public:
        virtual ~Reader() = default;
        // A run of consecutive batches, so that a replay can look ahead across batches of one event: at most run_batches_max of them and
        // (unless it is one batch) about run_bytes_max bytes, all with the same schemas; empty at the end. All views live until the next
        // call.
        virtual Result<std::span<BatchView const>> next() = 0;
    };
    static constexpr std::size_t run_batches_max = 256, run_bytes_max = 1u << 20;
    virtual Result<std::unique_ptr<Reader>> read(Position after) const = 0;
    // The same for whoever took all up to `after`: 410 "position_gone" when the event behind it isn't there any more.
    Result<std::unique_ptr<Reader>> read_on(Position after) const;
    // As read(), shown to a visitor until it returns false: by runs, or batch by batch.
    using RunVisitor = std::function<bool(std::span<BatchView const>)>;
    Result<void> scan_runs(Position after, RunVisitor const& visit) const;
    using Visitor = std::function<bool(BatchView const&)>;
    Result<void> scan(Position after, Visitor const& visit) const;

    // The batch that holds one event, checksummed. 410 "position_gone" below begin.
    virtual Result<void> find(Position position, Visitor const& visit) const = 0;

    // The last event at or before `time`; begin - 1 when every event that is there is later. Batches of one time are never parted.
    virtual Result<Position> last_at(Time time) const = 0;

    // Removes whole segments that lie entirely below `below`; the caller has written a baseline that reaches up to there or beyond, and it
    // is durable. Batches without events at `below` stay: a baseline of all that is below may be just those. Appends a `dropped` batch
    // that records what went.
    virtual Result<void> cut(Position below, Time now) = 0;

    virtual Status status() const = 0;
    // How long the disk took for each group of batches, since the log was opened; nothing where there is no disk.
    virtual void add_syncs(observe::LatencySum& sum) const { (void)sum; }
    // As far back as segments are left.
    virtual std::vector<Era> eras() const {
        auto const now = status();
        return {{now.incarnation, now.begin}};
    }

    // Syncs, writes a clean end, joins. Further appends fail with "log_closed".
    virtual Result<void> close() = 0;
};

// Snapshots of a service's state: a cache beside the log, keyed by the fingerprint of the state's shape. A damaged or foreign one is
// skipped.
class Snapshots {
   public:
    virtual ~Snapshots() = default;
    struct Meta {
        Position position = 0;
        Incarnation incarnation = 0;
        std::uint64_t fingerprint = 0;
        Time time{};
        std::uint64_t chain = 0;
    };
    // How many of a history stay: the newest two, and of older ones fewer the older they are, so that each moment of the past is at most
    // about half as far from a snapshot as from now; fewer still when they would need more than `bytes_max`. Of other shapes or histories
    // the newest one stays, for a binary that goes back.
    struct Keep {
        std::uint64_t bytes_max = ~std::uint64_t{0};
    };
    // `write` is called with a sink that takes bytes; the snapshot is visible only once it is durable. Then the others are thinned out.
    using Sink = std::function<Result<void>(std::string_view)>;
    virtual Result<void> save(Meta const& meta, std::function<Result<void>(Sink const&)> const& write, Keep keep) = 0;
    Result<void> save(Meta const& meta, std::function<Result<void>(Sink const&)> const& write) { return save(meta, write, Keep{}); }
    // Reads exactly out.size() bytes of the newest good snapshot with this incarnation and fingerprint and position <= at_most. Bytes are
    // checksummed before they are handed over; damage found midway fails the source, and the caller drops what it built and replays.
    class Source {
       public:
        virtual ~Source() = default;
        virtual Meta const& meta() const = 0;
        virtual Result<void> read(std::span<char> out) = 0;
        virtual std::uint64_t left() const = 0;
    };
    virtual Result<std::unique_ptr<Source>> newest(Incarnation incarnation, std::uint64_t fingerprint, Position at_most) = 0;  // null: none
    virtual std::vector<Meta> list() = 0;
    virtual Result<void> remove_all() = 0;
};

}  // namespace gantry::log
