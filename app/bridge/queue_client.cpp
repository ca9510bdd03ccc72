#include "app/bridge/queue_client.h"

#include <fmt/format.h>

#include "app/problem_document.h"
#include "kernel/codec/json.h"
#include "kernel/codec/json_walk.h"

namespace gantry::bridge {
namespace {

constexpr std::int64_t patience_ms = 20'000;  // RabbitMQ gives a silent bridge up after a minute

std::string percent(std::string_view text) {
    std::string out;
    for (unsigned char c : text) {
        bool const plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.';
        plain ? void(out += char(c)) : void(out += fmt::format("%{:02X}", c));
    }
    return out;
}

struct LeaseList {
    std::vector<Lease> leases;
};
RECORD(LeaseList, leases);

Result<LineResult> read_line(std::string_view line) {
    TRY_ASSIGN(auto tree, codec::JsonTree::read(line));
    auto const root = tree.root();
    auto const status = root["status"].integer();
    if (!status) return fail(502, "answer_unreadable", fmt::format("the server's answer can't be read: {}", line.substr(0, 200)));
    return LineResult{int(*status), std::string(root["problem"]["code"].text()), std::string(root["problem"]["detail"].text()),
                      std::string(root["reply"]["outcome"].text())};
}

}  // namespace

QueueClient::QueueClient(app::ServerFound const& server, std::string queue)
    : url_(server.url),
      queue_path_("/queue/v1/queues/" + percent(queue)),
      queue_(std::move(queue)),
      session_(server.url, {.total_timeout_ms = patience_ms, .retries = 0}) {
    if (!server.token.empty()) session_.set_bearer(server.token);
}

Result<std::string> QueueClient::ask(client::Request request) {
    auto reply = session_.send(std::move(request));
    if (reply.ok()) return std::move(reply.body);
    if (reply.status == 0)
        return fail(503, "server_unreachable",
                    fmt::format("{}: {}", url_, reply.error->detail.empty() ? reply.error->code : reply.error->detail));
    return fail(reply.status, reply.error->code,
                app::problem_text(reply.body, reply.status).value_or(fmt::format("{} {}", reply.status, reply.body.substr(0, 200))));
}

Result<void> QueueClient::check() {
    auto const answer = ask({.target = "/queue/v1/queues?limit=1"});
    if (answer || answer.error().status == 403) return {};  // who may put or take needn't be one who may look
    if (answer.error().code == "route_not_found" || answer.error().code == "not_found")
        return fail(404, "no_queue_service", fmt::format("the server at {} has no service 'queue'", url_));
    return fail(answer.error());
}

Result<std::vector<LineResult>> QueueClient::bulk(std::string const& target, std::vector<std::string> const& lines,
                                                  std::string const& key) {
    client::Request request{.method = "POST", .target = target, .headers = {{"Content-Type", "application/x-ndjson"}}};
    if (!key.empty()) request.headers.emplace_back("Idempotency-Key", key);
    for (auto const& line : lines) request.body += line + "\n";
    TRY_ASSIGN(auto const body, ask(std::move(request)));
    std::vector<LineResult> out;
    for (std::size_t at = 0; at < body.size();) {
        auto const end = std::min(body.find('\n', at), body.size());
        if (end > at) {
            TRY_ASSIGN(auto line, read_line(std::string_view(body).substr(at, end - at)));
            out.push_back(std::move(line));
        }
        at = end + 1;
    }
    // Broken off: what the rest came to is unknown.
    if (out.size() > lines.size()) return fail(502, "answer_unreadable", "the server answers more lines than it was asked");
    out.resize(lines.size(), {.status = 503, .code = "server_unreachable", .detail = "the server's answer broke off", .outcome = {}});
    return out;
}

Result<std::vector<LineResult>> QueueClient::put(std::vector<std::string> const& lines, std::string const& key) {
    auto const target = queue_path_ + "/tasks";
    if (lines.size() > 1) return bulk(target, lines, key);
    // Alone it may be larger than a line.
    auto const answer = ask({.method = "POST",
                             .target = target,
                             .headers = {{"Content-Type", "application/json"}, {"Idempotency-Key", key}},
                             .body = lines.front()});
    if (!answer && (answer.error().code == "server_unreachable" || answer.error().status == 401 || answer.error().status == 403))
        return fail(answer.error());
    if (!answer) return std::vector{LineResult{answer.error().status, answer.error().code, answer.error().detail, {}}};
    TRY_ASSIGN(auto tree, codec::JsonTree::read(*answer));
    return std::vector{LineResult{200, {}, {}, std::string(tree.root()["outcome"].text())}};
}

Result<std::vector<Lease>> QueueClient::reserve(std::size_t max, std::int64_t wait_ms, std::int64_t lease_ms, std::string const& worker) {
    client::Request request{.method = "POST", .target = queue_path_ + "/reserve", .headers = {{"Content-Type", "application/json"}}};
    request.body = fmt::format(R"({{"max":{},"wait_ms":{},"lease_ms":{},"worker":)", max, wait_ms, lease_ms);
    codec::append_json_string(request.body, worker), request.body += '}';
    TRY_ASSIGN(auto const body, ask(std::move(request)));
    LeaseList list;
    if (auto read = codec::decode_json(codec::type_of<LeaseList>(), &list, body, false, {.lenient = true}); !read)
        return fail(502, "answer_unreadable", "the server's answer can't be read: " + read.error().detail);
    return std::move(list.leases);
}

Result<std::vector<LineResult>> QueueClient::complete(std::vector<std::string> const& leases) {
    std::vector<std::string> lines;
    for (auto const& lease : leases) lines.push_back(fmt::format(R"({{"lease":"{}"}})", lease));
    return bulk("/queue/v1/leases/complete", lines, {});
}

Result<void> QueueClient::release(std::string const& lease, std::int64_t delay_ms) {
    client::Request request{
        .method = "POST", .target = "/queue/v1/leases/" + lease + "/release", .headers = {{"Content-Type", "application/json"}}};
    request.body = fmt::format(R"({{"delay_ms":{}}})", delay_ms);
    TRY_VOID(ask(std::move(request)));
    return {};
}

Result<void> QueueClient::bury(std::string const& lease, std::string_view reason) {
    client::Request request{
        .method = "POST", .target = "/queue/v1/leases/" + lease + "/bury", .headers = {{"Content-Type", "application/json"}}};
    request.body = "{\"reason\":", codec::append_json_string(request.body, reason), request.body += '}';
    TRY_VOID(ask(std::move(request)));
    return {};
}

}  // namespace gantry::bridge
