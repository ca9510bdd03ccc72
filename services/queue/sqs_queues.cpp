// Queues: made, listed, set, purged; and their dead letters.
#include <fmt/format.h>

#include <algorithm>

#include "services/queue/sqs.h"
#include "services/queue/sqs_settings.h"

namespace gantry::queue::sqs {
namespace {

constexpr std::int64_t listed_max = 1000;
constexpr std::size_t ids_at_once = 10'000;  // of one event

struct Page {
    std::vector<Out> urls;
    std::optional<std::string> next;
};
// URLs of the queues that `keep` wants, by name from the token on.
template <class Keep>
Result<Page> page_of(State const& s, Call const& call, Keep&& keep) {
    auto const max = call.in.MaxResults.value_or(listed_max);
    if (max < 1 || max > listed_max) return fail(invalid("MaxResults", fmt::format("Must be between 1 and {}.", listed_max)));
    std::optional<Str> after;
    if (call.in.NextToken) {
        auto read = read_cursor<Str>(*call.in.NextToken);
        if (!read) return fail(invalid("NextToken", "It is none that was given here."));
        after = *read;
    }
    Page page;
    Str last;
    s.walk_queues(after ? &*after : nullptr, [&](Str const& name, QueueRow const& row) {
        if (!keep(row)) return true;
        if (std::int64_t(page.urls.size()) == max) return page.next = make_cursor(last), false;
        return page.urls.push_back(text({}, url_of(call, name))), last = name, true;
    });
    return page;
}

std::vector<TaskId> tasks_of(State const& s, QueueRow const& queue, std::initializer_list<TaskState> states) {
    std::vector<TaskId> out;
    s.lanes_of.ascend(std::uint64_t(queue.number) << 32, [&](std::uint64_t at) {
        if (at >> 32 != queue.number) return false;
        for (auto state : states)
            s.walk_lane(std::uint32_t(at), state,
                        [&](std::uint32_t slot) { return out.size() < swept_max && (out.push_back(TaskId{s.tasks[slot].number}), true); });
        return out.size() < swept_max;
    });
    return out;
}
template <class Make>
void in_pieces(std::vector<TaskId> const& ids, std::vector<Event>& events, Make&& make) {
    for (std::size_t at = 0; at < ids.size(); at += ids_at_once)
        make(std::vector<TaskId>(ids.begin() + std::ptrdiff_t(at), ids.begin() + std::ptrdiff_t(std::min(at + ids_at_once, ids.size()))),
             events);
}
// Everything that it holds, also what workers have: who has it is told so by its next word.
std::vector<Event> emptied(State const& s, QueueRow const& queue) {
    auto const ids = tasks_of(
        s, queue,
        {TaskState::ready, TaskState::delayed, TaskState::behind, TaskState::leased, TaskState::buried, TaskState::dead, TaskState::done});
    std::vector<Event> events;
    in_pieces(ids, events, [](std::vector<TaskId> piece, std::vector<Event>& to) { to.push_back(Deleted{std::move(piece)}); });
    return events;
}
std::uint64_t held_by(QueueRow const& queue) { return queue.depth() + queue.count(TaskState::done); }

Result<Told> set(Call const& call, QueueRow const& queue, QueueSettings settings) {
    return told(call, {}, {QueueSet{queue.name, std::move(settings)}});
}
Result<QueueRow const*> queue_of_arn(State const& s, std::string_view parameter, std::optional<std::string> const& arn) {
    if (!arn) return fail(missing(parameter));
    TRY_ASSIGN(auto const name, sqs::queue_of_arn(parameter, *arn));
    if (auto const* row = is_queue_name(name) ? s.queue(name) : nullptr) return row;
    return fail(404, "sqs_move_not_found", fmt::format("The queue of {} does not exist.", parameter));
}

// Where the dead letters of a queue came from, if there is one such queue.
Result<QueueRow const*> source_of(State const& s, QueueRow const& dead_letters) {
    QueueRow const* found = nullptr;
    bool many = false;
    s.walk_queues(nullptr, [&](Str const&, QueueRow const& row) {
        if (std::string_view(row.settings.dead_letters_to) == std::string_view(dead_letters.name)) many = many || found, found = &row;
        return true;
    });
    if (found && !many) return found;
    return fail(invalid("DestinationArn", many ? "Several queues have their dead letters there: say where to."
                                               : "Source queue must be configured as a Dead Letter Queue."));
}

}  // namespace

Result<Told> create_queue(State const& s, Call const& call, Ctx const&) {
    auto const& in = call.in;
    if (!in.QueueName) return fail(missing("QueueName"));
    TRY_VOID(check_queue_name(*in.QueueName));
    auto const* row = s.queue(*in.QueueName);
    auto settings = row ? row->settings : new_settings();
    TRY_VOID(set_attributes(s, *in.QueueName, in.Attributes, settings));
    if (is_fifo(*in.QueueName) && !row && !in.Attributes.contains("FifoQueue"))
        return fail(invalid("QueueName", "The name ends with .fifo: say FifoQueue, too."));
    std::vector<Out> const members{text("QueueUrl", url_of(call, *in.QueueName))};
    if (row && codec::to_json(settings) != codec::to_json(row->settings))
        return fail(400, "sqs_queue_exists", "A queue already exists with the same name and a different value for an attribute.");
    if (row) return told(call, members);
    TRY_VOID(set_labels(in.Tags, settings));
    TRY_VOID(set_labels(in.tags, settings));
    return told(call, members, {QueueSet{QueueName(Str(*in.QueueName)), settings}});
}

Result<Told> delete_queue(State const& s, Call const& call, Ctx const&) {
    TRY_ASSIGN(auto const* queue, queue_of(s, call));
    if (held_by(*queue) > swept_max)
        return fail(400, "sqs_unsupported", fmt::format("it holds {} messages: purge it first", held_by(*queue)));
    auto events = emptied(s, *queue);
    events.push_back(QueueDropped{queue->name});
    return told(call, {}, std::move(events));
}

Result<Told> get_queue_url(State const& s, Call const& call, Ctx const&) {
    auto const& in = call.in;
    if (!in.QueueName) return fail(missing("QueueName"));
    bool const ours = !in.QueueOwnerAWSAccountId || *in.QueueOwnerAWSAccountId == account;
    if (!ours || !is_queue_name(*in.QueueName) || !s.queue(*in.QueueName))
        return fail(404, "queue_not_found", "The specified queue does not exist.");
    return told(call, {text("QueueUrl", url_of(call, *in.QueueName))});
}

Result<Told> list_queues(State const& s, Call const& call, Ctx const&) {
    auto const prefix = call.in.QueueNamePrefix.value_or("");
    TRY_ASSIGN(auto page, page_of(s, call, [&](QueueRow const& row) { return std::string_view(row.name).starts_with(prefix); }));
    std::vector<Out> members;
    if (!page.urls.empty()) members.push_back(list("QueueUrls", "QueueUrl", std::move(page.urls)));
    if (page.next) members.push_back(text("NextToken", *page.next));
    return told(call, members);
}

Result<Told> get_queue_attributes(State const& s, Call const& call, Ctx const&) {
    TRY_ASSIGN(auto const* queue, queue_of(s, call));
    TRY_ASSIGN(auto shown, shown_attributes(*queue, call));
    std::vector<Out> members;
    if (!shown.empty()) members.push_back(map("Attributes", "Attribute", std::move(shown)));
    return told(call, members);
}
Result<Told> set_queue_attributes(State const& s, Call const& call, Ctx const&) {
    TRY_ASSIGN(auto const* queue, queue_of(s, call));
    if (call.in.Attributes.empty()) return fail(missing("Attributes"));
    auto settings = queue->settings;
    TRY_VOID(set_attributes(s, queue->name, call.in.Attributes, settings));
    return set(call, *queue, std::move(settings));
}

// What it holds beyond what one call can delete is told as SQS tells of a purge that goes on: whoever comes again goes on with it.
Result<Told> purge_queue(State const& s, Call const& call, Ctx const&) {
    TRY_ASSIGN(auto const* queue, queue_of(s, call));
    auto out = told(call, {}, emptied(s, *queue));
    auto const held = held_by(*queue);
    if (held <= swept_max) return out;
    Problem const more{403, "sqs_purge_goes_on",
                       fmt::format("{} messages were purged, {} are left: purge again", swept_max, held - swept_max)};
    out.reply.reply = refused(more, call.json ? "application/x-amz-json-1.0" : "");
    return out;
}

Result<Told> list_dead_letter_source_queues(State const& s, Call const& call, Ctx const&) {
    TRY_ASSIGN(auto const* queue, queue_of(s, call));
    std::string_view const name = queue->name;
    TRY_ASSIGN(auto page, page_of(s, call, [&](QueueRow const& row) { return std::string_view(row.settings.dead_letters_to) == name; }));
    std::vector<Out> members{list("queueUrls", "QueueUrl", std::move(page.urls))};
    if (page.next) members.push_back(text("NextToken", *page.next));
    return told(call, members);
}

// At once, so that there is none under way. What a worker has stays where it is.
Result<Told> start_message_move_task(State const& s, Call const& call, Ctx const&) {
    TRY_ASSIGN(auto const* from, queue_of_arn(s, "SourceArn", call.in.SourceArn));
    if (call.in.MaxNumberOfMessagesPerSecond)
        return fail(400, "sqs_unsupported", "MaxNumberOfMessagesPerSecond isn't there: what is moved is moved at once");
    QueueRow const* to = nullptr;
    if (call.in.DestinationArn) {
        TRY_ASSIGN(to, queue_of_arn(s, "DestinationArn", call.in.DestinationArn));
    } else {
        TRY_ASSIGN(to, source_of(s, *from));
    }
    if (to == from) return fail(invalid("DestinationArn", "It is the source."));
    auto const ids = tasks_of(s, *from, {TaskState::ready, TaskState::delayed, TaskState::behind, TaskState::dead, TaskState::buried});
    std::vector<Event> events;
    in_pieces(ids, events, [&](std::vector<TaskId> piece, std::vector<Event>& out) {
        out.push_back(Moved{piece, to->name});
        out.push_back(Kicked{std::move(piece), true});
    });
    return told(call, {text("TaskHandle", fmt::format("{}/{}", from->name.view(), ids.size()))}, std::move(events));
}
Result<Told> list_message_move_tasks(State const& s, Call const& call, Ctx const&) {
    TRY_VOID(queue_of_arn(s, "SourceArn", call.in.SourceArn));
    return told(call, {list("Results", "ListMessageMoveTasksResultEntry", {})});
}
Result<Told> cancel_message_move_task(State const&, Call const& call, Ctx const&) {
    if (!call.in.TaskHandle) return fail(missing("TaskHandle"));
    return fail(404, "sqs_move_not_found", "No task of this handle is under way: messages are moved at once.");
}

Result<Told> tag_queue(State const& s, Call const& call, Ctx const&) {
    TRY_ASSIGN(auto const* queue, queue_of(s, call));
    if (call.in.Tags.empty()) return fail(missing("Tags"));
    auto settings = queue->settings;
    TRY_VOID(set_labels(call.in.Tags, settings));
    return set(call, *queue, std::move(settings));
}
Result<Told> untag_queue(State const& s, Call const& call, Ctx const&) {
    TRY_ASSIGN(auto const* queue, queue_of(s, call));
    if (call.in.TagKeys.empty()) return fail(missing("TagKeys"));
    auto settings = queue->settings;
    for (auto const& key : call.in.TagKeys) settings.labels.erase(key);
    return set(call, *queue, std::move(settings));
}
Result<Told> list_queue_tags(State const& s, Call const& call, Ctx const&) {
    TRY_ASSIGN(auto const* queue, queue_of(s, call));
    std::vector<Out> tags;
    for (auto const& [name, value] : queue->settings.labels) tags.push_back(text(name, value));
    auto shown = map("Tags", "Tag", std::move(tags));
    shown.entry = {"Key", "Value"};
    return told(call, {shown});
}

}  // namespace gantry::queue::sqs
