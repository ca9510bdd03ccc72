// One million timers of a service that has nothing else: see rows_timers.py.
#include <fstream>

#include "bench/open_log.h"
#include "bench/store.h"
#include "bench/tool.h"
#include "kernel/codec/schema.h"
#include "kernel/log/snapshots_file.h"
#include "kernel/runtime/host.h"
#include "kernel/service.h"

namespace gantry::bench::alarms {

using AlarmId = Id<"a_">;
struct Set {
    AlarmId id;
    Time at;
};
RECORD(Set, id, at);
struct Rang {
    AlarmId id;
};
RECORD(Rang, id);
using Event = std::variant<Set, Rang>;

struct State {
    Due<AlarmId> due;
    void apply(Set const& e) { due.set(e.id, e.at); }
    void apply(Rang const& e) { due.clear(e.id); }
};
STATE(State, due);

std::vector<Event> ring(State const&, AlarmId const& id, Ctx const&) { return {Rang{id}}; }

struct Service {
    using State = alarms::State;
    using Event = alarms::Event;
    static constexpr std::string_view name = "alarms";
    static std::vector<Route> routes() { return {}; }
    static std::vector<Timer> timers() { return {timer<Service, &State::due>(&ring)}; }
};

}  // namespace gantry::bench::alarms

using namespace gantry;
using namespace gantry::bench;

namespace {

constexpr std::uint32_t batch_events = 256;

template <class T>
T need(Result<T> r) {
    if (!r) die(fmt::format("{}: {} {}", r.error().code, r.error().detail, r.error().cause));
    if constexpr (!std::is_void_v<T>) return std::move(*r);
}

std::uint64_t resident_bytes() {
    std::ifstream in("/proc/self/statm");
    std::uint64_t whole = 0, resident = 0;
    in >> whole >> resident;
    return resident * 4096;
}

std::unique_ptr<log::Log> alarms_log(std::string const& dir) {
    return open_log(dir, codec::encode_event_schema(codec::type_of<alarms::Event>()));
}

// Ids as a service gives them out, in an order of their own beside that of the times, and times within a day, years ahead: none fires here.
std::vector<alarms::Set> made(std::uint64_t count) {
    std::vector<alarms::Set> out;
    SeededRandom random(1);
    std::int64_t const begin = 4'000'000'000'000'000;
    for (std::uint64_t i = 0; i < count; ++i)
        out.push_back({alarms::AlarmId(fresh_id("a_", begin, random)), Time{begin + std::int64_t(random.next() % 86'400'000'000)}});
    return out;
}

void fill(std::string const& dir, std::uint64_t count) {
    auto log = alarms_log(dir);
    std::string events, payload;
    std::uint32_t in_batch = 0;
    for (auto const& set : made(count)) {
        payload.clear();
        codec::put(payload, set);
        put_varint(events, 0), put_string(events, payload);
        if (++in_batch == batch_events)
            need(log->append(batch_of(events, in_batch, log->status().last_time.us))), events.clear(), in_batch = 0;
    }
    if (in_batch > 0) need(log->append(batch_of(events, in_batch, log->status().last_time.us)));
    need(log->wait_durable());
    need(log->close());
    fmt::print("{{\"timers\":{}}}\n", count);
}

// What they take when they are set, each at any place among those before.
void memory(std::uint64_t count) {
    auto const sets = made(count);
    auto const before = resident_bytes();
    alarms::State state;
    for (auto const& set : sets) state.apply(set);
    auto const grown = resident_bytes() - before;
    fmt::print(R"({{"timers":{},"bytes_each":{:.1f},"resident_bytes_each":{:.1f}}})"
               "\n",
               state.due.size(), double(state.due.memory_bytes()) / double(count), double(grown) / double(count));
}

// A host as `gantry serve` makes it; the time is that until it could answer.
void restart(std::string const& dir, bool with_snapshot, bool save) {
    auto log = alarms_log(dir);
    auto snapshots = log::file_snapshots(log::system_disk(), dir + "/snapshots");
    runtime::Host::Parts parts{*log, system_clock(), system_random()};
    parts.snapshots = with_snapshot || save ? snapshots.get() : nullptr;
    auto const start = now_ns();
    runtime::Host host(runtime::declare<alarms::Service>(), std::move(parts));
    need(host.start());
    auto const seconds = double(now_ns() - start) / 1e9;
    if (save) need(host.save_snapshot());
    if (!host.next_due()) die("no timer is set");
    auto const& due = static_cast<alarms::State const*>(host.state_for_tools())->due;
    fmt::print(R"({{"timers":{},"seconds":{:.4f}}})"
               "\n",
               due.size(), seconds);
    need(log->close());
}

}  // namespace

int main(int argc, char** argv) {
    Flags flags(argc, argv, {"do", "dir", "count", "snapshot"});
    auto const what = flags.text("do"), dir = flags.text("dir");
    auto const count = std::uint64_t(flags.number("count", 1'000'000));
    if (what == "fill") return fill(dir, count), 0;
    if (what == "memory") return memory(count), 0;
    if (what == "snapshot") return restart(dir, false, true), 0;
    if (what == "restart") return restart(dir, flags.text("snapshot") == "yes", false), 0;
    die("--do fill|memory|snapshot|restart");
}
