// Ports that are really taken, certificates that are really wrong.
#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cstdlib>

#include "app/doctor/fixture_test.h"

namespace gantry::app::doctor {
namespace {

class DoctorPort : public DoctorTest {};

class Listener {
   public:
    Listener() : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
        sockaddr_in at{};
        at.sin_family = AF_INET, at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        socklen_t size = sizeof at;
        EXPECT_EQ(::bind(fd_, reinterpret_cast<sockaddr*>(&at), size), 0);
        EXPECT_EQ(::listen(fd_, 1), 0);
        ::getsockname(fd_, reinterpret_cast<sockaddr*>(&at), &size);
        port = ntohs(at.sin_port);
    }
    ~Listener() { ::close(fd_); }
    std::uint16_t port = 0;

   private:
    int fd_;
};

TEST_F(DoctorPort, OneThatIsTakenNamesTheProcess) {
    std::uint16_t port = 0;
    {
        Listener const taken;
        port = taken.port;
        auto const check = check_port("127.0.0.1", port, 0, machine);
        EXPECT_TRUE(says({check}, "port", fmt::format("problem: 127.0.0.1:{} is taken by process {} (gantry_doctor_t", port, ::getpid())))
            << check.found;
        EXPECT_EQ(check_port("localhost", port, ::getpid(), machine).verdict, Verdict::ok) << "by the server of this data";
        EXPECT_EQ(check_port("127.0.0.1", port, 1, machine).verdict, Verdict::problem);
        Machine const blind{dir / "proc", dir / "sys", machine.clock, {}};
        EXPECT_TRUE(says({check_port("127.0.0.1", port, 0, blind)}, "port",
                         fmt::format("problem: 127.0.0.1:{} is taken by a process that this user can't see", port)));
    }
    EXPECT_EQ(said({check_port("127.0.0.1", port, 0, machine)}, "port"), fmt::format("ok: 127.0.0.1:{} is free", port));
    EXPECT_EQ(check_port("127.0.0.1", 0, 0, machine).verdict, Verdict::ok);
}

TEST_F(DoctorPort, OneThatCantBe) {
    EXPECT_TRUE(says({check_port("192.0.2.1", 8080, 0, machine)}, "port", "problem: 192.0.2.1:8080 is no address of this machine"));
    EXPECT_TRUE(says({check_port("example", 8080, 0, machine)}, "port", "problem: example:8080: "));
    config::Unprivileged const nobody;
    if (!nobody.is()) GTEST_SKIP() << nobody.why_not();
    if (text_of("/proc/sys/net/ipv4/ip_unprivileged_port_start") == "0\n") GTEST_SKIP() << "no port is privileged here";
    EXPECT_TRUE(says({check_port("127.0.0.1", 81, 0, machine)}, "port", "problem: 127.0.0.1:81 is privileged"));
}

class DoctorCertificate : public DoctorTest {
   protected:
    void SetUp() override {
        if (std::system("openssl version >/dev/null 2>&1") != 0) GTEST_SKIP() << "openssl is not installed";
    }
    void openssl(std::string const& arguments) {
        auto const command = fmt::format("cd '{}' && openssl {} >log.txt 2>&1", dir.path(), arguments);
        ASSERT_EQ(std::system(command.c_str()), 0) << contents(dir / "log.txt");
    }
    // NAME.pem and NAME.key: signed by itself, or by `issuer`.
    void make(std::string const& name, std::string const& issuer = "", int days = 365) {
        openssl(fmt::format("req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout {0}.key -out {0}.csr -subj /CN={0}", name));
        auto const by =
            issuer.empty() ? fmt::format("-signkey {}.key", name) : fmt::format("-CA {0}.pem -CAkey {0}.key -CAcreateserial", issuer);
        openssl(fmt::format("x509 -req -in {0}.csr {1} -days {2} -out {0}.pem", name, by, days));
        ::chmod((dir / (name + ".key")).c_str(), 0600);
    }
    std::vector<Check> look(std::string const& certificate, std::string const& key, Time now = system_clock().wall()) {
        return check_certificates(dir / certificate, dir / key, now);
    }
};

TEST_F(DoctorCertificate, AGoodOneAndNone) {
    EXPECT_EQ(said(check_certificates("", "", {}), "certificate"), "ok: none: plain HTTP");
    make("moon");
    auto const checks = look("moon.pem", "moon.key");
    EXPECT_EQ(said(checks, "certificate"), "ok: CN = moon, with its key");
    for (auto const& check : checks) EXPECT_EQ(check.verdict, Verdict::ok) << check.found;
}

TEST_F(DoctorCertificate, FilesThatAreNot) {
    make("moon");
    EXPECT_TRUE(says(check_certificates(dir / "moon.pem", "", {}), "certificate", "problem: [http] tls_certificate is set alone"));
    EXPECT_TRUE(says(check_certificates("", dir / "moon.key", {}), "certificate", "problem: [http] tls_key is set alone"));
    EXPECT_TRUE(says(look("none.pem", "moon.key"), "certificate", "problem: " + dir / "none.pem" + ": No such file"));
    EXPECT_TRUE(says(check_certificates(dir.path(), dir / "moon.key", {}), "certificate", "problem: " + dir.path() + ": is a directory"));
    EXPECT_TRUE(says(look("moon.key", "moon.key"), "certificate", "problem: " + dir / "moon.key" + " holds no certificate"));
    EXPECT_TRUE(says(look("moon.pem", "moon.pem"), "certificate", "problem: " + dir / "moon.pem" + " holds no key"));
    openssl("ec -in moon.key -aes256 -passout pass:x -out locked.key");
    EXPECT_TRUE(
        says(look("moon.pem", "locked.key"), "certificate", "problem: " + dir / "locked.key" + " holds no key in PEM without a password"));
}

TEST_F(DoctorCertificate, TheKeyOfAnother) {
    make("moon"), make("sun");
    EXPECT_TRUE(says(look("moon.pem", "sun.key"), "certificate", "problem: " + dir / "sun.key" + " is not the key of CN = moon"));
}

TEST_F(DoctorCertificate, TheOrderOfTheChain) {
    make("root"), make("middle", "root"), make("moon", "middle");
    auto const one = contents(dir / "moon.pem"), two = contents(dir / "middle.pem"), three = contents(dir / "root.pem");
    dir.write("good.pem", one + two + three);
    EXPECT_EQ(said(look("good.pem", "moon.key"), "certificate chain"), "ok: 3 in order");
    dir.write("bad.pem", one + three + two);
    EXPECT_TRUE(says(look("bad.pem", "moon.key"), "certificate chain", "problem: CN = moon is not signed by what follows it, CN = root"));
}

TEST_F(DoctorCertificate, ItsTimes) {
    make("moon", "", 30);
    auto const now = system_clock().wall();
    EXPECT_TRUE(says(look("moon.pem", "moon.key", now), "certificate times", "ok: CN = moon until "));
    EXPECT_TRUE(says(look("moon.pem", "moon.key", now + Duration::days(10)), "certificate times", "warning: CN = moon expires "));
    EXPECT_TRUE(says(look("moon.pem", "moon.key", now + Duration::days(31)), "certificate times", "problem: CN = moon expired "));
    EXPECT_TRUE(says(look("moon.pem", "moon.key", now - Duration::days(1)), "certificate times", "problem: CN = moon is valid only from "));
}

TEST_F(DoctorCertificate, AKeyThatEverybodyReads) {
    make("moon");
    ::chmod((dir / "moon.key").c_str(), 0640);
    EXPECT_TRUE(says(look("moon.pem", "moon.key"), "certificate key", "ok: "));
    ::chmod((dir / "moon.key").c_str(), 0644);
    EXPECT_TRUE(says(look("moon.pem", "moon.key"), "certificate key", "problem: everybody on this machine may use "));
}

}  // namespace
}  // namespace gantry::app::doctor
