#pragma once
#include "services/queue/put.h"
#include "services/queue/work.h"

// What operators do, without taking anything: queues and their settings, and single tasks.
namespace gantry::queue {

struct ByQueue {
    QueueName queue;
};
RECORD(ByQueue, queue);
struct ById {
    TaskId id;
};
RECORD(ById, id);

struct SetQueue {
    QueueName queue;
    QueueSettings settings;
};
RECORD(SetQueue, queue, settings);
struct Pause {
    QueueName queue;
    std::optional<Reason> reason;
    std::optional<Bounded<1, 31'536'000'000>> for_ms;
};
RECORD(Pause, queue, reason, for_ms);
struct QueueSaid {
    std::string queue;
    bool paused = false;
    QueueSettings settings;
};
RECORD(QueueSaid, queue, paused, settings);
Result<Emit<QueueSaid, Event>> set_queue(State const& s, SetQueue const& in, Ctx const& cx);
Result<Emit<QueueSaid, Event>> pause(State const& s, Pause const& in, Ctx const& cx);
Result<Emit<QueueSaid, Event>> resume(State const& s, ByQueue const& in, Ctx const& cx);
Result<Emit<QueueSaid, Event>> drop_queue(State const& s, ByQueue const& in, Ctx const& cx);

// Many tasks of a queue in one state, up to `max` at once; `left` says how many there still are.
struct Sweep {
    QueueName queue;
    std::optional<TaskState> state;
    std::optional<Bounded<1, 10'000>> max;
    std::optional<QueueName> to;  // redrive alone: into another queue
};
RECORD(Sweep, queue, state, max, to);
struct Swept {
    std::uint64_t changed = 0, left = 0;
};
RECORD(Swept, changed, left);
Result<Emit<Swept, Event>> purge(State const& s, Sweep const& in, Ctx const& cx);    // deletes; of all states but leased
Result<Emit<Swept, Event>> kick(State const& s, Sweep const& in, Ctx const& cx);     // buried ones; else delayed ones, as in beanstalkd
Result<Emit<Swept, Event>> redrive(State const& s, Sweep const& in, Ctx const& cx);  // dead ones, as if they had never been tried

struct TaskSaid {
    TaskId id;
    std::string queue;
    TaskState state = TaskState::ready;
};
RECORD(TaskSaid, id, queue, state);
struct EditTask {
    TaskId id;
    std::optional<codec::RawJson> payload;
    std::optional<Bytes> payload_base64;
    std::optional<ContentType> content_type;
    std::optional<Bounded<0, 4'294'967'295>> priority;
    std::optional<Millis> delay_ms;
    std::optional<Time> due_at;
};
RECORD(EditTask, id, payload, payload_base64, content_type, priority, delay_ms, due_at);
struct MoveTask {
    TaskId id;
    QueueName queue;
};
RECORD(MoveTask, id, queue);
struct CancelTask {
    TaskId id;
    std::optional<Reason> reason;
};
RECORD(CancelTask, id, reason);
Result<Emit<TaskSaid, Event>> edit(State const& s, EditTask const& in, Ctx const& cx);
Result<Emit<TaskSaid, Event>> move(State const& s, MoveTask const& in, Ctx const& cx);
Result<Emit<TaskSaid, Event>> kick_task(State const& s, ById const& in, Ctx const& cx);
Result<Emit<TaskSaid, Event>> delete_task(State const& s, ById const& in, Ctx const& cx);
// Of one that waits: it is deleted. Of one that runs: its worker is told with the next extend.
Result<Emit<TaskSaid, Event>> cancel(State const& s, CancelTask const& in, Ctx const& cx);

// 404 "task_not_found", 410 "task_gone".
Result<TaskRow const*> task_of(State const& s, TaskId id);
// 404 "queue_not_found".
Result<QueueRow const*> queue_named(State const& s, std::string_view name);

}  // namespace gantry::queue
