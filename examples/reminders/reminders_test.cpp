#include "examples/reminders/reminders.h"

#include "kernel/testing/goldens.h"
#include "kernel/testing/harness.h"
#include "services/tracker/tracker.h"

namespace gantry::reminders {
namespace {

constexpr Time noon{1'767'268'800'000'000};  // 2026-01-01T12:00:00Z

class Reminders : public ::testing::Test {
   protected:
    Reminders() { h.at(noon), tracker.at(noon); }
    void report(std::string const& package, std::string const& result = "") {
        auto body = R"({"package":")" + package + R"(","version":"2.10-3","arch":"amd64","stage":"done")";
        if (!result.empty()) body += R"(,"result":")" + result + "\"";
        tracker.post("/tracker/v1/reports", body + "}").ok();
    }
    Harness<Service> h{Settings{"http://chat.example/hook"}};
    Harness<tracker::Service> tracker;
};

TEST_F(Reminders, AreMadeListedAndDismissedOnce) {
    auto const id = h.post("/reminders/v1/reminders", R"({"title":"Freeze","at":"2026-01-02T12:00:00Z"})").ok(201).json_at("/id");
    h.get("/reminders/v1/reminders/" + id).ok().has(R"("status":"waiting")");
    h.call("DELETE", "/reminders/v1/reminders/" + id).ok().wrote(Dismissed{ReminderId(id)});
    h.call("DELETE", "/reminders/v1/reminders/" + id).ok().wrote_nothing();
    h.get("/reminders/v1/reminders?status=waiting").ok().has(R"("items":[])");
}

TEST_F(Reminders, WhatMakesNoSenseIsRefused) {
    struct {
        char const* body;
        int status;
        char const* code;
    } const rows[] = {
        {R"({"title":"x"})", 422, "reminder_when"},
        {R"({"title":"x","at":"2026-01-02T12:00:00Z","package":"hello"})", 422, "reminder_when"},
        {R"({"title":"x","at":"2026-01-01T12:00:00Z"})", 422, "reminder_past"},
        {R"({"title":"","package":"hello"})", 400, "body_invalid"},
        {R"({"title":"x","pakcage":"hello"})", 400, "body_invalid"},
    };
    for (auto const& row : rows) h.post("/reminders/v1/reminders", row.body).fails(row.status, row.code);
    h.get("/reminders/v1/reminders/rm_none").fails(404, "reminder_not_found");
    h.get("/reminders/v1/reminders?cursor=x").fails(400, "cursor_invalid");
}

TEST_F(Reminders, AreTheirOwnersAlone) {
    h.given(Made{ReminderId("rm_1"), "Freeze", UserId("u_ann"), noon + Duration::days(1)});
    h.as("u_ann").get("/reminders/v1/reminders/rm_1").ok();
    h.as("u_bob").get("/reminders/v1/reminders/rm_1").fails(404, "reminder_not_found");
    h.as("u_bob").get("/reminders/v1/reminders").ok().lacks("Freeze");
    h.as("u_bob").call("DELETE", "/reminders/v1/reminders/rm_1").fails(404, "reminder_not_found");
}

TEST_F(Reminders, APageLeadsToTheNext) {
    for (auto id : {"rm_1", "rm_2", "rm_3"}) h.given(Made{ReminderId(id), id, UserId("u_ann"), noon + Duration::days(1)});
    auto const first = h.as("u_ann").get("/reminders/v1/reminders?limit=2").ok().has("rm_2").lacks("rm_3").has(R"("complete":false)");
    h.get("/reminders/v1/reminders?limit=2&cursor=" + first.next()).ok().has("rm_3").lacks("rm_2").has(R"("complete":true)");
}

TEST_F(Reminders, RingWhenItIsTimeAndNotBefore) {
    h.given(Made{ReminderId("rm_1"), "Freeze", UserId("u_ann"), noon + Duration::hours(1)}).as("u_ann");
    h.advance(Duration::micros(3'599'999'999)).tick();
    h.get("/reminders/v1/reminders/rm_1").ok().has(R"("status":"waiting")");
    h.advance(Duration::micros(1)).tick();
    h.get("/reminders/v1/reminders/rm_1").ok().has(R"("status":"rang")").has(R"("because":"it is time")");
}

TEST_F(Reminders, CallTheHookUntilItAnswers) {
    std::vector<client::Request> calls;
    int status = 503;
    h.outside([&](client::Request request) {
        calls.push_back(std::move(request));
        client::Reply reply{.status = status};
        if (status != 200) reply.error = client::Error{"http_503", "come back later"};
        return reply;
    });
    h.given(Made{ReminderId("rm_1"), "Freeze", UserId("u_ann"), noon + Duration::hours(1)}).as("u_ann");
    h.advance(Duration::hours(1)).tick();
    h.run_effects();
    h.get("/reminders/v1/reminders/rm_1").ok().has(R"("told":false)");
    status = 200;
    h.restart();  // what is pending outlives a crash
    h.advance(Duration::seconds(2)).run_effects();
    h.get("/reminders/v1/reminders/rm_1").ok().has(R"("told":true)");
    ASSERT_EQ(calls.size(), 2u);
    EXPECT_EQ(calls[1].target, "http://chat.example/hook");
    EXPECT_EQ(calls[1].body, "Freeze: it is time\n");
    EXPECT_EQ(calls[0].headers, calls[1].headers) << "the same Idempotency-Key";
}

TEST_F(Reminders, RingWhenTheTrackerHasAResult) {
    report("hello", "accepted");  // before anyone asked
    tracker.advance(Duration::seconds(1)), h.advance(Duration::seconds(1));
    h.given(Made{ReminderId("rm_1"), "Upload", UserId("u_ann"), {}, "hello"}).as("u_ann");
    h.follow(tracker);
    h.get("/reminders/v1/reminders/rm_1").ok().has(R"("status":"waiting")");
    report("hello");
    report("other", "accepted");
    h.follow(tracker);
    h.get("/reminders/v1/reminders/rm_1").ok().has(R"("status":"waiting")");
    report("hello", "rejected");
    h.follow(tracker);
    h.get("/reminders/v1/reminders/rm_1").ok().has(R"("status":"rang")").has(R"("because":"hello 2.10-3: rejected")");
    report("hello", "accepted");
    h.follow(tracker);
    h.get("/reminders/v1/reminders/rm_1").ok().has("rejected");
}

TEST(RemindersWithoutAHook, JustRing) {
    Harness<Service> h;
    h.at(noon).given(Made{ReminderId("rm_1"), "Freeze", UserId("u_ann"), noon + Duration::hours(1)}).as("u_ann");
    h.advance(Duration::hours(1)).tick();
    h.get("/reminders/v1/reminders/rm_1").ok().has(R"("status":"rang")");
    EXPECT_EQ(h.state().outbox.size(), 0u);
}

TEST(RemindersLaws, HoldOverRandomCommands) {
    for (std::uint64_t seed = 1; seed <= 10; ++seed) {
        Harness<Service> h;
        h.random_commands(seed, 50);
        h.get("/reminders/v1/reminders?limit=1000").ok();
    }
}

TEST(RemindersContract, FactsKeepTheirShape) { EXPECT_TRUE(testing::facts_are<Service>("examples/reminders/goldens/facts.txt")); }

TEST(RemindersContract, TheSurfaceIsAsItIsDocumented) {
    EXPECT_TRUE(testing::surface_is<Service>(V1, "examples/reminders/goldens/openapi.json"));
}

}  // namespace
}  // namespace gantry::reminders
