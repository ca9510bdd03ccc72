#include "app/services.h"

#include "services/accounts/accounts.h"
#include "services/oops/oops.h"
#include "services/pool/pool.h"
#include "services/queue/queue.h"
#include "services/tracker/tracker.h"

// The visible list: a service is part of the program because it stands here.

namespace gantry::app {

std::vector<runtime::ServiceDecl> all_services() {
    return {
        runtime::declare<tracker::Service>(), runtime::declare<oops::Service>(), runtime::declare<accounts::Service>(),
        runtime::declare<queue::Service>(),   runtime::declare<pool::Service>(),
        // services: end of list (`gantry new service` adds a line above this one)
    };
}

}  // namespace gantry::app
