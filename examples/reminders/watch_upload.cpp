#include "examples/reminders/watch_upload.h"

#include "kernel/http/gantry/client.h"

std::string gantry::example::watch_upload(std::string const& url, std::string const& package, std::string const& version) {
    client::Session session(url);
    client::Request request{.method = "POST", .target = "/reminders/v1/reminders"};
    request.headers = {{"Content-Type", "application/json"}, {"Idempotency-Key", "upload-" + package + "-" + version}};
    request.body = R"({"title":"Upload of )" + package + R"(","package":")" + package + "\"}";
    auto const reply = session.send(std::move(request));  // tries again by itself: the key makes that safe
    return reply.ok() ? "" : reply.error->code + ": " + reply.error->detail;
}
