#pragma once
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "kernel/base/record.h"
#include "kernel/base/text.h"
#include "kernel/base/time.h"
#include "kernel/http/server.h"

namespace gantry::runtime {

// One call that a fake received.
struct ReceivedCall {
    std::uint64_t number = 0;  // from 1
    Time at{};                 // by the fake's clock
    std::string method, target, body;
    std::optional<Bytes> body_base64;    // instead of `body`, where that is no text
    bool body_cut = false;               // it goes on
    std::optional<std::int64_t> status;  // absent: not answered (yet)
    bool fault = false;                  // an injected fault met it
};
RECORD(ReceivedCall, number, at, method, target, body, body_base64, body_cut, status, fault);

// The newest calls, of each so much of the body. Safe from any thread.
class CallLog {
   public:
    static constexpr std::size_t calls_max = 1000, body_bytes_max = 64 << 10;

    // Notes a call; the witness notes the rest of it.
    std::shared_ptr<http::Witness> add(http::Exchange const& exchange, Time now, bool fault);
    struct Part {
        std::vector<ReceivedCall> calls;
        bool more = false;
        std::uint64_t dropped = 0;  // older ones that are no longer here
    };
    // At most `limit` with a number above `after`.
    Part list(std::uint64_t after, std::size_t limit) const;
    void clear();

   private:
    struct Shared {
        std::mutex mutex;
        std::deque<std::shared_ptr<ReceivedCall>> calls;
        std::uint64_t last_number = 0, dropped = 0;
    };
    class Watching;
    std::shared_ptr<Shared> shared_ = std::make_shared<Shared>();
};

}  // namespace gantry::runtime
