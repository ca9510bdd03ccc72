// bench_overload [--cost-us N] [--seconds S] [--factor F]: a service whose requests cost N microseconds of the one IO thread, at its
// capacity and at F times that, each request with a deadline of a second; and the same without load control. One line of JSON: peak_per_s
// (the best goodput around what the processor could give it: the capacity), goodput_per_s, uncontrolled_per_s, p99_ms (of what was served
// at F times), refused_per_s, refusal_us (processor time), health_p99_ms and health_lost (of /health/live meanwhile).
#include <sched.h>

#include <algorithm>
#include <thread>

#include "bench/costly_server.h"
#include "bench/open_loop.h"
#include "bench/tool.h"

using namespace gantry;
using namespace gantry::bench;

namespace {

constexpr int server_cpu = 0, load_cpu = 1;
constexpr std::size_t connections = 4000;  // with a second each, enough for what a server without load control holds up

void pin(int cpu) {
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(cpu, &set);
    if (std::thread::hardware_concurrency() > 1) sched_setaffinity(0, sizeof set, &set);
}

struct Measured {
    Outcome work, health;
    double spent_s = 0;  // of the processor by the IO thread, warm-up included
};

Measured measure(runtime::LoadLimits limits, double rate, double seconds) {
    pin(server_cpu);  // its threads are where the one that made them is
    CostlyServer server(limits);
    Measured measured;
    auto health = std::thread([&] {
        pin(load_cpu);
        OpenLoop loop(
            Offered{.port = server.port, .rate = 50, .seconds = seconds, .warmup = 1, .connections = 100, .target = "/health/live?n="});
        measured.health = loop.run();
    });
    auto work = std::thread([&] {
        pin(load_cpu);
        OpenLoop loop(Offered{.port = server.port,
                              .rate = rate,
                              .seconds = seconds,
                              .warmup = 1,
                              .connections = connections,
                              .target = "/costly/v1/work/w_"});
        measured.work = loop.run();
    });
    health.join(), work.join();
    measured.spent_s = double(server.spent_ns()) / 1e9;
    return measured;
}

}  // namespace

int main(int argc, char** argv) {
    Flags flags(argc, argv, {"cost-us", "seconds", "factor"});
    auto const cost_us = flags.number("cost-us", 2000), seconds = flags.number("seconds", 5), factor = flags.number("factor", 10);
    costly::cost_ns = std::int64_t(cost_us * 1000);
    auto const possible = 1e6 / cost_us;
    double peak = 0;
    for (double const share : {0.6, 0.9, 1.2}) peak = std::max(peak, measure({}, share * possible, seconds).work.good_per_s());
    auto const over = measure({}, factor * peak, seconds);
    auto const uncontrolled = measure({.target = {}}, factor * peak, seconds);
    fmt::print(R"({{"peak_per_s":{:.1f},"goodput_per_s":{:.1f},"uncontrolled_per_s":{:.1f},"p99_ms":{:.2f},"refused_per_s":{:.1f},)"
               R"("late":{},"unsent":{},"refusal_us":{:.1f},"health_p99_ms":{:.2f},"health_lost":{}}})"
               "\n",
               peak, over.work.good_per_s(), uncontrolled.work.good_per_s(), over.work.latency.percentile_us(0.99) / 1000,
               double(over.work.refused) / seconds, over.work.late, over.work.unsent,
               (over.spent_s - double(over.work.good) * (seconds + 1) / seconds * cost_us / 1e6) / double(over.work.refused) * seconds /
                   (seconds + 1) * 1e6,
               over.health.latency.percentile_us(0.99) / 1000, over.health.due - over.health.good);
}
