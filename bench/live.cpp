// Readers of live queries, one package each, while reports come in at a steady rate: see rows_live.py. One thread, epoll, raw sockets, as
// load.cpp. Every package is reported in its turn, in an order that jumps about, so that each report is one event of one reader.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <fstream>
#include <utility>

#include "bench/histogram.h"
#include "bench/tool.h"

using namespace gantry::bench;

namespace {

constexpr std::int64_t patience_ns = 60'000'000'000;
constexpr std::size_t posters = 64;

// Tells the end of each event in a stream of server-sent events, in whatever pieces it comes; comments are none.
class Events {
   public:
    // How many events end in these bytes.
    std::size_t feed(std::string_view bytes) {
        std::size_t ended = 0;
        for (char c : bytes) {
            if (c != '\n') {
                if (length_ < data.size()) matches_ = matches_ && c == data[length_];
                ++length_;
                continue;
            }
            if (length_ == 0) ended += std::exchange(has_data_, false);
            has_data_ = has_data_ || (matches_ && length_ >= data.size());
            length_ = 0, matches_ = true;
        }
        return ended;
    }

   private:
    static constexpr std::string_view data = "data:";
    std::size_t length_ = 0;
    bool matches_ = true, has_data_ = false;
};

struct Connection {
    int fd = -1;
    bool posts = false;
    std::size_t package = 0;  // that is read, or is being reported
    // A reader's.
    Events stream;
    std::uint64_t events = 0;
    std::int64_t sent_ns = 0;  // of the report that it waits for
    // A poster's.
    std::string answer;
};

std::uint64_t number_in(std::string_view text, std::string_view name) {
    auto const at = text.find(name);
    if (at == text.npos) die(fmt::format("no {} in: {}", name, text.substr(0, 300)));
    return std::strtoull(text.data() + at + name.size(), nullptr, 10);
}

class Live {
   public:
    explicit Live(Flags const& f)
        : port_(std::uint16_t(f.number("port"))), pid_(f.text("pid")), rate_(f.number("rate", 2000)), seconds_(f.number("seconds", 5)) {
        readers_.resize(std::size_t(f.number("readers", 10'000)));
        posters_.resize(posters);
        poll_ = epoll_create1(0);
    }

    void run() {
        auto const rss_before = resident_bytes();
        park();
        auto const rss_parked = resident_bytes();
        auto const before = evaluations();
        report();
        auto const evaluated = evaluations() - before;
        fmt::print(R"({{"readers":{},"bytes_a_reader":{:.0f},"reports":{},"reports_per_s":{:.1f},"evaluations":{},"p50_us":{:.0f},)"
                   R"("p99_us":{:.0f}}})"
                   "\n",
                   readers_.size(), (double(rss_parked) - double(rss_before)) / double(readers_.size()), accepted_,
                   double(accepted_) / took_s_, evaluated, told_.percentile_us(0.5), told_.percentile_us(0.99));
    }

   private:
    std::uint64_t resident_bytes() const {
        std::ifstream in(fmt::format("/proc/{}/status", pid_));
        std::string const text(std::istreambuf_iterator<char>(in), {});
        return number_in(text, "VmRSS:") * 1024;
    }
    std::uint64_t evaluations() const {
        int const fd = connected();
        send_all(fd, fmt::format("GET /_gantry/v1/live HTTP/1.1\r\nHost: 127.0.0.1:{}\r\nConnection: close\r\n\r\n", port_));
        std::string answer;
        char buffer[4096];
        for (ssize_t n; (n = recv(fd, buffer, sizeof buffer, 0)) > 0;) answer.append(buffer, std::size_t(n));
        close(fd);
        return number_in(answer, "\"evaluations\":");
    }

    int connected() const {
        int const fd = socket(AF_INET, SOCK_STREAM, 0);
        check(fd >= 0, "socket");
        sockaddr_in const to{.sin_family = AF_INET, .sin_port = htons(port_), .sin_addr = {htonl(INADDR_LOOPBACK)}, .sin_zero = {}};
        check(connect(fd, reinterpret_cast<sockaddr const*>(&to), sizeof to) == 0, "connect");
        int on = 1;
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        return fd;
    }
    void open(Connection& c) {
        c.fd = connected();
        epoll_event e{.events = EPOLLIN, .data = {.ptr = &c}};
        check(epoll_ctl(poll_, EPOLL_CTL_ADD, c.fd, &e) == 0, "epoll_ctl");
    }
    static void send_all(int fd, std::string_view bytes) {
        if (send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL) != ssize_t(bytes.size())) die("a request found no room");
    }

    // Until every reader has its first answer.
    void park() {
        for (std::size_t i = 0; i < readers_.size(); ++i) {
            auto& c = readers_[i];
            c.package = i;
            open(c);
            send_all(c.fd, fmt::format("GET /tracker/v1/packages/pkg{} HTTP/1.1\r\nHost: 127.0.0.1:{}\r\nAccept: text/event-stream\r\n\r\n",
                                       i, port_));
            if (i % 256 == 255) turn(0);
        }
        for (auto const end = now_ns() + patience_ns; parked_ < readers_.size();)
            if (turn(100); now_ns() > end) die(fmt::format("only {} readers were answered", parked_));
    }

    void report() {
        for (auto& c : posters_) c.posts = true, open(c), idle_.push_back(&c);
        auto const start = now_ns();
        auto const wanted = std::uint64_t(rate_ * seconds_);
        if (wanted > readers_.size()) die("more reports than readers: each package is reported once");
        for (std::uint64_t asked = 0; accepted_ < wanted || told_.total() < wanted;) {
            auto const due = std::min(wanted, std::uint64_t(double(now_ns() - start) / 1e9 * rate_));
            for (; asked < due && !idle_.empty(); ++asked) post(asked);
            turn(1);
            if (accepted_ == wanted && took_s_ == 0) took_s_ = double(now_ns() - start) / 1e9;
            if (now_ns() > start + patience_ns) die(fmt::format("of {} reports {} were told", accepted_, told_.total()));
        }
    }
    void post(std::uint64_t number) {
        static constexpr std::uint64_t jump = 7919;  // a prime that divides no number of readers used here
        auto& c = *idle_.back();
        idle_.pop_back();
        c.package = number * jump % readers_.size();
        auto const body =
            fmt::format(R"({{"package":"pkg{}","version":"1.0-1","arch":"amd64","series":"trixie","stage":"told{}","reporter":"bench"}})",
                        c.package, number % 7);
        readers_[c.package].sent_ns = now_ns();
        send_all(c.fd, fmt::format("POST /tracker/v1/reports HTTP/1.1\r\nHost: 127.0.0.1:{}\r\nContent-Type: application/json\r\n"
                                   "Content-Length: {}\r\n\r\n{}",
                                   port_, body.size(), body));
    }

    void turn(int wait_ms) {
        epoll_event events[512];
        int const n = epoll_wait(poll_, events, 512, wait_ms);
        for (int i = 0; i < n; ++i) ready(*static_cast<Connection*>(events[i].data.ptr));
    }
    void ready(Connection& c) {
        auto const n = recv(c.fd, buffer_, sizeof buffer_, MSG_DONTWAIT);
        if (n < 0 && errno == EAGAIN) return;
        if (n <= 0) die("the server closed a connection");
        std::string_view const bytes(buffer_, std::size_t(n));
        if (c.posts) return answered(c, bytes);
        if (c.events == 0 && !bytes.starts_with("HTTP/1.1 200")) die(fmt::format("a reader was refused: {}", bytes.substr(0, 200)));
        auto const ended = c.stream.feed(bytes);
        if (ended == 0) return;
        if (c.events == 0) ++parked_;
        c.events += ended;
        if (c.events == 2) told_.add(std::uint64_t(now_ns() - c.sent_ns));
    }
    void answered(Connection& c, std::string_view bytes) {
        c.answer += bytes;
        auto const end = c.answer.find("\r\n\r\n");
        if (end == c.answer.npos || c.answer.size() < end + 4 + number_in(c.answer, "ontent-Length: ")) return;
        if (!c.answer.starts_with("HTTP/1.1 2")) die(fmt::format("a report was refused: {}", c.answer.substr(0, 200)));
        c.answer.clear();
        ++accepted_;
        idle_.push_back(&c);
    }

    std::uint16_t port_;
    std::string pid_;
    double rate_, seconds_, took_s_ = 0;
    std::vector<Connection> readers_, posters_;
    std::vector<Connection*> idle_;
    int poll_ = -1;
    std::size_t parked_ = 0;
    std::uint64_t accepted_ = 0;
    Histogram told_;
    char buffer_[65536];
};

}  // namespace

int main(int argc, char** argv) {
    Flags flags(argc, argv, {"port", "pid", "readers", "rate", "seconds"});
    static Live live(flags);
    live.run();
}
