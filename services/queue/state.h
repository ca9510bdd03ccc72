#pragma once
#include <limits>
#include <tuple>

#include "services/queue/facts.h"

// The queue's state: a pure fold of the facts. A task is a row of 80 bytes that points at the event with its content; tasks of one queue
// and key are a lane. Texts are numbers here; 0 is "none" in every number. `slot` is where a row lies, `number` is t_<number>.
namespace gantry::queue {

// In the order of their lists. `behind`: waits for an earlier one of its group.
enum class TaskState : std::uint8_t { ready, delayed, behind, leased, buried, dead, done };
ENUM(TaskState, ready, delayed, behind, leased, buried, dead, done);
inline constexpr std::size_t task_states = 7;
constexpr bool is_aside(TaskState s) { return s == TaskState::buried || s == TaskState::dead || s == TaskState::done; }

enum TaskFlags : std::uint8_t { task_cancel = 1, task_again = 2 };  // task_again: its content stands in `again`

struct TaskRow {
    std::uint64_t number = 0;   // 0: this slot is free
    std::uint64_t content = 0;  // position of the event that holds it
    std::int64_t made_us = 0;
    std::int64_t rank = 0;   // the less, the sooner: when it came, later by `ageing_ms` for each step of its priority
    std::int64_t at_us = 0;  // delayed: due; leased: its deadline; buried, dead, done: since when
    std::uint32_t queue = 0, lane = 0, group = 0, unique = 0;
    std::uint32_t tags = 0;  // the set, in `tag_sets`
    std::uint32_t priority = 0;
    std::uint32_t run_s_max = 0;
    std::uint16_t attempts = 0, starts = 0;  // that came to nothing; in all
    std::uint16_t attempts_max = 0;          // 0: as the queue says; attempts_unlimited
    std::uint16_t traces = 0;
    std::uint16_t lease_s = 0;  // 0: as the queue says
    std::uint8_t state = 0, flags = 0;
    TaskState is() const { return TaskState(state); }
};
RECORD(TaskRow, number, content, made_us, rank, at_us, queue, lane, group, unique, tags, priority, run_s_max, attempts, starts,
       attempts_max, traces, lease_s, state, flags);
static_assert(sizeof(TaskRow) == 80);

// Who has a task.
struct LeaseRow {
    std::uint64_t fence = 0;
    Worker worker;
    Time since;
    std::uint32_t progress_permille = 0;
    Text<0, 2000> message;
    Reason cancel_reason;
};
RECORD(LeaseRow, fence, worker, since, progress_permille, message, cancel_reason);

// One attempt that ended, or log lines of one: the position of the event that tells, and its time.
struct TraceRow {
    std::uint64_t position = 0;
    Time at;
};
RECORD(TraceRow, position, at);
inline constexpr std::uint64_t trace_bits = 16;
inline constexpr std::uint32_t traces_max = 200;  // of a task; older ones are left to the log

// What became of a task so far, for beanstalkd's stats-job: of those alone of which there is something to tell.
struct CourseRow {
    std::uint32_t timeouts = 0, releases = 0, buries = 0, kicks = 0;
    std::uint32_t delay_s = 0;  // that it was put or released with; of tasks with a lease_s of their own
};
RECORD(CourseRow, timeouts, releases, buries, kicks, delay_s);

// What a start adds to the share of a key of weight 1.
inline constexpr std::uint64_t share_unit = 1u << 20;
std::int64_t weight_of(QueueSettings const& settings, std::string_view key);
enum LaneFlags : std::uint32_t { lane_active = 1, lane_slow = 2 };

// The tasks of one queue and key.
struct LaneRow {
    std::uint64_t share = 0;   // virtual time: grows with each start, the slower the greater the key's weight
    std::uint64_t order = 0;   // in `active`
    std::int64_t paid_us = 0;  // of the rate: when all that was started is paid for
    std::uint32_t queue = 0, key = 0;
    std::uint32_t tasks = 0, ready = 0, running = 0;
    std::uint32_t flags = 0;
};
RECORD(LaneRow, share, order, paid_us, queue, key, tasks, ready, running, flags);

struct ActiveLane {
    std::uint64_t queue = 0, order = 0, lane = 0;
    auto operator<=>(ActiveLane const&) const = default;
};
RECORD(ActiveLane, queue, order, lane);

struct GroupRow {
    std::uint32_t queue = 0, name = 0;
    std::uint32_t members = 0, tasks = 0;  // that wait or run; with those that were put aside
    std::uint32_t front = 0;               // slot + 1 of the one that isn't behind
};
RECORD(GroupRow, queue, name, members, tasks, front);

struct UniqueRow {
    std::uint64_t number = 0;  // 0: it has ended, and another may not come before `until_us`
    std::uint64_t newest = 0;  // the task that had it last
    std::int64_t until_us = 0;
    std::uint32_t queue = 0, name = 0;
};
RECORD(UniqueRow, number, newest, until_us, queue, name);

struct QueueRow {
    std::uint32_t number = 0;
    QueueName name;
    QueueSettings settings;
    Time made_at;
    bool paused = false, slow = false;
    std::optional<Time> paused_since, paused_until;
    Reason pause_reason;
    std::vector<std::uint64_t> counts = std::vector<std::uint64_t>(task_states);  // by state
    std::uint64_t urgent = 0;                                                     // ready ones of a priority below urgent_priority
    std::uint64_t put = 0, done = 0, failed = 0, expired = 0;
    std::uint64_t share = 0;   // of the lane that was served last
    std::int64_t paid_us = 0;  // of the rate
    std::int64_t hour = 0;     // since 1970, of the newest times

