#include "services/queue/metrics.h"

#include <algorithm>
#include <array>

#include "services/queue/views.h"

namespace gantry::queue {
namespace {

constexpr std::size_t examined_max = 2000, examined_of_others = 20;  // tasks of one queue
constexpr std::size_t keys_max = 100;                                // of one queue
constexpr std::int64_t hour_us = 3'600'000'000;
std::string const others = "*";  // no queue can have this name
constexpr std::array<char const*, task_states> state_names{"ready", "delayed", "behind", "leased", "buried", "dead", "done"};

double seconds(Duration d) { return double(d.us) / 1e6; }

struct Families {
    OwnMetric queues{OwnMetricKind::gauge, "gantry_queue_queues", "Queues that there are.", {}};
    OwnMetric tasks{
        OwnMetricKind::gauge, "gantry_queue_tasks", "Tasks by queue and state; queue=\"*\": of all queues but the hundred busiest.", {}};
    OwnMetric oldest{OwnMetricKind::gauge,
                     "gantry_queue_oldest_ready_seconds",
                     "How long the task waits for a worker that waits longest; 0: none is ready.",
                     {}};
    OwnMetric paused{OwnMetricKind::gauge, "gantry_queue_paused", "1 when a queue is paused.", {}};
    OwnMetric wait{OwnMetricKind::gauge,
                   "gantry_queue_task_wait_seconds",
                   "How long tasks waited that were started in this hour and the one before, to a quarter of a doubling.",
                   {}};
    OwnMetric run{OwnMetricKind::gauge,
                  "gantry_queue_task_run_seconds",
                  "How long attempts ran that ended in this hour and the one before, to a quarter of a doubling.",
                  {}};
    OwnMetric put{OwnMetricKind::counter, "gantry_queue_put_total", "Tasks that were put.", {}};
    OwnMetric completed{OwnMetricKind::counter, "gantry_queue_completed_total", "Tasks that were completed.", {}};
    OwnMetric failed{
        OwnMetricKind::counter, "gantry_queue_failed_total", "Attempts that came to nothing: failed, or their lease expired.", {}};

    std::vector<OwnMetric> all() && {
        std::vector<OwnMetric> out;
        for (auto* family : {&queues, &tasks, &oldest, &paused, &wait, &run, &put, &completed, &failed}) out.push_back(std::move(*family));
        return out;
    }
};

// What is told of a queue by its name, and of the others together.
struct Figures {
    std::array<std::uint64_t, task_states> counts{};
    Duration oldest;
    std::uint64_t put = 0, done = 0, failed = 0, expired = 0;

    void add(State const& s, QueueRow const& queue, Time now, std::size_t tasks_max) {
        for (std::size_t i = 0; i < task_states; ++i) counts[i] += queue.counts[i];
        oldest = std::max(oldest, oldest_ready(s, queue, now, tasks_max).value_or(Duration{}));
        put += queue.put, done += queue.done, failed += queue.failed, expired += queue.expired;
    }
    void tell(Families& out, std::string const& name) const {
        for (std::size_t i = 0; i < task_states; ++i)
            out.tasks.samples.push_back({{{"queue", name}, {"state", state_names[i]}}, double(counts[i])});
        out.oldest.samples.push_back({{{"queue", name}}, seconds(oldest)});
        out.put.samples.push_back({{{"queue", name}}, double(put)});
        out.completed.samples.push_back({{{"queue", name}}, double(done)});
        out.failed.samples.push_back({{{"queue", name}, {"ending", "failed"}}, double(failed)});
        out.failed.samples.push_back({{{"queue", name}, {"ending", "expired"}}, double(expired)});
    }
};

void tell_times(OwnMetric& out, State const& s, QueueRow const& queue, TimeOf of, Time now) {
    if (queue.hour < now.us / hour_us - 1) return;  // nothing was started or ended lately
    auto const times = times_of(s, queue, of);
    if (times.count == 0) return;
    for (auto const& [quantile, ms] : {std::pair{"0.5", times.p50_ms}, {"0.95", times.p95_ms}, {"0.99", times.p99_ms}})
        out.samples.push_back({{{"queue", queue.name.str()}, {"quantile", quantile}}, ms / 1000});
}

}  // namespace

std::optional<Duration> oldest_ready(State const& s, QueueRow const& queue, Time now, std::size_t tasks_max) {
    if (queue.count(TaskState::ready) == 0) return {};
    std::int64_t longest_us = -1;
    auto const look_at = [&](TaskRow const& t) { longest_us = std::max(longest_us, now.us - std::max(t.made_us, t.at_us)); };
    bool whole = true;
    s.ages.ascend(
        State::age(queue.number, TaskState::ready, 0),
        [&](std::uint32_t slot) {
            auto const& t = s.tasks[slot];
            if (t.queue != queue.number || is_aside(t.is()) || now.us - t.made_us <= longest_us) return false;  // later ones are younger
            if (t.is() == TaskState::ready) look_at(t);
            return whole = --tasks_max > 0;
        },
        s.by_age());
    if (!whole) {
        std::size_t keys = keys_max;
        s.active.ascend({queue.number, 0, 0}, [&](ActiveLane const& lane) {
            if (lane.queue != queue.number || keys-- == 0) return false;
            s.walk_lane(std::uint32_t(lane.lane), TaskState::ready, [&](std::uint32_t slot) { return look_at(s.tasks[slot]), false; });
            return true;
        });
    }
    return Duration{std::max<std::int64_t>(longest_us, 0)};
}

std::vector<OwnMetric> metrics(State const& s, Time now) {
    std::vector<QueueRow const*> queues;
    s.walk_queues(nullptr, [&](Str const&, QueueRow const& row) { return queues.push_back(&row), true; });
    auto const named = std::min(queues.size(), metrics_queues_max);
    // By what was put in all, which changes sides seldom: a counter of the others that falls looks like a restart.
    std::ranges::sort(queues, std::less(), [](QueueRow const* q) { return std::pair(~q->put, q->number); });
    Families out;
    out.queues.samples.push_back({{}, double(queues.size())});
    for (std::size_t i = 0; i < named; ++i) {
        Figures figures;
        figures.add(s, *queues[i], now, examined_max);
        figures.tell(out, queues[i]->name.str());
        out.paused.samples.push_back({{{"queue", queues[i]->name.str()}}, queues[i]->paused ? 1.0 : 0.0});
        tell_times(out.wait, s, *queues[i], TimeOf::wait, now);
        tell_times(out.run, s, *queues[i], TimeOf::run, now);
    }
    if (named == queues.size()) return std::move(out).all();
    Figures figures;
    for (std::size_t i = named; i < queues.size(); ++i) figures.add(s, *queues[i], now, examined_of_others);
    figures.tell(out, others);
    return std::move(out).all();
}

}  // namespace gantry::queue
