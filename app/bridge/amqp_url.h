#pragma once
#include <string>
#include <string_view>

#include "kernel/base/result.h"

namespace gantry::bridge {

// amqp://user:password@host:port/vhost/QUEUE, or amqps:. Parts are percent-encoded: the usual vhost "/" is %2F.
struct AmqpUrl {
    std::string host = "localhost", user = "guest", password = "guest", vhost = "/", queue;
    int port = 5672;
    bool tls = false;
    std::string shown;  // without the password
};
// 400 "amqp_url_invalid", which says what is wrong and never shows the password.
Result<AmqpUrl> parse_amqp_url(std::string_view text);

}  // namespace gantry::bridge
