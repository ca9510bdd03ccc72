#include "kernel/observe/log_syslog.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "kernel/observe/log_for_test.h"

namespace gantry::observe {
namespace {

using Kind = SocketAddress::Kind;
constexpr int patience_ms = 5000;

bool readable(int descriptor) {
    pollfd wanted{.fd = descriptor, .events = POLLIN, .revents = 0};
    return ::poll(&wanted, 1, patience_ms) > 0;
}

// The other side: a socket of the test's.
struct Receiver {
    int socket = -1;
    std::string address;
    static Receiver network(int type, std::uint16_t port = 0) {
        Receiver r;
        r.socket = ::socket(AF_INET, type | SOCK_CLOEXEC, 0);
        int const yes = 1;
        ::setsockopt(r.socket, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
        sockaddr_in at{.sin_family = AF_INET, .sin_port = htons(port), .sin_addr = {htonl(INADDR_LOOPBACK)}, .sin_zero = {}};
        socklen_t size = sizeof(at);
        EXPECT_EQ(::bind(r.socket, reinterpret_cast<sockaddr*>(&at), size), 0) << std::strerror(errno);
        ::getsockname(r.socket, reinterpret_cast<sockaddr*>(&at), &size);
        int const small = 16 << 10;
        if (type == SOCK_STREAM) ::setsockopt(r.socket, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
        if (type == SOCK_STREAM) EXPECT_EQ(::listen(r.socket, 4), 0);
        r.address = "127.0.0.1:" + std::to_string(ntohs(at.sin_port));
        return r;
    }
    static Receiver unix_path(std::string const& path) {
        Receiver r;
        r.socket = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        auto const at = *unix_address(path);
        EXPECT_EQ(::bind(r.socket, reinterpret_cast<sockaddr const*>(&at.address), at.length), 0) << std::strerror(errno);
        r.address = path;
        return r;
    }
    std::uint16_t port() const { return std::uint16_t(std::stoi(address.substr(address.rfind(':') + 1))); }
    Receiver() = default;
    Receiver(Receiver&& other) noexcept : socket(std::exchange(other.socket, -1)), address(std::move(other.address)) {}
    ~Receiver() { close(); }
    void close() {
        if (socket >= 0) ::close(std::exchange(socket, -1));
    }
    std::string receive() const {
        if (!readable(socket)) return "nothing came";
        std::string out(1 << 18, '\0');
        ssize_t const got = ::recv(socket, out.data(), out.size(), 0);
        out.resize(got > 0 ? std::size_t(got) : 0);
        return out;
    }
    Receiver accept() const {
        Receiver r;
        if (readable(socket)) r.socket = ::accept4(socket, nullptr, nullptr, SOCK_CLOEXEC);
        return r;
    }
};

LogIdentity const identity{.identifier = "gantry", .host = "h1", .process = 42};
LogEntry entry(std::string_view message, std::span<LogField const> fields = {}, Level level = Level::warning) {
    return {.time = Time{1'700'000'000'000'007}, .level = level, .module = "http", .message = message, .fields = fields};
}

TEST(Syslog, Rfc5424OverUdpWithEachLevelsSeverity) {
    auto receiver = Receiver::network(SOCK_DGRAM);
    SyslogOutput output(system_clock(), *network_address(Kind::udp, receiver.address), SyslogForm::rfc5424, identity);
    std::array const fields = {LogField("client", "a b"), LogField("n", 3)};
    for (auto level : {Level::debug, Level::info, Level::warning, Level::error}) output.line(entry("no\nanswer", fields, level));
    output.flush();
    std::string const rest = "1 2023-11-14T22:13:20.000007Z h1 gantry 42 http - no answer client=\"a b\" n=3";
    for (auto const* priority : {"<31>", "<30>", "<28>", "<27>"}) EXPECT_EQ(receiver.receive(), priority + rest);
    EXPECT_EQ(output.lost_lines(), 0u);
}

TEST(Syslog, HeaderWordsAreCleanedAndBounded) {
    auto receiver = Receiver::network(SOCK_DGRAM);
    SyslogOutput output(system_clock(), *network_address(Kind::udp, receiver.address), SyslogForm::rfc5424,
                        {.identifier = std::string(49, 'i') + "x", .host = "a b\xc3\xa9", .process = 1});
    auto line = entry("m");
    std::string const module(33, 'm');
    line.module = module;
    output.line(line), line.module = "", output.line(line);
    output.flush();
    EXPECT_EQ(receiver.receive(),
              "<28>1 2023-11-14T22:13:20.000007Z a_b__ " + std::string(48, 'i') + " 1 " + std::string(32, 'm') + " - m");
    EXPECT_TRUE(receiver.receive().ends_with(" 1 - - m"));
}

TEST(Syslog, ALongMessageIsCutAndSaysSo) {
    auto receiver = Receiver::network(SOCK_DGRAM);
    SyslogOutput output(system_clock(), *network_address(Kind::udp, receiver.address), SyslogForm::local, identity);
    std::string const head = "<28>gantry[42]: http: ", most(SyslogOutput::message_bytes_max - head.size(), 'x');
    output.line(entry(most)), output.line(entry(most + "x"));
    output.flush();
    EXPECT_EQ(receiver.receive(), head + most);
    EXPECT_EQ(receiver.receive(), head + most.substr(3) + "…");
}

TEST(Syslog, AnAccessRecordIsALine) {
    auto receiver = Receiver::network(SOCK_DGRAM);
    SyslogOutput output(system_clock(), *network_address(Kind::udp, receiver.address), SyslogForm::local, identity);
    output.access({.at = {}, .client = "192.0.2.1", .method = "GET", .target = "/x?token=abc", .status = 200});
    output.flush();
    EXPECT_EQ(receiver.receive(), "<30>gantry[42]: access: GET /x?token=*** 200 client=192.0.2.1 sent_bytes=0 duration_us=0");
}

TEST(Syslog, AUnixSocketMayComeLaterGoAndComeBack) {
    ScratchDirectory dir;
    ManualClock clock;
    auto const path = dir.path("log");
    SyslogOutput output(clock, *unix_address(path), SyslogForm::local, identity);
    output.line(entry("one"));
    output.flush();
    auto receiver = Receiver::unix_path(path);
    output.flush();  // backs off
    pollfd wanted{.fd = receiver.socket, .events = POLLIN, .revents = 0};
    EXPECT_EQ(::poll(&wanted, 1, 0), 0);
    clock.advance(LogSocket::backoff_min);
    output.flush();
    EXPECT_EQ(receiver.receive(), "<28>gantry[42]: http: one");
    receiver.close();
    ::unlink(path.c_str());
    output.line(entry("two"));
    output.flush();
    auto again = Receiver::unix_path(path);
    clock.advance(LogSocket::backoff_min);
    output.flush();
    EXPECT_EQ(again.receive(), "<28>gantry[42]: http: two");
    EXPECT_EQ(output.lost_lines(), 0u);
}

TEST(Syslog, AReceiverThatReadsNothingCostsLinesNotTime) {
    ScratchDirectory dir;
    auto receiver = Receiver::unix_path(dir.path("log"));
    SyslogOutput output(system_clock(), *unix_address(dir.path("log")), SyslogForm::local, identity);
    std::string const message(4000, 'x');
    for (int i = 0; i < 1000; ++i) output.line(entry(message)), output.flush();
    auto const lost = output.lost_lines();
    EXPECT_GT(lost, 0u);
    for (std::uint64_t i = 0; i < 1000 - lost; ++i) {
        output.flush();
        ASSERT_TRUE(receiver.receive().ends_with("xxx")) << i << " of " << 1000 - lost;
    }
    EXPECT_EQ(output.lost_lines(), lost);
}

TEST(LogSocket, BackOffDoublesUpToItsMost) {
    for (int failures : {1, 2, 3, 8, 9}) {
        ScratchDirectory dir;
        ManualClock clock;
        LogSocket socket(clock, *unix_address(dir.path("log")));
        socket.add("frame");
        Duration wait = LogSocket::backoff_min;
        for (int i = 1; i < failures; ++i) {
            socket.flush();
            clock.advance(wait);
            wait = std::min(Duration{wait.us * 2}, LogSocket::backoff_max);
        }
        socket.flush();
        auto receiver = Receiver::unix_path(dir.path("log"));
        clock.advance(Duration{wait.us - 1});
        socket.flush();
        pollfd came{.fd = receiver.socket, .events = POLLIN, .revents = 0};
        EXPECT_EQ(::poll(&came, 1, 0), 0) << failures;
        clock.advance(Duration{1});
        socket.flush();
        EXPECT_EQ(receiver.receive(), "frame") << failures;
    }
}

TEST(LogSocket, ItsQueueIsBounded) {
    ManualClock clock;
    LogSocket socket(clock, *unix_address("/no/such/socket"));
    socket.add(std::string(LogSocket::pending_bytes_max - 4, 'x'));
    EXPECT_EQ(socket.lost(), 0u);
    socket.add("");
    EXPECT_EQ(socket.lost(), 1u);
    LogSocket other(clock, *unix_address("/no/such/socket"));
    other.add(std::string(LogSocket::pending_bytes_max - 3, 'x'));
    EXPECT_EQ(other.lost(), 1u);
}

TEST(LogSocket, ADatagramThatNoSocketTakesIsLostAlone) {
    auto receiver = Receiver::network(SOCK_DGRAM);
    LogSocket socket(system_clock(), *network_address(Kind::udp, receiver.address));
    socket.add("a"), socket.add(std::string(70'000, 'x')), socket.add("b");
    socket.flush();
    EXPECT_EQ(receiver.receive(), "a");
    EXPECT_EQ(receiver.receive(), "b");
    EXPECT_EQ(socket.lost(), 1u);
}

// What came in on one connection, up to `bytes` or its end.
std::string read_stream(Receiver const& connection, std::size_t bytes) {
    std::string out;
    while (out.size() < bytes) {
        auto const some = connection.receive();
        if (some.empty() || some == "nothing came") break;
        out += some;
    }
    return out;
}

TEST(Syslog, TcpCountsOctets) {
    auto listener = Receiver::network(SOCK_STREAM);
    SyslogOutput output(system_clock(), *network_address(Kind::tcp, listener.address), SyslogForm::rfc5424, identity);
    output.line(entry("é")), output.line(entry("two"));
    output.finish();
    auto connection = listener.accept();
    std::string const head = "<28>1 2023-11-14T22:13:20.000007Z h1 gantry 42 http - ";
    std::string const wanted = std::to_string(head.size() + 2) + " " + head + "é" + std::to_string(head.size() + 3) + " " + head + "two";
    EXPECT_EQ(read_stream(connection, wanted.size()), wanted);
}

TEST(LogSocket, AStreamThatBreaksInsideAFrameStartsThatFrameAnew) {
    auto listener = Receiver::network(SOCK_STREAM);
    ManualClock clock;
    LogSocket socket(clock, *network_address(Kind::tcp, listener.address));
    std::string const big = "B" + std::string(900'000, 'x') + "E";
    socket.add("first,"), socket.add(big), socket.add(",last");
    socket.flush(Duration::millis(50));
    EXPECT_TRUE(listener.accept().receive().starts_with("first,B"));  // and closed
    socket.flush();
    clock.advance(LogSocket::backoff_min);
    socket.flush();
    auto connection = listener.accept();
    std::string came;
    while (!came.ends_with(",last")) {
        socket.flush();
        auto const some = connection.receive();
        if (some.empty() || some == "nothing came") break;
        came += some;
    }
    EXPECT_TRUE(came == big + ",last") << came.size() << " " << came.substr(0, 10);
    EXPECT_EQ(socket.lost(), 0u);
}

TEST(LogSocket, AReceiverThatWentAwayIsFoundBeforeTheNextLine) {
    auto listener = Receiver::network(SOCK_STREAM);
    ManualClock clock;
    LogSocket socket(clock, *network_address(Kind::tcp, listener.address));
    socket.add("one");
    socket.flush(Duration::seconds(5));
    EXPECT_EQ(read_stream(listener.accept(), 3), "one");  // and closed
    auto const port = listener.port();
    listener.close();
    socket.add("two");
    socket.flush();
    auto again = Receiver::network(SOCK_STREAM, port);
    clock.advance(LogSocket::backoff_min);
    socket.flush(Duration::seconds(5));
    EXPECT_EQ(read_stream(again.accept(), 3), "two");
}

TEST(LogSocket, NobodyListensIsNoWait) {
    auto listener = Receiver::network(SOCK_STREAM);
    auto const address = *network_address(Kind::tcp, listener.address);
    listener.close();
    ManualClock clock;
    LogSocket socket(clock, address);
    socket.add("x");
    for (int i = 0; i < 10; ++i) clock.advance(LogSocket::backoff_max), socket.flush();
    EXPECT_EQ(socket.lost(), 0u);
}

TEST(Journal, TheNativeProtocolByteByByte) {
    ScratchDirectory dir;
    auto receiver = Receiver::unix_path(dir.path("socket"));
    JournalOutput output(system_clock(), *unix_address(dir.path("socket")), identity);
    using namespace std::string_view_literals;
    std::array const fields = {LogField("client", "a=b"), LogField("two-lines", "a\nb\0"sv), LogField("n", -3), LogField("ok", true),
                               LogField(std::string_view("xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"), 0.5)};
    output.line(entry("no answer", fields));
    output.flush();
    auto const wanted =
        "MESSAGE=no answer\nPRIORITY=4\nSYSLOG_IDENTIFIER=gantry\nSYSLOG_FACILITY=3\nGANTRY_TIME=2023-11-14T22:13:20.000007Z\n"
        "GANTRY_MODULE=http\nGANTRY_CLIENT=a=b\nGANTRY_TWO_LINES\n\x04\0\0\0\0\0\0\0a\nb\0\nGANTRY_N=-3\nGANTRY_OK=true\n"
        "GANTRY_XXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXX=0.5\n"sv;
    EXPECT_EQ(receiver.receive(), wanted);
}

// What no datagram holds comes as a descriptor of a sealed file in memory.
TEST(Journal, ALargeLineGoesBySealedMemory) {
    ScratchDirectory dir;
    auto receiver = Receiver::unix_path(dir.path("socket"));
    LogSocket socket(system_clock(), *unix_address(dir.path("socket")), LogSocket::Oversize::by_memfd);
    std::string const large = "MESSAGE=" + std::string(500'000, 'x') + "\n";
    socket.add(large), socket.add("MESSAGE=small\n");
    socket.flush();
    EXPECT_EQ(socket.lost(), 0u);
    ASSERT_TRUE(readable(receiver.socket));
    alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control{};
    msghdr message{};
    message.msg_control = control.data(), message.msg_controllen = control.size();
    EXPECT_EQ(::recvmsg(receiver.socket, &message, MSG_CMSG_CLOEXEC), 0);
    auto const* header = CMSG_FIRSTHDR(&message);
    ASSERT_NE(header, nullptr);
    int file = -1;
    std::memcpy(&file, CMSG_DATA(header), sizeof(file));
    EXPECT_EQ(::fcntl(file, F_GET_SEALS), F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL);
    std::string text(large.size() + 1, '\0');
    EXPECT_EQ(::pread(file, text.data(), text.size(), 0), ssize_t(large.size()));
    text.pop_back();
    EXPECT_TRUE(text == large);
    ::close(file);
    EXPECT_EQ(receiver.receive(), "MESSAGE=small\n");
}

}  // namespace
}  // namespace gantry::observe
