// Against the programs that the lines are for: rsyslogd and systemd-journald. Where one is missing, or can't be run apart from the
// machine's own, its test is skipped.
#include <fcntl.h>
#include <fmt/ranges.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <set>
#include <thread>

#include "kernel/observe/log_for_test.h"
#include "kernel/observe/log_syslog.h"

namespace gantry::observe {
namespace {

using Kind = SocketAddress::Kind;

bool eventually(std::function<bool()> const& condition) {
    auto const until = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (!condition()) {
        if (std::chrono::steady_clock::now() > until) return false;
        std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    return true;
}

// A program that ends with the test. `before` runs in the child; a status other than 0 ends it.
class Child {
   public:
    explicit Child(std::vector<std::string> command, std::function<int()> const& before = [] { return 0; }) {
        std::vector<char*> words;
        for (auto& word : command) words.push_back(word.data());
        words.push_back(nullptr);
        process_ = ::fork();
        if (process_ != 0) return;
        ::prctl(PR_SET_PDEATHSIG, SIGKILL);  // not even a killed test leaves it behind
        int const null = ::open("/dev/null", O_RDWR);
        ::dup2(null, 0), ::dup2(null, 1), ::dup2(null, 2);
        if (int const status = before(); status != 0) ::_exit(status);
        ::execv(words[0], words.data());
        ::_exit(127);
    }
    ~Child() {
        if (process_ <= 0) return;
        ::kill(process_, SIGTERM);
        if (!eventually([&] { return ended(); })) ::kill(process_, SIGKILL), ::waitpid(process_, nullptr, 0);
    }
    bool ended() {
        if (process_ <= 0) return true;
        if (::waitpid(process_, &status_, WNOHANG) != process_) return false;
        process_ = -1;
        return true;
    }
    int exit_status() const { return WIFEXITED(status_) ? WEXITSTATUS(status_) : -1; }
    pid_t process() const { return process_; }

   private:
    pid_t process_;
    int status_ = 0;
};

std::uint16_t free_port(int type) {
    int const socket = ::socket(AF_INET, type | SOCK_CLOEXEC, 0);
    auto address = *network_address(type == SOCK_STREAM ? Kind::tcp : Kind::udp, "127.0.0.1:1");
    auto* at = reinterpret_cast<sockaddr_in*>(&address.address);
    at->sin_port = 0;
    EXPECT_EQ(::bind(socket, reinterpret_cast<sockaddr*>(at), address.length), 0);
    EXPECT_EQ(::getsockname(socket, reinterpret_cast<sockaddr*>(at), &address.length), 0);
    ::close(socket);
    return ntohs(at->sin_port);
}

std::array<LogField, 2> const fields = {LogField("client", "a b"), LogField("note", "é\n\x01")};
LogEntry line_over(std::string_view module) {
    return {.time = Time{1'700'000'000'000'007}, .level = Level::error, .module = module, .message = "no answer", .fields = fields};
}

TEST(RealRsyslog, TakesEveryForm) {
    constexpr char const* program = "/usr/sbin/rsyslogd";
    if (::access(program, X_OK) != 0) GTEST_SKIP() << program << " is missing (package rsyslog)";
    ScratchDirectory dir;
    auto const udp = free_port(SOCK_DGRAM), tcp = free_port(SOCK_STREAM);
    std::ofstream(dir.path("conf")) << "global(workDirectory=\"" << dir.path("") << "\" parser.escapeControlCharactersOnReceive=\"off\")\n"
                                    << "module(load=\"imuxsock\" SysSock.Use=\"off\")\nmodule(load=\"imudp\")\nmodule(load=\"imtcp\")\n"
                                    << "input(type=\"imuxsock\" Socket=\"" << dir.path("log") << "\" CreatePath=\"on\")\n"
                                    << "input(type=\"imuxsock\" Socket=\"" << dir.path("new") << "\" UseSpecialParser=\"off\")\n"
                                    << "input(type=\"imudp\" address=\"127.0.0.1\" port=\"" << udp << "\")\n"
                                    << "input(type=\"imtcp\" address=\"127.0.0.1\" port=\"" << tcp << "\")\n"
                                    << "template(name=\"t\" type=\"string\" "
                                       "string=\"%pri%|%timereported:::date-rfc3339%|%hostname%|%app-name%|%procid%|%msgid%|%msg%\\n\")\n"
                                    << "*.* action(type=\"omfile\" file=\"" << dir.path("out") << "\" template=\"t\")\n";
    Child rsyslog({program, "-n", "-f", dir.path("conf"), "-i", dir.path("pid")});
    LogIdentity const identity{.identifier = "gantry", .host = "h1", .process = 42};
    SyslogOutput local(system_clock(), *unix_address(dir.path("log")), SyslogForm::local, identity);
    SyslogOutput fresh(system_clock(), *unix_address(dir.path("new")), SyslogForm::rfc5424, identity);
    SyslogOutput by_udp(system_clock(), *network_address(Kind::udp, "127.0.0.1:" + std::to_string(udp)), SyslogForm::rfc5424, identity);
    SyslogOutput by_tcp(system_clock(), *network_address(Kind::tcp, "127.0.0.1:" + std::to_string(tcp)), SyslogForm::rfc5424, identity);
    // Of a local socket rsyslogd takes the time at which a line came. The first line may meet nobody (over UDP it is then lost), so each is
    // said until all have come.
    auto const has = [&](std::string_view text) { return read_file(dir.path("out")).find(text) != std::string::npos; };
    std::string const start = "27|2023-11-14T22:13:20.000007Z|h1|gantry|42|", rest = "|no answer client=\"a b\" note=\"é\\n\\u0001\"\n";
    bool const came = eventually([&] {
        local.line(line_over("local")), fresh.line(line_over("fresh")), by_udp.line(line_over("udp")), by_tcp.line(line_over("tcp"));
        for (auto* output : {&local, &fresh, &by_udp, &by_tcp}) output->flush();
        return has("|gantry|42|-| local: no answer client=\"a b\" note=\"é\\n\\u0001\"\n") && has("|h1|gantry|42|fresh" + rest) &&
               has(start + "udp" + rest) && has(start + "tcp" + rest);
    });
    std::set<std::string> distinct;
    std::ifstream out(dir.path("out"));
    for (std::string line; std::getline(out, line);) distinct.insert(line);
    EXPECT_TRUE(came) << fmt::format("{}", fmt::join(distinct, "\n"));
}

// A journal of a namespace of its own, with a /run that nobody else sees.
int enter_private_run() {
    if (::unshare(CLONE_NEWNS) != 0 || ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) return 100;
    if (::mount("none", "/run", "tmpfs", 0, nullptr) != 0) return 100;
    for (auto const* folder : {"/run/systemd", "/run/systemd/journald@gantrytest.conf.d", "/run/log", "/run/log/journal"})
        if (::mkdir(folder, 0755) != 0) return 101;
    std::ofstream("/run/systemd/journald@gantrytest.conf.d/test.conf") << "[Journal]\nStorage=volatile\nForwardToSyslog=no\n";
    return 0;
}

TEST(RealJournald, KeepsEveryField) {
    constexpr char const* program = "/lib/systemd/systemd-journald";
    if (::access(program, X_OK) != 0 || ::access("/usr/bin/journalctl", X_OK) != 0)
        GTEST_SKIP() << program << " is missing (package systemd)";
    if (::access("/etc/machine-id", R_OK) != 0) GTEST_SKIP() << "the machine has no /etc/machine-id";
    Child journald({program, "gantrytest"}, enter_private_run);
    auto const root = "/proc/" + std::to_string(journald.process()) + "/root/run";
    auto const socket = root + "/systemd/journal.gantrytest/socket";
    bool const ready = eventually([&] { return journald.ended() || ::access(socket.c_str(), W_OK) == 0; });
    if (!ready || journald.ended()) GTEST_SKIP() << "no journald of the test's own can be run here: exit status " << journald.exit_status();

    JournalOutput output(system_clock(), *unix_address(socket), {.identifier = "gantry-test"});
    std::string const large(300'000, 'x');
    std::array const more = {LogField("position", 7), LogField("lines", "a\nb")};
    output.line({.time = Time{1'700'000'000'000'007}, .level = Level::warning, .module = "http", .message = "no answer", .fields = more});
    output.line({.time = Time{0}, .level = Level::info, .module = "big", .message = large, .fields = {}});
    output.finish();
    EXPECT_EQ(output.lost_lines(), 0u);
    ScratchDirectory dir;
    auto const query = "exec /usr/bin/journalctl -q --no-pager -a -o export -D " + root +
                       "/log/journal/* SYSLOG_IDENTIFIER=gantry-test > " + dir.path("out") + " 2>&1";
    bool const came = eventually([&] {
        Child journalctl({"/bin/sh", "-c", query});
        eventually([&] { return journalctl.ended(); });
        return read_file(dir.path("out")).find("GANTRY_MODULE=big\n") != std::string::npos;
    });
    auto const text = read_file(dir.path("out"));
    EXPECT_TRUE(came) << text.substr(0, 2000);
    using namespace std::string_view_literals;
    for (auto wanted : {"MESSAGE=no answer\n"sv, "PRIORITY=4\n"sv, "GANTRY_TIME=2023-11-14T22:13:20.000007Z\n"sv, "GANTRY_MODULE=http\n"sv,
                        "GANTRY_POSITION=7\n"sv, "GANTRY_LINES\n\x03\0\0\0\0\0\0\0a\nb\n"sv, "_TRANSPORT=journal\n"sv})
        EXPECT_NE(text.find(wanted), text.npos) << wanted;
    EXPECT_NE(text.find("MESSAGE=" + large + "\n"), text.npos);
}

}  // namespace
}  // namespace gantry::observe
