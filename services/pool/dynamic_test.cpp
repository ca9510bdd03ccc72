// Types whose resources a hook makes and destroys.
#include "services/pool/pool_test.h"

namespace gantry::pool {
namespace {

struct Hooks {
    Hooks() {
        b.hook = [this](client::Request const& request) -> client::Reply {
            if (request.target == "http://make.example/")
                return {.status = make_status,
                        .body = answer.empty() ? fmt::format(R"({{"name":"m{}","labels":{{"by":"hook"}}}})", ++made) : answer};
            if (request.target == "http://destroy.example/")
                return ++destroyed, client::Reply{.status = destroy_status, .body = destroyed_body};
            return {.status = 200, .body = "{}"};
        };
    }
    void make(std::string const& more) {
        b.put_type(
            "vm",
            fmt::format(R"({{"cleaning":"none","make_url":"http://make.example/","destroy_url":"http://destroy.example/",{}}})", more));
        settle();
    }
    void settle() {
        for (int i = 0; i < 3; ++i) b.tick(), b.run_effects();
    }
    std::uint64_t count() { return b.state().type("vm")->total(); }
    int made = 0, destroyed = 0, make_status = 200, destroy_status = 200;
    std::string answer, destroyed_body = "{}";
    Bench b;
};
class DynamicBench : public ::testing::Test, protected Hooks {};

TEST_F(DynamicBench, HasItsMinimumAndMakesMoreForThoseWhoWait) {
    make(R"("min":2,"max":3)");
    EXPECT_EQ(count(), 2u);
    b.held("t1", "vm", R"("count":2)");
    b.acquire("t2", "vm").ok(202);
    b.acquire("t3", "vm").ok(202);
    settle();
    EXPECT_EQ(count(), 3u) << "and not more than the maximum";
    EXPECT_EQ(b.given("t2").size(), 1u);
    EXPECT_TRUE(b.given("t3").empty());
    b.get("/pool/v1/resources/m3").ok().has(R"("by":"hook")");
}

TEST_F(DynamicBench, WhatHasLivedIsDestroyedOnceItIsBack) {
    make(R"("min":2,"max":2,"lifetime_ms":60000)");
    auto const lease = b.held("t1", "vm");
    b.pass(Duration::seconds(60));
    settle();
    EXPECT_EQ(destroyed, 1) << "the free one";
    b.get("/pool/v1/resources?drained=true").ok().has(R"("owner":"u_local")");
    b.heartbeat(lease).ok();
    b.release(lease).ok();
    settle();
    EXPECT_EQ(destroyed, 2);
    EXPECT_EQ(count(), 2u);
    EXPECT_EQ(made, 4);
    EXPECT_FALSE(b.state().resource("m1") || b.state().resource("m2"));
}

TEST(Dynamic, AHookThatLiesIsToldOfAndAskedAgainLater) {
    auto const too_long = fmt::format(R"({{"name":"{}"}})", std::string(161, 'x'));
    for (auto const* lie : {"<html>sorry</html>", "[]", "{", R"({"name":7})", too_long.c_str(), R"({"name":""})",
                            R"({"name":"x","labels":{"a":1}})", R"({"name":"x","numbers":{"a":"1"}})"}) {
        Hooks other;
        other.answer = lie;
        other.make(R"("min":1,"max":1)");
        other.b.get("/pool/v1/types/vm").ok().has("hook_answer_invalid");
        EXPECT_EQ(other.count(), 0u);
        other.answer.clear();
        other.settle();
        EXPECT_EQ(other.count(), 0u);
        other.b.pass(Duration::seconds(60));
        other.settle();
        EXPECT_EQ(other.count(), 1u);
    }
}

TEST_F(DynamicBench, AHookThatMakesTheSameTwiceIsNotBelieved) {
    answer = R"({"name":"same"})";
    make(R"("min":2,"max":2)");
    EXPECT_EQ(count(), 1u);
    b.get("/pool/v1/types/vm").ok().has("there is a resource");
}

TEST_F(DynamicBench, AHookThatRefusesIsToldOf) {
    make_status = 403;
    make(R"("min":1,"max":1)");
    b.get("/pool/v1/types/vm").ok().has(R"("make_trouble":"effect_refused: the target answered 403")").has(R"("making":0)");
}

TEST_F(DynamicBench, HooksThatHangAreAskedAgainAndToldOf) {
    make_status = 0;
    make(R"("min":1,"max":1)");
    b.get("/pool/v1/types/vm").ok().has(R"("making":1)");
    for (int i = 0; i < 10; ++i) b.pass(Duration::seconds(60)), b.run_effects();
    b.get("/pool/v1/types/vm").ok().has("timeout");
    make_status = 200, destroy_status = 0;
    for (int i = 0; i < 3; ++i) b.pass(Duration::seconds(60)), settle();
    EXPECT_EQ(count(), 1u);
    auto const one = "/pool/v1/resources/" + b.get("/pool/v1/resources").ok().json_at("/items/0/name");
    b.call("DELETE", one).ok();
    for (int i = 0; i < 10; ++i) b.pass(Duration::seconds(60)), b.run_effects();
    b.get(one).ok().has(R"("state":"retired")").has("timeout");
}

TEST_F(DynamicBench, APageOfSomebodyElsesDestroysNothing) {
    make(R"("min":1,"max":1)");
    destroyed_body = "<html>Please log in</html>";
    b.call("DELETE", "/pool/v1/resources/m1").ok();
    settle();
    b.get("/pool/v1/resources/m1").ok().has(R"("state":"retired")").has("it looks like HTML");
}

TEST_F(DynamicBench, WhatCantBeDestroyedIsKeptAndToldOf) {
    make(R"("min":0,"max":1)");
    b.acquire("t1", "vm").ok(202);
    settle();
    b.release(b.held("t1", "vm")).ok();
    destroy_status = 409;
    b.call("DELETE", "/pool/v1/resources/m1").ok();
    settle();
    b.get("/pool/v1/resources/m1").ok().has(R"("state":"retired")").has("the target answered 409");
    b.post("/pool/v1/resources/m1/free", "{}").fails(409, "resource_leaves");
}

}  // namespace
}  // namespace gantry::pool
