// What goes: drained types, resources that nobody needs; and what needs somebody.
#include "services/pool/pool_test.h"

namespace gantry::pool {
namespace {

TEST(Drain, RetiresEachAsItBecomesFreeAndSaysHowFarItIs) {
    Bench b;
    b.put_type("vm");
    b.add_many("vm", 3);
    b.put_type("ppa", R"({"cleaning":"none"})");
    b.add_many("ppa", 1);
    auto const lease = b.held("t1", "vm", R"("names":["vm-1"])");
    b.get("/pool/v1/drain").ok().has(R"("drained":0,"left":0,"held":0,"retired":0,"done":false)");
    b.post("/pool/v1/types/vm/drain", R"({"retire":true,"reason":"old kernels"})").ok().has(R"("drained":true)");
    b.tick();
    b.get("/pool/v1/types/vm").ok().has(R"("drain":{"since":"2026-01-01T12:00:00Z","retire":true,"left":1,"held":1,"retired":2})");
    b.post("/pool/v1/types/vm/drain", R"({"retire":true})").ok().wrote_nothing();
    b.heartbeat(lease).ok();
    b.acquire("t2", "vm").ok(202);
    b.release(lease).ok();
    EXPECT_EQ(b.state_of("vm-1"), "dirty") << "cleaned first, for who is behind may free it";
    b.clean_up("vm-1");
    EXPECT_EQ(b.state_of("vm-1"), "retired");
    EXPECT_TRUE(b.given("t2").empty());
    b.get("/pool/v1/resources/vm-1/history").ok().has("its type is drained");
    b.get("/pool/v1/drain").ok().has(R"("types":2,"drained":1,"left":0,"held":0,"retired":3,"done":false)");
    b.post("/pool/v1/types/vm/drain", R"({"on":false})").ok().lacks(R"("drain":{)");
    b.post("/pool/v1/resources/vm-1/free", R"({"verified":true})").ok();
    EXPECT_EQ(b.given("t2").size(), 1u);
    b.post("/pool/v1/types/none/drain", "{}").fails(404, "type_not_found");
}

TEST(Drain, OfTheWholePoolIsOfEachType) {
    Bench b;
    b.put_type("vm", R"({"cleaning":"none"})"), b.put_type("ppa", R"({"cleaning":"none"})");
    b.add_many("vm", 2), b.add_many("ppa", 1);
    auto const lease = b.held("t1", "ppa");
    b.post("/pool/v1/drain", R"({"retire":true,"reason":"moving house"})").ok(202).has(R"("types":2,"drained":2)");
    b.post("/pool/v1/drain", R"({"retire":true})").ok(202).wrote_nothing();
    b.tick();
    b.get("/pool/v1/drain").ok().has(R"("left":1,"held":1,"retired":2,"done":false)");
    b.release(lease).ok();
    b.get("/pool/v1/drain").ok().has(R"("left":0,"held":0,"retired":3,"done":true)");
    b.post("/pool/v1/drain", R"({"on":false})").ok(202);
    b.get("/pool/v1/drain").ok().has(R"("drained":0)");
}

TEST(Drain, GoesOnWhereThereAreMany) {
    Bench b;
    b.put_type("vm", R"({"cleaning":"none"})");
    b.add_many("vm", 250);
    b.post("/pool/v1/types/vm/drain", R"({"retire":true})").ok();
    for (int i = 0; i < 3; ++i) b.pass(Duration::millis(1));
    b.get("/pool/v1/drain").ok().has(R"("left":0,"held":0,"retired":250,"done":true)");
}

struct Made {
    Made() {
        b.hook = [this](client::Request const& request) -> client::Reply {
            if (request.target == "http://make.example/") return {.status = 200, .body = fmt::format(R"({{"name":"m{}"}})", ++made)};
            if (request.target == "http://alert.example/") alerts.push_back(request.body);
            return {.status = 200, .body = "{}"};
        };
    }
    void settle() {
        for (int i = 0; i < 3; ++i) b.tick(), b.run_effects();
    }
    int made = 0;
    std::vector<std::string> alerts;
    Bench b;
};

TEST(Idle, WhatNobodyNeedsGoesDownToTheMinimum) {
    Made m;
    m.b.put_type("vm", R"({"cleaning":"none","make_url":"http://make.example/","min":1,"max":3,"idle_ms":60000})");
    m.settle();
    auto const lease = m.b.held("t1", "vm");
    m.b.acquire("t2", "vm").ok(202);
    m.settle();
    EXPECT_EQ(m.b.state().type("vm")->total(), 2u);
    m.b.release(m.b.held("t2", "vm")).ok();
    m.b.pass(Duration::seconds(59));
    m.settle();
    EXPECT_EQ(m.b.state().type("vm")->total(), 2u);
    m.b.pass(Duration::seconds(1));
    m.settle();
    EXPECT_EQ(m.b.state().type("vm")->total(), 1u);
    EXPECT_FALSE(m.b.state().resource("m2"));
    m.b.release(lease).ok();
    m.b.pass(Duration::seconds(60));
    m.b.pass(Duration::seconds(60));
    m.settle();
    EXPECT_EQ(m.b.state().type("vm")->total(), 1u) << "the minimum";
    EXPECT_EQ(m.made, 2) << "and it is not made anew each time";
}

TEST(Alerts, TellWhatNeedsSomebody) {
    Made m;
    m.b.put_type("vm", R"({"dirty_alert_ms":60000,"clean_attempts":1,"alert_url":"http://alert.example/"})");
    m.b.add_many("vm", 2);
    m.b.get("/pool/v1/alerts").ok().has(R"("items":[])");
    auto const one = m.b.held("t1", "vm", R"("names":["vm-1"])"), two = m.b.held("t2", "vm");
    m.b.acquire("t3", "vm").ok(202);
    m.b.get("/pool/v1/alerts").ok().has(R"("what":"exhausted","type":"vm")").has("1 tickets wait");
    m.b.release(one).ok();
    m.b.pass(Duration::seconds(60));
    m.settle();
    m.b.get("/pool/v1/alerts?type=vm").ok().has(R"("what":"stuck","type":"vm","resource":"vm-1","state":"dirty")");
    ASSERT_EQ(m.alerts.size(), 1u);
    EXPECT_EQ(m.alerts[0], R"({"what":"stuck","type":"vm","resource":"vm-1","state":"dirty","reason":"","at":"2026-01-01T12:01:00Z"})");
    m.b.pass(Duration::seconds(60));
    m.settle();
    EXPECT_EQ(m.alerts.size(), 2u) << "as long as it is stuck";
    m.b.clean("vm-1", "clean_failed", R"("reason":"it is locked")").ok();
    m.settle();
    ASSERT_EQ(m.alerts.size(), 3u);
    EXPECT_NE(m.alerts[2].find(R"("what":"quarantined","type":"vm","resource":"vm-1","state":"quarantined","reason":"it is locked")"),
              std::string::npos)
        << m.alerts[2];
    m.b.release(two, R"({"broken":true,"reason":"no disk"})").ok();
    auto const page = m.b.get("/pool/v1/alerts?limit=2").ok().has("exhausted").has("vm-1").lacks("vm-2").has(R"("complete":false)");
    m.b.get("/pool/v1/alerts?limit=2&cursor=" + page.next()).ok().has("vm-2").has("no disk").lacks("vm-1").has(R"("complete":true)");
    m.b.post("/pool/v1/resources/vm-1/free", R"({"verified":true})").ok();
    m.b.get("/pool/v1/alerts").ok().lacks("vm-1").lacks("exhausted");
    m.b.get("/pool/v1/alerts?type=none").fails(404, "type_not_found");
    m.b.get("/pool/v1/alerts?cursor=x").fails(400, "cursor_invalid");
}

TEST(Alerts, AHookThatHangsOrRefusesStopsNothing) {
    Made m;
    m.b.hook = [](client::Request const&) { return client::Reply{.status = 0}; };
    m.b.put_type("vm", R"({"cleaning":"asked","alert_url":"http://alert.example/","inventory_url":"http://inventory.example/"})");
    m.b.add_many("vm", 1);
    m.b.release(m.b.held("t1", "vm"), R"({"broken":true})").ok();
    m.b.hook = [](client::Request const&) { return client::Reply{.status = 400, .body = "<html>"}; };
    m.b.post("/pool/v1/types/vm/inventory/sync", "{}").ok(202);
    m.settle();
    m.b.get("/pool/v1/alerts").ok().has(R"("what":"hook")").has("effect_refused").has(R"("what":"quarantined")");
}

}  // namespace
}  // namespace gantry::pool
