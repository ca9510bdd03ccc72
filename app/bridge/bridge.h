#pragma once
#include <cstdint>
#include <string>

#include "app/bridge/amqp_url.h"
#include "app/server_option.h"

// Takes over from a queue of RabbitMQ, in one of two directions, so that producers and consumers move one at a time. What it has taken from
// one side it gives back only when the other side has it durably: whatever is killed at whatever moment, nothing is lost, and what may have
// been moved already is moved again. Inward such repeats are dropped by their message-id; outward they carry the same message-id.
namespace gantry::bridge {

enum class Direction : std::uint8_t { in, out };
enum class Poison : std::uint8_t { park, dead_letter };

struct BridgeOptions {
    AmqpUrl amqp;
    Direction direction = Direction::in;
    app::ServerFound server;
    std::string queue, worker, ca_file;
    int batch = 64, prefetch = 256;
    std::int64_t unique_ms = 86'400'000, lease_ms = 60'000;
    Poison poison = Poison::park;  // of messages that the queue refuses
    int until_idle_s = 0;          // stops once nothing came for so long; 0: never
    int report_every_s = 10;       // a line on standard error when something was moved; 0: none
};

struct Totals {
    std::uint64_t moved = 0;
    std::uint64_t repeats = 0;      // in: dropped; out: sent again, or maybe so
    std::uint64_t redelivered = 0;  // in: without message-id, so that a repeat can't be told
    std::uint64_t poison = 0;       // in: parked or rejected; out: buried
    std::uint64_t put_back = 0;     // out: not taken by RabbitMQ, released
    std::uint64_t lost_leases = 0;  // out: sent, yet another worker had it by then
    std::uint64_t reconnects = 0;
};

// Runs until `stop`, whose signal ends waits, and gives what was moved by then in `totals`. Problems end it: at the start either side that
// can't be reached or refuses; later those that waiting doesn't cure.
Result<void> run_bridge(BridgeOptions const& options, Totals& totals, volatile int const& stop);

}  // namespace gantry::bridge
