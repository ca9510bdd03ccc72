// The window: what ended long ago leaves the model by a recorded event.
#include "services/tracker/tracker_test.h"

namespace gantry::tracker {
namespace {

Settings ninety_days() { return {Duration::days(90)}; }

TEST(Window, WithoutOneNothingLeaves) {
    Tracker t;
    t.report({.more = done}).ok();
    t.advance(Duration::days(10'000));
    t.tick();
    EXPECT_EQ(t.summary().completed, 1u);
}

TEST(Window, WhatEndedBeforeItLeavesByAnEventAndIsCounted) {
    Tracker t(ninety_days());
    t.report({.package = "gone", .more = done + R"(,"url":"http://x.example")"}).ok();
    t.report({.package = "stays"}).ok();
    t.report({.package = "past", .version = "1"}).ok();
    t.report({.package = "past", .version = "2", .minute = 1}).ok();  // supersedes 1
    t.advance(Duration::days(90));
    t.tick();
    EXPECT_EQ(t.summary().evicted, 0u) << "exactly as old as the window";
    t.advance(Duration::seconds(61));
    t.tick();
    auto s = t.summary();
    EXPECT_EQ(s.evicted, 2u);
    EXPECT_EQ(s.completed, 0u);
    EXPECT_EQ(s.superseded, 0u);
    EXPECT_EQ(s.in_flight, 2u) << "what is in flight stays however old it is";
    EXPECT_TRUE(s.results.empty());
    EXPECT_EQ(t.state().extras.size(), 0u);
    t.get("/tracker/v1/packages/gone").fails(404, "package_not_found");
    t.get("/tracker/v1/runs/r_1").fails(410, "run_evicted");
    t.get("/tracker/v1/packages/past").ok().has("\"2\"");
    auto before = t.host().applied();
    t.tick();
    EXPECT_EQ(t.host().applied(), before) << "nothing to do is no event";
}

TEST(Window, AReportOnWhatLeftOpensANewRun) {
    Tracker t(ninety_days());
    t.report({.more = done}).ok();
    t.advance(Duration::days(91));
    t.tick();
    EXPECT_EQ(t.run_of({.stage = "late", .more = done, .minute = 1}), 2u);
    t.tick();
    EXPECT_EQ(t.summary().evicted, 2u) << "and leaves with the next tick";
}

TEST(Window, ManyLeaveInSteps) {
    Tracker t(ninety_days());
    std::string reports;
    for (int i = 0; i < 2500; ++i)
        reports += fmt::format(R"({}{{"package":"p{}","version":"1","arch":"amd64","stage":"x","result":"r"}})", i ? "," : "", i);
    t.post("/tracker/v1/imports/i/chunks", R"({"from":"","to":"1","reports":[)" + reports + "]}").ok();
    t.advance(Duration::days(91));
    t.tick();
    EXPECT_EQ(t.summary().evicted, 1000u);
    t.tick(), t.tick();
    EXPECT_EQ(t.summary().evicted, 2500u);
    EXPECT_EQ(t.state().steps.size(), 0u);
    EXPECT_EQ(t.state().ended.size(), 0u);
}

TEST(Window, RandomReportsAndEvictionsKeepTheLaws) {
    for (std::uint64_t seed = 1; seed <= rounds(10); ++seed) {
        Tracker t({Duration::hours(1)});
        SeededRandom random(seed);
        for (int i = 0; i < 100; ++i) {
            t.report({.package = fmt::format("p{}", random.below(3)),
                      .version = fmt::format("{}", random.below(3)),
                      .more = random.chance(0.4) ? done : "",
                      .minute = i * 2})
                .ok();
            t.advance(Duration::seconds(120));
            if (random.chance(0.2)) t.tick();
        }
        auto s = t.summary();
        std::uint64_t there = 0;
        for (std::uint64_t n = 1; n <= t.state().runs.size(); ++n) there += t.state().has_run(n);
        EXPECT_EQ(there, s.in_flight + s.completed + s.superseded);
        EXPECT_EQ(t.state().runs.size(), there + s.evicted);
        EXPECT_GT(s.evicted, 0u);
    }
}

}  // namespace
}  // namespace gantry::tracker
