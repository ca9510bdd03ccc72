#pragma once
#include "services/queue/manage.h"
#include "services/queue/times.h"

// What is seen without taking anything.
namespace gantry::queue {

struct Times {  // of what started or ended in this hour and the one before
    std::uint64_t count = 0;
    double p50_ms = 0, p95_ms = 0, p99_ms = 0;  // upper bounds, to a quarter of a doubling
};
RECORD(Times, count, p50_ms, p95_ms, p99_ms);
Times times_of(State const& s, QueueRow const& queue, TimeOf of);
struct Counts {
    std::uint64_t ready = 0, delayed = 0, behind = 0, leased = 0, buried = 0, dead = 0, done = 0;
};
RECORD(Counts, ready, delayed, behind, leased, buried, dead, done);
struct QueueView {
    std::string queue;
    bool paused = false;
    std::optional<Time> paused_until;
    std::optional<std::string> pause_reason;
    Counts counts;
    std::uint64_t depth = 0;                                   // all but what is done
    std::optional<std::int64_t> oldest_age_ms;                 // of what waits or runs
    std::uint64_t put = 0, done = 0, failed = 0, expired = 0;  // since the queue was made
    Times wait, run;
    std::uint64_t keys = 0;  // that have tasks
    std::uint64_t workers = 0;
    QueueSettings settings;
    Time made_at;
};
RECORD(QueueView, queue, paused, paused_until, pause_reason, counts, depth, oldest_age_ms, put, done, failed, expired, wait, run, keys,
       workers, settings, made_at);

struct ListQueues {
    std::optional<Text<0, 200>> prefix;
    Limit limit = 100;
    std::optional<std::string> cursor;
    static constexpr bool has_defaults = true;
};
RECORD(ListQueues, prefix, limit, cursor);
Result<Page<QueueView>> list_queues(State const& s, ListQueues const& in, Ctx const& cx);
Result<QueueView> show_queue(State const& s, ByQueue const& in, Ctx const& cx);

struct KeyView {
    std::string key;
    std::uint64_t tasks = 0, ready = 0, running = 0;
    std::int64_t weight = 1;
    std::optional<std::string> held_back;  // why nothing of it starts, though something is ready
};
RECORD(KeyView, key, tasks, ready, running, weight, held_back);
struct ListKeys {
    QueueName queue;
    Limit limit = 100;
    std::optional<std::string> cursor;
    static constexpr bool has_defaults = true;
};
RECORD(ListKeys, queue, limit, cursor);
Result<Page<KeyView>> list_keys(State const& s, ListKeys const& in, Ctx const& cx);

struct WorkerView {
    std::string worker;
    std::uint64_t running = 0;
    Time seen;
};
RECORD(WorkerView, worker, running, seen);
struct ListWorkers {
    QueueName queue;
    Limit limit = 100;
    std::optional<std::string> cursor;
    static constexpr bool has_defaults = true;
};
RECORD(ListWorkers, queue, limit, cursor);
Result<Page<WorkerView>> list_workers(State const& s, ListWorkers const& in, Ctx const& cx);

struct LeaseInfo {
    std::string worker;
    std::uint64_t fence = 0;
    Time since, deadline;
    std::optional<std::int64_t> progress_permille;
    std::optional<std::string> message;
    bool cancel = false;
};
RECORD(LeaseInfo, worker, fence, since, deadline, progress_permille, message, cancel);
struct TaskView {
    TaskId id;
    std::string queue;
    TaskState state = TaskState::ready;
    std::uint32_t priority = 0;
    Time put_at;
    std::optional<Time> due_at, since;  // since: it is buried, dead or done
    std::optional<std::uint32_t> lease_s;
    std::optional<std::string> key, group, unique;
    std::vector<std::string> tags;
    std::uint32_t attempts = 0, starts = 0;  // that came to nothing; in all
    std::optional<LeaseInfo> lease;
};
RECORD(TaskView, id, queue, state, priority, put_at, due_at, since, lease_s, key, group, unique, tags, attempts, starts, lease);
TaskView view_of(State const& s, std::uint32_t slot);

struct AttemptView {
    std::string what;  // failed, expired, buried, log, completed
    Time at;
    std::optional<std::string> worker, reason, detail;
    std::optional<Time> retry_at;
    std::vector<std::string> log;
};
RECORD(AttemptView, what, at, worker, reason, detail, retry_at, log);
struct WholeTask {
    TaskView task;
    std::optional<codec::RawJson> payload;
    std::optional<Bytes> payload_base64;
    std::optional<std::string> payload_url, payload_digest;
    std::string content_type;
    std::map<std::string, Text<0, 2000>> headers;
    std::optional<codec::RawJson> result;
    std::vector<AttemptView> history;  // the newest last; at most 200
};
RECORD(WholeTask, task, payload, payload_base64, payload_url, payload_digest, content_type, headers, result, history);
struct FoundTask {
    TaskView view;
    std::uint64_t content = 0;
    std::vector<TraceRow> traces;
};
Result<FoundTask> find_task(State const& s, ById const& in, Ctx const& cx);
Result<WholeTask> tell_task(FoundTask const& found, Events<Event>& events, Ctx const& cx);

// A page of tasks, in the order of keys, states and ranks; with `older_than_ms` alone by age. With `text` their payloads are read, a
// bounded number of them: the page says `complete: false` and why, and goes on by its cursor.
struct ListTasks {
    std::optional<QueueName> queue;
    std::optional<TaskState> state;
    std::optional<Key> key, group;
    std::optional<Tag> tag;
    std::optional<Text<1, 200>> text;
    std::optional<Millis> older_than_ms;
    std::optional<Bounded<0, 10'000>> attempts_min;
    Limit limit = 100;
    std::optional<std::string> cursor;
    static constexpr bool has_defaults = true;
};
RECORD(ListTasks, queue, state, key, group, tag, text, older_than_ms, attempts_min, limit, cursor);
struct FoundTasks {
    struct One {
        TaskView view;
        std::uint64_t content = 0;
        std::string cursor;  // of what comes after it
    };
    std::vector<One> tasks;
    std::optional<std::string> text;
    std::size_t limit = 0;
    std::optional<std::string> next;
    std::optional<std::string> why;
};
Result<FoundTasks> find_tasks(State const& s, ListTasks const& in, Ctx const& cx);
Result<Page<TaskView>> tell_tasks(FoundTasks const& found, Events<Event>& events, Ctx const& cx);

// Why a task doesn't run, and what does before it.
struct WhyView {
    TaskView task;
    std::vector<std::string> reasons;          // the nearest first; empty: it is the next one
    std::optional<std::uint64_t> ahead_of_it;  // ready ones of its key that run sooner; at most 10,000 are counted
    bool ahead_is_whole = true;
    std::optional<TaskId> behind;  // of its group
};
RECORD(WhyView, task, reasons, ahead_of_it, ahead_is_whole, behind);
Result<WhyView> why(State const& s, ById const& in, Ctx const& cx);
struct Next {
    QueueName queue;
    std::optional<Bounded<1, 100>> limit;
    std::optional<Worker> worker;
};
RECORD(Next, queue, limit, worker);
struct NextView {
    std::vector<TaskView> tasks;
    std::vector<std::string> held_back;  // why no more would start now
};
RECORD(NextView, tasks, held_back);
Result<NextView> next(State const& s, Next const& in, Ctx const& cx);

}  // namespace gantry::queue
