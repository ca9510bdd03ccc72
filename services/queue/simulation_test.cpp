// A world of producers, workers and clocks, decided by a seed. After each step: a completed task never runs again, no task has two live
// holders, a group runs one at a time in its order; and in the end every task that was put was done once, or is where somebody put it.
#include <map>
#include <set>

#include "services/queue/queue_test.h"

namespace gantry::queue {
namespace {

class World {
   public:
    explicit World(std::uint64_t seed) : random_(seed) {
        q_.set(R"("attempts_max":0,"backoff_ms":100,"backoff_max_ms":1000,"concurrency_per_key_max":3)");
        q_.set(R"("attempts_max":0,"backoff_ms":0,"rate_max":50,"rate_window_ms":1000,"weights":{"k1":3})", "b");
    }
    void steps(int count) {
        for (int i = 0; i < count && !::testing::Test::HasFailure(); ++i) step();
    }
    // Whoever is left is done: within as many rounds as tasks can wait for one another.
    void finish() {
        for (auto const& [number, task] : tasks_)
            if (task.aside) q_.post(fmt::format("/queue/v1/tasks/t_{}/kick", number), "{}").ok();
        for (auto& [number, task] : tasks_) task.aside = false;
        for (int round = 0; round < 3000 && live() > 0 && !::testing::Test::HasFailure(); ++round) {
            pass(Duration::millis(500));
            take(100);
            for (auto const& [lease, number] : std::map(held_)) complete(lease, number);
        }
        EXPECT_EQ(live(), 0u) << "some were never given to anybody";
        for (auto const* queue : {"mail", "b"}) EXPECT_EQ(q_.view(queue).depth, 0u);
    }

   private:
    struct Task {
        std::string queue, group;
        bool done = false, aside = false;
        std::string lease;  // empty: nobody has it
        Time until;
        std::uint64_t fence = 0;
    };
    std::uint64_t below(std::uint64_t n) { return random_.next() % n; }
    std::size_t live() const {
        return std::size_t(std::ranges::count_if(tasks_, [](auto const& t) { return !t.second.done; }));
    }
    void step() {
        switch (below(14)) {
            case 0:
            case 1:
            case 2:
            case 3: return put();
            case 4:
            case 5: return take(1 + below(4));
            case 6: return pass(Duration::millis(std::int64_t(below(700))));
            case 7: return pass(Duration::millis(std::int64_t(below(9000))));
            case 8: return restart();
            case 9: return late_word();
            default: return work();
        }
    }
    void put() {
        std::string const queue = below(2) ? "mail" : "b";
        std::string more = fmt::format(R"("priority":{})", below(3));
        std::string group;
        if (below(3) == 0) more += fmt::format(R"(,"key":"k{}")", below(4));
        if (below(3) == 0) group = fmt::format("g{}", below(3)), more += fmt::format(R"(,"group":"{}")", group);
        if (below(4) == 0) more += fmt::format(R"(,"delay_ms":{})", below(3000));
        tasks_[q_.put_id(more, queue)] = {.queue = queue, .group = group};
    }
    void take(std::uint64_t max) {
        for (auto const* queue : {"mail", "b"})
            for (auto const& lease : q_.leases(fmt::format(R"("max":{},"lease_ms":5000)", max), queue)) {
                auto& task = tasks_.at(lease.task.n);
                EXPECT_FALSE(task.done) << "t_" << lease.task.n << " runs again";
                EXPECT_FALSE(task.aside) << "t_" << lease.task.n << " was put aside";
                EXPECT_TRUE(task.lease.empty() || task.until <= q_.clock().wall()) << "t_" << lease.task.n << " has two holders";
                EXPECT_GT(lease.fence, task.fence);
                check_group(lease.task.n, task);
                drop(task);
                task.lease = lease.lease, task.until = lease.deadline, task.fence = lease.fence;
                held_[lease.lease] = lease.task.n;
            }
    }
    void check_group(std::uint64_t number, Task const& task) {
        if (task.group.empty()) return;
        for (auto const& [other, t] : tasks_)
            if (other < number && t.queue == task.queue && t.group == task.group)
                EXPECT_TRUE(t.done || t.aside) << "t_" << number << " before t_" << other << " of its group";
    }
    void drop(Task& task) {
        if (!task.lease.empty()) past_.insert(task.lease), held_.erase(task.lease);
        task.lease.clear();
    }
    void complete(std::string const& lease, std::uint64_t number) {
        auto& task = tasks_.at(number);
        auto said = q_.say(lease, "complete");
        task.done = said.status() == 200;  // after a restart a lease holds for longer
        if (!task.done) {
            EXPECT_LE(task.until, q_.clock().wall());
            said.fails(409, "lease_lost");
        }
        drop(task);
    }
    void work() {
        if (held_.empty()) return take(1);
        auto it = held_.begin();
        std::advance(it, std::ptrdiff_t(below(held_.size())));
        auto const [lease, number] = *it;
        auto& task = tasks_.at(number);
        if (task.until <= q_.clock().wall()) return complete(lease, number);
        switch (below(6)) {
            case 0: q_.say(lease, "fail", R"({"reason":"x"})").ok(); return drop(task);
            case 1: q_.say(lease, "release", R"({"delay_ms":50})").ok(); return drop(task);
            case 2:
                q_.say(lease, "bury").ok();
                task.aside = true;
                return drop(task);
            case 3: task.until = *q_.say(lease, "extend", R"({"lease_ms":5000})").ok().as<LeaseSaid>().deadline; return;
            default: return complete(lease, number);
        }
    }
    void late_word() {
        if (past_.empty()) return;
        auto it = past_.begin();
        std::advance(it, std::ptrdiff_t(below(past_.size())));
        char const* const verbs[] = {"complete", "extend", "fail", "release", "bury"};
        q_.say(*it, verbs[below(5)]).fails(409, "lease_lost").wrote_nothing();
    }
    void pass(Duration time) { q_.pass(time); }
    void restart() { q_.restart(), q_.tick(); }

    Queue q_;
    SeededRandom random_;
    std::map<std::uint64_t, Task> tasks_;
    std::map<std::string, std::uint64_t> held_;  // leases by their holders' word
    std::set<std::string> past_;
};

TEST(Simulation, NothingIsLostAndNothingRunsTwice) {
    for (std::uint64_t seed = 1; seed <= 12 && !::testing::Test::HasFailure(); ++seed) {
        SCOPED_TRACE("seed " + std::to_string(seed));
        World world(seed);
        world.steps(150);
        world.finish();
    }
}

TEST(Starvation, TheLeastUrgentTaskRunsThoughMoreUrgentOnesKeepComing) {
    Queue q;
    q.set(R"("ageing_ms":100)");
    auto const patient = q.put_id(R"("priority":50)");
    for (int round = 0; round < 200; ++round) {
        q.put(R"("priority":0)"), q.put(R"("priority":0)");
        auto const taken = q.taken(1);
        if (taken == Ids{patient}) {
            EXPECT_LE(round, 101) << "5 s make up for 50 steps of 100 ms, and 50 of those that came sooner still wait then";
            return;
        }
        q.pass(Duration::millis(100));
    }
    ADD_FAILURE() << "it starved";
}

}  // namespace
}  // namespace gantry::queue
