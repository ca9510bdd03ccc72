// Callers of a queue, each on a connection of its own, driven by few threads that never wait for one of them: see rows_queue.py.
//
// `--do cycles`: each caller puts `--batch` tasks, reserves as many, completes them, and begins anew.
// `--do wake`: `--waiting` workers wait for one task each, into which another puts one every `--every_us`; meanwhile `--connections`
// callers make `--rate` cycles a second on a queue beside. Tells how long it took from a put until the waiting worker had the task.
//
// Who is refused for load asks again when it was told to; that is part of its cycle's time, and counted.
#include <sys/epoll.h>
#include <sys/resource.h>

#include <deque>
#include <memory>
#include <thread>
#include <vector>

#include "bench/histogram.h"
#include "bench/queue_caller.h"
#include "bench/tool.h"

using namespace gantry::bench;

namespace {

using Open = std::unique_ptr<QueueCaller> (*)(QueuePlace const&);

Open kind(std::string const& name) {
    if (name == "gantry") return &call_gantry;
    if (name == "pool") return &call_pool;
#ifdef GANTRY_BENCH_PEERS
    if (name == "beanstalkd") return &call_beanstalkd;
    if (name == "redis") return &call_redis;
    if (name == "rabbitmq") return &call_rabbitmq;
#endif
    die(fmt::format("--queue '{}' is unknown, or this was built without peers", name));
}

struct Figures {
    std::array<Histogram, step_count> steps;
    Histogram cycle, wake;
    std::uint64_t cycles = 0, refused = 0;

    void add(Figures const& other) {
        for (std::size_t s = 0; s < step_count; ++s) add(steps[s], other.steps[s]);
        add(cycle, other.cycle), add(wake, other.wake), cycles += other.cycles, refused += other.refused;
    }
    static void add(Histogram& to, Histogram const& from) {
        for (std::size_t i = 0; i < Histogram::size; ++i) to.counts[i] += from.counts[i];
    }
};

// What one connection does, step after step.
struct Member {
    std::unique_ptr<QueueCaller> caller;
    enum class Part : std::uint8_t { cycles, waits, puts } part = Part::cycles;
    Step step = Step::put;
    bool busy = false;
    std::int64_t step_ns = 0, cycle_ns = 0;
};

struct Plan {
    std::int64_t measure_from_ns, end_ns;
    std::size_t batch;
    std::int64_t cycle_every_ns = 0;  // 0: each caller begins anew at once
    std::int64_t put_every_ns = 0;    // of the one that wakes the others
};

// The members of one thread.
class Crew {
   public:
    Crew(std::vector<Member> members, Plan const& plan) : members_(std::move(members)), plan_(plan), poll_(epoll_create1(EPOLL_CLOEXEC)) {
        for (auto& m : members_) {
            epoll_event e{.events = EPOLLIN, .data = {.ptr = &m}};
            check(epoll_ctl(poll_, EPOLL_CTL_ADD, m.caller->fd(), &e) == 0, "epoll_ctl");
        }
    }

    void run() {
        next_cycle_ns_ = next_put_ns_ = now_ns();
        for (auto& m : members_) {
            if (m.part == Member::Part::waits) start(m, Step::reserve);
            if (m.part == Member::Part::cycles && plan_.cycle_every_ns == 0) start(m, Step::put);
        }
        epoll_event events[256];
        // What is under way at the end stays so: others may hold what it waits for.
        for (auto now = now_ns(); now < plan_.end_ns; now = now_ns()) {
            begin_due(now);
            ask_again(now);
            int const n = epoll_wait(poll_, events, 256, plan_.put_every_ns || plan_.cycle_every_ns || !refused_.empty() ? 1 : 100);
            for (int i = 0; i < n; ++i) ready(*static_cast<Member*>(events[i].data.ptr));
        }
    }
    Figures const& figures() const { return figures_; }

   private:
    // Paced: what is due begins with whoever is free.
    void begin_due(std::int64_t now) {
        for (auto& m : members_) {
            if (m.busy) continue;
            if (m.part == Member::Part::puts && next_put_ns_ <= now) {
                next_put_ns_ = now + plan_.put_every_ns;
                put_ns_.push_back(now);
                start(m, Step::put);
            }
            if (m.part == Member::Part::cycles && plan_.cycle_every_ns && next_cycle_ns_ <= now) {
                next_cycle_ns_ += plan_.cycle_every_ns;
                start(m, Step::put);
            }
        }
    }
    void start(Member& m, Step step) {
        for (;; step = Step(int(step) + 1)) {
            m.busy = true, m.step = step, m.step_ns = now_ns();
            if (step == Step::put) m.cycle_ns = m.step_ns;
            if (!m.caller->begin(step)) return;
            if (!done(m)) return;
        }
    }
    void ready(Member& m) {
        bool const answered = m.caller->ready();
        if (m.caller->again_at_ns() != 0) return ++figures_.refused, refused_.push_back(&m);
        if (!answered || !m.busy || !done(m)) return;
        start(m, Step(int(m.step) + 1));
    }
    void ask_again(std::int64_t now) {
        std::erase_if(refused_, [&](Member* m) { return m->caller->again_at_ns() <= now && (m->caller->again(), true); });
    }
    // False: nothing follows, or it was begun already.
    bool done(Member& m) {
        auto const now = now_ns();
        bool const counts = m.step_ns >= plan_.measure_from_ns && now <= plan_.end_ns;
        m.busy = false;
        if (m.part == Member::Part::puts) return false;
        if (m.part == Member::Part::waits) return woken(m, now);
        if (counts) figures_.steps[std::size_t(m.step)].add(std::uint64_t(now - m.step_ns));
        if (m.step != Step::complete) return true;
        if (counts) figures_.cycles += plan_.batch, figures_.cycle.add(std::uint64_t(now - m.cycle_ns));
        if (plan_.cycle_every_ns == 0) again_.push_back(&m);
        begin_again();
        return false;
    }
    // One at a time: a step that needs no answer would begin the next within itself for ever.
    void begin_again() {
        if (beginning_) return;
        beginning_ = true;
        while (!again_.empty()) {
            auto* m = again_.front();
            again_.pop_front();
            start(*m, Step::put);
        }
        beginning_ = false;
    }
    bool woken(Member& m, std::int64_t now) {
        if (m.step == Step::reserve) {
            if (put_ns_.empty()) die("a task that nobody put");
            auto const put_ns = put_ns_.front();
            put_ns_.pop_front();
            if (put_ns >= plan_.measure_from_ns && now <= plan_.end_ns) figures_.wake.add(std::uint64_t(now - put_ns));
            return true;
        }
        start(m, Step::reserve);
        return false;
    }

