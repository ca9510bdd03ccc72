// From dirty back to free: tasks for workers, their fences, failures, verification.
#include "services/pool/pool_test.h"

namespace gantry::pool {
namespace {

class CleaningBench : public ::testing::Test {
   protected:
    // One of the type, that has come back dirty.
    void make_dirty(std::string const& settings = "{}") {
        b.put_type("ppa", settings);
        b.add("p1", "ppa", R"("data":{"url":"http://a"},"verified":true)").ok(201);
        b.release(b.held("t1", "ppa")).ok();
        b.run_effects();
    }
    Bench b;
};

TEST_F(CleaningBench, ATaskIsPutOnceWithAKeyOfTheFence) {
    make_dirty();
    ASSERT_EQ(b.calls.size(), 1u);
    auto const fence = b.resource("p1").fence;
    EXPECT_EQ(b.calls[0].body,
              fmt::format(R"({{"payload":{{"resource":"p1","type":"ppa","fence":{0},"data":{{"url":"http://a"}}}},"key":"p1",)"
                          R"("unique":{{"key":"p1/{0}","mode":"single_flight"}},"delay_ms":0}})",
                          fence));
    EXPECT_EQ(b.calls[0].headers.back().first, "Idempotency-Key");
    b.get("/pool/v1/resources/p1").ok().has(R"("clean_task":"t_1")");
}

TEST_F(CleaningBench, AQueueThatRefusesIsTold) {
    b.hook = [](client::Request const&) { return client::Reply{.status = 422, .body = "{}"}; };
    make_dirty();
    b.get("/pool/v1/resources/p1").ok().has(R"("trouble":"effect_refused: the target answered 422")");
    b.hook = {};
    b.post("/pool/v1/resources/p1/clean", "{}").ok();
    b.run_effects();
    b.get("/pool/v1/resources/p1").ok().has(R"("clean_task":"t_1")").lacks("trouble");
}

TEST_F(CleaningBench, AWorkerBeginsIsHeardOfAndEnds) {
    make_dirty(R"({"clean_ms":60000})");
    b.clean("p1", "cleaning", R"("worker":"w1")").ok().has(R"("state":"cleaning")").has(R"("deadline":"2026-01-01T12:01:00Z")");
    b.pass(Duration::seconds(50));
    b.clean("p1", "cleaning/heartbeat", R"("worker":"w1","progress":"half of it")").ok();
    b.pass(Duration::seconds(50));
    b.get("/pool/v1/resources/p1").ok().has(R"("by":"w1")").has("half of it");
    auto const fence = b.resource("p1").fence;
    b.clean("p1", "cleaned", R"("worker":"w1")").ok().has(R"("state":"free")");
    b.post("/pool/v1/resources/p1/cleaned", fmt::format(R"({{"fence":{},"worker":"w1"}})", fence)).ok().wrote_nothing();
    EXPECT_EQ(b.state_of("p1"), "free");
}

TEST_F(CleaningBench, AnOldFenceOrAnotherWorkerIsRefusedByName) {
    make_dirty(R"({"clean_ms":60000})");
    auto const fence = b.resource("p1").fence;
    auto say = [&](std::string const& what, std::uint64_t f, std::string const& worker) {
        return b.post("/pool/v1/resources/p1/" + what, fmt::format(R"({{"fence":{},"worker":"{}"}})", f, worker));
    };
    say("cleaning", fence - 1, "w1").fails(409, "cleaning_lost").has(fmt::format("fence {} is over", fence - 1));
    say("cleaning", fence + 1, "w1").fails(409, "cleaning_lost");
    say("cleaning", fence, "w1").ok();
    say("cleaning", fence, "w2").ok();  // the queue gave the task to another
    say("cleaned", fence, "w1").fails(409, "cleaning_lost").has("being cleaned by w2");
    say("cleaned", fence, "w2").ok();
    b.held("t2", "ppa", "", R"("owner":"bob")");
    say("cleaned", fence, "w2").fails(409, "cleaning_lost").has("held by bob");
    say("cleaning/heartbeat", fence, "w2").fails(409, "cleaning_lost");
    b.post("/pool/v1/resources/none/cleaned", R"({"fence":1})").fails(404, "resource_not_found");
    b.post("/pool/v1/resources/p1/cleaned", "{}").fails(400, "body_invalid");
}

TEST_F(CleaningBench, FailuresWaitLongerThenEndInQuarantine) {
    make_dirty(R"({"clean_attempts":3,"clean_wait_ms":1000})");
    auto fence = b.resource("p1").fence;
    for (auto const* delay : {R"("delay_ms":1000)", R"("delay_ms":2000)"}) {
        b.clean("p1", "clean_failed", R"("reason":"it is locked")").ok().has(R"("state":"dirty")");
        EXPECT_GT(b.resource("p1").fence, fence);
        fence = b.resource("p1").fence;
        b.run_effects();
        EXPECT_NE(b.calls.back().body.find(delay), std::string::npos) << b.calls.back().body;
    }
    b.clean("p1", "clean_failed", R"("reason":"it is locked")").ok().has(R"("state":"quarantined")");
    auto const calls = b.calls.size();
    b.run_effects();
    EXPECT_EQ(b.calls.size(), calls);
    b.get("/pool/v1/resources/p1").ok().has("it is locked").has(R"("clean_failures":3)");
    b.post("/pool/v1/resources/p1/free", "{}").ok().has(R"("state":"dirty")");
}

TEST_F(CleaningBench, ASilentWorkerHasFailed) {
    make_dirty(R"({"clean_ms":60000})");
    b.clean("p1", "cleaning", R"("worker":"w1")").ok();
    b.pass(Duration::seconds(60));
    EXPECT_EQ(b.state_of("p1"), "dirty");
    b.get("/pool/v1/resources/p1").ok().has("w1 fell silent");
    b.run_effects();
    EXPECT_EQ(b.calls.size(), 2u);
}

TEST_F(CleaningBench, NothingIsFreeThatWasNotVerified) {
    make_dirty(R"({"verification":"worker"})");
    b.clean("p1", "cleaned").fails(422, "resource_unverified");
    b.clean("p1", "cleaned", R"("verified":false)").fails(422, "resource_unverified");
    b.clean("p1", "cleaned", R"("verified":true)").ok();
    b.add("p2", "ppa").ok(201).has(R"("state":"dirty")");
    b.add("p3", "ppa", R"("state":"free")").fails(422, "resource_unverified");
    b.post("/pool/v1/resources/p1/quarantine", "{}").ok();
    b.post("/pool/v1/resources/p1/free", "{}").ok().has(R"("state":"dirty")");
}

TEST_F(CleaningBench, AHookVerifies) {
    std::string answer = R"({"verified":false,"detail":"two packages are left"})";
    int status = 200;
    b.hook = [&](client::Request const& request) -> client::Reply {
        return request.target == "http://verify.example/" ? client::Reply{.status = status, .body = answer}
                                                          : client::Reply{.status = 200, .body = "{}"};
    };
    make_dirty(R"({"verification":"hook","verify_url":"http://verify.example/","clean_attempts":9})");
    b.clean("p1", "cleaned").ok(202).has(R"("state":"cleaning")");
    b.clean("p1", "cleaned").fails(409, "cleaning_lost").has("being verified");
    b.run_effects();
    b.get("/pool/v1/resources/p1").ok().has("two packages are left").has(R"("state":"dirty")");
    for (auto const* bad : {"<html>Bad gateway</html>", R"({"verified":"yes"})", R"([1)", "{}"}) {
        answer = bad;
        b.clean("p1", "cleaned").ok(202);
        b.run_effects();
        b.get("/pool/v1/resources/p1").ok().has("hook_answer_invalid").has(R"("state":"dirty")");
    }
    answer = R"({"verified":true})";
    b.clean("p1", "cleaned").ok(202);
    b.run_effects();
    EXPECT_EQ(b.state_of("p1"), "free");
}

TEST_F(CleaningBench, AHookThatGivesNoAnswerFreesNothing) {
    b.hook = [](client::Request const& request) -> client::Reply {
        return {.status = request.target.starts_with("http") ? 0 : 200, .body = "{}"};
    };
    make_dirty(R"({"verification":"hook","verify_url":"http://verify.example/","clean_ms":30000})");
    b.clean("p1", "cleaned").ok(202);
    b.run_effects();
    EXPECT_EQ(b.state_of("p1"), "cleaning");
    b.pass(Duration::seconds(30));
    b.get("/pool/v1/resources/p1").ok().has("the hook that verifies gave no answer").has(R"("state":"dirty")");
}

TEST_F(CleaningBench, WhatIsStuckIsToldAndItsTaskAskedForAgain) {
    make_dirty(R"({"dirty_alert_ms":60000})");
    b.pass(Duration::seconds(59));
    b.get("/pool/v1/resources?stuck=true").ok().lacks("p1");
    b.pass(Duration::seconds(1));
    b.get("/pool/v1/resources?stuck=true").ok().has("p1");
    b.get("/pool/v1/types/ppa").ok().has(R"("stuck":1)");
    b.run_effects();
    ASSERT_EQ(b.calls.size(), 2u);
    EXPECT_EQ(b.calls[0].body, b.calls[1].body) << "the same task";
    b.clean_up("p1");
    b.get("/pool/v1/types/ppa").ok().has(R"("stuck":0)");
}

}  // namespace
}  // namespace gantry::pool
