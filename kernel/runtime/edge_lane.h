#pragma once
#include <memory>
#include <set>
#include <unordered_map>
#include <vector>

#include "kernel/runtime/answer_cache.h"
#include "kernel/runtime/edge_feed.h"
#include "kernel/runtime/edge_parked.h"
#include "kernel/runtime/live.h"

namespace gantry::runtime {

// How long after a planned stop the last reader comes back; each at a moment of its own.
inline constexpr std::uint64_t move_within_ms = 3000;

// What belongs to one IO thread of the edge.
struct Edge::Lane {
    AnswerCache cache;
    SeededRandom random{system_random().next()};  // of request ids: unlikely to meet is enough
    std::unique_ptr<Live> live;
    std::set<std::shared_ptr<Feed>> feeds;
    std::unordered_map<std::uint64_t, std::weak_ptr<Feed>> parked_feeds;  // by watcher
    ParkedCommands parked;

    // Numbers of watchers: those of feeds have the highest bit.
    static constexpr std::uint64_t of_feeds = std::uint64_t{1} << 63;
    std::uint64_t next_watcher() { return of_feeds | ++last_watcher_; }
    void wake(std::vector<std::uint64_t> const& watchers) {
        std::vector<std::uint64_t> queries;
        for (auto watcher : watchers) {
            if (!(watcher & of_feeds)) {
                queries.push_back(watcher);
            } else if (auto parked = parked_feeds.find(watcher); parked != parked_feeds.end()) {
                if (auto feed = parked->second.lock()) feed->wake();
            }
        }
        if (live && !queries.empty()) live->wake(queries);
    }
    void move_all() {
        if (live) live->move_all();
        for (auto const& feed : std::set(feeds)) feed->move();
    }

    void drop_ended() {
        if (live) live->drop_ended();
        for (auto const& feed : std::set(feeds)) feed->drop_if_ended();
        parked.drop_ended();
    }

   private:
    std::uint64_t last_watcher_ = 0;
};

}  // namespace gantry::runtime
