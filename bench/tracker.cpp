// Replay of the tracker: see rows_replay.py for what each `--do` does. The log holds the tracker's own events, in batches of 256 as an
// import's chunks.

#include "services/tracker/tracker.h"
#include "bench/open_log.h"
#include "bench/plain_fold.h"
#include "bench/tool.h"
#include "bench/workload.h"
#include "kernel/log/snapshots_file.h"
#include "kernel/runtime/host.h"

using namespace gantry;
using namespace gantry::bench;

namespace {

constexpr std::uint32_t batch_events = 256;

struct Folded {
    std::uint64_t events = 0, runs = 0, in_flight = 0, completed = 0, packages = 0;
    double seconds = 0;
};

void print(Folded const& f) {
    fmt::print(R"({{"events":{},"seconds":{:.4f},"events_per_s":{:.0f},"runs":{},"in_flight":{},"completed":{},"packages":{}}})"
               "\n",
               f.events, f.seconds, double(f.events) / f.seconds, f.runs, f.in_flight, f.completed, f.packages);
}

template <class T>
T need(Result<T> r) {
    if (!r) die(fmt::format("{}: {} {}", r.error().code, r.error().detail, r.error().cause));
    if constexpr (!std::is_void_v<T>) return std::move(*r);
}

tracker::Reported fact(Report const& r) {
    tracker::Reported e;
    e.run = {r.run};
    e.package = tracker::Package(r.package), e.version = tracker::Phrase(r.version), e.arch = tracker::Word(r.arch);
    e.series = Text<0, 100>(r.series), e.trigger = Text<0, 1000>(r.trigger), e.source = Text<0, 1000>(r.source);
    e.reporter = tracker::Word(r.reporter), e.stage = tracker::Word(r.stage), e.at = {r.at_us}, e.result = Text<0, 100>(r.result);
    e.id = Text<0, 200>(r.id), e.url = Text<0, 2000>(r.url), e.note = Text<0, 2000>(r.note);
    return e;
}

// What the tracker's decision does for a new run, told from the workload's numbers: the key's open run is superseded first.
class Facts {
   public:
    void add(Report const& r, std::string& events, std::uint32_t& count) {
        if (r.run > runs_) {
            runs_ = r.run;
            auto& open = open_[fmt::format("{}/{}/{}/{}", r.package, r.arch, r.series, r.trigger)];
            if (open != 0 && !done_.contains(open)) put<tracker::Superseded>(1, {{open}, {r.at_us}}, events, count);
            done_.erase(open);
            open = r.run;
        }
        if (!r.result.empty()) done_.insert(r.run);
        put<tracker::Reported>(0, fact(r), events, count);
    }

