#include "kernel/http/client.h"

#include <gtest/gtest.h>

#include <atomic>
#include <cstdio>
#include <future>

#include "kernel/http/test_server.h"

namespace gantry::http {
namespace {

std::string url(TestServer const& s) {
    pass_wire();
    return "http://127.0.0.1:" + std::to_string(s.port);
}

client::Options quick() {
    client::Options o;
    o.retry_first_wait_ms = 1, o.retry_longest_wait_ms = 2;
    return o;
}

TEST(Client, GetsAndPostsOverOneConnection) {
    TestServer s;
    s.handler.on_handle = [](Exchange& ex) {
        ex.response()
            .begin(200)
            .header("X-Type", ex.head().header("Content-Type"))
            .body(std::string(method_name(ex.head().method)) + ":" + std::string(ex.body()));
    };
    client::Session session(url(s));
    EXPECT_EQ(session.get("/a").body, "GET:");
    EXPECT_EQ(session.post("/a", "{}").body, "POST:{}");
    EXPECT_EQ(session.post("/a", "{}").header("x-type"), "application/json");
    EXPECT_EQ(session.put("/a", "1").body, "PUT:1");
    EXPECT_EQ(session.patch("/a", "2").body, "PATCH:2");
    EXPECT_EQ(session.del("/a").body, "DELETE:");
    auto const head = session.send({.method = "HEAD", .target = "/a"});
    EXPECT_EQ(head.status, 200);
    EXPECT_EQ(head.body, "");
    EXPECT_EQ(s.server.stats().connections_accepted, 1u);
}

TEST(Client, TellsHowLongItWaits) {
    TestServer s;
    int tries = 0;
    s.handler.on_handle = [&](Exchange& ex) {
        auto const told = ex.head().header("Gantry-Timeout");
        ex.response().begin(++tries % 2 == 0 ? 200 : 503).body(told);
    };
    auto options = quick();
    options.retry_first_wait_ms = options.retry_longest_wait_ms = 10;
    client::Session session(url(s), options);
    auto const told_ms = [&](std::int64_t total_ms, client::Headers headers = {}) {
        return session.send({.target = "/", .headers = std::move(headers), .total_timeout_ms = total_ms}).body;
    };
    auto const left_ms = std::stoll(told_ms(20'000));
    EXPECT_GT(left_ms, 0);
    EXPECT_LT(left_ms, 20'000) << "of the second try: what is left";
    EXPECT_EQ(told_ms(0), "") << "for ever";
    EXPECT_NE(told_ms(86'400'000), "");
    EXPECT_EQ(told_ms(86'500'000), "") << "longer than can be said";
    EXPECT_EQ(told_ms(20'000, {{"Gantry-Timeout", "7"}}), "7");
}

TEST(Client, KeepsHeadersAndCredentials) {
    TestServer s;
    s.handler.on_handle = [](Exchange& ex) {
        ex.response().begin(200).body(std::string(ex.head().header("Authorization")) + "|" + std::string(ex.head().header("X-Team")));
    };
    client::Session session(url(s));
    session.set_header("X-Team", "red");
    session.set_bearer("t0k");
    EXPECT_EQ(session.get("/").body, "Bearer t0k|red");
    session.set_basic("Aladdin", "open sesame");  // RFC 7617 §2
    EXPECT_EQ(session.get("/").body, "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==|red");
    for (auto [user, text] : {std::pair{"a", "Basic YTpi"}, {"ab", "Basic YWI6Yg=="}, {"abc", "Basic YWJjOmI="}}) {
        session.set_basic(user, "b");
        EXPECT_EQ(session.get("/").body, std::string(text) + "|red");
    }
    session.set_header("X-Team", "");
    session.set_header("Authorization", "");
    EXPECT_EQ(session.get("/").body, "|");
    EXPECT_EQ(session.send({.target = "/", .headers = {{"X-Team", "blue"}}}).body, "|blue");
}

TEST(Client, AProblemGivesItsCodeAndOtherFailuresTheirStatus) {
    TestServer s;
    s.handler.on_handle = [](Exchange& ex) {
        if (ex.head().path == "/plain")
            ex.response().begin(404).body("no");
        else
            ex.response().problem({409, "note_taken", "It is \"taken\"."});
    };
    client::Session session(url(s));
    auto const a = session.get("/");
    ASSERT_FALSE(a.ok());
    EXPECT_EQ(a.status, 409);
    EXPECT_EQ(a.error->code, "note_taken");
    EXPECT_EQ(a.error->detail, "It is \"taken\".");
    EXPECT_EQ(session.get("/plain").error->code, "http_404");
}

TEST(Client, RepeatsWhatIsSafeAndNothingElse) {
    TestServer s;
    std::atomic<int> calls = 0;
    s.handler.on_handle = [&](Exchange& ex) {
        if (++calls % 3)
            ex.response().problem({503, "overloaded", ""});
        else
            ex.response().begin(200).body("ok");
    };
    client::Session session(url(s), quick());
    auto const a = session.get("/");
    EXPECT_TRUE(a.ok());
    EXPECT_EQ(a.tries, 3);
    auto const b = session.post("/", "{}");
    EXPECT_EQ(b.error->code, "overloaded");
    EXPECT_EQ(b.tries, 1);
    calls = 0;
    client::Request keyed{.method = "POST", .target = "/", .headers = {{"Idempotency-Key", "k"}}, .body = "{}"};
    EXPECT_EQ(session.send(keyed).tries, 3);
}

TEST(Client, RetryAfterLongerThanTheDeadlineEndsTheTries) {
    TestServer s;
    s.handler.on_handle = [](Exchange& ex) {
        Problem p{503, "overloaded", ""};
        p.retry_after_s = 3600;
        ex.response().problem(p);
    };
    client::Session session(url(s), quick());
    EXPECT_EQ(session.get("/").tries, 1);
}

TEST(Client, FailuresHaveCodes) {
    std::uint16_t dead;
    {
        TestServer s;
        dead = s.port;
    }
    client::Session session("http://127.0.0.1:" + std::to_string(dead), quick());
    auto const a = session.get("/");
    EXPECT_EQ(a.error->code, "connect_failed");
    EXPECT_EQ(a.tries, 4);
    EXPECT_EQ(session.send({.target = "/\r\nX: y"}).error->code, "invalid_request");
    EXPECT_EQ(session.send({.target = "/", .headers = {{"X", "a\nb"}}}).error->code, "invalid_request");
    EXPECT_EQ(client::Session("ftp://localhost").get("/").error->code, "invalid_request");
}

TEST(Client, DeadlinesAreKept) {
    TestServer s;
    std::vector<Deferred> parked;
    s.handler.on_handle = [&](Exchange& ex) { parked.push_back(ex.defer()); };
    client::Session session(url(s), quick());
    auto const a = session.send({.method = "POST", .target = "/", .total_timeout_ms = 50});
    EXPECT_EQ(a.error->code, "timeout");
    auto const b = request(session, {.method = "POST", .target = "/"}, Duration::millis(50));
    ASSERT_FALSE(b);
    EXPECT_EQ(b.error().status, 504);
    EXPECT_EQ(b.error().code, "timeout");
    s.server.stop({});
}

TEST(Client, StreamsUpAndDown) {
    TestServer s;
    s.handler.on_plan = [](RequestHead const&) { return BodyPlan::whole(10'000'000); };
    s.handler.on_handle = [](Exchange& ex) { ex.response().begin(200).body(ex.body()); };
    client::Session session(url(s));
    std::size_t left = 3'000'000, got = 0;
    client::Request r{.method = "POST", .target = "/"};
    r.upload = [&](char* buffer, std::size_t room) {
        std::size_t const n = std::min(room, left);
        std::fill_n(buffer, n, 'u');
        left -= n;
        return n;
    };
    r.download = [&](std::string_view bytes) { return got += bytes.size(), true; };
    EXPECT_TRUE(session.send(r).ok());
    EXPECT_EQ(got, 3'000'000u);
    client::Request stop{.target = "/"};
    s.handler.on_handle = [](Exchange& ex) { ex.response().begin(200).body(std::string(1000, 'x')); };
    pass_wire();
    stop.download = [](std::string_view) { return false; };
    EXPECT_EQ(session.send(stop).error->code, "aborted");
}

TEST(Client, AnUploadThatFailsIsNoWholeBody) {
    TestServer s;
    std::atomic<int> handled = 0;
    s.handler.on_handle = [&](Exchange& ex) { ++handled, ex.response().begin(200).empty(); };
    client::Session session(url(s));
    client::Request r{.method = "POST", .target = "/"};
    int calls = 0;
    r.upload = [&](char* buffer, std::size_t) { return calls++ == 0 ? (*buffer = 'u', std::size_t(1)) : client::upload_failed; };
    auto reply = session.send(r);
    EXPECT_EQ(reply.status, 0);
    ASSERT_TRUE(reply.error);
    EXPECT_EQ(reply.error->code, "aborted");
    EXPECT_EQ(reply.tries, 1);
    EXPECT_EQ(handled, 0);
}

TEST(Client, BodiesAreBoundedFromBothSides) {
    TestServer s;
    s.handler.on_handle = [](Exchange& ex) { ex.response().begin(200).body(std::string(std::stoul(std::string(ex.head().query)), 'x')); };
    auto o = quick();
    o.body_limit_bytes = 5000;
    client::Session session(url(s), o);
    EXPECT_EQ(session.get("/?5000").body.size(), 5000u);
    EXPECT_EQ(session.get("/?5001").error->code, "body_too_large");
}

TEST(Client, UnderstandsGzip) {
    TestServer s;
    s.handler.on_handle = [](Exchange& ex) {
        ex.response().begin(200).header("Content-Type", "text/plain").body(std::string(100'000, 'z'));
    };
    client::Session session(url(s));
    auto const a = session.get("/");
    EXPECT_EQ(a.body, std::string(100'000, 'z'));
    EXPECT_EQ(a.header("content-encoding"), "gzip");
    EXPECT_LT(s.server.stats().bytes_sent, 5'000u);
}

TEST(Client, SendsAsyncAndAbortsAtItsEnd) {
    TestServer s;
    std::vector<Deferred> parked;
    std::mutex mutex;
    s.handler.on_handle = [&](Exchange& ex) {
        if (ex.head().path == "/now") return void(ex.response().begin(200).body("now"));
        std::lock_guard lock(mutex);
        parked.push_back(ex.defer());
    };
    std::promise<client::Reply> first, second;
    {
        client::Session session(url(s));
        session.send_async({.target = "/now"}, [&](client::Reply r) { first.set_value(std::move(r)); });
        EXPECT_EQ(first.get_future().get().body, "now");
        session.send_async({.target = "/park"}, [&](client::Reply r) { second.set_value(std::move(r)); });
        ASSERT_TRUE(eventually([&] { return std::lock_guard(mutex), !parked.empty(); }));
    }
    EXPECT_EQ(second.get_future().get().error->code, "aborted");
    s.server.stop({});
}

TEST(Client, ManyThreadsShareASession) {
    TestServer s;
    client::Session session(url(s));
    std::atomic<int> good = 0;
    std::vector<std::thread> callers;
    for (int t = 0; t < 4; ++t)
        callers.emplace_back([&] {
            for (int i = 0; i < 25; ++i) good += session.get("/").ok();
        });
    for (auto& c : callers) c.join();
    EXPECT_EQ(good, 100);
    EXPECT_LE(s.server.stats().connections_accepted, 4u);
}

}  // namespace
}  // namespace gantry::http
