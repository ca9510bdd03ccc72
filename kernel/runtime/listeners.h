#pragma once
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "kernel/base/result.h"
#include "kernel/net/endpoint.h"
#include "kernel/observe/log_queue.h"
#include "kernel/observe/metrics_writer.h"
#include "kernel/runtime/front.h"
#include "kernel/runtime/keep_trace.h"
#include "kernel/runtime/line_book.h"
#include "kernel/runtime/line_server.h"

namespace gantry::runtime {

// A listener that a service's settings ask for: of a line protocol (line.h), or a port of its own for a foreign HTTP protocol (OwnPort).
struct ListenerAsked {
    std::string service, protocol;
    net::Endpoint at;
    bool is_default = false;         // nobody named this address: that it is taken is no reason not to start
    LineDecl const* line = nullptr;  // null: HTTP
    std::string caller = {};         // of a line protocol: as whom its commands are decided; empty: nobody
    std::string key() const { return "[" + service + "] " + protocol + "_listen"; }
    std::string mount() const { return "/" + service + "/" + protocol; }
};
// By settings of the service's type. 400 "config_invalid", each fault with its key.
Result<std::vector<ListenerAsked>> listeners_of(ServiceDecl const& decl, void const* settings);

// Whether it may be reached from where it listens. 400 "listener_refused".
Result<void> check_listener(ListenerAsked const& asked, bool open);

// Who listens where, once the port is known.
struct Listening {
    std::string service, protocol, address;
};
// Adds to `out`, and says so; or, where nobody asked for this address, says that nobody listens.
Result<void> told_listening(ListenerAsked const& asked, Result<std::uint16_t> const& port, std::vector<Listening>& out);

// The listeners of the line protocols of a process. They serve the first site.
class Lines {
   public:
    struct Parts {
        Front& front;
        net::IoThreads& threads;
        observe::LogQueue* log = nullptr;
        KeepTrace keep_trace = {};
        Reports* reports = nullptr;
        std::string_view site;
    };
    struct Asked {
        ListenerAsked listener;
        Host* host = nullptr;
    };
    // 500 "listen_failed"; what was opened stays open.
    Result<void> open(Parts parts, std::vector<Asked> asked, std::vector<Listening>& out);
    bool stop(Duration limit);
    void write(observe::MetricsWriter& writer) const;

   private:
    struct One {
        std::string service;
        std::unique_ptr<LineServer> server;
    };
    std::string site_;
    std::unique_ptr<LineBook> book_;
    std::vector<One> servers_;
};

}  // namespace gantry::runtime
