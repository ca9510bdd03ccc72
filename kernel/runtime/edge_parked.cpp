#include "kernel/runtime/edge_parked.h"

#include <vector>

#include "kernel/runtime/deadline.h"
#include "kernel/runtime/edge_lane.h"
#include "kernel/runtime/reply.h"

namespace gantry::runtime {

void Edge::ParkedCommands::add(Edge& edge, Place place, Asked const& asked, std::uint64_t number, http::Deferred deferred) {
    auto parked = std::make_shared<Parked>(std::make_unique<AskedLater>(asked), std::move(deferred), asked.match.target->host, number);
    parked->since_ns = system_clock().steady_ns();
    by_place_.emplace(place, parked);
    // It is to be decided, and durable, before its deadline.
    if (asked.deadline_us != 0) {
        auto const left = until_deadline(asked.deadline_us, Duration::days(1));
        parked->deadline =
            edge.options_.threads->after(asked.io_thread, Duration{left.us * 9 / 10}, [alive = edge.alive_, host = parked->host, number] {
                if (*alive) host->hurry(number);
            });
    }
    watch_client(place, *parked);
}

std::shared_ptr<Edge::Parked> Edge::ParkedCommands::find(Place place) const {
    auto const found = by_place_.find(place);
    return found == by_place_.end() ? nullptr : found->second;
}

void Edge::ParkedCommands::remove(Place place) {
    auto const parked = find(place);
    if (!parked) return;
    by_place_.erase(place);
    parked->deadline.cancel();
    parked->host->leave(parked->number);
}

// Last: it may be called at once.
void Edge::ParkedCommands::watch_client(Place place, Parked& parked) {
    parked.deferred.on_cancel([this, place] { remove(place); });
}

void Edge::ParkedCommands::end(Place place, Problem const& problem) {
    auto const parked = find(place);
    if (!parked) return;
    parked->deferred.on_cancel(nullptr);
    remove(place);
    auto const& asked = parked->asked->view();
    write_failure(parked->deferred.response(), *parked->host, *asked.match.target->route, problem, asked.request_id,
                  asked.head.header("Content-Type"));
}

void Edge::ParkedCommands::end_all(Problem const& problem) {
    std::vector<Place> places;
    for (auto const& [place, parked] : by_place_) places.push_back(place);
    for (auto const place : places) end(place, problem);
}

void Edge::ParkedCommands::drop_ended() {
    std::vector<Place> places;
    for (auto const& [place, parked] : by_place_)
        if (parked->asked->view().caller->is_ended()) places.push_back(place);
    for (auto const place : places) end(place, caller_ended());
}

}  // namespace gantry::runtime