    std::uint64_t count(TaskState s) const { return counts[std::size_t(s)]; }
    // What waits or runs or was put aside: all but what is done.
    std::uint64_t depth() const;
    bool is_idle() const { return depth() == 0 && count(TaskState::done) == 0; }
};
inline constexpr std::uint32_t urgent_priority = 1024;  // beanstalkd's
RECORD(QueueRow, number, name, settings, made_at, paused, slow, paused_since, paused_until, pause_reason, counts, urgent, put, done, failed,
       expired, share, paid_us, hour);

// Of one queue.
struct WorkerRow {
    Worker worker;
    std::uint32_t running = 0;
    Time seen;
};
RECORD(WorkerRow, worker, running, seen);

// A content that isn't that of a Put: it was edited, or written once more (keep.h).
struct Again {
    std::uint64_t position = 0;
    std::int64_t at_us = 0;
    std::uint64_t task = 0;
    auto operator<=>(Again const&) const = default;
};
RECORD(Again, position, at_us, task);
struct KeepingRow {
    std::uint64_t judged = 0, judging = 0;  // numbers of tasks
    std::uint64_t judging_again = 0;        // position; 0: none
};
RECORD(KeepingRow, judged, judging, judging_again);

struct RuleRow {
    RuleSettings settings;
    std::uint64_t epoch = 0;                // position of the event that set it: what was asked for before counts no more
    std::string after, end;                 // positions in the source
    std::uint64_t tasks = 0, failures = 0;  // failures: in a row
    std::optional<Time> read_at, last_event_at;
    std::string code, detail;  // of what is wrong; empty: nothing
    std::optional<Time> failed_since, retry_at;
    bool complete = false;  // of the last reading: the source had no more
};
RECORD(RuleRow, settings, epoch, after, end, tasks, failures, read_at, last_event_at, code, detail, failed_since, retry_at, complete);

struct State {
    state::Marks available;                   // of a queue, by the hash of its name: something may be taken that could not before
    Table<Str, std::uint32_t> queue_numbers;  // by name
    NumberTable<QueueRow> queue_rows;

    state::Marks tasks_changed;  // by number; the list as a whole
    state::Chunked<TaskRow> tasks;
    state::Chunked<std::uint32_t> free_tasks;
    state::NumberIndex by_number;
    state::Ordered<std::uint32_t> places;  // slots by lane, state, rank, number
    state::Ordered<std::uint32_t> ages;    // slots by queue, whether they were put aside, number
    state::Ordered<std::uint32_t> groups;  // slots by group, number: of those that wait or run
    state::Ordered<std::uint64_t> tagged;  // tag and slot

    state::CountedNames keys, group_names, unique_names, tags, tag_sets;
    state::Chunked<LaneRow> lanes;  // from 1 at [0]
    state::Chunked<std::uint32_t> free_lanes;
    state::HashIndex lane_index;
    state::Ordered<std::uint64_t> lanes_of;  // queue and lane
    state::Ordered<ActiveLane> active;       // those of which something may be started, the next one first
    state::Chunked<GroupRow> group_rows;
    state::Chunked<std::uint32_t> free_groups;
    state::HashIndex group_index;
    state::Chunked<UniqueRow> uniques;
    state::Chunked<std::uint32_t> free_uniques;
    state::HashIndex unique_index;

