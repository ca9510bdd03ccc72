// What is told of queues at /metrics.
#include "services/queue/metrics.h"

#include "services/queue/queue_test.h"

namespace gantry::queue {
namespace {

class Metrics : public ::testing::Test, protected Queue {
   protected:
    std::vector<OwnMetric> told() { return metrics(state(), clock().wall()); }
    // The value of a series, its labels written as "queue=mail,state=ready"; nothing: there is none.
    std::optional<double> value(std::string_view name, std::string_view labels) {
        for (auto const& metric : told())
            for (auto const& sample : metric.samples) {
                std::string text;
                for (auto const& [label, is] : sample.labels) text += fmt::format("{}{}={}", text.empty() ? "" : ",", label, is);
                if (metric.name == name && text == labels) return sample.value;
            }
        return {};
    }
    std::optional<double> tasks(std::string_view state, std::string_view queue = "mail") {
        return value("gantry_queue_tasks", fmt::format("queue={},state={}", queue, state));
    }
    std::optional<double> oldest(std::string_view queue = "mail") {
        return value("gantry_queue_oldest_ready_seconds", fmt::format("queue={}", queue));
    }
};

TEST_F(Metrics, DepthByStateAndTotals) {
    for (int i = 0; i < 5; ++i) put().ok(201);
    put(R"("delay_ms":60000)").ok(201);
    auto const one = lease(), two = lease(), three = lease();
    say(one, "complete").ok();
    say(two, "fail", R"({"final":true})").ok();
    say(three, "bury").ok();
    lease();
    for (auto const& [state, count] :
         std::map<std::string, double>{{"ready", 1}, {"delayed", 1}, {"behind", 0}, {"leased", 1}, {"buried", 1}, {"dead", 1}, {"done", 0}})
        EXPECT_EQ(tasks(state), count) << state;
    EXPECT_EQ(value("gantry_queue_put_total", "queue=mail"), 6);
    EXPECT_EQ(value("gantry_queue_completed_total", "queue=mail"), 1);
    EXPECT_EQ(value("gantry_queue_failed_total", "queue=mail,ending=failed"), 1);
    EXPECT_EQ(value("gantry_queue_failed_total", "queue=mail,ending=expired"), 0);
    pass(Duration::seconds(100));
    EXPECT_EQ(value("gantry_queue_failed_total", "queue=mail,ending=expired"), 1);
    EXPECT_EQ(value("gantry_queue_queues", ""), 1);
    EXPECT_EQ(value("gantry_queue_paused", "queue=mail"), 0);
    post("/queue/v1/queues/mail/pause", "{}").ok();
    EXPECT_EQ(value("gantry_queue_paused", "queue=mail"), 1);
}

TEST_F(Metrics, TheOldestIsTheOneThatWaitsForAWorkerLongest) {
    put(R"("delay_ms":3600000)").ok(201);
    EXPECT_EQ(oldest(), 0) << "a delayed one waits for its time";
    pass(Duration::seconds(10));
    put(R"("key":"a","priority":5000)").ok(201);
    pass(Duration::seconds(10));
    put(R"("key":"b","priority":0)").ok(201);
    pass(Duration::seconds(30));
    EXPECT_EQ(oldest(), 40);
    pass(Duration::seconds(3550));
    EXPECT_EQ(oldest(), 3590) << "the first one is due now, and was no task to be had before";
    EXPECT_EQ(taken(3).size(), 3u);
    EXPECT_EQ(oldest(), 0);
}

TEST_F(Metrics, BehindManyThatAreWithWorkersTheNextOnesAreLookedAt) {
    for (int i = 0; i < 50; ++i) put(R"("delay_ms":3600000)").ok(201);
    pass(Duration::seconds(5));
    put().ok(201);
    pass(Duration::seconds(20));
    auto const* row = state().queue("mail");
    EXPECT_EQ(oldest_ready(state(), *row, clock().wall(), 1000), Duration::seconds(20));
    EXPECT_EQ(oldest_ready(state(), *row, clock().wall(), 10), Duration::seconds(20));
}

TEST_F(Metrics, HowLongTasksWaitAndRun) {
    EXPECT_EQ(value("gantry_queue_task_wait_seconds", "queue=mail,quantile=0.5"), std::nullopt);
    put().ok(201);
    pass(Duration::seconds(8));
    auto const got = lease();
    EXPECT_NEAR(value("gantry_queue_task_wait_seconds", "queue=mail,quantile=0.5").value_or(0), 8, 2);
    pass(Duration::seconds(2));
    say(got, "complete").ok();
    EXPECT_NEAR(value("gantry_queue_task_run_seconds", "queue=mail,quantile=0.99").value_or(0), 2, 0.5);
    pass(Duration::hours(3));
    EXPECT_EQ(value("gantry_queue_task_run_seconds", "queue=mail,quantile=0.99"), std::nullopt) << "of hours ago, it says nothing of now";
}

TEST_F(Metrics, OfMoreThanAHundredQueuesTheBusiestHaveNames) {
    for (int q = 0; q < 103; ++q) put("", fmt::format("q{:03}", q)).ok(201);
    put("", "q102").ok(201);
    pass(Duration::seconds(7));
    EXPECT_EQ(tasks("ready", "q102"), 2) << "most was put into it";
    EXPECT_EQ(tasks("ready", "q000"), 1);
    EXPECT_EQ(tasks("ready", "q101"), std::nullopt);
    EXPECT_EQ(tasks("ready", "*"), 3);
    EXPECT_EQ(oldest("*"), 7);
    EXPECT_EQ(value("gantry_queue_put_total", "queue=*"), 3);
    EXPECT_EQ(value("gantry_queue_queues", ""), 103);
    for (auto const& metric : told()) EXPECT_LE(metric.samples.size(), 101 * task_states) << metric.name;
}

}  // namespace
}  // namespace gantry::queue
