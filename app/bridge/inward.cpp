#include <fmt/format.h>

#include "app/bridge/side.h"
#include "app/terminal.h"
#include "kernel/base/random.h"
#include "kernel/base/time.h"

// From RabbitMQ to the queue: a message is acknowledged when its task is durable.
namespace gantry::bridge {
namespace {

constexpr int wait_ms = 1'000;                                                  // how long a signal may have to wait
constexpr std::size_t batch_bytes_max = 4u << 20, line_bytes_max = 512u << 10;  // larger ones go alone

std::string name_of(Delivery const& delivery) {
    return delivery.message.message_id ? fmt::format("message '{}'", *delivery.message.message_id)
                                       : fmt::format("a message of {} bytes without message-id", delivery.message.body.size());
}

}  // namespace

Result<void> Bridge::move_in() {
    TRY_VOID(gather(gathered_.empty() ? wait_ms : 0));  // while a batch is tried again, this keeps the connection alive
    if (gathered_.empty()) return {};
    if (lines_.empty()) begin_batch();
    TRY_ASSIGN(auto const results, queue_.put(lines_, key_));
    for (auto const& result : results)
        if (result.passes()) return fail(503, result.code, result.detail);
    return settle(results);
}

Result<void> Bridge::gather(int wait) {
    auto const most = std::size_t(lines_.empty() ? options_.batch : options_.prefetch);
    while (gathered_.size() < most) {
        TRY_ASSIGN(auto delivery, amqp_->next(wait));
        if (!delivery) break;
        gathered_.push_back(std::move(*delivery));
        wait = 0;
    }
    return {};
}

void Bridge::begin_batch() {
    std::size_t bytes = 0;
    for (auto const& delivery : gathered_) {
        auto line = task_of(delivery.message, options_.unique_ms);
        bytes += line.size();
        if (!lines_.empty() && (bytes > batch_bytes_max || line.size() > line_bytes_max || int(lines_.size()) == options_.batch)) break;
        bool const alone = line.size() > line_bytes_max;
        lines_.push_back(std::move(line));
        if (alone) break;
    }
    key_ = fresh_id("bridge-", system_clock().wall().us, system_random());
}

Result<void> Bridge::settle(std::vector<LineResult> const& results) {
    std::vector<Delivery> const batch(std::make_move_iterator(gathered_.begin()),
                                      std::make_move_iterator(gathered_.begin() + std::ptrdiff_t(results.size())));
    gathered_.erase(gathered_.begin(), gathered_.begin() + std::ptrdiff_t(results.size()));
    lines_.clear(), key_.clear();
    bool const all = parked_ == 0 && std::ranges::all_of(results, &LineResult::ok);
    if (all) TRY_VOID(amqp_->acknowledge(batch.back().tag, true));
    for (std::size_t i = 0; i < batch.size(); ++i) {
        if (!results[i].ok()) {
            TRY_VOID(poisoned(batch[i], results[i]));
            continue;
        }
        if (!all) TRY_VOID(amqp_->acknowledge(batch[i].tag, false));
        bool const repeat = results[i].outcome == "exists" || results[i].outcome == "throttled";
        ++(repeat ? totals_.repeats : totals_.moved);
        if (!repeat && batch[i].redelivered && !batch[i].message.message_id) ++totals_.redelivered;
    }
    return {};
}

// The queue will never take it.
Result<void> Bridge::poisoned(Delivery const& delivery, LineResult const& why) {
    ++totals_.poison;
    app::complain(fmt::format("{} is refused: {} {}", name_of(delivery), why.code, why.detail));
    if (options_.poison == Poison::dead_letter) return amqp_->reject(delivery.tag);
    // It stays with RabbitMQ, unacknowledged, and takes a place of those that may be on their way.
    if (++parked_ * 2 < options_.prefetch) return {};
    return fail(409, "bridge_poisoned", fmt::format("{} messages were refused by the queue; they are still in RabbitMQ", parked_));
}

}  // namespace gantry::bridge
