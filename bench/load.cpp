// A load generator that takes little of the machine it shares with the server: one thread, epoll, raw sockets, one request in flight a
// connection. `--connections` is therefore the number of requests in flight. A target or body may hold `{n}`, the number of the request, or
// `{n%M}`. Answers need a Content-Length (or none, as 204 and 304). Prints one line of JSON.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <charconv>
#include <fstream>
#include <iterator>

#include "bench/histogram.h"
#include "bench/tool.h"

using namespace gantry::bench;

// Text with places for the request's number.
class Template {
   public:
    explicit Template(std::string_view text) {
        for (std::size_t at = 0; (at = text.find("{n", at)) != text.npos;) {
            std::uint64_t modulus = 0;
            auto end = at + 2;
            if (end < text.size() && text[end] == '%') {
                end = std::size_t(std::from_chars(text.data() + end + 1, text.data() + text.size(), modulus).ptr - text.data());
            }
            if (end >= text.size() || text[end] != '}') {
                at += 2;
                continue;
            }
            parts_.push_back({std::string(text.substr(0, at)), modulus});
            text.remove_prefix(end + 1), at = 0;
        }
        rest_ = text;
    }
    void append_to(std::string& out, std::uint64_t n) const {
        for (auto& p : parts_) {
            out += p.before;
            char digits[20];
            out.append(digits, std::to_chars(digits, digits + 20, p.modulus ? n % p.modulus : n).ptr);
        }
        out += rest_;
    }

   private:
    struct Part {
        std::string before;
        std::uint64_t modulus;
    };
    std::vector<Part> parts_;
    std::string rest_;
};

struct Connection {
    int fd = -1;
    std::int64_t asked_ns = 0;
    std::string out, head;
    std::size_t sent = 0;
    std::size_t body_left = 0;
    bool in_body = false;
};

class Load {
   public:
    explicit Load(Flags const& f)
        : target_(f.text("target", "/")),
          body_(f.text("body")),
          posts_(!f.text("body").empty()),
          n_(std::uint64_t(f.number("start"))),
          limit_(std::uint64_t(f.number("requests"))) {
        address_ = {.sin_family = AF_INET,
                    .sin_port = htons(std::uint16_t(f.number("port"))),
                    .sin_addr = {htonl(INADDR_LOOPBACK)},
                    .sin_zero = {}};
        head_ = " HTTP/1.1\r\nHost: 127.0.0.1:" + f.text("port") + "\r\n";
        for (auto& h : f.all("header")) head_ += h + "\r\n";
        warmup_ns_ = std::int64_t(f.number("warmup", 0) * 1e9);
        run_ns_ = std::int64_t(f.number("seconds", limit_ ? 3600 : 3) * 1e9);
        connections_.resize(std::size_t(f.number("connections", 64)));
    }

