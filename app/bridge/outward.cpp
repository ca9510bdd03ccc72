#include <fmt/format.h>

#include "app/bridge/side.h"
#include "app/terminal.h"

// From the queue to RabbitMQ: a task is completed when RabbitMQ has confirmed its message.
namespace gantry::bridge {
namespace {

constexpr std::int64_t wait_ms = 1'000;  // how long a signal may have to wait
constexpr std::int64_t put_back_ms = 1'000;

}  // namespace

Result<void> Bridge::move_out() {
    TRY_VOID(amqp_->idle());
    TRY_ASSIGN(auto leases, queue_.reserve(std::size_t(std::min(options_.batch, 100)), wait_ms, options_.lease_ms, options_.worker));
    TRY_ASSIGN(auto const messages, messages_of(leases));
    if (messages.empty()) return {};
    return send(leases, messages);
}

// Leaves the leases that have a message.
Result<std::vector<Message>> Bridge::messages_of(std::vector<Lease>& leases) {
    std::vector<Message> out;
    std::vector<Lease> kept;
    for (auto& lease : leases) {
        auto message = message_of(lease, options_.queue);
        if (!message && message.error().code == "bridge_loop") {
            release(leases, put_back_ms);
            return std::unexpected(message.error());
        }
        if (message) {
            out.push_back(std::move(*message)), kept.push_back(std::move(lease));
            continue;
        }
        ++totals_.poison;
        app::complain(fmt::format("{} can't be a message: {}", lease.task, message.error().detail));
        TRY_VOID(queue_.bury(lease.lease, message.error().detail));
    }
    leases = std::move(kept);
    return out;
}

Result<void> Bridge::send(std::vector<Lease> const& leases, std::vector<Message> const& messages) {
    for (auto const& lease : leases) totals_.repeats += lease.attempt > 1;
    auto const confirms = amqp_->publish(messages);
    if (!confirms) {
        release(leases, 0);  // maybe taken: they go once more, with the same message-id
        return std::unexpected(confirms.error());
    }
    std::vector<std::string> taken;
    std::vector<Lease> back;
    for (std::size_t i = 0; i < leases.size(); ++i)
        if ((*confirms)[i] == Confirm::taken)
            taken.push_back(leases[i].lease);
        else
            back.push_back(leases[i]);
    complete(std::move(taken));
    if (back.empty()) return {};
    totals_.put_back += back.size();
    release(back, put_back_ms);
    return fail(503, "amqp_not_taken",
                fmt::format("RabbitMQ took {} of {} messages: its queue is full, or gone", leases.size() - back.size(), leases.size()));
}

// Until the queue knows, or the leases have run out: then another try sends those once more.
void Bridge::complete(std::vector<std::string> leases) {
    totals_.moved += leases.size();
    for (std::int64_t waited_ms = 0; !leases.empty(); waited_ms += put_back_ms) {
        auto const results = queue_.complete(leases);
        std::vector<std::string> again;
        for (std::size_t i = 0; i < leases.size(); ++i) {
            if (!results || (*results)[i].passes())
                again.push_back(leases[i]);
            else if (!(*results)[i].ok())
                ++totals_.lost_leases;
        }
        leases = std::move(again);
        if (leases.empty()) return;
        if (stopped() || waited_ms > options_.lease_ms) break;
        pause(put_back_ms, stop_);
        if (amqp_ && !amqp_->idle()) amqp_.reset();
    }
    if (!leases.empty())
        app::complain(fmt::format("{} messages went out, and the queue doesn't know: they will go once more", leases.size()));
}

// As well as it can: a lease that isn't released runs out.
void Bridge::release(std::vector<Lease> const& leases, std::int64_t delay_ms) {
    for (auto const& lease : leases)
        if (!queue_.release(lease.lease, delay_ms)) return;
}

}  // namespace gantry::bridge
