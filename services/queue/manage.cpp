#include "services/queue/manage.h"

namespace gantry::queue {
namespace {

constexpr std::size_t sweep_max = 1000;

QueueSaid said(QueueRow const& row) { return {row.name.str(), row.paused, row.settings}; }

// Slots of a queue in one state, in the order of keys and ranks.
std::vector<TaskId> some(State const& s, QueueRow const& queue, TaskState state, std::size_t max) {
    std::vector<TaskId> out;
    auto const from = std::uint64_t(queue.number) << 32;
    s.lanes_of.ascend(from, [&](std::uint64_t at) {
        if (at >> 32 != queue.number) return false;
        s.walk_lane(std::uint32_t(at), state, [&](std::uint32_t slot) {
            if (out.size() == max) return false;
            return out.push_back(TaskId{s.tasks[slot].number}), true;
        });
        return out.size() < max;
    });
    return out;
}

Result<std::optional<Time>> due_of(EditTask const& in, Time now) {
    if (in.delay_ms && in.due_at) return fail({422, "due_twice", "say delay_ms or due_at, not both", {{"/due_at", "say one of both"}}});
    std::optional<Time> out = in.due_at;
    if (in.delay_ms) out = now + Duration::millis(*in.delay_ms);
    return out;
}

Problem is_leased(TaskRow const& task) {
    return {409, "task_leased", "t_" + std::to_string(task.number) + " is with a worker: cancel it, or wait until its lease ends"};
}
TaskSaid said(State const& s, TaskRow const& task, TaskState state) {
    return {TaskId{task.number}, s.queue_of(task.queue).name.str(), state};
}

}  // namespace

Result<QueueRow const*> queue_named(State const& s, std::string_view name) {
    TRY_VOID(check_queue_name(name));
    if (auto const* row = s.queue(name)) return row;
    return fail(404, "queue_not_found", "there is no such queue; a put or a PUT of it makes one");
}
Result<TaskRow const*> task_of(State const& s, TaskId id) {
    if (auto const* task = s.find(id)) return task;
    if (id.n >= 1 && id.n <= s.given()) return fail(410, "task_gone", "this task was completed or deleted");
    return fail(404, "task_not_found", "there is no such task");
}

Result<Emit<QueueSaid, Event>> set_queue(State const& s, SetQueue const& in, Ctx const&) {
    TRY_VOID(check_queue_name(in.queue));
    auto const& settings = in.settings;
    if (settings.weights.size() > 1000)
        return fail({422, "weights_invalid", "too many weights", {{"/settings/weights", "expected at most 1000 keys"}}});
    if (settings.labels.size() > labels_max)
        return fail({422, "labels_invalid", "too many labels", {{"/settings/labels", "expected at most " + std::to_string(labels_max)}}});
    if (!settings.dead_letters_to.empty()) TRY_VOID(check_queue_name(settings.dead_letters_to, "/settings/dead_letters_to"));
    if (settings.backoff_max_ms < settings.backoff_ms)
        return fail({422,
                     "backoff_invalid",
                     "backoff_max_ms is less than backoff_ms",
                     {{"/settings/backoff_max_ms", "expected backoff_ms or more"}}});
    auto const* row = s.queue(in.queue);
    QueueSaid const reply{in.queue.str(), row && row->paused, settings};
    return Emit<QueueSaid, Event>{{QueueSet{in.queue, settings}}, reply, row ? 200 : 201};
}

Result<Emit<QueueSaid, Event>> pause(State const& s, Pause const& in, Ctx const& cx) {
    TRY_ASSIGN(auto const* row, queue_named(s, in.queue));
    QueuePaused event{in.queue, true, {}, {}};
    if (in.for_ms) event.until = cx.now + Duration::millis(*in.for_ms);
    if (in.reason) event.reason = *in.reason;
    auto reply = said(*row);
    reply.paused = true;
    return Emit<QueueSaid, Event>{{event}, reply};
}
Result<Emit<QueueSaid, Event>> resume(State const& s, ByQueue const& in, Ctx const&) {
    TRY_ASSIGN(auto const* row, queue_named(s, in.queue));
    auto reply = said(*row);
    if (!row->paused) return Emit<QueueSaid, Event>{{}, reply};
    reply.paused = false;
    return Emit<QueueSaid, Event>{{QueuePaused{in.queue, false, {}, {}}}, reply};
}
Result<Emit<QueueSaid, Event>> drop_queue(State const& s, ByQueue const& in, Ctx const&) {
    TRY_ASSIGN(auto const* row, queue_named(s, in.queue));
    if (!row->is_idle())
        return fail(409, "queue_not_empty",
                    "it holds " + std::to_string(row->depth() + row->count(TaskState::done)) + " tasks: purge it first");
    return Emit<QueueSaid, Event>{{QueueDropped{in.queue}}, said(*row)};
}

Result<Emit<Swept, Event>> purge(State const& s, Sweep const& in, Ctx const&) {
    TRY_ASSIGN(auto const* row, queue_named(s, in.queue));
    if (in.state == TaskState::leased)
        return fail({409, "task_leased", "tasks that are with workers aren't purged: cancel them", {{"/state", "expected another state"}}});
    auto const max = std::size_t(in.max ? in.max->value : sweep_max);
    std::vector<TaskId> ids;
    std::uint64_t left = 0;
    for (auto state : {TaskState::ready, TaskState::delayed, TaskState::behind, TaskState::buried, TaskState::dead, TaskState::done}) {
        if (in.state && *in.state != state) continue;
        auto const more = some(s, *row, state, max - ids.size());
        ids.insert(ids.end(), more.begin(), more.end());
        left += row->count(state) - more.size();
    }
    Swept const reply{ids.size(), left};
    if (ids.empty()) return Emit<Swept, Event>{{}, reply};
    return Emit<Swept, Event>{{Deleted{std::move(ids)}}, reply};
}
Result<Emit<Swept, Event>> kick(State const& s, Sweep const& in, Ctx const&) {
    TRY_ASSIGN(auto const* row, queue_named(s, in.queue));
    auto const state = in.state.value_or(row->count(TaskState::buried) > 0 ? TaskState::buried : TaskState::delayed);
    if (state != TaskState::buried && state != TaskState::delayed)
        return fail({422,
                     "state_invalid",
                     "buried or delayed tasks are kicked; dead ones are redriven",
                     {{"/state", "expected buried or delayed"}}});
    auto ids = some(s, *row, state, std::size_t(in.max ? in.max->value : sweep_max));
    Swept const reply{ids.size(), row->count(state) - ids.size()};
    if (ids.empty()) return Emit<Swept, Event>{{}, reply};
    return Emit<Swept, Event>{{Kicked{std::move(ids), false}}, reply};
}
Result<Emit<Swept, Event>> redrive(State const& s, Sweep const& in, Ctx const&) {
    TRY_ASSIGN(auto const* row, queue_named(s, in.queue));
    if (in.state && *in.state != TaskState::dead)
        return fail({422, "state_invalid", "dead tasks are redriven", {{"/state", "expected dead"}}});
    if (in.to) TRY_VOID(check_queue_name(*in.to, "/to"));
    auto ids = some(s, *row, TaskState::dead, std::size_t(in.max ? in.max->value : sweep_max));
    Swept const reply{ids.size(), row->count(TaskState::dead) - ids.size()};
    Emit<Swept, Event> out{{}, reply};
    if (ids.empty()) return out;
    if (in.to) out.events.push_back(Moved{ids, *in.to});
    out.events.push_back(Kicked{std::move(ids), true});
    return out;
}

Result<Emit<TaskSaid, Event>> edit(State const& s, EditTask const& in, Ctx const& cx) {
    TRY_ASSIGN(auto const* task, task_of(s, in.id));
    if (task->is() == TaskState::leased) return fail(is_leased(*task));
    if (task->is() == TaskState::done) return fail(409, "task_done", "this task is done: there is nothing to change");
    Edited event{.id = in.id};
    if (in.payload || in.payload_base64) {
        NewTask content;
        content.payload = in.payload, content.payload_base64 = in.payload_base64, content.content_type = in.content_type;
        TRY_ASSIGN(event.content, content_of(content, s.queue_of(task->queue).settings.payload_bytes_max));
    }
    if (in.priority) event.priority = std::uint32_t(in.priority->value);
    TRY_ASSIGN(event.due, due_of(in, cx.now));
    if (event.due && (task->is() == TaskState::buried || task->is() == TaskState::dead))
        return fail(409, "task_not_waiting", "this task was put aside: kick it first");
    if (!event.content && !event.priority && !event.due) return Emit<TaskSaid, Event>{{}, said(s, *task, task->is())};
    auto state = task->is();
    if (event.due && state != TaskState::behind) state = *event.due > cx.now ? TaskState::delayed : TaskState::ready;
    return Emit<TaskSaid, Event>{{event}, said(s, *task, state)};
}
Result<Emit<TaskSaid, Event>> move(State const& s, MoveTask const& in, Ctx const&) {
    TRY_ASSIGN(auto const* task, task_of(s, in.id));
    TRY_VOID(check_queue_name(in.queue));
    if (task->is() == TaskState::leased) return fail(is_leased(*task));
    TaskSaid const reply{in.id, in.queue.str(), task->is() == TaskState::behind ? TaskState::ready : task->is()};
    return Emit<TaskSaid, Event>{{Moved{{in.id}, in.queue}}, reply};
}
Result<Emit<TaskSaid, Event>> kick_task(State const& s, ById const& in, Ctx const&) {
    TRY_ASSIGN(auto const* task, task_of(s, in.id));
    if (task->is() == TaskState::leased) return fail(is_leased(*task));
    if (task->is() == TaskState::done) return fail(409, "task_done", "this task is done");
    if (task->is() == TaskState::ready || task->is() == TaskState::behind) return Emit<TaskSaid, Event>{{}, said(s, *task, task->is())};
    return Emit<TaskSaid, Event>{{Kicked{{in.id}, task->is() == TaskState::dead}}, said(s, *task, TaskState::ready)};
}
Result<Emit<TaskSaid, Event>> delete_task(State const& s, ById const& in, Ctx const&) {
    TRY_ASSIGN(auto const* task, task_of(s, in.id));
    if (task->is() == TaskState::leased) return fail(is_leased(*task));
    return Emit<TaskSaid, Event>{{Deleted{{in.id}}}, said(s, *task, task->is())};
}
Result<Emit<TaskSaid, Event>> cancel(State const& s, CancelTask const& in, Ctx const&) {
    TRY_ASSIGN(auto const* task, task_of(s, in.id));
    if (task->is() != TaskState::leased) return Emit<TaskSaid, Event>{{Deleted{{in.id}}}, said(s, *task, task->is())};
    if (task->flags & task_cancel) return Emit<TaskSaid, Event>{{}, said(s, *task, task->is())};
    return Emit<TaskSaid, Event>{{CancelAsked{in.id, in.reason.value_or(Reason())}}, said(s, *task, task->is())};
}

}  // namespace gantry::queue
