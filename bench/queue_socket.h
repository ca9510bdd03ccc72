#pragma once
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <string>
#include <string_view>

#include "bench/tool.h"

namespace gantry::bench {

// A TCP connection to this machine. What is sent is small and goes out whole; reading never waits unless asked to.
class QueueSocket {
   public:
    explicit QueueSocket(int port) : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
        check(fd_ >= 0, "socket");
        sockaddr_in const address{
            .sin_family = AF_INET, .sin_port = htons(std::uint16_t(port)), .sin_addr = {htonl(INADDR_LOOPBACK)}, .sin_zero = {}};
        check(::connect(fd_, reinterpret_cast<sockaddr const*>(&address), sizeof address) == 0, "connect");
        int on = 1;
        ::setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    }
    ~QueueSocket() { ::close(fd_); }
    QueueSocket(QueueSocket const&) = delete;
    QueueSocket& operator=(QueueSocket const&) = delete;

    int fd() const { return fd_; }
    void send(std::string_view bytes) const {
        while (!bytes.empty()) {
            auto const n = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
            check(n > 0, "send");
            bytes.remove_prefix(std::size_t(n));
        }
    }
    // Appends what came; false when nothing did. `waits`: until something does.
    bool receive(std::string& in, bool waits = false) const {
        char buffer[65536];
        auto const n = ::recv(fd_, buffer, sizeof buffer, waits ? 0 : MSG_DONTWAIT);
        if (n < 0 && errno == EAGAIN) return false;
        if (n <= 0) die("the server closed a connection");
        in.append(buffer, std::size_t(n));
        return true;
    }

   private:
    int fd_;
};

}  // namespace gantry::bench
