// The summary of a day, alerts by mail, and counts by time.
#include "services/oops/oops_fixture_test.h"

namespace gantry::oops {
namespace {

class SummaryTest : public Oops {
   protected:
    SummaryTest() {
        h.mails([this](std::string_view to, std::string_view subject, std::string_view text) {
            mails.push_back(fmt::format("{}|{}|{}", to, subject, text));
        });
    }
    void post(std::string const& told) { h.post("/oops/v1/reports", told).ok(201); }
    void pass_to(std::string_view time) {
        h.at(*parse_time(time)).tick();
        h.run_effects();
    }
    std::string today() { return format_time(h.clock().wall()).substr(0, 10); }
    Summary summary(std::string_view more = "") {
        return h.get(fmt::format("/oops/v1/projects/1/summary?day={}{}", today(), more)).ok().as<Summary>();
    }
    std::vector<std::string> mails;
};

TEST_F(SummaryTest, ADayBySubjects) {
    report(1), report(2);
    post(R"({"project":1,"report":{"type":"RequestExpired","topic":"Bug:+index","url":"https://shop/bugs/1","method":"GET",)"
         R"("duration_ms":9000,)"
         R"("timeline":[{"start_ms":0,"end_ms":8000,"category":"SQL-main","detail":"SELECT * FROM bug WHERE id = 7"}]}})");
    post(R"({"project":1,"report":{"type":"NotFound","url":"https://shop/gone","referrer":"https://shop/","method":"GET"}})");
    post(R"({"project":1,"report":{"type":"NotFound","url":"https://shop/odd","referrer":"https://elsewhere/","method":"GET"}})");
    auto const s = summary();
    EXPECT_EQ(s.reports, 5u);
    EXPECT_EQ(s.examined, 5u);
    EXPECT_TRUE(s.complete);
    auto const of = [&](ReportClass what) {
        auto const found = std::ranges::find(s.classes, what, &ClassCount::what);
        return found == s.classes.end() ? 0 : found->count;
    };
    EXPECT_EQ(of(ReportClass::exception), 2u);
    EXPECT_EQ(of(ReportClass::timeout), 1u);
    EXPECT_EQ(of(ReportClass::not_found), 2u);
    ASSERT_EQ(s.slowest_pages.size(), 1u);
    EXPECT_EQ(s.slowest_pages[0].topic, "Bug:+index");
    EXPECT_EQ(s.slowest_pages[0].longest_ms, 9000);
    ASSERT_EQ(s.timeouts_by_statement.size(), 1u);
    EXPECT_EQ(s.timeouts_by_statement[0].text, "SELECT * FROM bug WHERE id = $INT");
    auto const lost = std::ranges::find(s.sections, ReportClass::not_found, &Section::what);
    ASSERT_NE(lost, s.sections.end());
    ASSERT_EQ(lost->groups.size(), 1u) << "of our own pages alone";
    EXPECT_EQ(lost->groups[0].urls[0].url, "https://shop/gone");
}

TEST_F(SummaryTest, OfItsDayAndProjectAlone) {
    report(1);
    h.post("/oops/v1/projects", R"({"name":"other"})").ok(201);
    h.post("/oops/v1/reports", R"({"project":2,"report":{"message":"of another"}})").ok(201);
    EXPECT_EQ(summary().reports, 1u);
    auto const before = today();
    h.advance(Duration::days(1));
    report(2), report(3);
    EXPECT_EQ(summary().reports, 2u);
    EXPECT_EQ(h.get("/oops/v1/projects/1/summary").ok().as<Summary>().reports, 1u) << "without a day, yesterday";
    EXPECT_EQ(h.get("/oops/v1/projects/1/summary?day=" + before).ok().as<Summary>().reports, 1u);
    EXPECT_EQ(h.get("/oops/v1/projects/1/summary?day=1970-01-01").ok().as<Summary>().reports, 0u);
    h.get("/oops/v1/projects/1/summary?day=yesterday!").fails(400, "request_invalid");
    h.get("/oops/v1/projects/3/summary").fails(404, "project_not_found");
}

TEST_F(SummaryTest, AsTextWithBugs) {
    report(1);
    h.call("PATCH", "/oops/v1/groups/g_1", R"({"bug":"https://bugs/7"})").ok();
    auto const text = summary("&text=true").text.value_or("");
    EXPECT_NE(text.find("Reports of shop on " + today()), std::string::npos) << text;
    EXPECT_NE(text.find("1 KeyError: 'price_of' (g_1)"), std::string::npos) << text;
    EXPECT_NE(text.find("Bug: https://bugs/7"), std::string::npos) << text;
    EXPECT_NE(text.find(hex_id(1)), std::string::npos) << text;
}

TEST_F(SummaryTest, IsMailedAfterMidnightWhereItIsWanted) {
    h.at(*parse_time("2026-03-01T12:00:00Z"));
    configure(R"({"alerts":{"on_new":false,"daily_summary":true,"mails":["ann@example.org"]}})");
    report(1), report(2);
    pass_to("2026-03-02T00:09:59Z");
    EXPECT_TRUE(mails.empty());
    pass_to("2026-03-02T00:10:01Z");
    ASSERT_EQ(mails.size(), 1u);
    EXPECT_EQ(mails[0].find("ann@example.org|shop: 2 reports on 2026-03-01|Reports of shop on 2026-03-01"), 0u) << mails[0];
    pass_to("2026-03-04T01:00:00Z");
    EXPECT_EQ(mails.size(), 3u) << "a day each, of those that were missed too";
    configure(R"({"alerts":{"daily_summary":false,"mails":["ann@example.org"]}})");
    pass_to("2026-03-06T01:00:00Z");
    EXPECT_EQ(mails.size(), 3u);
}

class MailTest : public Oops {
   protected:
    MailTest() : Oops(Settings{.retention = {}, .public_url = Text<1, 2000>("https://gantry.example/")}) {
        h.mails([this](std::string_view to, std::string_view subject, std::string_view text) {
            mails.push_back(fmt::format("{}|{}|{}", to, subject, text));
        });
    }
    std::size_t mailed(std::string_view subject) {
        h.run_effects();
        return std::size_t(std::ranges::count_if(mails, [&](auto const& m) { return m.find(subject) != m.npos; }));
    }
    std::vector<std::string> mails;
};

TEST_F(MailTest, SaysWhatIsNewAndWhereToLook) {
    configure(R"({"alerts":{"mails":["ann@example.org","ben@example.org"]}})");
    report(1), report(2);
    EXPECT_EQ(mailed("New: KeyError"), 2u);
    EXPECT_NE(mails[0].find("https://gantry.example/#/oops/groups/g_1"), std::string::npos) << mails[0];
    EXPECT_NE(mails[0].find(hex_id(1)), std::string::npos);
}

TEST_F(MailTest, SaysWhatComesMoreOftenThanUsual) {
    configure(R"({"alerts":{"spike":5,"mails":["ann@example.org"]}})");
    int n = 0;
    for (int window = 0; window < 24; ++window) {
        for (int i = 0; i < 8; ++i) report(n++);
        h.advance(Duration::seconds(600));
    }
    EXPECT_EQ(mailed("More than usual"), 0u);
    for (int i = 0; i < 60; ++i) report(n++);
    EXPECT_EQ(mailed("More than usual"), 1u) << "once, at about forty";
    h.advance(Duration::seconds(600));
    for (int i = 0; i < 8; ++i) report(n++);
    EXPECT_EQ(mailed("More than usual"), 1u);
}

TEST_F(MailTest, AYoungGroupHasNoUsualNumber) {
    configure(R"({"alerts":{"spike":2,"mails":["ann@example.org"]}})");
    for (int n = 0; n < 100; ++n) report(n);
    EXPECT_EQ(mailed("More than usual"), 0u);
}

TEST_F(MailTest, OftenAlsoWhereBodiesAreNotKept) {
    configure(R"({"limits":{"group_a_minute":5},"alerts":{"frequent":8,"mails":["ann@example.org"]}})");
    for (int n = 0; n < 20; ++n) report(n);
    EXPECT_EQ(mailed("Often"), 1u);
}

TEST_F(MailTest, SaysOnceOfWhichReleaseSessionsCrash) {
    configure(R"({"alerts":{"crashed_percent":10,"mails":["ann@example.org"]}})");
    auto const sessions = [&](int started, int crashed) {
        auto const item = fmt::format(R"({{"aggregates":[{{"started":"2026-01-01T00:00:00Z","exited":{},"crashed":{}}}],)"
                                      R"("attrs":{{"release":"shop@2.0","environment":"live"}}}})",
                                      started - crashed, crashed);
        h.header("X-Sentry-Auth", fmt::format("Sentry sentry_version=7, sentry_key={}", project.key.view()))
            .post("/oops/api/1/envelope", "{}\n{\"type\":\"sessions\"}\n" + item + "\n")
            .ok();
    };
    sessions(50, 20);
    EXPECT_EQ(mailed("Sessions crash"), 0u) << "of fewer than a hundred nothing is said";
    sessions(60, 0);
    EXPECT_EQ(mailed("Sessions crash"), 1u);
    EXPECT_NE(mails[0].find("20 of 110 sessions of shop@2.0 crashed"), std::string::npos) << mails[0];
    sessions(60, 60);
    EXPECT_EQ(mailed("Sessions crash"), 1u);
}

TEST_F(SummaryTest, ReportsOfAGroupByHourAndDay) {
    report(1), report(2);
    h.advance(Duration::hours(2));
    report(3);
    auto const hours = h.get("/oops/v1/groups/g_1/counts?step=hour").ok().as<Counts>();
    ASSERT_EQ(hours.counts.size(), 2u);
    EXPECT_EQ(hours.counts[0].count, 1u);
    EXPECT_EQ(hours.counts[1].count, 2u);
    h.advance(Duration::days(40));
    EXPECT_TRUE(h.get("/oops/v1/groups/g_1/counts").ok().as<Counts>().counts.empty());
    h.get("/oops/v1/groups/g_2/counts").fails(404, "group_not_found");
}

TEST_F(SummaryTest, AReportKnowsItsNeighbours) {
    report(1), report(2), report(3);
    auto const middle = h.get("/oops/v1/reports/" + hex_id(2)).ok();
    EXPECT_EQ(middle.json_at("/older"), hex_id(1));
    EXPECT_EQ(middle.json_at("/newer"), hex_id(3));
    h.get("/oops/v1/reports/" + hex_id(3)).ok().lacks("newer");
}

TEST_F(SummaryTest, MergesAreListed) {
    report(1), report(2, "stock_of");
    h.get("/oops/v1/moves").ok().has(R"("items":[])");
    h.post("/oops/v1/groups/g_1/merge", R"({"groups":["g_2"]})").ok();
    h.post("/oops/v1/moves/mv_1/undo", "{}").ok();
    h.get("/oops/v1/moves?project=1&limit=1").ok().has(R"("id":"mv_2")").has(R"("complete":false)").lacks(R"("id":"mv_1")");
    h.get("/oops/v1/moves?project=2").ok().has(R"("items":[])");
}

}  // namespace
}  // namespace gantry::oops
