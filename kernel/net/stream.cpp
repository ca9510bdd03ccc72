#include "kernel/net/stream.h"

#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <boost/asio/basic_socket_acceptor.hpp>
#include <boost/asio/basic_stream_socket.hpp>
#include <boost/asio/ip/address.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <set>
#include <vector>

#include "kernel/base/assert.h"
#include "kernel/net/asio.h"

namespace gantry::net {
namespace {

namespace asio = boost::asio;
using tcp = asio::ip::tcp;
using Executor = asio::io_context::executor_type;
using Acceptor = asio::basic_socket_acceptor<tcp, Executor>;
using Socket = asio::basic_stream_socket<tcp, Executor>;
using LoopTimer = asio::basic_waitable_timer<std::chrono::steady_clock, asio::wait_traits<std::chrono::steady_clock>, Executor>;

constexpr auto retry_after_exhaustion = std::chrono::milliseconds(50);
constexpr std::size_t read_bytes = 64 * 1024, kept_bytes = 64 * 1024;
constexpr int reads_a_turn = 4;                // then others get theirs
constexpr std::int64_t linger_us = 2'000'000;  // for the peer to read the last answer before the connection is torn down
constexpr int keepalive_idle_s = 60, keepalive_every_s = 15, keepalive_tries = 4;

std::int64_t now_us() { return system_clock().steady_ns() / 1000; }
void bump(std::atomic<std::uint64_t>& counter, std::uint64_t by = 1) { counter.fetch_add(by, std::memory_order_relaxed); }

class Connection;

// What outlives the server as long as a connection does.
struct Core {
    IoThreads& threads;
    StreamLimits const limits;
    StreamServer::MakeSession const make;
    std::vector<std::set<Connection*>> shards;  // each of its IO thread alone
    std::vector<std::unique_ptr<std::atomic<std::size_t>>> open_on;
    std::atomic<std::uint64_t> open{0}, accepted{0}, refused{0}, timeouts{0}, received{0}, sent{0};
    std::atomic<bool> stopping{false};
    std::mutex mutex;
    std::condition_variable none_open;

    Core(IoThreads& t, StreamLimits l, StreamServer::MakeSession m) : threads(t), limits(std::move(l)), make(std::move(m)) {
        shards.resize(std::size_t(t.count()));
        for (int i = 0; i < t.count(); ++i) open_on.push_back(std::make_unique<std::atomic<std::size_t>>(0));
    }
};

class Connection final : public Stream, public std::enable_shared_from_this<Connection> {
   public:
    Connection(std::shared_ptr<Core> core, int thread, Socket socket)
        : core_(std::move(core)), thread_(thread), socket_(std::move(socket)), heard_us_(now_us()), taken_us_(heard_us_) {}

    void start(bool refused);
    void stop() {
        if (shut_) return end();
        if (session_) session_->stop();
    }
    void tick(std::int64_t at_us);
    void end();

    int io_thread() const override { return thread_; }
    std::string const& peer_address() const override { return address_; }
    void write(std::string_view bytes) override;
    void close() override;
    bool is_full() const override { return unsent() > core_->limits.write_buffer_bytes; }
    void resume() override;

   private:
    std::size_t unsent() const { return out_.size() - sent_; }
    bool reads() const { return !dead_ && !eof_ && (shut_ || (!closing_ && held().size() < core_->limits.held_bytes && !is_full())); }
    std::string_view held() const { return std::string_view(in_).substr(taken_); }  // that came and wasn't taken
    void wait_readable();
    void read_some();
    void take(std::string_view fresh);
    void deliver();
    void forget_taken();
    void flush();
    void wait_writable();
    void shut();

