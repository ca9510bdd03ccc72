#include <future>

#include "kernel/http/test_server.h"

// What becomes of answers that may be sent together with those of other connections.

namespace gantry::http {
namespace {

constexpr std::string_view ready = "Content-Length: 5\r\n\r\nready";

// Lets the only IO thread find all that was sent before `open` in one turn.
struct Gathered {
    Gathered(TestServer& s) {
        s.threads.post(0, [this] { inside.set_value(), opened.get_future().wait(); });
        inside.get_future().wait();
    }
    void open() { opened.set_value(); }
    std::promise<void> inside, opened;
};

TEST(Turn, AnswersThatMayWaitAreAllSent) {
    TestServer s({}, 1);
    s.handler.on_handle = [](Exchange& ex) { ex.response().prepared(ready); };
    std::vector<std::unique_ptr<RawClient>> clients;
    for (int i = 0; i < 100; ++i) clients.push_back(std::make_unique<RawClient>(s.port));
    for (int round = 0; round < 3; ++round) {
        Gathered turn(s);
        for (auto& c : clients) ASSERT_TRUE(c->send(get("/a") + get("/b")));
        turn.open();
        for (auto& c : clients) EXPECT_EQ(body_of(c->answer()), "ready");
        for (auto& c : clients) EXPECT_EQ(body_of(c->answer()), "ready");
    }
    RawClient last(s.port);
    EXPECT_EQ(body_of(last.exchange(get("/", "Connection: close\r\n"))), "ready");
    EXPECT_TRUE(last.ends());
}

TEST(Turn, NobodyWaitsForWhatTakesLong) {
    TestServer s({}, 1);
    std::promise<void> others_have_theirs;
    s.handler.on_handle = [&, patience = others_have_theirs.get_future().share()](Exchange& ex) {
        if (ex.head().path == "/ready") return ex.response().prepared(ready);
        ex.send_waiting();
        bool const in_time = patience.wait_for(std::chrono::milliseconds(patience_ms)) == std::future_status::ready;
        ex.response().begin(200).body(in_time ? "in time" : "late");
    };
    RawClient a(s.port), b(s.port), c(s.port);
    for (auto* client : {&a, &b, &c}) ASSERT_EQ(body_of(client->exchange(get("/ready"))), "ready");
    Gathered turn(s);
    ASSERT_TRUE(a.send(get("/ready")));
    ASSERT_TRUE(b.send(get("/ready")));
    ASSERT_TRUE(c.send(get("/long")));
    turn.open();
    EXPECT_EQ(body_of(a.answer()), "ready");
    EXPECT_EQ(body_of(b.answer()), "ready");
    others_have_theirs.set_value();
    EXPECT_EQ(body_of(c.answer()), "in time");
}

}  // namespace
}  // namespace gantry::http
