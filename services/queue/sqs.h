#pragma once
#include "services/queue/manage.h"
#include "services/queue/sqs_wire.h"

// SQS on the queue's model: a message is a task, its id "t_17", its receipt handle a lease; of a queue "….fifo" MessageGroupId is the
// group, of another one the key. `[queue] sqs_listen`. What is not there is refused by name.
namespace gantry::queue::sqs {

inline constexpr std::string_view fifo_suffix = ".fifo";
inline constexpr std::size_t swept_max = 100'000;  // messages that one call purges, deletes or moves

// What a receive shows of a message besides its lease.
struct Shown {
    std::string deduplication;
    Time first_received;
};
RECORD(Shown, deduplication, first_received);
// The answer; of a receive what it is made of, once its messages are read from the log.
struct Found {
    ForeignReply reply;
    bool receives = false, json = false;
    std::vector<std::string> attributes, message_attributes;  // that were asked for
    std::vector<FoundLease> leases;
    std::vector<Shown> shown;  // of each lease
};
RECORD(Found, reply, receives, json, attributes, message_attributes, leases, shown);
using Told = Emit<Found, Event>;
Told told(Call const& call, std::vector<Out> const& members, std::vector<Event> events = {});

// Problems have codes of their own, "sqs_…", where ours don't fit (sqs_errors.cpp has what SQS calls them).
Problem missing(std::string_view parameter);
Problem invalid(std::string_view parameter, std::string_view why);

// 404 "queue_not_found", 404 "sqs_address_invalid", 400 "sqs_parameter_missing".
Result<QueueRow const*> queue_of(State const& s, Call const& call);
std::string url_of(Call const& call, std::string_view queue);
std::string arn_of(Call const& call, std::string_view queue);
Result<std::string> queue_of_arn(std::string_view parameter, std::string_view arn);
bool is_fifo(std::string_view queue);

Result<Told> create_queue(State const& s, Call const& call, Ctx const& cx);
Result<Told> delete_queue(State const& s, Call const& call, Ctx const& cx);
Result<Told> get_queue_url(State const& s, Call const& call, Ctx const& cx);
Result<Told> list_queues(State const& s, Call const& call, Ctx const& cx);
Result<Told> get_queue_attributes(State const& s, Call const& call, Ctx const& cx);
Result<Told> set_queue_attributes(State const& s, Call const& call, Ctx const& cx);
Result<Told> purge_queue(State const& s, Call const& call, Ctx const& cx);
Result<Told> list_dead_letter_source_queues(State const& s, Call const& call, Ctx const& cx);
Result<Told> start_message_move_task(State const& s, Call const& call, Ctx const& cx);
Result<Told> list_message_move_tasks(State const& s, Call const& call, Ctx const& cx);
Result<Told> cancel_message_move_task(State const& s, Call const& call, Ctx const& cx);
Result<Told> tag_queue(State const& s, Call const& call, Ctx const& cx);
Result<Told> untag_queue(State const& s, Call const& call, Ctx const& cx);
Result<Told> list_queue_tags(State const& s, Call const& call, Ctx const& cx);

Result<Told> send_message(State const& s, Call const& call, Ctx const& cx);
Result<Told> send_message_batch(State const& s, Call const& call, Ctx const& cx);
Result<Told> receive_message(State const& s, Call const& call, Ctx const& cx);
Result<Told> delete_message(State const& s, Call const& call, Ctx const& cx);
Result<Told> delete_message_batch(State const& s, Call const& call, Ctx const& cx);
Result<Told> change_visibility(State const& s, Call const& call, Ctx const& cx);
Result<Told> change_visibility_batch(State const& s, Call const& call, Ctx const& cx);
// Of Found::leases, with the contents of their tasks.
Result<std::vector<Out>> messages_of(Found const& found, Events<Event>& events);

// What a caller signs with: the key is its name, and the secret what the site can tell again.
struct SigningKey {
    std::string access_key_id;
    Secret<std::string> secret_access_key;
};
RECORD(SigningKey, access_key_id, secret_access_key);

// "/sqs", "/sqs/{account}/{queue}", and POST /queue/v1/sqs-key.
std::vector<Route> routes();

}  // namespace gantry::queue::sqs
