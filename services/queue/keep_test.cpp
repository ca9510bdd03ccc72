// Contents of tasks that stay for longer than the log's history.
#include "services/queue/keep.h"

#include "services/queue/queue_test.h"

namespace gantry::queue {
namespace {

class Keep : public ::testing::Test, protected Queue {
   protected:
    Keep() : Queue(Settings{.history = Duration::days(1)}) {}
    void turn() {
        for (int i = 0; i < 5; ++i) tick(), run_effects();
    }
    // Half a day at a time: each writes a baseline, and cuts what may be cut.
    void days(int count) {
        for (int half = 0; half < 2 * count; ++half) {
            advance(Duration::hours(12)), turn();
            ASSERT_TRUE(host().keep_house());
        }
    }
    void churn(int count) {
        for (int i = 0; i < count; ++i) {
            put("", "busy").ok(201);
            say(lease("", "busy"), "complete").ok();
        }
    }
    std::uint64_t position_of(std::uint64_t id) { return state().find(TaskId{id})->content; }
    Position log_begin() { return host().log().status().begin; }
    static constexpr auto in_a_year = R"("delay_ms":31536000000)";
};

TEST_F(Keep, AnOldTaskDoesntHoldTheLogBack) {
    auto const old = put_id(in_a_year);
    auto const first = position_of(old);
    churn(50);
    EXPECT_EQ(oldest_content(state()), first);
    turn();
    EXPECT_EQ(position_of(old), first) << "it is young";
    days(4);
    EXPECT_GT(position_of(old), first);
    EXPECT_GT(log_begin(), first + 100) << "all that became of the others is cut";
    show(old).ok().has(R"("payload":1)");
    restart();
    show(old).ok().has(R"("payload":1)");
    days(30);
    show(old).ok().has(R"("payload":1)");
    EXPECT_GE(position_of(old), log_begin());
    EXPECT_EQ(state().again.size(), 1u);
    call("DELETE", fmt::format("/queue/v1/tasks/t_{}", old)).ok();
    EXPECT_EQ(state().again.size(), 0u);
    EXPECT_EQ(oldest_content(state()), std::nullopt);
}

TEST_F(Keep, ACrashInBetweenLosesAndDoublesNothing) {
    auto const a = put_id(in_a_year), b = put_id(in_a_year);
    auto const first = position_of(a);
    advance(Duration::days(2)).tick();  // they are asked for, and not written yet
    EXPECT_EQ(position_of(a), first);
    EXPECT_EQ(oldest_content(state()), first) << "until they are written it holds the cut back";
    restart();
    tick();
    EXPECT_EQ(state().outbox.size(), 1u) << "once";
    run_effects();
    EXPECT_EQ(position_of(b), position_of(a) + 1);
    restart();
    auto const again = position_of(a);
    turn();
    EXPECT_EQ(position_of(a), again) << "once";
    show(b).ok().has(R"("payload":2)");
}

TEST_F(Keep, WhatIsEditedOrTakenMeanwhileIsLeftAlone) {
    auto const edited = put_id(in_a_year), gone = put_id(in_a_year), moved = put_id(in_a_year);
    advance(Duration::days(2)).tick();
    call("PATCH", fmt::format("/queue/v1/tasks/t_{}", edited), R"({"payload":"new"})").ok();
    auto const position = position_of(edited);
    call("DELETE", fmt::format("/queue/v1/tasks/t_{}", gone)).ok();
    post(fmt::format("/queue/v1/tasks/t_{}/move", moved), R"({"queue":"other"})").ok();
    run_effects();
    EXPECT_EQ(position_of(edited), position);
    EXPECT_EQ(state().find(TaskId{gone}), nullptr);
    EXPECT_GT(position_of(moved), position);
    show(edited).ok().has(R"("payload":"new")");
    show(moved).ok().has(R"("payload":3)");
}

TEST_F(Keep, ManyOfManyQueuesABoundedNumberAtATime) {
    std::vector<std::uint64_t> ids;
    for (int i = 0; i < 1200; ++i) ids.push_back(put_id(in_a_year, fmt::format("q{}", i % 7)));
    post("/queue/v1/queues/q3/kick", R"({"max":5})").ok();
    auto const last = position_of(ids.back());
    advance(Duration::days(2)).tick();
    run_effects();
    EXPECT_GT(position_of(ids[499]), last);
    EXPECT_LT(position_of(ids[500]), last) << "the next ones have their turn later";
    EXPECT_EQ(oldest_content(state()), position_of(ids[500]));
    turn();
    for (auto id : ids) ASSERT_GT(position_of(id), last) << id;
    EXPECT_GT(oldest_content(state()), last);
}

TEST_F(Keep, DeadOnesStayReadable) {
    put("", "mail").ok(201);
    say(lease(), "fail", R"({"final":true})").ok();
    days(5);
    EXPECT_GT(position_of(1), log_begin() - 1);
    post("/queue/v1/queues/mail/redrive", "{}").ok();
    EXPECT_EQ(leases().at(0).payload->text, "1");
}

TEST_F(Keep, ADroppedEffectIsAskedForAnew) {
    auto const id = put_id(in_a_year);
    auto const first = position_of(id);
    advance(Duration::days(2)).tick();
    auto const effect = get("/queue/v1/effects").ok().json_at("/items/0/id");
    post("/queue/v1/effects/" + effect + "/drop", "{}").ok();
    EXPECT_EQ(position_of(id), first);
    turn();
    EXPECT_GT(position_of(id), first);
}

TEST_F(Keep, ThoseThatAreEditedOftenAreNotWalkedPastForEver) {
    for (int i = 0; i < 1100; ++i) {
        auto const id = put_id(in_a_year);
        call("PATCH", fmt::format("/queue/v1/tasks/t_{}", id), R"({"payload":0})").ok();
    }
    EXPECT_EQ(state().keeping.size(), 0u);
    tick();
    ASSERT_EQ(state().keeping.size(), 1u);
    EXPECT_EQ(state().keeping.find(1)->judged, 1100u);
    EXPECT_EQ(oldest_content(state()), 2u);
}

TEST(KeepWithoutHistory, NothingIsWrittenOnceMore) {
    Queue q;
    q.put(R"("delay_ms":31536000000)").ok(201);
    q.pass(Duration::days(200));
    q.run_effects();
    EXPECT_EQ(q.state().keeping.size(), 0u);
}

}  // namespace
}  // namespace gantry::queue
