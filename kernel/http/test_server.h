#pragma once
// What the tests of kernel/http share: a server with a handler of functions, and a raw client socket with bounded waits.
#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <functional>
#include <string>
#include <thread>

#include "kernel/http/server.h"

namespace gantry::http {

inline constexpr int patience_ms = 20'000;

// The kernel orders what is done before a send before what follows its receipt; a race detector does not know that.
inline std::atomic<int> wire_order{0};
inline void pass_wire() { wire_order.fetch_add(1, std::memory_order_acq_rel); }

struct TestHandler final : Handler {
    std::function<BodyPlan(RequestHead const&)> on_plan = [](RequestHead const&) { return BodyPlan::whole(); };
    std::function<void(Exchange&)> on_handle = [](Exchange& ex) {
        ex.response().begin(200).header("Content-Type", "text/plain").body("hello");
    };
    BodyPlan plan(RequestHead const& head) override { return pass_wire(), on_plan(head); }
    void handle(Exchange& exchange) override {
        pass_wire();
        on_handle(exchange);
        pass_wire();
    }
};

// Waits, bounded, until `condition` holds.
template <class Condition>
bool eventually(Condition condition) {
    auto const end = std::chrono::steady_clock::now() + std::chrono::milliseconds(patience_ms);
    while (!condition()) {
        if (std::chrono::steady_clock::now() > end) return false;
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    return true;
}

class RawClient {
   public:
    explicit RawClient(std::uint16_t port, int receive_buffer_bytes = 0) : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
        if (receive_buffer_bytes) ::setsockopt(fd_, SOL_SOCKET, SO_RCVBUF, &receive_buffer_bytes, sizeof receive_buffer_bytes);
        int const one = 1;
        ::setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        sockaddr_in to{};
        to.sin_family = AF_INET, to.sin_port = htons(port), to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        connected_ = ::connect(fd_, reinterpret_cast<sockaddr*>(&to), sizeof to) == 0;
    }
    ~RawClient() { close(); }
    RawClient(RawClient const&) = delete;
    bool connected() const { return connected_; }
    void close() {
        if (fd_ >= 0) ::close(std::exchange(fd_, -1));
    }
    void reset() {
        linger now{1, 0};
        ::setsockopt(fd_, SOL_SOCKET, SO_LINGER, &now, sizeof now);
        close();
    }
    void half_close() { ::shutdown(fd_, SHUT_WR); }
    bool send(std::string_view bytes) {
        pass_wire();
        while (!bytes.empty()) {
            ssize_t const n = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
            if (n <= 0) return false;
            bytes.remove_prefix(std::size_t(n));
        }
        return true;
    }
    // Appends what comes; false at the end of the stream, on an error, or when nothing comes for `wait_ms`.
    bool receive_some(int wait_ms = patience_ms) {
        pollfd p{fd_, POLLIN, 0};
        if (::poll(&p, 1, wait_ms) <= 0) return timed_out = true, false;
        char buffer[65536];
        ssize_t const n = ::recv(fd_, buffer, sizeof buffer, 0);
        if (n <= 0) return closed = true, false;
        pass_wire();
        in.append(buffer, std::size_t(n));
        return true;
    }
    // The next answer, head and body, as the wire has it; chunked bodies are returned with their framing.
    std::string answer(bool head_request = false) {
        std::size_t end;
        while ((end = in.find("\r\n\r\n")) == in.npos)
            if (!receive_some()) return {};
        std::string const head = in.substr(0, end + 4);
        std::size_t size = end + 4;
        if (head.starts_with("HTTP/1.1 1")) return take(size);
        if (std::size_t const at = head.find("Content-Length:"); at != head.npos && !head_request) {
            size += std::stoul(head.substr(at + 15));
            while (in.size() < size)
                if (!receive_some()) return {};
        } else if (head.find("Transfer-Encoding: chunked") != head.npos && !head_request) {
            std::size_t last;
            while ((last = in.find("0\r\n\r\n", end + 4)) == in.npos || (last > 0 && last != end + 4 && in[last - 1] != '\n'))
                if (!receive_some()) return {};
            size = last + 5;
        }
        return take(size);
    }
    std::string rest() {
        while (receive_some()) {
        }
        return std::exchange(in, {});
    }
    bool ends() {
        while (receive_some()) {
        }
        return closed;
    }
    std::string exchange(std::string_view request) { return send(request) ? answer() : ""; }

    std::string in;
    bool closed = false;
    bool timed_out = false;

   private:
    std::string take(std::size_t size) {
        std::string one = in.substr(0, size);
        in.erase(0, size);
        return one;
    }
    int fd_;
    bool connected_ = false;
};

struct TestServer {
    explicit TestServer(ServerConfig config = {}, int thread_count = 2)
        : threads(thread_count), server(threads, handler, std::move(config)) {
        auto bound = server.listen({});
        EXPECT_TRUE(bound.has_value()) << (bound ? "" : bound.error().detail);
        port = bound.value_or(0);
    }
    TestHandler handler;
    net::IoThreads threads;
    Server server;
    std::uint16_t port = 0;
};

inline std::string get(std::string_view path, std::string_view headers = {}) {
    return "GET " + std::string(path) + " HTTP/1.1\r\nHost: localhost\r\n" + std::string(headers) + "\r\n";
}
inline std::string post(std::string_view path, std::string_view body, std::string_view headers = {}) {
    return "POST " + std::string(path) + " HTTP/1.1\r\nHost: localhost\r\nContent-Length: " + std::to_string(body.size()) + "\r\n" +
           std::string(headers) + "\r\n" + std::string(body);
}
inline int status_of(std::string_view answer) {
    return answer.size() > 12 && answer.starts_with("HTTP/1.1 ") ? std::stoi(std::string(answer.substr(9, 3))) : 0;
}
inline std::string body_of(std::string_view answer) {
    std::size_t const end = answer.find("\r\n\r\n");
    return end == answer.npos ? "" : std::string(answer.substr(end + 4));
}

}  // namespace gantry::http
