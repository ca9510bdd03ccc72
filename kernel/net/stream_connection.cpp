#include "kernel/net/stream_connection.h"

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <boost/asio/ip/address.hpp>
#include <boost/asio/post.hpp>

namespace gantry::net {
namespace {

namespace asio = boost::asio;

constexpr std::size_t read_bytes = 64 * 1024, kept_bytes = 64 * 1024;
constexpr int reads_a_turn = 4;                // then others get theirs
constexpr std::int64_t linger_us = 2'000'000;  // for the peer to read the last answer before the connection is torn down

}  // namespace

void StreamConnection::start(bool refused) {
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

void StreamConnection::wait_readable() {
    if (reading_ || !reads()) return;
    reading_ = true;
    socket_.async_wait(StreamSocket::wait_read, [self = shared_from_this()](boost::system::error_code ec) {
        self->reading_ = false;
        if (!ec && !self->dead_) self->read_some();
    });
}

void StreamConnection::read_some() {
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
        heard_us_ = steady_now_us();
        bump(core_->received, std::uint64_t(n));
        if (!shut_ && !closing_) take({room.get(), std::size_t(n)});
        if (std::size_t(n) < read_bytes) break;
    }
    wait_readable();
}

// Most of what comes is taken at once, and needs no place of its own.
void StreamConnection::take(std::string_view fresh) {
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

void StreamConnection::deliver() {
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

void StreamConnection::forget_taken() {
    if (taken_ < in_.size() && taken_ < kept_bytes) return;
    in_.erase(0, taken_), taken_ = 0;
    if (in_.empty() && in_.capacity() > kept_bytes) in_.shrink_to_fit();
}

void StreamConnection::resume() {
    if (delivering_) return void(again_ = true);
    deliver();
}

void StreamConnection::write(std::string_view bytes) {
    if (dead_ || shut_) return;
    if (unsent() == 0) taken_us_ = steady_now_us();
    out_.append(bytes);
    if (flush_posted_ || writing_) return;
    flush_posted_ = true;
    asio::post(socket_.get_executor(), [self = shared_from_this()] {
        self->flush_posted_ = false;
        self->flush();
    });
}

void StreamConnection::flush() {
    bool const was_full = is_full();
    while (!dead_ && unsent() > 0) {
        auto const n = ::send(socket_.native_handle(), out_.data() + sent_, unsent(), MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
            wait_writable();
            break;
        }
        if (n < 0) return end();
        sent_ += std::size_t(n), taken_us_ = steady_now_us();
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

void StreamConnection::wait_writable() {
    if (writing_) return;
    writing_ = true;
    socket_.async_wait(StreamSocket::wait_write, [self = shared_from_this()](boost::system::error_code ec) {
        self->writing_ = false;
        if (!ec) self->flush();
    });
}

void StreamConnection::close() {
    if (dead_ || closing_) return;
    closing_ = true;
    write({});  // a flush is due
}

// Reads on until the peer closes, too: what it still sends would otherwise reset the connection before it has read the last answer.
void StreamConnection::shut() {
    if (shut_) return;
    shut_ = true, shut_us_ = steady_now_us();
    boost::system::error_code ignored;
    socket_.shutdown(StreamSocket::shutdown_send, ignored);
    auto const self = shared_from_this();
    if (auto const session = std::exchange(session_, nullptr)) session->ended();
    if (eof_ || core_->stopping) return end();
    wait_readable();
}

void StreamConnection::end() {
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

void StreamConnection::tick(std::int64_t at_us) {
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

}  // namespace gantry::net
