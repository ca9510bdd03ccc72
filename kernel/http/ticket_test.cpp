#include <gtest/gtest.h>

#include <mutex>
#include <optional>
#include <vector>

#include "kernel/http/test_server.h"

// What a handler hears of an exchange beside its request: from the arrival to the end.
namespace gantry::http {
namespace {

struct Heard final : Ticket {
    void finished(Ended const& told) override {
        pass_wire();
        std::lock_guard lock(mutex);
        ends.push_back(told);
    }
    bool has(std::size_t count) {
        std::lock_guard lock(mutex);
        return ends.size() >= count;
    }
    std::mutex mutex;
    std::vector<Ended> ends;
};

// Gives each exchange the same ticket, and asks `later` whether it waits.
struct Ticketing final : Handler {
    BodyPlan plan(RequestHead const&) override { return BodyPlan::whole(16); }
    BodyPlan arrive(Arrival& arrival) override {
        pass_wire();
        if (!arrival.ticket()) arrival.attach(heard);
        ++arrivals;
        if (later && later(arrival)) return BodyPlan::later();
        if (on_seat) on_seat(arrival.seat());
        return planned;
    }
    void handle(Exchange& exchange) override {
        pass_wire();
        on_handle(exchange);
        pass_wire();
    }
    void refused(Peer const& peer, int status, std::string_view code, int) override {
        std::lock_guard lock(heard.mutex);
        refusals.push_back(std::to_string(status) + " " + std::string(code) + " " + std::string(peer.address));
    }
    Heard heard;
    BodyPlan planned = BodyPlan::whole(16);
    std::function<bool(Arrival&)> later;
    std::function<void(std::shared_ptr<void>&)> on_seat;
    std::function<void(Exchange&)> on_handle = [](Exchange& ex) { ex.response().begin(200).body("hello"); };
    std::atomic<int> arrivals = 0;
    std::vector<std::string> refusals;
};

struct TicketTest : testing::Test {
    TicketTest() : server(threads, handler), port(server.listen({}).value_or(0)) {}
    Ended only() {
        EXPECT_TRUE(eventually([&] { return handler.heard.has(1); }));
        std::lock_guard lock(handler.heard.mutex);
        EXPECT_EQ(handler.heard.ends.size(), 1u);
        return handler.heard.ends.empty() ? Ended{} : handler.heard.ends.front();
    }
    Ticketing handler;
    net::IoThreads threads{1};
    Server server;
    std::uint16_t port;
};

TEST_F(TicketTest, AnAnswerEndsItWithStatusBytesAndTimes) {
    RawClient c(port);
    auto const answer = c.exchange(get("/"));
    auto const ended = only();
    EXPECT_EQ(ended.status, 200);
    EXPECT_EQ(ended.bytes, answer.size());
    EXPECT_GE(ended.ended_us, ended.arrived_us);
    EXPECT_FALSE(ended.cut);
}

TEST_F(TicketTest, OneThatComesLaterAndOutOfTurnCountsItsOwnBytes) {
    std::optional<Deferred> first;
    handler.on_handle = [&](Exchange& ex) {
        if (ex.head().path == "/first") return void(first.emplace(ex.defer()));
        ex.response().begin(202).body("second");
    };
    RawClient c(port);
    ASSERT_TRUE(c.send(get("/first") + get("/second")));
    ASSERT_TRUE(eventually([&] { return handler.heard.has(1); }));
    threads.run(0, [&] { first->response().begin(200).body("first!"); });
    auto const one = c.answer(), two = c.answer();
    ASSERT_TRUE(eventually([&] { return handler.heard.has(2); }));
    EXPECT_EQ(handler.heard.ends[0].status, 202);
    EXPECT_EQ(handler.heard.ends[0].bytes, two.size());
    EXPECT_EQ(handler.heard.ends[1].status, 200);
    EXPECT_EQ(handler.heard.ends[1].bytes, one.size());
    threads.run(0, [&] { first.reset(); });
}

TEST_F(TicketTest, AStreamCountsAllThatItWrote) {
    handler.on_handle = [](Exchange& ex) {
        auto writer = ex.response().begin(200).header("Content-Type", "application/octet-stream").stream();
        writer.write("abc"), writer.write("defg");
        writer.end();
    };
    RawClient c(port);
    auto const answer = c.exchange(get("/"));
    EXPECT_EQ(only().bytes, answer.size());
}

TEST_F(TicketTest, AClientThatGoesCutsIt) {
    std::optional<StreamWriter> writer;
    handler.on_handle = [&](Exchange& ex) { writer.emplace(ex.response().begin(200).stream()); };
    {
        RawClient c(port);
        ASSERT_TRUE(c.send(get("/")));
        ASSERT_TRUE(c.receive_some());
        c.reset();
    }
    EXPECT_TRUE(only().cut);
    EXPECT_EQ(only().status, 200);
    threads.run(0, [&] { writer.reset(); });
}

TEST_F(TicketTest, ABodyThatIsTooLargeEndsItToo) {
    RawClient c(port);
    EXPECT_EQ(status_of(c.exchange(post("/", std::string(17, 'x')))), 413);
    EXPECT_EQ(only().status, 413);
    EXPECT_TRUE(handler.refusals.empty());
}

TEST_F(TicketTest, ABodyThatNeverComesWholeCutsIt) {
    {
        RawClient c(port);
        ASSERT_TRUE(c.send("POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\nabc"));
        ASSERT_TRUE(eventually([&] { return handler.arrivals == 1; }));
    }
    EXPECT_TRUE(only().cut);
    EXPECT_EQ(only().status, 0);
}

TEST_F(TicketTest, WhatIsMalformedHasNone) {
    RawClient c(port);
    EXPECT_EQ(status_of(c.exchange("GET / HTTP/1.1\r\nHost: a b\r\n\r\n")), 400);
    ASSERT_EQ(handler.refusals.size(), 1u);
    EXPECT_EQ(handler.refusals[0], "400 bad_request 127.0.0.1");
    EXPECT_EQ(handler.arrivals, 0);
}

TEST_F(TicketTest, HeadersAreAddedToWhicheverAnswer) {
    handler.on_handle = [](Exchange& ex) {
        ex.add_header("X-One", "1"), ex.add_header("X-Two", "a\r\nb");
        if (ex.head().path == "/prepared") return ex.response().prepared("Content-Length: 2\r\n\r\nok");
        ex.response().problem({404, "nothing", "nothing here"});
    };
    RawClient c(port);
    for (auto* path : {"/prepared", "/problem"}) {
        auto const answer = c.exchange(get(path));
        EXPECT_NE(answer.find("\r\nX-One: 1\r\nX-Two: a??b\r\n"), answer.npos) << answer;
    }
    handler.on_handle = [](Exchange& ex) { ex.response().begin(200).body("none"); };
    EXPECT_EQ(c.exchange(get("/")).find("X-One"), std::string::npos) << "they belong to one exchange";
}

TEST_F(TicketTest, ASeatStaysWithTheConnection) {
    std::atomic<int> empty = 0;
    handler.on_seat = [&](std::shared_ptr<void>& seat) {
        if (!seat) ++empty, seat = std::make_shared<int>(1);
    };
    RawClient a(port), b(port);
    a.exchange(get("/")), a.exchange(get("/")), b.exchange(get("/"));
    EXPECT_EQ(empty, 2);
}

struct Holding {
    explicit Holding(Ticketing& handler, int times = 1) : left(times) {
        handler.later = [this](Arrival& arrival) {
            if (left-- <= 0) return false;
            std::lock_guard lock(mutex);
            held.push_back(arrival.hold());
            return true;
        };
    }
    bool has() {
        std::lock_guard lock(mutex);
        return !held.empty();
    }
    void go() {
        std::lock_guard lock(mutex);
        held.clear();
    }
    std::mutex mutex;
    std::vector<HeldArrival> held;
    int left;
};

TEST_F(TicketTest, AHeldRequestIsAskedAgainAndNothingIsLostMeanwhile) {
    Holding holding(handler, 2);
    handler.on_handle = [](Exchange& ex) { ex.response().begin(200).body(std::string(ex.head().path) + std::string(ex.body())); };
    RawClient c(port);
    ASSERT_TRUE(c.send(post("/one", "12345678") + get("/two")));
    ASSERT_TRUE(eventually([&] { return holding.has(); }));
    holding.go();
    ASSERT_TRUE(eventually([&] { return holding.has(); }));
    EXPECT_FALSE(handler.heard.has(1));
    holding.go();
    EXPECT_EQ(body_of(c.answer()), "/one12345678");
    EXPECT_EQ(body_of(c.answer()), "/two");
    EXPECT_EQ(handler.arrivals, 4);
}

TEST_F(TicketTest, AHeldUploadFlowsOnceItGoesOn) {
    struct Sink final : BodySink {
        Flow on_data(std::string_view bytes) override { return size += bytes.size(), Flow::Continue; }
        void on_end() override { held->response().begin(200).body(std::to_string(size)), held.reset(); }
        void on_abort(Problem const&) override { held.reset(); }
        std::optional<Deferred> held;
        std::size_t size = 0;
    };
    Holding holding(handler);
    handler.planned = BodyPlan::stream(1 << 20);
    handler.on_handle = [](Exchange& ex) {
        auto sink = std::make_shared<Sink>();
        sink->held.emplace(ex.defer());
        ex.receive(sink);
    };
    RawClient c(port);
    ASSERT_TRUE(c.send(post("/", std::string(300'000, 'x')).substr(0, 100'000)));
    ASSERT_TRUE(eventually([&] { return holding.has(); }));
    ASSERT_TRUE(c.send(post("/", std::string(300'000, 'x')).substr(100'000)));
    holding.go();
    EXPECT_EQ(body_of(c.answer()), "300000");
}

TEST_F(TicketTest, AClientThatGoesWhileItIsHeldHarmsNobody) {
    Holding holding(handler);
    {
        RawClient c(port);
        ASSERT_TRUE(c.send(get("/")));
        ASSERT_TRUE(eventually([&] { return holding.has(); }));
        c.reset();
    }
    holding.go();
    EXPECT_TRUE(eventually([&] { return handler.heard.has(1); }));
    EXPECT_TRUE(eventually([&] { return server.stats().connections_open == 0; }));
}

TEST_F(TicketTest, AStopCutsWhatIsHeld) {
    Holding holding(handler);
    RawClient c(port);
    ASSERT_TRUE(c.send(get("/")));
    ASSERT_TRUE(eventually([&] { return holding.has(); }));
    EXPECT_FALSE(server.stop(Duration::millis(50)));
    EXPECT_TRUE(only().cut);
    holding.go();
}

}  // namespace
}  // namespace gantry::http
