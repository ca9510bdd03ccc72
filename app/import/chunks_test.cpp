#include "app/import/chunks.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "app/import/fake_tracker_test.h"
#include "app/import/list_source.h"
#include "app/import/log_source.h"

namespace gantry::import {
namespace {

using Fault = FakeTracker::Fault;

// A clock that the sender's sleeps move.
struct Bench {
    ManualClock clock;
    Captured err;
    Complaints complaints{err};
    Progress progress{err, Progress::To::nothing, clock};
    std::vector<std::int64_t> slept_ms;
    SendOptions options;
    Sent sent;

    explicit Bench(ChunkLimits limits = {}) {
        options.import_name = "test", options.limits = limits;
        options.sleep = [this](Duration d) { clock.advance(d), slept_ms.push_back(d.us / 1000); };
    }
    Result<void> run(Transport& tracker, ReportSource& source) {
        sent = {};
        return ChunkSender(tracker, options, progress, complaints, clock).run(source, sent);
    }
};

ListSource list(std::size_t n, std::size_t note_bytes = 0) {
    std::vector<Positioned> all;
    for (std::size_t i = 0; i < n; ++i) {
        Report r{.package = "p", .version = "1", .arch = "all", .stage = "s", .id = fmt::format("{:06}", i), .reporter = "list"};
        if (note_bytes) r.note = std::string(note_bytes, 'n');
        all.push_back({std::move(r), "", "file", i + 1});
    }
    return ListSource(std::move(all));
}

TEST(Chunks, AreBoundedByReportsAndByBytes) {
    for (auto [n, limits, note, sizes] : {
             std::tuple{std::size_t(1000), ChunkLimits{}, std::size_t(0), std::vector<std::size_t>{500, 500}},
             {1001, ChunkLimits{}, 0, {500, 500, 1}},
             {499, ChunkLimits{}, 0, {499}},
             {3, ChunkLimits{500, 2500}, 1000, {2, 1}},
             {3, ChunkLimits{500, 100}, 1000, {1, 1, 1}},
         }) {
        FakeTracker tracker;
        Bench bench(limits);
        auto source = list(n, note);
        ASSERT_TRUE(bench.run(tracker, source));
        EXPECT_EQ(tracker.chunk_sizes, sizes);
        EXPECT_EQ(bench.sent.reports, n);
        EXPECT_EQ(bench.sent.chunks, sizes.size());
        EXPECT_EQ(bench.sent.position, tracker.at("test"));
    }
    FakeTracker tracker;
    Bench bench;
    auto source = list(2000, 1000);
    ASSERT_TRUE(bench.run(tracker, source));
    EXPECT_LE(tracker.largest_body(), 256u * 1024 + 1000);
    EXPECT_GE(tracker.largest_body(), 250u * 1024);
    EXPECT_EQ(tracker.count(), 2000u);
}

TEST(Chunks, AnEmptyInputSendsNothing) {
    FakeTracker tracker;
    Bench bench;
    auto source = list(0);
    ASSERT_TRUE(bench.run(tracker, source));
    EXPECT_EQ(tracker.calls(), 1u);
}

TEST(Chunks, RetriesWithGrowingPausesAndThenGivesUp) {
    FakeTracker tracker;
    Bench bench;
    auto source = list(3);
    tracker.fault = [](auto call) { return call <= 4 ? Fault::no_answer : call <= 6 ? Fault::busy : Fault::none; };
    ASSERT_TRUE(bench.run(tracker, source));
    EXPECT_EQ(tracker.count(), 3u);
    EXPECT_EQ(bench.slept_ms, (std::vector<std::int64_t>{200, 400, 800, 1600, 3200, 5000}));

    bench.slept_ms.clear();
    tracker.fault = [](auto) { return Fault::busy; };
    auto r = bench.run(tracker, source);
    ASSERT_FALSE(r);
    EXPECT_EQ(r.error().code, "tracker_unreachable");
    std::int64_t total = 0;
    for (auto ms : bench.slept_ms) total += ms;
    EXPECT_LE(total, 120'000);
    EXPECT_GE(total, 110'000);
}

TEST(Chunks, RetryAfterGoesBefore) {
    struct Busy final : Transport {
        int calls = 0;
        Answer get(std::string const&) override {
            return ++calls == 1 ? Answer{503, "{}", Duration::seconds(7)} : Answer{200, R"({"at":""})", {}};
        }
        Answer post(std::string const&, std::string const&) override { return {201, "{}", {}}; }
    } tracker;
    Bench bench;
    auto source = list(1);
    ASSERT_TRUE(bench.run(tracker, source));
    EXPECT_EQ(bench.slept_ms, std::vector<std::int64_t>{7000});
}

TEST(Chunks, StopsBetweenChunks) {
    FakeTracker tracker;
    Bench bench({10, 1 << 20});
    auto source = list(100);
    bench.options.stopped = [&] { return tracker.count() >= 30; };
    ASSERT_TRUE(bench.run(tracker, source));
    EXPECT_TRUE(bench.sent.stopped);
    EXPECT_EQ(tracker.count(), 30u);
    bench.options.stopped = [] { return false; };
    auto again = list(100);
    ASSERT_TRUE(bench.run(tracker, again));
    EXPECT_EQ(bench.sent.reports, 70u);
    EXPECT_EQ(tracker.count(), 100u);
}

TEST(Chunks, StopsWhileWaitingForTheTracker) {
    FakeTracker tracker;
    Bench bench;
    tracker.fault = [](auto) { return Fault::no_answer; };
    bench.options.stopped = [&] { return bench.slept_ms.size() >= 2; };
    auto source = list(1);
    EXPECT_FALSE(bench.run(tracker, source));
    EXPECT_EQ(bench.slept_ms.size(), 2u);
}

TEST(Chunks, RefusedReportsAreNamedAndTheRestGoesIn) {
    FakeTracker tracker;
    Bench bench({10, 1 << 20});
    auto source = list(25);
    tracker.refuse = [](WireChunk const& chunk) -> std::optional<Answer> {
        for (std::size_t i = 0; i < chunk.reports.size(); ++i)
            if (chunk.reports[i].id->ends_with('7'))
                return Answer{
                    400,
                    fmt::format(R"({{"code":"body_invalid","errors":[{{"pointer":"/reports/{}/package","detail":"too odd"}}]}})", i),
                    {}};
        return {};
    };
    ASSERT_TRUE(bench.run(tracker, source));
    EXPECT_EQ(tracker.count(), 23u);
    EXPECT_EQ(bench.sent.refused, 2u);
    EXPECT_EQ(bench.complaints.count(), 2u);
    EXPECT_EQ(bench.err.text(),
              "file:8: the tracker refused it: /reports/7/package: too odd\n"
              "file:18: the tracker refused it: /reports/7/package: too odd\n");
}

TEST(Chunks, AnAnswerThatCantBeEndsIt) {
    for (auto body :
         {R"({"code":"body_invalid","detail":"no"})", R"({"code":"x","errors":[{"pointer":"/from","detail":"no"}]})", "rubbish", ""}) {
        FakeTracker tracker;
        Bench bench;
        auto source = list(3);
        tracker.refuse = [&](WireChunk const&) { return Answer{400, body, {}}; };
        auto r = bench.run(tracker, source);
        ASSERT_FALSE(r) << body;
        EXPECT_EQ(r.error().code, "tracker_refused");
    }
    struct NoTracker final : Transport {
        Answer get(std::string const&) override { return {404, R"({"code":"not_found"})", {}}; }
        Answer post(std::string const&, std::string const&) override { return {}; }
    } other;
    Bench bench;
    auto source = list(1);
    EXPECT_EQ(bench.run(other, source).error().code, "tracker_refused");
}

TEST(Chunks, TwoProcessesUnderOneNameDoNotFightForEver) {
    FakeTracker tracker;
    Bench bench;
    int n = 0;
    tracker.refuse = [&](WireChunk const&) {
        tracker.fault = [](auto) { return Fault::none; };
        return Answer{409, R"({"code":"import_elsewhere"})", {}};
    };
    bench.options.stopped = [&] { return ++n > 1000; };
    auto source = list(3);
    auto r = bench.run(tracker, source);
    ASSERT_FALSE(r);
    EXPECT_EQ(r.error().code, "import_busy");
}

// Every way to be cut off: the import is killed or its answer lost at the n-th call, started again until it is through, and must have
// sent exactly what an undisturbed one sends.
void survives(std::function<std::unique_ptr<ReportSource>(Complaints&)> const& open) {
    FakeTracker undisturbed;
    {
        Bench bench({7, 1 << 20});
        auto source = open(bench.complaints);
        ASSERT_TRUE(bench.run(undisturbed, *source));
    }
    std::string const expected = undisturbed.text();
    ASSERT_GT(undisturbed.calls(), 5u);
    for (Fault fault : {Fault::killed_before, Fault::killed_after, Fault::no_answer, Fault::lost_answer, Fault::busy}) {
        // Killed at every second call, an import would never get past its second one.
        for (std::uint64_t every = fault == Fault::killed_before ? 3 : 2; every <= undisturbed.calls() + 1; ++every) {
            FakeTracker tracker;
            tracker.fault = [&](std::uint64_t call) { return call % every == 0 ? fault : Fault::none; };
            int starts = 0;
            for (bool through = false; !through && starts < 200; ++starts) {
                Bench bench({7, 1 << 20});
                auto source = open(bench.complaints);
                try {
                    through = bool(bench.run(tracker, *source));
                } catch (FakeTracker::Killed) {
                }
            }
            ASSERT_LT(starts, 200) << int(fault) << " every " << every;
            ASSERT_EQ(tracker.text(), expected) << int(fault) << " every " << every;
        }
    }
}

TEST(Restart, AListIsSentExactlyOnce) {
    survives([](Complaints&) { return std::make_unique<ListSource>(list(40)); });
}

TEST(Restart, ALogIsSentExactlyOnce) {
    TempDir dir;
    std::string old, young;
    for (int i = 0; i < 30; ++i) {  // three lines a second: positions within a second
        auto& log = i < 17 ? old : young;
        log += fmt::format("2026-03-01 10:00:{:02} install p{}:all <none> 1\n", i / 3, i % 7);
        log += fmt::format("2026-03-01 10:00:{:02} status unpacked p{}:all 1\n", i / 3, i % 7);
        log += fmt::format("2026-03-01 10:00:{:02} {}\n", i / 3, i % 4 ? "startup packages configure" : "rubbish");
    }
    write_gzip(dir / "dpkg.log.1.gz", old);
    write_file(dir / "dpkg.log", young);
    auto zone = Zone::open("UTC");
    ASSERT_TRUE(zone);
    survives([&](Complaints& complaints) -> std::unique_ptr<ReportSource> {
        auto source = DpkgLogSource::open({{dir / "dpkg.log", dir / "dpkg.log.1.gz"}, false}, *zone, complaints);
        return source ? std::move(*source) : nullptr;
    });
}

TEST(ProgressLines, SayRateAndTimeLeft) {
    EXPECT_EQ(Progress::line(50, 100, 12345, 2'000'000, 0), "[############------------]  50 %  12,345 reports  6,172/s  2s left");
    EXPECT_EQ(Progress::line(100, 100, 5, 1'000'000, 0), "[########################] 100 %  5 reports  5/s");
    EXPECT_EQ(Progress::line(0, 0, 5, 1'000'000, 0), "5 reports  5/s");
    EXPECT_EQ(Progress::line(60, 100, 5, 100'000'000, 50), "[##############----------]  60 %  5 reports  0/s  6m40s left");
}

TEST(ProgressLines, OnATerminalOneLineElsewhereOneEveryFewSeconds) {
    for (auto to : {Progress::To::terminal, Progress::To::file}) {
        ManualClock clock;
        Captured out;
        Progress progress(out, to, clock);
        for (int i = 0; i <= 100; ++i) progress.update(std::uint64_t(i), 100, std::uint64_t(i)), clock.advance(Duration::millis(70));
        progress.say("waiting");
        progress.finish();
        std::string const text = out.text();
        if (to == Progress::To::terminal)
            EXPECT_NEAR(double(std::count(text.begin(), text.end(), '\r')), 52, 3) << text;
        else
            EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 3) << text;
        EXPECT_NE(text.find("gantry import: waiting\n"), text.npos);
    }
}

}  // namespace
}  // namespace gantry::import
