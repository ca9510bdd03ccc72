// Messages that are received, and what their receivers say of them.
#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "services/queue/sqs_attributes.h"
#include "services/queue/sqs_batch.h"

namespace gantry::queue::sqs {
namespace {

constexpr std::int64_t visibility_s_max = lease_s_limit, wait_s_max = 3'600, received_max = 10;

// What one call says of leases. A late word never touches what another one has.
class Handles {
   public:
    Handles(State const& s, QueueRow const& queue, Ctx const& cx) : s_(s), queue_(queue), cx_(cx) {}
    Result<std::vector<Out>> delete_message(Entry const& entry);
    Result<std::vector<Out>> change_visibility(Entry const& entry);
    std::vector<Event> take_events() { return std::move(events_); }

   private:
    struct Held {
        TaskRow const* task = nullptr;  // null: it has ended
        LeaseRow const* lease = nullptr;
        bool mine = false;
    };
    Result<Held> held(Entry const& entry) const;
    Event given_back(TaskRow const& task) const;

    State const& s_;
    QueueRow const& queue_;
    Ctx const& cx_;
    std::vector<Event> events_;
    std::set<std::uint64_t> touched_;  // tasks that this call has changed
};

Result<Handles::Held> Handles::held(Entry const& entry) const {
    if (!entry.ReceiptHandle) return fail(missing("ReceiptHandle"));
    auto const name = parse_lease(*entry.ReceiptHandle);
    if (!name || name->task.n > s_.given() || name->fence >= cx_.next)
        return fail(422, "lease_invalid", "The input receipt handle is invalid.");
    auto const* task = s_.find(name->task);
    if (!task || task->is() == TaskState::done) return Held{};
    if (task->queue != queue_.number)
        return fail(
            422, "lease_invalid",
            fmt::format("The input receipt handle is invalid: the message is in the queue {} now.", s_.queue_of(task->queue).name.view()));
    auto const* lease = s_.leases.find(task->number);
    return Held{task, lease, lease && lease->fence == name->fence};
}

// As SQS: what has ended may be deleted again, and a late word counts while nobody else has the message.
Result<std::vector<Out>> Handles::delete_message(Entry const& entry) {
    TRY_ASSIGN(auto const held, this->held(entry));
    if (!held.task || (held.lease && !held.mine) || !touched_.insert(held.task->number).second) return std::vector<Out>{};
    TaskId const id{held.task->number};
    if (held.mine)
        events_.push_back(Completed{id, {}, {}});
    else
        events_.push_back(Deleted{{id}});
    return std::vector<Out>{};
}

// A receive that came to nothing, where the queue counts them; else as if it had not been.
Event Handles::given_back(TaskRow const& task) const {
    auto const max = task.attempts_max != 0 ? std::int64_t(task.attempts_max) : queue_.settings.attempts_max.value;
    if (max == 0 || max == attempts_unlimited) return Released{.id = TaskId{task.number}, .due = {}, .priority = {}};
    auto event = failed(s_, task, Ending::failed, cx_);
    if (event.retry_at) event.retry_at = cx_.now;
    event.reason = "given back: its visibility timeout was set to 0";
    return event;
}

Result<std::vector<Out>> Handles::change_visibility(Entry const& entry) {
    if (!entry.VisibilityTimeout) return fail(missing("VisibilityTimeout"));
    TRY_ASSIGN(auto const held, this->held(entry));
    auto const seconds = *entry.VisibilityTimeout;
    if (seconds < 0 || seconds > visibility_s_max)
        return fail(invalid("VisibilityTimeout", fmt::format("Must be between 0 and {}.", visibility_s_max)));
    if (!held.task || (held.lease && !held.mine))
        return fail(invalid("ReceiptHandle", "Message does not exist or is not available for visibility timeout change."));
    if (!held.lease || !touched_.insert(held.task->number).second)
        return fail(400, "sqs_not_in_flight", "The message referred to is not in flight.");
    if (seconds == 0) return events_.push_back(given_back(*held.task)), std::vector<Out>{};
    auto const until = lease_until(s_, *held.task, seconds * 1000, held.lease->since, cx_.now);
    if (until > held.lease->since + Duration::seconds(visibility_s_max))
        return fail(invalid("VisibilityTimeout",
                            fmt::format("Total VisibilityTimeout for the message is beyond the limit [{} seconds].", visibility_s_max)));
    events_.push_back(Extended{TaskId{held.task->number}, until, {}, {}, {}});
    return std::vector<Out>{};
}

// --- receiving -----------------------------------------------------------------------------------------------------------------------

Result<Reserve> reserve_of(QueueRow const& queue, Call const& call, Ctx const& cx) {
    auto const& in = call.in;
    Reserve out{.queue = queue.name, .worker = Worker(Str(fmt::format("sqs/{}/{}", cx.caller().view(), call.client)))};
    if (in.ReceiveRequestAttemptId) return fail(400, "sqs_unsupported", "ReceiveRequestAttemptId isn't there: leave it out");
    if (in.MaxNumberOfMessages) {
        if (*in.MaxNumberOfMessages < 1 || *in.MaxNumberOfMessages > received_max)
            return fail(invalid("MaxNumberOfMessages", fmt::format("Must be between 1 and {}, if provided.", received_max)));
        out.max = *in.MaxNumberOfMessages;
    }
    if (in.WaitTimeSeconds) {
        if (*in.WaitTimeSeconds < 0 || *in.WaitTimeSeconds > wait_s_max)
            return fail(invalid("WaitTimeSeconds", fmt::format("Must be >= 0 and <= {}, if provided.", wait_s_max)));
        out.wait_ms = *in.WaitTimeSeconds * 1000;
    }
    if (in.VisibilityTimeout) {
        if (*in.VisibilityTimeout < 0 || *in.VisibilityTimeout > visibility_s_max)
            return fail(invalid("VisibilityTimeout", fmt::format("Must be between 0 and {}.", visibility_s_max)));
        out.lease_ms = std::max<std::int64_t>(*in.VisibilityTimeout * 1000, Bounded<100, 43'200'000>::min);
    }
    return out;
}

// When it was received first, as far as that is known: the end of its first attempt, if it had one.
Time first_received(State const& s, TaskRow const& task, Ctx const& cx) {
    if (task.starts == 0 || task.traces == 0) return cx.now;
    auto const oldest = task.traces > traces_max ? task.traces - traces_max + 1u : 1u;
    auto const* row = s.traces.find(task.number << trace_bits | oldest);
    return row ? row->at : cx.now;
}

struct Body {
    std::string text;
    Headers headers;
};
// What XML can't carry is base64.
Result<Body> body_of(FoundLease const& lease, Events<Event>& events) {
    TRY_ASSIGN(auto const* event, events.at(lease.content));
    auto const* content = event ? content_in(*event) : nullptr;
    if (!content) return fail(500, "content_missing", fmt::format("the log has the content of t_{} no more", lease.view.task.n));
    Body out{content->url.empty() ? content->payload.data : content->url.str(), content->headers};
    if (is_message_text(out.text)) return out;
    std::string coded;
    codec::append_base64(coded, out.text);
    out.text = std::move(coded);
    return out;
}

std::vector<Out> system_attributes(FoundLease const& lease, Shown const& shown, Headers const& headers,
                                   std::vector<std::string> const& wanted) {
    auto const& view = lease.view;
    std::vector<Out> out;
    auto const say = [&](std::string_view name, std::string_view value) {
        bool const asked = std::ranges::any_of(wanted, [&](auto const& want) { return want == "All" || want == name; });
        if (asked && !value.empty()) out.push_back(text(name, value));
    };
    auto const group = view.group.value_or(view.key.value_or(""));
    say("ApproximateReceiveCount", std::to_string(view.attempt));
    say("ApproximateFirstReceiveTimestamp", std::to_string(shown.first_received.us / 1000));
    say("SentTimestamp", std::to_string(view.put_at.us / 1000));
    say("MessageGroupId", is_message_text(group) ? group : "");
    say("MessageDeduplicationId", is_message_text(shown.deduplication) ? shown.deduplication : "");
    say("SequenceNumber", is_fifo(view.queue) ? fmt::format("{:020}", view.task.n) : "");
    say("AWSTraceHeader", trace_header(headers).value_or(""));
    return out;
}

}  // namespace

Result<std::vector<Out>> messages_of(Found const& found, Events<Event>& events) {
    std::vector<Out> out;
    for (std::size_t i = 0; i < found.leases.size(); ++i) {
        auto const& lease = found.leases[i];
        TRY_ASSIGN(auto const body, body_of(lease, events));
        std::vector<Out> members{text("MessageId", fmt::format("t_{}", lease.view.task.n)),
                                 text("ReceiptHandle", lease_text({lease.view.task, lease.view.fence})),
                                 text("MD5OfBody", md5_hex(body.text)), text("Body", body.text)};
        auto system = system_attributes(lease, found.shown[i], body.headers, found.attributes);
        if (!system.empty()) members.push_back(map("Attributes", "Attribute", std::move(system)));
        auto const attributes = attributes_of(body.headers, found.message_attributes);
        if (!attributes.empty()) {
            members.push_back(text("MD5OfMessageAttributes", md5_of(attributes)));
            members.push_back(map("MessageAttributes", "MessageAttribute", shown(attributes)));
        }
        out.push_back(object({}, std::move(members)));
    }
    return out;
}

Result<Told> receive_message(State const& s, Call const& call, Ctx const& cx) {
    TRY_ASSIGN(auto const* queue, queue_of(s, call));
    TRY_ASSIGN(auto const asked, reserve_of(*queue, call, cx));
    TRY_ASSIGN(auto given, reserve(s, asked, cx));
    Told out{std::move(given.events), {}};
    out.wait = std::move(given.wait);
    auto& found = out.reply;
    found.receives = true, found.json = call.json, found.leases = std::move(given.reply.leases);
    found.attributes = call.in.AttributeNames, found.message_attributes = call.in.MessageAttributeNames;
    found.attributes.insert(found.attributes.end(), call.in.MessageSystemAttributeNames.begin(), call.in.MessageSystemAttributeNames.end());
    for (auto const& lease : found.leases) {
        auto const* task = s.find(lease.view.task);
        auto const unique = task->unique != 0 ? std::string(s.unique_names.text(s.uniques[task->unique - 1].name)) : "";
        found.shown.push_back({unique, first_received(s, *task, cx)});
    }
    return out;
}

Result<Told> delete_message(State const& s, Call const& call, Ctx const& cx) {
    TRY_ASSIGN(auto const* queue, queue_of(s, call));
    Handles handles(s, *queue, cx);
    TRY_ASSIGN(auto const said, handles.delete_message(entry_of(call.in)));
    return told(call, said, handles.take_events());
}
Result<Told> delete_message_batch(State const& s, Call const& call, Ctx const& cx) {
    TRY_ASSIGN(auto const* queue, queue_of(s, call));
    Handles handles(s, *queue, cx);
    TRY_ASSIGN(auto const said, each_of(call, "DeleteMessageBatchResultEntry", [&](Entry const& e) { return handles.delete_message(e); }));
    return told(call, said, handles.take_events());
}
Result<Told> change_visibility(State const& s, Call const& call, Ctx const& cx) {
    TRY_ASSIGN(auto const* queue, queue_of(s, call));
    Handles handles(s, *queue, cx);
    TRY_ASSIGN(auto const said, handles.change_visibility(entry_of(call.in)));
    return told(call, said, handles.take_events());
}
Result<Told> change_visibility_batch(State const& s, Call const& call, Ctx const& cx) {
    TRY_ASSIGN(auto const* queue, queue_of(s, call));
    Handles handles(s, *queue, cx);
    TRY_ASSIGN(auto const said,
               each_of(call, "ChangeMessageVisibilityBatchResultEntry", [&](Entry const& e) { return handles.change_visibility(e); }));
    return told(call, said, handles.take_events());
}

}  // namespace gantry::queue::sqs
