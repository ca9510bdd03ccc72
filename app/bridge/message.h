#pragma once
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "kernel/base/result.h"
#include "kernel/codec/type.h"
#include "kernel/service.h"

// What a message of AMQP is as a task of the queue, and the other way round.
//
// A body of content type application/json is the task's `payload`, any other its `payload_base64`. A priority p is the task's priority 1000
// - p. Headers keep their names; what they are in AMQP stands as JSON in "amqp-header-types" (text isn't named there). Properties are
// headers: amqp-message-id, amqp-correlation-id, amqp-reply-to, amqp-expiration, amqp-type, amqp-app-id, amqp-content-encoding,
// amqp-timestamp; amqp-user-id comes in and doesn't go out, for RabbitMQ holds it to be the sender's name.
namespace gantry::bridge {

// A value of a header: as text, and the kind that AMQP gives it ('S' text, 'l' 64 bits, 't' true or false, 'x' bytes in base64 …).
struct HeaderValue {
    char kind = 'S';
    std::string text;
    bool operator==(HeaderValue const&) const = default;
};

struct Message {
    std::string body;
    std::optional<std::string> content_type, content_encoding, correlation_id, reply_to, expiration, message_id, type, user_id, app_id;
    std::optional<std::uint8_t> priority;
    std::optional<std::uint64_t> timestamp;  // seconds since 1970
    std::map<std::string, HeaderValue> headers;
};

// One line of JSON for POST /queue/v1/queues/{queue}/tasks. A message with an id is put once within `unique_ms`.
std::string task_of(Message const& message, std::int64_t unique_ms);

// What the bridge reads of a lease; the queue says more.
struct Lease {
    std::string lease, task, content_type;
    std::optional<codec::RawJson> payload;
    std::optional<Bytes> payload_base64;
    std::optional<std::string> payload_url;
    std::map<std::string, std::string> headers;
    std::int64_t priority = 1000, attempt = 1;
    static constexpr bool has_defaults = true;
};
RECORD(Lease, lease, task, content_type, payload, payload_base64, payload_url, headers, priority, attempt);

inline constexpr std::string_view hops_header = "x-gantry-hops", attempt_header = "x-gantry-attempt";
inline constexpr int hops_max = 8;

// Its message-id is the one that it came in with, else "gantry:<queue>:<task>": a repeat has the same. 422 "message_impossible": AMQP can't
// carry it; "bridge_loop": it went around hops_max times.
Result<Message> message_of(Lease const& lease, std::string_view queue);

}  // namespace gantry::bridge
