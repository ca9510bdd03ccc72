// Followers in a Harness: two services, each with its own, and the laws that both owe.
#include <gtest/gtest.h>

#include "kernel/runtime/bank_for_test.h"
#include "kernel/testing/harness.h"

namespace gantry {
namespace {

class FollowHarness : public ::testing::Test {
   protected:
    void open(std::string_view id, std::string_view owner) {
        bank.post("/bank/v1/accounts", R"({"id":")" + std::string(id) + R"(","owner":")" + std::string(owner) + "\"}").ok();
    }
    void move(std::string_view id, int cents) {
        bank.post("/bank/v1/accounts/" + std::string(id) + "/moves", R"({"cents":)" + std::to_string(cents) + "}").ok();
    }
    Harness<bank::Service> bank;
    Harness<ledger::Service> ledger;
};

TEST_F(FollowHarness, TakesEachEventOnceAlsoOverRestarts) {
    open("a_1", "u_ann"), move("a_1", 5);
    ledger.follow(bank);
    ledger.get("/ledger/v1/lines/a_1").ok().has(R"("moves":1,"cents":5)");
    ledger.restart();
    ledger.follow(bank);
    move("a_1", 6);
    bank.restart();
    ledger.follow(bank);
    ledger.get("/ledger/v1/lines/a_1").ok().has(R"("moves":2,"cents":11)");
    EXPECT_TRUE(ledger.dead_letters("bank").empty());
}

TEST_F(FollowHarness, DeadLettersAreListedRetriedAndDropped) {
    open("a_1", "u_bad"), move("a_1", 5), open("a_2", "u_bad");
    ledger.follow(bank);
    using Letters = std::vector<testing::BenchOfOne::Letter>;
    EXPECT_EQ(ledger.dead_letters("bank"),
              (Letters{{1, "a_1", "owner_refused"}, {2, "a_1", "behind_dead_letter"}, {3, "a_2", "owner_refused"}}));
    ledger.get("/ledger/v1/followers").ok().has(R"("dead_letters":3)").has(R"("state":"stopped")");
    ledger.get("/ledger/v1/followers/bank/dead-letters?limit=1").ok().has(R"("complete":false)");
    ledger.post("/ledger/v1/followers/bank/drop", R"({"position":3})").ok().has(R"("changed":1)").wrote_nothing();
    ledger.post("/ledger/v1/owners", R"({"owner":"u_bad"})").ok();
    ledger.post("/ledger/v1/followers/bank/retry", "{}").ok();
    ledger.follow(bank);
    EXPECT_TRUE(ledger.dead_letters("bank").empty());
    ledger.get("/ledger/v1/lines/a_1").ok().has(R"("cents":5)");
    ledger.get("/ledger/v1/lines/a_2").fails(404, "line_not_found");
    ledger.post("/ledger/v1/followers/bank/move", R"({"to":"end"})").fails(409, "follower_not_running");
    ledger.get("/ledger/v1/followers?as_of=2020-01-01T00:00:00Z").fails(400, "request_invalid");
}

TEST_F(FollowHarness, AServiceWithoutFollowersHasNoSuchRoutes) { bank.get("/bank/v1/followers").fails(404, "route_not_found"); }

// However the turns and restarts fall, the ledger comes to what it comes to in one go.
TEST(FollowLaws, HoldOverRandomCommandsAndRestarts) {
    for (std::uint64_t seed = 1; seed <= 5; ++seed) {
        Harness<bank::Service> bank;
        Harness<ledger::Service> ledger, at_once;
        SeededRandom random(seed);
        for (int round = 0; round < 8; ++round) {
            bank.random_commands(seed * 100 + std::uint64_t(round), 20);
            ledger.follow(bank);
            if (random.chance(0.5)) ledger.restart();
            if (random.chance(0.3)) bank.restart();
        }
        at_once.follow(bank);
        EXPECT_EQ(ledger.host().digest(), at_once.host().digest());
        EXPECT_EQ(ledger.dead_letters("bank"), at_once.dead_letters("bank"));
    }
}

}  // namespace
}  // namespace gantry
