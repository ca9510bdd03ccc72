#include "kernel/http/server.h"

#include <gtest/gtest.h>

#include <atomic>
#include <future>

#include "kernel/http/test_server.h"

namespace gantry::http {
namespace {

TEST(Server, AnswersGetAndKeepsTheConnection) {
    TestServer s;
    RawClient c(s.port);
    for (int i = 0; i < 3; ++i) {
        std::string const a = c.exchange(get("/"));
        EXPECT_EQ(status_of(a), 200);
        EXPECT_NE(a.find("\r\nDate: "), a.npos);
        EXPECT_NE(a.find("\r\nContent-Length: 5\r\n"), a.npos);
        EXPECT_EQ(body_of(a), "hello");
    }
}

TEST(Server, ShowsTheWholeRequest) {
    TestServer s;
    std::string seen;
    s.handler.on_handle = [&](Exchange& ex) {
        auto const& h = ex.head();
        seen = std::string(method_name(h.method)) + " " + std::string(h.path) + " ? " + std::string(h.query) + " " +
               std::string(h.header("x-a")) + " " + std::string(h.host) + " " + std::string(ex.body()) + " " +
               std::string(ex.peer().address) + (ex.peer().is_loopback ? " loop" : "");
        char padding = 0;
        for (int i = 0; i < 64; ++i) padding ^= ex.body().data()[ex.body().size() + std::size_t(i)];  // readable: ASan watches
        ex.response().begin(201).header("X-Pad", padding ? "1" : "0").empty();
    };
    RawClient c(s.port);
    std::string const a = c.exchange(post("/p/q?x=1&y", "body!", "X-A:  v \r\n"));
    EXPECT_EQ(status_of(a), 201);
    EXPECT_NE(a.find("Content-Length: 0\r\n"), a.npos);
    EXPECT_EQ(seen, "POST /p/q ? x=1&y v localhost body! 127.0.0.1 loop");
}

TEST(Server, AcceptsARequestCutAtAnyByte) {
    TestServer s;
    s.handler.on_handle = [](Exchange& ex) { ex.response().begin(200).body(ex.body()); };
    std::string const whole = post("/a", "12345", "X-Y: z\r\n");
    std::string const chunked =
        "POST /a HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\n123\r\n2\r\n45\r\n0\r\nT: u\r\n\r\n";
    for (auto const& request : {whole, chunked}) {
        RawClient c(s.port);
        for (std::size_t cut = 1; cut < request.size(); ++cut) {
            ASSERT_TRUE(c.send(request.substr(0, cut)));
            // The server sees the first piece alone: its bytes are counted before the second is sent.
            auto const before = s.server.stats().bytes_received;
            (void)before;
            ASSERT_TRUE(c.send(request.substr(cut)));
            EXPECT_EQ(body_of(c.answer()), "12345") << cut;
        }
    }
}

TEST(Server, AcceptsARequestByteByByte) {
    TestServer s;
    s.handler.on_handle = [](Exchange& ex) { ex.response().begin(200).body(ex.body()); };
    RawClient c(s.port);
    std::uint64_t sent = 0;
    for (char byte : post("/a", "12345")) {
        ASSERT_TRUE(c.send({&byte, 1}));
        ++sent;
        ASSERT_TRUE(eventually([&] { return s.server.stats().bytes_received == sent; }));
    }
    EXPECT_EQ(body_of(c.answer()), "12345");
}

TEST(Server, AnswersPipelinedRequestsInOrderEvenWhenTheyAreDeferred) {
    TestServer s({}, 1);
    std::vector<std::pair<std::string, Deferred>> waiting;
    std::atomic<int> count = 0;
    s.handler.on_handle = [&](Exchange& ex) {
        if (ex.head().path.starts_with("/now")) return void(ex.response().begin(200).body(ex.head().path));
        waiting.emplace_back(ex.head().path, ex.defer());
        ++count;
    };
    RawClient c(s.port);
    std::string all;
    for (int i = 0; i < 8; ++i) all += get((i % 2 ? "/now" : "/later") + std::to_string(i));
    ASSERT_TRUE(c.send(all));
    ASSERT_TRUE(eventually([&] { return count == 4; }));
    s.server.post(0, [&] {
        for (auto it = waiting.rbegin(); it != waiting.rend(); ++it) it->second.response().begin(200).body(it->first);
        waiting.clear();
    });
    for (int i = 0; i < 8; ++i) EXPECT_EQ(body_of(c.answer()), (i % 2 ? "/now" : "/later") + std::to_string(i));
}

TEST(Server, CompletesDeferredAnswersFromAnyThread) {
    TestServer s;
    std::vector<std::thread> workers;
    std::mutex mutex;
    s.handler.on_handle = [&](Exchange& ex) {
        std::lock_guard lock(mutex);
        workers.emplace_back([d = ex.defer()]() mutable {
            EXPECT_FALSE(d.cancelled());
            std::move(d).complete([](Response& r) { r.begin(200).body("late"); });
        });
    };
    for (int i = 0; i < 5; ++i) {
        RawClient c(s.port);
        EXPECT_EQ(body_of(c.exchange(get("/"))), "late");
    }
    for (auto& w : workers) w.join();
}

TEST(Server, ADroppedDeferredIs500) {
    TestServer s;
    std::vector<std::thread> workers;
    s.handler.on_handle = [&](Exchange& ex) { workers.emplace_back([d = ex.defer()] {}); };
    RawClient c(s.port);
    std::string const a = c.exchange(get("/"));
    EXPECT_EQ(status_of(a), 500);
    EXPECT_NE(a.find("internal_error"), a.npos);
    workers[0].join();
}

TEST(Server, ASilentOrThrowingHandlerIs500AndTheConnectionGoesOn) {
    TestServer s;
    s.handler.on_handle = [](Exchange& ex) {
        if (ex.head().path == "/throw") throw std::runtime_error("bug");
    };
    RawClient c(s.port);
    EXPECT_EQ(status_of(c.exchange(get("/"))), 500);
    EXPECT_EQ(status_of(c.exchange(get("/throw"))), 500);
}

TEST(Server, TellsADeferredThatTheClientHasGone) {
    TestServer s({}, 1);
    std::promise<Deferred> made;
    std::promise<void> cancelled;
    s.handler.on_handle = [&](Exchange& ex) {
        auto d = ex.defer();
        d.on_cancel([&] { cancelled.set_value(); });
        made.set_value(std::move(d));
    };
    RawClient c(s.port);
    ASSERT_TRUE(c.send(get("/")));
    Deferred d = made.get_future().get();
    EXPECT_FALSE(d.cancelled());
    c.close();
    ASSERT_EQ(cancelled.get_future().wait_for(std::chrono::milliseconds(patience_ms)), std::future_status::ready);
    EXPECT_TRUE(d.cancelled());
    std::move(d).complete([](Response& r) { r.begin(200).body("nobody"); });
    EXPECT_TRUE(eventually([&] { return s.server.stats().connections_open == 0; }));
}

TEST(Server, AHalfClosedClientStillGetsItsAnswers) {
    TestServer s({}, 1);
    std::promise<Deferred> made;
    s.handler.on_handle = [&](Exchange& ex) { made.set_value(ex.defer()); };
    RawClient c(s.port);
    ASSERT_TRUE(c.send(get("/")));
    c.half_close();
    auto d = made.get_future().get();
    ASSERT_TRUE(eventually([&] { return d.cancelled(); }));
    std::move(d).complete([](Response& r) { r.begin(200).body("still"); });
    EXPECT_EQ(body_of(c.answer()), "still");
    EXPECT_TRUE(c.ends());
}

TEST(Server, HeadHasTheHeadersOfGetAndNoBody) {
    TestServer s;
    s.handler.on_handle = [](Exchange& ex) {
        auto r = ex.response();
        r.begin(200).header("Content-Type", "image/png");
        if (ex.head().path == "/with")
            r.body_with([](std::string& out) { out += "12345678"; });
        else
            r.body("12345678");
    };
    RawClient c(s.port);
    for (std::string path : {"/with", "/plain"}) {
        std::string const full = c.exchange(get(path));
        ASSERT_TRUE(c.send("HEAD " + path + " HTTP/1.1\r\nHost: h\r\n\r\n"));
        EXPECT_EQ(c.answer(true), full.substr(0, full.find("\r\n\r\n") + 4));
        EXPECT_EQ(body_of(full), "12345678");
    }
    EXPECT_EQ(c.in, "");
}

TEST(Server, BodyWithFillsInTheLengthOfSmallAndLargeBodies) {
    TestServer s;
    s.handler.on_handle = [](Exchange& ex) {
        std::size_t const size = std::stoul(std::string(ex.head().query));
        ex.response().begin(200).body_with([&](std::string& out) { out.append(size, 'x'); });
    };
    RawClient c(s.port);
    for (std::size_t size : {0ul, 1ul, 9ul, 10ul, 16384ul, 16385ul, 500000ul})
        EXPECT_EQ(body_of(c.exchange(get("/?" + std::to_string(size)))), std::string(size, 'x'));
}

TEST(Server, StatusesWithoutABodyHaveNone) {
    TestServer s;
    s.handler.on_handle = [](Exchange& ex) { ex.response().begin(ex.head().path == "/304" ? 304 : 204).body("never"); };
    RawClient c(s.port);
    for (auto path : {"/304", "/204"}) {
        std::string const a = c.exchange(get(path));
        EXPECT_EQ(a.find("Content-Length"), a.npos);
        EXPECT_TRUE(a.ends_with("\r\n\r\n"));
    }
    EXPECT_EQ(status_of(c.exchange(get("/304"))), 304);
}

TEST(Server, AHeaderValueCantStartASecondAnswer) {
    TestServer s;
    s.handler.on_handle = [](Exchange& ex) { ex.response().begin(302).header("Location", "/a\r\nX-Evil: 1").empty(); };
    RawClient c(s.port);
    std::string const a = c.exchange(get("/"));
    EXPECT_EQ(a.find("\r\nX-Evil"), a.npos);
    EXPECT_NE(a.find("Location: /a??X-Evil: 1\r\n"), a.npos);
}

TEST(Server, Http10ClosesUnlessAsked) {
    TestServer s;
    {
        RawClient c(s.port);
        std::string const a = c.exchange("GET / HTTP/1.0\r\n\r\n");
        EXPECT_NE(a.find("Connection: close"), a.npos);
        EXPECT_TRUE(c.ends());
    }
    RawClient c(s.port);
    std::string const a = c.exchange("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    EXPECT_NE(a.find("Connection: keep-alive"), a.npos);
    EXPECT_EQ(status_of(c.exchange(get("/"))), 200);
}

TEST(Server, ConnectionCloseIsHonouredOnBothSides) {
    TestServer s;
    {
        RawClient c(s.port);
        EXPECT_NE(c.exchange(get("/", "Connection: close\r\n")).find("Connection: close"), std::string::npos);
        EXPECT_TRUE(c.ends());
    }
    s.handler.on_handle = [](Exchange& ex) { ex.response().begin(200).close().body("x"); };
    RawClient c(s.port);
    EXPECT_NE(c.exchange(get("/")).find("Connection: close"), std::string::npos);
    EXPECT_TRUE(c.ends());
}

TEST(Server, RawAnswersGoOutAsTheyAre) {
    TestServer s;
    s.handler.on_handle = [](Exchange& ex) { ex.response().raw("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"); };
    RawClient c(s.port);
    EXPECT_EQ(c.exchange(get("/")), "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    EXPECT_EQ(body_of(c.exchange(get("/"))), "ok");
}

TEST(Server, AnswersExpectContinueOnlyWhenItWantsTheBody) {
    TestServer s;
    s.handler.on_plan = [](RequestHead const& h) { return h.path == "/no" ? BodyPlan::none() : BodyPlan::whole(100); };
    s.handler.on_handle = [](Exchange& ex) { ex.response().begin(ex.head().path == "/no" ? 401 : 200).body(ex.body()); };
    auto expect = [](std::string path, std::string size) {
        return "POST " + path + " HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: " + size + "\r\n\r\n";
    };
    {
        RawClient c(s.port);
        EXPECT_EQ(c.exchange(expect("/yes", "3")), "HTTP/1.1 100 Continue\r\n\r\n");
        EXPECT_EQ(body_of(c.exchange("abc")), "abc");
        EXPECT_EQ(status_of(c.exchange(get("/yes"))), 200);
    }
    {
        RawClient c(s.port);
        EXPECT_EQ(status_of(c.exchange(expect("/no", "3"))), 401);
        EXPECT_TRUE(c.ends());
    }
    RawClient c(s.port);
    EXPECT_EQ(status_of(c.exchange(expect("/yes", "101"))), 413);
    EXPECT_TRUE(c.ends());
}

TEST(Server, UnwantedBodiesAreThrownAwayUpToALimit) {
    ServerConfig config;
    config.limits.discard_bytes = 1000;
    TestServer s(config);
    s.handler.on_plan = [](RequestHead const&) { return BodyPlan::none(); };
    {
        RawClient c(s.port);
        EXPECT_EQ(status_of(c.exchange(post("/", std::string(1000, 'x')))), 200);
        EXPECT_EQ(status_of(c.exchange(get("/"))), 200);
    }
    RawClient c(s.port);
    std::string const a = c.exchange(post("/", std::string(1001, 'x')));
    EXPECT_EQ(status_of(a), 200);
    EXPECT_NE(a.find("Connection: close"), a.npos);
    EXPECT_TRUE(c.ends());
}

TEST(Server, StopsGracefully) {
    TestServer s({}, 2);
    std::promise<Deferred> made;
    s.handler.on_handle = [&](Exchange& ex) {
        if (ex.head().path == "/wait")
            made.set_value(ex.defer());
        else
            ex.response().begin(200).body("x");
    };
    RawClient idle(s.port), busy(s.port);
    EXPECT_EQ(status_of(idle.exchange(get("/"))), 200);
    ASSERT_TRUE(busy.send(get("/wait")));
    Deferred d = made.get_future().get();
    auto stopped = std::async(std::launch::async, [&] { return s.server.stop(Duration::seconds(20)); });
    EXPECT_TRUE(idle.ends());
    std::move(d).complete([](Response& r) { r.begin(200).body("done"); });
    std::string const a = busy.answer();
    EXPECT_EQ(body_of(a), "done");
    EXPECT_NE(a.find("Connection: close"), a.npos);
    EXPECT_TRUE(busy.ends());
    busy.close();
    EXPECT_TRUE(stopped.get());
    EXPECT_FALSE(RawClient(s.port).connected());
}

// As of a proxy that keeps connections: were it closed at once, the request on its way would be lost, and with it the proxy's client.
TEST(Server, StopAnswersTheNextRequestOfAConnectionInUse) {
    TestServer s({}, 1);
    s.handler.on_handle = [&](Exchange& ex) { ex.response().begin(200).body("x"); };
    RawClient used(s.port), unused(s.port);
    EXPECT_EQ(status_of(used.exchange(get("/"))), 200);
    auto stopped = std::async(std::launch::async, [&] { return s.server.stop(Duration::seconds(20)); });
    EXPECT_TRUE(unused.ends());
    std::string const a = used.exchange(get("/"));
    EXPECT_EQ(status_of(a), 200);
    EXPECT_NE(a.find("Connection: close"), a.npos);
    EXPECT_TRUE(used.ends());
    used.close();
    EXPECT_TRUE(stopped.get());
}

TEST(Server, StopCutsWhatOutlastsItsLimit) {
    TestServer s({}, 1);
    std::promise<Deferred> made;
    s.handler.on_handle = [&](Exchange& ex) { made.set_value(ex.defer()); };
    RawClient c(s.port);
    ASSERT_TRUE(c.send(get("/")));
    Deferred d = made.get_future().get();
    EXPECT_FALSE(s.server.stop(Duration::millis(20)));
    EXPECT_TRUE(d.cancelled());
    EXPECT_TRUE(c.ends());
}

TEST(Server, ListenSaysWhyItFails) {
    TestServer s;
    auto again = s.server.listen({.port = s.port});
    ASSERT_FALSE(again);
    EXPECT_EQ(again.error().code, "listen_failed");
    EXPECT_FALSE(s.server.listen({.address = "not an address"}));
}

TEST(Server, ListensOnIpv6) {
    TestServer s;
    auto port = s.server.listen({.address = "::1"});
    if (!port) GTEST_SKIP() << port.error().detail;
    EXPECT_GT(*port, 0);
}

}  // namespace
}  // namespace gantry::http
