#pragma once
#include <atomic>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "kernel/http/server.h"
#include "kernel/net/net.h"
#include "kernel/runtime/admin.h"
#include "kernel/runtime/binding.h"
#include "kernel/runtime/congestion.h"
#include "kernel/runtime/edge_caller.h"
#include "kernel/runtime/host.h"
#include "kernel/runtime/kernel_query.h"
#include "kernel/runtime/reports.h"
#include "kernel/runtime/static_file.h"
#include "kernel/runtime/ticket.h"

namespace gantry::runtime {

struct ReplyTo;
enum class BulkForm { lines, array };

struct EdgeOptions {
    std::span<StaticFile const> files = {};
    std::string_view files_security_policy = {};
    std::string version = "0";
    Admin const* admin = nullptr;       // outlives the edge; null: there is nothing at /_gantry/
    Reports* reports = nullptr;         // outlives the edge; null: failures are log lines
    net::IoThreads* threads = nullptr;  // for waits with a limit; null: Gantry-After doesn't wait
    // Runs what works long before it is decided; false: too much waits already. Null: on the thread of the connection.
    std::function<bool(std::move_only_function<void()>)> slow = {};
    Clock* clock = &system_clock();
    Random* random = &system_random();
    // Who calls, instead of whom the gate found; a problem is the answer. Null and no gate: everyone is "u_local" (DESIGN §9).
    std::function<Result<Viewer>(http::RequestHead const&)> viewer = {};
    // Since when the process is being drained (wall time in µs; 0: it isn't): it is not ready any more, and goes on answering. Null: never.
    std::atomic<std::int64_t> const* draining_since = nullptr;
    Duration after_wait_max = Duration::seconds(5);
    std::uint64_t body_bytes_max = 8 << 20;      // of a command's body
    std::uint64_t bulk_bytes_max = 64ull << 30;  // of an NDJSON stream
    std::size_t bulk_items_max = 10'000;         // of an array
};

// The public surface: routes /<service>/v<n>/… to hosts over HTTP, with positions, ETags, idempotency and bulk; the OpenAPI document of
// each service and version; /health/live, /health/ready, /health/writer; and the console's files. Every fault is a problem document. Open
// loopback mode (DESIGN §9) until credentials exist. What is kept of one caller's answers is given to no other who may see other things.
class Edge final : public http::Handler {
   public:
    // The hosts outlive the edge.
    explicit Edge(std::vector<Host*> hosts, EdgeOptions options = {});
    ~Edge() override;

    http::BodyPlan plan(http::RequestHead const& head) override;
    // Of a request that came through the gate: no body of one that will be refused.
    http::BodyPlan arrive(http::Arrival& arrival) override;
    void handle(http::Exchange& exchange) override;
    std::span<Target const> targets() const { return table_.targets(); }
    std::span<Host* const> hosts() const { return hosts_; }
    // What a request would ask of its service; no host: it is no route of one.
    struct Load {
        Host const* host = nullptr;
        LoadClass load = LoadClass::read;
    };
    Load load_of(http::RequestHead const& head) const;
    // Answers a read if its answer is kept.
    bool answer_kept(http::Exchange& exchange);
    // Of routes of other protocols (foreign.h), by their heads.
    bool is_foreign(http::RequestHead const& head) const;
    bool is_cross_origin(http::RequestHead const& head) const;
    bool is_anonymous(http::RequestHead const& head) const;
    // Whose requests may be signed, and for which service (ForeignOptions::signed_for); empty: not these.
    struct Signed {
        Host const* host = nullptr;
        std::string_view service;
    };
    Signed signed_for(http::RequestHead const& head) const;
    // A refusal of the gate, in the words of the protocol that is spoken there.
    void refuse(http::Exchange& exchange, Problem const& problem, std::string_view request_id) const;
    // Before a planned stop: live readers are told to come back, and end; commands that wait are answered, and none waits from here on.
    void announce_stop();
    // There will be none: commands may wait again.
    void take_back_stop() { stop_announced_ = false; }
    // Ends streams whose callers were changed, disabled or removed.
    void drop_ended();
    // Evaluations of live queries so far, the readers that there are, and those of them that are too slow for every answer; from any
    // thread but the IO threads.
    struct LiveCounts {
        std::uint64_t evaluations = 0, readers = 0, behind = 0;
    };
    LiveCounts live_counts();