    NumberTable<LeaseRow> leases;
    Table<std::uint64_t, TraceRow> traces;  // by number and count
    NumberTable<CourseRow> courses;
    Table<Str, WorkerRow> workers;        // "<queue>/<worker>"
    state::Tally times;                   // histograms (times.h)
    state::Chunked<std::uint64_t> next_;  // [0]: numbers given to tasks, [1]: to queues

    state::Ordered<Again> again;               // by position
    Table<std::uint32_t, KeepingRow> keeping;  // of one row
    Outbox outbox;
    Table<RuleName, RuleRow> rules;
    Due<RuleName> rules_due;  // when their sources are read

    Due<std::uint64_t> due;                               // delayed
    Due<std::uint64_t> deadlines;                         // of leases
    Due<std::uint64_t> kept;                              // done and dead ones, and others of a queue that says keep_ms
    Due<std::uint64_t> slow_lanes, slow_queues, windows;  // by number: when the rate lets another one start; when a unique key is free

    void apply(QueueSet const& e, At const& at);
    void apply(QueuePaused const& e, At const& at);
    void apply(QueueDropped const& e, At const& at);
    void apply(Put const& e, At const& at);
    void apply(Edited const& e, At const& at);
    void apply(Reserved const& e, At const& at);
    void apply(Extended const& e, At const& at);
    void apply(Completed const& e, At const& at);
    void apply(Failed const& e, At const& at);
    void apply(Released const& e, At const& at);
    void apply(Buried const& e, At const& at);
    void apply(Kicked const& e, At const& at);
    void apply(Moved const& e, At const& at);
    void apply(Deleted const& e, At const& at);
    void apply(CancelAsked const& e, At const& at);
    void apply(Ripened const& e, At const& at);
    void apply(Forgotten const& e, At const& at);
    void apply(KeyFreed const& e, At const& at);
    void apply(QueueFreed const& e, At const& at);
    void apply(UniqueFreed const& e, At const& at);
    void apply(KeptOn const& e, At const& at);
    void apply(Judging const& e);
    void apply(Judged const& e);
    void apply(EffectOutcome const& e);
    void apply(RuleSet const& e, At const& at);
    void apply(RuleDropped const& e);
    void apply(RuleAsked const& e);
    void apply(RuleRead const& e, At const& at);
    void apply(RuleFailed const& e, At const& at);

    static constexpr std::uint32_t none = state::HashIndex::none;
    // --- lookups -----------------------------------------------------------------------------------------------------------------
    std::uint64_t given() const { return next_.empty() ? 0 : next_[0]; }  // numbers of tasks
    std::uint32_t slot_of(std::uint64_t number) const;                    // none
    TaskRow const* find(TaskId id) const;                                 // noted
    QueueRow const& queue_of(std::uint32_t number) const { return *queue_rows.find(number); }
    QueueRow const* queue(std::string_view name) const;  // noted
    // Visits (name, row) in the order of names, from behind `after` (null: from the start), until `visit` returns false.
    template <class Visit>
    void walk_queues(Str const* after, Visit&& visit) const {
        queue_numbers.walk(after, [&](Str const& name, std::uint32_t number) { return bool(visit(name, queue_of(number))); });
    }
    std::uint32_t lane_of(std::uint32_t queue, std::string_view key) const;    // 0: none
    std::uint32_t group_of(std::uint32_t queue, std::string_view name) const;  // 0: none
    UniqueRow const* unique_of(std::uint32_t queue, std::string_view name) const;
    std::string_view key_of(TaskRow const& task) const { return keys.text(lanes[task.lane - 1].key); }
    std::vector<std::string> tags_of(TaskRow const& task) const;
    state::KeyHash available_key(std::string_view queue) const { return available.key_of(hash64(queue)); }
    WorkerRow const* worker(std::string_view queue, std::string_view worker) const;
    // Nothing of the queue may start now, whatever its keys say.
    static bool is_closed(QueueRow const& queue);
    // How many starts the rate lets pass at once at a time; a great number where there is none.
    static std::int64_t starts_free(std::int64_t paid_us, std::int64_t rate_max, std::int64_t window_ms, Time now);

