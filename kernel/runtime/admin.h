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
        std::string who;    // the caller's id
        std::string rest;   // of a path that ends with '/': what follows
        std::string query;  // as it came
        std::string body;
    };
    struct Route {
        http::Method method;
        std::string path;  // behind /_gantry/v1/; with a '/' at its end: and one more part
        Where where;
        std::function<Result<std::string>(Asked const&)> run;                 // gives the JSON of a 200
        std::function<void(Asked const&, http::Exchange&)> answer = nullptr;  // instead of `run`: answers itself
    };
    using House = std::function<void(std::move_only_function<void()>)>;
    Admin(std::vector<Route> routes, House house) : routes_(std::move(routes)), house_(std::move(house)) {}

    static bool is_mine(std::string_view path) { return path.starts_with("/_gantry/"); }
    static http::BodyPlan plan() { return http::BodyPlan::whole(64 << 10); }
    // Looking takes the scope gantry:read, changing gantry:admin.
    void handle(http::Exchange& exchange, EdgeCaller const& caller) const;

   private:
    Route const* find(http::RequestHead const& head, std::string& rest, std::string& allowed) const;
    std::vector<Route> routes_;
    House house_;
};

}  // namespace gantry::runtime
