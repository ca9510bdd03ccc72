#pragma once
#include "services/queue/put.h"
#include "services/queue/work.h"

// What the commands of beanstalkd come to (beanstalkd.h). A tube is a queue, a job a task, and its id the task's number. A connection is a
// worker whose name no other has: what it holds are the leases of that name. A job that isn't there, or is held by somebody else, is 404
// "task_not_found".
namespace gantry::queue::beanstalkd {

struct PutJob {
    QueueName tube;
    Bytes body;
    std::uint32_t priority = 0, delay_s = 0, ttr_s = 1;
};
RECORD(PutJob, tube, body, priority, delay_s, ttr_s);
struct JobPut {
    std::uint64_t id = 0;
};
RECORD(JobPut, id);
// Without a limit of attempts. A ttr beyond lease_s_limit is that limit.
Result<Emit<JobPut, Event>> put_job(State const& s, PutJob const& in, Ctx const& cx);

enum class Outcome : std::uint8_t { reserved, deadline_soon, timed_out, nothing };
ENUM(Outcome, reserved, deadline_soon, timed_out, nothing);
struct ReserveJob {
    Worker worker;
    std::vector<QueueName> tubes;
    std::vector<std::uint64_t> held;         // what this connection was given; some may have run out since
    std::optional<std::uint32_t> timeout_s;  // none: it waits without limit
};
RECORD(ReserveJob, worker, tubes, held, timeout_s);
struct ReserveThis {
    std::uint64_t id = 0;
    Worker worker;
    std::vector<std::uint64_t> held;
};
RECORD(ReserveThis, id, worker, held);
struct FoundJob {
    std::uint64_t id = 0, content = 0;  // content: a position
};
RECORD(FoundJob, id, content);
struct FoundReserve {
    Outcome outcome = Outcome::reserved;
    FoundJob job;
    std::vector<std::uint64_t> held;  // what the connection holds now
};
RECORD(FoundReserve, outcome, job, held);
struct Job {
    std::uint64_t id = 0;
    Bytes body;  // of a task whose content lies elsewhere: its URL
};
RECORD(Job, id, body);
struct Given {
    Outcome outcome = Outcome::reserved;
    Job job;
    std::vector<std::uint64_t> held;
};
RECORD(Given, outcome, job, held);
Result<Emit<FoundReserve, Event>> reserve_job(State const& s, ReserveJob const& in, Ctx const& cx);
Result<Emit<FoundReserve, Event>> reserve_this(State const& s, ReserveThis const& in, Ctx const& cx);
Result<Given> tell_given(FoundReserve const& found, Events<Event>& events, Ctx const& cx);

struct HeldJob {
    std::uint64_t id = 0;
    Worker worker;
};
RECORD(HeldJob, id, worker);
struct ReleaseJob {
    std::uint64_t id = 0;
    Worker worker;
    std::uint32_t priority = 0, delay_s = 0;
};
RECORD(ReleaseJob, id, worker, priority, delay_s);
struct BuryJob {
    std::uint64_t id = 0;
    Worker worker;
    std::uint32_t priority = 0;
};
RECORD(BuryJob, id, worker, priority);
struct JobSaid {
    std::uint64_t id = 0;
    std::string tube;
};
RECORD(JobSaid, id, tube);
Result<Emit<JobSaid, Event>> delete_job(State const& s, HeldJob const& in, Ctx const& cx);  // one that it holds, or nobody does
Result<Emit<JobSaid, Event>> release_job(State const& s, ReleaseJob const& in, Ctx const& cx);
Result<Emit<JobSaid, Event>> bury_job(State const& s, BuryJob const& in, Ctx const& cx);
Result<Emit<JobSaid, Event>> touch_job(State const& s, HeldJob const& in, Ctx const& cx);
Result<Emit<JobSaid, Event>> kick_job(State const& s, HeldJob const& in, Ctx const& cx);

// The connection has gone.
struct LetGo {
    Worker worker;
    std::vector<std::uint64_t> held;
};
RECORD(LetGo, worker, held);
struct Count {
    std::uint64_t count = 0;
};
RECORD(Count, count);
Result<Emit<Count, Event>> let_go(State const& s, LetGo const& in, Ctx const& cx);

// Buried ones and dead ones, those first that were put aside first; if there are none, delayed ones, the soonest first. At most 10,000 at
// once.
struct KickTube {
    QueueName tube;
    std::uint32_t bound = 0;
};
RECORD(KickTube, tube, bound);
Result<Emit<Count, Event>> kick_tube(State const& s, KickTube const& in, Ctx const& cx);

// `known`: somebody uses or watches it. 404 "queue_not_found" where nobody does and it holds nothing.
struct PauseTube {
    QueueName tube;
    std::uint32_t delay_s = 0;
    bool known = false;
};
RECORD(PauseTube, tube, delay_s, known);
struct Paused {
    std::string tube;
};
RECORD(Paused, tube);
Result<Emit<Paused, Event>> pause_tube(State const& s, PauseTube const& in, Ctx const& cx);

// --- what is seen ----------------------------------------------------------------------------------------------------------------

struct ById {
    std::uint64_t id = 0;
};
RECORD(ById, id);
struct PeekTube {
    QueueName tube;
    TaskState state = TaskState::ready;  // or delayed, buried
};
RECORD(PeekTube, tube, state);
Result<FoundJob> peek(State const& s, ById const& in, Ctx const& cx);
Result<FoundJob> peek_tube(State const& s, PeekTube const& in, Ctx const& cx);
Result<Job> tell_job(FoundJob const& found, Events<Event>& events, Ctx const& cx);

struct JobStats {
    std::uint64_t id = 0;
    std::string tube, state;
    std::uint32_t priority = 0;
    std::int64_t age_s = 0, delay_s = 0, ttr_s = 0, left_s = 0;
    std::uint32_t reserves = 0, timeouts = 0, releases = 0, buries = 0, kicks = 0;
};
RECORD(JobStats, id, tube, state, priority, age_s, delay_s, ttr_s, left_s, reserves, timeouts, releases, buries, kicks);
Result<JobStats> stats_job(State const& s, ById const& in, Ctx const& cx);

// Of one tube or of all.
struct Jobs {
    std::uint64_t urgent = 0, ready = 0, reserved = 0, delayed = 0, buried = 0, put = 0, timeouts = 0;
};
RECORD(Jobs, urgent, ready, reserved, delayed, buried, put, timeouts);
struct TubeAsked {
    QueueName tube;
    bool known = false;
};
RECORD(TubeAsked, tube, known);
struct TubeStats {
    std::string tube;
    Jobs jobs;
    std::int64_t pause_s = 0, pause_left_s = 0;
};
RECORD(TubeStats, tube, jobs, pause_s, pause_left_s);
Result<TubeStats> stats_tube(State const& s, TubeAsked const& in, Ctx const& cx);

struct AllTubes {
    std::vector<std::string> known;
};
RECORD(AllTubes, known);
struct ServerStats {
    Jobs jobs;
    std::uint64_t tubes = 0;
};
RECORD(ServerStats, jobs, tubes);
Result<ServerStats> stats(State const& s, AllTubes const& in, Ctx const& cx);
struct TubeNames {
    std::vector<std::string> tubes;  // default, then by name
};
RECORD(TubeNames, tubes);
Result<TubeNames> list_tubes(State const& s, AllTubes const& in, Ctx const& cx);

}  // namespace gantry::queue::beanstalkd
