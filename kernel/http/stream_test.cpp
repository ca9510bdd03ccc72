#include <gtest/gtest.h>

#include <atomic>
#include <future>

#include "kernel/http/gzip.h"
#include "kernel/http/test_server.h"

// Streamed bodies both ways, their backpressure, SSE and compression.
namespace gantry::http {
namespace {

std::string unchunk(std::string_view body) {
    std::string out;
    while (!body.empty()) {
        std::size_t const size = std::stoul(std::string(body), nullptr, 16);
        body.remove_prefix(body.find("\r\n") + 2);
        if (size == 0) break;
        out.append(body.substr(0, size));
        body.remove_prefix(size + 2);
    }
    return out;
}

std::string unpack(std::string_view gzip) {
    Inflater inflater(1u << 30, 100'000);
    std::string out;
    EXPECT_EQ(inflater.write(gzip, out), Inflater::Outcome::Ok);
    EXPECT_TRUE(inflater.complete());
    return out;
}

struct Sink final : BodySink {
    std::string data;
    std::atomic<std::size_t> bytes = 0;
    std::atomic<bool> ended = false;
    std::promise<Problem> aborted;
    std::function<Flow(std::string_view)> flow = [](std::string_view) { return Flow::Continue; };
    std::function<void()> at_end = [] {};
    Flow on_data(std::string_view piece) override {
        data.append(piece);
        bytes += piece.size();
        return flow(piece);
    }
    void on_end() override { ended = true, at_end(); }
    void on_abort(Problem const& why) override { aborted.set_value(why); }
};

struct StreamingServer : TestServer {
    explicit StreamingServer(std::uint64_t limit = 100'000'000, ServerConfig config = {}) : TestServer(config, 1) {
        handler.on_plan = [limit](RequestHead const&) { return BodyPlan::stream(limit); };
        handler.on_handle = [this](Exchange& ex) {
            deferred = ex.defer();
            sink = std::make_shared<Sink>();
            sink->flow = flow;
            sink->at_end = [this] {
                deferred.response().begin(200).body(std::to_string(sink->data.size()));
                deferred = {};
            };
            ex.receive(sink);
            started = true;
        };
    }
    ~StreamingServer() {
        threads.run(0, [this] { deferred = {}; });
    }
    std::function<Flow(std::string_view)> flow = [](std::string_view) { return Flow::Continue; };
    Deferred deferred;
    std::shared_ptr<Sink> sink;
    std::atomic<bool> started = false;
};

TEST(Streams, ARequestBodyComesInPieces) {
    StreamingServer s;
    RawClient c(s.port);
    EXPECT_EQ(body_of(c.exchange(post("/", std::string(1'000'000, 'x')))), "1000000");
    EXPECT_EQ(body_of(c.exchange("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n")), "5");
    EXPECT_EQ(s.sink->data, "abcde");
    std::string gzip;
    append_gzip(gzip, std::string(50'000, 'y'));
    EXPECT_EQ(body_of(c.exchange(post("/", gzip, "Content-Encoding: gzip\r\n"))), "50000");
    EXPECT_EQ(body_of(c.exchange(post("/", ""))), "0");
    std::string const expects = "POST / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n";
    EXPECT_EQ(c.exchange(expects), "HTTP/1.1 100 Continue\r\n\r\n");
    EXPECT_EQ(body_of(c.exchange("abc")), "3");
}

TEST(Streams, APausedBodyStopsTheSenderUntilItIsResumed) {
    StreamingServer s;
    std::atomic<int> pieces = 0;
    s.flow = [&](std::string_view) { return ++pieces == 1 ? Flow::Pause : Flow::Continue; };
    RawClient c(s.port);
    constexpr std::size_t size = 30'000'000;
    std::atomic<bool> sent = false;
    std::thread sender([&] {
        EXPECT_TRUE(c.send(post("/", std::string(size, 'x'))));
        sent = true;
    });
    ASSERT_TRUE(eventually([&] { return pieces == 1; }));
    s.threads.run(0, [] {});
    EXPECT_EQ(pieces, 1);
    EXPECT_FALSE(sent);  // the kernel's buffers hold less than the body
    s.deferred.resume_body();
    EXPECT_EQ(body_of(c.answer()), std::to_string(size));
    sender.join();
}

TEST(Streams, ResumeInsideOnDataIsNotLost) {
    StreamingServer s;
    s.flow = [&](std::string_view) { return s.deferred.resume_body(), Flow::Pause; };
    RawClient c(s.port);
    EXPECT_EQ(body_of(c.exchange(post("/", std::string(500'000, 'x')))), "500000");
}

TEST(Streams, TheLimitOfAStreamedBodyIsKept) {
    StreamingServer s(1000);
    std::string const chunked = "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n";
    {
        RawClient c(s.port);
        EXPECT_EQ(body_of(c.exchange(chunked + "3e8\r\n" + std::string(1000, 'x') + "\r\n0\r\n\r\n")), "1000");
    }
    s.started = false;
    RawClient c(s.port);
    ASSERT_TRUE(c.send(chunked + "3e9\r\n" + std::string(1001, 'x') + "\r\n0\r\n\r\n"));
    ASSERT_TRUE(eventually([&] { return s.started.load(); }));
    Problem const why = s.sink->aborted.get_future().get();
    EXPECT_EQ(why.code, "body_too_large");
    s.server.post(0, [&] { s.deferred.response().problem(why), s.deferred = {}; });
    EXPECT_EQ(status_of(c.answer()), 413);
    EXPECT_TRUE(c.ends());
    RawClient large(s.port);
    EXPECT_EQ(status_of(large.exchange(post("/", std::string(1001, 'x')))), 413);  // known from the head: the handler never sees it
}

TEST(Streams, ASinkHearsThatTheClientHasGone) {
    StreamingServer s;
    RawClient c(s.port);
    ASSERT_TRUE(c.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\nabc"));
    ASSERT_TRUE(eventually([&] { return s.started && s.sink->bytes == 3; }));
    c.close();
    EXPECT_EQ(s.sink->aborted.get_future().get().code, "client_gone");
    EXPECT_FALSE(s.sink->ended);
}

TEST(Streams, ARefusedExpectationClosesTheConnection) {
    TestServer s;
    s.handler.on_plan = [](RequestHead const&) { return BodyPlan::stream(1000); };
    s.handler.on_handle = [](Exchange& ex) { ex.response().problem({401, "unauthorized", ""}); };
    RawClient c(s.port);
    std::string const a = c.exchange("POST / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n");
    EXPECT_EQ(status_of(a), 401);
    EXPECT_NE(a.find("Connection: close"), a.npos);
    EXPECT_TRUE(c.ends());
    RawClient plain(s.port);  // without the expectation the small body is thrown away
    EXPECT_EQ(status_of(plain.exchange(post("/", "abc"))), 401);
    EXPECT_EQ(status_of(plain.exchange(post("/", "abc"))), 401);
}

TEST(Streams, ABodyThatStallsIsATimeoutForTheSink) {
    ServerConfig config;
    config.limits.body_timeout = Duration::millis(50);
    StreamingServer s(1000, config);
    RawClient c(s.port);
    ASSERT_TRUE(c.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\nabc"));
    ASSERT_TRUE(eventually([&] { return s.started.load(); }));
    EXPECT_EQ(s.sink->aborted.get_future().get().code, "timeout");
}

TEST(Streams, AnAnswerIsChunkedInHttp11AndEndsWithTheConnectionInHttp10) {
    TestServer s;
    s.handler.on_handle = [](Exchange& ex) {
        auto w = ex.response().begin(200).stream();
        w.write("one "), w.write(""), w.write("two");
        w.end();
    };
    RawClient c(s.port);
    EXPECT_EQ(unchunk(body_of(c.exchange(get("/")))), "one two");
    EXPECT_EQ(unchunk(body_of(c.exchange(get("/")))), "one two");
    ASSERT_TRUE(c.send("HEAD / HTTP/1.1\r\nHost: h\r\n\r\n" + get("/")));
    EXPECT_EQ(body_of(c.answer(true)), "");
    EXPECT_EQ(unchunk(body_of(c.answer())), "one two");
    RawClient old(s.port);
    ASSERT_TRUE(old.send("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"));
    std::string const all = old.rest();
    EXPECT_NE(all.find("Connection: close"), all.npos);
    EXPECT_EQ(body_of(all), "one two");
}

TEST(Streams, AKnownLengthIsKeptOrTheConnectionBreaks) {
    TestServer s;
    s.handler.on_handle = [](Exchange& ex) {
        auto w = ex.response().begin(200).stream(8);
        w.write("1234");
        if (ex.head().path == "/whole") w.write("5678");
        w.end();
    };
    RawClient c(s.port);
    EXPECT_EQ(body_of(c.exchange(get("/whole"))), "12345678");
    ASSERT_TRUE(c.send(get("/short")));
    EXPECT_TRUE(c.ends());
}

TEST(Streams, ADroppedWriterBreaksTheConnection) {
    TestServer s;
    s.handler.on_handle = [](Exchange& ex) { ex.response().begin(200).stream().write("x"); };
    RawClient c(s.port);
    ASSERT_TRUE(c.send(get("/")));
    EXPECT_EQ(c.rest().find("0\r\n\r\n"), std::string::npos);
    EXPECT_TRUE(c.closed);
}

TEST(Streams, ASlowReaderHoldsTheWriterBack) {
    ServerConfig config;
    config.limits.write_buffer_bytes = 100'000;
    TestServer s(config, 1);
    constexpr std::size_t total = 12'000'000;
    std::atomic<std::size_t> written = 0, most_pending = 0;
    auto writer = std::make_shared<StreamWriter>();
    std::function<void()> pump = [&] {
        while (written < total) {
            written += 10'000;
            bool const more = writer->write(std::string(10'000, 'x'));
            most_pending = std::max<std::size_t>(most_pending, writer->pending_bytes());
            if (!more) return;
        }
        writer->end();
    };
    s.handler.on_handle = [&](Exchange& ex) {
        *writer = ex.response().begin(200).stream();
        writer->on_drained(pump);
        pump();
    };
    RawClient c(s.port, 8192);
    ASSERT_TRUE(c.send(get("/")));
    ASSERT_TRUE(eventually([&] { return written > 0; }));
    for (int i = 0; i < 20; ++i) s.threads.run(0, [] {});
    EXPECT_LT(written, total);
    EXPECT_EQ(unchunk(body_of(c.answer())).size(), total);
    EXPECT_LT(most_pending, 200'000u);
}

TEST(Streams, AStreamWaitsItsTurn) {
    TestServer s({}, 1);
    Deferred first;
    std::atomic<bool> both = false;
    s.handler.on_handle = [&](Exchange& ex) {
        if (ex.head().path == "/first") return void(first = ex.defer());
        auto w = ex.response().begin(200).stream();
        w.write("second"), w.end();
        both = true;
    };
    RawClient c(s.port);
    ASSERT_TRUE(c.send(get("/first") + get("/second")));
    ASSERT_TRUE(eventually([&] { return both.load(); }));
    s.server.post(0, [&] { first.response().begin(200).body("1"), first = {}; });
    EXPECT_EQ(body_of(c.answer()), "1");
    EXPECT_EQ(unchunk(body_of(c.answer())), "second");
}

TEST(Streams, SseSendsEventsAndHeartbeatsAndHearsTheEnd) {
    ServerConfig config;
    config.limits.head_timeout = Duration::millis(100);  // makes the tick fine
    TestServer s(config, 1);
    StreamWriter writer;
    std::promise<void> gone;
    std::atomic<bool> open = false;
    s.handler.on_handle = [&](Exchange& ex) {
        writer = ex.response().begin(200).header("Content-Type", "text/event-stream").stream();
        writer.on_cancel([&] { gone.set_value(); });
        writer.event("note", "7", "a\nb");
        writer.heartbeat_every(Duration::millis(20));
        open = true;
    };
    RawClient c(s.port);
    ASSERT_TRUE(c.send(get("/", "Accept-Encoding: gzip\r\n")));
    ASSERT_TRUE(eventually([&] { return c.receive_some(1), c.in.find(":\n\n") != c.in.npos; }));
    EXPECT_NE(c.in.find("event: note\nid: 7\ndata: a\ndata: b\n\n"), c.in.npos);
    EXPECT_EQ(c.in.find("gzip"), c.in.npos);
    c.close();
    EXPECT_EQ(gone.get_future().wait_for(std::chrono::milliseconds(patience_ms)), std::future_status::ready);
    s.threads.run(0, [&] { writer = {}; });
}

TEST(Compression, IsUsedWhenItIsWantedPossibleAndWorthIt) {
    TestServer s;
    std::string const text(1024, 'a');
    s.handler.on_handle = [&](Exchange& ex) {
        auto r = ex.response();
        auto const path = ex.head().path;
        r.begin(200).header("Content-Type", path == "/png" ? "image/png" : "application/json");
        if (path == "/said") r.no_compression();
        if (path == "/small") return r.body(std::string_view(text).substr(1));
        if (path == "/with") return r.body_with([&](std::string& out) { out += text; });
        if (path == "/encoded") r.header("Content-Encoding", "br");
        r.body(text);
    };
    RawClient c(s.port);
    for (std::string path : {"/", "/with"}) {
        std::string const a = c.exchange(get(path, "Accept-Encoding: br, gzip\r\n"));
        EXPECT_NE(a.find("Content-Encoding: gzip\r\n"), a.npos);
        EXPECT_NE(a.find("Vary: Accept-Encoding\r\n"), a.npos);
        EXPECT_EQ(unpack(body_of(a)), text);
        ASSERT_TRUE(c.send("HEAD " + path + " HTTP/1.1\r\nHost: h\r\nAccept-Encoding: gzip\r\n\r\n"));
        EXPECT_EQ(c.answer(true), a.substr(0, a.find("\r\n\r\n") + 4));
    }
    for (std::string path : {"/png", "/said", "/small", "/encoded"})
        EXPECT_EQ(c.exchange(get(path, "Accept-Encoding: gzip\r\n")).find("Encoding: gzip"), std::string::npos) << path;
    std::string const plain = c.exchange(get("/"));
    EXPECT_EQ(body_of(plain), text);
    EXPECT_NE(plain.find("Vary: Accept-Encoding\r\n"), plain.npos);
}

TEST(Compression, WorksOnStreams) {
    TestServer s;
    s.handler.on_handle = [&](Exchange& ex) {
        auto w = ex.response().begin(200).header("Content-Type", "text/plain").stream();
        for (int i = 0; i < 100; ++i) w.write("line\n");
        w.flush();
        w.write("end"), w.end();
    };
    RawClient c(s.port);
    std::string const a = c.exchange(get("/", "Accept-Encoding: gzip\r\n"));
    EXPECT_NE(a.find("Content-Encoding: gzip"), a.npos);
    std::string expected;
    for (int i = 0; i < 100; ++i) expected += "line\n";
    EXPECT_EQ(unpack(unchunk(body_of(a))), expected + "end");
}

}  // namespace
}  // namespace gantry::http
