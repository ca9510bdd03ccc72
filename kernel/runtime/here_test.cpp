#include "kernel/runtime/here.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <future>
#include <thread>

#include "kernel/codec/schema.h"
#include "kernel/log/memory/memory_log.h"
#include "kernel/runtime/notes_for_test.h"

namespace gantry::runtime {
namespace {

class HereTest : public ::testing::Test {
   protected:
    HereTest() { EXPECT_TRUE(host_.start()); }
    client::Reply send(std::string method, std::string target, std::string body = "", std::string key = "") {
        client::Request request{.method = std::move(method), .target = std::move(target), .body = std::move(body)};
        if (!key.empty()) request.headers.emplace_back("idempotency-key", key);
        return here_.send(request, [] { return false; });
    }
    ManualClock clock_;
    SeededRandom random_{1};
    log::MemoryLog log_{std::make_shared<log::MemoryStore>(), clock_, random_, log::Options{},
                        codec::encode_event_schema(codec::type_of<notes::Event>())};
    Host host_{declare<notes::Service>(), Host::Parts{log_, clock_, random_}};
    Here here_{{&host_}};
};

TEST_F(HereTest, AServiceIsCalledByThePathOfItsRoute) {
    auto const made = send("POST", "/notes/v1/", R"({"title":"Plan"})");
    EXPECT_TRUE(made.ok());
    auto const id = made.body.substr(7, made.body.find('"', 7) - 7);
    EXPECT_NE(send("GET", "/notes/v1/" + id).body.find("Plan"), std::string::npos);
    EXPECT_NE(send("GET", "/notes/v1/?limit=1").body.find("Plan"), std::string::npos);
}

TEST_F(HereTest, ARepeatWithItsKeyIsOne) {
    auto const first = send("POST", "/notes/v1/", R"({"title":"Plan"})", "e_1"),
               again = send("POST", "/notes/v1/", R"({"title":"Plan"})", "e_1");
    EXPECT_EQ(first.body, again.body);
    EXPECT_EQ(send("POST", "/notes/v1/", R"({"title":"Other"})", "e_1").status, 422);
}

TEST_F(HereTest, ARefusalIsAsOverHttp) {
    auto const absent = send("GET", "/notes/v1/n_none");
    EXPECT_EQ(absent.status, 404);
    EXPECT_EQ(absent.error->code, "note_not_found");
    EXPECT_EQ(send("POST", "/notes/v1/", R"({"titel":"Plan"})").error->code, "body_invalid");
    EXPECT_EQ(send("POST", "/queue/v1/queues/a/tasks", "{}").error->code, "route_not_found");
    EXPECT_EQ(send("PUT", "/notes/v1/", "{}").error->code, "method_not_allowed");
}

TEST_F(HereTest, AFeedIsReadAsOverHttp) {
    send("POST", "/notes/v1/", R"({"title":"Plan"})"), send("POST", "/notes/v1/", R"({"title":"Ship"})");
    auto const first = send("GET", "/notes/v1/events?limit=1");
    ASSERT_TRUE(first.ok()) << first.error->detail;
    EXPECT_NE(first.body.find(R"("title":"Plan")"), std::string::npos) << first.body;
    EXPECT_EQ(first.body.find("Ship"), std::string::npos);
    auto const after = host_.position_text(1), end = host_.position_text(2);
    EXPECT_NE(first.body.find(R"("next":")" + after + R"(","complete":false,"position":")" + end), std::string::npos) << first.body;
    EXPECT_NE(send("GET", "/notes/v1/events?type=created&after=" + after).body.find("Ship"), std::string::npos);
    EXPECT_EQ(send("GET", "/notes/v1/events?after=" + end).body,
              fmt::format(R"({{"items":[],"next":"{0}","complete":true,"position":"{0}"}})", end));
    EXPECT_EQ(send("GET", "/notes/v1/events?type=crated").error->code, "request_invalid");
    EXPECT_EQ(send("GET", "/notes/v1/events?after=" + host_.position_text(9)).error->code, "after_ahead");
    EXPECT_NE(send("GET", "/notes/v1/events?after=2es6q4x55avw9.1").body.find(R"("type":"gantry.gap")"), std::string::npos);
}

TEST_F(HereTest, AFeedIsWaitedFor) {
    send("POST", "/notes/v1/", R"({"title":"Plan"})");
    std::promise<client::Reply> told;
    std::thread reader([&] { told.set_value(send("GET", "/notes/v1/events?wait=60s&after=" + host_.position_text(1))); });
    auto answer = told.get_future();
    EXPECT_EQ(answer.wait_for(std::chrono::milliseconds(20)), std::future_status::timeout);
    send("POST", "/notes/v1/", R"({"title":"Ship"})");
    EXPECT_NE(answer.get().body.find("Ship"), std::string::npos);
    reader.join();
    client::Request request{.method = "GET", .target = "/notes/v1/events?wait=60s&after=" + host_.position_text(2)};
    EXPECT_NE(here_.send(request, [] { return true; }).body.find(R"("items":[])"), std::string::npos) << "the server is being stopped";
}

}  // namespace
}  // namespace gantry::runtime
