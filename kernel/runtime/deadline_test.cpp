// A caller's deadline at every place where a request may wait: through the gate, over real sockets.
#include "kernel/runtime/deadline.h"

#include <gtest/gtest.h>

#include <future>

#include "kernel/auth/callers_file.h"
#include "kernel/auth/file_callers.h"
#include "kernel/codec/json.h"
#include "kernel/http/test_server.h"
#include "kernel/runtime/fake_world.h"
#include "kernel/runtime/gate.h"
#include "kernel/runtime/notes_for_test.h"
#include "kernel/runtime/shelf_for_test.h"

namespace gantry::runtime {
namespace {

class Deadlines : public ::testing::Test {
   protected:
    Deadlines() { start(); }
    ~Deadlines() override { stop(); }
    void start(auth::CallerDirectory const* callers = nullptr) {
        threads_ = std::make_unique<net::IoThreads>(2);
        EdgeOptions options;
        options.threads = threads_.get(), options.after_wait_max = after_wait_max_;
        auto world = FakeWorld::make({decl_, system_clock(), system_random(), nullptr, options,
                                      [this](int lane, std::move_only_function<void()> task) { server_->post(lane, std::move(task)); }});
        ASSERT_TRUE(world);
        world_ = std::move(*world);
        GateOptions gate{.threads = threads_.get(), .verifiers = &verifiers_};
        gate_ = std::make_unique<Gate>(std::vector<GateSite>{{"main", &world_->edge(), callers}}, std::move(gate));
        server_ = std::make_unique<http::Server>(*threads_, *gate_);
        port_ = server_->listen({}).value();
    }
    void stop() {
        server_->stop(Duration::seconds(2));
        server_.reset(), gate_.reset(), world_.reset(), threads_.reset();
    }
    static std::string head(std::string_view method, std::string_view target, std::string_view headers, std::string_view body = {}) {
        std::string out = std::string(method) + " " + std::string(target) + " HTTP/1.1\r\nHost: localhost\r\n" + std::string(headers);
        if (method != "GET") out += "Content-Length: " + std::to_string(body.size()) + "\r\n";
        if (method != "GET" && headers.find("Content-Type") == headers.npos) out += "Content-Type: application/json\r\n";
        return out + "\r\n" + std::string(body);
    }
    std::string create(std::string_view headers) { return head("POST", "/notes/v1", headers, R"({"title":"Plan"})"); }
    static void expect_exceeded(std::string const& answer) {
        EXPECT_EQ(http::status_of(answer), 504) << answer;
        EXPECT_NE(answer.find("deadline_exceeded"), answer.npos) << answer;
    }
    // Nothing comes for so long.
    static bool silent(http::RawClient& client, int wait_ms) { return !client.receive_some(wait_ms) && client.timed_out; }

