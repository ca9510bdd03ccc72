#pragma once
#include <string>
#include <utility>
#include <vector>

#include "kernel/http/server.h"

namespace gantry::http {

// A request that is handled later: it owns everything that it shows, and holds the place of its answer. Dropping it answers 500
// `internal_error`, as dropping a Deferred does.
class KeptExchange {
   public:
    // Within handle().
    explicit KeptExchange(Exchange& exchange);
    KeptExchange(KeptExchange const&) = delete;
    KeptExchange& operator=(KeptExchange const&) = delete;

    // More of a body that is streamed; the handler that receives it is given all at once.
    void append(std::string_view bytes) { body_ += bytes; }
    std::size_t body_bytes() const { return body_.size(); }
    int io_thread() const { return deferred_.io_thread(); }
    // Once, instead of handle(): the right to answer.
    Deferred release() { return std::move(deferred_); }
    // Once, on the IO thread: `handler` answers or defers, as if the request came now. Nothing when the client has gone.
    void handle(Handler& handler);

   private:
    std::string target_, path_, query_, mount_, host_, body_, address_;
    std::vector<std::pair<std::string, std::string>> texts_;
    std::vector<Header> headers_;
    RequestHead head_;
    Peer peer_;
    bool tls_;
    Deferred deferred_;
};

}  // namespace gantry::http
