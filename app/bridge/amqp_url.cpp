#include "app/bridge/amqp_url.h"

#include <amqp.h>
#include <fmt/format.h>

#include "kernel/runtime/binding.h"

namespace gantry::bridge {
namespace {

std::unexpected<Problem> wrong(std::string_view what) {
    return fail(400, "amqp_url_invalid",
                fmt::format("{}: expected amqp://user:password@host:port/vhost/QUEUE, where the vhost / is %2F", what));
}

}  // namespace

Result<AmqpUrl> parse_amqp_url(std::string_view text) {
    if (!text.starts_with("amqp://") && !text.starts_with("amqps://")) return wrong("the URL doesn't begin with amqp:// or amqps://");
    if (text.contains('?') || text.contains('#')) return wrong("the URL has a '?' or '#' that is not percent-encoded");
    auto const authority = text.find("//") + 2;
    auto const path = text.find('/', authority);
    if (path == text.npos) return wrong("the URL names neither vhost nor queue");
    auto const last = text.rfind('/');
    if (last == path) return wrong("the URL names one of vhost and queue, and not the other");
    if (text.find('/', path + 1) != last) return wrong("the URL has more parts than vhost and queue");
    AmqpUrl out;
    if (!runtime::percent_decode(text.substr(last + 1), runtime::Plus::itself, out.queue) || out.queue.empty())
        return wrong("the URL's queue");
    if (last == path + 1) return wrong("the URL's vhost is empty");
    std::string front(text.substr(0, last));
    amqp_connection_info parts{};
    if (amqp_parse_url(front.data(), &parts) != AMQP_STATUS_OK || !parts.host || !*parts.host) return wrong("the URL can't be read");
    out.host = parts.host, out.user = parts.user, out.password = parts.password, out.vhost = parts.vhost;
    out.port = parts.port, out.tls = parts.ssl != 0;
    out.shown = fmt::format("{}://{}@{}:{}{}", out.tls ? "amqps" : "amqp", out.user, out.host, out.port, text.substr(path));
    return out;
}

}  // namespace gantry::bridge