    ServiceDecl decl_ = declare<notes::Service>();
    Duration after_wait_max_ = Duration::seconds(20);
    std::unique_ptr<net::IoThreads> threads_;
    net::IoThreads verifiers_{1};
    std::unique_ptr<FakeWorld> world_;
    std::unique_ptr<Gate> gate_;
    std::unique_ptr<http::Server> server_;
    std::uint16_t port_ = 0;
};

TEST_F(Deadlines, ACommandThatWaitsIsAnsweredBeforeIt) {
    stop();
    decl_ = declare<shelf::Service>();
    start();
    http::RawClient client(port_);
    auto const answer =
        client.exchange(head("POST", "/shelf/v1/take", "Gantry-Timeout: 1000\r\n", R"({"shelf":"a","by":"ann","wait_ms":600000})"));
    EXPECT_EQ(http::status_of(answer), 200) << answer;
    EXPECT_NE(answer.find(R"("what":"nothing")"), answer.npos) << answer;
    EXPECT_EQ(world_->host().waiting().asked(), 1u);
    EXPECT_EQ(world_->host().waiting().count(), 0u);
}

TEST_F(Deadlines, AreMillisecondsFromOneToADay) {
    http::RawClient client(port_);
    for (auto value : {"0", "-1", "86400001", "1s", "x", " ", "99999999999999999999"})
        EXPECT_EQ(http::status_of(client.exchange(head("GET", "/notes/v1", "Gantry-Timeout: " + std::string(value) + "\r\n"))),
                  value == std::string(" ") ? 200 : 400)
            << value;
    EXPECT_EQ(http::status_of(client.exchange(head("GET", "/notes/v1", "Gantry-Timeout: 86400000\r\n"))), 200);
    EXPECT_EQ(http::status_of(client.exchange(create("Gantry-Timeout: 60000\r\n"))), 200);
}

TEST_F(Deadlines, ABodyThatComesTooLateIsNotDecided) {
    http::RawClient client(port_);
    auto const request = create("Gantry-Timeout: 100\r\n");
    ASSERT_TRUE(client.send(request.substr(0, request.size() - 1)));
    EXPECT_TRUE(silent(client, 150));
    ASSERT_TRUE(client.send("}"));
    expect_exceeded(client.answer());
    EXPECT_EQ(world_->host().applied(), 0u);
}

TEST_F(Deadlines, GantryAfterWaitsNoLonger) {
    auto const after = "Gantry-After: notes=" + world_->host().incarnation() + ".999\r\n";
    http::RawClient client(port_);
    expect_exceeded(client.exchange(head("GET", "/notes/v1", after + "Gantry-Timeout: 50\r\n")));
    stop();
    after_wait_max_ = Duration::millis(30);
    start();
    auto const short_one = "Gantry-After: notes=" + world_->host().incarnation() + ".999\r\nGantry-Timeout: 60000\r\n";
    http::RawClient other(port_);
    auto const answer = other.exchange(head("GET", "/notes/v1", short_one));
    EXPECT_NE(answer.find("position_not_reached"), answer.npos) << answer;
}

TEST_F(Deadlines, GantryAfterGoesOnInTime) {
    http::RawClient waiting(port_), writing(port_);
    auto const after = "Gantry-After: notes=" + world_->host().incarnation() + ".1\r\nGantry-Timeout: 60000\r\n";
    ASSERT_TRUE(waiting.send(head("GET", "/notes/v1", after)));
    EXPECT_TRUE(silent(waiting, 20));
    EXPECT_EQ(http::status_of(writing.exchange(create(""))), 200);
    EXPECT_EQ(http::status_of(waiting.answer()), 200);
}

TEST_F(Deadlines, ALongPollIsAnsweredBeforeThem) {
    http::RawClient client(port_);
    auto const began_us = steady_now_us();
    auto const answer = client.exchange(head("GET", "/notes/v1/events?wait=60s", "Gantry-Timeout: 200\r\n"));
    EXPECT_EQ(http::status_of(answer), 200) << answer;
    EXPECT_NE(answer.find(R"("items":[])"), answer.npos) << answer;
    EXPECT_LT(steady_now_us() - began_us, 20'000'000);
}

TEST_F(Deadlines, ACommandThatIsDecidedMayHaveHappened) {
    world_->log().hold();
    http::RawClient client(port_);
    auto const headers = std::string("Idempotency-Key: k1\r\n");
    auto const late = client.exchange(create(headers + "Gantry-Timeout: 50\r\n"));
    expect_exceeded(late);
    EXPECT_NE(late.find("Idempotency-Key"), late.npos) << late;
    EXPECT_EQ(world_->host().applied(), 1u);
    ASSERT_TRUE(client.send(create(headers + "Gantry-Timeout: 60000\r\n")));
    EXPECT_TRUE(silent(client, 20));
    world_->log().release_all();
    auto const again = client.answer();
    EXPECT_EQ(http::status_of(again), 200) << again;
    EXPECT_NE(again.find("Gantry-Replayed: true"), again.npos) << again;
    EXPECT_EQ(world_->host().applied(), 1u);
}

TEST_F(Deadlines, AReadOfWhatIsNotDurableYetWaitsNoLonger) {
    world_->log().hold();
    http::RawClient writing(port_), reading(port_);
    ASSERT_TRUE(writing.send(create("")));
    ASSERT_TRUE(http::eventually([&] { return world_->host().applied() == 1; }));
    auto const late = reading.exchange(head("GET", "/notes/v1", "Gantry-Timeout: 50\r\n"));
    expect_exceeded(late);
    EXPECT_EQ(late.find("Idempotency-Key"), late.npos) << late;
    world_->log().release_all();
    EXPECT_EQ(http::status_of(writing.answer()), 200);
}

TEST_F(Deadlines, LinesThatComeLaterAreNotBegun) {
    http::RawClient client(port_);
    ASSERT_TRUE(
        client.send("POST /notes/v1 HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-ndjson\r\n"
                    "Transfer-Encoding: chunked\r\nGantry-Timeout: 300\r\n\r\n10\r\n{\"title\":\"one\"}\n\r\n"));
    while (client.in.find(R"("line":1,"status":200)") == client.in.npos) ASSERT_TRUE(client.receive_some());
    EXPECT_TRUE(silent(client, 350));
    ASSERT_TRUE(client.send("10\r\n{\"title\":\"two\"}\n\r\n0\r\n\r\n"));
    while (client.in.find("0\r\n\r\n") == client.in.npos) ASSERT_TRUE(client.receive_some());
    EXPECT_NE(client.in.find(R"("line":2,"status":504)"), client.in.npos) << client.in;
    EXPECT_EQ(world_->host().applied(), 1u);
}

TEST_F(Deadlines, AStreamThatIsOpenKnowsNone) {
    http::RawClient reading(port_), writing(port_);
    ASSERT_TRUE(reading.send(head("GET", "/notes/v1", "Accept: text/event-stream\r\nGantry-Timeout: 100\r\n")));
    while (reading.in.find("data:") == reading.in.npos) ASSERT_TRUE(reading.receive_some());
    EXPECT_TRUE(silent(reading, 150));
    EXPECT_EQ(http::status_of(writing.exchange(create(""))), 200);
    while (reading.in.find("Plan") == reading.in.npos) ASSERT_TRUE(reading.receive_some());
}

TEST_F(Deadlines, APasswordThatWaitsToBeVerifiedWaitsNoLonger) {
    auth::NewCredential credential{.kind = auth::CredentialKind::password, .password = "correct horse"};
    credential.cost = {1, 8 << 10};
    auto edited = auth::add_credential("", "ann", {.scopes = {{"notes:*"}}}, credential, system_clock().wall(), system_random());
    ASSERT_TRUE(edited) << edited.error().detail;
    auto const callers = auth::FileCallers::make(edited->text);
    ASSERT_TRUE(callers) << callers.error().detail;
    stop(), start(callers->get());
    auto const who = std::string("Authorization: Basic YW5uOmNvcnJlY3QgaG9yc2U=\r\n");
    std::promise<void> go;
    verifiers_.post(0, [&] { go.get_future().wait(); });
    http::RawClient client(port_);
    expect_exceeded(client.exchange(head("GET", "/notes/v1", who + "Gantry-Timeout: 50\r\n")));
    ASSERT_TRUE(client.send(head("GET", "/notes/v1", who + "Gantry-Timeout: 60000\r\n")));
    EXPECT_TRUE(silent(client, 20));
    go.set_value();
    EXPECT_EQ(http::status_of(client.answer()), 200);
}

}  // namespace
}  // namespace gantry::runtime
