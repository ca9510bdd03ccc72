#include "services/oops/oops_fixture_test.h"

namespace gantry::oops {
namespace {

TEST_F(Oops, AProjectSaysItsDsn) {
    EXPECT_EQ(project.dsn.value_or(""), fmt::format("http://{}@localhost/oops/1", project.key.view()));
    h.get("/oops/v1/projects/1").ok().has(R"("name":"shop")").lacks("localhost");
    h.get("/oops/v1/projects/2").fails(404, "project_not_found");
    h.get("/oops/v1/projects").ok().has(R"("name":"shop")");
}

TEST(OopsSettings, SayHowClientsReachTheServer) {
    Harness<Service> h(Settings{.retention = {}, .public_url = Text<1, 2000>("https://gantry.example/")});
    auto const made = h.post("/oops/v1/projects", R"({"name":"shop"})").ok(201).as<ProjectView>();
    EXPECT_EQ(made.dsn.value_or(""), fmt::format("https://{}@gantry.example/oops/1", made.key.view()));
    h.get("/oops/v1/projects/1").ok().has(*made.dsn);
}

TEST_F(Oops, WhatFailsInTheSamePlaceIsOneGroup) {
    report(1), report(2), report(3, "stock_of");
    auto const page = groups();
    ASSERT_EQ(page.items.size(), 2u);
    EXPECT_EQ(page.items[0].count, 1u) << "the newest first";
    EXPECT_EQ(page.items[1].count, 2u);
    EXPECT_NE(page.items[1].title.find("KeyError"), std::string::npos) << page.items[1].title;
    h.get("/oops/v1/groups/g_1").ok().has(R"("count":2)");
    h.get("/oops/v1/groups/g_9").fails(404, "group_not_found");
}

TEST_F(Oops, AReportIsReadWhole) {
    report(1), report(2);
    auto const whole = h.get("/oops/v1/reports/" + hex_id(2)).ok();
    EXPECT_EQ(whole.json_at("/report/exceptions/0/frames/0/function"), "price_of");
    EXPECT_EQ(whole.json_at("/group"), "g_1");
    EXPECT_EQ(whole.json_at("/older"), hex_id(1));
    h.get("/oops/v1/reports/" + hex_id(3)).fails(404, "report_not_found");
    h.get("/oops/v1/reports?group=g_1").ok().has(hex_id(1)).has(hex_id(2));
    h.get("/oops/v1/reports?project=1&limit=1").ok().has(hex_id(2)).lacks(hex_id(1)).has(R"("complete":false)");
    h.get("/oops/v1/reports").fails(400, "request_invalid");
}

TEST_F(Oops, PagesGoOnWhereTheLastOneEnded) {
    for (int n = 0; n < 7; ++n) report(n, fmt::format("f{}", n % 4));
    std::vector<std::string> seen;
    std::string next;
    do {
        auto const page = h.get("/oops/v1/groups?project=1&limit=3" + (next.empty() ? "" : "&cursor=" + next)).ok();
        for (auto const& group : page.as<Page<GroupView>>().items) seen.push_back(std::to_string(group.id.n));
        next = page.next();
    } while (!next.empty());
    EXPECT_EQ(seen.size(), 4u);
    std::size_t reports = 0;
    do {
        auto const page = h.get("/oops/v1/reports?project=1&limit=3" + (next.empty() ? "" : "&cursor=" + next)).ok();
        reports += page.as<Page<ReportBrief>>().items.size(), next = page.next();
    } while (!next.empty());
    EXPECT_EQ(reports, 7u);
}

TEST_F(Oops, ReportsAreSearchedFor) {
    report(1, "price_of", "shop@1.0"), report(2, "stock_of", "shop@1.1");
    h.get("/oops/v1/reports?q=stock_of").ok().has(hex_id(2)).lacks(hex_id(1));
    h.get("/oops/v1/reports?q=KeyError").ok().has(hex_id(1)).has(hex_id(2)).has(R"("snippet":")");
    h.get("/oops/v1/reports?q=shop/cart.py%20release:shop@1.0").ok().has(hex_id(1)).lacks(hex_id(2));
    h.get("/oops/v1/reports?q=-stock_of&project=1").ok().has(hex_id(1)).lacks(hex_id(2));
    h.get("/oops/v1/reports?q=KeyError&group=g_2").ok().has(hex_id(2)).lacks(hex_id(1));
    h.get("/oops/v1/reports?q=KeyError&project=2").ok().lacks(hex_id(1));
    h.get("/oops/v1/reports?q=%22open").fails(400, "query_invalid");
}

TEST_F(Oops, TheSameReportTwiceIsOne) {
    report(1);
    store(failure(hex_id(1), "price_of")).ok().has(hex_id(1)).wrote_nothing();
    EXPECT_EQ(groups().items[0].count, 1u);
}

TEST_F(Oops, AKeyIsOfItsProject) {
    auto const event = failure(hex_id(1), "f");
    h.post("/oops/api/1/store", event).fails(403, "sentry_key_missing").wrote_nothing();
    h.header("X-Sentry-Auth", "Sentry sentry_key=00000000000000000000000000000000")
        .post("/oops/api/1/store", event)
        .fails(403, "project_key_wrong");
    h.header("X-Sentry-Auth", fmt::format("Sentry sentry_key={}", project.key.view()))
        .post("/oops/api/2/store", event)
        .fails(403, "project_key_wrong");
    h.header("X-Sentry-Auth", fmt::format("Sentry sentry_key={}", project.key.view()))
        .post("/oops/api/x/store", event)
        .fails(404, "project_not_found");
}

TEST_F(Oops, AnEnvelopeBringsReportsSessionsAndWhatCameAlong) {
    auto const event = failure(hex_id(1), "price_of", "shop@1.0");
    std::string const envelope = fmt::format("{{\"event_id\":\"{}\",\"dsn\":\"{}\"}}\n", hex_id(1), project.dsn.value_or("")) +
                                 "{\"type\":\"event\"}\n" + event +
                                 "\n{\"type\":\"attachment\",\"length\":3,\"filename\":\"a.txt\"}\nabc\n" +
                                 R"({"type":"client_report"})"
                                 "\n"
                                 R"({"discarded_events":[{"reason":"queue_overflow","category":"error","quantity":4}]})"
                                 "\n" +
                                 R"({"type":"from_the_future"})"
                                 "\n{}\n";
    h.post("/oops/api/1/envelope", envelope).ok().has(hex_id(1));
    h.get("/oops/v1/projects/1").ok().has(R"("reports":1)").has(R"("client_dropped":4)").has(R"("items":2)");
    h.post("/oops/api/1/envelope", "no envelope").fails(400, "envelope_invalid");
}

TEST_F(Oops, OurOwnJson) {
    h.post("/oops/v1/reports", R"({"project":1,"report":{"type":"ValueError","value":"no","topic":"cart"}})")
        .ok(201)
        .has(R"("group":"g_1")");
    h.post("/oops/v1/reports", R"({"project":7,"report":{"message":"x"}})").fails(404, "project_not_found");
    h.post("/oops/v1/reports", R"({"project":1,"report":{"message":"x","id":"not one"}})").fails(400, "report_invalid");
}

TEST_F(Oops, TheAncestorsReport) {
    auto const key = project.key.str();
    auto const id = "OOPS-" + hex_id(77);
    h.header("X-Oops-Auth", key)
        .post("/oops/api/1/report",
              R"({"id":")" + id +
                  R"(","type":"KeyError","value":"'a'","tb_text":"Traceback (most recent call last):\n","time":"2026-11-21T10:00:00Z",)"
                  R"("frames":[{"module":"m","function":"f","file":"m.py","line":3,"context_line":"x","in_app":true}],)"
                  R"("timeline":[[0,12,"SQL-main","SELECT 1"]],"req_vars":{"PATH":"/","HTTP_COOKIE":"secret"}})")
        .ok()
        .has(id);
    auto const told = h.get("/oops/v1/reports/" + id).ok();
    told.json_at("/report/timeline/0/category");
    EXPECT_EQ(told.json_at("/report/exceptions/0/frames/0/function"), "f");
    EXPECT_EQ(told.body().find("secret"), std::string::npos);
    h.header("X-Oops-Auth", key).post("/oops/api/1/report", "{").fails(400, "body_not_json");
    h.header("X-Oops-Auth", key).post("/oops/api/1/report", "{}").fails(400, "oops_invalid");
    h.header("X-Oops-Auth", key)
        .post("/oops/api/1/oops", "Oops-Id: OOPS-1X1\nException-Type: E\nException-Value: v\n\n\n\n")
        .ok()
        .has("OOPS-1X1");
}

