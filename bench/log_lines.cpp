// What a log line costs: the thread that serves, and the one that writes. Run it with --benchmark_min_time=0.5.
#include <benchmark/benchmark.h>
#include <fcntl.h>
#include <unistd.h>

#include <memory>

#include "kernel/observe/log_line.h"
#include "kernel/observe/log_output.h"
#include "kernel/observe/log_queue.h"

namespace gantry::observe {
namespace {

class Discarding final : public LogSink {
   public:
    void write(std::string_view lines) override { benchmark::DoNotOptimize(lines.data()); }
};

// The access line of a cached GET, as a program asks for it.
AccessRecord cached_get() {
    return {.at = Time{1'790'000'000'123'456},
            .client = "192.0.2.17",
            .caller = "proposed-migration",
            .method = "GET",
            .target = "/tracker/v1/packages/hello/versions/2.10-3?series=noble&arch=amd64",
            .request_id = "r_01J9ZQ4Z7W8V6E5D4C3B2A1908",
            .trace_id = "4bf92f3577b34da6a3ce929d0e0e4736",
            .service = "tracker",
            .route = "GET /packages/{source}/versions/{version}",
            .site = "main",
            .user_agent = "python-requests/2.28.1",
            .refused = {},
            .status = 200,
            .sent_bytes = 512,
            .duration_us = 41};
}

struct Queue {
    Discarding sink;
    TextOutput output;
    LogQueue queue;
    explicit Queue(AccessFormat format = AccessFormat::json, std::size_t ring_bytes = 512 << 10)
        : output(sink, LogFormat::json, format),
          queue(system_clock(), {.ring_bytes = ring_bytes, .fold_repeats = true}, {&output}, {&output}) {
        queue.set_pumped(true);
    }
};

void level_off(benchmark::State& state) {
    Queue q;
    Logger logger(system_clock(), q.queue);
    (void)set_levels(logger, "info,runtime=debug,log=warning");
    for (auto _ : state) logger.line(Level::debug, "http", "not this", {{"n", 1}});
}
BENCHMARK(level_off);

void line_queued(benchmark::State& state) {
    Queue q;
    Logger logger(system_clock(), q.queue);
    std::int64_t n = 0;
    char message[] = "replayed the log 0000";
    for (auto _ : state) {
        if (++n % 4096 == 0) {
            state.PauseTiming();
            q.queue.drain();
            state.ResumeTiming();
        }
        message[sizeof(message) - 2] = char('0' + n % 10), message[sizeof(message) - 3] = char('0' + n / 10 % 10);
        logger.line(Level::info, "runtime", message, {{"service", "tracker"}, {"position", n}, {"ms", 17}});
    }
}
BENCHMARK(line_queued);

void line_drained(benchmark::State& state) {
    Queue q;
    auto const fields = {LogField("service", "tracker"), LogField("position", 123'456), LogField("ms", 17)};
    std::int64_t n = 0;
    for (auto _ : state) {
        state.PauseTiming();
        for (int i = 0; i < 4096; ++i) {
            auto const message = std::to_string(++n);
            q.queue.add({.time = Time{1'790'000'000'123'456 + n}, .module = "runtime", .message = message, .fields = fields});
        }
        state.ResumeTiming();
        q.queue.drain();
    }
    state.SetItemsProcessed(state.iterations() * 4096);
}
BENCHMARK(line_drained);

void access_added(benchmark::State& state) {
    Queue q(AccessFormat::json, 4 << 20);
    auto& ring = q.queue.new_ring();
    auto record = cached_get();
    int n = 0;
    for (auto _ : state) {
        if (++n % 4096 == 0) {
            state.PauseTiming();
            ring.read([](AccessRecord const&) {});
            state.ResumeTiming();
        }
        record.at.us += 3;
        benchmark::DoNotOptimize(ring.add(record));
    }
    if (ring.dropped() > 0) state.SkipWithError("the ring was full");
}
BENCHMARK(access_added);

void access_drained(benchmark::State& state, AccessFormat format) {
    Queue q(format, 4 << 20);
    auto& ring = q.queue.new_ring();
    auto record = cached_get();
    for (auto _ : state) {
        state.PauseTiming();
        for (int i = 0; i < 4096; ++i) record.at.us += 3, ring.add(record);
        state.ResumeTiming();
        q.queue.drain();
    }
    state.SetItemsProcessed(state.iterations() * 4096);
}
BENCHMARK_CAPTURE(access_drained, json, AccessFormat::json);
BENCHMARK_CAPTURE(access_drained, logfmt, AccessFormat::logfmt);
BENCHMARK_CAPTURE(access_drained, combined, AccessFormat::combined);

// With the write to a real descriptor.
void access_drained_to_dev_null(benchmark::State& state) {
    int const nowhere = ::open("/dev/null", O_WRONLY | O_CLOEXEC);
    DescriptorSink sink(nowhere);
    TextOutput output(sink, LogFormat::json, AccessFormat::json);
    LogQueue queue(system_clock(), {.ring_bytes = 4 << 20}, {&output}, {&output});
    auto& ring = queue.new_ring();
    auto record = cached_get();
    for (auto _ : state) {
        state.PauseTiming();
        for (int i = 0; i < 4096; ++i) record.at.us += 3, ring.add(record);
        state.ResumeTiming();
        queue.drain();
    }
    state.SetItemsProcessed(state.iterations() * 4096);
    ::close(nowhere);
}
BENCHMARK(access_drained_to_dev_null);

}  // namespace
}  // namespace gantry::observe

BENCHMARK_MAIN();