    void run() {
        poll_ = epoll_create1(0);
        for (auto& c : connections_) connect_to(c);
        auto started = now_ns();
        measure_from_ = started + warmup_ns_, end_ = measure_from_ + run_ns_;
        for (auto& c : connections_) ask(c);
        for (epoll_event events[256]; open_ > 0;) {
            int n = epoll_wait(poll_, events, 256, 100);
            now_ = now_ns();
            if (now_ > end_ + 10'000'000'000) die("the server stopped answering");
            for (int i = 0; i < n; ++i) ready(*static_cast<Connection*>(events[i].data.ptr), events[i].events);
        }
        print();
    }

   private:
    void connect_to(Connection& c) {
        c.fd = socket(AF_INET, SOCK_STREAM, 0);
        check(c.fd >= 0, "socket");
        check(connect(c.fd, reinterpret_cast<sockaddr*>(&address_), sizeof address_) == 0, "connect");
        int on = 1;
        setsockopt(c.fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        epoll_event e{.events = EPOLLIN, .data = {.ptr = &c}};
        check(epoll_ctl(poll_, EPOLL_CTL_ADD, c.fd, &e) == 0, "epoll_ctl");
        ++open_;
    }

    void ask(Connection& c) {
        c.asked_ns = now_ns();
        if (c.asked_ns >= end_ || (limit_ && asked_ >= limit_)) return shut(c);
        auto n = n_++;
        ++asked_;
        c.out.assign(posts_ ? "POST " : "GET "), c.sent = 0;
        target_.append_to(c.out, n);
        c.out += head_;
        if (posts_) {
            scratch_.clear();
            body_.append_to(scratch_, n);
            fmt::format_to(std::back_inserter(c.out), "Content-Length: {}\r\n\r\n{}", scratch_.size(), scratch_);
        } else {
            c.out += "\r\n";
        }
        flush(c);
    }

    void flush(Connection& c) {
        while (c.sent < c.out.size()) {
            auto n = send(c.fd, c.out.data() + c.sent, c.out.size() - c.sent, MSG_NOSIGNAL | MSG_DONTWAIT);
            if (n < 0 && errno == EAGAIN) return watch(c, EPOLLIN | EPOLLOUT);
            if (n < 0) return lost(c);
            c.sent += std::size_t(n);
        }
    }
    void watch(Connection& c, std::uint32_t events) {
        epoll_event e{.events = events, .data = {.ptr = &c}};
        epoll_ctl(poll_, EPOLL_CTL_MOD, c.fd, &e);
    }

    void ready(Connection& c, std::uint32_t events) {
        if (events & EPOLLOUT) watch(c, EPOLLIN), flush(c);
        if (c.fd < 0 || !(events & (EPOLLIN | EPOLLHUP | EPOLLERR))) return;
        auto n = recv(c.fd, buffer_, sizeof buffer_, MSG_DONTWAIT);
        if (n < 0 && errno == EAGAIN) return;
        if (n <= 0) return lost(c);
        std::string_view bytes(buffer_, std::size_t(n));
        if (!c.in_body) {
            auto had = c.head.size();
            c.head += bytes;
            auto end = c.head.find("\r\n\r\n", had > 3 ? had - 3 : 0);
            if (end == c.head.npos) return;
            bytes.remove_prefix(end + 4 - had);
            read_head(c, std::string_view(c.head).substr(0, end + 2));
        }
        if (bytes.size() > c.body_left) die("more bytes than the answer's Content-Length");
        c.body_left -= bytes.size();
        bytes_ += bytes.size();
        if (c.body_left == 0) answered(c);
    }

    void read_head(Connection& c, std::string_view head) {
        if (!head.starts_with("HTTP/1.1 ") || head.size() < 14) die("not an HTTP/1.1 answer");
        status_ = std::atoi(head.data() + 9);
        c.in_body = true, c.body_left = 0;
        static constexpr std::string_view name = "\r\ncontent-length:";
        for (std::size_t at = head.find("\r\n"); at != head.npos && at + name.size() < head.size(); at = head.find("\r\n", at + 2)) {
            if (strncasecmp(head.data() + at, name.data(), name.size()) != 0) continue;
            c.body_left = std::size_t(std::atoll(head.data() + at + name.size()));
            return;
        }
        if (status_ != 204 && status_ != 304) die("an answer without Content-Length");
    }

    void answered(Connection& c) {
        if (c.asked_ns >= measure_from_ && now_ <= end_) {
            ++answered_;
            latency_.add(std::uint64_t(now_ - c.asked_ns));
            if (status_ < 200 || status_ > 299) ++refused_, refused_status_ = status_;
            last_ = now_;
        }
        c.in_body = false, c.head.clear();
        ask(c);
    }

    // A connection that the server closed is counted, and opened anew so that the number in flight stays what was asked for.
    void lost(Connection& c) {
        if (++errors_ > connections_.size() + 100) die("the server keeps closing connections");
        shut(c);
        c = Connection{};
        connect_to(c);
        ask(c);
    }
    void shut(Connection& c) { close(c.fd), c.fd = -1, --open_; }

    void print() const {
        auto seconds = double((limit_ ? last_ : end_) - measure_from_) / 1e9;
        rusage used{};
        getrusage(RUSAGE_SELF, &used);
        auto cpu = double(used.ru_utime.tv_sec + used.ru_stime.tv_sec) + double(used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6;
        fmt::print(R"({{"requests":{},"asked":{},"seconds":{:.4f},"per_s":{:.1f},"p50_us":{:.1f},"p95_us":{:.1f},"p99_us":{:.1f},)"
                   R"("errors":{},"non_2xx":{},"non_2xx_status":{},"bytes":{},"load_cpu_s":{:.3f}}})"
                   "\n",
                   answered_, asked_, seconds, double(answered_) / seconds, latency_.percentile_us(0.5), latency_.percentile_us(0.95),
                   latency_.percentile_us(0.99), errors_, refused_, refused_status_, bytes_, cpu);
    }

    Template target_, body_;
    bool posts_;
    std::uint64_t n_, limit_;
    sockaddr_in address_{};
    std::string head_, scratch_;
    std::int64_t warmup_ns_ = 0, run_ns_ = 0, measure_from_ = 0, end_ = 0, now_ = 0, last_ = 0;
    std::vector<Connection> connections_;
    int poll_ = -1;
    std::size_t open_ = 0;
    int status_ = 0, refused_status_ = 0;
    std::uint64_t asked_ = 0, answered_ = 0, errors_ = 0, refused_ = 0, bytes_ = 0;
    Histogram latency_;
    char buffer_[65536];
};

int main(int argc, char** argv) {
    Flags flags(argc, argv, {"port", "connections", "seconds", "warmup", "requests", "target", "body", "header", "start"});
    static Load load(flags);
    load.run();
}
