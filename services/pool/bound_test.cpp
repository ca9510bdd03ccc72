// Leases that end with a job, a login or a task of the queue.
#include "services/pool/pool_test.h"
#include "services/queue/contract.h"

namespace gantry::pool {
namespace {

// A queue of which nothing but its facts matters.
struct TasksState {
    state::Marks marks;
    Outbox outbox;
    template <class Fact>
    void apply(Fact const&) {}
};
STATE(TasksState, marks, outbox);
struct Nothing {
    bool nothing = true;
};
RECORD(Nothing, nothing);
template <class Args>
Result<Nothing> do_nothing(Args const&, Outside&) {
    return Nothing{};
}
template <class Args>
std::vector<queue::Event> nothing_came(TasksState const&, Args const&, Result<Nothing> const&, Ctx const&) {
    return {};
}
struct Tasks {
    using State = TasksState;
    using Event = queue::Event;
    static constexpr std::string_view name = queue::Source::name;
    static std::vector<Route> routes() { return {}; }
    static std::vector<EffectKind> effects() {
        return {effect<Tasks>(&do_nothing<queue::KeepSome>, &nothing_came<queue::KeepSome>),
                effect<Tasks>(&do_nothing<queue::ReadSource>, &nothing_came<queue::ReadSource>)};
    }
};

class BoundBench : public ::testing::Test {
   protected:
    BoundBench() { b.put_type("vm", R"({"cleaning":"none"})"), b.add_many("vm", 2); }
    static std::string to(std::string const& what) { return fmt::format(R"("bound_to":"{}")", what); }
    Bench b;
};

TEST_F(BoundBench, WhatIsBoundToAJobEndsWithIt) {
    b.as("ann").acquire("t1", "vm", "", to("job/7")).ok().has(R"("bound_to":"job/7")");
    b.acquire("t2", "vm", "", to("job/8")).ok();
    b.acquire("t3", "vm", R"("count":2)", to("job/7")).ok(202);
    b.as("bob").acquire("t4", "vm").ok(202);
    b.as("ann").post("/pool/v1/ended", R"({"bound_to":"job/7","reason":"it was cancelled"})").ok().has(R"("tickets":["t3"])");
    EXPECT_EQ(b.given("t4"), std::vector<std::string>{"vm-2"}) << "who waited has it";
    EXPECT_EQ(b.given("t2").size(), 1u);
    b.get("/pool/v1/tickets/t1").ok().has(R"("state":"over")");
    b.get("/pool/v1/tickets/t3/why").ok().has("it was cancelled");
    b.get("/pool/v1/leases?over=true").ok().has(R"("how":"bound_over")");
    b.post("/pool/v1/ended", R"({"bound_to":"job/7"})").ok().wrote_nothing().has(R"("leases":[])");
    b.post("/pool/v1/ended", R"({})").fails(400, "body_invalid");
    b.acquire("t5", "vm", "", to("")).fails(400, "body_invalid");
}

TEST_F(BoundBench, WhatIsOfOthersIsLeftAlone) {
    b.as("ann").acquire("t1", "vm", "", R"("owner":"ci",)" + to("login/1")).ok();
    b.as("bob").post("/pool/v1/ended", R"({"bound_to":"login/1"})").fails(403, "lease_of_another");
    b.acquire("t2", "vm", "", to("login/1")).ok();
    b.post("/pool/v1/ended", R"({"bound_to":"login/1"})").ok().has(R"("of_others":1)");
    EXPECT_EQ(b.given("t1").size(), 1u);
    b.post("/pool/v1/ended", R"({"bound_to":"login/1","owner":"ci"})").ok();
    EXPECT_TRUE(b.given("t1").empty());
}

TEST_F(BoundBench, WhatIsBoundToATaskEndsOnceThatIsOver) {
    Harness<Tasks> tasks;
    b.acquire("t1", "vm", "", to("queue:t_5")).ok();
    b.acquire("t2", "vm", "", to("queue:t_6")).ok();
    b.acquire("t3", "vm", "", to("queue:t_7")).ok(202);
    tasks.given(queue::Failed{.id = queue::TaskId{5}, .retry_at = noon}, queue::Completed{.id = queue::TaskId{4}});
    b.follow(tasks);
    EXPECT_EQ(b.given("t1").size(), 1u) << "it is tried again";
    tasks.given(queue::Completed{.id = queue::TaskId{5}}, queue::Failed{.id = queue::TaskId{6}},
                queue::Deleted{{queue::TaskId{7}, queue::TaskId{8}}});
    b.follow(tasks);
    for (auto const* ticket : {"t1", "t2"}) b.get(std::string("/pool/v1/tickets/") + ticket).ok().has(R"("state":"over")");
    b.get("/pool/v1/resources/vm-2/history").ok().has("task t_5 is done").has("bound_over");
    b.get("/pool/v1/tickets/t3").ok().has(R"("state":"over")");
    EXPECT_EQ(b.state().type("vm")->count(free_), 2u);
}

}  // namespace
}  // namespace gantry::pool
