// The least that a server can do: one thread, epoll, and the same bytes to every request. What Gantry's own server costs is judged
// against it, so it takes part in all that HTTP asks of the socket (keep-alive, pipelining, partial reads and writes), and in nothing else.
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <fstream>
#include <iterator>
#include <memory>

#include "bench/tool.h"

using namespace gantry::bench;

struct Connection {
    int fd;
    unsigned matched = 0;  // how much of "\r\n\r\n" the bytes so far end with
    std::string out;
    std::size_t sent = 0;
};

static std::string read_file(std::string const& path) {
    std::ifstream in(path, std::ios::binary);
    if (!in) die("can't read " + path);
    return {std::istreambuf_iterator<char>(in), {}};
}

static int listen_on(int port) {
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    check(fd >= 0, "socket");
    int on = 1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    sockaddr_in a{.sin_family = AF_INET, .sin_port = htons(std::uint16_t(port)), .sin_addr = {htonl(INADDR_LOOPBACK)}, .sin_zero = {}};
    check(bind(fd, reinterpret_cast<sockaddr*>(&a), sizeof a) == 0, "bind");
    check(listen(fd, 4096) == 0, "listen");
    socklen_t size = sizeof a;
    getsockname(fd, reinterpret_cast<sockaddr*>(&a), &size);
    fmt::print("listening http://127.0.0.1:{}\n", ntohs(a.sin_port));
    std::fflush(stdout);
    return fd;
}

// Ends of request heads in `bytes`; requests have no body here.
static unsigned count_requests(Connection& c, char const* bytes, std::size_t size) {
    static constexpr char end_of_head[] = "\r\n\r\n";
    unsigned found = 0;
    for (std::size_t i = 0; i < size; ++i) {
        if (bytes[i] == end_of_head[c.matched]) {
            if (++c.matched == 4) ++found, c.matched = 0;
        } else {
            c.matched = bytes[i] == '\r';
        }
    }
    return found;
}

static bool flush(Connection& c) {
    while (c.sent < c.out.size()) {
        auto n = send(c.fd, c.out.data() + c.sent, c.out.size() - c.sent, MSG_NOSIGNAL);
        if (n < 0) return errno == EAGAIN;
        c.sent += std::size_t(n);
    }
    c.out.clear(), c.sent = 0;
    return true;
}

static bool serve(Connection& c, std::string const& response, bool readable) {
    static char buffer[65536];
    if (readable) {
        auto n = recv(c.fd, buffer, sizeof buffer, 0);
        if (n == 0 || (n < 0 && errno != EAGAIN)) return false;
        for (auto left = n > 0 ? count_requests(c, buffer, std::size_t(n)) : 0; left > 0; --left) c.out += response;
    }
    return flush(c);
}

int main(int argc, char** argv) {
    Flags flags(argc, argv, {"file", "port"});
    auto response = read_file(flags.text("file"));
    int listener = listen_on(int(flags.number("port")));
    int poll = epoll_create1(0);
    epoll_event added{.events = EPOLLIN, .data = {.ptr = nullptr}};
    epoll_ctl(poll, EPOLL_CTL_ADD, listener, &added);
    for (epoll_event events[256];;) {
        int n = epoll_wait(poll, events, 256, -1);
        for (int i = 0; i < n; ++i) {
            auto* c = static_cast<Connection*>(events[i].data.ptr);
            if (!c) {
                int fd = accept4(listener, nullptr, nullptr, SOCK_NONBLOCK);
                if (fd < 0) continue;
                int on = 1;
                setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
                c = new Connection{fd, 0, {}, 0};
                // Edge-triggered for both directions, so that nothing is re-armed for each request.
                epoll_event e{.events = EPOLLIN | EPOLLOUT | EPOLLET, .data = {.ptr = c}};
                epoll_ctl(poll, EPOLL_CTL_ADD, fd, &e);
            } else if (!serve(*c, response, events[i].events & EPOLLIN)) {
                close(c->fd);
                delete c;
            }
        }
    }
}
