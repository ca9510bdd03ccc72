#include "services/queue/state.h"

#include "services/queue/times.h"

namespace gantry::queue {
namespace {

constexpr std::int64_t hour_us = 3'600'000'000;

std::uint64_t pair_hash(std::uint32_t queue, std::uint32_t name) { return mix64(std::uint64_t(queue) << 32 | name); }
std::uint64_t pair(std::uint32_t high, std::uint32_t low) { return std::uint64_t(high) << 32 | low; }
// Times as they sort as unsigned numbers.
std::uint64_t sortable(std::int64_t n) { return std::uint64_t(n) ^ std::uint64_t(1) << 63; }
std::int64_t rank_of(std::int64_t made_us, std::uint32_t priority, QueueSettings const& settings) {
    return made_us + std::int64_t(priority) * settings.ageing_ms * 1000;
}
bool is_urgent(TaskRow const& t) { return t.is() == TaskState::ready && t.priority < urgent_priority; }
// Of a worker of a queue. It borrows its bytes until the next one of this thread.
Str worker_key(std::string_view queue, std::string_view worker) {
    static thread_local std::string text;
    text.assign(queue).append("\n").append(worker);
    return Str::borrow(text);
}

}  // namespace

bool is_queue_name(std::string_view name) {
    static constexpr auto plain = [] {
        std::array<bool, 256> out{};
        for (int c = 'a'; c <= 'z'; ++c) out[std::size_t(c)] = out[std::size_t(c - 'a' + 'A')] = true;
        for (int c = '0'; c <= '9'; ++c) out[std::size_t(c)] = true;
        for (char c : std::string_view("-+/;.$_():")) out[std::uint8_t(c)] = true;
        return out;
    }();
    return !name.empty() && name.size() <= 200 && name[0] != '-' &&
           std::ranges::all_of(name, [](char c) { return plain[std::uint8_t(c)]; });
}

std::int64_t weight_of(QueueSettings const& settings, std::string_view key) {
    if (settings.weights.empty()) return 1;
    auto const found = settings.weights.find(std::string(key));
    return found == settings.weights.end() ? 1 : found->second.value;
}

std::uint64_t QueueRow::depth() const {
    std::uint64_t n = 0;
    for (std::size_t s = 0; s < task_states; ++s) n += TaskState(s) == TaskState::done ? 0 : counts[s];
    return n;
}

// --- lookups ---------------------------------------------------------------------------------------------------------------------

std::uint32_t State::slot_of(std::uint64_t number) const { return by_number.find(number); }
TaskRow const* State::find(TaskId id) const {
    tasks_changed.looked_up(id.n);
    auto const slot = slot_of(id.n);
    return slot == none ? nullptr : &tasks[slot];
}
QueueRow const* State::queue(std::string_view name) const {
    auto const* number = queue_numbers.find(Str::borrow(name));
    return number ? queue_rows.find(*number) : nullptr;
}
std::uint32_t State::lane_of(std::uint32_t queue, std::string_view key) const {
    auto const name = keys.find(key);
    if (name == none) return 0;
    auto const row =
        lane_index.find(pair_hash(queue, name), [&](std::uint32_t i) { return lanes[i].queue == queue && lanes[i].key == name; });
    return row == none ? 0 : row + 1;
}
std::uint32_t State::group_of(std::uint32_t queue, std::string_view text) const {
    auto const name = group_names.find(text);
    if (name == none) return 0;
    auto const row = group_index.find(pair_hash(queue, name),
                                      [&](std::uint32_t i) { return group_rows[i].queue == queue && group_rows[i].name == name; });
    return row == none ? 0 : row + 1;
}
UniqueRow const* State::unique_of(std::uint32_t queue, std::string_view text) const {
    auto const name = unique_names.find(text);
    if (name == none) return nullptr;
    auto const row =
        unique_index.find(pair_hash(queue, name), [&](std::uint32_t i) { return uniques[i].queue == queue && uniques[i].name == name; });
    return row == none ? nullptr : &uniques[row];
}
std::vector<std::string> State::tags_of(TaskRow const& task) const {
    std::vector<std::string> out;
    std::string_view rest = tag_sets.text(task.tags);
    while (!rest.empty()) {
        auto const end = std::min(rest.find('\n'), rest.size());
        out.emplace_back(rest.substr(0, end));
        rest.remove_prefix(std::min(end + 1, rest.size()));
    }
    return out;
}
WorkerRow const* State::worker(std::string_view queue, std::string_view worker) const { return workers.find(worker_key(queue, worker)); }
bool State::is_closed(QueueRow const& queue) {
    return queue.paused || queue.slow ||
           (queue.settings.concurrency_max > 0 && std::int64_t(queue.count(TaskState::leased)) >= queue.settings.concurrency_max);
}
std::int64_t State::starts_free(std::int64_t paid_us, std::int64_t rate_max, std::int64_t window_ms, Time now) {
    if (rate_max == 0) return std::numeric_limits<std::int64_t>::max();
    auto const window_us = window_ms * 1000, ahead_us = std::max<std::int64_t>(0, paid_us - now.us);
    return std::clamp<std::int64_t>((window_us - ahead_us) * rate_max / window_us, 0, rate_max);
}

// --- queues and lanes --------------------------------------------------------------------------------------------------------------

QueueRow& State::opened(std::string_view name, Time now) {
    if (auto const* known = queue_numbers.find(Str::borrow(name))) return queue_mut(*known);
    if (next_.size() < 2) next_.resize(2);
    auto const number = std::uint32_t(++next_.mut(1));
    QueueRow row;
    row.number = number, row.name = QueueName(Str(name)), row.made_at = now;
    queue_numbers.put(Str(name), number);
    queue_rows.put(number, std::move(row));
    return queue_mut(number);
}

// A key that comes anew has its turn after the others' next ones: what it had before was forgotten with its last task, and if it began
// where the one does that was served last, tasks that come one at a time would always pass those that wait.
std::uint32_t State::lane_for(QueueRow const& queue, std::string_view key) {
    if (auto const known = lane_of(queue.number, key)) return known;
    LaneRow row;
    row.queue = queue.number, row.key = keys.hold(key);
    row.share = queue.share + share_unit / std::uint64_t(weight_of(queue.settings, key));
    auto const lane = state::place_row<1>(lanes, free_lanes, row);
    lane_index.insert(pair_hash(queue.number, row.key), lane - 1);
    lanes_of.insert(pair(queue.number, lane));
    return lane;
}

void State::drop_lane_if_unused(std::uint32_t lane) {
    LaneRow const row = lanes[lane - 1];
    if (row.tasks > 0 || row.flags & lane_slow) return;
    lane_index.erase(pair_hash(row.queue, row.key), lane - 1);
    lanes_of.erase(pair(row.queue, lane));
    keys.release(row.key);
    lanes.mut(lane - 1) = {};
    free_lanes.push_back(lane);
}

// Whether something of this lane may be started, and when it is its turn.
void State::refresh(QueueRow const& queue, std::uint32_t lane) {
    LaneRow& row = lanes.mut(lane - 1);
    auto const& settings = queue.settings;
    bool const wanted = row.ready > 0 && !(row.flags & lane_slow) &&
                        (settings.concurrency_per_key_max == 0 || row.running < std::uint64_t(settings.concurrency_per_key_max));
    bool const is = row.flags & lane_active;
    if (wanted && !is) row.share = std::max(row.share, queue.share);
    std::uint64_t order = row.share;
    if (wanted && !settings.fair)
        walk_lane(lane, TaskState::ready, [&](std::uint32_t slot) { return order = sortable(tasks[slot].rank), false; });
    if (is && (!wanted || order != row.order)) active.erase({row.queue, row.order, lane});
    if (wanted && (!is || order != row.order)) active.insert({row.queue, order, lane});
    row.order = order;
    row.flags = wanted ? row.flags | lane_active : row.flags & ~std::uint32_t(lane_active);
}

void State::refresh_all(QueueRow const& queue) {
    std::vector<std::uint32_t> all;
    lanes_of.ascend(pair(queue.number, 0),
                    [&](std::uint64_t at) { return at >> 32 == queue.number && (all.push_back(std::uint32_t(at)), true); });
    for (auto lane : all) refresh(queue, lane);
}

// Those who wait for a task of this queue are told that there may be one.
void State::offer(QueueRow const& queue) {
    if (!available.is_awaited() || is_closed(queue)) return;
    active.ascend({queue.number, 0, 0}, [&](ActiveLane const& lane) {
        if (lane.queue == queue.number) available.changed(hash64(queue.name));
        return false;
    });
}

void State::count_start(QueueRow& queue, std::uint32_t lane, Time now) {
    LaneRow& row = lanes.mut(lane - 1);
    auto const& settings = queue.settings;
    queue.share = std::max(queue.share, row.share);
    row.share += share_unit / std::uint64_t(weight_of(settings, keys.text(row.key)));
    auto const window_ms = settings.rate_window_ms.value, window_us = window_ms * 1000;
    if (auto const rate = settings.rate_per_key_max.value) {
        row.paid_us = std::max(row.paid_us, now.us) + window_us / rate;
        if (starts_free(row.paid_us, rate, window_ms, now) < 1)
            row.flags |= lane_slow, slow_lanes.set(lane, Time{row.paid_us - window_us + window_us / rate});
    }
    if (auto const rate = settings.rate_max.value) {
        queue.paid_us = std::max(queue.paid_us, now.us) + window_us / rate;
        if (starts_free(queue.paid_us, rate, window_ms, now) < 1)
            queue.slow = true, slow_queues.set(queue.number, Time{queue.paid_us - window_us + window_us / rate});
    }
}

void State::count_time(QueueRow& queue, bool run, std::int64_t us, Time now) {
    auto const hour = now.us / hour_us;
    for (auto old = std::max(queue.hour + 1, hour - 1); old <= hour; ++old)
        for (auto kind : {TimeOf::wait, TimeOf::run})
            for (std::uint64_t b = 0; b < time_buckets; ++b) {
                auto const cell = time_cell(queue.number, kind, old, b);
                if (auto const n = times[cell]) times.add(cell, -n);
            }
    queue.hour = std::max(queue.hour, hour);
    times.add(time_cell(queue.number, run ? TimeOf::run : TimeOf::wait, hour, time_bucket(us)), 1);
}

// --- tasks -------------------------------------------------------------------------------------------------------------------------

void State::changed(TaskRow const& task) { tasks_changed.changed(task.number); }

std::uint32_t State::add(TaskRow const& row) {
    auto const slot = state::place_row(tasks, free_tasks, row);
    by_number.insert(row.number, slot);
    ages.insert(slot, by_age());
    return slot;
}

void State::insert_place(QueueRow& queue, std::uint32_t slot) {
    TaskRow const& t = tasks[slot];
    places.insert(slot, by_place());
    LaneRow& lane = lanes.mut(t.lane - 1);
    ++lane.tasks;
    lane.ready += t.is() == TaskState::ready, lane.running += t.is() == TaskState::leased;
    ++queue.counts[t.state], queue.urgent += is_urgent(t);
    refresh(queue, t.lane);
}
void State::erase_place(QueueRow& queue, std::uint32_t slot) {
    TaskRow const& t = tasks[slot];
    places.erase(slot, by_place());
    LaneRow& lane = lanes.mut(t.lane - 1);
    --lane.tasks;
    lane.ready -= t.is() == TaskState::ready, lane.running -= t.is() == TaskState::leased;
    --queue.counts[t.state], queue.urgent -= is_urgent(t);
}
void State::set_state(QueueRow& queue, std::uint32_t slot, TaskState to, std::int64_t at_us) {
    erase_place(queue, slot);
    TaskRow& t = tasks.mut(slot);
    bool const ages_anew = is_aside(t.is()) != is_aside(to);
    if (ages_anew) ages.erase(slot, by_age());
    if (t.is() == TaskState::delayed) due.clear(t.number);
    if (is_aside(t.is())) keep(queue, t);
    t.state = std::uint8_t(to), t.at_us = at_us;
    if (to == TaskState::delayed) due.set(t.number, Time{at_us});
    if (ages_anew) ages.insert(slot, by_age());
    insert_place(queue, slot);
    changed(t);
}
void State::keep(QueueRow const& queue, TaskRow const& t) {
    auto const keep_ms = queue.settings.keep_ms.value;
    if (keep_ms > 0)
        kept.set(t.number, Time{t.made_us + keep_ms * 1000});
    else
        kept.clear(t.number);
}
void State::begin(QueueRow& queue, std::uint32_t slot, TaskState state, std::int64_t at_us) {
    TaskRow& t = tasks.mut(slot);
    t.state = std::uint8_t(state), t.at_us = at_us;
    if (state == TaskState::delayed) due.set(t.number, Time{at_us});
    insert_place(queue, slot);
    changed(t);
}
void State::wait(QueueRow& queue, std::uint32_t slot, std::int64_t due_us, Time now) {
    TaskRow const& t = tasks[slot];
    if (t.group != 0 && group_rows[t.group - 1].front != slot + 1) return set_state(queue, slot, TaskState::behind, due_us);
    if (due_us > now.us) return set_state(queue, slot, TaskState::delayed, due_us);
    set_state(queue, slot, TaskState::ready, 0);
}
std::optional<Time> State::end_lease(QueueRow const& queue, std::uint32_t slot) {
    auto const number = tasks[slot].number;
    auto const lease = leases.take(number);
    if (!lease) return {};
    auto const key = worker_key(queue.name, lease->worker);
    bool idle = false;
    workers.change(key, [&](WorkerRow& w) { idle = --w.running == 0; });
    if (idle) workers.erase(key);
    deadlines.clear(number);
    tasks.mut(slot).flags &= std::uint8_t(~task_cancel);
    return lease->since;
}
void State::count_run(QueueRow& queue, std::optional<Time> since, Time now) {
    if (since) count_time(queue, true, now.us - since->us, now);
}
std::optional<Time> State::remove(QueueRow& queue, std::uint32_t slot, Time now) {
    auto const since = end_lease(queue, slot);
    leave_group(queue, slot, now);
    let_unique(slot, now);
    drop_tags(slot);
    TaskRow const t = tasks[slot];
    drop_traces(t);
    erase_place(queue, slot);
    refresh(queue, t.lane);
    forget_group(t.group);
    if (t.is() == TaskState::delayed) due.clear(t.number);
    kept.clear(t.number), courses.erase(t.number);
    ages.erase(slot, by_age());
    by_number.erase(t.number);
    changed(t);
    forget_content(tasks.mut(slot));
    tasks.mut(slot) = {};
    free_tasks.push_back(slot);
    drop_lane_if_unused(t.lane);
    return since;
}

// --- groups, unique keys, tags, traces ----------------------------------------------------------------------------------------------

void State::join_group(std::uint32_t slot) {
    TaskRow const& t = tasks[slot];
    if (t.group == 0) return;
    groups.insert(slot, by_group());
    ++group_rows.mut(t.group - 1).members;
}
// A task that ended, or was put aside, holds its group up no more.
void State::leave_group(QueueRow& queue, std::uint32_t slot, Time now) {
    auto const group = tasks[slot].group;
    if (group == 0 || !groups.erase(slot, by_group())) return;
    GroupRow& row = group_rows.mut(group - 1);
    --row.members;
    if (row.front == slot + 1) row.front = 0, choose_front(queue, group, now);
}
void State::forget_group(std::uint32_t group) {
    if (group == 0 || --group_rows.mut(group - 1).tasks > 0) return;
    GroupRow const row = group_rows[group - 1];
    group_index.erase(pair_hash(row.queue, row.name), group - 1);
    group_names.release(row.name);
    group_rows.mut(group - 1) = {};
    free_groups.push_back(group);
}
void State::choose_front(QueueRow& queue, std::uint32_t group, Time now) {
    std::uint32_t first = none;
    groups.ascend(
        InGroup{group, 0}, [&](std::uint32_t slot) { return first = tasks[slot].group == group ? slot : none, false; }, by_group());
    GroupRow& row = group_rows.mut(group - 1);
    if (first == none || row.front == first + 1) return;
    auto const before = row.front;
    if (before != 0 && tasks[before - 1].is() == TaskState::leased) return;
    row.front = first + 1;
    if (before != 0) set_state(queue, before - 1, TaskState::behind, tasks[before - 1].at_us);
    wait(queue, first, tasks[first].at_us, now);
}

void State::hold_unique(std::uint32_t slot, std::string_view text, std::optional<Time> until) {
    if (text.empty()) return;
    TaskRow& t = tasks.mut(slot);
    auto const* known = unique_of(t.queue, text);
    std::uint32_t unique;
    if (known) {
        unique =
            std::uint32_t(unique_index.find(pair_hash(known->queue, known->name), [&](std::uint32_t i) { return &uniques[i] == known; })) +
            1;
    } else {
        UniqueRow row;
        row.queue = t.queue, row.name = unique_names.hold(text);
        unique = state::place_row<1>(uniques, free_uniques, row);
        unique_index.insert(pair_hash(row.queue, row.name), unique - 1);
    }
    UniqueRow& row = uniques.mut(unique - 1);
    row.number = row.newest = t.number;
    if (until) row.until_us = until->us, windows.set(unique, *until);
    t.unique = unique;
}
void State::let_unique(std::uint32_t slot, Time now) {
    TaskRow& t = tasks.mut(slot);
    auto const unique = std::exchange(t.unique, 0);
    if (unique == 0 || uniques[unique - 1].number != t.number) return;
    uniques.mut(unique - 1).number = 0;
    if (uniques[unique - 1].until_us <= now.us) drop_unique(unique);
}
void State::drop_unique(std::uint32_t unique) {
    UniqueRow const row = uniques[unique - 1];
    windows.clear(unique);
    unique_index.erase(pair_hash(row.queue, row.name), unique - 1);
    unique_names.release(row.name);
    uniques.mut(unique - 1) = {};
    free_uniques.push_back(unique);
}

void State::set_tags(std::uint32_t slot, std::vector<Tag> const& list) {
    std::string set;
    for (auto const& tag : list) {
        tagged.insert(pair(tags.hold(tag), slot));
        if (!set.empty()) set += '\n';
        set += tag;
    }
    tasks.mut(slot).tags = tag_sets.hold(set);
}
void State::drop_tags(std::uint32_t slot) {
    for (auto const& tag : tags_of(tasks[slot])) {
        auto const id = tags.find(tag);
        tagged.erase(pair(id, slot));
        tags.release(id);
    }
    tag_sets.release(std::exchange(tasks.mut(slot).tags, 0));
}

void State::trace(std::uint32_t slot, At const& at) {
    TaskRow& t = tasks.mut(slot);
    if (t.traces == 0xffff) return;  // the log has the others
    traces.put(t.number << trace_bits | ++t.traces, {at.position, at.time});
    if (t.traces > traces_max) traces.erase(t.number << trace_bits | (t.traces - traces_max));
}
void State::note_delay(std::uint32_t slot, std::optional<Time> until, Time now) {
    TaskRow const& t = tasks[slot];
    if (t.lease_s == 0 || (!until && !courses.find(t.number))) return;
    auto const delay_us = until ? std::max<std::int64_t>((*until - now).us, 0) : 0;
    courses.change_or_put(t.number, [&](CourseRow& c) { c.delay_s = std::uint32_t((delay_us + 500'000) / 1'000'000); });
}
void State::drop_traces(TaskRow const& t) {
    for (std::uint32_t n = t.traces > traces_max ? t.traces - traces_max : 0; n < t.traces; ++n)
        traces.erase(t.number << trace_bits | (n + 1));
}

// --- the facts ----------------------------------------------------------------------------------------------------------------------

void State::apply(QueueSet const& e, At const& at) {
    auto& queue = opened(e.queue, at.time);
    queue.settings = e.settings;
    if (e.settings.rate_max == 0) queue.slow = false, slow_queues.clear(queue.number);
    refresh_all(queue);
    offer(queue);
}
void State::apply(QueuePaused const& e, At const& at) {
    auto& queue = opened(e.queue, at.time);
    queue.paused = e.paused, queue.paused_until = e.until, queue.pause_reason = e.reason;
    queue.paused_since = e.paused ? std::optional(at.time) : std::nullopt;
    if (e.paused && e.until)
        slow_queues.set(queue.number, *e.until);
    else if (!queue.slow)
        slow_queues.clear(queue.number);
    offer(queue);
}
void State::apply(QueueDropped const& e, At const&) {
    auto const* row = queue(e.queue);
    if (!row || !row->is_idle()) return;
    auto const number = row->number;
    slow_queues.clear(number);
    queue_numbers.erase(e.queue);
    queue_rows.erase(number);
}

void State::apply(Put const& e, At const& at) {
    auto& queue = opened(e.queue, at.time);
    if (next_.empty()) next_.resize(2);
    next_.mut(0) = std::max(next_[0], e.id.n);
    TaskRow row;
    row.number = e.id.n, row.content = at.position, row.made_us = at.time.us;
    row.queue = queue.number, row.priority = e.priority, row.rank = rank_of(row.made_us, e.priority, queue.settings);
    row.attempts_max = std::uint16_t(e.attempts_max), row.run_s_max = e.run_s_max, row.lease_s = std::uint16_t(e.lease_s);
    row.lane = lane_for(queue, e.key);
    auto const slot = add(row);
    if (!e.group.empty()) {
        auto group = group_of(queue.number, e.group);
        if (group == 0) {
            GroupRow fresh;
            fresh.queue = queue.number, fresh.name = group_names.hold(e.group);
            group = state::place_row<1>(group_rows, free_groups, fresh);
            group_index.insert(pair_hash(queue.number, fresh.name), group - 1);
        }
        ++group_rows.mut(group - 1).tasks;
        tasks.mut(slot).group = group;
    }
    if (e.due) note_delay(slot, e.due, at.time);
    hold_unique(slot, e.unique, e.unique_until);
    set_tags(slot, e.tags);
    ++queue.put;
    if (queue.settings.keep_ms > 0) keep(queue, tasks[slot]);
    auto const due_us = e.due ? e.due->us : 0;
    if (tasks[slot].group != 0) {
        begin(queue, slot, TaskState::behind, due_us);
        join_group(slot);
        choose_front(queue, tasks[slot].group, at.time);
    } else if (due_us > at.time.us) {
        begin(queue, slot, TaskState::delayed, due_us);
    } else {
        begin(queue, slot, TaskState::ready, 0);
    }
    offer(queue);
}
void State::apply(Edited const& e, At const& at) {
    auto const slot = slot_of(e.id.n);
    if (slot == none) return;
    auto& queue = queue_mut(tasks[slot].queue);
    if (e.content) set_content(slot, at);
    if (e.priority) {
        erase_place(queue, slot);
        TaskRow& t = tasks.mut(slot);
        t.priority = *e.priority, t.rank = rank_of(t.made_us, t.priority, queue.settings);
        insert_place(queue, slot);
    }
    if (e.unique_until && tasks[slot].unique != 0) {
        uniques.mut(tasks[slot].unique - 1).until_us = e.unique_until->us;
        windows.set(tasks[slot].unique, *e.unique_until);
    }
    auto const is = tasks[slot].is();
    if (e.due && (is == TaskState::ready || is == TaskState::delayed || is == TaskState::behind)) wait(queue, slot, e.due->us, at.time);
    changed(tasks[slot]);
    offer(queue);
}
void State::apply(Reserved const& e, At const& at) {
    auto const slot = slot_of(e.id.n);
    if (slot == none) return;
    TaskRow& t = tasks.mut(slot);
    auto& queue = queue_mut(t.queue);
    auto const waited_us = at.time.us - std::max(t.made_us, t.at_us);
    if (t.starts < 0xffff) ++t.starts;
    set_state(queue, slot, TaskState::leased, e.until.us);
    leases.put(t.number, {at.position, e.worker, at.time, 0, {}, {}});
    deadlines.set(t.number, e.until);
    workers.change_or_put(worker_key(queue.name, e.worker), [&](WorkerRow& w) {
        if (w.worker.empty()) w.worker = e.worker;
        ++w.running, w.seen = at.time;
    });
    count_start(queue, t.lane, at.time);
    refresh(queue, t.lane);
    count_time(queue, false, waited_us, at.time);
    offer(queue);
}
void State::apply(Extended const& e, At const& at) {
    auto const slot = slot_of(e.id.n);
    if (slot == none) return;
    tasks.mut(slot).at_us = e.until.us;
    deadlines.set(e.id.n, e.until);
    leases.change(e.id.n, [&](LeaseRow& lease) {
        if (e.progress_permille) lease.progress_permille = std::uint32_t(std::int64_t(*e.progress_permille));
        if (!e.message.empty()) lease.message = e.message;
    });
    if (!e.log.empty()) trace(slot, at);
    changed(tasks[slot]);
}
void State::apply(Completed const& e, At const& at) {
    auto const slot = slot_of(e.id.n);
    if (slot == none) return;
    auto& queue = queue_mut(tasks[slot].queue);
    ++queue.done;
    if (e.until) {
        count_run(queue, end_lease(queue, slot), at.time);
        set_state(queue, slot, TaskState::done, at.time.us);
        trace(slot, at);
        leave_group(queue, slot, at.time);
        let_unique(slot, at.time);
        kept.set(e.id.n, *e.until);
    } else {
        count_run(queue, remove(queue, slot, at.time), at.time);
    }
    offer(queue);
}
void State::apply(Failed const& e, At const& at) {
    auto const slot = slot_of(e.id.n);
    if (slot == none) return;
    auto& queue = queue_mut(tasks[slot].queue);
    count_run(queue, end_lease(queue, slot), at.time);
    trace(slot, at);
    if (tasks[slot].attempts < 0xffff) ++tasks.mut(slot).attempts;
    if (e.ending == Ending::expired) courses.change_or_put(e.id.n, [](CourseRow& c) { ++c.timeouts; });
    ++(e.ending == Ending::expired ? queue.expired : queue.failed);
    if (e.retry_at) {
        wait(queue, slot, e.retry_at->us, at.time);
        if (tasks[slot].group != 0) choose_front(queue, tasks[slot].group, at.time);
    } else if (e.dead_to) {
        set_state(queue, slot, TaskState::dead, at.time.us);
        apply(Moved{{e.id}, *e.dead_to}, at);
        apply(Kicked{{e.id}, true}, at);
    } else {
        set_state(queue, slot, TaskState::dead, at.time.us);
        leave_group(queue, slot, at.time);
        let_unique(slot, at.time);
        if (e.until) kept.set(e.id.n, *e.until);
    }
    offer(queue);
}
void State::apply(Released const& e, At const& at) {
    auto const slot = slot_of(e.id.n);
    if (slot == none) return;
    auto& queue = queue_mut(tasks[slot].queue);
    end_lease(queue, slot);
    if (e.priority) apply(Edited{.id = e.id, .priority = e.priority}, at);
    if (!e.gone) {
        courses.change_or_put(e.id.n, [](CourseRow& c) { ++c.releases; });
        note_delay(slot, e.due, at.time);
    }
    wait(queue, slot, e.due ? e.due->us : 0, at.time);
    if (tasks[slot].group != 0) choose_front(queue, tasks[slot].group, at.time);
    offer(queue);
}
void State::apply(Buried const& e, At const& at) {
    auto const slot = slot_of(e.id.n);
    if (slot == none) return;
    auto& queue = queue_mut(tasks[slot].queue);
    end_lease(queue, slot);
    if (e.priority) apply(Edited{.id = e.id, .priority = e.priority}, at);
    courses.change_or_put(e.id.n, [](CourseRow& c) { ++c.buries; });
    set_state(queue, slot, TaskState::buried, at.time.us);
    trace(slot, at);
    leave_group(queue, slot, at.time);
    offer(queue);
}
void State::apply(Kicked const& e, At const& at) {
    for (auto id : e.ids) {
        auto const slot = slot_of(id.n);
        if (slot == none || tasks[slot].is() == TaskState::leased) continue;
        auto& queue = queue_mut(tasks[slot].queue);
        if (e.afresh)
            tasks.mut(slot).attempts = 0;
        else
            courses.change_or_put(id.n, [](CourseRow& c) { ++c.kicks; });
        if (is_aside(tasks[slot].is()) && tasks[slot].group != 0) {
            set_state(queue, slot, TaskState::behind, 0);
            join_group(slot);
            choose_front(queue, tasks[slot].group, at.time);
        } else {
            wait(queue, slot, 0, at.time);
        }
        offer(queue);
    }
}
void State::apply(Moved const& e, At const& at) {
    auto& to = opened(e.queue, at.time);
    for (auto id : e.ids) {
        auto const slot = slot_of(id.n);
        if (slot == none || tasks[slot].is() == TaskState::leased || tasks[slot].queue == to.number) continue;
        auto& from = queue_mut(tasks[slot].queue);
        auto const lane = tasks[slot].lane;
        std::string const key(key_of(tasks[slot]));
        leave_group(from, slot, at.time);
        let_unique(slot, at.time);
        erase_place(from, slot), refresh(from, lane);
        ages.erase(slot, by_age());
        forget_group(tasks[slot].group);
        TaskRow& t = tasks.mut(slot);
        t.group = 0, t.queue = to.number, t.lane = lane_for(to, key);
        t.rank = rank_of(t.made_us, t.priority, to.settings);
        if (t.is() == TaskState::behind) t.state = std::uint8_t(TaskState::ready);
        ages.insert(slot, by_age());
        insert_place(to, slot);
        drop_lane_if_unused(lane);
        if (!is_aside(t.is())) keep(to, t);
        if (t.is() == TaskState::ready && t.at_us > 0) wait(to, slot, t.at_us, at.time);
        changed(tasks[slot]);
        offer(from);
    }
    offer(to);
}
void State::apply(Deleted const& e, At const& at) {
    for (auto id : e.ids) {
        auto const slot = slot_of(id.n);
        if (slot == none) continue;
        auto& queue = queue_mut(tasks[slot].queue);
        remove(queue, slot, at.time);
        offer(queue);
    }
}
void State::apply(CancelAsked const& e, At const&) {
    auto const slot = slot_of(e.id.n);
    if (slot == none) return;
    tasks.mut(slot).flags |= task_cancel;
    leases.change(e.id.n, [&](LeaseRow& lease) { lease.cancel_reason = e.reason; });
    changed(tasks[slot]);
}
void State::apply(Ripened const& e, At const& at) {
    for (auto id : e.ids) {
        auto const slot = slot_of(id.n);
        if (slot == none) continue;
        due.clear(id.n);
        if (tasks[slot].is() != TaskState::delayed) continue;
        auto& queue = queue_mut(tasks[slot].queue);
        auto const due_us = tasks[slot].at_us;
        wait(queue, slot, 0, at.time);
        tasks.mut(slot).at_us = due_us;  // from when on it waits for a worker
        offer(queue);
    }
}
void State::apply(Forgotten const& e, At const& at) { apply(Deleted{e.ids}, at); }
void State::apply(KeyFreed const& e, At const&) {
    slow_lanes.clear(e.lane);
    if (e.lane == 0 || e.lane > lanes.size() || lanes[e.lane - 1].queue == 0) return;
    auto const& queue = queue_of(lanes[e.lane - 1].queue);
    lanes.mut(e.lane - 1).flags &= ~std::uint32_t(lane_slow);
    if (lanes[e.lane - 1].tasks == 0) return drop_lane_if_unused(e.lane);
    refresh(queue, e.lane);
    offer(queue);
}
void State::apply(QueueFreed const& e, At const& at) {
    auto const* number = queue_numbers.find(e.queue);
    if (!number) return;
    auto& queue = queue_mut(*number);
    slow_queues.clear(queue.number);
    queue.slow = false;
    if (queue.paused && queue.paused_until && *queue.paused_until <= at.time)
        queue.paused = false, queue.paused_since = {}, queue.paused_until = {}, queue.pause_reason = {};
    offer(queue);
}
void State::apply(UniqueFreed const& e, At const&) {
    windows.clear(e.unique);
    if (e.unique == 0 || e.unique > uniques.size() || uniques[e.unique - 1].name == 0) return;
    if (uniques[e.unique - 1].number == 0) return drop_unique(e.unique);
    uniques.mut(e.unique - 1).until_us = 0;
}

}  // namespace gantry::queue
