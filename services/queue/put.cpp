#include "services/queue/put.h"

namespace gantry::queue {
namespace {

constexpr std::size_t tags_max = 20, headers_max = 50;

Problem wrong(std::string code, std::string pointer, std::string detail) {
    return {422, std::move(code), detail, {{std::move(pointer), detail}}};
}

Result<std::optional<Time>> due_of(NewTask const& in, QueueSettings const& settings, Time now) {
    if (in.delay_ms && in.due_at) return fail(wrong("due_twice", "/due_at", "say delay_ms or due_at, not both"));
    std::optional<Time> due = now + Duration::millis(settings.delay_ms);
    if (in.due_at) due = *in.due_at;
    if (in.delay_ms) due = now + Duration::millis(*in.delay_ms);
    if (due && *due <= now) due = {};
    return due;
}

// The task of a unique key that waits or runs; null: none does.
TaskRow const* live(State const& s, UniqueRow const* row) { return row && row->number != 0 ? s.find(TaskId{row->number}) : nullptr; }

Emit<PutReply, Event> existing(State const& s, std::uint64_t number, PutOutcome outcome) {
    auto const* task = s.find(TaskId{number});
    return {{}, {TaskId{number}, outcome, task ? task->is() : TaskState::done}};
}

}  // namespace

Result<void> check_tags(std::vector<Tag> const& tags) {
    if (tags.size() > tags_max) return fail(wrong("tags_invalid", "/tags", "a task has at most " + std::to_string(tags_max) + " tags"));
    for (std::size_t i = 0; i < tags.size(); ++i) {
        auto const at = "/tags/" + std::to_string(i);
        if (std::string_view(tags[i]).contains('\n')) return fail(wrong("tags_invalid", at, "a tag is one line"));
        if (std::find(tags.begin(), tags.begin() + std::ptrdiff_t(i), tags[i]) != tags.begin() + std::ptrdiff_t(i))
            return fail(wrong("tags_invalid", at, "this tag is there twice"));
    }
    return {};
}

Result<void> check_queue_name(std::string_view name, std::string_view pointer) {
    if (is_queue_name(name)) return {};
    return fail(wrong("queue_name_invalid", std::string(pointer),
                      "a queue's name has 1 to 200 letters, digits and signs of - + / ; . $ _ ( ) : and doesn't begin with -"));
}

Result<Content> content_of(NewTask const& in, std::int64_t payload_bytes_max) {
    Content out;
    if (int(in.payload.has_value()) + int(in.payload_base64.has_value()) + int(in.payload_url.has_value()) != 1)
        return fail(wrong("payload_invalid", "/payload", "say exactly one of payload, payload_base64 and payload_url"));
    if (in.payload && in.content_type)
        return fail(wrong("payload_invalid", "/content_type", "a payload is application/json: leave it out"));
    if (bool(in.payload_url) != bool(in.payload_digest))
        return fail(wrong("payload_invalid", "/payload_digest", "payload_url and payload_digest come together"));
    if (in.payload) out.payload.data = in.payload->text;
    if (in.payload_base64) out.payload = *in.payload_base64, out.type = in.content_type.value_or("application/octet-stream");
    if (in.payload_url)
        out.url = *in.payload_url, out.digest = *in.payload_digest, out.type = in.content_type.value_or("application/octet-stream");
    if (std::int64_t(out.payload.data.size()) > payload_bytes_max)
        return fail(
            {413,
             "payload_too_large",
             "this queue takes payloads of up to " + std::to_string(payload_bytes_max) + " bytes",
             {{in.payload ? "/payload" : "/payload_base64",
               "it has " + std::to_string(out.payload.data.size()) + " bytes: put it elsewhere and send payload_url and payload_digest"}}});
    if (in.headers) {
        if (in.headers->size() > headers_max)
            return fail(wrong("headers_invalid", "/headers", "a task has at most " + std::to_string(headers_max) + " headers"));
        out.headers = *in.headers;
    }
    return out;
}

Result<Emit<PutReply, Event>> put(State const& s, NewTask const& in, Ctx const& cx) {
    TRY_VOID(check_queue_name(in.queue));
    auto const* queue = s.queue(in.queue);
    static QueueSettings const defaults;
    auto const& settings = queue ? queue->settings : defaults;
    TRY_ASSIGN(auto content, content_of(in, settings.payload_bytes_max));
    if (in.tags) TRY_VOID(check_tags(*in.tags));
    TRY_ASSIGN(auto due, due_of(in, settings, cx.now));
    if (queue && settings.depth_max > 0 && std::int64_t(queue->depth()) >= settings.depth_max)
        return fail(429, "queue_full", "this queue holds " + std::to_string(settings.depth_max) + " tasks, its depth_max: try later");
    if (in.unique && in.group && (in.unique->mode == UniqueMode::replace || in.unique->mode == UniqueMode::debounce))
        return fail(wrong("unique_invalid", "/unique/mode",
                          "a task of a group keeps its place and its content: use reject, single_flight or throttle"));

    Emit<PutReply, Event> out;
    auto& event = std::get<Put>(out.events.emplace_back(std::in_place_type<Put>));
    event.id = TaskId{s.given() + 1}, event.queue = in.queue, event.due = due;
    if (in.unique) {
        auto const& unique = *in.unique;
        bool const windowed = unique.mode == UniqueMode::debounce || unique.mode == UniqueMode::throttle;
        if (windowed && unique.window_ms == 0)
            return fail(wrong("unique_invalid", "/unique/window_ms", "debounce and throttle need a window_ms of 1 or more"));
        auto const window_end = cx.now + Duration::millis(unique.window_ms);
        auto const* row = queue ? s.unique_of(queue->number, unique.key) : nullptr;
        auto const* before = live(s, row);
        bool const in_window = row && row->until_us > cx.now.us;
        switch (unique.mode) {
            case UniqueMode::reject:
                if (before || in_window)
                    return fail(409, "task_exists",
                                "t_" + std::to_string(row->newest) + " has this unique key" + (before ? "" : ", and its window is open"));
                break;
            case UniqueMode::single_flight:
                if (before || in_window) return existing(s, row->newest, PutOutcome::exists);
                break;
            case UniqueMode::throttle:
                if (in_window) return existing(s, row->newest, PutOutcome::throttled);
                break;
            case UniqueMode::replace:
            case UniqueMode::debounce:
                if (before && before->is() != TaskState::leased) {
                    Edited edited{.id = TaskId{before->number}, .content = std::move(content)};
                    if (unique.mode == UniqueMode::debounce)
                        edited.due = window_end;
                    else if (in.due_at || in.delay_ms)
                        edited.due = due.value_or(cx.now);
                    if (in.priority) edited.priority = std::uint32_t(std::int64_t(*in.priority));
                    auto const state = edited.due && *edited.due > cx.now ? TaskState::delayed : before->is();
                    return Emit<PutReply, Event>{{edited}, {edited.id, PutOutcome::replaced, state}};
                }
                if (unique.mode == UniqueMode::debounce) event.due = window_end;
                break;
        }
        event.unique = unique.key;
        if (unique.window_ms > 0 && unique.mode != UniqueMode::debounce) event.unique_until = window_end;
    }
    event.content = std::move(content);
    if (in.priority) event.priority = std::uint32_t(std::int64_t(*in.priority));
    if (in.key) event.key = *in.key;
    if (in.group) event.group = *in.group;
    if (in.tags) event.tags = *in.tags;
    if (in.attempts_max) event.attempts_max = std::uint32_t(std::int64_t(*in.attempts_max));
    if (in.run_s_max) event.run_s_max = std::uint32_t(std::int64_t(*in.run_s_max));
    if (in.lease_s) event.lease_s = std::uint32_t(std::int64_t(*in.lease_s));
    auto state = event.due ? TaskState::delayed : TaskState::ready;
    if (queue && in.group) {
        auto const group = s.group_of(queue->number, *in.group);
        if (group != 0 && s.group_rows[group - 1].members > 0) state = TaskState::behind;
    }
    out.reply = {event.id, PutOutcome::put, state}, out.status = 201;
    return out;
}

}  // namespace gantry::queue
