#include <gtest/gtest.h>

#include <array>
#include <cstdio>
#include <filesystem>
#include <fstream>

#include "kernel/http/test_server.h"

// What the curl program, a client of others' making, says to the server.
namespace gantry::http {
namespace {

struct Curl : testing::Test {
    Curl() {
        if (std::system("curl --version >/dev/null 2>&1") != 0) missing = true;
        s.handler.on_plan = [](RequestHead const& h) { return h.path == "/refuse" ? BodyPlan::none() : BodyPlan::whole(50'000'000); };
        s.handler.on_handle = [](Exchange& ex) {
            auto const& h = ex.head();
            auto r = ex.response();
            if (h.path == "/refuse") return r.problem({401, "unauthorized", ""});
            if (h.path == "/stream") {
                auto w = r.begin(200).header("Content-Type", "text/plain").stream();
                for (int i = 0; i < 2000; ++i) w.write("line\n");
                return w.end();
            }
            r.begin(200)
                .header("Content-Type", "text/plain")
                .body(std::string(method_name(h.method)) + " " + std::to_string(ex.body().size()) + std::string(2000, '.'));
        };
        file = std::filesystem::temp_directory_path() / ("gantry-curl-" + std::to_string(::getpid()));
        std::ofstream(file) << std::string(3'000'000, 'f');
    }
    ~Curl() override { std::filesystem::remove(file); }
    void SetUp() override {
        if (missing) GTEST_SKIP() << "curl is not installed";
    }
    std::string run(std::string const& options, std::string const& path = "/") {
        std::string const command =
            "curl -s -m 30 --noproxy '*' " + options + " http://127.0.0.1:" + std::to_string(s.port) + path + " 2>&1";
        pass_wire();
        FILE* pipe = ::popen(command.c_str(), "r");
        std::string out;
        std::array<char, 4096> buffer;
        for (std::size_t n; (n = std::fread(buffer.data(), 1, buffer.size(), pipe)) > 0;) out.append(buffer.data(), n);
        exit_code = ::pclose(pipe);
        return out;
    }
    TestServer s;
    std::string file;
    bool missing = false;
    int exit_code = 0;
};

TEST_F(Curl, SpeaksToTheServer) {
    EXPECT_TRUE(run("").starts_with("GET 0"));
    EXPECT_TRUE(run("-0").starts_with("GET 0"));
    EXPECT_TRUE(run("--compressed").starts_with("GET 0"));
    EXPECT_TRUE(run("-d abc").starts_with("POST 3"));
    EXPECT_TRUE(run("-X DELETE").starts_with("DELETE 0"));
    EXPECT_TRUE(run("-T " + file).starts_with("PUT 3000000"));                                          // Expect: 100-continue
    EXPECT_TRUE(run("-T - <" + file + " -H 'Transfer-Encoding: chunked'").starts_with("PUT 3000000"));  // chunked
    EXPECT_NE(run("-I").find("HTTP/1.1 200 OK"), std::string::npos);
    EXPECT_EQ(exit_code, 0);
    EXPECT_EQ(run("", "/stream").size(), 10'000u);
    EXPECT_EQ(run("--compressed", "/stream").size(), 10'000u);
    EXPECT_EQ(run("-0", "/stream").size(), 10'000u);
    EXPECT_EQ(exit_code, 0);
}

TEST_F(Curl, GetsTheRefusalOfALargeUpload) {
    EXPECT_NE(run("-T " + file, "/refuse").find("\"code\":\"unauthorized\""), std::string::npos);
    EXPECT_NE(run("-T " + file + " -H Expect:", "/refuse").find("\"code\":\"unauthorized\""), std::string::npos);
}

TEST_F(Curl, ReusesItsConnection) {
    std::string const base = "http://127.0.0.1:" + std::to_string(s.port);
    auto const before = s.server.stats().connections_accepted;
    run(base + "/a " + base + "/b -d x", "/c");
    EXPECT_EQ(s.server.stats().connections_accepted, before + 1);
}

}  // namespace
}  // namespace gantry::http