    std::vector<Member> members_;
    Plan plan_;
    int poll_;
    Figures figures_;
    std::deque<std::int64_t> put_ns_;  // of what no worker has yet; they are given out in the order in which they were put
    std::deque<Member*> again_;
    std::vector<Member*> refused_;  // those that are to ask again later
    bool beginning_ = false;
    std::int64_t next_cycle_ns_ = 0, next_put_ns_ = 0;
};

std::string percentiles(std::string_view name, Histogram const& h) {
    return fmt::format(R"("{0}_p50_us":{1:.1f},"{0}_p99_us":{2:.1f})", name, h.percentile_us(0.50), h.percentile_us(0.99));
}

void print(Figures const& f, double seconds) {
    rusage used{};
    getrusage(RUSAGE_SELF, &used);
    auto const cpu = double(used.ru_utime.tv_sec + used.ru_stime.tv_sec) + double(used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6;
    fmt::print(R"({{"cycles":{},"cycles_per_s":{:.1f},{},{},{},{},{},"wakes":{},"refused":{},"load_cpu_s":{:.3f}}})"
               "\n",
               f.cycles, double(f.cycles) / seconds, percentiles("put", f.steps[0]), percentiles("reserve", f.steps[1]),
               percentiles("complete", f.steps[2]), percentiles("cycle", f.cycle), percentiles("wake", f.wake), f.wake.total(), f.refused,
               cpu);
}

Figures drive(std::vector<std::vector<Member>> crews, Plan const& plan) {
    std::deque<Crew> all;
    for (auto& members : crews) all.emplace_back(std::move(members), plan);
    std::vector<std::thread> threads;
    for (std::size_t i = 1; i < all.size(); ++i) threads.emplace_back([&all, i] { all[i].run(); });
    all.front().run();
    for (auto& t : threads) t.join();
    Figures sum;
    for (auto const& crew : all) sum.add(crew.figures());
    return sum;
}

}  // namespace

int main(int argc, char** argv) {
    Flags flags(argc, argv,
                {"do", "queue", "port", "label", "connections", "threads", "batch", "seconds", "warmup", "waiting", "every_us", "rate"});
    auto const open = kind(flags.text("queue"));
    bool const wake = flags.text("do") == "wake";
    auto const batch = std::size_t(flags.number("batch", 1)), connections = std::size_t(flags.number("connections", 64));
    if (batch == 0 || batch > batch_max) die("--batch must be 1 to 64");
    auto const threads = wake ? 1 : std::size_t(flags.number("threads", 1));
    auto const label = flags.text("label", "bench");
    std::string const payload(100, 'x');
    int const port = int(flags.number("port"));
    std::vector<std::vector<Member>> crews(threads);
    for (std::size_t i = 0; i < connections; ++i)
        crews[i % threads].push_back({open({port, label + "-load", i, batch, true, payload}), Member::Part::cycles});
    if (wake) {
        for (std::size_t i = 0; i < std::size_t(flags.number("waiting", 4)); ++i)
            crews[0].push_back({open({port, label + "-wake", connections + i, 1, true, payload}), Member::Part::waits});
        crews[0].push_back({open({port, label + "-wake", 0, 1, false, payload}), Member::Part::puts});
    }
    auto const from_ns = now_ns() + std::int64_t(flags.number("warmup", 0.3) * 1e9);
    auto const seconds = flags.number("seconds", 2);
    Plan plan{.measure_from_ns = from_ns, .end_ns = from_ns + std::int64_t(seconds * 1e9), .batch = batch};
    if (wake) plan.put_every_ns = std::int64_t(flags.number("every_us", 2000) * 1e3);
    if (auto const rate = flags.number("rate"); rate > 0) plan.cycle_every_ns = std::int64_t(1e9 / rate);
    print(drive(std::move(crews), plan), seconds);
    std::exit(0);  // nobody is asked to close his connection
}
