#pragma once
#include "services/queue/state.h"

// What workers do: reserve a task, say that they are alive, and how it ended. A lease is "l_<task>_<fence>"; the fence is the position of
// the event that gave it, so that a later lease always has a greater one.
namespace gantry::queue {

using LeaseText = Text<1, 60>;
struct LeaseName {
    TaskId task;
    std::uint64_t fence = 0;
};
std::string lease_text(LeaseName const& name);
std::optional<LeaseName> parse_lease(std::string_view text);

struct Reserve {
    QueueName queue;
    std::optional<std::vector<QueueName>> queues;  // further ones: the most urgent task of all
    std::optional<Worker> worker;                  // the caller's name
    std::optional<Bounded<1, 100>> max;
    std::optional<Bounded<0, 3'600'000>> wait_ms;
    std::optional<Bounded<100, 43'200'000>> lease_ms;
};
RECORD(Reserve, queue, queues, worker, max, wait_ms, lease_ms);

// What a worker is given; the payload in one of three forms.
struct LeaseView {
    std::string lease;
    TaskId task;
    std::string queue;
    std::optional<codec::RawJson> payload;
    std::optional<Bytes> payload_base64;
    std::optional<std::string> payload_url, payload_digest;
    std::string content_type;
    std::map<std::string, Text<0, 2000>> headers;
    std::optional<std::string> key, group;
    std::vector<std::string> tags;
    std::uint32_t priority = 0;
    std::uint32_t attempt = 0;  // 1, 2, 3 …
    std::uint64_t fence = 0;
    Time put_at, deadline;
};
RECORD(LeaseView, lease, task, queue, payload, payload_base64, payload_url, payload_digest, content_type, headers, key, group, tags,
       priority, attempt, fence, put_at, deadline);
struct Leases {
    std::vector<LeaseView> leases;
};
RECORD(Leases, leases);
// The same before its payload is read from the log, and without the name of the lease.
struct FoundLease {
    std::uint64_t content = 0;  // position
    LeaseView view;
};
RECORD(FoundLease, content, view);
struct FoundLeases {
    std::vector<FoundLease> leases;
};
RECORD(FoundLeases, leases);
Result<Emit<FoundLeases, Event>> reserve(State const& s, Reserve const& in, Ctx const& cx);
Result<Leases> tell_leases(FoundLeases const& found, Events<Event>& events, Ctx const& cx);
// One that is named; 409 "task_not_ready".
struct ReserveTask {
    TaskId id;
    std::optional<Worker> worker;
    std::optional<Bounded<100, 43'200'000>> lease_ms;
};
RECORD(ReserveTask, id, worker, lease_ms);
Result<Emit<FoundLeases, Event>> reserve_task(State const& s, ReserveTask const& in, Ctx const& cx);

// What a worker's word comes to; `cancel` asks it to stop.
struct LeaseSaid {
    TaskId task;
    TaskState state = TaskState::leased;
    std::optional<Time> deadline;  // of the lease; or when it is tried again
    bool cancel = false;
    std::optional<std::string> cancel_reason;
};
RECORD(LeaseSaid, task, state, deadline, cancel, cancel_reason);

struct Extend {
    LeaseText lease;
    std::optional<Bounded<100, 43'200'000>> lease_ms;
    std::optional<Bounded<0, 1000>> progress_permille;
    std::optional<Text<0, 2000>> message;
    std::optional<std::vector<Text<0, 2000>>> log;
};
RECORD(Extend, lease, lease_ms, progress_permille, message, log);
Result<Emit<LeaseSaid, Event>> extend(State const& s, Extend const& in, Ctx const& cx);

struct Complete {
    LeaseText lease;
    std::optional<codec::RawJson> result;
};
RECORD(Complete, lease, result);
Result<Emit<LeaseSaid, Event>> complete(State const& s, Complete const& in, Ctx const& cx);

struct FailTask {
    LeaseText lease;
    std::optional<Reason> reason;
    std::optional<Text<0, 65536>> detail;
    std::optional<Millis> retry_after_ms;  // instead of the queue's backoff
    std::optional<bool> final;             // no further attempt
};
RECORD(FailTask, lease, reason, detail, retry_after_ms, final);
Result<Emit<LeaseSaid, Event>> fail_task(State const& s, FailTask const& in, Ctx const& cx);

struct Release {
    LeaseText lease;
    std::optional<Millis> delay_ms;
    std::optional<Bounded<0, 4'294'967'295>> priority;
};
RECORD(Release, lease, delay_ms, priority);
Result<Emit<LeaseSaid, Event>> release(State const& s, Release const& in, Ctx const& cx);

struct Bury {
    LeaseText lease;
    std::optional<Reason> reason;
    std::optional<Bounded<0, 4'294'967'295>> priority;
};
RECORD(Bury, lease, reason, priority);
Result<Emit<LeaseSaid, Event>> bury(State const& s, Bury const& in, Ctx const& cx);

// What time brings about (timers).
std::vector<Event> lease_expired(State const& s, std::uint64_t const& number, Ctx const& cx);
std::vector<Event> became_due(State const& s, std::uint64_t const& number, Ctx const& cx);
std::vector<Event> kept_enough(State const& s, std::uint64_t const& number, Ctx const& cx);
std::vector<Event> lane_free(State const& s, std::uint64_t const& lane, Ctx const& cx);
std::vector<Event> queue_free(State const& s, std::uint64_t const& queue, Ctx const& cx);
std::vector<Event> unique_free(State const& s, std::uint64_t const& unique, Ctx const& cx);

// How long a lease holds: as it was asked for, else as its task says, else as its queue.
Time lease_until(State const& s, TaskRow const& task, std::optional<Bounded<100, 43'200'000>> const& given, Time since, Time now);
// How an attempt that came to nothing goes on.
Failed failed(State const& s, TaskRow const& task, Ending ending, Ctx const& cx);
// Puts what an event holds into a view.
void show_content(Content const& content, std::optional<codec::RawJson>& payload, std::optional<Bytes>& base64,
                  std::optional<std::string>& url, std::optional<std::string>& digest);
Content const* content_in(Event const& event);

}  // namespace gantry::queue