    std::shared_ptr<Core> core_;
    int thread_;
    Socket socket_;
    std::shared_ptr<StreamSession> session_;
    std::string address_, in_, out_;
    std::size_t sent_ = 0, taken_ = 0;  // of out_, of in_
    bool reading_ = false, writing_ = false, flush_posted_ = false, delivering_ = false, again_ = false;
    bool eof_ = false, closing_ = false, shut_ = false, dead_ = false;
    std::int64_t heard_us_, taken_us_, shut_us_ = 0;
};

void Connection::start(bool refused) {
    core_->shards[std::size_t(thread_)].insert(this);
    boost::system::error_code ec;
    auto const peer = socket_.remote_endpoint(ec);
    if (!ec) {
        auto address = peer.address();
        if (address.is_v6() && address.to_v6().is_v4_mapped()) address = asio::ip::make_address_v4(asio::ip::v4_mapped, address.to_v6());
        address_ = address.to_string();
    }
    if (refused) {
        write(core_->limits.full);
        return close();
    }
    session_ = core_->make(shared_from_this());
    if (!session_) return end();
    if (core_->stopping) session_->stop();
    wait_readable();
}

void Connection::wait_readable() {
    if (reading_ || !reads()) return;
    reading_ = true;
    socket_.async_wait(Socket::wait_read, [self = shared_from_this()](boost::system::error_code ec) {
        self->reading_ = false;
        if (!ec && !self->dead_) self->read_some();
    });
}

void Connection::read_some() {
    static thread_local std::unique_ptr<char[]> const room(new char[read_bytes]);
    auto const self = shared_from_this();
    for (int i = 0; i < reads_a_turn && reads(); ++i) {
        auto const n = ::recv(socket_.native_handle(), room.get(), read_bytes, 0);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) break;
        if (n < 0) return end();
        if (n == 0) {
            eof_ = true;
            if (shut_) return end();
            deliver();
            break;
        }
        heard_us_ = now_us();
        bump(core_->received, std::uint64_t(n));
        if (!shut_ && !closing_) take({room.get(), std::size_t(n)});
        if (std::size_t(n) < read_bytes) break;
    }
    wait_readable();
}

// Most of what comes is taken at once, and needs no place of its own.
void Connection::take(std::string_view fresh) {
    if (!held().empty() || delivering_ || is_full()) {
        in_.append(fresh);
        return deliver();
    }
    delivering_ = true;
    auto const used = session_->receive(fresh, false);
    delivering_ = false;
    in_.append(fresh.substr(std::min(used, fresh.size())));
    if (std::exchange(again_, false)) deliver();
}

void Connection::deliver() {
    if (delivering_) return void(again_ = true);
    delivering_ = true;
    do {
        again_ = false;
        if (dead_ || closing_ || is_full()) break;
        auto const used = session_->receive(held(), eof_);
        taken_ += std::min(used, held().size());
    } while (again_);
    delivering_ = false;
    forget_taken();
    wait_readable();
}

void Connection::forget_taken() {
    if (taken_ < in_.size() && taken_ < kept_bytes) return;
    in_.erase(0, taken_), taken_ = 0;
    if (in_.empty() && in_.capacity() > kept_bytes) in_.shrink_to_fit();
}

void Connection::resume() {
    if (delivering_) return void(again_ = true);
    deliver();
}

void Connection::write(std::string_view bytes) {
    if (dead_ || shut_) return;
    if (unsent() == 0) taken_us_ = now_us();
    out_.append(bytes);
    if (flush_posted_ || writing_) return;
    flush_posted_ = true;
    asio::post(socket_.get_executor(), [self = shared_from_this()] {
        self->flush_posted_ = false;
        self->flush();
    });
}

void Connection::flush() {
    bool const was_full = is_full();
    while (!dead_ && unsent() > 0) {
        auto const n = ::send(socket_.native_handle(), out_.data() + sent_, unsent(), MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
            wait_writable();
            break;
        }
        if (n < 0) return end();
        sent_ += std::size_t(n), taken_us_ = now_us();
        bump(core_->sent, std::uint64_t(n));
    }
    if (dead_) return;
    if (unsent() == 0) {
        out_.clear(), sent_ = 0;
        if (out_.capacity() > kept_bytes) out_.shrink_to_fit();
        if (closing_) return shut();
    } else if (sent_ > kept_bytes) {
        out_.erase(0, sent_), sent_ = 0;
    }
    if (was_full && !is_full()) deliver();
}

void Connection::wait_writable() {
    if (writing_) return;
    writing_ = true;
    socket_.async_wait(Socket::wait_write, [self = shared_from_this()](boost::system::error_code ec) {
        self->writing_ = false;
        if (!ec) self->flush();
    });
}

void Connection::close() {
    if (dead_ || closing_) return;
    closing_ = true;
    write({});  // a flush is due
}

// Reads on until the peer closes, too: what it still sends would otherwise reset the connection before it has read the last answer.
void Connection::shut() {
    if (shut_) return;
    shut_ = true, shut_us_ = now_us();
    boost::system::error_code ignored;
    socket_.shutdown(Socket::shutdown_send, ignored);
    auto const self = shared_from_this();
    if (auto const session = std::exchange(session_, nullptr)) session->ended();
    if (eof_ || core_->stopping) return end();
    wait_readable();
}

void Connection::end() {
    if (std::exchange(dead_, true)) return;
    auto const self = shared_from_this();
    boost::system::error_code ignored;
    socket_.close(ignored);
    core_->shards[std::size_t(thread_)].erase(this);
    if (auto const session = std::exchange(session_, nullptr)) session->ended();
    --*core_->open_on[std::size_t(thread_)];
    std::lock_guard lock(core_->mutex);
    if (--core_->open == 0) core_->none_open.notify_all();
}

void Connection::tick(std::int64_t at_us) {
    auto const& limits = core_->limits;
    auto const late = [&](std::int64_t since_us, Duration limit) { return limit.us > 0 && at_us - since_us > limit.us; };
    if (shut_) return at_us - shut_us_ > linger_us ? end() : void();
    if (unsent() > 0 && late(taken_us_, limits.write_timeout)) return bump(core_->timeouts), end();
    pollfd gone{socket_.native_handle(), 0, 0};
    if (!reading_ && ::poll(&gone, 1, 0) > 0 && (gone.revents & (POLLERR | POLLHUP))) return end();
    if (closing_ || !session_) return;
    if (session_->busy() || unsent() > 0) heard_us_ = at_us;
    if (late(heard_us_, held().empty() ? limits.idle_timeout : limits.partial_timeout)) bump(core_->timeouts), close();
}

struct Listener {
    explicit Listener(asio::io_context& context) : acceptor(context), retry(context) {}
    Acceptor acceptor;
    LoopTimer retry;
    bool v6 = false;
};

void tick_shard(std::weak_ptr<Core> weak, int thread, Duration period) {
    auto const core = weak.lock();
    if (!core) return;
    auto const at_us = now_us();
    std::vector<std::shared_ptr<Connection>> all;
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
void keep_alive(Socket& socket) {
    boost::system::error_code ignored;
    socket.set_option(asio::socket_base::keep_alive(true), ignored);
    auto set = [&](int name, int value) { ::setsockopt(socket.native_handle(), IPPROTO_TCP, name, &value, sizeof value); };
    set(TCP_KEEPIDLE, keepalive_idle_s), set(TCP_KEEPINTVL, keepalive_every_s), set(TCP_KEEPCNT, keepalive_tries);
    socket.set_option(tcp::no_delay(true), ignored);
}

}  // namespace

struct StreamServer::Impl {
    std::shared_ptr<Core> core;
    std::vector<std::shared_ptr<Listener>> listeners;  // thread 0
    bool stopped = false;

