#include "app/ask.h"

#include <fmt/format.h>

#include "app/problem_document.h"
#include "kernel/http/gantry/client.h"

namespace gantry::app {

Result<std::string> ask(Ask const& ask) {
    TRY_ASSIGN(auto const server, find_server(ask.server));
    return ask_at(server, ask);
}

Result<std::string> ask_at(ServerFound const& server, Ask const& ask) {
    client::Request request{.method = ask.method, .target = ask.target};
    if (!ask.body.empty()) request.headers.emplace_back("Content-Type", "application/json"), request.body = ask.body;
    request.total_timeout_ms = ask.timeout_s * 1000;
    client::Session session(server.url, {.retries = 0});
    if (!server.token.empty()) session.set_bearer(server.token);
    auto reply = session.send(std::move(request));
    if (reply.ok()) return std::move(reply.body);
    if (reply.status != 0)
        return fail(reply.status, reply.error->code,
                    problem_text(reply.body, reply.status).value_or(fmt::format("{} {}", reply.status, reply.body)));
    return fail(503, "server_unreachable",
                fmt::format("{}: {}. Name the server with --server{}", server.url,
                            reply.error->detail.empty() ? reply.error->code : reply.error->detail,
                            ask.has_data ? ", or a stopped one's directory with --data" : ""));
}

}  // namespace gantry::app
