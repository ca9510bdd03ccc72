#pragma once
#include <functional>
#include <memory>
#include <string_view>

#include "kernel/auth/address.h"
#include "kernel/net/net.h"
#include "kernel/net/stream.h"
#include "kernel/runtime/edge_caller.h"
#include "kernel/runtime/host.h"
#include "kernel/runtime/keep_trace.h"
#include "kernel/runtime/line_book.h"
#include "kernel/runtime/reports.h"

namespace gantry::runtime {

// The listener of one line protocol of one service: what comes is framed, parsed, decided by Host::call, and answered in its order, as a
// route's requests are. Commands are refused like theirs: 401 "credentials_missing", 403 "scope_missing", "address_refused", 429, 503
// "overloaded", "service_starting", and 500 with a report; the protocol says it in its words (LineFunctions::refused).
class LineServer {
   public:
    struct Parts {
        Host& host;
        LineDecl const& decl;
        net::IoThreads& threads;
        // Who someone at this address is, asked for each command on its IO thread. Null: everyone is the open local caller.
        std::function<Result<EdgeCallerRef>(int io_thread, auth::IpAddress const& peer)> caller = {};
        // Whether the thread has time for one more command. Null: always.
        std::function<bool(int io_thread)> admits = {};
        LineBook* book = nullptr;  // with `protocol`: null: nobody counts
        std::size_t protocol = 0;
        KeepTrace keep_trace = {};
        Reports* reports = nullptr;
        std::string_view site = "main";
        Clock& clock = system_clock();
        Random& random = system_random();  // safe from any thread
    };
    // What the parts name outlives the server; the host outlives its last answer, which stop() waits for.
    explicit LineServer(Parts parts);
    ~LineServer();
    LineServer(LineServer const&) = delete;
    LineServer& operator=(LineServer const&) = delete;

    Result<std::uint16_t> listen(net::Endpoint const& at);  // the port
    // Ends in order: what runs is answered, and each connection's last input is decided. False: not all ended within the limit.
    bool stop(Duration limit);
    net::StreamServer::Stats stats() const;
    LineDecl const& decl() const;

    struct Impl;

   private:
    std::shared_ptr<Impl> impl_;
};

}  // namespace gantry::runtime
