// Who gets what, until when, and how it comes back.
#include "services/pool/pool_test.h"

namespace gantry::pool {
namespace {

TEST(Leases, WhatIsFreeIsGivenAtOnceAndTheSameTicketGetsNoMore) {
    Bench b;
    b.put_type("ppa");
    b.add_many("ppa", 3);
    auto const lease = b.held("t1", "ppa", R"("count":2)", R"("owner":"ci")");
    EXPECT_EQ(lease.resources.size(), 2u);
    EXPECT_EQ(lease.deadline, noon + Duration::hours(1));
    b.acquire("t1", "ppa", R"("count":2)", R"("owner":"ci")").ok().wrote_nothing();
    b.acquire("t1", "ppa", R"("count":3)").fails(409, "ticket_differs");
    EXPECT_EQ(b.given("t1").size(), 2u);
    b.get("/pool/v1/types/ppa").ok().has(R"("free":1)").has(R"("in_use":2)").has(R"("held":2)");
}

TEST(Leases, WhatComesBackIsCleanedBeforeTheNextOneHasIt) {
    Bench b;
    b.put_type("ppa");
    b.add_many("ppa", 1);
    auto const lease = b.held("t1", "ppa");
    b.acquire("t2", "ppa").ok(202).has(R"("outcome":"waiting")").has(R"("place":0)");
    b.release(lease).ok().has(R"("over":true)");
    EXPECT_EQ(b.state_of("ppa-1"), "dirty");
    b.run_effects();
    ASSERT_EQ(b.calls.size(), 1u);
    EXPECT_EQ(b.calls[0].target, "/queue/v1/queues/pool-clean-ppa/tasks");
    b.clean("ppa-1", "cleaning").ok();
    EXPECT_TRUE(b.given("t2").empty());
    b.clean_up("ppa-1");
    EXPECT_EQ(b.given("t2"), std::vector<std::string>{"ppa-1"});
    EXPECT_GT(b.resource("ppa-1").fence, lease.fence);
}

TEST(Leases, EndWhenNobodyIsHeardOf) {
    Bench b;
    b.put_type("vm", R"({"lease_ms":600000,"heartbeat_ms":30000})");
    b.add_many("vm", 1);
    auto const lease = b.held("t1", "vm");
    EXPECT_EQ(lease.deadline, noon + Duration::seconds(30));
    b.pass(Duration::seconds(29));
    EXPECT_EQ(b.heartbeat(lease).ok().as<LeaseView>().deadline, noon + Duration::seconds(59));
    b.pass(Duration::micros(29'999'999));
    EXPECT_EQ(b.state_of("vm-1"), "in_use");
    b.pass(Duration::micros(1));
    EXPECT_EQ(b.state_of("vm-1"), "dirty");
    b.get("/pool/v1/leases/" + codec::encode_scalar(codec::type_of<LeaseId>(), &lease.lease))
        .ok()
        .has(R"("over":true)")
        .has(R"("how":"expired")");
    b.get("/pool/v1/types/vm").ok().has(R"("expired":1)");
}

TEST(Leases, GetTimeToBeHeardOfAfterAStart) {
    Bench b;
    b.put_type("vm", R"({"lease_ms":10000})");
    b.add_many("vm", 1);
    auto const lease = b.held("t1", "vm");
    b.advance(Duration::seconds(20)).restart();
    b.tick();
    b.heartbeat(lease).ok();
    b.pass(Duration::seconds(29));
    EXPECT_EQ(b.state_of("vm-1"), "in_use") << "the grace of the start";
}

TEST(Leases, ALateWordNamesWhoHasItNow) {
    Bench b;
    b.put_type("vm", R"({"lease_ms":10000,"cleaning":"none"})");
    b.add_many("vm", 1);
    auto const old = b.as("ann").held("t1", "vm");
    b.as("bob").acquire("t2", "vm").ok(202);
    b.pass(Duration::seconds(10));
    EXPECT_EQ(b.given("t2"), std::vector<std::string>{"vm-1"});
    b.as("ann").heartbeat(old).fails(409, "lease_lost").has("vm-1 is held by bob");
    b.release(old).fails(409, "lease_lost").has("bob");
    b.as("bob").release(old).fails(403, "lease_of_another");
    b.release(old, R"({"owner":"ann"})").fails(409, "lease_lost");
}

TEST(Leases, AreWhoseTheyAre) {
    Bench b;
    b.put_type("vm");
    b.add_many("vm", 2);
    auto const lease = b.as("ann").held("t1", "vm", "", R"("owner":"job-7")");
    b.as("bob").release(lease).fails(403, "lease_of_another");
    b.heartbeat(lease, R"({"owner":"job-8"})").fails(403, "lease_of_another");
    b.heartbeat(lease, R"({"owner":"job-7"})").ok();
    b.as("ann").release(lease).ok();
    b.release(lease).ok().wrote_nothing();
    b.acquire("t1", "vm", "", R"("owner":"job-7")").fails(410, "ticket_over");
    b.post("/pool/v1/leases/ls_99/release", "{}").fails(404, "lease_not_found");
}

TEST(Leases, WhoWaitedIsTheHolderAndNotWhoCleaned) {
    Bench b;
    b.put_type("vm");
    b.add_many("vm", 1);
    auto const first = b.as("ann").held("t1", "vm");
    b.as("bob").acquire("t2", "vm").ok(202);
    b.as("ann").release(first).ok();
    b.as("cleaner").clean_up("vm-1");
    auto const lease = b.as("bob").held("t2", "vm");
    b.release(lease).ok();
}

TEST(Leases, APartComesBackAloneAndToAChosenState) {
    Bench b;
    b.put_type("vm", R"({"states":[{"name":"in_use","to":["parked"]},{"name":"parked","to":["dirty"]}]})");
    b.add_many("vm", 3);
    auto const lease = b.held("t1", "vm", R"("count":3)");
    b.release(lease, R"({"resources":["vm-1"],"to":"parked"})").ok().has(R"("over":false)").lacks("vm-1");
    b.release(lease, R"({"resources":["vm-2"],"to":"free"})").fails(422, "release_unclean");
    b.release(lease, R"({"resources":["vm-2"],"to":"nowhere"})").fails(422, "state_unknown");
    b.release(lease, R"({"resources":["vm-1"]})").fails(409, "resource_not_held").has("which is parked");
    b.release(lease, R"({"resources":["none"]})").fails(409, "resource_not_held").has("which is no longer in the pool");
    b.release(lease, R"({"resources":["vm-2"],"broken":true,"reason":"no disk"})").ok();
    EXPECT_EQ(b.state_of("vm-1"), "parked");
    EXPECT_EQ(b.state_of("vm-2"), "quarantined");
    EXPECT_EQ(b.given("t1"), std::vector<std::string>{"vm-3"});
    b.get("/pool/v1/resources/vm-2").ok().has(R"("broken":1)").has(R"("broken_by":"u_local")");
    b.get("/pool/v1/resources/vm-2/history")
        .ok()
        .has(R"("what":"released")")
        .has(R"("broken":true)")
        .has("no disk")
        .has(R"("who":"u_local")");
    b.post("/pool/v1/resources/vm-1/move", R"({"state":"retired"})").fails(422, "transition_unknown");
    b.post("/pool/v1/resources/vm-1/move", R"({"state":"dirty"})").ok();
    EXPECT_EQ(b.state_of("vm-1"), "dirty");
}

TEST(Leases, AreListedAndTold) {
    Bench b;
    b.put_type("vm");
    b.add_many("vm", 3);
    b.held("t1", "vm"), b.held("t2", "vm", "", R"("owner":"bob")");
    auto const page = b.get("/pool/v1/leases?limit=1").ok().has("t1").lacks("t2");
    b.get("/pool/v1/leases?limit=1&cursor=" + page.next()).ok().has("t2").lacks("\"t1\"");
    b.get("/pool/v1/leases?owner=bob").ok().has("t2").lacks("\"t1\"");
    b.get("/pool/v1/tickets/t1").ok().has(R"("state":"held")");
    b.get("/pool/v1/tickets/none").fails(404, "ticket_not_found");
}

TEST(Leases, WhatMakesNoSenseIsRefused) {
    Bench b;
    b.put_type("vm", R"({"quota":2})");
    b.add_many("vm", 3);
    struct {
        char const* body;
        int status;
        char const* code;
    } const rows[] = {
        {R"({"ticket":"t","wants":[]})", 422, "wants_count"},
        {R"({"ticket":"t","wants":[{"type":"none"}]})", 404, "type_not_found"},
        {R"({"ticket":"t","wants":[{"type":"vm","count":0}]})", 400, "body_invalid"},
        {R"({"ticket":"t","wants":[{"type":"vm","count":201}]})", 400, "body_invalid"},
        {R"({"ticket":"t","wants":[{"type":"vm","count":200},{"type":"vm"}]})", 422, "wants_count"},
        {R"({"ticket":"t","wants":[{"type":"vm","count":3}]})", 422, "quota_small"},
        {R"({"ticket":"t","wants":[{"type":"vm","names":["vm-1"],"count":2}]})", 422, "want_invalid"},
        {R"({"ticket":"t","wants":[{"type":"vm","names":["vm-9"]}]})", 422, "want_impossible"},
        {R"({"ticket":"t","wants":[{"type":"vm","labels":{"arch":"amd64"}}]})", 422, "want_impossible"},
        {R"({"ticket":"t","wants":[{"type":"vm","ranges":{"memory_gb":{}}}]})", 422, "want_invalid"},
        {R"({"ticket":"t","wants":[{"type":"vm","ranges":{"memory_gb":{"min":2,"max":1}}}]})", 422, "want_invalid"},
        {R"({"ticket":"t","wants":[{"type":"vm"}],"from":"2026-01-01T11:00:00Z"})", 422, "reservation_time"},
        {R"({"ticket":"t","wants":[{"type":"vm"}],"from":"2028-01-01T11:00:00Z"})", 422, "reservation_time"},
        {R"({"ticket":"t","wants":[{"type":"vm"}],"from":"2026-01-01T13:00:00Z","until":"2026-01-01T13:00:00Z"})", 422, "reservation_time"},
        {R"({"ticket":"t","wants":[{"type":"vm"}],"priority":-1})", 400, "body_invalid"},
        {R"({"ticket":"t","wants":[{"type":"vm"}],"wait_ms":60001})", 400, "body_invalid"},
        {R"({"ticket":"t","wants":[{"type":"vm"}],"lease_ms":999})", 400, "body_invalid"},
        {R"({"ticket":"","wants":[{"type":"vm"}]})", 400, "body_invalid"},
        {R"({"ticket":"t","want":[{"type":"vm"}]})", 400, "body_invalid"},
    };
    for (auto const& row : rows) b.post("/pool/v1/acquire", row.body).fails(row.status, row.code);
    EXPECT_EQ(b.state().type("vm")->count(free_), 3u);
}

TEST(LeasesLaws, HoldOverRandomCommands) {
    for (std::uint64_t seed = 1; seed <= 10; ++seed) {
        Harness<Service> h;
        h.random_commands(seed, 60);
        h.get("/pool/v1/resources?limit=1000").ok();
    }
}

}  // namespace
}  // namespace gantry::pool
