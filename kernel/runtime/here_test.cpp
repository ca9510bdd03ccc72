#include "kernel/runtime/here.h"

#include <gtest/gtest.h>

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
    log::MemoryLog log_{clock_, random_};
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

}  // namespace
}  // namespace gantry::runtime
