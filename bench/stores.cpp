// Drives one store: `--do append` for durable appends of `--batch` records over `--seconds`; `--do load` puts `--count` records in; `--do
// replay` reads all of them in order, into the plain fold unless `--fold no`. Prints one line of JSON.
#include "bench/histogram.h"
#include "bench/plain_fold.h"
#include "bench/store.h"
#include "bench/tool.h"
#include "bench/workload.h"

using namespace gantry::bench;

struct Kind {
    std::string_view name;
    std::unique_ptr<Store> (*open)(std::string const& directory, int port);
};
static constexpr Kind kinds[] = {
    {"bare", open_bare},
#ifdef GANTRY_BENCH_LOG
    {"gantry", open_gantry},
#endif
#ifdef GANTRY_BENCH_PEERS
    {"sqlite", open_sqlite}, {"lmdb", open_lmdb}, {"redis", open_redis}, {"nats_ordered", open_nats_ordered}, {"nats_pull", open_nats_pull},
#endif
};

static std::unique_ptr<Store> open_store(Flags const& flags) {
    for (auto& k : kinds) {
        if (k.name == flags.text("store")) return k.open(flags.text("dir"), int(flags.number("port")));
    }
    die(fmt::format("no store is called '{}'", flags.text("store")));
}

static std::vector<std::string> records(std::size_t count) {
    std::vector<std::string> made(count);
    Workload workload;
    for (auto& r : made) encode(workload.next(), r);
    return made;
}

// The records are made beforehand and used in turn: what is timed is the store alone.
static void append(Store& store, Flags const& flags) {
    auto batch = std::size_t(flags.number("batch", 1));
    auto made = records(batch * std::max<std::size_t>(1, 16384 / batch));
    Histogram latency;
    std::uint64_t batches = 0;
    auto start = now_ns(), end = start + std::int64_t(flags.number("seconds", 1) * 1e9), now = start;
    for (; now < end; ++batches) {
        store.append(std::span(made).subspan(batches * batch % made.size(), batch));
        auto done = now_ns();
        latency.add(std::uint64_t(done - now));
        now = done;
    }
    auto seconds = double(now - start) / 1e9;
    fmt::print(R"({{"events_per_s":{:.1f},"batches_per_s":{:.1f},"p50_us":{:.2f},"p99_us":{:.2f},"sync_mode":"{}"}})"
               "\n",
               double(batches * batch) / seconds, double(batches) / seconds, latency.percentile_us(0.5), latency.percentile_us(0.99),
               store.sync_mode());
}

static void load(Store& store, Flags const& flags) {
    static constexpr std::size_t at_once = 1000;
    auto count = std::uint64_t(flags.number("count", 100'000)), bytes = std::uint64_t(0);
    Workload workload;
    std::vector<std::string> batch;
    for (std::uint64_t i = 0; i < count; ++i) {
        encode(workload.next(), batch.emplace_back());
        bytes += batch.back().size();
        if (batch.size() == at_once || i + 1 == count) store.append(batch), batch.clear();
    }
    fmt::print(R"({{"events":{},"bytes_per_event":{:.1f}}})"
               "\n",
               count, double(bytes) / double(count));
}

static void replay(Store& store, Flags const& flags) {
    bool folds = flags.text("fold", "yes") == "yes";
    PlainFold fold;
    std::uint64_t events = 0;
    auto start = now_ns();
    store.replay([&](std::string_view bytes) {
        Report r;
        if (!decode(bytes, r)) die("a record came back changed");
        if (folds) fold.apply(r);
        ++events;
    });
    auto seconds = double(now_ns() - start) / 1e9;
    auto s = fold.summary();
    fmt::print(R"({{"events":{},"seconds":{:.4f},"events_per_s":{:.1f},"runs":{},"in_flight":{},"completed":{},"packages":{},)"
               R"("steps":{},"digest":"{:016x}"}})"
               "\n",
               events, seconds, double(events) / seconds, s.runs, s.in_flight, s.completed, s.packages, s.steps, s.times);
    std::fflush(stdout);
    // Tearing the fold down takes seconds that nobody measures.
    std::_Exit(0);
}

int main(int argc, char** argv) {
    Flags flags(argc, argv, {"store", "dir", "port", "do", "batch", "seconds", "count", "fold"});
    auto store = open_store(flags);
    auto what = flags.text("do");
    if (what == "append") return append(*store, flags), 0;
    if (what == "load") return load(*store, flags), 0;
    if (what == "replay") return replay(*store, flags), 0;
    die("--do is append, load or replay");
}