TEST_F(Oops, ProgramsTellWhatTheyLost) {
    auto const body = R"({"id":"OOPS-)" + hex_id(5) + R"(","type":"E","value":"v","lost":{"spool_full":3,"rate":2,"odd":"x"}})";
    h.header("X-Oops-Auth", project.key.view()).post("/oops/api/1/report", body).ok();
    h.get("/oops/v1/projects/1").ok().has(R"("client_dropped":5)");
    h.header("X-Oops-Auth", project.key.view())
        .header("Content-Type", "text/plain; charset=utf-8")
        .post("/oops/api/1/report", body)
        .fails(415, "content_type_unknown");
}

TEST_F(Oops, AResolvedGroupRegressesByReleaseAndNotByDate) {
    report(1, "f", "shop@1.0");
    h.call("PATCH", "/oops/v1/groups/g_1", R"({"status":"resolved","resolved_in":"shop@1.10"})").ok().has(R"("status":"resolved")");
    report(2, "f", "shop@1.9");
    h.get("/oops/v1/groups/g_1").ok().has(R"("status":"resolved")");
    report(3, "f", "shop@1.10");
    h.get("/oops/v1/groups/g_1").ok().has(R"("status":"regressed")");
}

TEST_F(Oops, WhatIsIgnoredUntilATimeIsOpenAfterIt) {
    report(1);
    auto const until = format_time(h.clock().wall() + Duration::hours(1));
    h.call("PATCH", "/oops/v1/groups/g_1", R"({"status":"ignored","ignored_until":")" + until + R"("})").ok();
    EXPECT_EQ(groups("&status=ignored").items.size(), 1u);
    h.advance(Duration::hours(2));
    EXPECT_EQ(groups("&status=ignored").items.size(), 0u);
    EXPECT_EQ(groups("&status=open").items.size(), 1u);
    h.call("PATCH", "/oops/v1/groups/g_1", R"({"status":"open","ignored_until":")" + until + R"("})").fails(422, "status_invalid");
    h.call("PATCH", "/oops/v1/groups/g_1", R"({"status":"ignored","ignored_until":")" + until + R"("})").fails(422, "time_past");
    h.call("PATCH", "/oops/v1/groups/g_1", R"({"status":"regressed"})").fails(422, "status_invalid");
}

