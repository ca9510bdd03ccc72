#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "app/bridge/amqp_url.h"
#include "app/bridge/message.h"

namespace gantry::bridge {

struct Delivery {
    std::uint64_t tag = 0;
    bool redelivered = false;
    Message message;
};

enum class Confirm : std::uint8_t { unknown, taken, refused, returned };  // returned: no queue took it

// A connection to a broker with one channel; one thread. Problems: 503 "amqp_unreachable", 403 "amqp_refused" (who we are, what we may, a
// queue that isn't there), 503 "amqp_lost" for a connection that broke: it is of no use afterwards.
class Amqp {
   public:
    // `ca_file`: PEM, of amqps.
    static Result<std::unique_ptr<Amqp>> open(AmqpUrl const& url, std::string const& ca_file);
    virtual ~Amqp() = default;

    // The queue must be there. From now on up to `prefetch` unacknowledged messages come.
    virtual Result<void> consume(std::string const& queue, std::uint16_t prefetch) = 0;
    // The next message; nothing after `wait_ms` without one.
    virtual Result<std::optional<Delivery>> next(int wait_ms) = 0;
    // With all before it, if `all`.
    virtual Result<void> acknowledge(std::uint64_t tag, bool all) = 0;
    // It goes to the dead letters of its queue, if that has some.
    virtual Result<void> reject(std::uint64_t tag) = 0;

    // The queue must be there; each message is confirmed.
    virtual Result<void> produce(std::string const& queue) = 0;
    // Publishes all, persistent and mandatory, and waits for what became of each. On a Problem it is unknown of all of them.
    virtual Result<std::vector<Confirm>> publish(std::vector<Message> const& messages) = 0;
    // Keeps the connection alive while nothing is to be said.
    virtual Result<void> idle() = 0;
};

}  // namespace gantry::bridge
