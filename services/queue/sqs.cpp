#include "services/queue/sqs.h"

#include <fmt/format.h>

#include <algorithm>

#include "services/queue/queue.h"

namespace gantry::queue::sqs {
namespace {

constexpr std::string_view put_scope = "queue:put", work = "queue:work", read = "queue:read", operate = "queue:operate";
constexpr std::string_view signed_for = "sqs";     // the service's name in signatures
constexpr std::uint64_t body_bytes_max = 4 << 20;  // of a message of 1 MiB in a form

struct Action {
    std::string_view name, scope;
    Result<Told> (*act)(State const&, Call const&, Ctx const&);
};
constexpr Action actions[] = {
    {"SendMessage", put_scope, &send_message},
    {"SendMessageBatch", put_scope, &send_message_batch},
    {"ReceiveMessage", work, &receive_message},
    {"DeleteMessage", work, &delete_message},
    {"DeleteMessageBatch", work, &delete_message_batch},
    {"ChangeMessageVisibility", work, &change_visibility},
    {"ChangeMessageVisibilityBatch", work, &change_visibility_batch},
    {"GetQueueUrl", read, &get_queue_url},
    {"ListQueues", read, &list_queues},
    {"GetQueueAttributes", read, &get_queue_attributes},
    {"ListDeadLetterSourceQueues", read, &list_dead_letter_source_queues},
    {"ListMessageMoveTasks", read, &list_message_move_tasks},
    {"ListQueueTags", read, &list_queue_tags},
    {"CreateQueue", operate, &create_queue},
    {"DeleteQueue", operate, &delete_queue},
    {"SetQueueAttributes", operate, &set_queue_attributes},
    {"PurgeQueue", operate, &purge_queue},
    {"StartMessageMoveTask", operate, &start_message_move_task},
    {"CancelMessageMoveTask", operate, &cancel_message_move_task},
    {"TagQueue", operate, &tag_queue},
    {"UntagQueue", operate, &untag_queue},
};
Action const* action_named(std::string_view name) {
    auto const found = std::ranges::find(actions, name, &Action::name);
    return found == std::end(actions) ? nullptr : found;
}

std::string_view scope_of(ForeignRequest const& request) {
    auto const* action = action_named(action_of(request));
    return action ? action->scope : read;
}

Result<Told> act(State const& s, Call const& call, Ctx const& cx) {
    if (call.action.empty()) return fail(missing("Action"));
    auto const* action = action_named(call.action);
    if (action) return action->act(s, call, cx);
    if (call.action == "AddPermission" || call.action == "RemovePermission")
        return fail(400, "sqs_unsupported", "who may do what is said by the scopes of callers: queue:put, work, read, operate");
    return fail(400, "sqs_action_unknown", "there is no action " + call.action.substr(0, 100) + " here");
}

Result<ForeignReply> tell(Found const& found, Events<Event>& events, Ctx const&) {
    if (!found.receives) return found.reply;
    TRY_ASSIGN(auto messages, messages_of(found, events));
    std::vector<Out> members;
    if (!messages.empty()) members.push_back(list("Messages", "Message", std::move(messages)));
    return answer(found.json, "ReceiveMessage", members);
}

struct AskKey {};
EMPTY_RECORD(AskKey)
Result<Emit<SigningKey, Event>> signing_key(State const&, AskKey const&, Ctx const& cx) {
    std::string_view const caller = cx.caller();
    if (!caller.starts_with(UserId::prefix)) return fail(401, "credentials_missing", "say who you are: whose key is asked for");
    auto const name = caller.substr(UserId::prefix.size());
    return Emit<SigningKey, Event>{{}, {std::string(name), {cx.proof_of(signed_for, name)}}};
}

}  // namespace

Told told(Call const& call, std::vector<Out> const& members, std::vector<Event> events) {
    Told out{std::move(events), {}};
    out.reply.reply = answer(call.json, call.action, members);
    return out;
}

Problem missing(std::string_view parameter) {
    return {400, "sqs_parameter_missing", fmt::format("The request must contain the parameter {}.", parameter)};
}
Problem invalid(std::string_view parameter, std::string_view why) {
    return {400, "sqs_parameter_invalid", fmt::format("Value for parameter {} is invalid. Reason: {}", parameter, why)};
}
bool is_fifo(std::string_view queue) { return queue.ends_with(fifo_suffix); }

std::string url_of(Call const& call, std::string_view queue) {
    std::string out = fmt::format("{}/{}/", call.origin, account);
    for (char c : queue) {
        bool const plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_';
        plain ? void(out += c) : void(fmt::format_to(std::back_inserter(out), "%{:02X}", std::uint8_t(c)));
    }
    return out;
}
std::string arn_of(Call const& call, std::string_view queue) { return fmt::format("arn:aws:sqs:{}:{}:{}", call.region, account, queue); }

// The name of a queue may have colons.
Result<std::string> queue_of_arn(std::string_view parameter, std::string_view arn) {
    auto rest = arn;
    for (int part = 0; part < 5; ++part) {
        auto const colon = rest.find(':');
        bool const fits = colon != rest.npos && (part != 2 || rest.starts_with("sqs:")) && (part != 0 || rest.starts_with("arn:"));
        if (!fits) return fail(invalid(parameter, "expected arn:aws:sqs:REGION:ACCOUNT:QUEUE"));
        rest.remove_prefix(colon + 1);
    }
    return std::string(rest);
}

Result<QueueRow const*> queue_of(State const& s, Call const& call) {
    std::string name;
    if (call.in.QueueUrl) {
        auto const before = fmt::format("/{}/", account);
        auto const at = call.in.QueueUrl->rfind(before);
        // A queue's URL has its name as a form has it.
        auto const form =
            at == std::string::npos ? std::nullopt : ForeignRequest::parse_form("queue=" + call.in.QueueUrl->substr(at + before.size()));
        if (!form || form->size() != 1)
            return fail(404, "sqs_address_invalid", fmt::format("expected a URL as {}, as GetQueueUrl gives it", url_of(call, "QUEUE")));
        name = (*form)[0].second;
    } else {
        if (call.queue_of_path.empty()) return fail(missing("QueueUrl"));
        name = call.queue_of_path;
    }
    if (auto const* row = is_queue_name(name) ? s.queue(name) : nullptr) return row;
    return fail(404, "queue_not_found", "The specified queue does not exist.");
}

std::vector<Route> routes() {
    ForeignOptions options{.body_bytes_max = body_bytes_max, .waits = true, .signed_for = signed_for};
    options.scope_of = &scope_of, options.refused_as = &refused;
    auto const route_at = [&](std::string_view path) {
        return told_foreign<Service, &act, &tell>("POST", path, &parse, open_to_all, Doc{"SQS: what Action or X-Amz-Target says."},
                                                  options);
    };
    return {
        route_at("/sqs"),
        route_at("/sqs/{account}/{queue}"),
        route<Service>(V1, "POST", "/sqs-key", &signing_key, open_to_all, Doc{"What this caller signs requests to SQS with."}),
    };
}

}  // namespace gantry::queue::sqs