TEST_F(Oops, MergesAndSplitsLoseNothingAndCanBeUndone) {
    report(1, "f"), report(2, "g"), report(3, "g"), report(4, "h");
    auto const before = groups();
    h.post("/oops/v1/groups/g_1/merge", R"({"groups":["g_2","g_3"]})").ok().has(R"("id":"mv_1")");
    ASSERT_EQ(groups().items.size(), 1u);
    EXPECT_EQ(groups().items[0].count, 4u);
    h.get("/oops/v1/groups/g_2").ok().has(R"("merged_into":"g_1")");
    h.get("/oops/v1/reports?group=g_1").ok().has(hex_id(1)).has(hex_id(4));
    report(5, "g");
    EXPECT_EQ(groups().items[0].count, 5u) << "what comes later goes where the group went";
    h.post("/oops/v1/groups/g_1/split", R"({"buckets":["b_3"]})").ok().has(R"("group":"g_4")");
    EXPECT_EQ(groups().items.size(), 2u);
    h.post("/oops/v1/moves/mv_1/undo", "{}").fails(409, "move_overtaken");
    h.post("/oops/v1/moves/mv_2/undo", "{}").ok();
    h.post("/oops/v1/moves/mv_1/undo", "{}").ok();
    auto const after = groups();
    ASSERT_EQ(after.items.size(), 3u);
    for (auto const& group : after.items) EXPECT_FALSE(group.merged_into) << group.id.n;
    h.post("/oops/v1/moves/mv_1/undo", "{}").fails(409, "move_undone");
    h.post("/oops/v1/moves/mv_9/undo", "{}").fails(404, "move_not_found");
}

