// Messages that are sent.
#include <fmt/format.h>

#include <algorithm>

#include "services/queue/sqs_attributes.h"
#include "services/queue/sqs_batch.h"

namespace gantry::queue::sqs {
namespace {

constexpr std::size_t key_chars_max = 128;
constexpr Duration deduplication_window = Duration::seconds(300);
constexpr std::string_view text_content = "text/plain; charset=utf-8";

// What others can read as JSON: an object or a list on one line. A text that merely looks like a number is a text.
bool is_json_document(std::string_view body) {
    if (body.empty() || (body.front() != '{' && body.front() != '[') || body.find_first_of("\n\r\t") != body.npos) return false;
    return codec::from_json<codec::RawJson>(body).has_value();
}

// Ids of deduplication and of groups.
Result<void> check_key(std::string_view name, std::string const& text) {
    bool const plain = std::ranges::all_of(text, [](char c) { return c > ' ' && c < 0x7f; });
    if (!text.empty() && text.size() <= key_chars_max && plain) return {};
    return fail(invalid(name, fmt::format("it has 1 to {} letters, digits and signs.", key_chars_max)));
}

// All that one call sends: each as if the ones before it had been recorded.
class Sending {
   public:
    Sending(State const& s, QueueRow const& queue, Ctx const& cx) : s_(s), queue_(queue), cx_(cx) {}
    Result<std::vector<Out>> send(Entry const& message);
    std::vector<Event> take_events() { return std::move(events_); }

   private:
    Result<NewTask> task_of(Entry const& message) const;
    Result<void> say_fifo(Entry const& message, NewTask& task) const;
    // The number of the task that has it.
    Result<std::uint64_t> put_task(NewTask const& task);

    State const& s_;
    QueueRow const& queue_;
    Ctx const& cx_;
    std::vector<Event> events_;
    std::map<std::string, std::uint64_t> unique_;  // of this call
};

Result<NewTask> Sending::task_of(Entry const& message) const {
    if (!message.MessageBody || message.MessageBody->empty()) return fail(missing("MessageBody"));
    auto const& body = *message.MessageBody;
    if (!is_message_text(body)) return fail(400, "sqs_message_invalid", "The message has characters that are not allowed.");
    NewTask task;
    task.queue = queue_.name;
    if (is_json_document(body))
        task.payload = codec::RawJson{body};
    else
        task.payload_base64 = Bytes{body}, task.content_type = ContentType(text_content);
    TRY_ASSIGN(auto headers, headers_of(message.MessageAttributes, message.MessageSystemAttributes));
    if (!headers.empty()) task.headers = std::move(headers);
    if (message.DelaySeconds) {
        if (*message.DelaySeconds < 0 || *message.DelaySeconds > Millis::max / 1000)
            return fail(invalid("DelaySeconds", fmt::format("Must be 0 to {}.", Millis::max / 1000)));
        task.delay_ms = Millis(*message.DelaySeconds * 1000);
    }
    if (message.MessageGroupId) TRY_VOID(check_key("MessageGroupId", *message.MessageGroupId));
    if (message.MessageDeduplicationId) TRY_VOID(check_key("MessageDeduplicationId", *message.MessageDeduplicationId));
    if (is_fifo(queue_.name)) {
        TRY_VOID(say_fifo(message, task));
        return task;
    }
    if (message.MessageDeduplicationId) return fail(invalid("MessageDeduplicationId", "The queue isn't a FIFO queue."));
    if (message.MessageGroupId) task.key = Key(Str(*message.MessageGroupId));
    return task;
}

Result<void> Sending::say_fifo(Entry const& message, NewTask& task) const {
    if (!message.MessageGroupId) return fail(missing("MessageGroupId"));
    if (message.DelaySeconds.value_or(0) != 0)
        return fail(invalid("DelaySeconds",
                            "The request includes a parameter that is not valid "
                            "for this queue type: the delay is the queue's."));
    if (!message.MessageDeduplicationId && !queue_.settings.unique_by_content)
        return fail(invalid("MessageDeduplicationId",
                            "The queue should either have ContentBasedDeduplication enabled or "
                            "MessageDeduplicationId provided explicitly."));
    task.delay_ms.reset();
    task.group = Key(Str(*message.MessageGroupId));
    task.unique = Unique{.key = Str(message.MessageDeduplicationId.value_or(sha256_hex(*message.MessageBody))),
                         .mode = UniqueMode::throttle,
                         .window_ms = deduplication_window.us / 1000};
    return {};
}

Result<std::uint64_t> Sending::put_task(NewTask const& task) {
    if (task.unique)
        if (auto const before = unique_.find(task.unique->key.str()); before != unique_.end()) return before->second;
    auto const depth_max = queue_.settings.depth_max.value;
    if (depth_max > 0 && std::int64_t(queue_.depth() + events_.size()) >= depth_max)
        return fail(429, "queue_full", fmt::format("this queue holds {} tasks, its depth_max: try later", depth_max));
    TRY_ASSIGN(auto said, put(s_, task, cx_));
    auto number = said.reply.id.n;
    for (auto& event : said.events) {
        if (auto* made = std::get_if<Put>(&event)) number = made->id.n = s_.given() + 1 + events_.size();
        events_.push_back(std::move(event));
    }
    if (task.unique) unique_[task.unique->key.str()] = number;
    return number;
}

Result<std::vector<Out>> Sending::send(Entry const& message) {
    TRY_ASSIGN(auto const task, task_of(message));
    TRY_ASSIGN(auto const number, put_task(task));
    std::vector<Out> out{text("MessageId", fmt::format("t_{}", number)), text("MD5OfMessageBody", md5_hex(*message.MessageBody))};
    if (!message.MessageAttributes.empty()) out.push_back(text("MD5OfMessageAttributes", md5_of(message.MessageAttributes)));
    if (!message.MessageSystemAttributes.empty())
        out.push_back(text("MD5OfMessageSystemAttributes", md5_of(message.MessageSystemAttributes)));
    if (is_fifo(queue_.name)) out.push_back(text("SequenceNumber", fmt::format("{:020}", number)));
    return out;
}

}  // namespace

Result<Told> send_message(State const& s, Call const& call, Ctx const& cx) {
    TRY_ASSIGN(auto const* queue, queue_of(s, call));
    Sending sending(s, *queue, cx);
    TRY_ASSIGN(auto const sent, sending.send(entry_of(call.in)));
    return told(call, sent, sending.take_events());
}
Result<Told> send_message_batch(State const& s, Call const& call, Ctx const& cx) {
    TRY_ASSIGN(auto const* queue, queue_of(s, call));
    Sending sending(s, *queue, cx);
    TRY_ASSIGN(auto const sent, each_of(call, "SendMessageBatchResultEntry", [&](Entry const& e) { return sending.send(e); }));
    return told(call, sent, sending.take_events());
}

}  // namespace gantry::queue::sqs
