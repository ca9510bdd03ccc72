#include "kernel/runtime/admin.h"

#include <memory>

#include "kernel/runtime/reply.h"
#include "kernel/runtime/ticket.h"

namespace gantry::runtime {
namespace {

constexpr std::string_view prefix = "/_gantry/v1/";

void write(http::Response response, Result<std::string> const& outcome) {
    if (!outcome) return response.problem(outcome.error());
    response.begin(200).header("Content-Type", "application/json").header("Cache-Control", "no-store").body(*outcome);
}

}  // namespace

Admin::Route const* Admin::find(http::RequestHead const& head, std::string& rest, std::string& allowed) const {
    if (!head.path.starts_with(prefix)) return nullptr;
    auto const path = head.path.substr(prefix.size());
    auto const method = head.method == http::Method::Head ? http::Method::Get : head.method;
    for (auto const& route : routes_) {
        bool const open = route.path.ends_with('/');
        bool const fits =
            open ? path.starts_with(route.path) && path.size() > route.path.size() && path.find('/', route.path.size()) == path.npos
                 : path == route.path;
        if (!fits) continue;
        if (route.method == method) return rest = open ? path.substr(route.path.size()) : std::string_view(), &route;
        allowed.append(allowed.empty() ? "" : ", ").append(http::method_name(route.method));
    }
    return nullptr;
}

void Admin::handle(http::Exchange& exchange, EdgeCaller const& caller) const {
    auto const& head = exchange.head();
    bool const looks = head.method == http::Method::Get || head.method == http::Method::Head;
    auto const scope = looks ? "gantry:read" : "gantry:admin";
    if (auto const* ticket = ticket_of(exchange); !caller.allows(scope))
        return refuse_caller(exchange, caller, scope, ticket ? ticket->request_id() : std::string_view());
    auto asked = std::make_shared<Asked>();
    std::string allowed;
    auto const* route = find(head, asked->rest, allowed);
    if (!route && allowed.empty())
        return exchange.response().problem({404, "route_not_found", "there is nothing at this path; docs/operations.md lists what is"});
    if (!route) return exchange.response().problem({405, "method_not_allowed", "this path takes " + allowed});
    asked->operates = first_ || caller.operates;
    if (route->of_process && !asked->operates) return exchange.response().problem(of_another_site());
    asked->who = caller.viewer.id.view(), asked->query = head.query, asked->body = exchange.body();
    if (route->answer) return route->answer(*asked, exchange);
    if (route->where == Where::at_once) return write(exchange.response(), route->run(*asked));
    house_([asked, route, held = exchange.defer()]() mutable {
        std::move(held).complete([outcome = route->run(*asked)](http::Response& response) { write(response, outcome); });
    });
}

}  // namespace gantry::runtime
