// What workers do, and what becomes of a task when they fail.
#include "services/queue/queue_test.h"

namespace gantry::queue {
namespace {

TEST(Work, ATaskLeavesOnlyWhenItsWorkerSaysSo) {
    Queue q;
    q.put(R"("key":"ann")").ok(201);
    auto const leases = q.leases();
    ASSERT_EQ(leases.size(), 1u);
    auto const& lease = leases[0];
    EXPECT_EQ(lease.task.n, 1u);
    EXPECT_EQ(lease.payload->text, "1");
    EXPECT_EQ(lease.attempt, 1u);
    EXPECT_EQ(lease.key, "ann");
    EXPECT_EQ(lease.deadline, noon + Duration::seconds(60));
    EXPECT_EQ(q.taken(), Ids{});
    EXPECT_EQ(q.view().counts.leased, 1u);
    q.say(lease.lease, "complete").ok().wrote(Completed{.id = {1}});
    q.show(1).fails(410, "task_gone");
    q.show(2).fails(404, "task_not_found");
    EXPECT_EQ(q.view().done, 1u);
}

TEST(Work, AResultIsKeptForAWhile) {
    Queue q;
    q.set(R"("keep_done_ms":10000)");
    q.put().ok(201);
    auto const lease = q.lease();
    q.say(lease, "complete", R"({"result":{"lines":3}})").ok();
    q.say(lease, "complete", R"({"result":{"lines":4}})").fails(409, "lease_lost").has("is done");
    auto const whole = q.show(1).ok().as<WholeTask>();
    EXPECT_EQ(whole.task.state, TaskState::done);
    EXPECT_EQ(whole.result->text, R"({"lines":3})");
    q.pass(Duration::seconds(10));
    q.show(1).fails(410, "task_gone");
}

TEST(Work, ALeaseThatRunsOutGivesTheTaskBackAndALateWordNamesTheNewHolder) {
    Queue q;
    q.put().ok(201);
    auto const first = q.lease(R"("lease_ms":20000)");
    q.pass(Duration::seconds(19));
    q.say(first, "extend", R"({"lease_ms":20000,"progress_permille":500,"message":"half","log":["one","two"]})").ok();
    auto whole = q.show(1).as<WholeTask>();
    EXPECT_EQ(whole.task.lease->progress_permille, 500);
    EXPECT_EQ(whole.task.lease->message, "half");
    ASSERT_EQ(whole.history.size(), 1u);
    EXPECT_EQ(whole.history[0].log, (std::vector<std::string>{"one", "two"}));
    q.pass(Duration::seconds(20));
    q.say(first, "complete").fails(409, "lease_lost").has("with nobody now");
    auto const second = q.post("/queue/v1/queues/mail/reserve", R"({"worker":"w2"})").ok().as<Leases>().leases;
    ASSERT_EQ(second.size(), 1u);
    EXPECT_EQ(second[0].attempt, 2u);
    for (auto verb : {"complete", "extend", "fail", "release", "bury"})
        q.say(first, verb).fails(409, "lease_lost").has("is with w2").wrote_nothing();
    EXPECT_GT(second[0].fence, parse_lease(first)->fence);
    q.say(second[0].lease, "complete").ok();
    q.say(first, "complete").fails(409, "lease_lost").has("has ended");
}

TEST(Work, AnAttemptThatFailedIsTriedAgainLaterAndLater) {
    Queue q;
    q.set(R"("backoff_ms":1000,"backoff_max_ms":3000,"attempts_max":4)");
    q.put().ok(201);
    std::vector<std::int64_t> waits;
    for (int attempt = 1; attempt <= 3; ++attempt) {
        auto const said = q.say(q.lease(), "fail", R"({"reason":"no route"})").ok().as<LeaseSaid>();
        ASSERT_TRUE(said.deadline);
        EXPECT_EQ(said.state, TaskState::delayed);
        waits.push_back((*said.deadline - q.clock().wall()).us / 1000);
        q.pass(*said.deadline - q.clock().wall());
    }
    auto const near = [](std::int64_t wait, std::int64_t middle) { return wait >= middle * 3 / 4 && wait <= middle * 5 / 4; };
    EXPECT_TRUE(near(waits[0], 1000) && near(waits[1], 2000) && near(waits[2], 3000)) << waits[0] << " " << waits[1] << " " << waits[2];
    EXPECT_EQ(q.say(q.lease(), "fail", R"({"reason":"no route","detail":"line 1"})").ok().as<LeaseSaid>().state, TaskState::dead);
    auto const whole = q.show(1).as<WholeTask>();
    EXPECT_EQ(whole.task.attempts, 4u);
    ASSERT_EQ(whole.history.size(), 4u);
    EXPECT_EQ(whole.history[0].at, noon);
    EXPECT_EQ(whole.history[3].at, q.clock().wall());
    EXPECT_EQ(whole.history[3].detail, "line 1");
    EXPECT_EQ(whole.history[3].worker, "w1");
    EXPECT_EQ(q.taken(), Ids{});
    q.post("/queue/v1/queues/mail/redrive", "{}").ok().has(R"("changed":1)");
    EXPECT_EQ(q.taken(), (Ids{1}));
    EXPECT_EQ(q.show(1).as<WholeTask>().task.attempts, 0u);
}

TEST(Work, ALeaseThatRanOutIsAnAttempt) {
    Queue q;
    q.set(R"("attempts_max":2)");
    q.put().ok(201);
    for (int i = 0; i < 2; ++i) {
        ASSERT_NE(q.lease(), "");
        q.pass(Duration::seconds(60));
    }
    EXPECT_EQ(q.state_of(1), TaskState::dead);
    EXPECT_EQ(q.view().expired, 2u);
}

TEST(Work, FinalOnesAndThoseOfAnotherQueueForDeadLetters) {
    Queue q;
    q.set(R"("dead_letters_to":"graveyard")");
    q.put().ok(201);
    q.say(q.lease(), "fail", R"({"final":true,"reason":"malformed"})").ok();
    EXPECT_EQ(q.view().depth, 0u);
    EXPECT_EQ(q.taken(1, "", "graveyard"), (Ids{1}));
    EXPECT_EQ(q.show(1).as<WholeTask>().history[0].reason, "malformed");
}

TEST(Work, GivenBackAndPutAside) {
    Queue q;
    q.put().ok(201), q.put().ok(201);
    q.say(q.lease(), "release", R"({"delay_ms":1000})").ok().has(R"("state":"delayed")");
    EXPECT_EQ(q.show(1).as<WholeTask>().task.attempts, 0u) << "untried";
    q.say(q.lease(), "release", R"({"priority":5})").ok();
    EXPECT_EQ(q.show(2).as<WholeTask>().task.priority, 5u);
    q.say(q.lease(), "bury", R"({"reason":"look at this"})").ok();
    EXPECT_EQ(q.state_of(2), TaskState::buried);
    EXPECT_EQ(q.show(2).as<WholeTask>().history[0].reason, "look at this");
    q.post("/queue/v1/queues/mail/kick", R"({"max":10})").ok().has(R"("changed":1)");
    EXPECT_EQ(q.taken(), (Ids{2}));
}

TEST(Work, ACancelReachesTheWorkerWithItsNextWord) {
    Queue q;
    q.put().ok(201), q.put().ok(201);
    auto const lease = q.lease();
    q.post("/queue/v1/tasks/t_1/cancel", R"({"reason":"not needed"})").ok().has(R"("state":"leased")");
    auto const said = q.say(lease, "extend").ok().as<LeaseSaid>();
    EXPECT_TRUE(said.cancel);
    EXPECT_EQ(said.cancel_reason, "not needed");
    q.say(lease, "fail", R"({"final":true})").ok();
    q.post("/queue/v1/tasks/t_2/cancel", "{}").ok();
    q.show(2).fails(410, "task_gone");
}

TEST(Work, ATaskMayNotRunForLongerThanItsOwnLimit) {
    Queue q;
    q.put(R"("run_s_max":90)").ok(201);
    auto const lease = q.lease();
    q.pass(Duration::seconds(50));
    EXPECT_EQ(q.say(lease, "extend").ok().as<LeaseSaid>().deadline, noon + Duration::seconds(90));
    q.pass(Duration::seconds(40));
    q.say(lease, "extend").fails(409, "lease_lost");
}

TEST(Work, LeasesThatAreNone) {
    Queue q;
    q.put().ok(201);
    auto const lease = q.lease();
    for (auto text : {"x", "l_1", "l_1_", "l_x_1", "l_1_99999999999999999999999"}) q.say(text, "complete").fails(422, "lease_invalid");
    q.say("l_7_1", "complete").fails(404, "task_not_found");
    q.say("l_1_1", "complete").fails(409, "lease_lost").has("is with w1");
    q.say(lease, "complete").ok();
}

TEST(Work, OneTaskByName) {
    Queue q;
    q.put().ok(201), q.put(R"("delay_ms":60000)").ok(201);
    EXPECT_EQ(q.post("/queue/v1/tasks/t_2/reserve", "{}").ok().as<Leases>().leases[0].task.n, 2u);
    q.post("/queue/v1/tasks/t_2/reserve", "{}").fails(409, "task_not_ready");
}

TEST(Work, OfSeveralQueuesTheMostUrgentTask) {
    Queue q;
    q.put(R"("priority":10)", "a").ok(201), q.put(R"("priority":5)", "b").ok(201), q.put(R"("priority":7)", "c").ok(201);
    EXPECT_EQ(q.taken(3, R"("queues":["b","c","a","nobody-knows"])", "a"), (Ids{2, 3, 1}));
}

TEST(Work, ARepeatedReserveGivesTheSameLease) {
    Queue q;
    q.put().ok(201), q.put().ok(201);
    auto const first = q.key("r1").post("/queue/v1/queues/mail/reserve", R"({"worker":"w1"})").ok();
    auto const again = q.key("r1").post("/queue/v1/queues/mail/reserve", R"({"worker":"w1"})").ok();
    EXPECT_TRUE(again.replayed());
    EXPECT_EQ(first.body(), again.body());
    EXPECT_EQ(q.view().counts.leased, 1u);
}

}  // namespace
}  // namespace gantry::queue
