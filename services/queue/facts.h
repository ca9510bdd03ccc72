#pragma once
#include "kernel/service.h"

// What the queue writes to its log: every transition of every task, so that the log is its whole history.
namespace gantry::queue {

using TaskId = Seq<"t_">;
using QueueName = Text<1, 200>;  // letters, digits and - + / ; . $ _ ( ) : as in beanstalkd (is_queue_name)
using Worker = Text<1, 200>;
using Key = Text<1, 200>;
using Tag = Text<1, 100>;
using Reason = Text<0, 2000>;
using ContentType = Text<1, 200>;
using Millis = Bounded<0, 31'536'000'000>;  // up to a year

inline constexpr std::uint32_t priority_default = 1000;
inline constexpr std::size_t payload_bytes_limit = 1 << 20;
inline constexpr std::uint32_t lease_s_limit = 43'200;
inline constexpr std::size_t labels_max = 50;                // of a queue
inline constexpr std::uint32_t attempts_unlimited = 65'535;  // as Put::attempts_max

// How a queue treats its tasks. 0 is "no limit" where the name says max.
struct QueueSettings {
    Bounded<100, 43'200'000> lease_ms = 60'000;  // of a reserve that doesn't say
    Bounded<0, 10'000> attempts_max = 20;        // then a task is dead
    Millis backoff_ms = 1000, backoff_max_ms = 3'600'000;
    Bounded<1, 2'000'000> ageing_ms = 1000;  // a task of priority p + 1 is as urgent as one of p that came so much later
    bool fair = true;                        // between keys; else the most urgent of all keys
    std::map<std::string, Bounded<1, 1000>> weights;
    Bounded<0, 1'000'000> concurrency_max = 0, concurrency_per_key_max = 0, concurrency_per_worker_max = 0;
    Bounded<0, 1'000'000> rate_max = 0, rate_per_key_max = 0;  // starts in each rate_window_ms
    Bounded<10, 86'400'000> rate_window_ms = 1000;
    Bounded<0, 1'000'000'000> depth_max = 0;  // of what is not done; a put beyond it is 429
    Bounded<1, payload_bytes_limit> payload_bytes_max = payload_bytes_limit;
    Millis keep_done_ms = 3'600'000;    // how long a result can be asked for
    Millis keep_dead_ms = 0;            // 0: until somebody redrives or deletes them
    Text<0, 200> dead_letters_to;       // another queue; empty: they stay in their own
    Millis delay_ms = 0;                // of a put that doesn't say when
    Millis keep_ms = 0;                 // of tasks put from then on: not done by then, it is dropped, wherever it stands; 0: never
    Bounded<0, 3'600'000> wait_ms = 0;  // of a reserve that doesn't say
    bool unique_by_content = false;     // SQS: of a queue "….fifo", the digest of a message that has no deduplication id
    std::map<std::string, Text<0, 256>> labels;
    static constexpr bool has_defaults = true;
};
RECORD(QueueSettings, lease_ms, attempts_max, backoff_ms, backoff_max_ms, ageing_ms, fair, weights, concurrency_max,
       concurrency_per_key_max, concurrency_per_worker_max, rate_max, rate_per_key_max, rate_window_ms, depth_max, payload_bytes_max,
       keep_done_ms, keep_dead_ms, dead_letters_to, delay_ms, keep_ms, wait_ms, unique_by_content, labels);

struct QueueSet {
    QueueName queue;
    QueueSettings settings;
};
RECORD(QueueSet, queue, settings);
struct QueuePaused {
    QueueName queue;
    bool paused = true;
    std::optional<Time> until;
    Reason reason;
};
RECORD(QueuePaused, queue, paused, until, reason);
struct QueueDropped {
    QueueName queue;
};
RECORD(QueueDropped, queue);

// What a task is about: bytes of any kind, or where larger ones lie and their digest.
struct Content {
    ContentType type = Str::borrow("application/json");
    Bytes payload;
    Text<0, 2000> url;
    Text<0, 200> digest;
    std::map<std::string, Text<0, 2000>> headers;
};
RECORD(Content, type, payload, url, digest, headers);

struct Put {
    TaskId id;
    QueueName queue;
    Content content;
    std::uint32_t priority = priority_default;
    std::optional<Time> due;
    Text<0, 200> key, group;
    std::vector<Tag> tags;
    Text<0, 200> unique;
    std::optional<Time> unique_until;  // no other of this unique key before, even if this one has ended
    std::uint32_t attempts_max = 0;    // 0: the queue's
    std::uint32_t run_s_max = 0;       // of all extensions together; 0: none
    std::uint32_t lease_s = 0;         // of a reserve that doesn't say; 0: the queue's
};
RECORD(Put, id, queue, content, priority, due, key, group, tags, unique, unique_until, attempts_max, run_s_max, lease_s);

// Of a task that waits: what isn't there stays.
struct Edited {
    TaskId id;
    std::optional<Content> content;
    std::optional<std::uint32_t> priority;
    std::optional<Time> due;  // not later than now: at once
    std::optional<Time> unique_until;
};
RECORD(Edited, id, content, priority, due, unique_until);

// The position of this event is the lease's fence.
struct Reserved {
    TaskId id;
    Worker worker;
    Time until;
};
RECORD(Reserved, id, worker, until);
struct Extended {
    TaskId id;
    Time until;
    std::optional<Bounded<0, 1000>> progress_permille;
    Text<0, 2000> message;
    std::vector<Text<0, 2000>> log;
};
RECORD(Extended, id, until, progress_permille, message, log);
struct Completed {
    TaskId id;
    Bytes result;               // JSON; empty: none
    std::optional<Time> until;  // it can be asked for
};
RECORD(Completed, id, result, until);

enum class Ending : std::uint8_t { failed, expired };
ENUM(Ending, failed, expired);
// An attempt came to nothing. Without `retry_at` the task is dead, in its own queue or in `dead_to`.
struct Failed {
    TaskId id;
    Ending ending = Ending::failed;
    Worker worker;
    Reason reason;
    Text<0, 65536> detail;
    std::optional<Time> retry_at;
    std::optional<QueueName> dead_to;
    std::optional<Time> until;  // a dead one is kept so long
};
RECORD(Failed, id, ending, worker, reason, detail, retry_at, dead_to, until);
struct Released {
    TaskId id;
    std::optional<Time> due;
    std::optional<std::uint32_t> priority;
    bool gone = false;  // its worker's connection is: nobody asked for it
};
RECORD(Released, id, due, priority, gone);
struct Buried {
    TaskId id;
    Reason reason;
    std::optional<std::uint32_t> priority;
};
RECORD(Buried, id, reason, priority);
// Buried, dead and delayed ones are ready again; `afresh`: as if they had never been tried.
struct Kicked {
    std::vector<TaskId> ids;
    bool afresh = false;
};
RECORD(Kicked, ids, afresh);
struct Moved {
    std::vector<TaskId> ids;
    QueueName queue;
};
RECORD(Moved, ids, queue);
struct Deleted {
    std::vector<TaskId> ids;
};
RECORD(Deleted, ids);
struct CancelAsked {
    TaskId id;
    Reason reason;
};
RECORD(CancelAsked, id, reason);

// What time alone brings about.
struct Ripened {  // delayed ones are due
    std::vector<TaskId> ids;
};
RECORD(Ripened, ids);
struct Forgotten {  // they were kept long enough
    std::vector<TaskId> ids;
};
RECORD(Forgotten, ids);
struct KeyFreed {  // it may start another one
    std::uint32_t lane = 0;
};
RECORD(KeyFreed, lane);
struct QueueFreed {
    QueueName queue;
};
RECORD(QueueFreed, queue);
struct UniqueFreed {
    std::uint32_t unique = 0;
};
RECORD(UniqueFreed, unique);

// The content of a task that stays long, written once more before retention cuts the log (keep.h).
struct KeptOn {
    TaskId id;
    Content content;
};
RECORD(KeptOn, id, content);
// Of tasks up to number `upto`, and of what was written once more up to `again`, the contents are …
struct Judging {  // … written once more
    std::uint64_t upto = 0;
    std::uint64_t again = 0;  // position
};
RECORD(Judging, upto, again);
struct Judged {  // … of no more concern: written once more, or gone
    std::uint64_t upto = 0;
    std::uint64_t again = 0;
};
RECORD(Judged, upto, again);
struct ContentAt {
    TaskId task;
    std::uint64_t position = 0;  // of the event that holds it
};
RECORD(ContentAt, task, position);
struct KeepSome {
    std::vector<ContentAt> contents;
};
RECORD(KeepSome, contents);

// What becomes of the events of another service (rules.h).
using RuleName = Text<1, 100>;    // letters, digits and - _ .
using SourceText = Text<1, 500>;  // "/tracker", or the URL of a feed: "http://host:8080/tracker/v1/events"
using EventType = Text<1, 100>;   // "reported"
using Pointer = Text<1, 200>;     // a JSON pointer into an event: "/subject", "/data/package"
enum class RulePayload : std::uint8_t { event, data };
ENUM(RulePayload, event, data);
struct RuleSettings {
    SourceText source;
    std::vector<EventType> types;
    Text<0, 500> subject;  // empty: of any
    QueueName queue;
    RulePayload payload = RulePayload::event;  // the whole event, or its data alone
    std::optional<Pointer> key_from, group_from;
    std::vector<Tag> tags;
    std::vector<Pointer> tags_from;
    std::uint32_t priority = priority_default;
    Millis delay_ms = 0;
    bool paused = false;
};
RECORD(RuleSettings, source, types, subject, queue, payload, key_from, group_from, tags, tags_from, priority, delay_ms, paused);

struct RuleSet {
    RuleName rule;
    RuleSettings settings;
    std::optional<Text<0, 100>> after;  // where it goes on; absent: where it was
};
RECORD(RuleSet, rule, settings, after);
struct RuleDropped {
    RuleName rule;
};
RECORD(RuleDropped, rule);
struct RuleAsked {  // its source is being read
    RuleName rule;
};
RECORD(RuleAsked, rule);
struct RuleRead {
    RuleName rule;
    Text<0, 100> after, end;  // positions: up to which events were taken; where the source was
    std::uint64_t tasks = 0;  // that were put
    std::optional<Time> last_event_at;
    Time again_at;
};
RECORD(RuleRead, rule, after, end, tasks, last_event_at, again_at);
struct RuleFailed {
    RuleName rule;
    Text<0, 100> code;
    Reason detail;
    std::optional<Time> retry_at;  // absent: it waits for an operator
};
RECORD(RuleFailed, rule, code, detail, retry_at);
struct ReadSource {
    RuleName rule;
    std::uint64_t epoch = 0;  // position of the RuleSet that it is of
    Text<0, 100> after;
    RuleSettings settings;
};
RECORD(ReadSource, rule, epoch, after, settings);

using Event =
    std::variant<QueueSet, QueuePaused, QueueDropped, Put, Edited, Reserved, Extended, Completed, Failed, Released, Buried, Kicked, Moved,
                 Deleted, CancelAsked, Ripened, Forgotten, KeyFreed, QueueFreed, UniqueFreed, KeptOn, Judging, Judged, Effect<KeepSome>,
                 EffectOutcome, RuleSet, RuleDropped, RuleAsked, RuleRead, RuleFailed, Effect<ReadSource>>;

// Letters, digits and the signs that beanstalkd's tubes may have, not beginning with a '-'.
bool is_queue_name(std::string_view name);

}  // namespace gantry::queue
