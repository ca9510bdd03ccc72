#include <gtest/gtest.h>

#include <atomic>

#include "kernel/http/gzip.h"
#include "kernel/http/test_server.h"

// Every limit of the server from both sides.
namespace gantry::http {
namespace {

ServerConfig with(std::function<void(Limits&)> change) {
    ServerConfig config;
    change(config.limits);
    return config;
}

std::string packed(std::string_view text) {
    std::string out;
    append_gzip(out, text);
    return out;
}

void expect_refused(TestServer& s, std::string const& request, int status, std::string const& code) {
    RawClient c(s.port);
    ASSERT_TRUE(c.send(request));
    std::string const a = c.answer();
    EXPECT_EQ(status_of(a), status) << a;
    EXPECT_NE(a.find("\"code\":\"" + code + "\""), a.npos) << a;
    EXPECT_TRUE(c.ends());
}
void expect_status(TestServer& s, std::string const& request, int status) {
    RawClient c(s.port);
    EXPECT_EQ(status_of(c.exchange(request)), status);
}

TEST(Limits, Target) {
    TestServer s;
    expect_status(s, get("/" + std::string(8191, 'a')), 200);
    expect_refused(s, get("/" + std::string(8192, 'a')), 414, "uri_too_long");
    expect_refused(s, "GET /" + std::string(100'000, 'a'), 414, "uri_too_long");
}

TEST(Limits, HeadBytes) {
    TestServer s;
    std::string const frame = get("/", "X: \r\n");
    expect_status(s, get("/", "X: " + std::string(32 * 1024 - frame.size(), 'a') + "\r\n"), 200);
    expect_refused(s, get("/", "X: " + std::string(32 * 1024 - frame.size() + 1, 'a') + "\r\n"), 431, "header_too_large");
    expect_refused(s, "GET / HTTP/1.1\r\nX: " + std::string(100'000, 'a'), 431, "header_too_large");
}

TEST(Limits, HeaderCount) {
    TestServer s;
    std::string many;
    for (int i = 0; i < 99; ++i) many += "X: a\r\n";  // Host is the hundredth
    expect_status(s, get("/", many), 200);
    expect_refused(s, get("/", many + "X: a\r\n"), 431, "header_too_large");
}

TEST(Limits, BodyOfAPlan) {
    TestServer s;
    s.handler.on_plan = [](RequestHead const&) { return BodyPlan::whole(1000); };
    std::string const chunked = "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n";
    expect_status(s, post("/", std::string(1000, 'x')), 200);
    expect_status(s, post("/", std::string(1001, 'x')), 413);
    expect_status(s, chunked + "3e8\r\n" + std::string(1000, 'x') + "\r\n0\r\n\r\n", 200);
    expect_refused(s, chunked + "3e9\r\n" + std::string(1001, 'x') + "\r\n0\r\n\r\n", 413, "body_too_large");
    RawClient c(s.port);  // a small refused body does not cost the connection
    EXPECT_EQ(status_of(c.exchange(post("/", std::string(1001, 'x')))), 413);
    EXPECT_EQ(status_of(c.exchange(get("/"))), 200);
    expect_refused(s, post("/", std::string(100'000, 'x')), 413, "body_too_large");
}

TEST(Limits, InflatedBody) {
    TestServer s(with([](Limits& l) { l.inflate_ratio = 20; }));
    s.handler.on_plan = [](RequestHead const&) { return BodyPlan::whole(300'000); };
    s.handler.on_handle = [](Exchange& ex) { ex.response().begin(200).body(ex.body()); };
    RawClient c(s.port);
    std::string const gzip = "Content-Encoding: gzip\r\n";
    EXPECT_EQ(body_of(c.exchange(post("/", packed("hello"), gzip))), "hello");
    EXPECT_EQ(body_of(c.exchange(post("/", packed("hel") + packed("lo"), gzip))), "hello");  // several members
    std::string varied;
    for (int i = 0; varied.size() < 300'000; ++i) varied += std::to_string(i * 7919);
    varied.resize(300'000);
    EXPECT_EQ(body_of(c.exchange(post("/", packed(varied), gzip))), varied);
    expect_refused(s, post("/", packed(varied + "x"), gzip), 413, "body_too_large");
    expect_status(s, post("/", packed(std::string(64 * 1024, 'x')), gzip), 200);  // a small bomb is none
    expect_refused(s, post("/", packed(std::string(200'000, 'x')), gzip), 413, "body_too_large");
    std::string const cut = packed("hello");
    expect_refused(s, post("/", cut.substr(0, cut.size() - 3), gzip), 400, "bad_request");
}

TEST(Limits, ChunkLineAndTrailers) {
    TestServer s(with([](Limits& l) { l.chunk_line_bytes = 20, l.trailer_bytes = 30; }));
    std::string const chunked = "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n";
    expect_status(s, chunked + "1;" + std::string(17, 'x') + "\r\na\r\n0\r\n\r\n", 200);
    expect_refused(s, chunked + "1;" + std::string(18, 'x') + "\r\na\r\n0\r\n\r\n", 400, "bad_request");
    expect_status(s, chunked + "0\r\nT: " + std::string(24, 'x') + "\r\n\r\n", 200);  // the empty line's CR counts
    expect_refused(s, chunked + "0\r\nT: " + std::string(25, 'x') + "\r\n\r\n", 431, "header_too_large");
}

TEST(Limits, Connections) {
    TestServer s(with([](Limits& l) { l.connections = 2; }));
    RawClient a(s.port), b(s.port);
    EXPECT_EQ(status_of(a.exchange(get("/"))), 200);
    EXPECT_EQ(status_of(b.exchange(get("/"))), 200);
    {
        RawClient c(s.port);
        std::string const answer = c.exchange(get("/"));
        EXPECT_EQ(status_of(answer), 503);
        EXPECT_NE(answer.find("Retry-After: 1"), answer.npos);
        EXPECT_TRUE(c.ends());
    }
    EXPECT_EQ(s.server.stats().connections_refused, 1u);
    a.close();
    ASSERT_TRUE(eventually([&] { return s.server.stats().connections_open == 1; }));
    RawClient d(s.port);
    EXPECT_EQ(status_of(d.exchange(get("/"))), 200);
}

TEST(Limits, PipelinedRequests) {
    TestServer s(with([](Limits& l) { l.pipelined = 4; }), 1);
    std::vector<Deferred> waiting;
    std::atomic<std::size_t> started = 0;
    s.handler.on_handle = [&](Exchange& ex) { waiting.push_back(ex.defer()), ++started; };
    RawClient c(s.port);
    std::string all;
    for (int i = 0; i < 10; ++i) all += get("/");
    ASSERT_TRUE(c.send(all));
    ASSERT_TRUE(eventually([&] { return started == 4; }));
    auto finish_first = [&] {
        s.server.post(0, [&] {
            waiting.front().response().begin(200).body("x");
            waiting.erase(waiting.begin());
        });
    };
    EXPECT_EQ(started, 4u);
    for (std::size_t done = 1; done <= 10; ++done) {
        finish_first();
        EXPECT_EQ(status_of(c.answer()), 200);
        ASSERT_TRUE(eventually([&] { return started == std::min<std::size_t>(10, 4 + done); })) << done;
    }
}

TEST(Limits, HeadTimeout) {
    TestServer s(with([](Limits& l) { l.head_timeout = Duration::millis(60); }));
    {
        RawClient silent(s.port);  // nothing at all: closed without a word
        EXPECT_EQ(silent.rest(), "");
        EXPECT_TRUE(silent.closed);
    }
    RawClient slow(s.port);
    ASSERT_TRUE(slow.send("GET / HTTP/1.1\r\nHo"));
    std::string const a = slow.answer();
    EXPECT_EQ(status_of(a), 408);
    EXPECT_NE(a.find("\"code\":\"timeout\""), a.npos);
    EXPECT_TRUE(slow.ends());
    RawClient dripping(s.port);  // bytes don't extend it
    for (int i = 0; i < 10'000 && dripping.send("G") && !dripping.receive_some(2); ++i) dripping.timed_out = false;
    EXPECT_EQ(status_of(dripping.answer()), 408);
    RawClient good(s.port);
    EXPECT_EQ(status_of(good.exchange(get("/"))), 200);
    EXPECT_GE(s.server.stats().timeouts, 3u);
}

TEST(Limits, BodyTimeoutIsOfProgress) {
    TestServer s(with([](Limits& l) { l.body_timeout = Duration::millis(150); }));
    RawClient slow(s.port);
    std::string const request = post("/", "0123456789");
    ASSERT_TRUE(slow.send(request.substr(0, request.size() - 10)));
    auto const start = std::chrono::steady_clock::now();
    for (int i = 0; i < 10; ++i) {  // 10 x 40 ms: longer in all than the limit, never long without a byte
        EXPECT_FALSE(slow.receive_some(40));
        ASSERT_TRUE(slow.send("x"));
    }
    EXPECT_GT(std::chrono::steady_clock::now() - start, std::chrono::milliseconds(300));
    EXPECT_EQ(status_of(slow.answer()), 200);
    RawClient stuck(s.port);
    ASSERT_TRUE(stuck.send(request.substr(0, request.size() - 1)));
    EXPECT_EQ(status_of(stuck.answer()), 408);
    EXPECT_TRUE(stuck.ends());
}

TEST(Limits, IdleTimeout) {
    TestServer s(with([](Limits& l) { l.idle_timeout = Duration::millis(100); }));
    RawClient c(s.port);
    for (int i = 0; i < 5; ++i) {
        EXPECT_EQ(status_of(c.exchange(get("/"))), 200);
        EXPECT_FALSE(c.receive_some(30));
        EXPECT_FALSE(c.closed);
    }
    EXPECT_EQ(c.rest(), "");
    EXPECT_TRUE(c.closed);
}

TEST(Limits, ADeferredRequestIsNotIdle) {
    TestServer s(with([](Limits& l) { l.idle_timeout = l.head_timeout = l.body_timeout = Duration::millis(30); }), 1);
    s.handler.on_handle = [&](Exchange& ex) {
        auto d = std::make_shared<Deferred>(ex.defer());
        s.threads.after(0, Duration::millis(200), [d] { d->response().begin(200).body("at last"); });
    };
    RawClient c(s.port);
    EXPECT_EQ(body_of(c.exchange(get("/"))), "at last");
}

TEST(Limits, WriteTimeout) {
    TestServer s(with([](Limits& l) { l.write_timeout = Duration::millis(100); }));
    s.handler.on_handle = [](Exchange& ex) { ex.response().begin(200).body(std::string(20'000'000, 'x')); };
    RawClient c(s.port, 4096);
    ASSERT_TRUE(c.send(get("/")));
    ASSERT_TRUE(eventually([&] { return s.server.stats().timeouts == 1 && s.server.stats().connections_open == 0; }));
    RawClient reader(s.port);  // one that reads gets it all
    EXPECT_EQ(body_of(reader.exchange(get("/"))).size(), 20'000'000u);
}

}  // namespace
}  // namespace gantry::http
