// One IO thread, simulated: what is ready waits in the order of its coming, markers among it; serving and refusing take their time.
#include "kernel/runtime/congestion.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <map>

namespace gantry::runtime {
namespace {

constexpr std::int64_t ms = 1000, refusal_us = 10;

struct Flow {
    std::size_t service = 0;
    LoadClass load = LoadClass::read;
    std::int64_t every_us = 0, cost_us = 0;
    std::int64_t from_us = 0, until_us = INT64_MAX;
    bool spared = false;  // as health is: nobody asks whether to take it
};

struct Outcome {
    int served = 0, refused = 0;
    std::vector<std::int64_t> waits_us;  // of those served
    std::int64_t wait_us(double share) {
        std::ranges::sort(waits_us);
        return waits_us.empty() ? 0 : waits_us[std::min(waits_us.size() - 1, std::size_t(share * double(waits_us.size())))];
    }
};

class Thread {
   public:
    explicit Thread(std::size_t services, LoadLimits limits = {}) : congestion(services, limits) {}
    // What became of each flow until `end_us`.
    std::vector<Outcome> run(std::vector<Flow> const& flows, std::int64_t end_us) {
        std::vector<Outcome> outcomes(flows.size());
        std::vector<std::int64_t> next;
        for (auto const& flow : flows) next.push_back(std::max(flow.from_us, now_us));
        while (now_us < end_us) {
            arrive(flows, next);
            if (queue_.empty()) {
                now_us = *std::ranges::min_element(next);
                continue;
            }
            auto const ready = queue_.front();
            queue_.pop_front();
            if (ready.flow < 0)
                congestion.marker_ran(now_us);
            else
                take(flows[std::size_t(ready.flow)], ready.at_us, outcomes[std::size_t(ready.flow)]);
        }
        return outcomes;
    }
    Congestion congestion;
    std::int64_t now_us = 1'000'000;

