#include "kernel/http/server.h"

#include <sys/socket.h>

#include <algorithm>
#include <boost/asio/ip/address.hpp>
#include <boost/asio/ip/tcp.hpp>

#include "kernel/base/assert.h"
#include "kernel/http/connection.h"

namespace gantry::http {
namespace {

using tcp = asio::ip::tcp;
using Acceptor = asio::basic_socket_acceptor<tcp, Executor>;

// One listening socket, on thread 0. Sockets are handed to the thread with the fewest connections: one process-wide queue, no port
// shared with another process by accident, and an exact count.
struct Listener {
    explicit Listener(asio::io_context& context) : acceptor(context), retry(context) {}
    Acceptor acceptor;
    LoopTimer retry;
    bool tls = false;
    bool v6 = false;
    std::shared_ptr<std::string const> mount;  // null: none
};

constexpr auto retry_after_exhaustion = std::chrono::milliseconds(50);
constexpr std::size_t refused_at_once = 64;               // connections over the limit that are told so; more are dropped
constexpr Duration in_use = Duration::seconds(1);         // a connection is, whose last request is no older when the server stops
constexpr Duration next_request = Duration::millis(100);  // how long it may yet send one

}  // namespace

struct Server::Impl {
    std::shared_ptr<Core> core;
    std::vector<std::shared_ptr<Listener>> listeners;  // thread 0
    std::atomic<std::uint64_t> accepted{0}, refused{0};
    bool stopped = false;

