// Boskos' calls and the PPA assigner's, as their clients make them.
#include "services/pool/pool_test.h"

namespace gantry::pool {
namespace {

class BoskosBench : public ::testing::Test {
   protected:
    BoskosBench() {
        b.put_type("gce", R"({"cleaning":"asked","states":[{"name":"in_use","to":["toBuild"]},{"name":"toBuild","to":["dirty"]}]})"),
            b.add_many("gce", 2);
    }
    Bench::Said ask(std::string const& call, std::string const& body = "") { return b.post("/pool/boskos/" + call, body); }
    Bench b;
};

TEST_F(BoskosBench, ARoundFromFreeToFree) {
    auto const got =
        ask("acquire?type=gce&state=free&dest=busy&owner=ann").ok().has(R"("type":"gce")").has(R"("state":"busy")").has(R"("owner":"ann")");
    auto const name = got.json_at("/name");
    ask("update?name=" + name + "&owner=ann&state=busy", R"({"zone":"b"})").ok();
    ask("update?name=" + name + "&owner=ann&state=free").ok(409);
    ask("release?name=" + name + "&owner=bob&dest=dirty").ok(401).has("is ann's, not bob's");
    ask("release?name=" + name + "&owner=ann&dest=dirty").ok(200);
    EXPECT_EQ(b.state_of(name), "dirty");
    ask("acquire?type=gce&state=dirty&dest=cleaning&owner=janitor")
        .ok()
        .has(R"("name":")" + name)
        .has(R"("userdata":{"zone":"b"})")
        .has(R"("state":"cleaning")");
    ask("update?name=" + name + "&owner=janitor&state=cleaning").ok();
    ask("acquire?type=gce&state=dirty&dest=cleaning&owner=janitor").ok(404);
    ask("release?name=" + name + "&owner=other&dest=free").ok(401);
    ask("release?name=" + name + "&owner=janitor&dest=free").ok();
    EXPECT_EQ(b.state_of(name), "free");
}

TEST_F(BoskosBench, ARequestIdKeepsItsPlace) {
    auto const one = ask("acquire?type=gce&state=free&dest=busy&owner=ann").json_at("/name");
    ask("acquire?type=gce&state=free&dest=busy&owner=ann").ok();
    ask("acquire?type=gce&state=free&dest=busy&owner=bob").ok(404).wrote_nothing();
    ask("acquire?type=gce&state=free&dest=busy&owner=bob&request_id=r1").ok(404).has("0 requests are before");
    ask("acquire?type=gce&state=free&dest=busy&owner=cid&request_id=r2").ok(404).has("1 requests are before");
    b.pass(Duration::seconds(40));
    ask("acquire?type=gce&state=free&dest=busy&owner=bob&request_id=r1").ok(404);
    b.pass(Duration::seconds(40));  // who asked again is still in line, the other is not
    EXPECT_EQ(b.state().ticket("boskos/r2")->state, TicketState::withdrawn);
    ask("release?name=" + one + "&owner=ann&dest=free").ok();
    EXPECT_EQ(b.state_of(one), "dirty") << "nothing is free that was not cleaned";
    b.clean_up(one);
    ask("acquire?type=gce&state=free&dest=busy&owner=bob&request_id=r1").ok().has(one);
    ask("release?name=" + one + "&owner=bob&dest=dirty").ok();
    b.clean_up(one);
    ask("acquire?type=gce&state=free&dest=busy&owner=bob&request_id=r1").ok().has(one);
}

TEST_F(BoskosBench, ASetByNamesIsAllOrNothing) {
    ask("acquirebystate?names=gce-1,gce-2&state=free&dest=busy&owner=ann").ok().has("gce-1").has("gce-2");
    ask("acquirebystate?names=gce-1&state=free&dest=busy&owner=bob").ok(404);
    ask("acquirebystate?names=gce-9&state=free&dest=busy&owner=bob").ok(404);
}

TEST_F(BoskosBench, AFurtherStateIsHeldAndLeft) {
    auto const name = ask("acquire?type=gce&state=free&dest=busy&owner=ann").json_at("/name");
    ask("release?name=" + name + "&owner=ann&dest=toBuild").ok();
    EXPECT_EQ(b.state_of(name), "toBuild");
    ask("acquire?type=gce&state=toBuild&dest=busy&owner=mason").ok().has(name);
    ask("acquire?type=gce&state=toBuild&dest=busy&owner=mason").ok(404);
    ask("release?name=" + name + "&owner=mason&dest=nowhere").ok(400);
}

TEST_F(BoskosBench, ResetTakesBackWhatNobodyWasHeardOf) {
    auto const one = ask("acquire?type=gce&state=free&dest=busy&owner=ann").json_at("/name");
    b.pass(Duration::seconds(600));
    auto const two = ask("acquire?type=gce&state=free&dest=busy&owner=bob").json_at("/name");
    ask("reset?type=gce&state=busy&dest=dirty&expire=5m0s").ok().has(fmt::format(R"({{"{}":"ann"}})", one));
    EXPECT_EQ(b.state_of(one), "dirty");
    EXPECT_EQ(b.state_of(two), "in_use");
    b.get("/pool/boskos/metric?type=gce").ok().has(R"("current":{"busy":1,"dirty":1})").has(R"("bob":1)");
}

TEST_F(BoskosBench, WhatItDoesNotKnowIsRefused) {
    struct {
        char const* call;
        int status;
    } const rows[] = {
        {"acquire?type=none&state=free&dest=busy&owner=ann", 404},  {"acquire?type=gce&state=free&dest=busy", 400},
        {"acquire?type=gce&state=free&dest=melted&owner=ann", 400}, {"acquire?type=gce&state=melted&dest=busy&owner=ann", 404},
        {"acquire?type=gce&state=free&dest=busy&owner=%zz", 400},   {"release?name=none&dest=dirty&owner=ann", 404},
        {"release?name=gce-1&dest=dirty&owner=ann", 401},           {"update?name=gce-1&state=busy&owner=ann", 401},
        {"acquire?type=gce&state=free&dest=busy&owner=%ff", 400},   {"reset?type=gce&state=busy&dest=dirty&expire=soon", 400},
        {"reset?type=none&state=busy&dest=dirty&expire=5m", 404},
    };
    for (auto const& row : rows) ask(row.call).ok(row.status).wrote_nothing();
    ask("update?name=gce-1&state=busy&owner=ann", "[1]").ok(400);
    ask("acquire?type=gce&state=free&dest=busy&owner=ann&request_id=" + std::string(191, 'x')).ok(400);
    b.get("/pool/boskos/metric?type=none").ok(404);
}

TEST(PpaAssigner, ReservesReleasesAndSaysWhenNoneIsFree) {
    Bench b;
    auto const base = std::string("/pool/ppa/api/v1/ppa/");
    b.post(base, R"({"ticket_id":3})").ok(404).has("message");
    b.put_type("ppa", R"({"inventory_url":"http://lp.example/"})");
    b.post(base, R"({"ticket_id":3})").ok(404).has("populate the pool");
    b.hook = [](client::Request const& request) -> client::Reply {
        return {.status = 200, .body = request.target.starts_with("/queue") ? "{}" : R"([{"name":"ci_pool-001","state":"free"}])"};
    };
    b.call("PATCH", base, R"({"populate":true})").ok(202);
    b.run_effects();
    b.get(base).ok().has(R"([{"name":"ci_pool-001","state":"free"}])");
    b.post(base, R"({"ticket_id":3})").ok(201).has(R"({"name":"ci_pool-001","state":"reserved","ticket_id":3})");
    b.post(base, R"({"ticket_id":3})").ok(201).has("ci_pool-001").wrote_nothing();
    b.post(base, R"({"ticket_id":"four"})").ok(404).has("no PPA is free");
    b.get(base).ok().has(R"("ticket_id":3)");
    b.call("PATCH", base + "ci_pool-001", R"({"ticket_id":5,"state":"dirty"})").ok(409);
    b.call("PATCH", base + "ci_pool-001", R"({"ticket_id":3,"state":"dirty"})").ok().has(R"("state":"dirty")");
    b.call("PATCH", base + "ci_pool-001", R"({"state":"dirty"})").ok();
    b.clean_up("ci_pool-001");
    b.post(base, R"({"ticket_id":"four"})").ok(201).has(R"("ticket_id":"four")");
    for (auto const* bad : {"{}", R"({"ticket_id":null})", R"({"ticket_id":-1})", "[]", "x"}) b.post(base, bad).ok(400).has("message");
    b.call("PATCH", base, R"({"populate":"yes"})").ok(400);
    b.call("PATCH", base + "none", "{}").ok(404);
    b.call("PATCH", base + "ci_pool-001", R"({"state":"free"})").ok(400);
}

}  // namespace
}  // namespace gantry::pool
