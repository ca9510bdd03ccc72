// A fake, through its socket and its C++ face: clock, faults, calls, reset.
#include "kernel/runtime/fake.h"

#include <gtest/gtest.h>

#include <future>

#include "kernel/codec/json.h"
#include "kernel/http/gantry/client.h"
#include "kernel/runtime/notes_for_test.h"
#include "kernel/runtime/shelf_for_test.h"
#include "kernel/runtime/sse_reader_test.h"

namespace gantry::runtime {
namespace {

constexpr Time noon{1'767'268'800'000'000};  // 2026-01-01T12:00:00Z

class Fakes : public ::testing::Test {
   protected:
    client::Reply send(std::string method, std::string target, std::string body = {}, std::string type = "application/json") {
        client::Options once;
        once.retries = 0;
        client::Session session(fake.url(), once);
        client::Request request{.method = std::move(method), .target = std::move(target), .body = std::move(body)};
        if (!request.body.empty()) request.headers.emplace_back("Content-Type", std::move(type));
        return session.send(std::move(request));
    }
    client::Reply create(std::string const& title) { return send("POST", "/notes/v1", "{\"title\":\"" + title + "\"}"); }
    void expect_refused(client::Reply const& reply, int status, std::string_view code, std::string_view says = {}) {
        EXPECT_EQ(reply.status, status) << reply.body;
        EXPECT_NE(reply.body.find("\"code\":\"" + std::string(code) + "\""), std::string::npos) << reply.body;
        EXPECT_NE(reply.body.find(says), std::string::npos) << reply.body;
    }
    // Waits, bounded, until that many calls have arrived.
    bool received(std::size_t count) {
        auto const end = std::chrono::steady_clock::now() + std::chrono::seconds(20);
        while (fake.calls().size() < count) {
            if (std::chrono::steady_clock::now() > end) return false;
            std::this_thread::sleep_for(std::chrono::milliseconds(1));
        }
        return true;
    }
    Fake fake{declare<notes::Service>(), {.clock = noon}};
};

TEST_F(Fakes, AServiceIsServedAsItIs) {
    auto made = create("Plan");
    ASSERT_EQ(made.status, 200) << made.body;
    EXPECT_NE(send("GET", "/notes/v1").body.find("Plan"), std::string::npos);
    EXPECT_EQ(send("GET", "/health/ready").status, 200);
    EXPECT_EQ(send("GET", "/other/v1").status, 404);
    EXPECT_EQ(fake.host().applied(), 1u);
}

TEST_F(Fakes, TheClockStandsUntilItIsMoved) {
    EXPECT_EQ(send("GET", "/_fake/clock").body, R"({"now":"2026-01-01T12:00:00Z"})");
    EXPECT_EQ(send("PUT", "/_fake/clock", R"({"advance":"1h30m"})").body, R"({"now":"2026-01-01T13:30:00Z"})");
    EXPECT_EQ(send("PUT", "/_fake/clock", R"({"now":"2026-02-01T00:00:00Z"})").body, R"({"now":"2026-02-01T00:00:00Z"})");
    create("Plan");
    EXPECT_NE(send("GET", "/notes/v1/events").body.find("2026-02-01T00:00:00Z"), std::string::npos) << "events have its time";
    EXPECT_TRUE(fake.clock().advance(Duration::hours(1)));
    EXPECT_EQ(send("GET", "/_fake/clock").body, R"({"now":"2026-02-01T01:00:00Z"})");
    EXPECT_TRUE(fake.clock().set(fake.clock().now())) << "the same moment isn't back";
}

TEST(FakeWaits, TheClockThatIsMovedEndsAWait) {
    Fake fake(declare<shelf::Service>(), {.clock = noon});
    auto waits = [&] {
        auto answer = std::async(std::launch::async, [&] {
            client::Session session(fake.url());
            client::Request request{.method = "POST", .target = "/shelf/v1/take"};
            request.body = R"({"shelf":"a","by":"ann","wait_ms":600000})", request.headers = {{"Content-Type", "application/json"}};
            return session.send(std::move(request)).body;
        });
        while (fake.host().waiting().count() == 0) std::this_thread::yield();
        return answer;
    };
    auto answer = waits();
    ASSERT_TRUE(fake.clock().advance(Duration::millis(599'999)));
    EXPECT_EQ(fake.host().waiting().count(), 1u);
    ASSERT_TRUE(fake.clock().advance(Duration::millis(1)));
    EXPECT_EQ(answer.get(), R"({"by":"ann","what":"nothing","noted":""})");
    answer = waits();
    fake.reset();
    EXPECT_NE(answer.get().find("stopping"), std::string::npos);
}

TEST_F(Fakes, TheClockGoesNeitherBackNorBeyondItsEnd) {
    expect_refused(send("PUT", "/_fake/clock", R"({"now":"2026-01-01T11:59:59.999999Z"})"), 409, "clock_back", "2026-01-01T12:00:00Z");
    EXPECT_EQ(fake.clock().advance(Duration::micros(-1)).error().code, "clock_back");
    EXPECT_EQ(fake.clock().now(), noon);
    EXPECT_EQ(send("PUT", "/_fake/clock", R"({"now":"9999-12-31T23:59:59.999999Z"})").status, 200);
    expect_refused(send("PUT", "/_fake/clock", R"({"advance":"1us"})"), 400, "clock_ahead");
    EXPECT_EQ(fake.clock().advance(Duration{INT64_MAX}).error().code, "clock_ahead");
    for (auto wrong : {"{}", R"({"now":"2027-01-01T00:00:00Z","advance":"1h"})", R"({"now":"noon"})", R"({"advnce":"1h"})"})
        expect_refused(send("PUT", "/_fake/clock", wrong), 400, "body_invalid");
    for (auto wrong : {"x", ""}) expect_refused(send("PUT", "/_fake/clock", wrong), 400, "body_not_json");
    expect_refused(send("PUT", "/_fake/clock", R"({"advnce":"1h"})"), 400, "body_invalid", "advance");
}

TEST_F(Fakes, TheNextCallsFailAsWanted) {
    auto told = send("POST", "/_fake/faults", R"({"count":2,"status":429,"code":"slow_down","detail":"later","retry_after_s":7})");
    EXPECT_EQ(told.status, 200) << told.body;
    EXPECT_NE(told.body.find(R"("count":2)"), std::string::npos) << told.body;
    auto first = create("a");
    expect_refused(first, 429, "slow_down", "later");
    EXPECT_EQ(first.header("Retry-After"), "7");
    EXPECT_EQ(first.header("Content-Type"), "application/problem+json");
    EXPECT_NE(send("GET", "/_fake/faults").body.find(R"("count":1)"), std::string::npos) << "what is left";
    expect_refused(send("GET", "/health/live"), 429, "slow_down");
    EXPECT_EQ(send("GET", "/_fake/faults").body, R"({"items":[]})");
    EXPECT_EQ(create("b").status, 200);
    EXPECT_EQ(fake.host().applied(), 1u) << "what failed was not done";
}

TEST_F(Fakes, AFaultMeetsItsPathAndMethodAlone) {
    ASSERT_TRUE(fake.fail_next({.status = 500, .path_prefix = "/notes/v1/keys"}));
    ASSERT_TRUE(fake.fail_next({.status = 502, .method = "DELETE"}));
    EXPECT_EQ(create("a").status, 200);
    expect_refused(send("DELETE", "/notes/v1/n_1"), 502, "injected_fault");
    expect_refused(send("POST", "/notes/v1/keys", R"({"title":"x"})"), 500, "injected_fault");
    EXPECT_EQ(send("POST", "/notes/v1/keys", R"({"title":"x"})").status, 200);
    ASSERT_TRUE(fake.fail_next({.count = 2, .status = 500}));
    EXPECT_EQ(fake.faults().size(), 1u);
    EXPECT_EQ(send("DELETE", "/_fake/faults").status, 204);
    EXPECT_EQ(create("b").status, 200);
}

TEST_F(Fakes, FaultsThatMakeNoSenseAreRefused) {
    struct {
        char const* body;
        char const* code;
        char const* says;
    } const rows[] = {{"{}", "fault_invalid", "status, delay or disconnect"},
                      {R"({"count":3})", "fault_invalid", "none of them"},
                      {R"({"status":503,"disconnect":true})", "fault_invalid", "/disconnect"},
                      {R"({"code":"x","disconnect":true})", "fault_invalid", "/status"},
                      {R"({"delay":"0"})", "fault_invalid", "/delay"},
                      {R"({"delay":"3600000001us"})", "fault_invalid", "at most 1h"},
                      {R"({"status":503,"path_prefix":"notes"})", "fault_invalid", "/path_prefix"},
                      {R"({"status":503,"method":"PSOT"})", "fault_invalid", "did you mean POST?"},
                      {R"({"status":503,"method":"post"})", "fault_invalid", "/method"},
                      {R"({"status":399})", "body_invalid", "/status"},
                      {R"({"status":600})", "body_invalid", "/status"},
                      {R"({"count":0,"status":503})", "body_invalid", "/count"},
                      {R"({"count":1000001,"status":503})", "body_invalid", "/count"},
                      {R"({"retry_after_s":86401,"status":503})", "body_invalid", "/retry_after_s"},
                      {R"({"stauts":503})", "body_invalid", "status"},
                      {"[]", "body_invalid", ""}};
    for (auto const& row : rows) expect_refused(send("POST", "/_fake/faults", row.body), 400, row.code, row.says);
    EXPECT_TRUE(fake.faults().empty());
    for (auto fine : {R"({"status":400})", R"({"status":599})", R"({"count":1000000,"status":503})", R"({"delay":"1h"})",
                      R"({"delay":"1us"})", R"({"retry_after_s":86400,"status":503})"})
        EXPECT_EQ(send("POST", "/_fake/faults", fine).status, 200) << fine;
}

TEST_F(Fakes, SoManyFaultsWaitAndNoMore) {
    for (std::size_t i = 0; i < FaultList::faults_max; ++i) ASSERT_TRUE(fake.fail_next({.status = 503, .method = "PUT"}));
    EXPECT_EQ(fake.fail_next({.status = 503}).error().code, "faults_full");
    fake.clear_faults();
    EXPECT_TRUE(fake.fail_next({.status = 503}));
}

TEST_F(Fakes, ADisconnectBreaksTheConnection) {
    ASSERT_TRUE(fake.fail_next({.disconnect = true}));
    auto reply = create("a");
    EXPECT_EQ(reply.status, 0);
    EXPECT_TRUE(reply.error.has_value());
    EXPECT_EQ(fake.host().applied(), 0u);
    EXPECT_FALSE(fake.calls().at(0).status);
    EXPECT_TRUE(fake.calls().at(0).fault);
    EXPECT_EQ(create("a").status, 200);
    auto const began = std::chrono::steady_clock::now();
    ASSERT_TRUE(fake.fail_next({.delay = Duration::millis(60), .disconnect = true}));
    EXPECT_EQ(send("GET", "/notes/v1").status, 0);
    EXPECT_GE(std::chrono::steady_clock::now() - began, std::chrono::milliseconds(60));
}

TEST_F(Fakes, ADelayComesBeforeTheAnswer) {
    auto timed = [&](InjectedFault fault, std::function<client::Reply()> const& ask) {
        auto const began = std::chrono::steady_clock::now();
        EXPECT_TRUE(fake.fail_next(std::move(fault)));
        auto reply = ask();
        EXPECT_GE(std::chrono::steady_clock::now() - began, std::chrono::milliseconds(60)) << reply.body;
        return reply;
    };
    auto made = timed({.delay = Duration::millis(60)}, [&] { return create("late"); });
    EXPECT_EQ(made.status, 200) << made.body;
    EXPECT_NE(made.body.find("late"), std::string::npos);
    auto read = timed({.delay = Duration::millis(60)}, [&] { return send("GET", "/notes/v1?limit=1"); });
    EXPECT_NE(read.body.find("late"), std::string::npos) << read.body;
    expect_refused(timed({.status = 503, .delay = Duration::millis(60)}, [&] { return create("never"); }), 503, "injected_fault");
    auto lines = timed({.delay = Duration::millis(60)},
                       [&] { return send("POST", "/notes/v1", "{\"title\":\"one\"}\n{\"title\":\"two\"}\n", "application/x-ndjson"); });
    EXPECT_EQ(std::ranges::count(lines.body, '\n'), 2) << lines.body;
    auto array = timed({.delay = Duration::millis(60)}, [&] { return send("POST", "/notes/v1", R"([{"title":"three"}])"); });
    EXPECT_NE(array.body.find("three"), std::string::npos) << array.body;
    EXPECT_EQ(fake.host().applied(), 4u);
    EXPECT_EQ(fake.calls().back().status, 200);
}

TEST_F(Fakes, ADelayedStreamStartsLate) {
    create("Plan");
    ASSERT_TRUE(fake.fail_next({.delay = Duration::millis(60)}));
    SseReader reader(fake.url(), "/notes/v1", "Accept: text/event-stream\r\n");
    EXPECT_EQ(reader.status(), 200);
    EXPECT_NE(reader.next()->data.find("Plan"), std::string::npos);
    create("Other");
    auto next = reader.next();
    ASSERT_TRUE(next);
    EXPECT_NE(next->data.find("Other"), std::string::npos);
}

TEST_F(Fakes, ADelayedUploadHasABound) {
    ASSERT_TRUE(fake.fail_next({.count = 2, .delay = Duration::millis(1)}));
    std::string const line = "{\"title\":\"x\"}" + std::string(1000, ' ') + "\n";
    std::string body;
    while (body.size() + line.size() <= 8 << 20) body += line;
    auto fits = send("POST", "/notes/v1", body, "application/x-ndjson");
    EXPECT_EQ(fits.status, 200) << fits.body.substr(0, 200);
    expect_refused(send("POST", "/notes/v1", body + line, "application/x-ndjson"), 413, "body_too_large");
}

TEST_F(Fakes, CallsAreListedInPages) {
    create("Plan");
    send("GET", "/notes/v1/n_none?x=1");
    send("POST", "/notes/v1", "{\"title\":\"one\"}\n{\"title\":\"two\"}\n", "application/x-ndjson");
    ASSERT_TRUE(fake.fail_next({.status = 503}));
    create("never");
    auto calls = fake.calls();
    ASSERT_EQ(calls.size(), 4u);
    EXPECT_EQ(calls[0].number, 1u);
    EXPECT_EQ(calls[0].at, noon);
    EXPECT_EQ(calls[0].method + " " + calls[0].target, "POST /notes/v1");
    EXPECT_EQ(calls[0].body, R"({"title":"Plan"})");
    EXPECT_EQ(calls[0].status, 200);
    EXPECT_FALSE(calls[0].fault);
    EXPECT_EQ(calls[1].target, "/notes/v1/n_none?x=1");
    EXPECT_EQ(calls[1].status, 400);
    EXPECT_EQ(calls[2].body, "{\"title\":\"one\"}\n{\"title\":\"two\"}\n");
    EXPECT_EQ(calls[3].status, 503);
    EXPECT_TRUE(calls[3].fault);
    auto page = send("GET", "/_fake/calls?limit=3");
    EXPECT_NE(page.body.find(R"("complete":false)"), std::string::npos) << page.body;
    auto const at = page.body.find(R"("next":")") + 8;
    auto rest = send("GET", "/_fake/calls?cursor=" + page.body.substr(at, page.body.find('"', at) - at));
    EXPECT_NE(rest.body.find(R"("number":4)"), std::string::npos) << rest.body;
    EXPECT_EQ(rest.body.find(R"("number":3)"), std::string::npos) << rest.body;
    EXPECT_NE(rest.body.find(R"("complete":true,"dropped":0)"), std::string::npos) << rest.body;
    for (auto wrong : {"limit=0", "limit=1001", "limit=x", "lmit=1"})
        expect_refused(send("GET", "/_fake/calls?" + std::string(wrong)), 400, "request_invalid", "limit");
    expect_refused(send("GET", "/_fake/calls?cursor=x"), 400, "cursor_invalid");
    EXPECT_EQ(fake.calls().size(), 4u) << "what is under /_fake/ is no call";
}

TEST_F(Fakes, OfTheCallsTheNewestAreKept) {
    client::Session session(fake.url());
    for (std::size_t i = 0; i < CallLog::calls_max; ++i) session.get("/health/live");
    EXPECT_EQ(fake.calls().front().number, 1u);
    EXPECT_NE(send("GET", "/_fake/calls?limit=1").body.find(R"("dropped":0)"), std::string::npos);
    session.get("/health/live");
    EXPECT_EQ(fake.calls().front().number, 2u);
    EXPECT_EQ(fake.calls().size(), CallLog::calls_max);
    EXPECT_NE(send("GET", "/_fake/calls?limit=1").body.find(R"("dropped":1)"), std::string::npos);
}

TEST_F(Fakes, OfABodySoMuchIsKept) {
    auto note = [&](std::string const& body) { return send("POST", "/notes/v1", body), fake.calls().back(); };
    std::string const whole(CallLog::body_bytes_max, ' ');
    EXPECT_EQ(note(whole).body, whole);
    EXPECT_FALSE(fake.calls().back().body_cut);
    EXPECT_EQ(note(whole + "x").body, whole);
    EXPECT_TRUE(fake.calls().back().body_cut);
    auto within = note(whole.substr(1) + "\xc3\xa4");
    EXPECT_EQ(within.body, whole.substr(1)) << "cut before a character that doesn't fit";
    EXPECT_FALSE(within.body_base64);
    auto binary = note("\xff\x01");
    EXPECT_EQ(binary.body, "");
    EXPECT_EQ(binary.body_base64->data, "\xff\x01");
    EXPECT_NE(send("GET", "/_fake/calls").body.find(R"("body_base64":"/wE=")"), std::string::npos);
}

TEST_F(Fakes, AResetBeginsAnew) {
    create("Plan");
    ASSERT_TRUE(fake.clock().advance(Duration::days(3)));
    ASSERT_TRUE(fake.fail_next({.status = 503, .method = "PUT"}));
    EXPECT_EQ(send("POST", "/_fake/reset").status, 204);
    EXPECT_EQ(fake.clock().now(), noon);
    EXPECT_TRUE(fake.faults().empty());
    EXPECT_TRUE(fake.calls().empty());
    EXPECT_EQ(fake.host().applied(), 0u);
    EXPECT_EQ(send("GET", "/notes/v1").body.find("Plan"), std::string::npos) << "nor is it in a cache";
    EXPECT_EQ(create("Next").status, 200);
    EXPECT_EQ(fake.calls().front().number, 1u);
    EXPECT_EQ(send("POST", "/_fake/reset", "{}").status, 204);
    expect_refused(send("POST", "/_fake/reset", R"({"all":true})"), 400, "body_invalid");
    for (int i = 0; i < 20; ++i) fake.reset();
    EXPECT_EQ(create("Again").status, 200);
}

TEST_F(Fakes, AResetSendsLiveReadersAway) {
    create("Plan");
    SseReader reader(fake.url(), "/notes/v1", "Accept: text/event-stream\r\n");
    SseReader feed(fake.url(), "/notes/v1/events", "Accept: text/event-stream\r\n");
    ASSERT_TRUE(reader.next());
    ASSERT_TRUE(feed.next());
    EXPECT_EQ(send("POST", "/_fake/reset").status, 204);
    EXPECT_EQ(reader.next()->name, "moved");
    reader.next(), feed.rest();
    EXPECT_TRUE(reader.ended());
    EXPECT_TRUE(feed.ended());
    SseReader again(fake.url(), "/notes/v1", "Accept: text/event-stream\r\n");
    EXPECT_EQ(again.next()->data.find("Plan"), std::string::npos);
    create("New");
    EXPECT_NE(again.next()->data.find("New"), std::string::npos);
}

TEST_F(Fakes, AResetSendsDelayedCallsAway) {
    ASSERT_TRUE(fake.fail_next({.delay = Duration::hours(1)}));
    auto late = std::async(std::launch::async, [&] { return create("late"); });
    ASSERT_TRUE(received(1));
    while (!fake.faults().empty()) std::this_thread::yield();
    fake.reset();
    // A call that was just being taken in comes through to the new log at its own time: asked again, it is sent away.
    while (late.wait_for(std::chrono::milliseconds(20)) != std::future_status::ready) fake.reset();
    expect_refused(late.get(), 503, "stopping");
    EXPECT_EQ(fake.host().applied(), 0u);
}

TEST_F(Fakes, AnUploadGoesOnOverAReset) {
    client::Session session(fake.url());
    std::promise<void> begun, go_on;
    int turn = 0;
    client::Request request{.method = "POST", .target = "/notes/v1", .headers = {{"Content-Type", "application/x-ndjson"}}};
    request.upload = [&](char* buffer, std::size_t) -> std::size_t {
        if (++turn > 2) return 0;
        if (turn == 2) begun.set_value(), go_on.get_future().wait();
        std::string const line = "{\"title\":\"x\"}\n";
        return line.copy(buffer, line.size());
    };
    auto reply = std::async(std::launch::async, [&] { return session.send(request); });
    begun.get_future().wait();
    ASSERT_TRUE(received(1));
    fake.reset();
    go_on.set_value();
    auto told = reply.get();
    EXPECT_EQ(told.status, 200);
    EXPECT_NE(told.body.find("stopping"), std::string::npos) << told.body;
    EXPECT_EQ(fake.host().applied(), 0u);
}

TEST_F(Fakes, WhatIsNotThereIsSaid) {
    expect_refused(send("GET", "/_fake/"), 404, "route_not_found", "POST /_fake/reset");
    expect_refused(send("GET", "/_fake"), 404, "route_not_found", "GET /_fake/calls");
    expect_refused(send("DELETE", "/_fake/clock"), 405, "method_not_allowed", "GET, PUT");
    expect_refused(send("PUT", "/_fake/clock", R"({"advance":"1h"})", "text/plain"), 415, "json_required");
    expect_refused(send("POST", "/_fake/faults", std::string((64 << 10) + 1, ' ')), 413, "body_too_large");
    expect_refused(send("POST", "/_fake/faults", std::string(64 << 10, ' ')), 400, "body_not_json");
    EXPECT_EQ(send("GET", "/_fakes").status, 404);
    EXPECT_EQ(fake.calls().size(), 1u) << "/_fakes is a call";
}

TEST(FakeStart, APortThatIsTakenIsAProblem) {
    Fake first(declare<notes::Service>());
    auto const port = std::uint16_t(std::stoi(first.url().substr(first.url().rfind(':') + 1)));
    auto second = Fake::start(declare<notes::Service>(), {.port = port});
    ASSERT_FALSE(second);
    EXPECT_EQ(second.error().code, "listen_failed");
}

TEST(FakeStart, ItEndsWithReadersAndDelaysUnderWay) {
    std::optional<Fake> fake(std::in_place, declare<notes::Service>());
    SseReader reader(fake->url(), "/notes/v1", "Accept: text/event-stream\r\n");
    ASSERT_TRUE(reader.next());
    ASSERT_TRUE(fake->fail_next({.delay = Duration::hours(1)}));
    client::Options once;
    once.retries = 0;
    client::Session session(fake->url(), once);
    std::promise<client::Reply> told;
    session.send_async({.target = "/notes/v1"}, [&](client::Reply reply) { told.set_value(std::move(reply)); });
    while (!fake->faults().empty()) std::this_thread::yield();
    fake.reset();
    reader.rest();
    EXPECT_TRUE(reader.ended());
    EXPECT_NE(told.get_future().get().status, 200);
}

}  // namespace
}  // namespace gantry::runtime
