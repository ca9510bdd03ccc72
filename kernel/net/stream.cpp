#include "kernel/net/stream.h"

#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <boost/asio/basic_socket_acceptor.hpp>
#include <boost/asio/ip/address.hpp>
#include <boost/asio/steady_timer.hpp>

#include "kernel/base/assert.h"
#include "kernel/net/stream_connection.h"

namespace gantry::net {
namespace {

namespace asio = boost::asio;
using tcp = asio::ip::tcp;
using Executor = asio::io_context::executor_type;
using Acceptor = asio::basic_socket_acceptor<tcp, Executor>;
using LoopTimer = asio::basic_waitable_timer<std::chrono::steady_clock, asio::wait_traits<std::chrono::steady_clock>, Executor>;

constexpr auto retry_after_exhaustion = std::chrono::milliseconds(50);
constexpr int keepalive_idle_s = 60, keepalive_every_s = 15, keepalive_tries = 4;

struct Listener {
    explicit Listener(asio::io_context& context) : acceptor(context), retry(context) {}
    Acceptor acceptor;
    LoopTimer retry;
    bool v6 = false;
};

void tick_shard(std::weak_ptr<StreamCore> weak, int thread, Duration period) {
    auto const core = weak.lock();
    if (!core) return;
    auto const at_us = steady_now_us();
    std::vector<std::shared_ptr<StreamConnection>> all;
    for (auto* connection : core->shards[std::size_t(thread)]) all.push_back(connection->shared_from_this());
    for (auto const& connection : all) connection->tick(at_us);
    core->threads.after(thread, period, [weak, thread, period] { tick_shard(weak, thread, period); });
}

Duration tick_period(StreamLimits const& limits) {
    std::int64_t shortest = std::min(limits.partial_timeout.us, limits.write_timeout.us);
    if (limits.idle_timeout.us > 0) shortest = std::min(shortest, limits.idle_timeout.us);
    return Duration::micros(std::clamp<std::int64_t>(shortest / 8, 5'000, 500'000));
}

// A peer whose machine has gone is noticed although it says nothing for hours.
void keep_alive(StreamSocket& socket) {
    boost::system::error_code ignored;
    socket.set_option(asio::socket_base::keep_alive(true), ignored);
    auto set = [&](int name, int value) { ::setsockopt(socket.native_handle(), IPPROTO_TCP, name, &value, sizeof value); };
    set(TCP_KEEPIDLE, keepalive_idle_s), set(TCP_KEEPINTVL, keepalive_every_s), set(TCP_KEEPCNT, keepalive_tries);
    socket.set_option(tcp::no_delay(true), ignored);
}

}  // namespace

struct StreamServer::Impl {
    std::shared_ptr<StreamCore> core;
    std::vector<std::shared_ptr<Listener>> listeners;  // thread 0
    bool stopped = false;

