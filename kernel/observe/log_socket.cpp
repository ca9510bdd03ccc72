#include "kernel/observe/log_socket.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>

namespace gantry::observe {
namespace {

// Of a stream: what the kernel holds when the other side goes away is lost uncounted, so let that be little.
constexpr int send_buffer_bytes = 64 << 10;
constexpr std::size_t length_bytes = sizeof(std::uint32_t);

bool is_not_now(int error) { return error == EAGAIN || error == EWOULDBLOCK || error == ENOBUFS || error == EINTR; }

struct HostAndPort {
    std::string host, port;
};
Result<HostAndPort> split_host_and_port(std::string_view text) {
    auto const wrong = [&] {
        return fail(400, "log_sink_invalid",
                    fmt::format("'{}' is no address (right: logs.example.org:514, 192.0.2.1:514, [2001:db8::1]:514)", text));
    };
    auto const colon = text.rfind(':');
    if (colon == text.npos || colon == 0) return wrong();
    auto host = text.substr(0, colon);
    auto const port = text.substr(colon + 1);
    if (host.front() == '[' && host.back() == ']')
        host = host.substr(1, host.size() - 2);
    else if (host.find(':') != host.npos)
        return wrong();
    bool const digits = !port.empty() && port.size() <= 5 && std::ranges::all_of(port, [](char c) { return c >= '0' && c <= '9'; });
    if (host.empty() || !digits) return wrong();
    if (int const number = std::stoi(std::string(port)); number < 1 || number > 65535) return wrong();
    return HostAndPort{std::string(host), std::string(port)};
}

}  // namespace

Result<SocketAddress> unix_address(std::string_view path) {
    SocketAddress out{.kind = SocketAddress::Kind::unix_datagram, .text = std::string(path)};
    auto* to = reinterpret_cast<sockaddr_un*>(&out.address);
    if (path.empty() || path.size() >= sizeof(to->sun_path))
        return fail(400, "log_sink_invalid",
                    fmt::format("'{}' is no path of a socket: it has 1 to {} bytes", path, sizeof(to->sun_path) - 1));
    to->sun_family = AF_UNIX;
    std::ranges::copy(path, to->sun_path);
    out.length = socklen_t(offsetof(sockaddr_un, sun_path) + path.size() + 1);
    return out;
}

Result<SocketAddress> network_address(SocketAddress::Kind kind, std::string_view host_and_port) {
    TRY_ASSIGN(auto const parts, split_host_and_port(host_and_port));
    addrinfo wanted{};
    wanted.ai_socktype = kind == SocketAddress::Kind::tcp ? SOCK_STREAM : SOCK_DGRAM;
    addrinfo* found = nullptr;
    if (int const error = ::getaddrinfo(parts.host.c_str(), parts.port.c_str(), &wanted, &found); error != 0)
        return fail(400, "log_sink_failed", fmt::format("the address of {} can't be found: {}", parts.host, ::gai_strerror(error)));
    std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> const owned(found, ::freeaddrinfo);
    SocketAddress out{.kind = kind, .text = std::string(host_and_port)};
    std::memcpy(&out.address, found->ai_addr, found->ai_addrlen);
    out.length = found->ai_addrlen;
    return out;
}

struct LogSocket::Batch {
    std::array<iovec, frames_a_call> parts;
    std::array<mmsghdr, frames_a_call> messages;
    unsigned count = 0;
};

LogSocket::LogSocket(Clock const& clock, SocketAddress address, Oversize oversize)
    : clock_(clock), address_(std::move(address)), oversize_(oversize) {}
LogSocket::~LogSocket() {
    if (descriptor_ >= 0) ::close(descriptor_);
}

void LogSocket::add(std::string_view frame) {
    if (pending_.size() - front_ + length_bytes + frame.size() > pending_bytes_max) {
        lost_.fetch_add(1, std::memory_order_relaxed);
        return;
    }
    if (front_ > pending_bytes_max) pending_.erase(0, front_), front_ = 0;
    auto const size = std::uint32_t(frame.size());
    pending_.append(reinterpret_cast<char const*>(&size), length_bytes).append(frame);
}

std::string_view LogSocket::frame_at(std::size_t at) const {
    std::uint32_t size;
    std::memcpy(&size, pending_.data() + at, length_bytes);
    return std::string_view(pending_).substr(at + length_bytes, size);
}
void LogSocket::drop_front() {
    front_ += length_bytes + frame_at(front_).size();
    front_sent_ = 0;
    if (!has_pending()) pending_.clear(), front_ = 0;
}

void LogSocket::break_off() {
    if (descriptor_ >= 0) ::close(descriptor_);
    descriptor_ = -1, connecting_ = false, front_sent_ = 0;
    next_try_ns_ = clock_.steady_ns() + backoff_.us * 1000;
    backoff_ = std::min(Duration{backoff_.us * 2}, backoff_max);
}

bool LogSocket::begin_connecting() {
    if (clock_.steady_ns() < next_try_ns_) return false;
    int const type = is_stream() ? SOCK_STREAM : SOCK_DGRAM;
    descriptor_ = ::socket(address_.address.ss_family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (descriptor_ < 0) return break_off(), false;
    if (is_stream()) ::setsockopt(descriptor_, SOL_SOCKET, SO_SNDBUF, &send_buffer_bytes, sizeof(send_buffer_bytes));
    if (::connect(descriptor_, reinterpret_cast<sockaddr const*>(&address_.address), address_.length) == 0) return true;
    if (errno != EINPROGRESS) return break_off(), false;
    connecting_ = true;
    give_up_ns_ = clock_.steady_ns() + connect_time_max.us * 1000;
    return true;
}

bool LogSocket::connected() {
    if (descriptor_ < 0 && !begin_connecting()) return false;
    if (!connecting_) return true;
    pollfd wanted{.fd = descriptor_, .events = POLLOUT, .revents = 0};
    if (::poll(&wanted, 1, 0) <= 0) {
        if (clock_.steady_ns() >= give_up_ns_) break_off();
        return false;
    }
    int error = 0;
    socklen_t size = sizeof(error);
    if (::getsockopt(descriptor_, SOL_SOCKET, SO_ERROR, &error, &size) != 0 || error != 0) return break_off(), false;
    connecting_ = false;
    return true;
}

// Nothing ever comes from a receiver of syslog but its end.
bool LogSocket::peer_is_gone() const {
    char byte;
    ssize_t const got = ::recv(descriptor_, &byte, 1, MSG_DONTWAIT);
    return got == 0 || (got < 0 && !is_not_now(errno));
}

LogSocket::Sent LogSocket::send_frames(Batch& batch) {
    batch.count = 0;
    std::size_t skip = front_sent_;
    for (std::size_t at = front_; at < pending_.size() && batch.count < frames_a_call; ++batch.count) {
        auto const frame = frame_at(at);
        at += length_bytes + frame.size();
        batch.parts[batch.count] = {const_cast<char*>(frame.data()) + skip, frame.size() - skip};
        skip = 0;
    }
    return is_stream() ? send_stream(batch) : send_datagrams(batch);
}

LogSocket::Sent LogSocket::send_stream(Batch& batch) {
    msghdr message{};
    message.msg_iov = batch.parts.data(), message.msg_iovlen = batch.count;
    ssize_t const sent = ::sendmsg(descriptor_, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent < 0) return is_not_now(errno) ? Sent::not_now : Sent::broken;
    front_sent_ += std::size_t(sent);
    while (has_pending() && front_sent_ >= frame_at(front_).size()) {
        std::size_t const rest = front_sent_ - frame_at(front_).size();
        drop_front();
        front_sent_ = rest;
    }
    return Sent::some;
}

LogSocket::Sent LogSocket::send_datagrams(Batch& batch) {
    for (unsigned i = 0; i < batch.count; ++i) {
        batch.messages[i] = {};
        batch.messages[i].msg_hdr.msg_iov = &batch.parts[i], batch.messages[i].msg_hdr.msg_iovlen = 1;
    }
    int sent = ::sendmmsg(descriptor_, batch.messages.data(), batch.count, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent < 0 && errno == EMSGSIZE) {
        auto const frame = frame_at(front_);
        if (oversize_ == Oversize::by_memfd && !send_as_memfd(frame)) return is_not_now(errno) ? Sent::not_now : Sent::broken;
        if (oversize_ == Oversize::lose) lost_.fetch_add(1, std::memory_order_relaxed);
        sent = 1;
    }
    if (sent < 0) return is_not_now(errno) ? Sent::not_now : Sent::broken;
    while (sent-- > 0) drop_front();
    return Sent::some;
}

// The journal's protocol: an empty datagram that carries the descriptor of a file in memory, sealed so that it can't change any more.
bool LogSocket::send_as_memfd(std::string_view frame) {
    int const file = ::memfd_create("gantry-log", MFD_ALLOW_SEALING | MFD_CLOEXEC);
    if (file < 0) return false;
    bool sent = ::write(file, frame.data(), frame.size()) == ssize_t(frame.size()) &&
                ::fcntl(file, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL) == 0;
    if (sent) {
        alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control{};
        msghdr message{};
        message.msg_control = control.data(), message.msg_controllen = control.size();
        cmsghdr* header = CMSG_FIRSTHDR(&message);
        header->cmsg_level = SOL_SOCKET, header->cmsg_type = SCM_RIGHTS, header->cmsg_len = CMSG_LEN(sizeof(int));
        std::memcpy(CMSG_DATA(header), &file, sizeof(file));
        sent = ::sendmsg(descriptor_, &message, MSG_NOSIGNAL | MSG_DONTWAIT) >= 0;
    }
    int const error = errno;
    ::close(file);
    errno = error;
    return sent;
}

void LogSocket::flush() {
    if (!has_pending() || !connected()) return;
    if (is_stream() && peer_is_gone()) return break_off();
    Batch batch;
    bool tried_again = false;
    while (has_pending()) {
        auto const sent = send_frames(batch);
        if (sent == Sent::not_now) return;
        if (sent == Sent::some) {
            backoff_ = backoff_min;
        } else if (address_.kind == SocketAddress::Kind::udp && errno == ECONNREFUSED && !tried_again) {
            tried_again = true;  // it tells of an earlier datagram, once
        } else {
            return break_off();
        }
    }
}

void LogSocket::flush(Duration patience) {
    std::int64_t const until_ns = system_clock().steady_ns() + patience.us * 1000;
    for (flush(); has_pending() && descriptor_ >= 0; flush()) {
        std::int64_t const left_ms = (until_ns - system_clock().steady_ns()) / 1'000'000;
        pollfd wanted{.fd = descriptor_, .events = POLLOUT, .revents = 0};
        if (left_ms <= 0 || ::poll(&wanted, 1, int(left_ms)) <= 0) return;
    }
}

}  // namespace gantry::observe
