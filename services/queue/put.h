#pragma once
#include "services/queue/state.h"

// How tasks come in: one, or many as NDJSON or an array.
namespace gantry::queue {

// A second task of one unique key (of one queue) is …
enum class UniqueMode : std::uint8_t {
    reject,         // refused while the first waits or runs: 409 task_exists
    single_flight,  // answered with the first one while that waits or runs
    replace,        // the newest content in the place of the one that waits; behind the one that runs
    debounce,       // the same, and it is due only `window_ms` after the newest
    throttle,       // answered with the last one within `window_ms` of its coming, even if that has ended
};
ENUM(UniqueMode, reject, single_flight, replace, debounce, throttle);
struct Unique {
    Key key;
    UniqueMode mode = UniqueMode::reject;
    Millis window_ms = 0;  // of debounce and throttle; of the others: another is refused so long even after the first has ended
    static constexpr bool has_defaults = true;
};
RECORD(Unique, key, mode, window_ms);

struct NewTask {
    QueueName queue;
    std::optional<codec::RawJson> payload;
    std::optional<Bytes> payload_base64;
    std::optional<Text<1, 2000>> payload_url;    // of what is too large for here …
    std::optional<Text<1, 200>> payload_digest;  // … and how its reader knows it: "sha256:…"
    std::optional<ContentType> content_type;     // of payload_base64 and payload_url; a payload is application/json
    std::optional<Bounded<0, 4'294'967'295>> priority;
    std::optional<Millis> delay_ms;
    std::optional<Time> due_at;
    std::optional<Key> key, group;
    std::optional<std::vector<Tag>> tags;
    std::optional<std::map<std::string, Text<0, 2000>>> headers;
    std::optional<Unique> unique;
    std::optional<Bounded<1, 10'000>> attempts_max;
    std::optional<Bounded<1, 31'536'000>> run_s_max;
    std::optional<Bounded<1, lease_s_limit>> lease_s;  // of a reserve that doesn't say
};
RECORD(NewTask, queue, payload, payload_base64, payload_url, payload_digest, content_type, priority, delay_ms, due_at, key, group, tags,
       headers, unique, attempts_max, run_s_max, lease_s);

enum class PutOutcome : std::uint8_t { put, exists, replaced, throttled };
ENUM(PutOutcome, put, exists, replaced, throttled);
struct PutReply {
    TaskId id;
    PutOutcome outcome = PutOutcome::put;
    TaskState state = TaskState::ready;
};
RECORD(PutReply, id, outcome, state);

Result<Emit<PutReply, Event>> put(State const& s, NewTask const& in, Ctx const& cx);

// 422 "queue_name_invalid".
Result<void> check_queue_name(std::string_view name, std::string_view pointer = "/queue");
// 422 "tags_invalid".
Result<void> check_tags(std::vector<Tag> const& tags);
// What a request says of its content. 422 with the member that is wrong.
Result<Content> content_of(NewTask const& in, std::int64_t payload_bytes_max);

}  // namespace gantry::queue
