// Reads over HTTP: the cache, versions, health, files, what is refused.
#include <array>
#include <thread>

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

TEST_F(Reads, ThePastIsToldAsItWas) {
    auto const id = create("first");
    auto const path = "/notes/v1/" + id;
    auto const first = std::string(send("GET", path).header("Gantry-Position"));
    auto const first_body = send("GET", path).body;
    auto const then = format_time(system_clock().wall());
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
    auto const second = std::string(send("PATCH", path, R"({"title":"second"})").header("Gantry-Position"));
    create("another");
    for (auto const& moment : {first, then}) {
        auto past = send("GET", path + "?as_of=" + moment);
        EXPECT_EQ(past.status, 200) << past.body;
        EXPECT_EQ(past.body, first_body);
        EXPECT_EQ(past.header("Gantry-Position"), first);
    }
    EXPECT_NE(send("GET", path + "?as_of=" + second).body.find("second"), std::string::npos);
    auto listed = send("GET", "/notes/v1?limit=1000&as_of=" + first);
    EXPECT_EQ(listed.body, R"({"items":[)" + first_body + R"(],"complete":true,"position":")" + first + R"("})");
    auto none = send("GET", path + "?as_of=" + first.substr(0, 14) + "0");
    EXPECT_EQ(none.status, 404) << "it was not there yet";
    auto head = send("HEAD", path + "?as_of=" + first);
    EXPECT_EQ(head.header("Content-Length"), std::to_string(first_body.size()));
    EXPECT_EQ(send("GET", path + "?as_of=" + first, {}, {{"If-None-Match", std::string(head.header("ETag"))}}).status, 304);
}

TEST_F(Reads, APastThatCantBeToldSaysWhy) {
    auto const path = "/notes/v1/" + create("first");
    auto const position = std::string(send("GET", path).header("Gantry-Position"));
    struct Row {
        std::string query;
        int status;
        std::string_view says;
    };
    for (auto const& row : {Row{"as_of=" + position + "0", 400, "as_of_ahead"}, Row{"as_of=2999-01-01T00:00:00Z", 400, "as_of_ahead"},
                            Row{"as_of=0000000000000.1", 410, "position_gone"}, Row{"as_of=1", 400, "expected a position"},
                            Row{"as_of=2026-01-01T00:00:00", 400, "the zone is missing"}, Row{"as_of=", 400, "no value"},
                            Row{"as_of=" + position + "&as_of=" + position, 400, "given twice"}, Row{"as_of=%4", 400, "hexadecimal"},
                            Row{"xas_of=" + position, 400, "there is no such parameter; did you mean"},
                            Row{"as_of=" + position + "&limt=3", 400, "no such parameter"}}) {
        auto reply = send("GET", path + "?" + row.query);
        EXPECT_EQ(reply.status, row.status) << row.query << reply.body;
        EXPECT_NE(reply.body.find(row.says), std::string::npos) << row.query << reply.body;
        EXPECT_NE(reply.header("X-Request-Id"), "") << row.query;
    }
    EXPECT_EQ(send("DELETE", path + "?as_of=" + position).status, 400) << "a command is of now";
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
