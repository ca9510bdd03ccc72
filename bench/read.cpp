// Reads one stream of lines over HTTP to its end, as fast as it comes, and counts them: see rows_feed.py. Every line is a JSON object.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bench/tool.h"

using namespace gantry::bench;

int main(int argc, char** argv) {
    Flags flags(argc, argv, {"port", "target", "accept"});
    sockaddr_in const to{.sin_family = AF_INET,
                         .sin_port = htons(std::uint16_t(flags.number("port"))),
                         .sin_addr = {htonl(INADDR_LOOPBACK)},
                         .sin_zero = {}};
    int const fd = socket(AF_INET, SOCK_STREAM, 0);
    check(fd >= 0, "socket");
    check(connect(fd, reinterpret_cast<sockaddr const*>(&to), sizeof to) == 0, "connect");
    auto const request = fmt::format("GET {} HTTP/1.1\r\nHost: 127.0.0.1:{}\r\nAccept: {}\r\nConnection: close\r\n\r\n",
                                     flags.text("target"), flags.text("port"), flags.text("accept", "application/x-ndjson"));
    auto const start = now_ns();
    check(send(fd, request.data(), request.size(), MSG_NOSIGNAL) == ssize_t(request.size()), "send");
    static char buffer[1 << 18];
    std::uint64_t lines = 0, bytes = 0;
    char before = 0;
    for (ssize_t n; (n = recv(fd, buffer, sizeof buffer, 0)) != 0;) {
        check(n > 0, "recv");
        if (bytes == 0 && std::string_view(buffer, std::size_t(n)).substr(0, 12) != "HTTP/1.1 200")
            die(std::string_view(buffer, std::size_t(n)));
        bytes += std::uint64_t(n);
        // The end of an object and of its line: no chunk's head looks like that, and text in JSON has no bare line end.
        for (char const *at = buffer, *end = buffer + n; (at = static_cast<char const*>(std::memchr(at, '\n', std::size_t(end - at))));
             ++at)
            lines += (at == buffer ? before : at[-1]) == '}';
        before = buffer[n - 1];
    }
    auto const seconds = double(now_ns() - start) / 1e9;
    fmt::print(R"({{"events":{},"bytes":{},"seconds":{:.4f},"events_per_s":{:.1f}}})"
               "\n",
               lines, bytes, seconds, double(lines) / seconds);
}