   private:
    template <class E>
    void put(std::uint32_t type, E const& e, std::string& events, std::uint32_t& count) {
        payload_.clear();
        codec::put(payload_, e);
        put_varint(events, type), put_string(events, payload_), ++count;
    }
    std::uint64_t runs_ = 0;
    boost::unordered_flat_map<std::string, std::uint64_t> open_;
    boost::unordered_flat_set<std::uint64_t> done_;
    std::string payload_;
};

// `after` is told of the log after each batch.
void fill(std::string const& dir, std::uint64_t count, std::function<void(log::Log&)> const& after = {}) {
    auto log = open_log(dir);
    Workload workload;
    Facts facts;
    std::string events;
    auto const start = now_ns();
    std::uint64_t bytes = 0;
    for (std::uint64_t done = 0; done < count;) {
        events.clear();
        std::uint32_t in_batch = 0;
        std::int64_t at = 0;
        for (std::uint32_t i = 0; i < batch_events && done < count; ++i, ++done) {
            auto report = workload.next();
            at = report.at_us, facts.add(report, events, in_batch);
        }
        bytes += events.size();
        need(log->append(batch_of(events, in_batch, std::max(at, log->status().last_time.us))));
        if (after) after(*log);
    }
    need(log->wait_durable());
    need(log->close());
    fmt::print(R"({{"events":{},"bytes_per_event":{:.1f},"seconds":{:.2f}}})"
               "\n",
               count, double(bytes) / double(count), double(now_ns() - start) / 1e9);
}

// The same with the snapshots that a server leaves which ran all the while.
void live_through(std::string const& dir, std::string const& at, std::uint64_t count) {
    auto const snapshots = log::file_snapshots(log::system_disk(), at);
    auto const decl = runtime::declare<tracker::Service>();
    auto state = runtime::Folded::empty(decl);
    gantry::log::Position appended = 0;
    std::vector<gantry::log::Position> saved;
    fill(dir, count, [&](log::Log& log) {
        if ((appended += batch_events) < state.last + runtime::Host::snapshot_after) return;
        need(log.wait_durable());
        runtime::Sources const sources{decl, log, snapshots.get()};
        need(runtime::replay(sources, state, ~gantry::log::Position{0}, {}));
        auto const status = log.status();
        need(runtime::save(sources, state, {state.last, status.incarnation, decl.state.fingerprint, state.last_time, status.chain},
                           {runtime::Host::Parts::snapshot_bytes_default}));
        appended = state.last;
    });
    for (auto const& meta : snapshots->list()) saved.push_back(meta.position);
    fmt::print("{{\"snapshots\":[{}]}}\n", fmt::join(saved, ","));
}

// A replay of so many events, from the newest snapshot that leaves as many.
void replay_some(std::string const& dir, std::string const& at, std::uint64_t count) {
    auto log = open_log(dir);
    auto const snapshots = log::file_snapshots(log::system_disk(), at);
    auto const decl = runtime::declare<tracker::Service>();
    runtime::Sources const sources{decl, *log, snapshots.get()};
    auto loaded = need(runtime::load_snapshot(sources, log->status().durable - count));
    if (!loaded) die("there is no snapshot to begin with");
    auto const upto = loaded->last + count;
    auto const start = now_ns();
    need(runtime::replay(sources, *loaded, upto, {}));
    auto const seconds = double(now_ns() - start) / 1e9;
    if (loaded->last != upto) die("the log ended before");
    fmt::print(R"({{"events":{},"seconds":{:.4f}}})"
               "\n",
               count, seconds);
    need(log->close());
}

Folded told(tracker::State const& s) {
    return {.runs = s.runs.size(),
            .in_flight = s.in_flight.size(),
            .completed = std::uint64_t(s.totals[tracker::State::completed] + s.totals[tracker::State::superseded]),
            .packages = s.packages.size()};
}

Folded replay_real(log::Log const& log) {
    auto decl = runtime::declare<tracker::Service>();
    auto state = decl.state.create();
    std::unique_ptr<codec::EventReader> reader;
    std::uint64_t events = 0;
    auto const start = now_ns();
    need(log.scan_runs(0, [&](std::span<log::BatchView const> run) {
        if (!reader) reader = need(codec::make_event_reader(run.front().schemas, *decl.event, decl.renames));
        need(decl.replay(state.get(), run, *reader, nullptr, 0, ~gantry::log::Position{0}));
        for (auto const& batch : run) events += batch.count;
        return true;
    }));
    auto const seconds = double(now_ns() - start) / 1e9;
    auto out = told(*static_cast<tracker::State const*>(state.get()));
    out.events = events, out.seconds = seconds;
    return out;
}

Folded replay_plain(log::Log const& log) {
    PlainFold fold;
    std::uint64_t events = 0;
    auto const start = now_ns();
    need(log.scan(0, [&](log::BatchView const& batch) {
        events += batch.count;
        for (ByteReader in(batch.events); !in.done();) {
            auto const type = in.varint();
            ByteReader payload(in.string());
            if (type != 0) continue;  // the plain fold sees by itself that a run is superseded
            tracker::Reported e;
            if (!codec::get(payload, e)) die("an event can't be read");
            fold.apply({.run = e.run.n,
                        .package = e.package,
                        .version = e.version,
                        .arch = e.arch,
                        .series = e.series,
                        .trigger = e.trigger,
                        .source = e.source,
                        .reporter = e.reporter,
                        .stage = e.stage,
                        .result = e.result,
                        .at_us = e.at.us,
                        .id = e.id,
                        .url = e.url,
                        .note = e.note});
        }
        return true;
    }));
    auto const seconds = double(now_ns() - start) / 1e9;
    auto const s = fold.summary();
    return {events, s.runs, s.in_flight, s.completed, s.packages, seconds};
}

// A host as `gantry serve` makes it; the time is that until it could answer.
Folded restart(std::string const& dir, bool with_snapshot, bool save) {
    auto log = open_log(dir);
    auto snapshots = log::file_snapshots(log::system_disk(), dir + "/snapshots");
    tracker::Settings settings;
    runtime::Host::Parts parts{*log, system_clock(), system_random()};
    parts.settings = &settings, parts.snapshots = with_snapshot || save ? snapshots.get() : nullptr;
    auto const start = now_ns();
    runtime::Host host(runtime::declare<tracker::Service>(), parts);
    need(host.start());
    auto const seconds = double(now_ns() - start) / 1e9;
    if (save) need(host.save_snapshot());
    auto out = told(*static_cast<tracker::State const*>(host.state_for_tools()));
    out.events = host.applied(), out.seconds = seconds;
    need(log->close());
    return out;
}

}  // namespace

int main(int argc, char** argv) {
    Flags flags(argc, argv, {"do", "dir", "count", "fold", "snapshot", "snapshots"});
    auto const what = flags.text("do"), dir = flags.text("dir");
    if (what == "fill") return fill(dir, std::uint64_t(flags.number("count", 5'000'000))), 0;
    if (what == "live") return live_through(dir, flags.text("snapshots"), std::uint64_t(flags.number("count"))), 0;
    if (what == "some") return replay_some(dir, flags.text("snapshots"), std::uint64_t(flags.number("count"))), 0;
    if (what == "snapshot") return print(restart(dir, false, true)), 0;
    if (what == "restart") return print(restart(dir, flags.text("snapshot") == "yes", false)), 0;
    if (what != "replay") die("--do fill|live|replay|some|snapshot|restart");
    auto log = open_log(dir);
    print(flags.text("fold") == "plain" ? replay_plain(*log) : replay_real(*log));
    need(log->close());
}
