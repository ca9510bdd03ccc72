#pragma once
#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "kernel/http/server.h"
#include "kernel/observe/trace.h"
#include "kernel/runtime/edge_caller.h"

namespace gantry::runtime {

class Host;
struct RouteDecl;

// What the gate knows of one request from its arrival to its end, and what the edge adds to it. Of one IO thread, which uses it again and
// again; whoever outlives the request must hold none.
struct Ticket : http::Ticket {
    EdgeCallerRef caller;
    std::array<char, 64> id{};
    std::uint8_t id_size = 0;
    std::int64_t decided_ns = 0;   // when its answer was handed to what waits for it to be durable: of the steady clock; 0: it wasn't
    std::int64_t deadline_us = 0;  // of the steady clock, beyond which nobody waits for the answer; 0: none
    Time arrived{};
    std::string text;  // target, user agent and client address, one after another
    std::size_t target_size = 0, agent_size = 0;
    http::Method method = http::Method::Get;
    std::uint8_t http_minor = 1;
    bool tls = false;
    bool quiet = false;                      // of health: no line in the access log
    observe::RequestTrace* trace = nullptr;  // null: nothing is recorded any more
    // By the edge, once it is known.
    Host const* host = nullptr;
    RouteDecl const* route = nullptr;
    std::unique_ptr<Problem> unrecognised;  // what was wrong with what was shown, where it made nobody of the caller; mostly null
    std::string refused;                    // the code of the problem that was the answer

    std::string_view request_id() const { return {id.data(), id_size}; }
    std::string_view target() const { return std::string_view(text).substr(0, target_size); }
    std::string_view agent() const { return std::string_view(text).substr(target_size, agent_size); }
    std::string_view client() const { return std::string_view(text).substr(target_size + agent_size); }

   protected:
    ~Ticket() = default;
};

// Null for an exchange that came through no gate. All tickets of a process are those of its gate.
inline Ticket* ticket_of(http::Exchange const& exchange) { return static_cast<Ticket*>(exchange.ticket()); }

// Writes an id like fresh_id's: "q_" and 20 characters.
inline constexpr std::size_t request_id_bytes = 22, given_id_bytes_max = 64;
void write_request_id(char* to, std::int64_t now_us, Random& random);
// A caller's own id is taken over if it is short and plain.
bool is_plain_id(std::string_view given);

}  // namespace gantry::runtime
