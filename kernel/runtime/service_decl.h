#pragma once
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "kernel/codec/schema.h"
#include "kernel/codec/type.h"
#include "kernel/runtime/decision.h"
#include "kernel/runtime/foreign.h"
#include "kernel/runtime/outbox.h"
#include "kernel/runtime/own_metrics.h"
#include "kernel/state/portable.h"
#include "kernel/text/index.h"

// A service as tables: what `declare<Service>()` (service.h) makes of its State, Event and routes, and the host walks.
namespace gantry {
namespace runtime {

// What a full-text index found, and why it may lack something; nothing: it shows all that is durable.
struct Searched {
    text::Found found;
    std::optional<std::string> behind;
};

// What a route's generated code asks of the call that it serves. One call, one thread.
class Call {
   public:
    virtual ~Call() = default;
    virtual Result<void> bind(codec::Type const& input, void* out) = 0;
    // Between begin_read and end_read the state stands still, lookups are noted and visibility holds.
    virtual Result<void const*> begin_read() = 0;
    // What the route's query finds; before begin_read. A search is of now alone.
    virtual Result<Searched> search(void const* input);
    virtual Position end_read() = 0;  // the position of the newest event that the answer rests on
    // Between begin_write and end_write this command has the service for itself.
    virtual Result<void*> begin_write() = 0;
    virtual Ctx const& ctx() const = 0;
    // One event (the variant) of the service's own log, after end_read; ctx().durable is the last that can be had. Null: the log has it no
    // more.
    virtual Result<std::shared_ptr<void const>> event(Position position) = 0;
    virtual Result<void> may_record(std::uint32_t event_type) = 0;  // 503 "upgrade_unfinished" for what the release before doesn't know
    virtual void record(std::uint32_t event_type, std::uint64_t events_so_far) = 0;  // its payload was appended to events()
    virtual std::string& payload() = 0;
    virtual codec::Sealer const* sealer() const = 0;
    virtual At next_at() const = 0;
    // Whether the log would take what was recorded; asked before it is folded.
    virtual Result<void> may_append() { return {}; }
    virtual void applying() = 0;  // from here on a failure means that apply broke its promise
    virtual Result<void> end_write(codec::Type const& reply, void const* value, int status) = 0;
    virtual void abandon_write() = 0;
    // Instead of end_write: the decision answered `wait`. 500 "wait_refused" where it may not.
    virtual Result<void> wait(Wait wait, std::size_t events);
    virtual std::string position_text(Position position) const = 0;
    virtual void answer(codec::Type const& reply, void const* value, int status) = 0;
};

class Host;
class Bind;
struct LineDecl;
class TextChanges;
struct Answer;
using RouteFn = void (*)();
using RunKernelRoute = Result<Answer> (*)(Host&, Bind const&);
using RunRoute = Result<void> (*)(RouteFn, Call&);
// The reply (JSON) of a told command, made of what its decision found and of the log's events.
using ReadEvent = std::function<Result<std::shared_ptr<void const>>(Position)>;
using TellRoute = Result<std::string> (*)(void const* found, ReadEvent read, Ctx const&);
using MakeQuery = Result<text::Query> (*)(RouteFn, void const* input, Ctx const&);

struct RouteDecl {
    Version version{};
    std::string_view verb, path;
    bool command = false;
    bool bulk = false;
    bool page = false;       // a read that answers with a Page
    bool slow = false;       // a command that works long before it is decided: for a worker's thread
    bool feed = false;       // the kernel's own: what the service recorded (feed.h)
    bool waits = false;      // a command that may answer that it waits
    std::string_view scope;  // empty: open to all
    std::string_view doc;
    std::optional<Deprecated> deprecated;
    codec::Type const* input = nullptr;
    codec::Type const* reply = nullptr;
    RouteFn function = nullptr;
    RunRoute run = nullptr;
    codec::Type const* found = nullptr;  // of a told command, with `tell`: what its decision gives, and what is remembered for repeats
    TellRoute tell = nullptr;
    RouteFn query = nullptr;  // of a search (text.h), with make_query
    MakeQuery make_query = nullptr;
    RunKernelRoute kernel = nullptr;          // instead of `run`: about what the kernel keeps beside the state; of now alone
    std::optional<ForeignDecl> foreign = {};  // of another protocol; `version` says nothing
};

// Where it is reached: "/notes/v1/{id}", "/oops/api/{project}/envelope".
std::string path_of(std::string_view service, RouteDecl const& route);

// The operations of a State, walked member by member as STATE names them.
struct StateOps {
    std::unique_ptr<void, void (*)(void*)> (*create)();
    std::unique_ptr<void, void (*)(void*)> (*view)(void const*);  // a copy: needs the lock, then stands still on its own
    void (*save)(void const*, state::Out&);
    bool (*load)(void*, state::In&);
    // The same with the name of each member, in the portable form: a later binary skips a member that it no longer has, and a new one
    // stays empty.
    void (*save_portable)(void const*, state::Out&);
    bool (*load_portable)(void*, state::In&);
    std::uint64_t (*digest)(void const*);
    std::vector<std::pair<std::string, std::uint64_t>> (*memory_bytes)(void const*);
    std::uint64_t fingerprint = 0;  // of the members' names and row types: what keys a snapshot
};

// Folds the events of whole batches into a state: those after `from`, up to and including `upto`.
using Replay = Result<void> (*)(void* state, std::span<log::BatchView const>, codec::EventReader const&, codec::Sealer const*,
                                Position from, Position upto);

// What happens when a key of a Due member of the state is due: facts that clear it or give it another time. They fire by log time, on the
// writer: never early, and late at most by what the process was away or busy.
struct TimerDecl {
    Duration grace = {};  // after a start nothing fires sooner: who holds a lease gets time to come back
    RouteFn function = nullptr;
    std::optional<Time> (*first)(void const* state) = nullptr;
    Result<void> (*fire)(RouteFn, Call&) = nullptr;  // the first one, if it is due
};

// What does the effects of a kind (effects.h).
struct EffectDecl {
    std::string_view kind;
    std::size_t alternative = 0;
    EffectOptions options;
    RouteFn act = nullptr, then = nullptr;
    // The effect itself, of an event (a variant) that asks for it. What it gives is for `settle`.
    Result<std::shared_ptr<void const>> (*run)(EffectDecl const&, void const* event, Outside&) = nullptr;
    // Records the outcome, and what the service makes of it unless `event` is null. Nothing happens when the effect isn't pending any more.
    Result<void> (*settle)(EffectDecl const&, Call&, EffectOutcome const& outcome, void const* event,
                           Result<std::shared_ptr<void const>> const& done) = nullptr;
};

// What a service does about the events of another one (follow.h).
struct FollowDecl {
    // The decision about one event, and the fold of what it records. Expected failures leave the state as it was.
    using Run = Result<void> (*)(RouteFn, Call&, void* state, void const* event, At const&);
    struct Handler {
        RouteFn function = nullptr;  // null: events of this type are passed over
        Run run = nullptr;
    };
    std::string_view source;
    codec::Type const* event = nullptr;  // of the source
    std::vector<codec::Rename> renames;  // of the source
    std::vector<Handler> handlers;       // by the source's alternative
    bool takes_all = false;              // one handler for all types: an unknown one is a failure, and not passed over
    bool (*decode)(void* event, std::uint32_t alternative, std::string_view payload, codec::Sealer const*) = nullptr;  // of today's shape
};

// What documents a service's events give (text.h).
struct TextDecl {
    text::Schema schema;
    // What an event (a variant) changes. `state`: of now, or null where the service doesn't ask for it.
    void (*changes)(void const* state, void const* event, At const&, TextChanges& out) = nullptr;
    bool asks_state = false;
    FollowDecl events;  // how the service's own log is read
};

// GET /events, which every service has.
RouteDecl feed_route();
struct ServiceDecl;
void add_follower_routes(ServiceDecl& decl);
// Of the kernel's own routes, whose scopes are ":read" and ":operate": "notes:read", "notes:operate".
void name_scopes(ServiceDecl& decl);

struct ServiceDecl {
    std::string_view name;
    std::string_view doc;
    codec::Type const* event = nullptr;
    std::vector<RouteDecl> routes;
    std::vector<codec::Rename> renames;
    StateOps state;
    Replay replay = nullptr;
    // Whether a viewer may be told of an event (a variant) of the feed, under the state of now. Null: everyone may.
    bool (*may_see_event)(void const* state, void const* event, Viewer const& viewer) = nullptr;
    // Whether the feed never tells of an event (a variant), to nobody: one that holds verifiers. Null: there are none.
    bool (*keeps_back)(void const* event) = nullptr;
    // Whether there is something that not everyone may see.
    bool hides = false;  // some rows or events are not for everyone
    // What the kernel asks the service each second of log time: facts that time alone brings about. Null: none.
    Result<void> (*tick)(Call&) = nullptr;
    std::vector<TimerDecl> timers;
    std::vector<EffectDecl> effects;
    Outbox const& (*outbox)(void const* state) = nullptr;  // null: the service has no effects
    std::vector<FollowDecl> followers;                     // each of another source
    std::optional<TextDecl> text;                          // nothing: the service has no full-text index
    codec::Type const* settings = nullptr;                 // null: none
    std::vector<std::pair<std::string_view, std::string_view>> settings_docs;
    // How long the log keeps what the state no longer needs, by the service's settings; nothing: for ever. Null: for ever.
    std::optional<Duration> (*retention)(void const* settings) = nullptr;
    std::vector<std::shared_ptr<LineDecl const>> lines;  // protocols of lines (line.h)
    std::vector<OwnPort> own_ports;                      // foreign HTTP protocols at the root of a listener of their own
    // The oldest position that the service still has to look at before retention may cut it; nothing: none. Null: none.
    std::optional<Position> (*needs)(void const* state) = nullptr;
    // What it tells of itself at /metrics. Null: nothing.
    std::vector<OwnMetric> (*metrics)(void const* state, Time now) = nullptr;
};

}  // namespace runtime

using Route = runtime::RouteDecl;
using Timer = runtime::TimerDecl;
using Follower = runtime::FollowDecl;

}  // namespace gantry
