// How tasks come in, and what a second one of a unique key comes to.
#include "services/queue/queue_test.h"

namespace gantry::queue {
namespace {

TEST(Put, ATaskIsReadyAndTheFirstPutMakesItsQueue) {
    Queue q;
    q.get("/queue/v1/queues/mail").fails(404, "queue_not_found");
    auto const reply = q.put(R"("tags":["a","b"],"key":"ann","headers":{"X-Trace":"1"})").ok(201).as<PutReply>();
    EXPECT_EQ(reply.id.n, 1u);
    EXPECT_EQ(reply.state, TaskState::ready);
    auto const whole = q.show(1).ok().as<WholeTask>();
    EXPECT_EQ(whole.payload->text, "1");
    EXPECT_EQ(whole.headers.at("X-Trace"), "1");
    EXPECT_EQ(whole.task.tags, (std::vector<std::string>{"a", "b"}));
    EXPECT_EQ(whole.task.key, "ann");
    EXPECT_EQ(whole.task.priority, priority_default);
    EXPECT_EQ(whole.task.put_at, noon);
    auto const view = q.view();
    EXPECT_EQ(view.counts.ready, 1u);
    EXPECT_EQ(view.depth, 1u);
    EXPECT_EQ(view.oldest_age_ms, 0);
}

TEST(Put, PayloadsAreJsonBytesOrElsewhere) {
    Queue q;
    auto put = [&](std::string const& body) { return q.post("/queue/v1/queues/mail/tasks", body); };
    put(R"({"payload_base64":"AAEC","content_type":"image/png"})").ok(201);
    q.show(1).ok().has(R"("payload_base64":"AAEC")").has(R"("content_type":"image/png")").lacks(R"("payload":)");
    put(R"({"payload_url":"https://blobs.example/x","payload_digest":"sha256:00"})").ok(201);
    q.show(2).ok().has(R"("payload_url":"https://blobs.example/x")");
    auto const leases = q.leases(R"("max":2)");
    ASSERT_EQ(leases.size(), 2u);
    EXPECT_EQ(leases[0].payload_base64->data, std::string("\0\1\2", 3));
    EXPECT_EQ(leases[1].payload_digest, "sha256:00");
}

TEST(Put, WhatMakesNoSenseIsRefused) {
    Queue q;
    q.set(R"("payload_bytes_max":10)");
    struct {
        char const* body;
        int status;
        char const* code;
    } const rows[] = {
        {R"({})", 422, "payload_invalid"},
        {R"({"payload":1,"payload_base64":"AA=="})", 422, "payload_invalid"},
        {R"({"payload":1,"content_type":"text/plain"})", 422, "payload_invalid"},
        {R"({"payload_url":"https://x"})", 422, "payload_invalid"},
        {R"({"payload":"12345678"})", 201, ""},
        {R"({"payload":"123456789"})", 413, "payload_too_large"},
        {R"({"payload":1,"priority":-1})", 400, "body_invalid"},
        {R"({"payload":1,"priority":4294967296})", 400, "body_invalid"},
        {R"({"payload":1,"priority":4294967295})", 201, ""},
        {R"({"payload":1,"delay_ms":1,"due_at":"2026-01-02T12:00:00Z"})", 422, "due_twice"},
        {R"({"payload":1,"tags":["a","a"]})", 422, "tags_invalid"},
        {R"({"payload":1,"tags":["a\nb"]})", 422, "tags_invalid"},
        {R"({"payload":1,"unique":{"key":"k","mode":"debounce"}})", 422, "unique_invalid"},
        {R"({"payload":1,"group":"g","unique":{"key":"k","mode":"replace"}})", 422, "unique_invalid"},
        {R"({"payload":1,"unique":{"key":"k","mode":"sometimes"}})", 400, "body_invalid"},
    };
    for (auto const& row : rows) {
        auto said = q.post("/queue/v1/queues/mail/tasks", row.body);
        if (row.status == 201)
            said.ok(201);
        else
            said.fails(row.status, row.code).wrote_nothing();
    }
    q.post("/queue/v1/queues/-x/tasks", R"({"payload":1})").fails(422, "queue_name_invalid");
    q.post("/queue/v1/queues/a%20b/tasks", R"({"payload":1})").fails(422, "queue_name_invalid");
}

TEST(Put, AFullQueueRefuses) {
    Queue q;
    q.set(R"("depth_max":2)");
    q.put().ok(201), q.put().ok(201);
    q.put().fails(429, "queue_full");
    q.say(q.lease(), "complete").ok();
    q.put().ok(201);
}

TEST(Put, ADelayedTaskWaitsForItsTime) {
    Queue q;
    EXPECT_EQ(q.put(R"("delay_ms":5000)").as<PutReply>().state, TaskState::delayed);
    q.put(R"("due_at":"2026-01-01T12:00:03Z")").ok(201);
    EXPECT_EQ(q.put(R"("due_at":"2026-01-01T11:00:00Z")").as<PutReply>().state, TaskState::ready) << "it was due before";
    EXPECT_EQ(q.taken(), (Ids{3}));
    q.pass(Duration::millis(2999));
    EXPECT_EQ(q.taken(), Ids{});
    q.pass(Duration::millis(1));
    EXPECT_EQ(q.taken(), (Ids{2}));
    q.pass(Duration::millis(2000));
    EXPECT_EQ(q.taken(), (Ids{1}));
}

TEST(Unique, RejectAndSingleFlight) {
    Queue q;
    std::string const reject = R"("unique":{"key":"k"})", single = R"("unique":{"key":"k","mode":"single_flight"})";
    q.put(reject).ok(201);
    q.put(reject).fails(409, "task_exists").wrote_nothing();
    q.put(single).ok().has(R"("outcome":"exists")").has(R"("id":"t_1")").wrote_nothing();
    q.put(reject, "other").ok(201);
    auto const lease = q.lease();
    q.put(reject).fails(409, "task_exists");
    q.say(lease, "complete").ok();
    q.put(single).ok(201).has(R"("id":"t_3")");
}

TEST(Unique, AWindowOutlivesTheTask) {
    Queue q;
    std::string const once = R"("unique":{"key":"k","window_ms":10000})";
    q.put(once).ok(201);
    q.say(q.lease(), "complete").ok();
    q.put(once).fails(409, "task_exists");
    q.pass(Duration::seconds(10));
    q.put(once).ok(201);
}

TEST(Unique, ReplaceKeepsThePlaceAndTakesTheNewestContent) {
    Queue q;
    std::string const replace = R"("unique":{"key":"k","mode":"replace"})";
    q.put(replace).ok(201), q.put().ok(201);
    q.put(replace).ok().has(R"("outcome":"replaced")").has(R"("id":"t_1")");
    auto const first = q.leases();
    ASSERT_EQ(first.size(), 1u);
    EXPECT_EQ(first[0].task.n, 1u);
    EXPECT_EQ(first[0].payload->text, "3");
    q.put(replace).ok(201).has(R"("id":"t_3")");
    q.put(replace).ok().has(R"("id":"t_3")");
    q.say(first[0].lease, "complete").ok();
    q.put(replace).ok().has(R"("id":"t_3")");
}

TEST(Unique, DebounceWaitsForTheLast) {
    Queue q;
    std::string const debounce = R"("unique":{"key":"k","mode":"debounce","window_ms":5000})";
    q.put(debounce).ok(201).has(R"("state":"delayed")");
    q.pass(Duration::seconds(4));
    q.put(debounce).ok().has(R"("outcome":"replaced")");
    q.pass(Duration::seconds(4));
    EXPECT_EQ(q.taken(), Ids{});
    q.pass(Duration::seconds(1));
    auto const leases = q.leases();
    ASSERT_EQ(leases.size(), 1u);
    EXPECT_EQ(leases[0].payload->text, "2");
}

TEST(Unique, ThrottleLetsOneThroughInAWindow) {
    Queue q;
    std::string const throttle = R"("unique":{"key":"k","mode":"throttle","window_ms":5000})";
    q.put(throttle).ok(201);
    q.say(q.lease(), "complete").ok();
    q.put(throttle).ok().has(R"("outcome":"throttled")").has(R"("id":"t_1")");
    q.pass(Duration::seconds(5));
    q.put(throttle).ok(201).has(R"("id":"t_2")");
}

TEST(Groups, RunOneAtATimeInOrder) {
    Queue q;
    std::string const g = R"("group":"g")";
    q.put(g).ok(201), q.put(g).ok(201).has(R"("state":"behind")"), q.put(g + R"(,"priority":0)").ok(201), q.put(R"("group":"h")").ok(201);
    EXPECT_EQ(q.taken(), (Ids{1, 4}));
    EXPECT_EQ(q.state_of(2), TaskState::behind);
    auto const lease = q.show(1).as<WholeTask>().task.lease;
    ASSERT_TRUE(lease);
    q.say(fmt::format("l_1_{}", lease->fence), "fail", R"({"retry_after_ms":1000})").ok();
    EXPECT_EQ(q.taken(), Ids{}) << "a failed one holds its group up";
    q.pass(Duration::seconds(1));
    EXPECT_EQ(q.taken(), (Ids{1}));
    q.say(fmt::format("l_1_{}", q.show(1).as<WholeTask>().task.lease->fence), "complete").ok();
    EXPECT_EQ(q.taken(), (Ids{2}));
}

TEST(Groups, GoOnWithoutWhatWasPutAsideAndTakeItBack) {
    Queue q;
    std::string const g = R"("group":"g")";
    q.put(g).ok(201), q.put(g).ok(201), q.put(g).ok(201);
    q.say(q.lease(), "bury").ok();
    EXPECT_EQ(q.state_of(2), TaskState::ready);
    q.post("/queue/v1/tasks/t_1/kick", "{}").ok();
    EXPECT_EQ(q.state_of(2), TaskState::behind) << "the earlier one is back";
    EXPECT_EQ(q.taken(), (Ids{1}));
    q.call("DELETE", "/queue/v1/tasks/t_2").ok();
    EXPECT_EQ(q.state_of(3), TaskState::behind);
}

}  // namespace
}  // namespace gantry::queue
