#include "services/queue/views.h"

#include "services/queue/pick.h"

namespace gantry::queue {
namespace {

constexpr std::size_t examined_max = 20'000;  // rows of one list, under the service's lock
constexpr std::size_t read_max = 2'000;       // payloads of one search
constexpr std::size_t ahead_max = 10'000;

QueueView view_of(State const& s, QueueRow const& row, Time now) {
    QueueView out;
    out.queue = row.name.str(), out.paused = row.paused, out.paused_until = row.paused_until;
    if (!row.pause_reason.empty()) out.pause_reason = row.pause_reason.str();
    auto count = [&](TaskState state) { return row.count(state); };
    out.counts = {count(TaskState::ready),  count(TaskState::delayed), count(TaskState::behind), count(TaskState::leased),
                  count(TaskState::buried), count(TaskState::dead),    count(TaskState::done)};
    out.depth = row.depth();
    s.ages.ascend(
        State::age(row.number, TaskState::ready, 0),
        [&](std::uint32_t slot) {
            auto const& t = s.tasks[slot];
            if (t.queue == row.number && !is_aside(t.is())) out.oldest_age_ms = (now.us - t.made_us) / 1000;
            return false;
        },
        s.by_age());
    out.put = row.put, out.done = row.done, out.failed = row.failed, out.expired = row.expired;
    out.wait = times_of(s, row, TimeOf::wait), out.run = times_of(s, row, TimeOf::run);
    s.lanes_of.ascend(std::uint64_t(row.number) << 32,
                      [&](std::uint64_t at) { return at >> 32 == row.number && (++out.keys, out.keys < 10'000); });
    out.settings = row.settings, out.made_at = row.made_at;
    return out;
}

std::vector<std::string> held_back(State const& s, QueueRow const& queue, Time now) {
    std::vector<std::string> out;
    auto const& settings = queue.settings;
    if (queue.paused)
        out.push_back("the queue is paused" + (queue.paused_until ? " until " + format_time(*queue.paused_until) : std::string()) +
                      (queue.pause_reason.empty() ? "" : ": " + queue.pause_reason.str()));
    if (settings.concurrency_max > 0 && std::int64_t(queue.count(TaskState::leased)) >= settings.concurrency_max)
        out.push_back("the queue runs " + std::to_string(settings.concurrency_max) + " tasks, its concurrency_max");
    if (State::starts_free(queue.paid_us, settings.rate_max, settings.rate_window_ms, now) < 1)
        out.push_back("the queue has started " + std::to_string(settings.rate_max) + " tasks within its rate_window_ms, its rate_max");
    return out;
}
std::optional<std::string> held_back(QueueRow const& queue, LaneRow const& lane, Time now) {
    auto const& settings = queue.settings;
    if (settings.concurrency_per_key_max > 0 && std::int64_t(lane.running) >= settings.concurrency_per_key_max)
        return "its key runs " + std::to_string(lane.running) + " tasks, concurrency_per_key_max";
    if (State::starts_free(lane.paid_us, settings.rate_per_key_max, settings.rate_window_ms, now) < 1)
        return "its key has started " + std::to_string(settings.rate_per_key_max) + " tasks within rate_window_ms, rate_per_key_max";
    return {};
}

}  // namespace

Times times_of(State const& s, QueueRow const& queue, TimeOf of) {
    std::vector<std::uint64_t> counts(time_buckets);
    Times out;
    for (auto hour : {queue.hour, queue.hour - 1})
        for (std::uint64_t b = 0; b < time_buckets; ++b) {
            auto const n = std::uint64_t(s.times[time_cell(queue.number, of, hour, b)]);
            counts[b] += n, out.count += n;
        }
    auto percentile = [&](double p) {
        auto left = std::uint64_t(p * double(out.count));
        for (std::uint64_t b = 0; b < time_buckets; ++b) {
            if (counts[b] > left) return double(time_bucket_end(b)) / 1000;
            left -= counts[b];
        }
        return 0.0;
    };
    out.p50_ms = percentile(0.50), out.p95_ms = percentile(0.95), out.p99_ms = percentile(0.99);
    return out;
}

Result<QueueView> show_queue(State const& s, ByQueue const& in, Ctx const& cx) {
    TRY_ASSIGN(auto const* row, queue_named(s, in.queue));
    auto out = view_of(s, *row, cx.now);
    auto const from = Str(row->name.str() + "\n");
    s.workers.walk(&from,
                   [&](Str const& key, WorkerRow const&) { return std::string_view(key).starts_with(from) && (++out.workers, true); });
    return out;
}

Result<Page<QueueView>> list_queues(State const& s, ListQueues const& in, Ctx const& cx) {
    std::optional<Str> after;
    if (in.cursor) {
        TRY_ASSIGN(after, read_cursor<Str>(*in.cursor));
    }
    Page<QueueView> page;
    s.walk_queues(after ? &*after : nullptr, [&](Str const& name, QueueRow const& row) {
        if (in.prefix && !std::string_view(name).starts_with(*in.prefix)) return std::string_view(name) < std::string_view(*in.prefix);
        if (std::int64_t(page.items.size()) == in.limit) {
            page.next = make_cursor(Str(page.items.back().queue)), page.complete = false;
            return false;
        }
        page.items.push_back(view_of(s, row, cx.now));
        return true;
    });
    return page;
}

Result<Page<KeyView>> list_keys(State const& s, ListKeys const& in, Ctx const& cx) {
    TRY_ASSIGN(auto const* row, queue_named(s, in.queue));
    std::uint64_t from = std::uint64_t(row->number) << 32;
    if (in.cursor) {
        TRY_ASSIGN(from, read_cursor<std::uint64_t>(*in.cursor));
    }
    s.tasks_changed.looked_at_all();
    Page<KeyView> page;
    s.lanes_of.ascend(from, [&](std::uint64_t at) {
        if (at >> 32 != row->number) return false;
        if (std::int64_t(page.items.size()) == in.limit) return page.next = make_cursor(at), page.complete = false;
        LaneRow const& lane = s.lanes[std::uint32_t(at) - 1];
        std::string const key(s.keys.text(lane.key));
        page.items.push_back({key, lane.tasks, lane.ready, lane.running, weight_of(row->settings, key), {}});
        if (lane.ready > 0) page.items.back().held_back = held_back(*row, lane, cx.now);
        return true;
    });
    return page;
}

Result<Page<WorkerView>> list_workers(State const& s, ListWorkers const& in, Ctx const&) {
    TRY_ASSIGN(auto const* row, queue_named(s, in.queue));
    auto const prefix = row->name.str() + "\n";
    Str after(prefix);
    if (in.cursor) {
        TRY_ASSIGN(after, read_cursor<Str>(*in.cursor));
    }
    Page<WorkerView> page;
    Str last;
    s.workers.walk(&after, [&](Str const& key, WorkerRow const& worker) {
        if (!std::string_view(key).starts_with(prefix)) return false;
        if (std::int64_t(page.items.size()) == in.limit) return page.next = make_cursor(last), page.complete = false;
        page.items.push_back({worker.worker.str(), worker.running, worker.seen});
        last = key;
        return true;
    });
    return page;
}

TaskView view_of(State const& s, std::uint32_t slot) {
    TaskRow const& t = s.tasks[slot];
    TaskView out;
    out.id = TaskId{t.number}, out.queue = s.queue_of(t.queue).name.str(), out.state = t.is();
    out.priority = t.priority, out.put_at = Time{t.made_us};
    if ((t.is() == TaskState::delayed || t.is() == TaskState::behind) && t.at_us > 0) out.due_at = Time{t.at_us};
    if (is_aside(t.is())) out.since = Time{t.at_us};
    if (t.lease_s > 0) out.lease_s = t.lease_s;
    if (auto const key = s.key_of(t); !key.empty()) out.key = std::string(key);
    if (t.group != 0) out.group = std::string(s.group_names.text(s.group_rows[t.group - 1].name));
    if (t.unique != 0) out.unique = std::string(s.unique_names.text(s.uniques[t.unique - 1].name));
    out.tags = s.tags_of(t);
    out.attempts = t.attempts, out.starts = t.starts;
    if (auto const* lease = t.is() == TaskState::leased ? s.leases.find(t.number) : nullptr) {
        out.lease = LeaseInfo{lease->worker.str(), lease->fence, lease->since, Time{t.at_us}, {}, {}, bool(t.flags & task_cancel)};
        if (lease->progress_permille > 0) out.lease->progress_permille = lease->progress_permille;
        if (!lease->message.empty()) out.lease->message = lease->message.str();
    }
    return out;
}

Result<FoundTask> find_task(State const& s, ById const& in, Ctx const&) {
    TRY_ASSIGN(auto const* task, task_of(s, in.id));
    FoundTask out{view_of(s, s.slot_of(in.id.n)), task->content, {}};
    for (std::uint32_t n = task->traces > traces_max ? task->traces - traces_max : 0; n < task->traces; ++n)
        if (auto const* trace = s.traces.find(task->number << trace_bits | (n + 1))) out.traces.push_back(*trace);
    return out;
}

Result<WholeTask> tell_task(FoundTask const& found, Events<Event>& events, Ctx const&) {
    WholeTask out;
    out.task = found.view;
    TRY_ASSIGN(auto const* event, events.at(found.content));
    if (auto const* content = event ? content_in(*event) : nullptr) {
        out.content_type = content->type.str(), out.headers = content->headers;
        show_content(*content, out.payload, out.payload_base64, out.payload_url, out.payload_digest);
    }
    for (auto const& one : found.traces) {
        TRY_ASSIGN(auto const* trace, events.at(one.position));
        if (!trace) continue;
        AttemptView view{.at = one.at};
        if (auto const* failed = std::get_if<Failed>(trace)) {
            view.what = failed->ending == Ending::expired ? "expired" : "failed";
            view.worker = failed->worker.str(), view.reason = failed->reason.str(), view.retry_at = failed->retry_at;
            if (!failed->detail.empty()) view.detail = failed->detail.str();
        } else if (auto const* buried = std::get_if<Buried>(trace)) {
            view.what = "buried", view.reason = buried->reason.str();
        } else if (auto const* extended = std::get_if<Extended>(trace)) {
            view.what = "log";
            for (auto const& line : extended->log) view.log.push_back(line.str());
        } else if (auto const* completed = std::get_if<Completed>(trace)) {
            view.what = "completed";
            if (!completed->result.data.empty()) out.result = codec::RawJson{completed->result.data};
        }
        out.history.push_back(std::move(view));
    }
    return out;
}

// --- lists ---------------------------------------------------------------------------------------------------------------------------

namespace {

enum class Walk : std::uint8_t { ages, places, tag, group };
struct TaskCursor {
    std::uint8_t walk = 0;
    std::uint32_t of = 0;  // queue, lane, group
    std::uint8_t state = 0;
    std::int64_t rank = 0;
    std::uint64_t number = 0;  // or the tag and slot
};
RECORD(TaskCursor, walk, of, state, rank, number);

struct Listing {
    State const& s;
    ListTasks const& in;
    Time now;
    std::size_t limit;
    FoundTasks out = {};
    std::size_t examined = 0;

    bool fits(TaskRow const& t) const {
        return (!in.state || t.is() == *in.state) && (!in.older_than_ms || now.us - t.made_us >= in.older_than_ms->value * 1000) &&
               (!in.attempts_min || t.attempts >= in.attempts_min->value) && (!in.key || s.key_of(t) == std::string_view(*in.key)) &&
               (!in.group || is_of(t, *in.group));
    }
    bool is_of(TaskRow const& t, std::string_view group) const {
        return t.group != 0 && s.group_names.text(s.group_rows[t.group - 1].name) == group;
    }
    // False: the page is full, and begins again with this one.
    bool take(std::uint32_t slot, TaskCursor const& here) {
        if (out.tasks.size() == limit || examined == examined_max) {
            out.next = make_cursor(here);
            if (examined == examined_max) out.why = std::to_string(examined_max) + " tasks were looked at: go on by the cursor";
            return false;
        }
        ++examined;
        if (!out.tasks.empty() && out.tasks.back().cursor.empty()) out.tasks.back().cursor = make_cursor(here);
        if (fits(s.tasks[slot])) out.tasks.push_back({view_of(s, slot), s.tasks[slot].content, {}});
        return true;
    }
    static TaskCursor at(Walk walk, TaskRow const& t, std::uint32_t of) { return {std::uint8_t(walk), of, t.state, t.rank, t.number}; }

    void by_tag(std::uint32_t tag, TaskCursor const& from) {
        s.tagged.ascend(std::max(from.number, std::uint64_t(tag) << 32), [&](std::uint64_t key) {
            if (key >> 32 != tag) return false;
            TaskRow const& t = s.tasks[std::uint32_t(key)];
            if (in.queue && s.queue_of(t.queue).name != *in.queue) return ++examined, true;
            return take(std::uint32_t(key), {std::uint8_t(Walk::tag), 0, 0, 0, key});
        });
    }
    void by_group(std::uint32_t group, TaskCursor const& from) {
        s.groups.ascend(
            State::InGroup{group, from.number},
            [&](std::uint32_t slot) {
                auto const& t = s.tasks[slot];
                return t.group == group && take(slot, at(Walk::group, t, group));
            },
            s.by_group());
    }
    bool by_lane(std::uint32_t lane, TaskCursor const& from) {
        auto first = State::first_place(lane, in.state.value_or(TaskState::ready));
        if (from.of == lane) first = {std::uint64_t(lane) << 8 | from.state, from.rank, from.number};
        bool more = true;
        s.places.ascend(
            first,
            [&](std::uint32_t slot) {
                auto const& t = s.tasks[slot];
                if (t.lane != lane || (in.state && t.is() != *in.state)) return false;
                return more = take(slot, at(Walk::places, t, lane));
            },
            s.by_place());
        return more;
    }
    void by_lanes(std::uint32_t queue, TaskCursor const& from) {
        s.lanes_of.ascend(std::uint64_t(queue) << 32 | from.of,
                          [&](std::uint64_t key) { return key >> 32 == queue && by_lane(std::uint32_t(key), from); });
    }
    void by_age(std::optional<std::uint32_t> queue, TaskCursor const& from) {
        s.ages.ascend(
            State::age(queue.value_or(from.of), TaskState(from.state), from.number),
            [&](std::uint32_t slot) {
                auto const& t = s.tasks[slot];
                return (!queue || t.queue == *queue) && take(slot, at(Walk::ages, t, t.queue));
            },
            s.by_age());
    }
};

}  // namespace

Result<FoundTasks> find_tasks(State const& s, ListTasks const& in, Ctx const& cx) {
    s.tasks_changed.looked_at_all();
    TaskCursor from;
    if (in.cursor) {
        TRY_ASSIGN(from, read_cursor<TaskCursor>(*in.cursor));
    }
    if ((in.key || in.group) && !in.queue)
        return fail({422, "queue_needed", "keys and groups are of a queue", {{"/queue", "say the queue of this key or group"}}});
    QueueRow const* queue = nullptr;
    if (in.queue) {
        TRY_ASSIGN(queue, queue_named(s, *in.queue));
    }
    Listing list{s, in, cx.now, in.text ? read_max : std::size_t(in.limit.value)};
    if (in.tag) {
        if (auto const tag = s.tags.find(*in.tag); tag != State::none) list.by_tag(tag, from);
    } else if (in.group) {
        if (auto const group = s.group_of(queue->number, *in.group)) list.by_group(group, from);
    } else if (in.key) {
        if (auto const lane = s.lane_of(queue->number, *in.key)) list.by_lane(lane, from);
    } else if (in.state && queue) {
        list.by_lanes(queue->number, from);
    } else {
        list.by_age(queue ? std::optional(queue->number) : std::nullopt, from);
    }
    auto out = std::move(list.out);
    if (in.text) out.text = in.text->str(), out.limit = std::size_t(in.limit.value);
    if (in.text && out.next && !out.why) out.why = std::to_string(read_max) + " payloads were read: go on by the cursor";
    return out;
}

Result<Page<TaskView>> tell_tasks(FoundTasks const& found, Events<Event>& events, Ctx const&) {
    Page<TaskView> page;
    page.next = found.next, page.why = found.why;
    for (auto const& one : found.tasks) {
        if (found.text) {
            TRY_ASSIGN(auto const* event, events.at(one.content));
            auto const* content = event ? content_in(*event) : nullptr;
            if (!content || !std::string_view(content->payload.data).contains(*found.text)) continue;
        }
        page.items.push_back(one.view);
        if (found.text && page.items.size() == found.limit && (!one.cursor.empty() || found.next)) {
            page.next = one.cursor.empty() ? found.next : std::optional(one.cursor), page.why = {};
            break;
        }
    }
    page.complete = !page.next;
    return page;
}

// --- why -----------------------------------------------------------------------------------------------------------------------------

Result<WhyView> why(State const& s, ById const& in, Ctx const& cx) {
    TRY_ASSIGN(auto const* task, task_of(s, in.id));
    auto const slot = s.slot_of(in.id.n);
    s.tasks_changed.looked_at_all();
    WhyView out;
    out.task = view_of(s, slot);
    auto const& queue = s.queue_of(task->queue);
    auto const& lane = s.lanes[task->lane - 1];
    auto say = [&](std::string text) { out.reasons.push_back(std::move(text)); };
    switch (task->is()) {
        case TaskState::leased:
            say("it runs: " + out.task.lease->worker + " has it until " + format_time(out.task.lease->deadline));
            return out;
        case TaskState::buried: say("it was buried: kick it"); return out;
        case TaskState::dead: say("it is dead after " + std::to_string(task->attempts) + " attempts: redrive it"); return out;
        case TaskState::done: say("it is done"); return out;
        case TaskState::delayed: say("it is due at " + format_time(Time{task->at_us})); return out;
        case TaskState::behind: {
            auto const front = s.group_rows[task->group - 1].front;
            if (front != 0) out.behind = TaskId{s.tasks[front - 1].number};
            say("an earlier task of its group has to end first");
            return out;
        }
        case TaskState::ready: break;
    }
    for (auto& reason : held_back(s, queue, cx.now)) say(std::move(reason));
    if (auto const reason = held_back(queue, lane, cx.now)) say(*reason);
    std::uint64_t ahead = 0;
    s.walk_lane(task->lane, TaskState::ready, [&](std::uint32_t other) { return other != slot && ++ahead < ahead_max; });
    out.ahead_of_it = ahead, out.ahead_is_whole = ahead < ahead_max;
    if (ahead > 0) say(std::to_string(ahead) + (ahead < ahead_max ? "" : " or more") + " tasks of its key come before it");
    bool first = false;
    s.active.ascend({queue.number, 0, 0}, [&](ActiveLane const& at) { return first = at.lane == task->lane, false; });
    if (!first && out.reasons.empty()) say("it is the turn of another key");
    if (out.reasons.empty() && queue.count(TaskState::leased) == 0) say("nobody has asked for a task: it is the next one");
    return out;
}

Result<NextView> next(State const& s, Next const& in, Ctx const& cx) {
    TRY_ASSIGN(auto const* row, queue_named(s, in.queue));
    s.tasks_changed.looked_at_all();
    NextView out;
    Picker picker(s, {in.queue}, in.worker ? std::string_view(*in.worker) : std::string_view(cx.caller()), cx.now);
    for (std::int64_t left = in.limit ? in.limit->value : 10; left > 0; --left) {
        auto const slot = picker.next();
        if (slot == State::none) break;
        out.tasks.push_back(view_of(s, slot));
    }
    out.held_back = held_back(s, *row, cx.now);
    return out;
}

}  // namespace gantry::queue