   private:
    struct Ready {
        std::int64_t at_us;
        int flow;  // -1: a marker
    };
    void arrive(std::vector<Flow> const& flows, std::vector<std::int64_t>& next) {
        std::vector<Ready> came;
        for (std::size_t i = 0; i < flows.size(); ++i)
            for (; next[i] <= now_us && next[i] < flows[i].until_us; next[i] += flows[i].every_us) came.push_back({next[i], int(i)});
        for (std::size_t i = 0; i < flows.size(); ++i)
            if (next[i] >= flows[i].until_us) next[i] = INT64_MAX;
        std::ranges::sort(came, {}, [](Ready const& r) { return std::pair(r.at_us, r.flow); });
        queue_.insert(queue_.end(), came.begin(), came.end());
    }
    void take(Flow const& flow, std::int64_t at_us, Outcome& outcome) {
        congestion.arrived();
        if (congestion.wants_marker(now_us)) congestion.marker_posted(now_us), queue_.push_back({now_us, -1});
        auto const waited_us = now_us - at_us;
        if (!flow.spared && !congestion.admits(now_us, flow.service, flow.load)) {
            ++outcome.refused, now_us += refusal_us;
            return;
        }
        now_us += flow.cost_us;
        ++outcome.served;
        outcome.waits_us.push_back(waited_us);
        congestion.served(now_us, flow.service, flow.cost_us);
    }
    std::deque<Ready> queue_;
};

Flow reads(std::int64_t every_us, std::int64_t cost_us) { return {.every_us = every_us, .cost_us = cost_us}; }

TEST(Congestion, AtTenTimesItsCapacityAThreadServesNearlyAsMuchAsEver) {
    for (std::int64_t const cost_us : {200, 1000, 5000, 50'000}) {
        Thread thread(1);
        auto const end_us = thread.now_us + 10'000 * ms;
        auto got = thread.run({reads(cost_us / 10, cost_us)}, end_us)[0];
        double const peak = 10'000.0 * ms / double(cost_us);
        // What refusing the rest costs by itself can't be had back.
        double const cost = double(cost_us), refusal = refusal_us;
        double const possible = peak * (cost - 10 * refusal) / (cost - refusal);
        EXPECT_GT(got.served, 0.95 * possible) << cost_us;
        EXPECT_LT(got.wait_us(0.95), 2 * 3 * std::max<std::int64_t>(10 * ms, 2 * cost_us) + 3 * cost_us) << cost_us;
    }
}

TEST(Congestion, BelowItsCapacityNothingIsRefused) {
    Thread thread(1);
    auto const got = thread.run({reads(1100, 1000)}, thread.now_us + 10'000 * ms)[0];
    EXPECT_EQ(got.refused, 0);
    EXPECT_GT(got.served, 9000);
}

TEST(Congestion, ABurstThatIsOverWithinTheIntervalIsServedWhole) {
    Thread thread(1);
    auto const at = thread.now_us;
    Flow const burst{.every_us = 10, .cost_us = 1000, .from_us = at + 50 * ms, .until_us = at + 50 * ms + 80 * 10};  // 80 ms of work
    auto const got = thread.run({reads(10 * ms, 100), burst}, at + 1000 * ms);
    EXPECT_EQ(got[1].served, 80);
    EXPECT_EQ(got[0].refused, 0);
}

TEST(Congestion, ALongOneIsNot) {
    Thread thread(1);
    auto const at = thread.now_us;
    Flow const burst{.every_us = 10, .cost_us = 1000, .from_us = at + 50 * ms, .until_us = at + 50 * ms + 1000 * 10};  // a second of work
    auto const got = thread.run({reads(10 * ms, 100), burst}, at + 2000 * ms);
    EXPECT_GT(got[1].refused, 500);
}

TEST(Congestion, OneStallIsNoCongestion) {
    Thread thread(1);
    auto const at = thread.now_us;
    Flow const stall{.every_us = 1'000'000 * ms, .cost_us = 700 * ms, .from_us = at + 100 * ms};
    auto const got = thread.run({reads(10 * ms, 100), stall}, at + 2000 * ms);
    EXPECT_EQ(got[0].refused + got[1].refused, 0);
}

// As where other programs hold the processors: every turn takes long, however few there are.
TEST(Congestion, AFewThatWaitAreNoQueue) {
    Thread thread(1);
    Congestion& congestion = thread.congestion;
    for (auto now_us = thread.now_us; now_us < 20'000 * ms; now_us += 60 * ms) {
        congestion.marker_posted(now_us);
        for (int i = 0; i < 7; ++i) {
            congestion.arrived();
            EXPECT_TRUE(congestion.admits(now_us + i * 7 * ms, 0, LoadClass::bulk));
            congestion.served(now_us + i * 7 * ms, 0, 100);
        }
        congestion.marker_ran(now_us + 50 * ms);
        EXPECT_EQ(congestion.wait_us(now_us + 50 * ms), 50 * ms);
    }
}

TEST(Congestion, WhenTheLoadGoesAllIsServedAgain) {
    Thread thread(1);
    thread.run({reads(100, 1000)}, thread.now_us + 3000 * ms);
    auto const after = thread.now_us;
    thread.run({reads(2000, 1000)}, after + 200 * ms);  // what was left
    EXPECT_EQ(thread.run({reads(2000, 1000)}, after + 5000 * ms)[0].refused, 0);
    EXPECT_FALSE(thread.congestion.is_congested(thread.now_us));
}

TEST(Congestion, AfterAnIdleTimeWhatWasMeasuredBeforeDoesNotCount) {
    Thread thread(1);
    thread.run({reads(100, 1000)}, thread.now_us + 1000 * ms);
    EXPECT_GT(thread.congestion.wait_us(thread.now_us), 0);
    auto const later = thread.now_us + 3'600'000 * ms;
    Congestion idle(1, {});
    idle.marker_posted(1'000 * ms), idle.marker_ran(1'500 * ms);
    EXPECT_EQ(idle.wait_us(1'500 * ms), 500 * ms);
    EXPECT_EQ(idle.wait_us(1'600 * ms), 500 * ms);
    EXPECT_EQ(idle.wait_us(1'601 * ms), 0);
    idle.marker_posted(later);
    EXPECT_FALSE(idle.is_congested(later + 6 * ms)) << "one marker behind is no congestion";
}

TEST(Congestion, WhatIsCheapToRefuseIsRefusedFirst) {
    Thread thread(1);
    // Reads and commands together are half of what can be; bulk is too much by far.
    std::vector<Flow> flows{reads(4 * ms, 1000),
                            {.load = LoadClass::command, .every_us = 4 * ms, .cost_us = 1000},
                            {.load = LoadClass::bulk, .every_us = 500, .cost_us = 2000}};
    auto got = thread.run(flows, thread.now_us + 10'000 * ms);
    // A tenth of a second has piled up before it is seen, and is refused whatever it is.
    EXPECT_LT(got[0].refused, 40);
    EXPECT_LT(got[1].refused, 40);
    EXPECT_GT(got[2].refused, 10'000);
    EXPECT_GT(got[2].served, 1500);
    // And where commands are too much themselves, reads go on.
    flows[1].every_us = 200;
    got = thread.run(flows, thread.now_us + 10'000 * ms);
    EXPECT_LT(got[0].refused, 25);
    EXPECT_GT(got[1].refused, 10'000);
    EXPECT_GT(got[2].refused, 10'000);
}

TEST(Congestion, AServiceDoesNotPayForAnotherOne) {
    Thread thread(2);
    Flow const hog = reads(500, 5000);
    Flow const light{.service = 1, .every_us = 10 * ms, .cost_us = 500};
    auto got = thread.run({hog, light}, thread.now_us + 10'000 * ms);
    EXPECT_EQ(got[1].refused, 0);
    EXPECT_GT(got[0].refused, 10'000);
    EXPECT_LT(got[1].wait_us(0.95), 80 * ms);
}

TEST(Congestion, TwoThatAreBothTooMuchShareTheThread) {
    Thread thread(2);
    Flow second = reads(300, 1000);
    second.service = 1;
    auto const got = thread.run({reads(100, 1000), second}, thread.now_us + 10'000 * ms);
    EXPECT_GT(got[0].served, 3500);
    EXPECT_GT(got[1].served, 1500);
}

TEST(Congestion, WhatIsSparedWaitsLittle) {
    Thread thread(1);
    Flow health{.every_us = 20 * ms, .cost_us = 20};
    health.spared = true;
    auto got = thread.run({reads(100, 1000), health}, thread.now_us + 10'000 * ms);
    EXPECT_EQ(got[1].refused, 0);
    EXPECT_LT(got[1].wait_us(0.95), 65 * ms);
}

TEST(Congestion, WithoutATargetNothingIsMeasuredAndNothingRefused) {
    Thread thread(1, {.target = {}});
    EXPECT_FALSE(thread.congestion.wants_marker(thread.now_us));
    EXPECT_EQ(thread.run({reads(100, 1000)}, thread.now_us + 1000 * ms)[0].refused, 0);
}

TEST(Congestion, TheLimitsHoldOnBothSides) {
    Congestion congestion(1, {.target = Duration::millis(5)});
    auto const measure = [&](std::int64_t at_us, std::int64_t wait_us, int arrived = 8) {
        congestion.marker_posted(at_us - wait_us);
        for (int i = 0; i < arrived; ++i) congestion.arrived();
        congestion.marker_ran(at_us);
    };
    std::int64_t now_us = 10'000 * ms;
    measure(now_us, 6 * ms);
    EXPECT_FALSE(congestion.is_congested(now_us + 50 * ms));
    measure(now_us + 99 * ms, 6 * ms);
    EXPECT_FALSE(congestion.is_congested(now_us + 99 * ms)) << "not for long enough";
    measure(now_us + 100 * ms, 5 * ms);
    EXPECT_FALSE(congestion.is_congested(now_us + 100 * ms)) << "as long as it may";
    measure(now_us + 101 * ms, 6 * ms), measure(now_us + 151 * ms, 6 * ms), measure(now_us + 201 * ms, 6 * ms);
    now_us += 201 * ms;
    EXPECT_TRUE(congestion.is_congested(now_us));
    EXPECT_FALSE(congestion.admits(now_us, 0, LoadClass::bulk));
    measure(now_us, 10 * ms, 7);
    EXPECT_TRUE(congestion.admits(now_us, 0, LoadClass::bulk)) << "too few for a queue";
    measure(now_us, 10 * ms);
    EXPECT_TRUE(congestion.admits(now_us, 0, LoadClass::command));
    measure(now_us, 10 * ms + 1);
    EXPECT_FALSE(congestion.admits(now_us, 0, LoadClass::command));
    EXPECT_FALSE(congestion.admits(now_us, 0, LoadClass::stream));
    EXPECT_TRUE(congestion.admits(now_us, 0, LoadClass::read));
    measure(now_us, 15 * ms);
    EXPECT_TRUE(congestion.admits(now_us, 0, LoadClass::read));
    measure(now_us, 15 * ms + 1);
    EXPECT_FALSE(congestion.admits(now_us, 0, LoadClass::read));
}

}  // namespace
}  // namespace gantry::runtime
