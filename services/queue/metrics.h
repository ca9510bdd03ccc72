#pragma once
#include "services/queue/state.h"

// What GET /metrics tells of queues: of the hundred that most was put into, each by its name; of all others the sum, as queue="*".
namespace gantry::queue {

inline constexpr std::size_t metrics_queues_max = 100;

std::vector<OwnMetric> metrics(State const& s, Time now);

// How long the task waits for a worker that waits longest; nothing: none does. Looks at no more than `tasks_max` tasks that are older than
// the longest wait it has found, and goes on then by what comes next of each key: it may tell less than there is, never more.
std::optional<Duration> oldest_ready(State const& s, QueueRow const& queue, Time now, std::size_t tasks_max);

}  // namespace gantry::queue
