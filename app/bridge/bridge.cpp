#include "app/bridge/bridge.h"

#include <fmt/format.h>
#include <poll.h>

#include "app/bridge/side.h"
#include "app/terminal.h"
#include "kernel/base/random.h"
#include "kernel/base/time.h"

namespace gantry::bridge {
namespace {

constexpr std::int64_t first_wait_ms = 100, longest_wait_ms = 5'000;

std::int64_t now_ns() { return system_clock().steady_ns(); }

bool waiting_cures(Problem const& problem) {
    // What RabbitMQ refuses to one who was let in before it may grant again: while it starts, queues aren't there yet.
    return problem.code.starts_with("amqp_") || problem.status == 408 || problem.status == 429 || problem.status >= 500;
}

}  // namespace

void pause(std::int64_t ms, volatile int const& stop) {
    for (; ms > 0 && stop == 0; ms -= 100) ::poll(nullptr, 0, int(std::min<std::int64_t>(ms, 100)));
}

Bridge::Bridge(BridgeOptions const& options, Totals& totals, volatile int const& stop)
    : options_(options), totals_(totals), stop_(stop), queue_(options.server, options.queue), came_ns_(now_ns()), reported_ns_(now_ns()) {}

Result<void> Bridge::run() {
    TRY_VOID(queue_.check());
    TRY_VOID(connect());
    while (!stopped() && !is_idle()) {
        auto const done = step();
        if (done)
            went_well();
        else
            TRY_VOID(wait_after(done.error()));
        report();
    }
    return {};
}

Result<void> Bridge::connect() {
    TRY_ASSIGN(auto amqp, Amqp::open(options_.amqp, options_.ca_file));
    bool const in = options_.direction == Direction::in;
    TRY_VOID(in ? amqp->consume(options_.amqp.queue, std::uint16_t(options_.prefetch)) : amqp->produce(options_.amqp.queue));
    amqp_ = std::move(amqp);
    gathered_.clear(), lines_.clear(), key_.clear(), parked_ = 0;  // RabbitMQ gives them again
    return {};
}

Result<void> Bridge::step() {
    if (!amqp_) {
        TRY_VOID(connect());
        ++totals_.reconnects;
    }
    auto const before = totals_.moved + totals_.repeats;
    auto done = options_.direction == Direction::in ? move_in() : move_out();
    if (totals_.moved + totals_.repeats > before) came_ns_ = now_ns();
    if (!done && done.error().code.starts_with("amqp_")) amqp_.reset();
    return done;
}

Result<void> Bridge::wait_after(Problem const& problem) {
    if (!waiting_cures(problem)) return std::unexpected(problem);
    if (told_ != problem.code) app::complain(fmt::format("{}; trying again", problem.detail));
    told_ = problem.code;
    came_ns_ = now_ns();  // nothing can come: that isn't idle
    auto const longest = std::min(longest_wait_ms, first_wait_ms << std::min(tries_++, 10));
    pause(longest / 2 + std::int64_t(system_random().below(std::uint64_t(longest) / 2)), stop_);
    return {};
}

void Bridge::went_well() {
    if (!told_.empty()) app::complain("it goes on");
    told_.clear(), tries_ = 0;
}

bool Bridge::is_idle() const { return options_.until_idle_s > 0 && now_ns() - came_ns_ > options_.until_idle_s * 1'000'000'000LL; }

void Bridge::report() {
    auto const now = now_ns();
    if (options_.report_every_s == 0 || now - reported_ns_ < options_.report_every_s * 1'000'000'000LL) return;
    if (totals_.moved != reported_) {
        auto const rate = double(totals_.moved - reported_) * 1e9 / double(now - reported_ns_);
        app::complain(fmt::format("{} moved, {:.0f} a second; {} repeats, {} {}", totals_.moved, rate, totals_.repeats, totals_.poison,
                                  options_.direction == Direction::out ? "buried"
                                  : options_.poison == Poison::park    ? "parked"
                                                                       : "rejected"));
    }
    reported_ = totals_.moved, reported_ns_ = now;
}

Result<void> run_bridge(BridgeOptions const& options, Totals& totals, volatile int const& stop) {
    return Bridge(options, totals, stop).run();
}

}  // namespace gantry::bridge
