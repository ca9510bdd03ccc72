#include "services/pool/calls.h"

#include <fmt/format.h>

namespace gantry::pool {

client::Request json_request(std::string method, std::string target, std::string body) {
    client::Request request;
    request.method = std::move(method), request.target = std::move(target), request.body = std::move(body);
    request.headers = {{"Content-Type", "application/json"}};
    return request;
}

bool is_html(std::string_view body) {
    auto const first = body.find_first_not_of(" \r\n\t");
    return first != body.npos && body[first] == '<';
}

Problem answer_invalid(std::string_view why, std::string_view body) {
    Problem out{422, "hook_answer_invalid", fmt::format("the hook's answer is not what was asked for: {}", why)};
    if (is_html(body)) out.detail += "; it looks like HTML";
    return out;
}

Result<std::string> ask_json(Outside& outside, std::string method, Str const& url, std::string body) {
    auto request = json_request(std::move(method), url.str(), std::move(body));
    std::string got;
    bool too_long = false;
    request.download = [&](std::string_view bytes) {
        too_long = too_long || got.size() + bytes.size() > answer_bytes_max;
        if (!too_long) got.append(bytes);
        return !too_long;
    };
    auto reply = outside.call(std::move(request));
    if (got.empty() && reply) got = std::move(reply->body);
    if (too_long || got.size() > answer_bytes_max)
        return fail(422, "hook_answer_long", fmt::format("the hook's answer has more than {} bytes", answer_bytes_max));
    if (!reply) return std::unexpected(std::move(reply.error()));
    return got;
}

}  // namespace gantry::pool
