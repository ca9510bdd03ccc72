// A follower in one process, against a bare replay of its source: see rows_follow.py. It takes every event of the tracker, records one of
// its own for each, durably, and folds it.
#include "bench/open_log.h"
#include "bench/tool.h"
#include "kernel/codec/schema.h"
#include "kernel/runtime/follower.h"
#include "kernel/service.h"
#include "services/tracker/tracker.h"

namespace gantry::bench::counting {

struct Counted {
    tracker::Package package;
    std::uint64_t run;
    Time at;
};
RECORD(Counted, package, run, at);
struct Ended {
    std::uint64_t run;
};
RECORD(Ended, run);
using Event = std::variant<Counted, Ended>;

struct Line {
    tracker::Package package;
    std::uint64_t reports = 0, last_run = 0;
    Time last{};
};
RECORD(Line, package, reports, last_run, last);
struct State {
    Table<tracker::Package, Line> lines;
    Table<Str, Line> ended;
    void apply(Counted const& e) {
        if (!lines.contains(e.package)) lines.put(e.package, Line{e.package});
        lines.change(e.package, [&](Line& l) { ++l.reports, l.last_run = e.run, l.last = e.at; });
    }
    void apply(Ended const&) {}
};
STATE(State, lines, ended);

Result<std::vector<Event>> on_reported(State const&, tracker::Reported const& e, At const& at, Ctx const&) {
    return std::vector<Event>{Counted{e.package, e.run.n, at.time}};
}
Result<std::vector<Event>> on_superseded(State const&, tracker::Superseded const& e, At const&, Ctx const&) {
    return std::vector<Event>{Ended{e.run.n}};
}

struct Service {
    using State = counting::State;
    using Event = counting::Event;
    static constexpr std::string_view name = "counting";
    static std::vector<Route> routes() { return {}; }
    static std::vector<Follower> followers() { return {follow<Service, tracker::Service>(&on_reported, &on_superseded)}; }
};

}  // namespace gantry::bench::counting

using namespace gantry;
using namespace gantry::bench;

namespace {

template <class T>
T need(Result<T> r) {
    if (!r) die(fmt::format("{}: {} {}", r.error().code, r.error().detail, r.error().cause));
    if constexpr (!std::is_void_v<T>) return std::move(*r);
}

// Of what the follower recorded, into a state of its own, as a start does it.
double replay_s(runtime::Host const& host, log::Log const& log) {
    auto const start = now_ns();
    auto folded = runtime::Folded::empty(host.decl());
    need(runtime::replay({host.decl(), log}, folded, ~gantry::log::Position{0}, {}));
    return double(now_ns() - start) / 1e9;
}

}  // namespace

int main(int argc, char** argv) {
    Flags flags(argc, argv, {"dir", "to"});
    auto source_log = open_log(flags.text("dir"));
    auto log = open_log(flags.text("to"), codec::encode_event_schema(codec::type_of<counting::Event>()));
    tracker::Settings settings;
    runtime::Host::Parts source_parts{*source_log, system_clock(), system_random()}, parts{*log, system_clock(), system_random()};
    source_parts.settings = &settings;
    runtime::Host source(runtime::declare<tracker::Service>(), std::move(source_parts));
    runtime::Host host(runtime::declare<counting::Service>(), std::move(parts));
    need(source.start());
    need(host.start());
    auto const& decl = host.decl().followers.front();
    runtime::Follower follower(host, decl, runtime::follow_log(source, decl, [] {}), system_clock(), system_random());
    auto const start = now_ns();
    for (std::optional<Duration> next = Duration{}; (next && next->us == 0) || follower.waits_for_own_log();) {
        if (follower.waits_for_own_log()) need(log->wait_durable());
        next = follower.step();
    }
    need(follower.stop());
    need(log->wait_durable());
    auto const seconds = double(now_ns() - start) / 1e9;
    auto const place = host.followed_place("tracker");
    if (place.position != source.applied() || place.dead_letters != 0) die("the follower did not take everything");
    auto const& lines = static_cast<counting::State const*>(host.state_for_tools())->lines;
    auto const own = replay_s(host, *log);
    fmt::print(R"({{"events":{},"recorded":{},"packages":{},"seconds":{:.4f},"events_per_s":{:.0f},"own_replay_per_s":{:.0f}}})"
               "\n",
               place.position, host.applied(), lines.size(), seconds, double(place.position) / seconds, double(host.applied()) / own);
    need(log->close());
    need(source_log->close());
}