    // What slots are ordered by.
    struct Place {
        std::uint64_t lane_and_state = 0;
        std::int64_t rank = 0;
        std::uint64_t number = 0;
        auto operator<=>(Place const&) const = default;
    };
    struct Age {
        std::uint64_t queue_and_aside = 0, number = 0;
        auto operator<=>(Age const&) const = default;
    };
    struct InGroup {
        std::uint64_t group = 0, number = 0;
        auto operator<=>(InGroup const&) const = default;
    };
    static Place place(TaskRow const& t) { return {std::uint64_t(t.lane) << 8 | t.state, t.rank, t.number}; }
    static Place first_place(std::uint32_t lane, TaskState state) {
        return {std::uint64_t(lane) << 8 | std::uint64_t(state), std::numeric_limits<std::int64_t>::min(), 0};
    }
    static Age age(TaskRow const& t) { return age(t.queue, t.is(), t.number); }
    static Age age(std::uint32_t queue, TaskState state, std::uint64_t number) {
        return {std::uint64_t(queue) << 1 | std::uint64_t(is_aside(state)), number};
    }
    static InGroup in_group(TaskRow const& t) { return {t.group, t.number}; }
    auto by_place() const {
        return [this](std::uint32_t slot) { return place(tasks[slot]); };
    }
    auto by_age() const {
        return [this](std::uint32_t slot) { return age(tasks[slot]); };
    }
    auto by_group() const {
        return [this](std::uint32_t slot) { return in_group(tasks[slot]); };
    }

    // Visits slots of a lane in one state, the next one first, until `visit(slot)` returns false.
    template <class Visit>
    void walk_lane(std::uint32_t lane, TaskState state, Visit&& visit) const {
        places.ascend(
            first_place(lane, state),
            [&](std::uint32_t slot) { return tasks[slot].lane == lane && tasks[slot].is() == state && visit(slot); }, by_place());
    }

   private:
    // For writing, noted; it stays where it is while an event is folded.
    QueueRow& queue_mut(std::uint32_t number) { return *queue_rows.mut(number); }
    QueueRow& opened(std::string_view name, Time now);
    std::uint32_t lane_for(QueueRow const& queue, std::string_view key);
    void refresh(QueueRow const& queue, std::uint32_t lane);
    void refresh_all(QueueRow const& queue);
    void drop_lane_if_unused(std::uint32_t lane);
    void offer(QueueRow const& queue);
    void count_start(QueueRow& queue, std::uint32_t lane, Time now);
    void count_time(QueueRow& queue, bool run, std::int64_t us, Time now);
    void count_run(QueueRow& queue, std::optional<Time> since, Time now);

    std::uint32_t add(TaskRow const& row);
    std::optional<Time> remove(QueueRow& queue, std::uint32_t slot, Time now);  // since when somebody had it
    void insert_place(QueueRow& queue, std::uint32_t slot);
    void erase_place(QueueRow& queue, std::uint32_t slot);
    void set_state(QueueRow& queue, std::uint32_t slot, TaskState to, std::int64_t at_us);
    void begin(QueueRow& queue, std::uint32_t slot, TaskState state, std::int64_t at_us);  // of one that is new
    // Until when it is kept, whatever becomes of it: as its queue says.
    void keep(QueueRow const& queue, TaskRow const& task);
    // A task that nobody has waits: until `due_us`, behind others of its group, or for a worker.
    void wait(QueueRow& queue, std::uint32_t slot, std::int64_t due_us, Time now);
    std::optional<Time> end_lease(QueueRow const& queue, std::uint32_t slot);  // since when somebody had it; nothing: nobody had
    void join_group(std::uint32_t slot);
    void leave_group(QueueRow& queue, std::uint32_t slot, Time now);
    void choose_front(QueueRow& queue, std::uint32_t group, Time now);
    void forget_group(std::uint32_t group);
    void hold_unique(std::uint32_t slot, std::string_view name, std::optional<Time> until);
    void let_unique(std::uint32_t slot, Time now);
    void drop_unique(std::uint32_t unique);
    void set_tags(std::uint32_t slot, std::vector<Tag> const& tags);
    void drop_tags(std::uint32_t slot);
    void trace(std::uint32_t slot, At const& at);
    void drop_traces(TaskRow const& task);
    void note_delay(std::uint32_t slot, std::optional<Time> due, Time now);
    void changed(TaskRow const& task);
    // Its content lies at another position than that of its Put; or is nobody's any more.
    void set_content(std::uint32_t slot, At const& at);
    void forget_content(TaskRow& task);
};
STATE(State, available, queue_numbers, queue_rows, tasks_changed, tasks, free_tasks, by_number, places, ages, groups, tagged, keys,
      group_names, unique_names, tags, tag_sets, lanes, free_lanes, lane_index, lanes_of, active, group_rows, free_groups, group_index,
      uniques, free_uniques, unique_index, leases, traces, courses, workers, times, next_, again, keeping, outbox, rules, rules_due, due,
      deadlines, kept, slow_lanes, slow_queues, windows);

}  // namespace gantry::queue
