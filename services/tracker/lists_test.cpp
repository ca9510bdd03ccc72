// Lists: filters, cursors, what is told of a package.
#include <set>

#include "services/tracker/tracker_test.h"

namespace gantry::tracker {
namespace {

using Names = std::vector<std::string>;

class Lists : public ::testing::Test {
   protected:
    Lists() {
        t.report({.package = "bash", .stage = "building", .more = R"("series":"trixie","reporter":"builders")", .minute = 1}).ok();
        t.report({.package = "apt", .stage = "testing", .more = R"("reporter":"ci")", .minute = 2}).ok();
        t.report({.package = "apt-utils", .stage = "building", .more = R"("source":"apt","trigger":"glibc/2.40")", .minute = 3}).ok();
        t.report({.package = "zsh", .stage = "done", .more = done, .minute = 4}).ok();
        t.report({.package = "dash", .stage = "done", .more = R"("result":"rejected")", .minute = 5}).ok();
    }
    Tracker t;
};

TEST_F(Lists, FiltersHold) {
    EXPECT_EQ(t.names("packages"), (Names{"apt", "apt-utils", "bash", "dash", "zsh"}));
    EXPECT_EQ(t.names("packages?state=in-flight"), (Names{"bash", "apt", "apt-utils"})) << "the oldest first";
    EXPECT_EQ(t.names("packages?state=completed"), (Names{"dash", "zsh"})) << "the newest first";
    EXPECT_EQ(t.names("packages?prefix=apt"), (Names{"apt", "apt-utils"}));
    EXPECT_EQ(t.names("packages?prefix=apt&stage=building"), (Names{"apt-utils"}));
    EXPECT_EQ(t.names("packages?stage=building"), (Names{"apt-utils", "bash"}));
    EXPECT_EQ(t.names("packages?state=in-flight&stage=testing"), (Names{"apt"}));
    EXPECT_EQ(t.names("packages?series=trixie"), (Names{"bash"}));
    EXPECT_EQ(t.names("packages?reporter=ci"), (Names{"apt"}));
    EXPECT_EQ(t.names("packages?source=apt"), (Names{"apt-utils"}));
    EXPECT_EQ(t.names("packages?trigger=glibc/2.40"), (Names{"apt-utils"}));
    EXPECT_EQ(t.names("packages?arch=amd64&result=accepted"), (Names{"zsh"}));
    EXPECT_EQ(t.names("packages?arch=s390x"), Names{});
    EXPECT_EQ(t.names("packages?since=2026-01-01T12:04:00Z"), (Names{"dash", "zsh"}));
    EXPECT_EQ(t.names("results"), (Names{"dash", "zsh"}));
    EXPECT_EQ(t.names("results?result=accepted"), (Names{"zsh"}));
    EXPECT_EQ(t.names("packages?prefix=zz"), Names{});
    t.get("/tracker/v1/packages?state=flying").fails(400, "request_invalid").has("?state");
    t.get("/tracker/v1/packages?satge=x").fails(400, "request_invalid").has("did you mean 'stage'?");
    t.get("/tracker/v1/packages?limit=0").fails(400, "request_invalid");
    t.get("/tracker/v1/packages?limit=1000").ok();
    t.get("/tracker/v1/packages?limit=1001").fails(400, "request_invalid");
}

TEST_F(Lists, CursorsGiveEachOnce) {
    for (std::string const list :
         {"packages?", "packages?state=in-flight&", "packages?state=completed&", "results?", "packages?prefix=apt&"}) {
        Names walked;
        std::string query = list + "limit=1";
        for (int pages = 0; pages < 10; ++pages) {
            auto page = t.list(query);
            for (auto const& item : page.items) walked.push_back(item.package);
            EXPECT_EQ(page.complete, !page.next);
            if (!page.next) break;
            query = list + "limit=1&cursor=" + *page.next;
        }
        EXPECT_EQ(walked, t.names(list + "limit=1000")) << list;
    }
}

TEST_F(Lists, AnItemThatStaysIsSeenOnceWhileOthersComeAndGo) {
    std::set<std::string> const staying{"apt", "apt-utils", "bash"};
    std::multiset<std::string> seen;
    std::string query = "packages?limit=1";
    for (int i = 0; i < 50; ++i) {
        auto page = t.list(query);
        for (auto const& item : page.items) seen.insert(item.package);
        if (!page.next) break;
        t.report({.package = fmt::format("new-{}", i), .minute = 10 + i}).ok();
        t.report({.package = fmt::format("aaa-{}", i), .minute = 10 + i}).ok();
        query = "packages?limit=1&cursor=" + *page.next;
    }
    for (auto const& name : staying) EXPECT_EQ(seen.count(name), 1u) << name;
}

TEST_F(Lists, ACursorIsOfItsListAlone) {
    auto next = *t.list("packages?limit=1").next;
    t.get("/tracker/v1/results?cursor=" + next).fails(400, "cursor_invalid");
    t.get("/tracker/v1/packages?cursor=nonsense").fails(400, "cursor_invalid");
    t.get("/tracker/v1/packages?cursor=").fails(400, "cursor_invalid");
}

TEST_F(Lists, APackageTellsItsWholeHistoryByPages) {
    for (int i = 0; i < 5; ++i) t.report({.package = "many", .version = fmt::format("{}", i), .more = done, .minute = i}).ok();
    t.report({.package = "many", .version = "1", .more = R"("series":"sid")", .minute = 9}).ok();
    auto all = t.get("/tracker/v1/packages/many").ok().as<PackageHistory>();
    ASSERT_EQ(all.runs.size(), 6u);
    EXPECT_TRUE(all.complete);
    EXPECT_EQ(all.runs[0].series, "sid") << "the newest number first";
    auto first = t.get("/tracker/v1/packages/many?limit=4").ok().as<PackageHistory>();
    EXPECT_FALSE(first.complete);
    auto second = t.get("/tracker/v1/packages/many?limit=4&cursor=" + *first.next).ok().as<PackageHistory>();
    EXPECT_EQ(second.runs.size(), 2u);
    EXPECT_FALSE(second.next);
    t.get("/tracker/v1/packages/none").fails(404, "package_not_found");
    t.get("/tracker/v1/packages/apt%2Dutils").ok();
}

TEST_F(Lists, ALongWalkIsCutAndSaysSo) {
    Tracker big;
    for (int chunk = 0; chunk < 3; ++chunk) {
        std::string reports;
        for (int i = 0; i < 7000; ++i)
            reports += fmt::format(R"({}{{"package":"p{}-{}","version":"1","arch":"amd64","stage":"x"}})", i ? "," : "", chunk, i);
        big.post("/tracker/v1/imports/big/chunks",
                 fmt::format(R"({{"from":"{}","to":"{}","reports":[{}]}})", chunk ? std::to_string(chunk) : "", chunk + 1, reports))
            .ok();
    }
    big.report({.package = "zz", .stage = "rare"}).ok();
    auto page = big.list("packages?stage=rare");
    EXPECT_TRUE(page.items.empty());
    EXPECT_FALSE(page.complete);
    ASSERT_TRUE(page.next && page.why);
    EXPECT_EQ(big.names("packages?stage=rare&cursor=" + *page.next), (Names{"zz"}));
}

TEST_F(Lists, ARunThatIsNotThereIsSaidToBe) {
    t.get("/tracker/v1/runs/r_99").fails(404, "run_not_found");
    t.get("/tracker/v1/runs/r_0").fails(404, "run_not_found");
    t.get("/tracker/v1/runs/x").fails(400, "request_invalid");
}

TEST_F(Lists, AVeryLongRunTellsItsNewestStages) {
    Tracker big;
    std::string reports;
    for (int i = 0; i < 1200; ++i)
        reports += fmt::format(R"({}{{"package":"p","version":"1","arch":"amd64","stage":"s{}"}})", i ? "," : "", i);
    big.post("/tracker/v1/imports/big/chunks", R"({"from":"","to":"1","reports":[)" + reports + "]}").ok();
    auto run = big.run(1);
    EXPECT_EQ(run.stages_total, 1200u);
    ASSERT_EQ(run.stages.size(), 1000u);
    EXPECT_EQ(run.stages.back().stage, "s1199");
}

TEST_F(Lists, HoursAreThoseOfTheLastWeekWithReports) {
    auto s = t.summary();
    ASSERT_EQ(s.hours.size(), 1u);
    EXPECT_EQ(s.hours[0].hour, noon);
    EXPECT_EQ(s.hours[0].reports, 5u);
    EXPECT_EQ(s.hours[0].completed, 2u);
    t.report({.package = "later", .minute = 60 * 24 * 7 - 1}).ok();
    EXPECT_EQ(t.summary().hours.size(), 2u);
    t.report({.package = "later", .minute = 60 * 24 * 7}).ok();
    EXPECT_EQ(t.summary().hours.size(), 2u) << "the first hour is a week ago";
}

}  // namespace
}  // namespace gantry::tracker
