// What a report of 3 KB costs from bytes to its group.
#include <benchmark/benchmark.h>

#include "kernel/testing/goldens.h"
#include "services/oops/classify.h"
#include "services/oops/fingerprint.h"
#include "services/oops/fixtures_test.h"
#include "services/oops/oops_dict.h"
#include "services/oops/sentry_intake.h"

namespace gantry::oops {
namespace {

std::string body(std::string const& name) { return file_text(std::string(source_dir()) + "/services/oops/fixtures/" + name + ".body"); }
ReadOptions const options{};

void parse(benchmark::State& state, std::string const& text) {
    for (auto _ : state) {
        auto const envelope = split_envelope(text);
        benchmark::DoNotOptimize(read_items(*envelope, options));
    }
    state.SetBytesProcessed(std::int64_t(state.iterations() * text.size()));
}
void parse_and_group(benchmark::State& state, std::string const& text) {
    for (auto _ : state) {
        auto const envelope = split_envelope(text);
        auto const intake = read_items(*envelope, options);
        benchmark::DoNotOptimize(fingerprint(intake.reports[0]));
    }
    state.SetBytesProcessed(std::int64_t(state.iterations() * text.size()));
}
BENCHMARK_CAPTURE(parse, node_3k, body("node11/08"));
BENCHMARK_CAPTURE(parse_and_group, node_3k, body("node11/08"));
BENCHMARK_CAPTURE(parse_and_group, browser_2k, body("browser11/02"));
BENCHMARK_CAPTURE(parse_and_group, node_5k, body("node11/09"));

void json_tree(benchmark::State& state) {
    auto const text = body("node11/08");
    auto const event = split_envelope(text)->items[0].payload;
    for (auto _ : state) benchmark::DoNotOptimize(codec::JsonTree::read(event));
}
BENCHMARK(json_tree);

void store_event(benchmark::State& state) {
    auto const text = body("python1/02");
    for (auto _ : state) benchmark::DoNotOptimize(fingerprint(read_sentry_event(text, options).value()));
}
BENCHMARK(store_event);

void group_alone(benchmark::State& state) {
    auto const report = read_sentry_event(body("python1/02"), options).value();
    for (auto _ : state) benchmark::DoNotOptimize(fingerprint(report));
}
BENCHMARK(group_alone);

void stored(benchmark::State& state) {
    auto const report = read_sentry_event(body("python1/02"), options).value();
    std::string out;
    for (auto _ : state) out.clear(), codec::put(out, report);
    state.counters["bytes"] = double(out.size());
}
BENCHMARK(stored);

void bson(benchmark::State& state) {
    auto const bytes = write_bson(oops_of_report(read_sentry_event(body("python1/02"), options).value(), OopsForm::ancestors));
    for (auto _ : state) benchmark::DoNotOptimize(fingerprint(read_oops(bytes, options).value()));
    state.counters["bytes"] = double(bytes.size());
}
BENCHMARK(bson);

}  // namespace
}  // namespace gantry::oops

BENCHMARK_MAIN();
