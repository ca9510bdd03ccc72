// Seeing and changing tasks without taking them.
#include "services/queue/queue_test.h"

namespace gantry::queue {
namespace {

class Inspect : public ::testing::Test {
   protected:
    Inspect() {
        q.put(R"("key":"ann","tags":["red"])");               // 1
        q.put(R"("key":"bob","tags":["red","blue"])");        // 2
        q.put(R"("key":"ann","delay_ms":60000)");             // 3
        q.put(R"("key":"ann","group":"g")");                  // 4
        q.put(R"("key":"ann","group":"g","tags":["blue"])");  // 5
        q.put(R"("tags":["red"])", "other");                  // 6
    }
    Queue q;
};

TEST_F(Inspect, ListsBy) {
    struct {
        char const* query;
        Ids ids;
    } const rows[] = {
        {"", {1, 2, 3, 4, 5, 6}},
        {"queue=mail", {1, 2, 3, 4, 5}},
        {"queue=other", {6}},
        {"queue=mail&key=ann", {1, 4, 3, 5}},
        {"queue=mail&key=nobody", {}},
        {"tag=red", {1, 2, 6}},
        {"tag=red&queue=mail", {1, 2}},
        {"tag=blue", {2, 5}},
        {"tag=green", {}},
        {"queue=mail&group=g", {4, 5}},
        {"queue=mail&key=ann&tag=blue", {5}},
        {"queue=mail&key=bob&group=g", {}},
        {"queue=mail&group=g&tag=red", {}},
        {"queue=mail&group=g&tag=blue&state=behind", {5}},
        {"queue=mail&state=delayed", {3}},
        {"queue=mail&state=behind", {5}},
        {"queue=mail&state=ready", {1, 4, 2}},
        {"state=delayed", {3}},
        {"queue=mail&text=4", {4}},
        {"older_than_ms=1", {}},
        {"attempts_min=1", {}},
    };
    for (auto const& row : rows) {
        EXPECT_EQ(q.list(row.query), row.ids) << row.query;
        // And page by page.
        Ids paged;
        std::string cursor;
        for (int pages = 0; pages < 20; ++pages) {
            auto const page = q.get(std::string("/queue/v1/tasks?limit=1&") + row.query + (cursor.empty() ? "" : "&cursor=" + cursor)).ok();
            for (auto const& item : page.as<Page<TaskView>>().items) paged.push_back(item.id.n);
            cursor = page.next();
            if (cursor.empty()) break;
        }
        EXPECT_EQ(paged, row.ids) << row.query << " by pages";
    }
    q.get("/queue/v1/tasks?key=ann").fails(422, "queue_needed");
    q.get("/queue/v1/tasks?queue=none").fails(404, "queue_not_found");
    q.get("/queue/v1/tasks?state=lost").fails(400, "request_invalid");
    q.get("/queue/v1/tasks?cursor=zzz").fails(400, "cursor_invalid");
}

TEST_F(Inspect, Changes) {
    q.call("PATCH", "/queue/v1/tasks/t_5", R"({"payload":{"n":5},"priority":1})").ok();
    auto const whole = q.show(5).as<WholeTask>();
    EXPECT_EQ(whole.payload->text, R"({"n":5})");
    EXPECT_EQ(whole.task.priority, 1u);
    q.call("PATCH", "/queue/v1/tasks/t_3", R"({"delay_ms":0})").ok().has(R"("state":"ready")");
    q.call("PATCH", "/queue/v1/tasks/t_1", R"({"due_at":"2026-01-02T12:00:00Z"})").ok().has(R"("state":"delayed")");
    q.call("PATCH", "/queue/v1/tasks/t_1", R"({})").ok().wrote_nothing();
    q.call("DELETE", "/queue/v1/tasks/t_4").ok();
    EXPECT_EQ(q.state_of(5), TaskState::ready) << "the group goes on";
    q.post("/queue/v1/tasks/t_2/move", R"({"queue":"other"})").ok();
    EXPECT_EQ(q.list("queue=other"), (Ids{2, 6}));
    EXPECT_EQ(q.list("queue=other&key=bob"), (Ids{2}));
    EXPECT_EQ(q.taken(2, "", "other").size(), 2u);
    q.call("DELETE", "/queue/v1/tasks/t_2").fails(409, "task_leased");
    q.post("/queue/v1/tasks/t_2/move", R"({"queue":"mail"})").fails(409, "task_leased");
    q.call("PATCH", "/queue/v1/tasks/t_2", R"({"priority":1})").fails(409, "task_leased");
    q.call("PATCH", "/queue/v1/tasks/t_77", R"({"priority":1})").fails(404, "task_not_found");
}

TEST_F(Inspect, WhyAndWhatNext) {
    q.get("/queue/v1/tasks/t_3/why").ok().has("due at 2026-01-01T12:01:00Z");
    q.get("/queue/v1/tasks/t_5/why").ok().has(R"("behind":"t_4")");
    q.get("/queue/v1/tasks/t_4/why").ok().has("1 tasks of its key come before it");
    q.get("/queue/v1/tasks/t_1/why").ok().has("it is the next one");
    q.get("/queue/v1/tasks/t_2/why").ok().has("turn of another key");
    Ids next;
    for (auto const& task : q.get("/queue/v1/queues/mail/next").ok().as<NextView>().tasks) next.push_back(task.id.n);
    EXPECT_EQ(next, (Ids{1, 2, 4}));
    EXPECT_EQ(q.taken(), next) << "and so it comes";
}

TEST_F(Inspect, PurgeAndDrop) {
    q.call("DELETE", "/queue/v1/queues/mail").fails(409, "queue_not_empty");
    q.post("/queue/v1/queues/mail/purge", R"({"state":"delayed"})").ok().has(R"("changed":1,"left":0)");
    q.post("/queue/v1/queues/mail/purge", R"({"max":2})").ok().has(R"("changed":2,"left":2)");
    q.post("/queue/v1/queues/mail/purge", R"({})").ok().has(R"("changed":2,"left":0)");
    q.call("DELETE", "/queue/v1/queues/mail").ok();
    q.get("/queue/v1/queues/mail").fails(404, "queue_not_found");
    q.put().ok(201).has("t_7");
}

TEST_F(Inspect, HowItWasYesterday) {
    auto const then = q.get("/queue/v1/tasks/t_1").ok().position();
    q.say(q.lease(), "complete").ok();
    q.show(1).fails(410, "task_gone");
    q.get("/queue/v1/tasks?queue=mail&key=ann&as_of=" + then).ok().has(R"("id":"t_1")");
}

TEST_F(Inspect, QueuesKeysAndWorkers) {
    q.lease();
    q.get("/queue/v1/queues?prefix=ma").ok().has(R"("queue":"mail")").lacks("other");
    auto const first = q.get("/queue/v1/queues?limit=1").ok();
    q.get("/queue/v1/queues?limit=1&cursor=" + first.next()).ok().has(R"("queue":"other")");
    q.get("/queue/v1/queues/mail/workers").ok().has(R"("worker":"w1","running":1)");
    q.get("/queue/v1/queues/mail/keys").ok().has(R"("key":"ann")").has(R"("key":"bob")");
    auto const view = q.view();
    EXPECT_EQ(view.keys, 2u);
    EXPECT_EQ(view.workers, 1u);
    EXPECT_EQ(view.wait.count, 1u);
}

}  // namespace
}  // namespace gantry::queue
