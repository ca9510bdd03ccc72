// Reads over HTTP: the cache, versions, health, files, what is refused.
#include <array>

#include "kernel/runtime/edge_fixture_test.h"

namespace gantry::runtime {
namespace {

using Reads = EdgeTest;

TEST_F(Reads, ACachedAnswerIsNeverOld) {
    client::Session session(url_);
    auto path = "/notes/v1/" + create("Plan");
    auto first = session.get(path);
    EXPECT_EQ(session.get(path).body, first.body);
    for (int i = 0; i < 200; ++i) {
        auto title = "title " + std::to_string(i);
        auto changed = session.patch(path, "{\"title\":\"" + title + "\"}");
        ASSERT_EQ(changed.status, 200);
        auto shown = session.get(path), listed = session.get("/notes/v1");
        EXPECT_NE(shown.body.find("\"" + title + "\""), std::string::npos);
        EXPECT_NE(listed.body.find("\"" + title + "\""), std::string::npos);
        EXPECT_EQ(shown.header("Gantry-Position"), changed.header("Gantry-Position"));
    }
}

TEST_F(Reads, ACachedAnswerRevalidates) {
    client::Session session(url_);
    auto path = "/notes/v1/" + create("Plan");
    auto etag = std::string(session.get(path).header("ETag"));
    session.set_header("If-None-Match", "\"x\", W/" + etag);
    EXPECT_EQ(session.get(path).status, 304);
    session.set_header("If-None-Match", "\"x\"");
    EXPECT_EQ(session.get(path).status, 200);
}

TEST_F(Reads, HeadIsAGetWithoutTheBody) {
    auto path = "/notes/v1/" + create("Plan");
    auto shown = send("GET", path), head = send("HEAD", path);
    EXPECT_EQ(head.status, 200);
    EXPECT_EQ(head.header("ETag"), shown.header("ETag"));
    EXPECT_EQ(head.header("Content-Length"), std::to_string(shown.body.size()));
    EXPECT_TRUE(head.body.empty());
}

TEST_F(Reads, VersionsStandSideBySideAndAnOldRouteSaysSo) {
    auto id = create("Plan");
    auto one = send("GET", "/notes/v1/" + id), two = send("GET", "/notes/v2/" + id), old = send("GET", "/notes/v1/" + id + "/old");
    EXPECT_EQ(one.body, two.body);
    EXPECT_EQ(one.header("Deprecation"), "");
    EXPECT_EQ(old.header("Deprecation"), "@1767225600");
    EXPECT_EQ(old.header("Sunset"), "Fri, 01 Jan 2027 00:00:00 GMT");
    EXPECT_EQ(send("GET", "/notes/v3/" + id).status, 404);
}

TEST_F(Reads, OptionsAndWrongMethodsSayWhatIsAllowed) {
    auto options = send("OPTIONS", "/notes/v1/n_1");
    EXPECT_EQ(options.status, 204);
    auto allowed = std::string(options.header("Allow"));
    for (auto verb : {"GET", "HEAD", "DELETE", "PATCH", "OPTIONS"}) EXPECT_NE(allowed.find(verb), std::string::npos) << allowed;
    auto wrong = send("PUT", "/notes/v1/n_1", "{}");
    EXPECT_EQ(wrong.status, 405);
    EXPECT_EQ(wrong.header("Allow"), allowed);
}

TEST_F(Reads, HealthTellsLiveFromReady) {
    for (auto path : {"/health/live", "/health/ready", "/health/writer"}) {
        auto reply = send("GET", path);
        EXPECT_EQ(reply.status, 200) << path;
        EXPECT_NE(reply.body.find(R"({"name":"notes","ready":true)"), std::string::npos) << reply.body;
    }
    EXPECT_EQ(send("POST", "/health/ready", "{}").status, 404);
}

TEST(Starting, AHostThatReadsItsLogAnswersThatItDoes) {
    ManualClock clock;
    SeededRandom random(1);
    log::MemoryLog log(clock, random);
    Host host(declare<notes::Service>(), {log, clock, random});
    Edge edge({&host});
    net::IoThreads threads(1);
    http::Server server(threads, edge);
    client::Options once;
    once.retries = 0;
    client::Session session("http://127.0.0.1:" + std::to_string(*server.listen({})), once);
    auto starting = session.get("/notes/v1");
    EXPECT_EQ(starting.status, 503);
    EXPECT_EQ(starting.header("Retry-After"), "1");
    EXPECT_NE(starting.body.find("service_starting"), std::string::npos);
    EXPECT_EQ(session.get("/health/ready").status, 503);
    EXPECT_EQ(session.get("/health/live").status, 200);
    ASSERT_TRUE(host.start());
    EXPECT_EQ(session.get("/notes/v1").status, 200);
    EXPECT_EQ(session.get("/health/ready").status, 200);
    server.stop(Duration::seconds(1));
}

class Files : public EdgeTest {
   protected:
    Files() {
        stop();
        options_.files = files_, options_.files_security_policy = "default-src 'none'";
        start();
    }
    static constexpr std::array<StaticFile, 2> files_{
        {{"/", "text/html", "\"a\"", "<p>page</p>", ""}, {"/console/x.js", "text/javascript", "\"b\"", "x()", ""}}};
};
TEST_F(Files, ComeWithTagAndPolicy) {
    auto page = send("GET", "/");
    EXPECT_EQ(page.status, 200);
    EXPECT_EQ(page.body, "<p>page</p>");
    EXPECT_EQ(page.header("ETag"), "\"a\"");
    EXPECT_EQ(page.header("Content-Security-Policy"), "default-src 'none'");
    EXPECT_EQ(page.header("X-Content-Type-Options"), "nosniff");
    EXPECT_EQ(send("GET", "/", "", {{"If-None-Match", "\"a\""}}).status, 304);
    EXPECT_EQ(send("GET", "/console/x.js").body, "x()");
    EXPECT_EQ(send("GET", "/console/y.js").status, 404);
    EXPECT_EQ(send("POST", "/", "{}").status, 405);
}

TEST_F(Reads, WebPagesFromElsewhereAreKeptOut) {
    EXPECT_EQ(send("GET", "/notes/v1", "", {{"Origin", "http://evil.example"}}).status, 403);
    EXPECT_EQ(send("GET", "/notes/v1", "", {{"Host", "evil.example"}}).status, 403);
    EXPECT_EQ(send("POST", "/notes/v1", R"({"title":"x"})", {{"Content-Type", "text/plain"}}).status, 415);
}

}  // namespace
}  // namespace gantry::runtime
