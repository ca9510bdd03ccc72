#pragma once
#include <map>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "kernel/http/server.h"
#include "kernel/runtime/edge.h"

namespace gantry::runtime {

// The live readers of one IO thread, and its queries: each distinct query is evaluated once however many read it who
// see the same. One that names its keys
// is evaluated when one of them is touched; one that looks at whole tables at most every `wide_period`. A parked reader is a handle of its
// connection and a few words here.
//
// What a reader is sent: first the whole answer as an event without a name, its id the position that the answer rests on; then, each time
// the answer changed, the whole again or (`patch`) an event `patch` with a JSON merge patch on the one before; an event `problem` when it
// can't be told any longer. A reader that is slow misses what lies between and gets the newest answer whole. `moved` comes before a planned
// stop.
class Edge::Live {
   public:
    static constexpr Duration wide_period = Duration::millis(250), heartbeat = Duration::seconds(15);

    Live(Edge& edge, int io_thread) : edge_(edge), io_thread_(io_thread) {}

    // Takes over a request. `last_seen`: the position up to which the reader has the answer; 0: it has none.
    void open(Asked const& asked, LiveForm form, Position last_seen, http::Deferred deferred);
    // Some of the queries' keys were touched.
    void wake(std::vector<std::uint64_t> const& queries);
    // Tells every reader to come back after a while of its own, and ends it.
    void move_all();
    // Ends the readers of callers of whom something was revoked.
    void drop_ended();

    std::size_t readers() const { return readers_; }
    std::size_t behind() const;
    std::uint64_t evaluations() const { return evaluations_; }

   private:
    struct Reader {
        std::uint64_t number = 0;
        LiveForm form = LiveForm::full;
        bool behind = false;        // its buffer is full
        std::uint64_t version = 0;  // of the answer that it has
        EdgeCallerRef caller;
        http::StreamWriter out;
    };
    struct Opening {
        LiveForm form = LiveForm::full;
        Position last_seen = 0;
        std::string request_id;
        EdgeCallerRef caller;
        http::Deferred deferred;
    };
    struct Query {
        std::uint64_t number = 0;
        std::string name, path, query;
        Viewer viewer;
        Host* host = nullptr;
        RouteDecl const* route = nullptr;
        bool evaluating = false, again = false, watched = false, wide = false, broad = false;
        std::vector<state::KeyHash> keys;
        Position applied = 0;
        std::uint64_t rebuilds = 0;
        std::uint64_t version = 0;  // one more with each changed answer
        int status = 0;             // 0: not yet evaluated
        std::string body;           // the answer, or the problem
        Position position = 0;
        std::vector<Reader> readers;
        std::vector<Opening> openings;
    };
    Query& query_of(Asked const& asked);
    void evaluate(Query& query);
    void settle(std::uint64_t number, Result<Answer> answer);
    void follow(Query& query, Seen const& seen);
    void unfollow(Query& query);
    bool outdated(Query const& query) const;
    void start(Query& query, Opening opening, Problem const* problem);
    void tell_all(Query& query, std::string_view patch);
    void tell(Query const& query, Reader& reader, std::string_view patch);
    void drained(std::uint64_t query, std::uint64_t reader);
    void left(std::uint64_t query, std::uint64_t reader);
    void evaluate_later(std::uint64_t number);
    void drop_if_unread(std::uint64_t number);
    void look_at_wide_ones_later();
    void look_at_wide_ones();
    Query* find(std::uint64_t number);

    Edge& edge_;
    int io_thread_;
    std::unordered_map<std::uint64_t, std::unique_ptr<Query>> queries_;
    std::map<std::string, std::uint64_t, std::less<>> by_name_;
    std::uint64_t last_number_ = 0;
    std::size_t readers_ = 0;
    std::uint64_t evaluations_ = 0;
    bool timer_set_ = false;
};

}  // namespace gantry::runtime
