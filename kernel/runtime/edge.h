#pragma once
#include <memory>
#include <string>
#include <vector>

#include "kernel/http/server.h"
#include "kernel/runtime/host.h"

namespace gantry::runtime {

// The public surface: routes /<service>/v<n>/… to hosts over HTTP. Commands bind their input from the body, reads from the query, and both
// from the {fields} of the path; every fault is a problem document. Open loopback mode (DESIGN §9) until credentials exist: the
// caller is "u_local" with every scope.
class Edge final : public http::Handler {
   public:
    // The hosts outlive the edge. GANTRY_ASSERTs that every {field} of a path is a field of the route's input.
    explicit Edge(std::vector<Host*> hosts);
    ~Edge() override;

    http::BodyPlan plan(http::RequestHead const& head) override;
    void handle(http::Exchange& exchange) override;

   private:
    struct Target;
    struct Match;
    Match match(http::RequestHead const& head) const;
    std::vector<Target> targets_;
    Viewer local_;
};

}  // namespace gantry::runtime
