#include "kernel/runtime/line_server.h"

#include <algorithm>

#include "kernel/runtime/line_talk.h"

namespace gantry::runtime {

LineServer::LineServer(Parts parts) : impl_(std::make_shared<Impl>(std::move(parts))) {
    auto const& options = impl_->parts.decl.options;
    net::StreamLimits limits{.connections = options.connections_max};
    limits.held_bytes = std::max<std::size_t>(limits.held_bytes, 2 * (options.line_bytes_max + std::size_t(options.body_bytes_max)));
    limits.idle_timeout = options.idle_timeout, limits.partial_timeout = options.partial_timeout;
    limits.write_timeout = options.write_timeout, limits.full = options.full;
    impl_->server = std::make_unique<net::StreamServer>(
        impl_->parts.threads, std::move(limits),
        [weak = std::weak_ptr(impl_)](std::shared_ptr<net::Stream> stream) -> std::shared_ptr<net::StreamSession> {
            auto const impl = weak.lock();
            if (!impl || !impl->group.enter()) return nullptr;
            return std::make_shared<LineTalk>(impl, std::move(stream));
        });
}
LineServer::~LineServer() { stop({}); }

Result<std::uint16_t> LineServer::listen(net::Endpoint const& at) { return impl_->server->listen(at); }

bool LineServer::stop(Duration limit) {
    if (!impl_->server) return true;
    auto const until_ns = system_clock().steady_ns() + limit.us * 1000;
    bool const all_ended = impl_->server->stop(limit);
    auto const left = Duration::micros(std::max<std::int64_t>((until_ns - system_clock().steady_ns()) / 1000, 0));
    bool const all_settled = impl_->group.drain(left);
    impl_->server.reset();
    return all_ended && all_settled;
}

net::StreamServer::Stats LineServer::stats() const { return impl_->server ? impl_->server->stats() : net::StreamServer::Stats{}; }
LineDecl const& LineServer::decl() const { return impl_->parts.decl; }

}  // namespace gantry::runtime
