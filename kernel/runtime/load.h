#pragma once
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "kernel/net/net.h"
#include "kernel/observe/metrics.h"
#include "kernel/observe/metrics_writer.h"
#include "kernel/runtime/congestion.h"

namespace gantry::runtime {

class Host;

// How long requests wait for their turn on each IO thread, and which are refused for it (congestion.h); and the counts of both.
class LoadControl {
   public:
    struct Service {
        std::string_view site;
        Host const* host;
        std::string_view name;
    };
    // `threads` outlives it; null: nothing is measured and nothing refused.
    LoadControl(std::vector<Service> services, net::IoThreads* threads, LoadLimits limits);
    ~LoadControl();

    // On its IO thread, each.
    // The head of a request is here. How long it has waited in its socket, as far as one can know.
    std::int64_t arrived(int io_thread, std::int64_t now_us);
    bool is_congested(int io_thread, std::int64_t now_us) const;
    bool admits(int io_thread, std::int64_t now_us, Host const* host, LoadClass load);
    void refused(int io_thread, Host const* host);
    void served(int io_thread, std::int64_t began_us, std::int64_t ended_us, Host const* host, std::int64_t waited_us);

    // gantry_overload_refused_total, gantry_queue_wait_seconds
    void write(observe::MetricsWriter& writer) const;

   private:
    struct Lane;
    struct Cells {
        observe::LatencyCells wait;
        observe::Cell refused;
    };
    std::size_t row_of(Host const* host) const;

    std::vector<Service> services_;
    net::IoThreads* threads_;
    std::vector<std::shared_ptr<Lane>> lanes_;  // markers under way hold them, too
    observe::ThreadRows<Cells> cells_;          // by service
};

}  // namespace gantry::runtime
