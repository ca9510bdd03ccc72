#pragma once
#include <cstdint>
#include <string>
#include <string_view>

#include "kernel/base/result.h"

namespace gantry::net {

struct Endpoint {
    std::string host;        // "127.0.0.1", "::1", "localhost"; without brackets
    std::uint16_t port = 0;  // 0: the system picks one
    // Reached from this machine alone.
    bool is_loopback() const { return host == "localhost" || host.starts_with("127.") || host == "::1"; }
    std::string text() const;  // "[::1]:8080"
};
// "127.0.0.1:8080", "[::1]:0", "localhost:80". 400 "listen_invalid".
Result<Endpoint> parse_endpoint(std::string_view text);

}  // namespace gantry::net
