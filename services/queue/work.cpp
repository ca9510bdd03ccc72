#include "services/queue/work.h"

#include <fmt/format.h>

#include <charconv>
#include <cmath>

#include "services/queue/pick.h"
#include "services/queue/put.h"

namespace gantry::queue {
namespace {

constexpr std::size_t queues_max = 100;    // of one reserve
constexpr std::size_t at_once_max = 1000;  // of what one timer does

bool number_of(std::string_view text, std::uint64_t& out) {
    auto const [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
    return error == std::errc() && end == text.data() + text.size();
}

Worker worker_of(std::optional<Worker> const& given, Ctx const& cx) { return given ? *given : Worker(cx.caller()); }

// The task that a lease is of, while it holds.
Result<TaskRow const*> held(State const& s, std::string_view text) {
    auto const name = parse_lease(text);
    if (!name) return fail({422, "lease_invalid", "this is no lease", {{"/lease", R"(expected what reserve gave, as "l_17_2041")"}}});
    auto const* task = s.find(name->task);
    auto const* lease = s.leases.find(name->task.n);
    if (task && lease && lease->fence == name->fence) return task;
    auto const id = "t_" + std::to_string(name->task.n);
    if (!task && name->task.n > s.given()) return fail(404, "task_not_found", id + " was never put");
    if (!task) return fail(409, "lease_lost", id + " has ended: this lease holds no more");
    if (!lease && task->is() == TaskState::done) return fail(409, "lease_lost", id + " is done: this lease holds no more");
    if (!lease) return fail(409, "lease_lost", id + " is with nobody now: its lease ran out, or was given back");
    return fail(409, "lease_lost",
                id + " is with " + lease->worker.str() + " since " + format_time(lease->since) + ", whose fence is " +
                    std::to_string(lease->fence));
}

LeaseSaid said(State const& s, TaskRow const& task, TaskState state, std::optional<Time> deadline = {}) {
    LeaseSaid out{TaskId{task.number}, state, deadline, bool(task.flags & task_cancel), {}};
    if (!out.cancel) return out;
    if (auto const* lease = s.leases.find(task.number); lease && !lease->cancel_reason.empty())
        out.cancel_reason = lease->cancel_reason.str();
    return out;
}

FoundLease lease_of(State const& s, std::uint32_t slot, Time until, Position fence) {
    TaskRow const& t = s.tasks[slot];
    FoundLease out;
    out.content = t.content;
    auto& view = out.view;
    view.task = TaskId{t.number}, view.queue = s.queue_of(t.queue).name.str();
    if (auto const key = s.key_of(t); !key.empty()) view.key = std::string(key);
    if (t.group != 0) view.group = std::string(s.group_names.text(s.group_rows[t.group - 1].name));
    view.tags = s.tags_of(t);
    view.priority = t.priority, view.attempt = t.starts + 1u, view.fence = fence;
    view.put_at = Time{t.made_us}, view.deadline = until;
    return out;
}

Emit<FoundLeases, Event> give(State const& s, std::vector<std::uint32_t> const& slots, Worker const& worker,
                              std::optional<Bounded<100, 43'200'000>> const& lease_ms, Ctx const& cx) {
    Emit<FoundLeases, Event> out;
    out.reply.leases.reserve(slots.size()), out.events.reserve(slots.size());
    for (auto slot : slots) {
        auto const until = lease_until(s, s.tasks[slot], lease_ms, cx.now, cx.now);
        out.reply.leases.push_back(lease_of(s, slot, until, cx.next + out.events.size()));
        out.events.push_back(Reserved{TaskId{s.tasks[slot].number}, worker, until});
    }
    return out;
}

}  // namespace

Time lease_until(State const& s, TaskRow const& task, std::optional<Bounded<100, 43'200'000>> const& given, Time since, Time now) {
    auto until = now + (given              ? Duration::millis(*given)
                        : task.lease_s > 0 ? Duration::seconds(task.lease_s)
                                           : Duration::millis(s.queue_of(task.queue).settings.lease_ms));
    if (task.run_s_max > 0) until = std::min(until, since + Duration::seconds(task.run_s_max));
    return until;
}
std::string lease_text(LeaseName const& name) {
    fmt::format_int const task(name.task.n), fence(name.fence);
    std::string out;
    out.reserve(3 + task.size() + fence.size());
    out.append("l_").append(task.data(), task.size()).append(1, '_').append(fence.data(), fence.size());
    return out;
}
std::optional<LeaseName> parse_lease(std::string_view text) {
    if (!text.starts_with("l_")) return {};
    text.remove_prefix(2);
    auto const middle = text.find('_');
    LeaseName out;
    if (middle == text.npos || !number_of(text.substr(0, middle), out.task.n) || !number_of(text.substr(middle + 1), out.fence)) return {};
    return out;
}

Result<Emit<FoundLeases, Event>> reserve(State const& s, Reserve const& in, Ctx const& cx) {
    TRY_VOID(check_queue_name(in.queue));
    std::vector<std::string_view> queues{in.queue};
    if (in.queues) {
        if (in.queues->size() > queues_max)
            return fail({422, "queues_invalid", "too many queues", {{"/queues", "expected at most " + std::to_string(queues_max)}}});
        for (std::size_t i = 0; i < in.queues->size(); ++i) {
            TRY_VOID(check_queue_name((*in.queues)[i], "/queues/" + std::to_string(i)));
            if (std::ranges::find(queues, std::string_view((*in.queues)[i])) == queues.end()) queues.push_back((*in.queues)[i]);
        }
    }
    auto const worker = worker_of(in.worker, cx);
    Picker picker(s, queues, worker, cx.now);
    std::vector<std::uint32_t> slots;
    for (std::int64_t left = in.max ? in.max->value : 1; left > 0; --left) {
        auto const slot = picker.next();
        if (slot == State::none) break;
        slots.push_back(slot);
    }
    auto out = give(s, slots, worker, in.lease_ms, cx);
    auto const* first = in.wait_ms ? nullptr : s.queue(in.queue);
    std::int64_t const wait_ms = in.wait_ms ? in.wait_ms->value : first ? first->settings.wait_ms.value : 0;
    if (!slots.empty() || wait_ms == 0 || !cx.may_wait) return out;
    Wait wait{{}, cx.now + Duration::millis(wait_ms), 0};
    std::string alike;
    for (auto name : queues) {
        wait.keys.push_back(s.available_key(name));
        alike.append(name) += '\n';
        auto const* queue = s.queue(name);
        if (queue && queue->settings.concurrency_per_worker_max > 0) alike.append(worker) += '\n';
    }
    wait.alike = hash64(alike) | 1;
    out.wait = std::move(wait);
    return out;
}

Result<Emit<FoundLeases, Event>> reserve_task(State const& s, ReserveTask const& in, Ctx const& cx) {
    auto const* task = s.find(in.id);
    if (!task) return fail(404, "task_not_found", "no such task");
    if (task->is() == TaskState::leased || task->is() == TaskState::done || task->is() == TaskState::behind)
        return fail(409, "task_not_ready",
                    std::string("this task is ") + (task->is() == TaskState::leased ? "with a worker"
                                                    : task->is() == TaskState::done ? "done"
                                                                                    : "behind another one of its group"));
    return give(s, {s.slot_of(in.id.n)}, worker_of(in.worker, cx), in.lease_ms, cx);
}

Content const* content_in(Event const& event) {
    if (auto const* put = std::get_if<Put>(&event)) return &put->content;
    if (auto const* edited = std::get_if<Edited>(&event); edited && edited->content) return &*edited->content;
    if (auto const* kept = std::get_if<KeptOn>(&event)) return &kept->content;
    return nullptr;
}
void show_content(Content const& content, std::optional<codec::RawJson>& payload, std::optional<Bytes>& base64,
                  std::optional<std::string>& url, std::optional<std::string>& digest) {
    if (!content.url.empty())
        url = content.url.str(), digest = content.digest.str();
    else if (content.type == "application/json")
        payload = codec::RawJson{content.payload.data};
    else
        base64 = content.payload;
}

Result<Leases> tell_leases(FoundLeases const& found, Events<Event>& events, Ctx const&) {
    Leases out;
    out.leases.reserve(found.leases.size());
    for (auto const& lease : found.leases) {
        out.leases.push_back(lease.view);
        auto& view = out.leases.back();
        view.lease = lease_text({view.task, view.fence});
        TRY_ASSIGN(auto const* event, events.at(lease.content));
        auto const* content = event ? content_in(*event) : nullptr;
        if (!content) return fail(500, "content_missing", "the log has the content of t_" + std::to_string(view.task.n) + " no more");
        view.content_type = content->type.str(), view.headers = content->headers;
        show_content(*content, view.payload, view.payload_base64, view.payload_url, view.payload_digest);
    }
    return out;
}

Result<Emit<LeaseSaid, Event>> extend(State const& s, Extend const& in, Ctx const& cx) {
    TRY_ASSIGN(auto const* task, held(s, in.lease));
    auto const* lease = s.leases.find(task->number);
    auto const until = lease_until(s, *task, in.lease_ms, lease->since, cx.now);
    Extended event{TaskId{task->number}, until, in.progress_permille, {}, {}};
    if (in.message) event.message = *in.message;
    if (in.log) event.log = *in.log;
    if (event.log.size() > 1000) return fail({422, "log_invalid", "too many log lines at once", {{"/log", "expected at most 1000"}}});
    return Emit<LeaseSaid, Event>{{event}, said(s, *task, TaskState::leased, until)};
}

Result<Emit<LeaseSaid, Event>> complete(State const& s, Complete const& in, Ctx const& cx) {
    TRY_ASSIGN(auto const* task, held(s, in.lease));
    Completed event{TaskId{task->number}, {}, {}};
    if (in.result) {
        if (in.result->text.size() > payload_bytes_limit)
            return fail(
                {413, "result_too_large", "a result has up to 1 MiB: put it elsewhere and give its URL", {{"/result", "too large"}}});
        event.result.data = in.result->text;
        auto const keep_ms = s.queue_of(task->queue).settings.keep_done_ms.value;
        if (keep_ms > 0) event.until = cx.now + Duration::millis(keep_ms);
    }
    return Emit<LeaseSaid, Event>{{event}, said(s, *task, TaskState::done)};
}

namespace {
// No attempt follows: among the dead letters of its queue, or of the one that takes them.
void end_for_good(Failed& event, QueueRow const& queue, Ctx const& cx) {
    auto const& settings = queue.settings;
    event.retry_at = {};
    if (!settings.dead_letters_to.empty() && std::string_view(settings.dead_letters_to) != std::string_view(queue.name))
        event.dead_to = QueueName(Str(settings.dead_letters_to));
    else if (settings.keep_dead_ms > 0)
        event.until = cx.now + Duration::millis(settings.keep_dead_ms);
}
}  // namespace

Failed failed(State const& s, TaskRow const& task, Ending ending, Ctx const& cx) {
    auto const& settings = s.queue_of(task.queue).settings;
    Failed out{.id = TaskId{task.number}, .ending = ending};
    if (auto const* lease = s.leases.find(task.number)) out.worker = lease->worker;
    auto const attempts_max = task.attempts_max ? task.attempts_max : settings.attempts_max.value;
    bool const limited = attempts_max > 0 && attempts_max != attempts_unlimited;
    if (limited && task.attempts + 1 >= attempts_max) return end_for_good(out, s.queue_of(task.queue), cx), out;
    if (ending == Ending::expired) return out.retry_at = cx.now, out;
    auto const doubled = std::ldexp(double(settings.backoff_ms.value), std::min<int>(task.attempts, 40));
    auto const wait_ms = std::min(doubled, double(settings.backoff_max_ms.value));
    auto const jitter = 0.75 + 0.5 * double(cx.random.next() >> 11) / double(std::uint64_t(1) << 53);
    out.retry_at = cx.now + Duration::millis(std::int64_t(wait_ms * jitter));
    return out;
}

Result<Emit<LeaseSaid, Event>> fail_task(State const& s, FailTask const& in, Ctx const& cx) {
    TRY_ASSIGN(auto const* task, held(s, in.lease));
    auto event = failed(s, *task, Ending::failed, cx);
    if (in.final.value_or(false)) {
        end_for_good(event, s.queue_of(task->queue), cx);
    } else if (event.retry_at && in.retry_after_ms) {
        event.retry_at = cx.now + Duration::millis(*in.retry_after_ms);
    }
    if (in.reason) event.reason = *in.reason;
    if (in.detail) event.detail = *in.detail;
    auto const state = !event.retry_at ? TaskState::dead : *event.retry_at > cx.now ? TaskState::delayed : TaskState::ready;
    auto const reply = said(s, *task, state, event.retry_at);
    return Emit<LeaseSaid, Event>{{std::move(event)}, reply};
}

Result<Emit<LeaseSaid, Event>> release(State const& s, Release const& in, Ctx const& cx) {
    TRY_ASSIGN(auto const* task, held(s, in.lease));
    Released event{TaskId{task->number}, {}, {}};
    if (in.delay_ms && *in.delay_ms > 0) event.due = cx.now + Duration::millis(*in.delay_ms);
    if (in.priority) event.priority = std::uint32_t(in.priority->value);
    return Emit<LeaseSaid, Event>{{event}, said(s, *task, event.due ? TaskState::delayed : TaskState::ready, event.due)};
}

Result<Emit<LeaseSaid, Event>> bury(State const& s, Bury const& in, Ctx const&) {
    TRY_ASSIGN(auto const* task, held(s, in.lease));
    Buried event{TaskId{task->number}, {}, {}};
    if (in.reason) event.reason = *in.reason;
    if (in.priority) event.priority = std::uint32_t(in.priority->value);
    return Emit<LeaseSaid, Event>{{event}, said(s, *task, TaskState::buried)};
}

// --- time ----------------------------------------------------------------------------------------------------------------------------

std::vector<Event> lease_expired(State const& s, std::uint64_t const& number, Ctx const& cx) {
    auto event = failed(s, *s.find(TaskId{number}), Ending::expired, cx);
    event.reason = "the lease ran out";
    return {std::move(event)};
}
namespace {
template <class Due>
std::vector<TaskId> due_now(Due const& due, Time now) {
    std::vector<TaskId> out;
    due.walk([&](auto const& entry) { return entry.at <= now && out.size() < at_once_max && (out.push_back(TaskId{entry.key}), true); });
    return out;
}
}  // namespace
std::vector<Event> became_due(State const& s, std::uint64_t const&, Ctx const& cx) { return {Ripened{due_now(s.due, cx.now)}}; }
std::vector<Event> kept_enough(State const& s, std::uint64_t const&, Ctx const& cx) { return {Forgotten{due_now(s.kept, cx.now)}}; }
std::vector<Event> lane_free(State const&, std::uint64_t const& lane, Ctx const&) { return {KeyFreed{std::uint32_t(lane)}}; }
std::vector<Event> queue_free(State const& s, std::uint64_t const& queue, Ctx const&) {
    return {QueueFreed{s.queue_of(std::uint32_t(queue)).name}};
}
std::vector<Event> unique_free(State const&, std::uint64_t const& unique, Ctx const&) { return {UniqueFreed{std::uint32_t(unique)}}; }

}  // namespace gantry::queue