TEST_F(Oops, MergesThatCanNotBe) {
    report(1, "f"), report(2, "g");
    h.post("/oops/v1/projects", R"({"name":"other"})").ok(201);
    for (auto const* groups : {R"([])", R"(["g_1"])", R"(["g_2","g_2"])", R"(["g_9"])"})
        h.post("/oops/v1/groups/g_1/merge", fmt::format(R"({{"groups":{}}})", groups)).fails(422, "merge_invalid");
    h.post("/oops/v1/groups/g_1/merge", R"({"groups":["g_2"]})").ok();
    h.post("/oops/v1/groups/g_2/merge", R"({"groups":["g_1"]})").fails(409, "group_merged");  // no circle
    h.call("PATCH", "/oops/v1/groups/g_2", R"({"bug":"#1"})").fails(409, "group_merged");
    h.post("/oops/v1/groups/g_1/split", R"({"buckets":["b_1","b_2"]})").fails(422, "split_invalid");
    h.post("/oops/v1/groups/g_1/split", R"({"buckets":["b_7"]})").fails(422, "split_invalid");
    h.post("/oops/v1/groups/g_1/split", R"({"buckets":[]})").fails(422, "split_invalid");
}

TEST_F(Oops, AFloodOfOneGroupIsCountedAndNotKept) {
    h.call("PATCH", "/oops/v1/projects/1", R"({"limits":{"reports_a_minute":100,"group_a_minute":2}})").ok();
    for (int n = 0; n < 5; ++n) report(n);
    EXPECT_EQ(groups().items[0].count, 5u);
    h.get("/oops/v1/projects/1").ok().has(R"("reports":2)").has(R"("counted_only":3)");
    h.advance(Duration::seconds(60));
    report(9);
    h.get("/oops/v1/projects/1").ok().has(R"("reports":3)");
}

TEST_F(Oops, AProjectHasALimitAMinuteFromBothSides) {
    h.call("PATCH", "/oops/v1/projects/1", R"({"limits":{"reports_a_minute":3,"group_a_minute":100}})").ok();
    for (int n = 0; n < 3; ++n) report(n, fmt::format("f{}", n));
    auto const refused = store(failure(hex_id(9), "f9"));
    EXPECT_EQ(refused.status(), 429);
    EXPECT_NE(refused.header("X-Sentry-Rate-Limits").find("::project:project_limit"), std::string::npos);
    h.advance(Duration::seconds(60));
    report(9);
}

TEST_F(Oops, HooksAreToldOfWhatIsNewAndOfWhatComesBack) {
    std::vector<std::string> told;
    h.outside([&](client::Request request) {
        told.push_back(request.body);
        client::Reply reply;
        reply.status = 200;
        return reply;
    });
    h.call("PATCH", "/oops/v1/projects/1", R"({"alerts":{"hooks":["http://hook.example/"],"frequent":3}})").ok();
    report(1), report(2);
    h.run_effects();
    ASSERT_EQ(told.size(), 1u);
    EXPECT_NE(told[0].find(R"("kind":"appeared")"), std::string::npos) << told[0];
    h.call("PATCH", "/oops/v1/groups/g_1", R"({"status":"resolved"})").ok();
    report(3);
    h.run_effects();
    ASSERT_EQ(told.size(), 3u);
    EXPECT_NE((told[1] + told[2]).find(R"("kind":"regressed")"), std::string::npos);
    EXPECT_NE((told[1] + told[2]).find(R"("kind":"frequent")"), std::string::npos);
}

TEST_F(Oops, ReportsFromOtherAgesAreTakenAtTheTimeTheyCome) {
    for (auto const* at : {"1970-01-01T00:00:00Z", "2100-01-01T00:00:00Z"}) {
        auto const id = hex_id(at[0] == '1' ? 1 : 2);
        store(fmt::format(R"({{"event_id":"{}","message":"old","timestamp":"{}"}})", id, at)).ok();
        auto const told = h.get("/oops/v1/reports/" + id).ok();
        EXPECT_EQ(told.json_at("/report/received_at").substr(0, 4), format_time(h.clock().wall()).substr(0, 4));
    }
}

TEST(OopsLaws, HoldOverRandomCommands) {
    for (std::uint64_t seed = 1; seed <= 5; ++seed) {
        Harness<Service> h;
        h.random_commands(seed, 100);
    }
}

}  // namespace
}  // namespace gantry::oops
