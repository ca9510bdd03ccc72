#include "kernel/runtime/listeners.h"

#include <algorithm>

#include "kernel/base/assert.h"
#include "kernel/codec/any_value.h"
#include "kernel/codec/json.h"
#include "kernel/observe/log_line.h"

namespace gantry::runtime {
namespace {

// The value of a text key of a service's settings.
std::string text_setting(ServiceDecl const& decl, void const* settings, std::string const& key) {
    GANTRY_ASSERT(decl.settings && settings, "a service with a listener has settings");
    auto const field = std::ranges::find(decl.settings->fields, key, [](auto const& f) { return std::string_view(f.name); });
    GANTRY_ASSERT(field != decl.settings->fields.end(), "a service with a listener has the keys for it");
    return codec::encode_scalar(field->type(), static_cast<char const*>(settings) + field->offset);
}

}  // namespace

Result<std::vector<ListenerAsked>> listeners_of(ServiceDecl const& decl, void const* settings) {
    std::vector<ListenerAsked> out;
    std::vector<Fault> faults;
    auto const add = [&](std::string_view protocol, LineDecl const* line) {
        ListenerAsked asked{.service = std::string(decl.name), .protocol = std::string(protocol), .at = {}, .line = line};
        auto const key = asked.protocol + "_listen", text = text_setting(decl, settings, key);
        if (line) asked.caller = text_setting(decl, settings, asked.protocol + "_caller");
        if (text.empty()) return;
        codec::AnyValue const defaults(*decl.settings);
        asked.is_default = text == text_setting(decl, defaults.get(), key);
        auto at = net::parse_endpoint(text);
        if (!at) return faults.push_back({asked.key(), at.error().detail});
        asked.at = std::move(*at);
        out.push_back(std::move(asked));
    };
    for (auto const& line : decl.lines) add(line->name, line.get());
    for (auto const& port : decl.own_ports) add(port.name, nullptr);
    if (!faults.empty()) return fail(Problem{400, "config_invalid", "the configuration can't be used", std::move(faults)});
    return out;
}

Result<void> check_listener(ListenerAsked const& asked, bool open) {
    if (asked.at.is_loopback()) return {};
    auto const refuse = [&](std::string_view why) {
        return fail(400, "listener_refused",
                    asked.key() + ": " + asked.at.text() + " is reachable from elsewhere, and " + std::string(why));
    };
    if (open) return refuse("no credentials are configured: make some (gantry auth add), or listen on 127.0.0.1 or [::1]");
    if (asked.line && asked.caller.empty())
        return refuse("this protocol has no credentials: name the caller whose scopes count with [" + asked.service + "] " +
                      asked.protocol + "_caller, and list who may come with [auth] allow");
    return {};
}

Result<void> told_listening(ListenerAsked const& asked, Result<std::uint16_t> const& port, std::vector<Listening>& out) {
    if (port) {
        auto at = asked.at;
        at.port = *port;
        observe::log_line(observe::Level::info, "runtime", "listening",
                          {{"service", asked.service}, {"protocol", asked.protocol}, {"address", at.text()}});
        out.push_back({asked.service, asked.protocol, at.text()});
        return {};
    }
    if (!asked.is_default) return fail(port.error().status, port.error().code, asked.key() + ": " + port.error().detail);
    observe::log_line(observe::Level::warning, "runtime", "not listening: the default port is taken",
                      {{"service", asked.service}, {"protocol", asked.protocol}, {"cause", port.error().detail}});
    return {};
}

Result<void> Lines::open(Parts parts, std::vector<Asked> asked, std::vector<Listening>& out) {
    site_ = parts.site;
    std::vector<LineBook::Protocol> protocols;
    for (auto const& one : asked) protocols.push_back({site_, one.host->decl().name, one.listener.line});
    book_ = std::make_unique<LineBook>(std::move(protocols), parts.threads.count(), parts.log);
    for (std::size_t i = 0; i < asked.size(); ++i) {
        auto& host = *asked[i].host;
        auto const& listener = asked[i].listener;
        LineServer::Parts of{host, *listener.line, parts.threads};
        of.caller = [&front = parts.front, name = listener.caller](int io_thread, auth::IpAddress const& peer) {
            return front.caller_of_line(io_thread, 0, name, peer);
        };
        of.admits = [&front = parts.front, &host](int io_thread) { return front.admits_line(io_thread, &host); };
        of.book = book_.get(), of.protocol = i, of.keep_trace = parts.keep_trace, of.reports = parts.reports, of.site = site_;
        auto& one = servers_.emplace_back(listener.service, std::make_unique<LineServer>(std::move(of)));
        TRY_VOID(told_listening(listener, one.server->listen(listener.at), out));
    }
    return {};
}

bool Lines::stop(Duration limit) {
    bool clean = true;
    for (auto& one : servers_) clean &= one.server->stop(limit);
    return clean;
}

void Lines::write(observe::MetricsWriter& w) const {
    using observe::MetricKind;
    if (servers_.empty()) return;
    book_->write(w);
    auto const each = [&](MetricKind kind, std::string_view name, std::string_view help, std::uint64_t net::StreamServer::Stats::* value) {
        w.family(kind, name, help);
        for (auto const& one : servers_)
            w.sample({{"site", site_}, {"service", one.service}, {"protocol", one.server->decl().name}}, one.server->stats().*value);
    };
    using Stats = net::StreamServer::Stats;
    each(MetricKind::gauge, "gantry_line_connections", "Connections of line protocols.", &Stats::open);
    each(MetricKind::counter, "gantry_line_connections_accepted_total", "Connections that were accepted.", &Stats::accepted);
    each(MetricKind::counter, "gantry_line_connections_refused_total", "Connections that were one too many.", &Stats::refused);
    each(MetricKind::counter, "gantry_line_timeouts_total", "Connections that were closed because nothing came, or nothing was taken.",
         &Stats::timeouts);
    each(MetricKind::counter, "gantry_line_received_bytes_total", "Bytes that came.", &Stats::received_bytes);
    each(MetricKind::counter, "gantry_line_sent_bytes_total", "Bytes that were sent.", &Stats::sent_bytes);
}

}  // namespace gantry::runtime
