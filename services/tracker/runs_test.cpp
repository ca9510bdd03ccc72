// Which run a report belongs to.
#include "services/tracker/tracker_test.h"

namespace gantry::tracker {
namespace {

using Names = std::vector<std::string>;

TEST(Runs, AReportOpensARunAndTheNextOnesMoveIt) {
    Tracker t;
    EXPECT_EQ(t.run_of({.stage = "uploaded"}), 1u);
    EXPECT_EQ(
        t.run_of(
            {.stage = "building", .more = R"("source":"hello-src","reporter":"builders","url":"https://ci.example.org/1")", .minute = 1}),
        1u);
    auto run = t.run(1);
    EXPECT_EQ(run.stage, "building");
    EXPECT_EQ(run.started_at, noon);
    EXPECT_EQ(run.updated_at, noon + Duration::seconds(60));
    EXPECT_EQ(run.reporter, "builders");
    EXPECT_FALSE(run.result || run.completed_at || run.superseded);
    ASSERT_EQ(run.stages.size(), 2u);
    EXPECT_EQ(run.stages[0].reporter, "u_local") << "the caller, when nobody else is named";
    EXPECT_EQ(run.stages[1].url, "https://ci.example.org/1");
    EXPECT_EQ(run.stages[1].received_at, noon);
    EXPECT_EQ(t.summary().in_flight, 1u);
}

TEST(Runs, ATimeThatIsNotGivenIsNow) {
    Tracker t;
    t.post("/tracker/v1/reports", R"({"package":"hello","version":"1","arch":"amd64","stage":"x"})").ok();
    EXPECT_EQ(t.run(1).started_at, noon);
}

TEST(Runs, AnyResultCompletes) {
    Tracker t;
    t.report({.stage = "building"}).ok();
    t.report({.stage = "tested", .more = R"("result":"rejected")", .minute = 5}).ok();
    auto run = t.run(1);
    EXPECT_EQ(run.result, "rejected");
    EXPECT_EQ(run.completed_at, noon + Duration::seconds(300));
    auto s = t.summary();
    EXPECT_EQ(s.in_flight, 0u);
    EXPECT_EQ(s.completed, 1u);
    EXPECT_EQ(s.results, (std::map<std::string, std::uint64_t>{{"rejected", 1}}));
    EXPECT_TRUE(s.stages.empty());
}

TEST(Runs, AnotherVersionSupersedesWhatIsInFlight) {
    Tracker t;
    t.report({.version = "1"}).ok();
    t.report({.version = "2", .minute = 1})
        .ok()
        .wrote(Superseded{{1}, noon + Duration::seconds(60)}, Reported{.run = {2},
                                                                       .package = "hello",
                                                                       .version = "2",
                                                                       .arch = "amd64",
                                                                       .reporter = "u_local",
                                                                       .stage = "building",
                                                                       .at = noon + Duration::seconds(60)});
    EXPECT_TRUE(t.run(1).superseded);
    EXPECT_FALSE(t.run(1).result);
    auto s = t.summary();
    EXPECT_EQ(s.in_flight, 1u);
    EXPECT_EQ(s.superseded, 1u);
    EXPECT_EQ(s.completed, 0u);
    EXPECT_TRUE(t.list("results").items.empty());
}

TEST(Runs, ASupersededRunMayStillTellItsEnd) {
    Tracker t;
    t.report({.version = "1"}).ok();
    t.report({.version = "2", .minute = 1}).ok();
    EXPECT_EQ(t.run_of({.version = "1", .stage = "built", .more = done, .minute = 2}), 1u);
    EXPECT_EQ(t.run(1).result, "accepted");
    EXPECT_TRUE(t.run(1).superseded);
    EXPECT_FALSE(t.run(2).result) << "the newer one goes on";
    auto s = t.summary();
    EXPECT_EQ(s.superseded, 0u);
    EXPECT_EQ(s.completed, 1u);
    EXPECT_EQ(s.in_flight, 1u);
}

TEST(Runs, AVersionThatComesBackAfterItsEndIsARunOfItsOwn) {
    Tracker t;
    t.report({.version = "1", .more = done}).ok();
    t.report({.version = "2", .more = done, .minute = 1}).ok();
    EXPECT_EQ(t.run_of({.version = "1", .minute = 2}), 3u) << "a downgrade";
    EXPECT_EQ(t.run_of({.version = "1", .more = done, .minute = 3}), 3u);
    EXPECT_EQ(t.run_of({.version = "1", .minute = 4}), 4u) << "the same version, begun again";
    EXPECT_EQ(t.run_of({.version = "1", .minute = 4}), 4u);
}

TEST(Runs, ALateReportEntersTheHistoryAndDoesNotMoveTheStage) {
    Tracker t;
    t.report({.stage = "a", .minute = 1}).ok();
    t.report({.stage = "c", .minute = 3}).ok();
    t.report({.stage = "b", .minute = 2}).ok();
    t.report({.stage = "zero", .minute = 0}).ok();
    EXPECT_EQ(t.stages(1), (Names{"zero", "a", "b", "c"}));
    EXPECT_EQ(t.run(1).stage, "c");
    EXPECT_EQ(t.run(1).started_at, noon);
    EXPECT_EQ(t.summary().stages, (std::map<std::string, std::uint64_t>{{"c", 1}}));
}

TEST(Runs, EqualTimesKeepTheOrderOfArrival) {
    Tracker t;
    for (auto stage : {"a", "b", "c"}) t.report({.stage = stage}).ok();
    EXPECT_EQ(t.stages(1), (Names{"a", "b", "c"}));
    EXPECT_EQ(t.run(1).stage, "c");
}

TEST(Runs, ALateStageOfACompletedRunBelongsToIt) {
    Tracker t;
    t.report({.stage = "a", .minute = 1}).ok();
    t.report({.stage = "end", .more = done, .minute = 5}).ok();
    EXPECT_EQ(t.run_of({.stage = "b", .minute = 3}), 1u);
    EXPECT_EQ(t.run_of({.stage = "same", .minute = 5}), 1u);
    EXPECT_EQ(t.run_of({.stage = "again", .minute = 6}), 2u);
    EXPECT_EQ(t.run(1).result, "accepted");
    EXPECT_EQ(t.summary().in_flight, 1u);
}

TEST(Runs, AnOlderVersionThatNobodyKnewIsARunOfThePast) {
    Tracker t;
    t.report({.version = "2", .minute = 10}).ok();
    EXPECT_EQ(t.run_of({.version = "1", .minute = 1}), 2u);
    EXPECT_EQ(t.run_of({.version = "1", .stage = "end", .more = done, .minute = 2}), 2u);
    EXPECT_TRUE(t.run(2).superseded);
    EXPECT_EQ(t.run(2).result, "accepted");
    EXPECT_EQ(t.names("packages?state=in-flight"), (Names{"hello"}));
    EXPECT_EQ(t.list("packages").items.at(0).version, "2") << "the newest run of the key";
}

TEST(Runs, AReportOfLongAgoFindsTheRunThatHadBegunThen) {
    Tracker t;
    t.report({.version = "1", .minute = 0}).ok();
    t.report({.version = "1", .more = done, .minute = 1}).ok();
    t.report({.version = "1", .minute = 10}).ok();  // run 2
    EXPECT_EQ(t.run_of({.version = "1", .stage = "late", .minute = 1}), 1u);
    EXPECT_EQ(t.run_of({.version = "1", .stage = "later", .minute = 11}), 2u);
}

TEST(Runs, ALaterResultTakesThePlaceOfAnEarlierOne) {
    Tracker t;
    t.report({.more = R"("result":"failed")", .minute = 5}).ok();
    t.report({.more = R"("result":"passed")", .minute = 5}).ok();
    EXPECT_EQ(t.run(1).result, "passed");
    t.report({.more = R"("result":"early")", .minute = 4}).ok();
    EXPECT_EQ(t.run(1).result, "passed");
    EXPECT_EQ(t.summary().results, (std::map<std::string, std::uint64_t>{{"passed", 1}}));
}

TEST(Runs, KeysAreApart) {
    Tracker t;
    EXPECT_EQ(t.run_of({}), 1u);
    EXPECT_EQ(t.run_of({.more = R"("series":"trixie")"}), 2u);
    EXPECT_EQ(t.run_of({.more = R"("trigger":"glibc/2.40")"}), 3u);
    EXPECT_EQ(t.run_of({.package = "hello2"}), 4u);
    EXPECT_EQ(t.run_of({}), 1u);
    EXPECT_EQ(t.summary().packages, 2u);
}

TEST(Runs, ARepeatWithItsIdIsDropped) {
    Tracker t;
    std::string const id = R"("id":"x1","reporter":"ci")";
    EXPECT_EQ(t.run_of({.more = id}), 1u);
    auto again = t.report({.stage = "other", .more = id, .minute = 9}).ok().wrote_nothing().as<Taken>();
    EXPECT_EQ(again.outcome, Outcome::repeated);
    EXPECT_FALSE(again.run);
    EXPECT_EQ(t.run_of({.more = R"("id":"x1","reporter":"other")", .minute = 1}), 1u) << "an id is of its reporter";
    t.restart();
    t.report({.more = id}).ok().wrote_nothing();
    EXPECT_EQ(t.summary().reports, 2u);
}

TEST(Runs, LimitsOfTheFieldsHoldFromBothSides) {
    Tracker t;
    t.report({.package = std::string(200, 'p')}).ok();
    t.report({.package = std::string(201, 'p')}).fails(400, "body_invalid").has("/package");
    t.report({.package = ""}).fails(400, "body_invalid");
    t.report({.stage = std::string(100, 's')}).ok();
    t.report({.stage = std::string(101, 's')}).fails(400, "body_invalid").has("/stage");
    t.report({.more = "\"note\":\"" + std::string(2000, 'n') + "\""}).ok();
    t.report({.more = "\"note\":\"" + std::string(2001, 'n') + "\""}).fails(400, "body_invalid").has("/note");
    t.report({.more = "\"id\":\"" + std::string(200, 'i') + "\""}).ok();
    t.report({.more = "\"id\":\"" + std::string(201, 'i') + "\""}).fails(400, "body_invalid").has("/id");
    t.post("/tracker/v1/reports", R"({"package":"hello","version":"1","arch":"amd64"})").fails(400, "body_invalid").has("/stage");
    t.post("/tracker/v1/reports", R"({"package":"hello","version":"1","arch":"amd64","stage":"x","at":"2026-01-01 10:00"})")
        .fails(400, "body_invalid");
    t.post("/tracker/v1/reports", R"({"package":"hello","version":"1","arch":"amd64","stage":"x","vresion":"1"})").has("did you mean");
}

TEST(Runs, WhoIsPersonalAndToldInTheHistory) {
    Tracker t;
    t.report({.more = R"("who":"Ann Lee <Ann@Example.org>")"})
        .ok()
        .wrote(Reported{.run = {1},
                        .package = "hello",
                        .version = "1.0-1",
                        .arch = "amd64",
                        .reporter = "u_local",
                        .stage = "building",
                        .at = noon,
                        .who = Personal<Text<1, 200>>{"Ann Lee <Ann@Example.org>", codec::pseudonym({}, "ann@example.org")}});
    EXPECT_EQ(t.run(1).stages[0].who, "Ann Lee <Ann@Example.org>");
}

// The same reports in any order lead to the same history, as long as no run ends: which run a report opens may differ, what is known not.
TEST(Runs, TheOrderOfArrivalDoesNotChangeAHistory) {
    std::vector<int> order{0, 1, 2, 3, 4, 5};
    Names const stages{"a", "b", "c", "d", "e", "f"};
    SeededRandom random(7);
    for (int round = 0; round < 30; ++round) {
        Tracker t;
        for (std::size_t i = order.size(); i > 1; --i) std::swap(order[i - 1], order[random.below(i)]);
        for (int i : order) t.report({.stage = stages[std::size_t(i)], .minute = i}).ok();
        EXPECT_EQ(t.stages(1), stages);
        EXPECT_EQ(t.run(1).stage, "f");
        EXPECT_EQ(t.run(1).started_at, noon);
        EXPECT_EQ(t.summary().stages, (std::map<std::string, std::uint64_t>{{"f", 1}}));
    }
}

TEST(Runs, RandomCommandsKeepTheLaws) {
    for (std::uint64_t seed = 1; seed <= 10; ++seed) {
        Tracker t;
        t.random_commands(seed, 60);
        for (auto path : {"summary", "packages?limit=1000", "results?limit=1000", "imports"})
            t.get(std::string("/tracker/v1/") + path).ok();
    }
}

// A small world of few packages and versions, so that every rule meets every other one.
TEST(Runs, RandomReportsKeepTheCountsTrue) {
    for (std::uint64_t seed = 1; seed <= rounds(20); ++seed) {
        Tracker t;
        SeededRandom random(seed);
        for (int i = 0; i < 150; ++i)
            t.report({.package = fmt::format("p{}", random.below(3)),
                      .version = fmt::format("{}", random.below(3)),
                      .stage = fmt::format("s{}", random.below(4)),
                      .more = random.chance(0.2)   ? done
                              : random.chance(0.2) ? fmt::format(R"("id":"{}")", random.below(40))
                                                   : "",
                      .minute = int(random.below(100))})
                .ok();
        auto s = t.summary();
        auto count = [&](std::string const& query) { return std::uint64_t(t.list(query + "limit=1000").items.size()); };
        EXPECT_EQ(count("packages?state=in-flight&"), s.in_flight);
        EXPECT_EQ(count("results?"), s.completed);
        EXPECT_EQ(t.state().runs.size(), s.in_flight + s.completed + s.superseded);
        std::uint64_t stages = 0, results = 0, hours = 0;
        for (auto const& [name, n] : s.stages) stages += n;
        for (auto const& [name, n] : s.results) results += n;
        for (auto const& hour : s.hours) hours += hour.reports;
        EXPECT_EQ(stages, s.in_flight);
        EXPECT_EQ(results, s.completed);
        EXPECT_EQ(hours, s.reports);
    }
}

}  // namespace
}  // namespace gantry::tracker
