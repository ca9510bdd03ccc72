#pragma once
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <functional>
#include <string>
#include <thread>

// A hook of the outside over real HTTP, on a port of its own: what it answers is what a test says, bytes and all. One call at a time.
namespace gantry::pool {

class HookServer {
   public:
    // `answer(request)`: the whole answer; empty: none comes, until the client gives up.
    explicit HookServer(std::function<std::string(std::string const&)> answer)
        : answer_(std::move(answer)), fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
        sockaddr_in at{};
        at.sin_family = AF_INET, at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        (void)::bind(fd_, reinterpret_cast<sockaddr*>(&at), sizeof at);
        (void)::listen(fd_, 16);
        socklen_t size = sizeof at;
        (void)::getsockname(fd_, reinterpret_cast<sockaddr*>(&at), &size);
        port_ = ntohs(at.sin_port);
        thread_ = std::thread([this] { serve(); });
    }
    ~HookServer() {
        ::shutdown(fd_, SHUT_RDWR);
        thread_.join();
        ::close(fd_);
    }
    std::string url() const { return "http://127.0.0.1:" + std::to_string(port_) + "/hook"; }
    static std::string ok(std::string const& body, std::string const& type = "application/json") {
        return "HTTP/1.1 200 OK\r\nContent-Type: " + type + "\r\nConnection: close\r\nContent-Length: " + std::to_string(body.size()) +
               "\r\n\r\n" + body;
    }

   private:
    void serve() {
        for (;;) {
            int const client = ::accept(fd_, nullptr, nullptr);
            if (client < 0) return;
            std::string request;
            char buffer[4096];
            while (request.find("\r\n\r\n") == request.npos) {
                auto const n = ::recv(client, buffer, sizeof buffer, 0);
                if (n <= 0) break;
                request.append(buffer, std::size_t(n));
            }
            auto const answer = answer_(request);
            for (std::size_t sent = 0; sent < answer.size();) {
                auto const n = ::send(client, answer.data() + sent, answer.size() - sent, MSG_NOSIGNAL);
                if (n <= 0) break;
                sent += std::size_t(n);
            }
            while (answer.empty() && ::recv(client, buffer, sizeof buffer, 0) > 0) continue;
            ::close(client);
        }
    }
    std::function<std::string(std::string const&)> answer_;
    int fd_;
    std::uint16_t port_ = 0;
    std::thread thread_;
};

}  // namespace gantry::pool