    void accept(std::shared_ptr<Listener> const& listener);
    void accept_ready(std::shared_ptr<Listener> const& listener);
    void adopt(int fd, bool v6);
    void each(void (StreamConnection::*act)());
};

StreamServer::StreamServer(IoThreads& threads, StreamLimits limits, MakeSession make) : impl_(std::make_unique<Impl>()) {
    auto& core = impl_->core = std::make_shared<StreamCore>(threads, std::move(limits), std::move(make));
    auto const period = tick_period(core->limits);
    for (int i = 0; i < threads.count(); ++i) threads.post(i, [weak = std::weak_ptr(core), i, period] { tick_shard(weak, i, period); });
}
StreamServer::~StreamServer() { stop({}); }

Result<std::uint16_t> StreamServer::listen(Endpoint const& at) {
    auto refuse = [&](boost::system::error_code ec) {
        return fail(500, "listen_failed", "Can't listen on " + at.text() + ": " + ec.message() + ".");
    };
    boost::system::error_code ec;
    auto const address = asio::ip::make_address(at.host == "localhost" ? "127.0.0.1" : at.host, ec);
    if (ec) return refuse(ec);
    std::uint16_t port = 0;
    impl_->core->threads.run(0, [&] {
        auto listener = std::make_shared<Listener>(context_of(impl_->core->threads, 0));
        listener->v6 = address.is_v6();
        tcp::endpoint const endpoint(address, at.port);
        listener->acceptor.open(endpoint.protocol(), ec);
        if (!ec) listener->acceptor.set_option(Acceptor::reuse_address(true), ec);
        if (!ec) listener->acceptor.bind(endpoint, ec);
        if (!ec) listener->acceptor.listen(1024, ec);
        if (!ec) listener->acceptor.native_non_blocking(true, ec);
        if (ec) return;
        port = listener->acceptor.local_endpoint(ec).port();
        impl_->listeners.push_back(listener);
        impl_->accept(listener);
    });
    if (ec) return refuse(ec);
    return port;
}

void StreamServer::Impl::accept(std::shared_ptr<Listener> const& listener) {
    listener->acceptor.async_wait(Acceptor::wait_read, [this, listener](boost::system::error_code ec) {
        if (!ec && listener->acceptor.is_open()) accept_ready(listener);
    });
}

void StreamServer::Impl::accept_ready(std::shared_ptr<Listener> const& listener) {
    for (;;) {
        int const fd = ::accept4(listener->acceptor.native_handle(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0) {
            adopt(fd, listener->v6);
            continue;
        }
        if (errno == EINTR || errno == ECONNABORTED) continue;
        if (errno == EAGAIN || errno == EWOULDBLOCK) return accept(listener);
        // Out of descriptors or memory: they come back when connections end.
        listener->retry.expires_after(retry_after_exhaustion);
        listener->retry.async_wait([this, listener](boost::system::error_code ec) {
            if (!ec && listener->acceptor.is_open()) accept_ready(listener);
        });
        return;
    }
}

void StreamServer::Impl::adopt(int fd, bool v6) {
    constexpr std::size_t refused_at_once = 64;  // that are told so; more are dropped
    std::size_t const limit = core->limits.connections, open = core->open.load();
    bool const over = open >= limit;
    bump(over ? core->refused : core->accepted);
    if (open >= limit + refused_at_once || core->stopping) return void(::close(fd));
    auto const least = std::min_element(core->open_on.begin(), core->open_on.end(), [](auto& a, auto& b) { return a->load() < b->load(); });
    int const thread = int(least - core->open_on.begin());
    ++core->open, ++**least;
    core->threads.post(thread, [core = core, thread, fd, v6, over] {
        StreamSocket socket(context_of(core->threads, thread));
        boost::system::error_code ec;
        socket.assign(v6 ? tcp::v6() : tcp::v4(), fd, ec);
        GANTRY_ASSERT(!ec, "an accepted socket can't join its loop");
        keep_alive(socket);
        std::make_shared<StreamConnection>(core, thread, std::move(socket))->start(over);
    });
}

void StreamServer::Impl::each(void (StreamConnection::*act)()) {
    for (int i = 0; i < core->threads.count(); ++i)
        core->threads.run(i, [this, i, act] {
            std::vector<std::shared_ptr<StreamConnection>> all;
            for (auto* connection : core->shards[std::size_t(i)]) all.push_back(connection->shared_from_this());
            for (auto const& connection : all) (connection.get()->*act)();
        });
}

bool StreamServer::stop(Duration limit) {
    auto& core = *impl_->core;
    GANTRY_ASSERT(core.threads.current() < 0, "StreamServer::stop from an IO thread would wait for itself");
    if (std::exchange(impl_->stopped, true)) return true;
    core.stopping = true;
    core.threads.run(0, [this] {
        boost::system::error_code ignored;
        for (auto& listener : impl_->listeners) listener->acceptor.close(ignored), listener->retry.cancel();
        impl_->listeners.clear();
    });
    impl_->each(&StreamConnection::stop);
    auto none = [&] { return core.open == 0; };
    std::unique_lock lock(core.mutex);
    bool const clean = core.none_open.wait_for(lock, limit.chrono(), none);
    lock.unlock();
    if (!clean) impl_->each(&StreamConnection::end);
    lock.lock();
    core.none_open.wait_for(lock, std::chrono::seconds(5), none);
    return clean;
}

StreamServer::Stats StreamServer::stats() const {
    auto const& core = *impl_->core;
    return {core.open, core.accepted, core.refused, core.timeouts, core.received, core.sent};
}

}  // namespace gantry::net