    // The position of an event that a live reader has seen; 0 for one of another history.
    static Position last_seen(Host const& host, std::string_view last_event_id);
    // The host of which a `Gantry-After` wants more than is durable, and the position that it wants; null: none. 400 "position_invalid",
    // 410 "position_gone".
    Result<Host*> behind(std::string_view after, Position& position) const;

   private:
    friend class Bulk;
    class Live;
    class Feed;
    struct Lane;        // what belongs to one IO thread
    struct Asked;       // one request to a route, as views
    struct AskedLater;  // the same, owning
    struct Parked;      // a command that waits
    class ParkedCommands;
    struct Document {
        std::string path, body, etag;
    };
    Lane& lane(int io_thread);
    void on_lanes(std::function<void(Lane&)> act);
    void open_live(Asked const& asked, http::Deferred deferred);
    // The number in a position's text, of whatever history.
    bool answer_from_cache(http::Exchange& exchange, EdgeCaller const& caller, Ticket* ticket);
    bool answer_file(http::Exchange& exchange);
    bool answer_document(http::Exchange& exchange);
    bool answer_health(http::Exchange& exchange);
    void answer_unknown(http::Exchange& exchange, Match const& match);
    void answer_route(http::Exchange& exchange, Match const& match, EdgeCallerRef const& caller);
    // `room` holds it where no ticket does.
    Result<EdgeCallerRef const*> caller_of(http::Exchange const& exchange, EdgeCallerRef& room) const;
    http::BodyPlan plan(http::RequestHead const& head, Match const& found) const;
    // The id of a request: its ticket's, its own if that is plain, else a new one.
    std::string id_of(http::Exchange const& exchange);
    std::string id_of(Asked const& asked);
    static std::string trace_state_of(Asked const& asked);
    static bool asks_nothing(Host& host, Asked const& asked, Bind const& bind);
    static Result<void> bind_foreign(Asked const& asked, void* out);
    // The scope that it asks for.
    static std::string_view scope_of(Asked const& asked);
    static void open_to_origins(http::Exchange& exchange, ForeignDecl const& foreign);
    void start_bulk(http::Exchange& exchange, Asked const& asked, BulkForm form);
    template <class Defer, class Respond>
    void run(Asked const& asked, Defer&& defer, Respond&& respond);
    // The same for a read that asks for the past.
    template <class Defer, class Respond>
    void run_past(Asked const& asked, Defer&& defer, Respond&& respond);
    struct ToldPast;
    ToldPast read_past(Asked const& asked, Result<PastState> const& past);
    void keep_past(Asked const& asked, std::string const& view, ToldPast told, std::uint64_t rebuilds);
    Done answer_timely(Asked const& asked, ReplyTo to, http::Deferred deferred);
    // Has the index of a search asked on another thread, then runs it with what was found.
    void search_first(Asked const& asked, Request const& request, http::Deferred deferred);
    bool is_for_worker(Asked const& asked) const;
    void run_slow(std::shared_ptr<AskedLater> asked, http::Deferred deferred);
    void run_after(Host& host, Position position, std::shared_ptr<AskedLater> asked, http::Deferred deferred);
    void answer(http::Exchange& exchange);
    // Of one that waited.
    void decide_again(int io_thread, std::uint64_t place);

    std::vector<Host*> hosts_;
    RouteTable table_;
    EdgeOptions options_;
    std::vector<Document> documents_;
    std::vector<std::unique_ptr<Lane>> lanes_;
    std::atomic<bool> stop_announced_ = false;
    // False once the edge has gone, for what was posted to a lane before.
    std::shared_ptr<std::atomic<bool>> alive_ = std::make_shared<std::atomic<bool>>(true);
};

}  // namespace gantry::runtime
