// Commands of one event of about 100 bytes each. `--do commit` (group commit): `--inflight` of them wait for the log at any moment, for
// `--seconds`; prints commands a second, and how many of them and of how many bytes shared a sync. `--do replay`: writes `--count` of them
// and reads them back batch by batch (scan) and by runs (scan_runs), alone and into a table that the processor's caches don't hold.
#include <array>
#include <atomic>

#include "bench/open_log.h"
#include "bench/tool.h"
#include "bench/workload.h"
#include "kernel/base/hash.h"
#include "kernel/base/varint.h"

using namespace gantry;
using namespace gantry::bench;

static std::vector<std::string> events(std::size_t count) {
    std::vector<std::string> made(count);
    Workload workload;
    for (auto& e : made) {
        std::string record;
        encode(workload.next(), record);
        put_varint(e, 0), put_string(e, record);
    }
    return made;
}

static void commit(Flags const& flags) {
    auto inflight = std::uint64_t(flags.number("inflight", 1));
    auto made = events(4096);
    std::atomic<std::uint64_t> durable = 0, syncs = 0;
    auto log = open_log(flags.text("dir"));
    std::uint64_t const first = log->status().end;
    auto const begun = log->status().last_time;
    std::uint64_t appended = first;
    durable = first;
    log->on_durable([&](log::Position p) {
        syncs.fetch_add(1, std::memory_order_relaxed);
        durable.store(p, std::memory_order_release);
        durable.notify_one();
    });
    auto bytes_before = log->status().bytes;
    auto start = now_ns(), end = start + std::int64_t(flags.number("seconds", 1) * 1e9);
    while (now_ns() < end) {
        auto seen = durable.load(std::memory_order_acquire);
        for (; appended - seen < inflight; ++appended) {
            auto done = log->append(batch_of(made[appended % made.size()], 1, begun.us + std::int64_t(appended)));
            if (!done) die(fmt::format("log: {}", done.error().code));
        }
        durable.wait(seen, std::memory_order_acquire);  // all that may be in flight is: sleep until more is durable
    }
    if (!log->wait_durable()) die("log: not durable");
    auto seconds = double(now_ns() - start) / 1e9;
    auto commands = double(appended - first), groups = double(std::max<std::uint64_t>(1, syncs));
    fmt::print(R"({{"commands_per_s":{:.1f},"commands_per_sync":{:.2f},"bytes_per_sync":{:.0f},"syncs":{:.0f}}})"
               "\n",
               commands / seconds, commands / groups, double(log->status().bytes - bytes_before) / groups, groups);
    if (!log->close()) die("log: not closed");
}

namespace {

// A fold whose every event meets a row at random.
class Rows {
   public:
    std::uint64_t row_of(std::string_view event) { return (hash64(event) ^ mix64(++events_)) % rows_.size(); }
    void prefetch(std::uint64_t row) const { __builtin_prefetch(&rows_[row], 1); }
    void fold(std::uint64_t row) { ++rows_[row][0]; }

   private:
    std::uint64_t events_ = 0;
    std::vector<std::array<std::uint64_t, 8>> rows_ = std::vector<std::array<std::uint64_t, 8>>(4 << 20);  // 256 MiB
};

// Rows are on their way from memory a window ahead of their turn.
class Ahead {
   public:
    explicit Ahead(Rows& rows) : rows_(rows) {}
    void fold(std::string_view event) {
        rows_.prefetch(window_[filled_] = rows_.row_of(event));
        if (++filled_ == window_.size()) flush();
    }
    void flush() {
        for (std::size_t i = 0; i < filled_; ++i) rows_.fold(window_[i]);
        filled_ = 0;
    }

   private:
    Rows& rows_;
    std::array<std::uint64_t, 32> window_{};
    std::size_t filled_ = 0;
};

template <class Visit>
void each_event(log::BatchView const& batch, Visit&& visit) {
    for (ByteReader in(batch.events); !in.done();) in.varint(), visit(in.string());
}

template <class Work>
double best_seconds(Work&& work) {
    double best = 1e9;
    for (int round = 0; round < 5; ++round) {
        auto start = now_ns();
        if (auto done = work(); !done) die(fmt::format("log: {}", done.error().cause));
        best = std::min(best, double(now_ns() - start) / 1e9);
    }
    return best;
}

void replay(Flags const& flags) {
    auto count = std::uint64_t(flags.number("count", 1'000'000));
    auto made = events(4096);
    auto log = open_log(flags.text("dir"));
    auto const begun = log->status().last_time;
    for (std::uint64_t i = 0; i < count; ++i) {
        if (!log->append(batch_of(made[i % made.size()], 1, begun.us + std::int64_t(i)))) die("log: not appended");
        if (i % 100'000 == 0 && !log->wait_durable()) die("log: not durable");
    }
    if (!log->wait_durable()) die("log: not durable");
    Rows rows;
    Ahead ahead(rows);
    std::uint64_t n = 0;
    using Batches = std::span<log::BatchView const>;
    auto scan = best_seconds([&] { return log->scan(0, [&](auto& b) { return n += b.count, true; }); });
    auto runs = best_seconds([&] { return log->scan_runs(0, [&](Batches run) { return n += run.size(), true; }); });
    auto fold = best_seconds(
        [&] { return log->scan(0, [&](auto& b) { return each_event(b, [&](auto e) { ahead.fold(e); }), ahead.flush(), true; }); });
    auto fold_runs = best_seconds([&] {
        return log->scan_runs(0, [&](Batches run) {
            for (auto& b : run) each_event(b, [&](auto e) { ahead.fold(e); });
            return ahead.flush(), true;
        });
    });
    auto rate = [&](double seconds) { return double(count) / seconds; };
    fmt::print(R"({{"scan_per_s":{:.0f},"scan_runs_per_s":{:.0f},"fold_per_s":{:.0f},"fold_runs_per_s":{:.0f}}})"
               "\n",
               rate(scan), rate(runs), rate(fold), rate(fold_runs));
    if (!log->close()) die("log: not closed");
}

}  // namespace

int main(int argc, char** argv) {
    Flags flags(argc, argv, {"do", "dir", "inflight", "seconds", "count"});
    auto what = flags.text("do", "commit");
    if (what == "commit") return commit(flags), 0;
    if (what == "replay") return replay(flags), 0;
    die("--do is commit or replay");
}