    void accept(std::shared_ptr<Listener> const& listener);
    void accept_ready(std::shared_ptr<Listener> const& listener);
    void adopt(int fd, Listener const& listener);
    Result<TlsContext> tls_context();
};

static void tick_shard(std::weak_ptr<Core> weak, Shard* shard, Duration period) {
    auto core = weak.lock();
    if (!core) return;
    std::int64_t const now = steady_now_us();
    shard->refresh_date(now);
    shard->each([now](Connection& c) { c.tick(now); });
    core->threads.after(shard->index, period, [weak, shard, period] { tick_shard(weak, shard, period); });
}

static Duration tick_period(Limits const& l) {
    std::int64_t const shortest = std::min({l.head_timeout.us, l.body_timeout.us, l.idle_timeout.us, l.write_timeout.us});
    return Duration::micros(std::clamp<std::int64_t>(shortest / 8, 5'000, 500'000));
}

Server::Server(net::IoThreads& threads, Handler& handler, ServerConfig config) : impl_(std::make_unique<Impl>()) {
    impl_->core = std::make_shared<Core>(threads, handler, std::move(config));
    for (int i = 0; i < threads.count(); ++i) {
        auto& shard = *impl_->core->shards.emplace_back(std::make_unique<Shard>());
        shard.core = impl_->core.get(), shard.index = i, shard.context = &net::context_of(threads, i);
    }
    Duration const period = tick_period(impl_->core->config.limits);
    for (auto& shard : impl_->core->shards)
        threads.post(shard->index, [weak = std::weak_ptr(impl_->core), shard = shard.get(), period] { tick_shard(weak, shard, period); });
}

Server::~Server() { stop({}); }

Result<TlsContext> Server::Impl::tls_context() {
    std::lock_guard lock(core->mutex);
    if (core->tls) return core->tls;
    TRY_ASSIGN(core->tls, load_tls(core->config.tls));
    return core->tls;
}

Result<void> Server::reload_tls() {
    TRY_ASSIGN(TlsContext fresh, load_tls(impl_->core->config.tls));
    std::lock_guard lock(impl_->core->mutex);
    impl_->core->tls = std::move(fresh);
    return {};
}

Result<std::uint16_t> Server::listen(ListenAddress const& at) {
    auto refuse = [&](boost::system::error_code ec) {
        Problem problem{500, "listen_failed", "Can't listen on " + at.address + ":" + std::to_string(at.port) + ": " + ec.message() + "."};
        return fail(std::move(problem));
    };
    boost::system::error_code ec;
    auto const address = asio::ip::make_address(at.address, ec);
    if (ec) return refuse(ec);
    if (at.tls) TRY_VOID(impl_->tls_context());
    std::uint16_t port = 0;
    impl_->core->threads.run(0, [&] {
        auto listener = std::make_shared<Listener>(*impl_->core->shards[0]->context);
        listener->tls = at.tls, listener->v6 = address.is_v6();
        if (!at.mount.empty()) listener->mount = std::make_shared<std::string const>(at.mount);
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

void Server::Impl::accept(std::shared_ptr<Listener> const& listener) {
    listener->acceptor.async_wait(Acceptor::wait_read, [this, listener](boost::system::error_code ec) {
        if (!ec && listener->acceptor.is_open()) accept_ready(listener);
    });
}

void Server::Impl::accept_ready(std::shared_ptr<Listener> const& listener) {
    for (;;) {
        int const fd = ::accept4(listener->acceptor.native_handle(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0) {
            adopt(fd, *listener);
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

void Server::Impl::adopt(int fd, Listener const& listener) {
    std::size_t const limit = core->config.limits.connections;
    std::size_t const open = core->open.load();
    bool const over = open >= limit;
    if (over)
        bump(refused);
    else
        bump(accepted);
    if ((over && (listener.tls || open >= limit + refused_at_once)) || core->stopping) {
        ::close(fd);
        return;
    }
    TlsContext tls;
    if (listener.tls) {
        std::lock_guard lock(core->mutex);
        tls = core->tls;
    }
    auto least =
        std::min_element(core->shards.begin(), core->shards.end(), [](auto& a, auto& b) { return a->open.load() < b->open.load(); });
    Shard* const shard = least->get();
    ++core->open, ++shard->open;
    core->threads.post(shard->index, [core = core, shard, fd, tls = std::move(tls), over, v6 = listener.v6, mount = listener.mount] {
        Socket socket(*shard->context);
        boost::system::error_code ec;
        socket.assign(v6 ? tcp::v6() : tcp::v4(), fd, ec);
        GANTRY_ASSERT(!ec, "an accepted socket can't join its loop");
        socket.set_option(tcp::no_delay(true), ec);
        auto* connection = new Connection(core, *shard, std::move(socket), tls, over);
        connection->mount_at(mount);
        connection->start();
        if (core->stopping && !over) connection->close_when_idle();
    });
}

void Server::post(int io_thread, net::Task task) {
    impl_->core->threads.post(io_thread, [core = impl_->core, io_thread, task = std::move(task)]() mutable {
        Shard& shard = *core->shards[std::size_t(io_thread)];
        shard.turn_us = steady_now_us();
        shard.refresh_date(shard.turn_us);
        shard.batching = true;
        task();
        task = nullptr;
        shard.batching = false;
        shard.flush_dirty();
    });
}

bool Server::stop(Duration limit) {
    auto& core = *impl_->core;
    GANTRY_ASSERT(core.threads.current() < 0, "Server::stop from an IO thread would wait for itself");
    if (std::exchange(impl_->stopped, true)) return true;
    core.stopping = true;
    core.threads.run(0, [this] {
        boost::system::error_code ignored;
        for (auto& listener : impl_->listeners) listener->acceptor.close(ignored), listener->retry.cancel();
        impl_->listeners.clear();
    });
    auto each = [&](auto act) {
        for (auto& shard : core.shards) core.threads.run(shard->index, [&shard, act] { shard->each(act); });
    };
    each([](Connection& c) { c.close_when_idle(in_use); });
    auto none = [&] { return core.open == 0; };
    std::unique_lock lock(core.mutex);
    core.none_open.wait_for(lock, std::min(limit, next_request).chrono(), none);
    lock.unlock();
    each([](Connection& c) { c.close_when_idle(); });
    lock.lock();
    bool const clean = core.none_open.wait_for(lock, limit.chrono(), none);
    lock.unlock();
    if (!clean) each([](Connection& c) { c.kill(); });
    lock.lock();
    core.none_open.wait_for(lock, std::chrono::seconds(5), none);
    return clean;
}

ServerStats Server::stats() const {
    auto const& core = *impl_->core;
    ServerStats sum;
    sum.connections_open = core.open, sum.connections_accepted = impl_->accepted, sum.connections_refused = impl_->refused;
    for (auto const& shard : core.shards) {
        auto const& c = shard->counters;
        sum.requests += c.requests, sum.requests_refused += c.requests_refused, sum.timeouts += c.timeouts;
        sum.bytes_received += c.received, sum.bytes_sent += c.sent;
    }
    return sum;
}

}  // namespace gantry::http
