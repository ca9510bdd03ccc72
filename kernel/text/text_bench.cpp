// What indexing and searching cost: build the target text_bench and run it. Not part of `all`. Error reports of about 3 KB: a message, a
// traceback of thirty frames, ten tags; words as frequent as in prose.
#include <benchmark/benchmark.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cmath>
#include <filesystem>

#include "kernel/base/random.h"
#include "kernel/text/index.h"

namespace gantry::text {
namespace {

constexpr std::uint64_t searched_documents = 100'000;

Schema const schema{
    .texts = {{.name = "message", .weight = 3}, {.name = "frames", .phrases = Phrases::as_words}}, .numbers = {"duration_ms"}, .exact = {}};
Schema const with_order{.texts = {{.name = "message", .weight = 3}, {.name = "frames"}}, .numbers = {"duration_ms"}, .exact = {}};

class Reports {
   public:
    Document make(std::uint64_t id) {
        Document out{.id = id, .time = Time{std::int64_t(id) * 1'000'000}, .texts = {}, .exact = {}, .numbers = {}};
        std::string message, frames;
        for (int i = 0; i < 12; ++i) message += word(20'000) + ' ';
        message += fmt::format("{:x}", random_.next());  // an address, an id: of this one alone
        for (int i = 0; i < 30; ++i)
            frames += fmt::format("  File \"/srv/app/lib/{0}/{1}/{2}.py\", line {3}, in {4}\n    return self.{5}({0}, key={6})\n", word(40),
                                  word(200), word(2'000), random_.below(900), word(3'000), word(4'000), word(400));
        out.text("message", message).text("frames", frames);
        for (auto const* tag : {"release", "environment", "host", "user", "url", "browser", "topic", "level"}) out.value(tag, word(500));
        out.value("report", fmt::format("{:x}", random_.next())).value("request", fmt::format("{:x}", random_.next()));
        out.number("duration_ms", double(random_.below(30'000)));
        return out;
    }
    // Of so many, the first ones often (Zipf).
    std::string word(std::uint64_t of) {
        auto const rank = std::uint64_t(std::pow(double(of), double(random_.next() >> 11) * 0x1.0p-53)) - 1;
        return fmt::format("w{}x{}", rank, of);
    }

   private:
    SeededRandom random_{7};
};

struct Place {
    explicit Place(std::string name)
        : path(std::filesystem::temp_directory_path() / fmt::format("gantry-text-bench-{}-{}", name, ::getpid())) {}
    ~Place() { std::filesystem::remove_all(path); }
    std::filesystem::path path;
};

std::uint64_t bytes_in(std::filesystem::path const& path) {
    std::uint64_t bytes = 0;
    for (auto const& file : std::filesystem::directory_iterator(path)) bytes += file.file_size();
    return bytes;
}

void index_reports(benchmark::State& state, Schema const& of) {
    Reports reports;
    std::vector<Document> made;
    std::uint64_t bytes = 0;
    for (std::uint64_t id = 1; id <= 20'000; ++id) made.push_back(reports.make(id));
    for (auto const& report : made)
        for (auto const& [field, text] : report.texts) bytes += text.size();
    std::uint64_t stored = 0;
    for (auto _ : state) {
        Place place("index");
        auto index = Index::open(place.path, of).value();
        for (auto const& report : made) {
            if (index.batch_full()) (void)index.commit({1, report.id - 1}).value();
            (void)index.put(report).value();
        }
        (void)index.commit({1, made.size()}).value();
        stored = bytes_in(place.path);
    }
    state.counters["documents/s"] = benchmark::Counter(double(made.size()), benchmark::Counter::kIsIterationInvariantRate);
    state.counters["bytes_each"] = double(bytes) / double(made.size());
    state.counters["stored_each"] = double(stored) / double(made.size());
}
BENCHMARK_CAPTURE(index_reports, frames_as_words, schema)->Unit(benchmark::kMillisecond)->UseRealTime();
BENCHMARK_CAPTURE(index_reports, frames_in_order, with_order)->Unit(benchmark::kMillisecond)->UseRealTime();

void replace_reports(benchmark::State& state) {
    Place place("replace");
    Reports reports;
    auto index = Index::open(place.path, schema).value();
    for (std::uint64_t id = 1; id <= 10'000; ++id) {
        if (index.batch_full()) (void)index.commit({1, id}).value();
        (void)index.put(reports.make(id)).value();
    }
    (void)index.commit({1, 1}).value();
    std::uint64_t id = 0;
    for (auto _ : state) {
        if (index.batch_full()) (void)index.commit({1, 1}).value();
        (void)index.put(reports.make(id++ * 7919 % 10'000 + 1)).value();
    }
    state.counters["documents/s"] = benchmark::Counter(double(state.iterations()), benchmark::Counter::kIsRate);
}
BENCHMARK(replace_reports)->Unit(benchmark::kMicrosecond)->UseRealTime();

Reader& searched() {
    static Place place("search");
    static Reader reader = [] {
        Reports reports;
        auto index = Index::open(place.path, schema).value();
        for (std::uint64_t id = 1; id <= searched_documents; ++id) {
            if (index.batch_full()) (void)index.commit({1, id - 1}).value();
            (void)index.put(reports.make(id)).value();
        }
        (void)index.commit({1, searched_documents}).value();
        return index.reader().value();
    }();
    return reader;
}

void search(benchmark::State& state, char const* text, Order order) {
    auto& reader = searched();
    Query query{.match = parse(text, schema, {.now = Time{std::int64_t(searched_documents) * 1'000'000}}).value(),
                .order = order,
                .limit = 25,
                .after = {}};
    std::uint64_t about = 0;
    for (auto _ : state) about = reader.find(query).value().about;
    state.counters["about"] = double(about);
}
#define SEARCH(name, text, order) BENCHMARK_CAPTURE(search, name, text, order)->Unit(benchmark::kMicrosecond)->UseRealTime()
SEARCH(rare_word_newest, "message:w5000x20000", Order::newest);
SEARCH(common_word_newest, "message:w0x20000", Order::newest);
SEARCH(common_word_relevance, "message:w0x20000", Order::relevance);
SEARCH(two_words_newest, "w3x20000 w17x20000", Order::newest);
SEARCH(two_words_relevance, "w3x20000 w17x20000", Order::relevance);
SEARCH(phrase_newest, "\"w1x20000 w2x20000\"", Order::newest);
SEARCH(prefix_newest, "message:w123*", Order::newest);
SEARCH(value_and_word, "level:w2x500 w3x20000", Order::newest);
SEARCH(range_and_word, "duration_ms:>=29000 w3x20000", Order::newest);
SEARCH(last_minutes, "after:10m", Order::newest);
SEARCH(everything, "", Order::newest);
SEARCH(word_in_each_frame, "return", Order::newest);

}  // namespace
}  // namespace gantry::text

BENCHMARK_MAIN();
