// What the figures rest on: the histogram, the events and the plain fold.
#include <gtest/gtest.h>

#include "bench/histogram.h"
#include "bench/plain_fold.h"
#include "bench/workload.h"

namespace gantry::bench {
namespace {

Report report(std::uint64_t run, std::string_view stage, std::int64_t at_us, std::string_view result = {}) {
    return {.run = run,
            .package = "hello",
            .version = "2.10-3",
            .arch = "amd64",
            .series = "sid",
            .trigger = "glibc",
            .source = "hello",
            .reporter = "builders",
            .stage = stage,
            .result = result,
            .at_us = at_us,
            .id = {},
            .url = {},
            .note = {}};
}

TEST(Histogram, EveryDurationFallsIntoItsStepWithinThreePercent) {
    for (std::uint64_t ns = 1; ns < (1ull << 50); ns += 1 + ns / 7) {
        auto i = Histogram::index(ns);
        ASSERT_LT(i, Histogram::size);
        EXPECT_NEAR(Histogram::middle(i), double(ns), 1 + double(ns) * 0.03);
    }
    EXPECT_LT(Histogram::index(~0ull), Histogram::size);
}

TEST(Histogram, PercentilesAreThoseOfTheSamples) {
    Histogram h;
    EXPECT_EQ(h.percentile_us(0.5), 0);
    for (std::uint64_t us = 1; us <= 1000; ++us) h.add(us * 1000);
    EXPECT_NEAR(h.percentile_us(0.50), 500, 16);
    EXPECT_NEAR(h.percentile_us(0.99), 990, 31);
}

TEST(Workload, TheSameSeedGivesTheSameEventsOfAboutAHundredBytesThatSurviveEncoding) {
    Workload one(1000, 7), two(1000, 7);
    std::size_t bytes = 0, late = 0, ids = 0, results = 0;
    static constexpr std::size_t count = 20'000;
    std::int64_t newest = 0;
    for (std::size_t i = 0; i < count; ++i) {
        std::string a, b, again;
        encode(one.next(), a), encode(two.next(), b);
        ASSERT_EQ(a, b);
        Report r;
        ASSERT_TRUE(decode(a, r));
        encode(r, again);
        ASSERT_EQ(a, again);
        bytes += a.size(), late += r.at_us < newest - 10'000'000, ids += !r.id.empty(), results += !r.result.empty();
        newest = std::max(newest, r.at_us);
    }
    EXPECT_GT(bytes / count, 85u);
    EXPECT_LT(bytes / count, 115u);
    EXPECT_GT(late, count / 200);
    EXPECT_LT(late, count / 50);
    EXPECT_GT(ids, count / 8);
    EXPECT_GT(results, count / 8);
}

TEST(Workload, ATornOrLongerRecordIsNoReport) {
    std::string bytes;
    encode(Workload().next(), bytes);
    Report r;
    EXPECT_FALSE(decode(std::string_view(bytes).substr(0, bytes.size() - 1), r));
    EXPECT_FALSE(decode(bytes + "x", r));
}

TEST(PlainFold, ARunMovesThroughItsStagesToAResult) {
    PlainFold fold;
    fold.apply(report(1, "building", 10));
    EXPECT_EQ(fold.summary().in_flight, 1u);
    fold.apply(report(1, "migrating", 20, "accepted"));
    auto s = fold.summary();
    EXPECT_EQ(s.in_flight, 0u);
    EXPECT_EQ(s.completed, 1u);
    EXPECT_EQ(s.steps, 2u);
    EXPECT_EQ(s.by_result.at("accepted"), 1u);
    EXPECT_EQ(s.by_stage.at("building"), 0u);
}

TEST(PlainFold, ALateReportEntersTheHistoryButMovesNothing) {
    PlainFold fold;
    fold.apply(report(1, "built", 20));
    fold.apply(report(1, "building", 10));
    auto s = fold.summary();
    EXPECT_EQ(s.steps, 2u);
    EXPECT_EQ(s.by_stage.at("built"), 1u);
    EXPECT_FALSE(s.by_stage.contains("building"));
}

TEST(PlainFold, ANewRunOfTheSameKeySupersedesOneInFlight) {
    PlainFold fold;
    fold.apply(report(1, "building", 10));
    fold.apply(report(2, "uploaded", 20));
    auto s = fold.summary();
    EXPECT_EQ(s.runs, 2u);
    EXPECT_EQ(s.in_flight, 1u);
    EXPECT_EQ(s.by_result.at("superseded"), 1u);
    EXPECT_EQ(s.packages, 1u);
}

TEST(PlainFold, ARepeatedIdIsDropped) {
    PlainFold fold;
    auto r = report(1, "building", 10);
    r.id = "b17";
    fold.apply(r), fold.apply(r);
    EXPECT_EQ(fold.summary().steps, 1u);
    r.reporter = "dak";
    fold.apply(r);
    EXPECT_EQ(fold.summary().steps, 2u);
}

}  // namespace
}  // namespace gantry::bench
