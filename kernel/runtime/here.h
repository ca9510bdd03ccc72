#pragma once
#include <functional>
#include <vector>

#include "kernel/http/gantry/client.h"
#include "kernel/runtime/binding.h"
#include "kernel/runtime/host.h"

namespace gantry::runtime {

// The services of this process, called without a network: where an effect sends what has a path for a target ("/queue/v1/…"). The caller
// is the kernel's own, "gantry"; headers other than Idempotency-Key say nothing. Our own routes and feeds (feed_page.h) alone, not foreign
// protocols.
class Here {
   public:
    // Hosts outlive it.
    explicit Here(std::vector<Host*> hosts) : table_(hosts) {}
    // On a thread that may wait for the disk. Problems are as over HTTP; without an answer in time the status is 0.
    client::Reply send(client::Request const& request, std::function<bool()> const& stopping) const;

   private:
    RouteTable table_;
};

}  // namespace gantry::runtime
