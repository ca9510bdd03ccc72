#pragma once
#include <span>
#include <string>
#include <vector>

#include "kernel/base/result.h"
#include "kernel/http/server.h"

namespace gantry::runtime {

// Several sites behind one port. A site is a tenant of its own: names, logs, keys, reports and what is kept in memory are its own, and so
// is its edge. The first label of the host that a request is for names it ("acme.localhost", "acme.example.org"); a host without one
// ("localhost", an address) is the first site. 421 "site_unknown" for a name that is none, 403 "cross_site" for a page of another site.
class Sites final : public http::Handler {
   public:
    struct Site {
        std::string name;
        http::Handler* edge = nullptr;  // outlives this
    };
    explicit Sites(std::vector<Site> sites) : sites_(std::move(sites)) {}

    http::BodyPlan plan(http::RequestHead const& head) override;
    void handle(http::Exchange& exchange) override;

   private:
    Site const* find(std::string_view authority) const;
    std::vector<Site> sites_;
};

// A site is a directory and a label of a host name: 1 to 63 of a-z, 0-9 and '-', a letter first, no '-' at the end, and not "localhost".
// 400 "site_name_invalid", also for one that is named twice.
Result<void> check_site_names(std::span<std::string const> names);

}  // namespace gantry::runtime