    void accept(std::shared_ptr<Listener> const& listener);
    void accept_ready(std::shared_ptr<Listener> const& listener);
    void adopt(int fd, bool v6);
    void each(void (Connection::*act)());
};

StreamServer::StreamServer(IoThreads& threads, StreamLimits limits, MakeSession make) : impl_(std::make_unique<Impl>()) {
    auto& core = impl_->core = std::make_shared<Core>(threads, std::move(limits), std::move(make));
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
        Socket socket(context_of(core->threads, thread));
        boost::system::error_code ec;
        socket.assign(v6 ? tcp::v6() : tcp::v4(), fd, ec);
        GANTRY_ASSERT(!ec, "an accepted socket can't join its loop");
        keep_alive(socket);
        std::make_shared<Connection>(core, thread, std::move(socket))->start(over);
    });
}

void StreamServer::Impl::each(void (Connection::*act)()) {
    for (int i = 0; i < core->threads.count(); ++i)
        core->threads.run(i, [this, i, act] {
            std::vector<std::shared_ptr<Connection>> all;
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
    impl_->each(&Connection::stop);
    auto none = [&] { return core.open == 0; };
    std::unique_lock lock(core.mutex);
    bool const clean = core.none_open.wait_for(lock, limit.chrono(), none);
    lock.unlock();
    if (!clean) impl_->each(&Connection::end);
    lock.lock();
    core.none_open.wait_for(lock, std::chrono::seconds(5), none);
    return clean;
}

StreamServer::Stats StreamServer::stats() const {
    auto const& core = *impl_->core;
    return {core.open, core.accepted, core.refused, core.timeouts, core.received, core.sent};
}

}  // namespace gantry::net
