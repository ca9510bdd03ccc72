#pragma once
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <charconv>
#include <cstdint>
#include <cstring>
#include <ctime>
#include <string>
#include <string_view>
#include <vector>

#include "bench/histogram.h"

namespace gantry::bench {

// Clients that don't wait for one another: so many requests a second, whether answers come or not. One thread, one request in flight a
// connection; what finds no free connection was not even sent. Only an answer 2xx within the deadline is good, counted from when its
// request was due.
struct Offered {
    std::uint16_t port = 0;
    double rate = 100;   // requests a second
    double seconds = 1;  // that are measured
    double warmup = 0;   // before
    std::size_t connections = 64;
    std::int64_t deadline_ms = 1000;  // sent as Gantry-Timeout
    std::string target;               // the request's number comes behind it
};
struct Outcome {
    std::uint64_t due = 0, good = 0, refused = 0, late = 0, other = 0, unsent = 0;  // refused: 503; late: 504, or past the deadline
    double seconds = 0;
    Histogram latency;  // of good ones
    double good_per_s() const { return double(good) / seconds; }
};

class OpenLoop {
   public:
    explicit OpenLoop(Offered offered) : of_(std::move(offered)) {}
    Outcome run();

   private:
    struct Connection {
        int fd = -1;
        std::int64_t due_ns = 0;
        std::string in;
    };
    static std::int64_t now_ns() {
        timespec t{};
        clock_gettime(CLOCK_MONOTONIC, &t);
        return t.tv_sec * 1'000'000'000 + t.tv_nsec;
    }
    bool open(std::size_t at);
    void ask(std::size_t at, std::int64_t due_ns);
    void hear(std::size_t at);
    void answered(std::size_t at, int status);
    void lost(std::size_t at);

    Offered const of_;
    std::vector<Connection> all_;
    std::vector<std::size_t> free_;
    int poll_ = -1;
    std::uint64_t number_ = 0;
    std::int64_t measure_from_ns_ = 0;
    Outcome out_;
};

inline bool OpenLoop::open(std::size_t at) {
    sockaddr_in address{};
    address.sin_family = AF_INET, address.sin_port = htons(of_.port), address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int const fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;
    if (connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) return ::close(fd), false;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    epoll_event event{};
    event.events = EPOLLIN, event.data.u64 = at;
    epoll_ctl(poll_, EPOLL_CTL_ADD, fd, &event);
    all_[at].fd = fd, all_[at].in.clear();
    free_.push_back(at);
    return true;
}

inline void OpenLoop::ask(std::size_t at, std::int64_t due_ns) {
    auto& c = all_[at];
    c.due_ns = due_ns;
    std::string request = "GET " + of_.target + std::to_string(number_++) +
                          " HTTP/1.1\r\nHost: localhost\r\nGantry-Timeout: " + std::to_string(of_.deadline_ms) + "\r\n\r\n";
    if (::send(c.fd, request.data(), request.size(), MSG_NOSIGNAL | MSG_DONTWAIT) != ssize_t(request.size())) lost(at);
}

inline void OpenLoop::hear(std::size_t at) {
    auto& c = all_[at];
    char buffer[16384];
    auto const n = ::recv(c.fd, buffer, sizeof buffer, MSG_DONTWAIT);
    if (n <= 0) return lost(at);
    c.in.append(buffer, std::size_t(n));
    auto const end = c.in.find("\r\n\r\n");
    if (end == c.in.npos) return;
    std::size_t length = 0;
    if (auto const said = c.in.find("Content-Length: "); said < end) std::from_chars(c.in.data() + said + 16, c.in.data() + end, length);
    if (c.in.size() < end + 4 + length) return;
    int status = 0;
    std::from_chars(c.in.data() + 9, c.in.data() + 12, status);
    answered(at, status);
}

inline void OpenLoop::answered(std::size_t at, int status) {
    auto& c = all_[at];
    auto const took_ns = now_ns() - c.due_ns;
    if (c.due_ns >= measure_from_ns_) {
        if (status == 503)
            ++out_.refused;
        else if (status == 504 || took_ns > of_.deadline_ms * 1'000'000)
            ++out_.late;
        else if (status / 100 == 2)
            ++out_.good, out_.latency.add(std::uint64_t(took_ns));
        else
            ++out_.other;
    }
    c.in.clear();
    free_.push_back(at);
}

inline void OpenLoop::lost(std::size_t at) {
    if (all_[at].due_ns >= measure_from_ns_) ++out_.other;
    ::close(all_[at].fd);
    open(at);
}

inline Outcome OpenLoop::run() {
    poll_ = epoll_create1(EPOLL_CLOEXEC);
    all_.resize(of_.connections);
    for (std::size_t i = 0; i < of_.connections; ++i)
        if (!open(i)) return {};
    auto const begin_ns = now_ns();
    measure_from_ns_ = begin_ns + std::int64_t(of_.warmup * 1e9);
    auto const end_ns = measure_from_ns_ + std::int64_t(of_.seconds * 1e9);
    std::uint64_t sent = 0;
    for (auto now = begin_ns; now < end_ns + of_.deadline_ms * 1'000'000 && (now < end_ns || free_.size() < of_.connections);
         now = now_ns()) {
        for (;;) {
            auto const due_ns = begin_ns + std::int64_t(double(sent) / of_.rate * 1e9);
            if (due_ns > now || due_ns >= end_ns) break;
            ++sent;
            bool const counts = due_ns >= measure_from_ns_;
            out_.due += counts;
            if (free_.empty()) {
                out_.unsent += counts;
                continue;
            }
            auto const at = free_.back();
            free_.pop_back();
            ask(at, due_ns);
        }
        // Asleep, so that the server needn't wake it for each answer.
        timespec const pause{0, 500'000};
        nanosleep(&pause, nullptr);
        epoll_event events[1024];
        int const n = epoll_wait(poll_, events, 1024, 0);
        for (int i = 0; i < n; ++i) hear(events[i].data.u64);
    }
    for (auto& c : all_) ::close(c.fd);
    ::close(poll_);
    out_.seconds = of_.seconds;
    return out_;
}

}  // namespace gantry::bench
