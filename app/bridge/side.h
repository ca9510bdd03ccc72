#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "app/bridge/amqp.h"
#include "app/bridge/bridge.h"
#include "app/bridge/queue_client.h"

namespace gantry::bridge {

// What both directions share: the two connections, the waits between tries, what is told meanwhile. One thread.
class Bridge {
   public:
    Bridge(BridgeOptions const& options, Totals& totals, volatile int const& stop);
    Result<void> run();

   private:
    Result<void> connect();
    Result<void> step();
    // After a fault that waiting may cure: tells it once, and waits, longer each time. Else the fault.
    Result<void> wait_after(Problem const& problem);
    void went_well();
    bool is_idle() const;
    void report();
    bool stopped() const { return stop_ != 0; }

    // Inward (inward.cpp). The batch on its way is the first `lines_.size()` of what was gathered.
    Result<void> move_in();
    Result<void> gather(int wait_ms);
    void begin_batch();
    Result<void> settle(std::vector<LineResult> const& results);
    Result<void> poisoned(Delivery const& delivery, LineResult const& why);

    // Outward (outward.cpp).
    Result<void> move_out();
    Result<void> send(std::vector<Lease> const& leases, std::vector<Message> const& messages);
    Result<std::vector<Message>> messages_of(std::vector<Lease>& leases);
    void complete(std::vector<std::string> leases);
    void release(std::vector<Lease> const& leases, std::int64_t delay_ms);

    BridgeOptions const& options_;
    Totals& totals_;
    volatile int const& stop_;
    QueueClient queue_;
    std::unique_ptr<Amqp> amqp_;
    std::vector<Delivery> gathered_;
    std::vector<std::string> lines_;
    std::string key_;
    int parked_ = 0;    // on this connection
    std::string told_;  // the code of the fault that was told last
    int tries_ = 0;
    std::int64_t came_ns_, reported_ns_;
    std::uint64_t reported_ = 0;
};

// Waits, or until `stop`.
void pause(std::int64_t ms, volatile int const& stop);

}  // namespace gantry::bridge
