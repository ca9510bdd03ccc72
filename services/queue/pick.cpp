#include "services/queue/pick.h"

namespace gantry::queue {
namespace {

constexpr std::size_t lanes_at_once = 128;  // more than one reserve may take, so that no lane that is passed over would have had a turn

}  // namespace

Picker::Picker(State const& s, std::vector<std::string_view> queues, std::string_view worker, Time now) : s_(s), now_(now) {
    for (auto name : queues) {
        auto const* row = s.queue(name);
        if (!row || State::is_closed(*row)) continue;
        auto const& settings = row->settings;
        std::int64_t may_start = State::starts_free(row->paid_us, settings.rate_max, settings.rate_window_ms, now);
        if (settings.concurrency_max > 0)
            may_start = std::min(may_start, settings.concurrency_max - std::int64_t(row->count(TaskState::leased)));
        if (settings.concurrency_per_worker_max > 0) {
            auto const* known = s.worker(name, worker);
            may_start = std::min(may_start, settings.concurrency_per_worker_max - std::int64_t(known ? known->running : 0));
        }
        if (may_start > 0) queues_.push_back({row, may_start, false, {}});
    }
}

void Picker::open(Queue& queue) {
    queue.opened = true;
    auto const& settings = queue.row->settings;
    s_.active.ascend({queue.row->number, 0, 0}, [&](ActiveLane const& at) {
        if (at.queue != queue.row->number || queue.lanes.size() == lanes_at_once) return false;
        LaneRow const& row = s_.lanes[at.lane - 1];
        Lane lane{.order = at.order, .lane = std::uint32_t(at.lane)};
        lane.step = settings.fair ? share_unit / std::uint64_t(weight_of(settings, s_.keys.text(row.key))) : 0;
        lane.may_start = State::starts_free(row.paid_us, settings.rate_per_key_max, settings.rate_window_ms, now_);
        if (settings.concurrency_per_key_max > 0)
            lane.may_start = std::min(lane.may_start, settings.concurrency_per_key_max - std::int64_t(row.running));
        queue.lanes.push_back(std::move(lane));
        return true;
    });
}

// Reads a few ahead, twice as many each time.
std::uint32_t Picker::head(Lane& lane) {
    if (lane.taken < lane.heads.size()) return lane.heads[lane.taken];
    auto const wanted = std::max<std::size_t>(1, lane.heads.size() * 2);
    lane.heads.clear();
    s_.walk_lane(lane.lane, TaskState::ready, [&](std::uint32_t slot) { return lane.heads.push_back(slot), lane.heads.size() <= wanted; });
    return lane.taken < lane.heads.size() ? lane.heads[lane.taken] : State::none;
}

Picker::Lane* Picker::turn(Queue& queue) {
    if (queue.may_start <= 0) return nullptr;
    if (!queue.opened) open(queue);
    Lane* best = nullptr;
    for (auto& lane : queue.lanes) {
        if (lane.may_start <= 0 || head(lane) == State::none) continue;
        if (!queue.row->settings.fair) lane.order = std::uint64_t(s_.tasks[head(lane)].rank) ^ std::uint64_t(1) << 63;
        if (!best || std::pair(lane.order, lane.lane) < std::pair(best->order, best->lane)) best = &lane;
    }
    return best;
}

std::uint32_t Picker::next() {
    Queue* from = nullptr;
    Lane* best = nullptr;
    for (auto& queue : queues_) {
        auto* lane = turn(queue);
        if (!lane) continue;
        auto const rank = [&](Lane& l) { return std::pair(s_.tasks[head(l)].rank, s_.tasks[head(l)].number); };
        if (!best || rank(*lane) < rank(*best)) best = lane, from = &queue;
    }
    if (!best) return State::none;
    auto const slot = head(*best);
    ++best->taken, --best->may_start, --from->may_start;
    best->order += best->step;
    return slot;
}

}  // namespace gantry::queue
