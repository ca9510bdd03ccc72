// What watching costs: build the target kernel_observe_bench and run it. Not part of `all`.
#include <benchmark/benchmark.h>

#include <memory>
#include <string>

#include "kernel/observe/metrics_writer.h"
#include "kernel/observe/otlp.h"
#include "kernel/observe/process_metrics.h"

namespace gantry::observe {
namespace {

void latency_add(benchmark::State& state) {
    LatencyCells cells;
    std::array<std::int64_t, 1024> durations;
    SeededRandom random(1);
    for (auto& ns : durations) ns = std::int64_t(random.next() >> (30 + random.below(24)));  // of every size from 1 us to 17 s
    for (std::size_t i = 0; auto _ : state) cells.add(durations[i++ % durations.size()]);
    benchmark::DoNotOptimize(&cells);
}
BENCHMARK(latency_add);

void status_add(benchmark::State& state) {
    StatusCells cells;
    int status = 200;
    for (auto _ : state) cells.add(status), status = status == 200 ? 404 : 200;
    benchmark::DoNotOptimize(&cells);
}
BENCHMARK(status_add);

// A request without a caller's trace, of `spans` spans.
void trace_request(benchmark::State& state) {
    auto trace = std::make_unique<RequestTrace>();
    std::int64_t now = 1;
    for (auto _ : state) {
        trace->begin("GET /notes/v1/{id}", SpanKind::server, {}, Time{1}, now, system_random());
        for (std::int64_t i = 1; i < state.range(0); ++i) {
            auto const span = trace->open("step", ++now);
            trace->close(span, ++now);
        }
        trace->end(++now);
        benchmark::DoNotOptimize(trace.get());
    }
    state.counters["ns_per_span"] =
        benchmark::Counter(double(state.iterations() * state.range(0)), benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
}
BENCHMARK(trace_request)->Arg(1)->Arg(5)->Arg(16);

void trace_offered(benchmark::State& state) {
    TraceStore store;
    RequestTrace trace;
    trace.begin("GET /notes/v1/{id}", SpanKind::server, {}, Time{1}, 0, system_random());
    for (int i = 0; i < 4; ++i) trace.add("step", 1, 2);
    trace.end(3);
    int const status = int(state.range(0));
    for (auto _ : state)
        benchmark::DoNotOptimize(
            store.offer(trace, {.status = status, .request_id = "q_0123456789abcdefghij", .site = "main", .service = "notes"}));
}
BENCHMARK(trace_offered)->Arg(200)->Arg(500);

void traceparent_parse(benchmark::State& state) {
    for (auto _ : state) {
        std::string_view value = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        benchmark::DoNotOptimize(value);
        benchmark::DoNotOptimize(parse_traceparent(value));
    }
}
BENCHMARK(traceparent_parse);

void traceparent_format(benchmark::State& state) {
    TraceContext const context{{1, 2}, {3}, true, true};
    for (auto _ : state) benchmark::DoNotOptimize(format_traceparent(context));
}
BENCHMARK(traceparent_format);

void otlp_encode(benchmark::State& state) {
    RequestTrace trace;
    trace.begin("GET /notes/v1/{id}", SpanKind::server, {}, Time{1}, 0, system_random());
    for (int i = 0; i < 4; ++i) trace.add("step", 1, 2);
    trace.end(3);
    KeptTrace const kept(trace, {.status = 500, .request_id = "q_1", .site = "main", .service = "notes", .method = "GET"},
                         KeptBecause::failed);
    std::string out;
    for (auto _ : state) out.clear(), append_otlp_spans(out, kept);
}
BENCHMARK(otlp_encode);

// Thirty services of fifteen routes, eight IO threads: summed, and written with a count for each of five classes of status.
void render_page(benchmark::State& state) {
    constexpr std::size_t services = 30, routes = 15, threads = 8;
    struct Row {
        LatencyCells latency;
        StatusCells statuses;
    };
    ThreadRows<Row> rows(threads, services * routes);
    for (std::size_t t = 0; t < threads; ++t)
        for (std::size_t r = 0; r < services * routes; ++r)
            for (int i = 0; i < 30; ++i) rows.at(t, r).latency.add(i * i * 1'000'000), rows.at(t, r).statuses.add(100 * (1 + i % 5));
    auto const service = [](std::size_t r) { return "service" + std::to_string(r / routes); };
    auto const route = [](std::size_t r) { return "/v1/things/{id}/parts" + std::to_string(r % routes); };
    std::vector<std::pair<std::string, std::string>> names;
    for (std::size_t r = 0; r < services * routes; ++r) names.emplace_back(service(r), route(r));
    std::string out;
    for (auto _ : state) {
        out.clear();
        MetricsWriter w(state.range(0) ? MetricsFormat::openmetrics : MetricsFormat::prometheus, out);
        w.family(MetricKind::counter, "gantry_http_requests_total", "Requests answered.");
        for (std::size_t r = 0; r < services * routes; ++r) {
            std::array<std::uint64_t, status_classes> sums{};
            rows.each(r, [&](Row const& row) { row.statuses.add_to(sums); });
            for (std::size_t c = 0; c < status_classes; ++c)
                if (sums[c] > 0)
                    w.sample({{"site", "main"},
                              {"service", names[r].first},
                              {"route", names[r].second},
                              {"method", "GET"},
                              {"code", name_of(StatusClass(c))}},
                             sums[c]);
        }
        w.family(MetricKind::histogram, "gantry_http_request_duration_seconds",
                 "Time from the head of a request to the end of its answer.");
        for (std::size_t r = 0; r < services * routes; ++r) {
            LatencySum sum;
            rows.each(r, [&](Row const& row) { row.latency.add_to(sum); });
            w.sample({{"site", "main"}, {"service", names[r].first}, {"route", names[r].second}}, sum);
        }
        w.finish();
    }
    state.counters["bytes"] = double(out.size());
}
BENCHMARK(render_page)->Arg(0)->Arg(1)->Unit(benchmark::kMillisecond);

void process_figures(benchmark::State& state) {
    for (auto _ : state) benchmark::DoNotOptimize(read_process_figures());
}
BENCHMARK(process_figures)->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace gantry::observe

BENCHMARK_MAIN();
