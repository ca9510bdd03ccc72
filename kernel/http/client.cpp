#include "kernel/http/client.h"

namespace gantry::http {

Result<client::Reply> request(client::Session& session, client::Request request, Duration deadline) {
    request.total_timeout_ms = std::max<std::int64_t>(1, deadline.us / 1000);
    client::Reply reply = session.send(std::move(request));
    if (!reply.error || (reply.status != 0 && reply.error->code != "body_too_large" && reply.error->code != "aborted")) return reply;
    auto const& code = reply.error->code;
    int const status = code == "timeout" ? 504 : code == "aborted" ? 499 : code == "invalid_request" ? 400 : 502;
    Problem problem{status, code, "The request to another server failed."};
    problem.cause = reply.error->detail;
    return fail(std::move(problem));
}

}  // namespace gantry::http
