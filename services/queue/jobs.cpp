#include "services/queue/jobs.h"

#include <algorithm>

#include "services/queue/manage.h"
#include "services/queue/pick.h"

namespace gantry::queue::beanstalkd {
namespace {

constexpr auto margin = Duration::seconds(1);            // before a deadline, in which DEADLINE_SOON is said
constexpr auto without_limit = Duration::hours(87'600);  // a reserve that waits without one
constexpr std::size_t examined_max = 20'000, kicked_max = 10'000;

Problem not_found() { return {404, "task_not_found", "no such task, or somebody else has it"}; }

Result<TaskRow const*> any(State const& s, std::uint64_t id) {
    auto const* task = s.find(TaskId{id});
    if (!task || task->is() == TaskState::done) return fail(not_found());
    return task;
}
bool is_with(State const& s, TaskRow const& task, std::string_view worker) {
    auto const* lease = task.is() == TaskState::leased ? s.leases.find(task.number) : nullptr;
    return lease && std::string_view(lease->worker) == worker;
}
Result<TaskRow const*> held(State const& s, std::uint64_t id, std::string_view worker) {
    TRY_ASSIGN(auto const* task, any(s, id));
    if (!is_with(s, *task, worker)) return fail(not_found());
    return task;
}
std::vector<std::uint64_t> still_held(State const& s, std::vector<std::uint64_t> const& ids, std::string_view worker) {
    std::vector<std::uint64_t> out;
    for (auto id : ids)
        if (auto const* task = s.find(TaskId{id}); task && is_with(s, *task, worker)) out.push_back(id);
    return out;
}
JobSaid said(State const& s, TaskRow const& task) { return {task.number, s.queue_of(task.queue).name.str()}; }

Emit<FoundReserve, Event> give(State const& s, TaskRow const& task, Worker const& worker, std::vector<std::uint64_t> held, Ctx const& cx) {
    held.push_back(task.number);
    Emit<FoundReserve, Event> out{{}, {Outcome::reserved, {task.number, task.content}, std::move(held)}};
    out.events.push_back(Reserved{TaskId{task.number}, worker, lease_until(s, task, {}, cx.now, cx.now)});
    return out;
}

// What a reserve that finds nothing waits for: a touch of one of its tubes.
Wait wait_for(State const& s, std::vector<std::string_view> const& tubes, std::string_view worker, Time until) {
    Wait wait{{}, until, 0};
    std::string alike;
    for (auto name : tubes) {
        wait.keys.push_back(s.available_key(name));
        alike.append(name) += '\n';
        auto const* queue = s.queue(name);
        if (queue && queue->settings.concurrency_per_worker_max > 0) alike.append(worker) += '\n';
    }
    wait.alike = hash64(alike) | 1;
    return wait;
}

// Up to `max` of a tube's in these states, those first that came there first (`at_us`).
std::vector<TaskRow const*> first_of(State const& s, QueueRow const& queue, std::initializer_list<TaskState> states, std::size_t max) {
    std::vector<TaskRow const*> out;
    s.lanes_of.ascend(std::uint64_t(queue.number) << 32, [&](std::uint64_t at) {
        if (at >> 32 != queue.number) return false;
        for (auto state : states)
            s.walk_lane(std::uint32_t(at), state,
                        [&](std::uint32_t slot) { return out.size() < examined_max && (out.push_back(&s.tasks[slot]), true); });
        return out.size() < examined_max;
    });
    std::ranges::sort(out, {}, [](TaskRow const* t) { return std::pair(t->at_us, t->number); });
    if (out.size() > max) out.resize(max);
    return out;
}

Result<Bytes> body_of(FoundJob const& found, Events<Event>& events) {
    TRY_ASSIGN(auto const* event, events.at(found.content));
    auto const* content = event ? content_in(*event) : nullptr;
    if (!content) return fail(500, "content_missing", "the log has the content of t_" + std::to_string(found.id) + " no more");
    if (!content->url.empty()) return Bytes{content->url.str()};
    return content->payload;
}

Jobs jobs_of(QueueRow const& queue) {
    auto const n = [&](TaskState state) { return queue.count(state); };
    Jobs out{.urgent = queue.urgent, .ready = n(TaskState::ready), .reserved = n(TaskState::leased)};
    out.delayed = n(TaskState::delayed) + n(TaskState::behind), out.buried = n(TaskState::buried) + n(TaskState::dead);
    out.put = queue.put, out.timeouts = queue.expired;
    return out;
}
// A tube is there while it holds jobs.
QueueRow const* tube_of(State const& s, std::string_view name) {
    auto const* row = s.queue(name);
    return row && row->depth() > 0 ? row : nullptr;
}
std::int64_t seconds_until(Time at, Time now) { return std::max<std::int64_t>((at - now).us, 0) / 1'000'000; }

}  // namespace

Result<Emit<JobPut, Event>> put_job(State const& s, PutJob const& in, Ctx const& cx) {
    NewTask task;
    task.queue = in.tube, task.payload_base64 = in.body, task.priority = in.priority;
    task.due_at = cx.now + Duration::seconds(in.delay_s);
    task.lease_s = std::clamp<std::int64_t>(in.ttr_s, 1, lease_s_limit);
    TRY_ASSIGN(auto said, put(s, task, cx));
    for (auto& event : said.events)
        if (auto* made = std::get_if<Put>(&event)) made->attempts_max = attempts_unlimited;
    return Emit<JobPut, Event>{std::move(said.events), {said.reply.id.n}};
}

Result<Emit<FoundReserve, Event>> reserve_job(State const& s, ReserveJob const& in, Ctx const& cx) {
    std::vector<std::string_view> const tubes(in.tubes.begin(), in.tubes.end());
    auto held = still_held(s, in.held, in.worker);
    Picker picker(s, tubes, in.worker, cx.now);
    if (auto const slot = picker.next(); slot != State::none) return give(s, s.tasks[slot], in.worker, std::move(held), cx);
    auto until = cx.now + (in.timeout_s ? Duration::seconds(*in.timeout_s) : without_limit);
    bool soon = false;
    for (auto id : held) {
        auto const warned_at = Time{s.find(TaskId{id})->at_us} - margin;
        soon = soon || warned_at <= cx.now;
        until = std::min(until, warned_at);
    }
    auto const outcome = soon ? Outcome::deadline_soon : in.timeout_s ? Outcome::timed_out : Outcome::nothing;
    Emit<FoundReserve, Event> out{{}, {outcome, {}, std::move(held)}};
    if (!soon && until > cx.now && cx.may_wait) out.wait = wait_for(s, tubes, in.worker, until);
    return out;
}

Result<Emit<FoundReserve, Event>> reserve_this(State const& s, ReserveThis const& in, Ctx const& cx) {
    TRY_ASSIGN(auto const* task, any(s, in.id));
    if (task->is() == TaskState::leased || task->is() == TaskState::behind) return fail(not_found());
    return give(s, *task, in.worker, still_held(s, in.held, in.worker), cx);
}

Result<Given> tell_given(FoundReserve const& found, Events<Event>& events, Ctx const&) {
    Given out{found.outcome, {found.job.id, {}}, found.held};
    if (found.outcome != Outcome::reserved) return out;
    TRY_ASSIGN(out.job.body, body_of(found.job, events));
    return out;
}

Result<Emit<JobSaid, Event>> delete_job(State const& s, HeldJob const& in, Ctx const&) {
    TRY_ASSIGN(auto const* task, any(s, in.id));
    bool const mine = is_with(s, *task, in.worker);
    if (task->is() == TaskState::leased && !mine) return fail(not_found());
    if (mine) return Emit<JobSaid, Event>{{Completed{TaskId{in.id}, {}, {}}}, said(s, *task)};
    return Emit<JobSaid, Event>{{Deleted{{TaskId{in.id}}}}, said(s, *task)};
}
Result<Emit<JobSaid, Event>> release_job(State const& s, ReleaseJob const& in, Ctx const& cx) {
    TRY_ASSIGN(auto const* task, held(s, in.id, in.worker));
    Released event{.id = TaskId{in.id}, .due = {}, .priority = in.priority};
    if (in.delay_s > 0) event.due = cx.now + Duration::seconds(in.delay_s);
    return Emit<JobSaid, Event>{{event}, said(s, *task)};
}
Result<Emit<JobSaid, Event>> bury_job(State const& s, BuryJob const& in, Ctx const&) {
    TRY_ASSIGN(auto const* task, held(s, in.id, in.worker));
    return Emit<JobSaid, Event>{{Buried{TaskId{in.id}, {}, in.priority}}, said(s, *task)};
}
Result<Emit<JobSaid, Event>> touch_job(State const& s, HeldJob const& in, Ctx const& cx) {
    TRY_ASSIGN(auto const* task, held(s, in.id, in.worker));
    auto const until = lease_until(s, *task, {}, s.leases.find(in.id)->since, cx.now);
    return Emit<JobSaid, Event>{{Extended{TaskId{in.id}, until, {}, {}, {}}}, said(s, *task)};
}
Result<Emit<JobSaid, Event>> kick_job(State const& s, HeldJob const& in, Ctx const&) {
    TRY_ASSIGN(auto const* task, any(s, in.id));
    bool const dead = task->is() == TaskState::dead;
    if (!dead && task->is() != TaskState::buried && task->is() != TaskState::delayed) return fail(not_found());
    return Emit<JobSaid, Event>{{Kicked{{TaskId{in.id}}, dead}}, said(s, *task)};
}

Result<Emit<Count, Event>> let_go(State const& s, LetGo const& in, Ctx const&) {
    Emit<Count, Event> out;
    for (auto id : still_held(s, in.held, in.worker))
        out.events.push_back(Released{.id = TaskId{id}, .due = {}, .priority = {}, .gone = true});
    out.reply.count = out.events.size();
    return out;
}

Result<Emit<Count, Event>> kick_tube(State const& s, KickTube const& in, Ctx const&) {
    auto const* row = s.queue(in.tube);
    Emit<Count, Event> out;
    if (!row || in.bound == 0) return out;
    auto const max = std::min<std::size_t>(in.bound, kicked_max);
    bool const aside = row->count(TaskState::buried) + row->count(TaskState::dead) > 0;
    auto const found = aside ? first_of(s, *row, {TaskState::buried, TaskState::dead}, max) : first_of(s, *row, {TaskState::delayed}, max);
    Kicked waiting{{}, false}, dead{{}, true};
    for (auto const* task : found) (task->is() == TaskState::dead ? dead : waiting).ids.push_back(TaskId{task->number});
    for (auto* event : {&waiting, &dead})
        if (!event->ids.empty()) out.events.push_back(std::move(*event));
    out.reply.count = found.size();
    return out;
}

Result<Emit<Paused, Event>> pause_tube(State const& s, PauseTube const& in, Ctx const& cx) {
    if (!in.known && !tube_of(s, in.tube)) return fail(404, "queue_not_found", "there is no such tube");
    auto const* row = s.queue(in.tube);
    Emit<Paused, Event> out{{}, {in.tube.str()}};
    if (in.delay_s > 0)
        out.events.push_back(QueuePaused{in.tube, true, cx.now + Duration::seconds(in.delay_s), {}});
    else if (row && row->paused)
        out.events.push_back(QueuePaused{in.tube, false, {}, {}});
    return out;
}

// --- what is seen ----------------------------------------------------------------------------------------------------------------

Result<FoundJob> peek(State const& s, ById const& in, Ctx const&) {
    TRY_ASSIGN(auto const* task, any(s, in.id));
    return FoundJob{task->number, task->content};
}

Result<FoundJob> peek_tube(State const& s, PeekTube const& in, Ctx const&) {
    auto const* row = s.queue(in.tube);
    s.tasks_changed.looked_at_all();
    TaskRow const* best = nullptr;
    if (row && in.state == TaskState::ready) {
        std::size_t examined = 0;
        s.lanes_of.ascend(std::uint64_t(row->number) << 32, [&](std::uint64_t at) {
            if (at >> 32 != row->number || ++examined > examined_max) return false;
            s.walk_lane(std::uint32_t(at), TaskState::ready, [&](std::uint32_t slot) {
                auto const& t = s.tasks[slot];
                if (!best || std::pair(t.rank, t.number) < std::pair(best->rank, best->number)) best = &t;
                return false;
            });
            return true;
        });
    } else if (row) {
        auto const found = in.state == TaskState::delayed ? first_of(s, *row, {TaskState::delayed}, 1)
                                                          : first_of(s, *row, {TaskState::buried, TaskState::dead}, 1);
        if (!found.empty()) best = found[0];
    }
    if (!best) return fail(not_found());
    return FoundJob{best->number, best->content};
}

Result<Job> tell_job(FoundJob const& found, Events<Event>& events, Ctx const&) {
    TRY_ASSIGN(auto body, body_of(found, events));
    return Job{found.id, std::move(body)};
}

Result<JobStats> stats_job(State const& s, ById const& in, Ctx const& cx) {
    TRY_ASSIGN(auto const* task, any(s, in.id));
    auto const& queue = s.queue_of(task->queue);
    JobStats out{.id = in.id, .tube = queue.name.str(), .state = {}, .priority = task->priority};
    out.age_s = seconds_until(cx.now, Time{task->made_us});
    out.ttr_s = task->lease_s > 0 ? task->lease_s : queue.settings.lease_ms.value / 1000;
    out.reserves = task->starts;
    switch (task->is()) {
        case TaskState::leased: out.state = "reserved", out.left_s = seconds_until(Time{task->at_us}, cx.now); break;
        case TaskState::delayed: out.state = "delayed", out.left_s = seconds_until(Time{task->at_us}, cx.now); break;
        case TaskState::behind: out.state = "delayed"; break;
        case TaskState::ready: out.state = "ready"; break;
        case TaskState::buried:
        case TaskState::dead:
        case TaskState::done: out.state = "buried"; break;
    }
    if (auto const* course = s.courses.find(in.id)) {
        out.delay_s = course->delay_s, out.timeouts = course->timeouts, out.releases = course->releases;
        out.buries = course->buries, out.kicks = course->kicks;
    }
    return out;
}

Result<TubeStats> stats_tube(State const& s, TubeAsked const& in, Ctx const& cx) {
    if (!in.known && !tube_of(s, in.tube)) return fail(404, "queue_not_found", "there is no such tube");
    TubeStats out{.tube = in.tube.str()};
    auto const* row = s.queue(in.tube);
    if (!row) return out;
    out.jobs = jobs_of(*row);
    if (row->paused && row->paused_until && *row->paused_until > cx.now) {
        out.pause_left_s = seconds_until(*row->paused_until, cx.now);
        if (row->paused_since) out.pause_s = seconds_until(*row->paused_until, *row->paused_since);
    }
    return out;
}

Result<TubeNames> list_tubes(State const& s, AllTubes const& in, Ctx const&) {
    TubeNames out{in.known};
    s.walk_queues(nullptr,
                  [&](Str const& name, QueueRow const& row) { return row.depth() > 0 ? out.tubes.push_back(name.str()) : void(), true; });
    std::ranges::sort(out.tubes, {}, [](std::string const& name) { return std::pair(name != "default", std::string_view(name)); });
    out.tubes.erase(std::unique(out.tubes.begin(), out.tubes.end()), out.tubes.end());
    return out;
}

Result<ServerStats> stats(State const& s, AllTubes const& in, Ctx const& cx) {
    TRY_ASSIGN(auto const names, list_tubes(s, in, cx));
    ServerStats out{.jobs = {}, .tubes = names.tubes.size()};
    s.walk_queues(nullptr, [&](Str const&, QueueRow const& row) {
        auto const jobs = jobs_of(row);
        auto& all = out.jobs;
        all.urgent += jobs.urgent, all.ready += jobs.ready, all.reserved += jobs.reserved, all.delayed += jobs.delayed;
        all.buried += jobs.buried, all.put += jobs.put, all.timeouts += jobs.timeouts;
        return true;
    });
    return out;
}

}  // namespace gantry::queue::beanstalkd
