#pragma once
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "kernel/http/server.h"
#include "kernel/runtime/edge_caller.h"

namespace gantry::runtime {

// What an operator asks of a process as a whole: JSON at /_gantry/v1/…, from loopback alone as long as there are no credentials
// (edge and gate see to it). Any IO thread may call; the routes outlive what is under way.
class Admin {
   public:
    enum class Where { at_once, house };  // house: by the thread that keeps house, one after another
    struct Asked {
        std::string who;        // the caller's id
        bool operates = false;  // the caller may know of all sites
        std::string rest;       // of a path that ends with '/': what follows
        std::string query;      // as it came
        std::string body;
    };
    struct Route {
        http::Method method;
        std::string path;  // behind /_gantry/v1/; with a '/' at its end: and one more part
        Where where;
        std::function<Result<std::string>(Asked const&)> run;                 // gives the JSON of a 200
        std::function<void(Asked const&, http::Exchange&)> answer = nullptr;  // instead of `run`: answers itself
        bool of_process = false;  // of all sites: for callers of the first one, and the operator
    };
    using House = std::function<void(std::move_only_function<void()>)>;
    // `first`: of the first site, whose callers operate the process.
    Admin(std::vector<Route> routes, House house, bool first = true)
        : routes_(std::move(routes)), house_(std::move(house)), first_(first) {}

    static bool is_mine(std::string_view path) { return path.starts_with("/_gantry/"); }
    static http::BodyPlan plan() { return http::BodyPlan::whole(64 << 10); }
    // Looking takes the scope gantry:read, changing gantry:admin.
    void handle(http::Exchange& exchange, EdgeCaller const& caller) const;

   private:
    Route const* find(http::RequestHead const& head, std::string& rest, std::string& allowed) const;
    std::vector<Route> routes_;
    House house_;
    bool first_;
};

}  // namespace gantry::runtime
