#pragma once
#include <memory>
#include <string>
#include <vector>

#include "app/bridge/message.h"
#include "app/server_option.h"
#include "kernel/http/gantry/client.h"

namespace gantry::bridge {

// What became of one line of a bulk.
struct LineResult {
    int status = 0;
    std::string code, detail;  // of a problem
    std::string outcome;       // of a put
    bool ok() const { return status / 100 == 2; }
    // It may go better later, with nothing changed.
    bool passes() const { return status == 408 || status == 429 || status >= 500; }
};

// The calls that a bridge makes to one queue, each tried once. Problems have the server's status and code; 503 "server_unreachable" without
// an answer.
class QueueClient {
   public:
    QueueClient(app::ServerFound const& server, std::string queue);
    // That the server has a queue service, and knows us.
    Result<void> check();
    // `lines`: a task each. The same `key` again does nothing twice.
    Result<std::vector<LineResult>> put(std::vector<std::string> const& lines, std::string const& key);
    Result<std::vector<Lease>> reserve(std::size_t max, std::int64_t wait_ms, std::int64_t lease_ms, std::string const& worker);
    Result<std::vector<LineResult>> complete(std::vector<std::string> const& leases);
    Result<void> release(std::string const& lease, std::int64_t delay_ms);
    Result<void> bury(std::string const& lease, std::string_view reason);

   private:
    Result<std::string> ask(client::Request request);
    Result<std::vector<LineResult>> bulk(std::string const& target, std::vector<std::string> const& lines, std::string const& key);

    std::string url_, queue_path_, queue_;
    client::Session session_;
};

}  // namespace gantry::bridge
