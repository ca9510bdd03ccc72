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

}  // namespace
}  // namespace gantry::pool
