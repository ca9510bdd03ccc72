#pragma once
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "kernel/base/time.h"

namespace gantry::import {

struct Answer {
    int status = 0;  // 0: none came, `body` says why
    std::string body;
    std::optional<Duration> retry_after;
};

// The two calls that an import makes. One thread.
class Transport {
   public:
    virtual ~Transport() = default;
    virtual Answer get(std::string const& path) = 0;
    virtual Answer post(std::string const& path, std::string const& json) = 0;
};

// Over HTTP, to "http://127.0.0.1:8080". Each call is tried once: the sender repeats.
std::unique_ptr<Transport> http_transport(std::string const& server_url, std::string const& token = {});

}  // namespace gantry::import
