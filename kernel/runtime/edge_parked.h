#pragma once
#include <memory>
#include <unordered_map>

#include "kernel/net/net.h"
#include "kernel/runtime/edge.h"
#include "kernel/runtime/edge_asked.h"

namespace gantry::runtime {

// One command that waits (waiting.h), on its IO thread: what it takes to decide it again, and the right to answer it.
struct Edge::Parked {
    std::unique_ptr<AskedLater> asked;
    http::Deferred deferred;
    Host* host = nullptr;
    std::uint64_t number = 0;  // the host's
    net::Timer deadline = {};
    std::int64_t since_ns = 0;
    bool waits = true;
};

// Those of one IO thread.
class Edge::ParkedCommands {
   public:
    using Place = std::uint64_t;
    Place next() { return ++last_; }
    void add(Edge& edge, Place place, Asked const& asked, std::uint64_t number, http::Deferred deferred);
    // Null: its client has gone.
    std::shared_ptr<Parked> find(Place place) const;
    void remove(Place place);
    // What its client does from here on drops it, or concerns nobody.
    void watch_client(Place place, Parked& parked);
    // Each is answered with the problem.
    void end_all(Problem const& problem);
    void drop_ended();

   private:
    void end(Place place, Problem const& problem);
    Place last_ = 0;
    std::unordered_map<Place, std::shared_ptr<Parked>> by_place_;
};

}  // namespace gantry::runtime
