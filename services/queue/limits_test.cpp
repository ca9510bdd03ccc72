// What runs next: priority and age, fair shares, limits and rates.
#include "services/queue/queue_test.h"

namespace gantry::queue {
namespace {

TEST(Order, ThePriorityCountsAndGrowsWithAge) {
    Queue q;
    q.set(R"("ageing_ms":1000)");
    q.put(R"("priority":10)").ok(201);
    q.put(R"("priority":5)").ok(201);
    q.pass(Duration::millis(4000));
    q.put(R"("priority":5)").ok(201);
    q.put(R"("priority":0)").ok(201);
    q.pass(Duration::millis(7000));
    q.put(R"("priority":0)").ok(201) /* the first one is by now as urgent as one of priority -1 */;
    EXPECT_EQ(q.taken(), (Ids{4, 2, 3, 1, 5}));
}

TEST(Order, ARetryKeepsItsPlace) {
    Queue q;
    q.put().ok(201), q.put().ok(201), q.put().ok(201);
    q.say(q.lease(), "fail", R"({"retry_after_ms":0})").ok();
    EXPECT_EQ(q.taken(), (Ids{1, 2, 3}));
}

TEST(Fair, KeysTakeTurnsHoweverManyTasksOneHas) {
    Queue q;
    for (int i = 0; i < 6; ++i) q.put(R"("key":"big")").ok(201);
    q.put(R"("key":"small")").ok(201), q.put(R"("key":"small")").ok(201);
    EXPECT_EQ(q.taken(), (Ids{1, 7, 2, 8, 3, 4, 5, 6}));
}
TEST(Fair, OneByOneAsAllAtOnce) {
    Queue q;
    for (int i = 0; i < 4; ++i) q.put(R"("key":"big")").ok(201);
    q.put(R"("key":"small")").ok(201), q.put(R"("key":"small")").ok(201);
    Ids order;
    for (int i = 0; i < 6; ++i) order.push_back(q.taken(1).at(0));
    EXPECT_EQ(order, (Ids{1, 5, 2, 6, 3, 4}));
}
TEST(Fair, WhoComesLaterHasNoCredit) {
    Queue q;
    for (int i = 0; i < 8; ++i) q.put(R"("key":"early")").ok(201);
    EXPECT_EQ(q.taken(4), (Ids{1, 2, 3, 4}));
    for (int i = 0; i < 4; ++i) q.put(R"("key":"late")").ok(201);
    auto const next = q.taken(4);
    EXPECT_EQ(std::ranges::count_if(next, [](auto n) { return n > 8; }), 2);
}
TEST(Fair, TasksThatComeOneAtATimeDoNotAlwaysPassThoseThatWait) {
    Queue q;
    q.put(R"("key":"waits")").ok(201), q.put(R"("key":"waits")").ok(201);
    EXPECT_EQ(q.taken(1), (Ids{1}));
    Ids order;
    for (int i = 0; i < 4; ++i) {
        q.put(R"("key":"drips")").ok(201);
        auto const lease = q.leases(R"("max":1)").at(0);
        order.push_back(lease.task.n);
        q.say(lease.lease, "complete").ok();
    }
    EXPECT_EQ(order, (Ids{2, 3, 4, 5}));
}
TEST(Fair, ByWeight) {
    Queue q;
    q.set(R"("weights":{"gold":3})");
    for (int i = 0; i < 9; ++i) q.put(R"("key":"gold")").ok(201);
    for (int i = 0; i < 9; ++i) q.put(R"("key":"tin")").ok(201);
    auto const first = q.taken(8);
    EXPECT_EQ(std::ranges::count_if(first, [](auto n) { return n <= 9; }), 6);
}
TEST(Fair, NotWhereTheMostUrgentOfAllIsWanted) {
    Queue q;
    q.set(R"("fair":false)");
    for (int i = 0; i < 3; ++i) q.put(R"("key":"big")").ok(201);
    q.put(R"("key":"small")").ok(201), q.put(R"("key":"small","priority":1)").ok(201);
    EXPECT_EQ(q.taken(), (Ids{5, 1, 2, 3, 4}));
}

TEST(Limits, OfAQueueAKeyAndAWorker) {
    Queue q;
    q.set(R"("concurrency_max":3,"concurrency_per_key_max":2,"concurrency_per_worker_max":2)");
    for (int i = 0; i < 3; ++i) q.put(R"("key":"a")").ok(201);
    for (int i = 0; i < 3; ++i) q.put(R"("key":"b")").ok(201);
    auto const first = q.leases(R"("max":10)");
    ASSERT_EQ(first.size(), 2u) << "of a worker";
    auto const others = q.post("/queue/v1/queues/mail/reserve", R"({"worker":"w2","max":10})").ok().as<Leases>().leases;
    ASSERT_EQ(others.size(), 1u) << "of the queue";
    EXPECT_NE(q.get("/queue/v1/queues/mail/next?worker=w3").ok().body().find("concurrency_max"), std::string::npos);
    q.say(first[0].lease, "complete").ok();
    q.set(R"("concurrency_per_key_max":1)");
    EXPECT_EQ(q.taken(10).size(), 0u) << "both keys run one";
    q.get("/queue/v1/queues/mail/keys").ok().has("concurrency_per_key_max");
}

TEST(Limits, ARateOfTheQueueAndOfAKey) {
    Queue q;
    q.set(R"("rate_max":4,"rate_per_key_max":2,"rate_window_ms":1000)");
    for (int i = 0; i < 5; ++i) q.put(R"("key":"a")").ok(201);
    for (int i = 0; i < 5; ++i) q.put(R"("key":"b")").ok(201);
    EXPECT_EQ(q.taken().size(), 4u);
    EXPECT_EQ(q.taken().size(), 0u);
    q.pass(Duration::millis(249));
    EXPECT_EQ(q.taken().size(), 0u);
    q.pass(Duration::millis(251));
    EXPECT_EQ(q.taken().size(), 2u) << "half a window later, one of each key";
    for (int i = 0; i < 3; ++i) q.pass(Duration::millis(1000)), q.taken();
    EXPECT_EQ(q.view().counts.leased, 10u);
}

TEST(Limits, APausedQueueStartsNothing) {
    Queue q;
    q.put().ok(201);
    q.post("/queue/v1/queues/mail/pause", R"({"reason":"repairs"})").ok();
    EXPECT_EQ(q.taken(), Ids{});
    q.get("/queue/v1/tasks/t_1/why").ok().has("paused: repairs");
    q.post("/queue/v1/queues/mail/resume", "{}").ok();
    EXPECT_EQ(q.taken(), (Ids{1}));
    q.put().ok(201);
    q.post("/queue/v1/queues/mail/pause", R"({"for_ms":5000})").ok();
    q.pass(Duration::millis(4999));
    EXPECT_EQ(q.taken(), Ids{});
    q.pass(Duration::millis(1));
    EXPECT_EQ(q.taken(), (Ids{2}));
}

TEST(Random, CommandsKeepTheLaws) {
    Queue q;
    q.random_commands(1, 400);
}

}  // namespace
}  // namespace gantry::queue
