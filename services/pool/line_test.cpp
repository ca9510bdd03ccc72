// Who waits, in which order they are served, and why none waits for ever.
#include "services/pool/pool_test.h"

namespace gantry::pool {
namespace {

std::string const no_cleaning = R"({"cleaning":"none"})";
using Names = std::vector<std::string>;

class Line : public ::testing::Test {
   protected:
    void make(int count, std::string const& settings = no_cleaning) { b.put_type("vm", settings), b.add_many("vm", count); }
    Bench b;
};

TEST_F(Line, GoesByPriorityThenByWhoHoldsLeastThenByAge) {
    make(2);
    auto const one = b.held("a1", "vm", "", R"("owner":"ann")"), two = b.held("b1", "vm", "", R"("owner":"bob")");
    b.acquire("a2", "vm", "", R"("owner":"ann")").ok(202).has(R"("place":0)");
    b.acquire("a3", "vm", "", R"("owner":"ann")").ok(202).has(R"("place":1)");
    b.acquire("c1", "vm", "", R"("owner":"cid")").ok(202).has(R"("place":0)");
    b.acquire("u1", "vm", "", R"("owner":"ann","priority":0)").ok(202).has(R"("place":0)");
    b.get("/pool/v1/tickets/c1").ok().has(R"("place":1)");
    b.release(two).ok();
    EXPECT_EQ(b.given("u1"), Names{"vm-1"}) << "the most urgent";
    b.release(one).ok();
    EXPECT_EQ(b.given("c1"), Names{"vm-2"}) << "who holds nothing";
    auto const urgent = b.held("u1", "vm", "", R"("owner":"ann","priority":0)");
    b.release(urgent).ok();
    EXPECT_EQ(b.given("a2"), Names{"vm-1"}) << "the older one";
}

TEST_F(Line, ALargeSetIsPassedOverForAWhileAndNotForEver) {
    make(3, R"({"cleaning":"none","patience_ms":60000})");
    std::vector<LeaseView> held;
    for (int i = 0; i < 3; ++i) held.push_back(b.held(fmt::format("t{}", i), "vm"));
    b.acquire("large", "vm", R"("count":3)").ok(202);
    b.acquire("small", "vm").ok(202);
    b.release(held[0]).ok();
    EXPECT_EQ(b.given("small").size(), 1u) << "what the large one can't use yet is not left idle";
    b.pass(Duration::seconds(60));
    b.release(held[1]).ok();
    b.acquire("late", "vm").ok(202);
    b.get("/pool/v1/tickets/late/why").ok().has("set aside");
    b.get("/pool/v1/tickets/large/why").ok().has("1 of type vm are free that fit, and 3 are wanted").has(R"("holder":"u_local")");
    b.release(b.held("small", "vm")).ok();
    EXPECT_TRUE(b.given("late").empty());
    b.release(held[2]).ok();
    EXPECT_EQ(b.given("large").size(), 3u);
    b.release(b.held("large", "vm", R"("count":3)")).ok();
    EXPECT_EQ(b.given("late").size(), 1u);
}

TEST_F(Line, SetsOverTwoTypesDontLockEachOther) {
    b.put_type("vm", R"({"cleaning":"none","patience_ms":0})"), b.put_type("ppa", R"({"cleaning":"none","patience_ms":0})");
    b.add_many("vm", 1), b.add_many("ppa", 1);
    auto const vm = b.held("v", "vm"), ppa = b.held("p", "ppa");
    auto both = [&](std::string const& ticket, std::string const& a, std::string const& c) {
        return b.post("/pool/v1/acquire", fmt::format(R"({{"ticket":"{}","wants":[{{"type":"{}"}},{{"type":"{}"}}]}})", ticket, a, c));
    };
    both("x", "vm", "ppa").ok(202);
    both("y", "ppa", "vm").ok(202);
    b.release(ppa).ok();
    EXPECT_TRUE(b.given("x").empty() && b.given("y").empty()) << "all or nothing";
    b.acquire("z", "ppa").ok(202).has(R"("place":2)");
    b.release(vm).ok();
    EXPECT_EQ(b.given("x"), (Names{"vm-1", "ppa-1"}));
    b.release(both("x", "vm", "ppa").ok().as<Acquired>().lease.value()).ok();
    EXPECT_EQ(b.given("y").size(), 2u);
}

TEST_F(Line, WhoIsAboveTheQuotaWaitsAndHoldsNobodyUp) {
    make(3, R"({"cleaning":"none","quota":1,"patience_ms":0})");
    auto const lease = b.held("a1", "vm", "", R"("owner":"ann")");
    b.acquire("a2", "vm", "", R"("owner":"ann")").ok(202);
    b.get("/pool/v1/tickets/a2/why").ok().has("ann holds 1 of type vm, of 1 that an owner may hold");
    b.held("b1", "vm", "", R"("owner":"bob")");
    b.release(lease).ok();
    EXPECT_EQ(b.given("a2").size(), 1u);
}

TEST_F(Line, AReservationGetsItsSetAtItsTime) {
    make(2);
    b.acquire("ahead", "vm", R"("count":2)", R"("from":"2026-01-01T13:30:00Z","until":"2026-01-01T14:00:00Z")")
        .ok(202)
        .has(R"("outcome":"ahead")");
    b.pass(Duration::seconds(3599));
    b.release(b.held("now", "vm")).ok();
    b.pass(Duration::seconds(1));  // from one lease before its time on what is free is its own
    b.acquire("late", "vm").ok(202);
    b.get("/pool/v1/tickets/ahead/why").ok().has("it is reserved for 2026-01-01T13:30:00Z");
    b.pass(Duration::seconds(1799));
    EXPECT_TRUE(b.given("ahead").empty());
    b.pass(Duration::seconds(1));
    EXPECT_EQ(b.given("ahead").size(), 2u);
    EXPECT_EQ(b.state().leases.find(b.state().ticket("ahead")->lease)->until, noon + Duration::hours(2));
}

TEST_F(Line, IsLeftByWordOrByTime) {
    make(1);
    b.held("t1", "vm");
    b.acquire("t2", "vm").ok(202);
    b.acquire("t3", "vm", "", R"("stay_ms":5000)").ok(202).has(R"("place":1)");
    b.call("DELETE", "/pool/v1/tickets/t2").ok().wrote(Withdrawn{"t2", "by its owner"});
    b.call("DELETE", "/pool/v1/tickets/t2").ok().wrote_nothing();
    b.call("DELETE", "/pool/v1/tickets/none").fails(404, "ticket_not_found");
    b.acquire("t2", "vm").fails(410, "ticket_withdrawn");
    b.call("DELETE", "/pool/v1/tickets/t1").fails(409, "ticket_served");
    b.get("/pool/v1/tickets?type=vm").ok().has("t3").lacks("t2");
    b.pass(Duration::seconds(5));
    b.get("/pool/v1/tickets/t3").ok().has(R"("state":"withdrawn")");
    b.acquire("t4", "vm", "", R"("queue":false)").fails(409, "none_free");
}

TEST_F(Line, WhoAsksAgainWaitsForTheTurn) {
    make(1);
    auto const lease = b.held("t1", "vm");
    auto const wish = R"({"ticket":"t2","wants":[{"type":"vm"}],"wait_ms":5000})";
    b.post("/pool/v1/acquire", wish).ok(202).has(R"("place":0)");
    auto waiter = b.waits("POST", "/pool/v1/acquire", wish);
    waiter.still_waits();
    b.acquire("t3", "vm").ok(202);
    waiter.still_waits();
    b.release(lease).ok();
    waiter.answered().ok().has(R"("outcome":"held")");
    auto late = b.waits("POST", "/pool/v1/acquire", R"({"ticket":"t3","wants":[{"type":"vm"}],"wait_ms":5000})");
    b.pass(Duration::seconds(5));
    late.answered().ok(202).has(R"("outcome":"waiting")");
    auto gone = b.waits("POST", "/pool/v1/acquire", R"({"ticket":"t3","wants":[{"type":"vm"}],"wait_ms":5000})");
    b.call("DELETE", "/pool/v1/tickets/t3").ok();
    gone.answered().fails(410, "ticket_withdrawn");
}

TEST_F(Line, IsServedByWhatIsAddedFreedOrNoLongerDrained) {
    make(1);
    b.call("POST", "/pool/v1/types/vm/drain", R"({"reason":"power"})").ok();
    b.acquire("t1", "vm").ok(202);
    b.get("/pool/v1/tickets/t1/why").ok().has("type vm is drained");
    b.call("POST", "/pool/v1/types/vm/drain", R"({"on":false})").ok();
    b.tick();
    EXPECT_EQ(b.given("t1").size(), 1u);
    b.acquire("t2", "vm").ok(202);
    b.add("vm-2", "vm").ok(201);
    b.tick();
    EXPECT_EQ(b.given("t2"), Names{"vm-2"});
    b.acquire("t3", "vm").ok(202);
    b.add("vm-3", "vm", R"("state":"quarantined")").ok(201);
    b.tick();
    EXPECT_TRUE(b.given("t3").empty());
    b.post("/pool/v1/resources/vm-3/free", R"({"verified":true})").ok();
    EXPECT_EQ(b.given("t3"), Names{"vm-3"});
}

TEST(Wants, AreMetByLabelsRangesNamesAndWhatToAvoid) {
    Bench b;
    b.put_type("vm");
    for (int i = 1; i <= 4; ++i)
        b.add(fmt::format("vm-{}", i), "vm",
              fmt::format(R"("labels":{{"arch":"{}","rack":"{}"}},"numbers":{{"memory_gb":{}}})", i < 3 ? "amd64" : "arm64", i % 2, i * 8))
            .ok(201);
    struct {
        char const* want;
        Names expected;
    } const rows[] = {
        {R"("labels":{"arch":"arm64"},"ranges":{"memory_gb":{"max":24}})", {"vm-3"}},
        {R"("ranges":{"memory_gb":{"min":32}})", {"vm-4"}},
        {R"("names":["vm-2","vm-1"])", {"vm-2"}},
        {R"("labels":{"arch":"amd64"},"avoid":{"names":["vm-2"]})", {"vm-1"}},
        {R"("avoid":{"labels":{"arch":"arm64"},"names":["vm-1"]})", {"vm-2"}},
        {R"("count":2,"labels":{"arch":"amd64"},"avoid":{"same":"rack"})", {"vm-2", "vm-1"}},
    };
    int n = 0;
    for (auto const& row : rows) {
        auto const ticket = fmt::format("t{}", ++n);
        auto const lease = b.held(ticket, "vm", row.want);
        EXPECT_EQ(b.given(ticket), row.expected) << row.want;
        b.release(lease).ok();
        for (auto const& name : row.expected) b.clean_up(name);
    }
}

TEST(Wants, OfOneTypeShareSoThatTheSetIsWhole) {
    Bench b;
    b.put_type("vm");
    b.add("gpu", "vm", R"("labels":{"gpu":"yes"})").ok(201);
    b.add("plain", "vm").ok(201);
    b.release(b.held("warm", "vm", R"("names":["gpu"])")).ok();
    b.clean_up("gpu");  // used last, so it is what anyone is offered first
    auto const got =
        b.post("/pool/v1/acquire", R"({"ticket":"t","wants":[{"type":"vm"},{"type":"vm","labels":{"gpu":"yes"}}]})").ok().as<Acquired>();
    EXPECT_EQ(got.lease->resources.size(), 2u);
}

TEST(Wants, AreGivenWarmOnesOrRestedOnesAndWeakOnesLast) {
    for (auto const& [prefer, expected] : {std::pair("warm", "vm-2"), std::pair("rested", "vm-1")}) {
        Bench b;
        b.put_type("vm", fmt::format(R"({{"cleaning":"none","prefer":"{}"}})", prefer));
        b.add_many("vm", 3);
        b.release(b.held("w", "vm", R"("names":["vm-2"])")).ok();
        b.held("t", "vm");
        EXPECT_EQ(b.given("t"), Names{expected}) << prefer;
    }
    Bench b;
    b.put_type("vm", R"({"cleaning":"none"})");
    b.add_many("vm", 2);
    b.release(b.held("t1", "vm", R"("names":["vm-2"])"), R"({"broken":true})").ok();
    b.post("/pool/v1/resources/vm-2/free", R"({"verified":true})").ok();
    b.held("t2", "vm");
    EXPECT_EQ(b.given("t2"), Names{"vm-1"});
}

}  // namespace
}  // namespace gantry::pool
