#pragma once
#include <array>
#include <atomic>
#include <mutex>

#include "services/queue/jobs.h"

// What beanstalkd says of its connections and commands in `stats` and `stats-tube`: counted since the process began, written nowhere, and
// asked by no decision, but for whether a tube without jobs is there because somebody uses or watches it.
namespace gantry::queue::beanstalkd {

enum class Verb : std::uint8_t {  // in the order of `stats`
    put,
    peek,
    peek_ready,
    peek_delayed,
    peek_buried,
    reserve,
    reserve_with_timeout,
    delete_,
    release,
    use,
    watch,
    ignore,
    bury,
    kick,
    touch,
    stats,
    stats_job,
    stats_tube,
    list_tubes,
    list_tube_used,
    list_tubes_watched,
    pause_tube
};
inline constexpr std::array<std::string_view, 22> verb_names = {
    "put",       "peek",    "peek-ready", "peek-delayed", "peek-buried", "reserve",        "reserve-with-timeout",
    "delete",    "release", "use",        "watch",        "ignore",      "bury",           "kick",
    "touch",     "stats",   "stats-job",  "stats-tube",   "list-tubes",  "list-tube-used", "list-tubes-watched",
    "pause-tube"};

// Safe from any thread.
class Desk {
   public:
    Desk();
    void heard(Verb verb) { heard_[std::size_t(verb)].fetch_add(1, std::memory_order_relaxed); }
    std::atomic<std::uint64_t> connections = 0, connections_in_all = 0, producers = 0, workers = 0, waiting = 0;

    // By one more connection, or one less.
    void use(std::string const& tube, int by);
    void watch(std::string const& tube, int by);
    void wait(std::vector<std::string> const& tubes, int by);
    void deleted(std::string const& tube);
    void paused(std::string const& tube);

    // Used or watched by anybody; "default" always is.
    bool knows(std::string const& tube) const;
    std::vector<std::string> known() const;

    std::string text(ServerStats const& stats) const;
    std::string text(TubeStats const& stats) const;

   private:
    struct Tube {
        std::int64_t uses = 0, watches = 0, waits = 0;
        std::uint64_t deletes = 0, pauses = 0;
    };
    template <class Change>
    void change(std::string const& tube, Change&& change);

    std::array<std::atomic<std::uint64_t>, verb_names.size()> heard_{};
    std::int64_t began_ns_;
    mutable std::mutex mutex_;
    std::map<std::string, Tube> tubes_;
};
Desk& desk();

}  // namespace gantry::queue::beanstalkd
