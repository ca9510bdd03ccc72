#include "app/notify.h"

#include <sys/socket.h>
#include <sys/un.h>

#include <cstddef>

#include "app/cli_fixture_test.h"

namespace gantry::app {
namespace {

// The manager's end of the socket. `name`: a path, or "@…".
class Manager {
   public:
    explicit Manager(std::string name)
        : fd_(::socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)), variable_("NOTIFY_SOCKET", name) {
        sockaddr_un at{};
        at.sun_family = AF_UNIX;
        std::copy(name.begin(), name.end(), at.sun_path);
        if (name[0] == '@') at.sun_path[0] = '\0';
        EXPECT_EQ(::bind(fd_, reinterpret_cast<sockaddr*>(&at), socklen_t(offsetof(sockaddr_un, sun_path) + name.size())), 0);
    }
    ~Manager() { ::close(fd_); }
    Manager(Manager const&) = delete;
    // A datagram that was sent is there: both ends are of this machine. Empty: none.
    std::string told() {
        char buffer[4096];
        auto const got = ::recv(fd_, buffer, sizeof buffer, 0);
        return got < 0 ? "" : std::string(buffer, std::size_t(got));
    }

   private:
    int fd_;
    Variable variable_;
};

TEST(Notify, TellsThePathOfTheEnvironment) {
    Directory dir;
    Manager manager(dir / "notify");
    notify_status("replaying tracker: 40 %");
    EXPECT_EQ(manager.told(), "STATUS=replaying tracker: 40 %\n");
    notify_ready("http://127.0.0.1:8080");
    EXPECT_EQ(manager.told(), "READY=1\nSTATUS=serving http://127.0.0.1:8080\n");
    notify_reloading();
    EXPECT_TRUE(manager.told().starts_with("RELOADING=1\nMONOTONIC_USEC="));
    notify_stopping();
    EXPECT_EQ(manager.told(), "STOPPING=1\nSTATUS=finishing what runs\n");
    notify_alive();
    EXPECT_EQ(manager.told(), "WATCHDOG=1\n");
    EXPECT_EQ(manager.told(), "");
}

TEST(Notify, TellsAnAbstractName) {
    Manager manager("@gantry-notify-test-" + std::to_string(::getpid()));
    notify_alive();
    EXPECT_EQ(manager.told(), "WATCHDOG=1\n");
}

TEST(Notify, AStatusIsOneLine) {
    Directory dir;
    Manager manager(dir / "notify");
    notify_status("a\nREADY=1");
    EXPECT_EQ(manager.told(), "STATUS=a READY=1\n");
}

TEST(Notify, NobodyThereIsNoFailure) {
    ::unsetenv("NOTIFY_SOCKET");
    notify_ready("http://127.0.0.1:8080");
    std::vector<std::string> const nobody{std::string("/nowhere/at/all"), std::string("relative"), std::string("/"),
                                          "/" + std::string(200, 'n')};
    for (auto const& name : nobody) {
        Variable variable("NOTIFY_SOCKET", name);
        notify_ready("http://127.0.0.1:8080");
    }
}

TEST(Notify, TheLongestPathIsTold) {
    Directory dir;
    std::string const begin = dir / "";
    Manager manager(begin + std::string(sizeof(sockaddr_un::sun_path) - 1 - begin.size(), 'n'));
    notify_alive();
    EXPECT_EQ(manager.told(), "WATCHDOG=1\n");
}

TEST(Notify, AManagerThatDoesntReadHoldsNobodyUp) {
    Directory dir;
    Manager manager(dir / "notify");
    for (int i = 0; i < 10'000; ++i) notify_alive();
    EXPECT_EQ(manager.told(), "WATCHDOG=1\n");
}

TEST(Notify, HalfOfWhatTheWatchdogWaits) {
    ::unsetenv("WATCHDOG_USEC");
    EXPECT_FALSE(watchdog_interval());
    Variable wait("WATCHDOG_USEC", "30000000");
    EXPECT_EQ(watchdog_interval(), std::chrono::seconds(15));
    {
        Variable mine("WATCHDOG_PID", std::to_string(::getpid()));
        EXPECT_EQ(watchdog_interval(), std::chrono::seconds(15));
    }
    {
        Variable other("WATCHDOG_PID", "1");
        EXPECT_FALSE(watchdog_interval());
    }
    for (std::string const wrong : {"", "0", "-5", "30s", "99999999999999999999"}) {
        Variable bad("WATCHDOG_USEC", wrong);
        EXPECT_FALSE(watchdog_interval()) << wrong;
    }
}

}  // namespace
}  // namespace gantry::app
