#include "app/import/transport.h"

#include <gtest/gtest.h>

#include "app/import/commands.h"
#include "app/import/fake_tracker_test.h"
#include "kernel/http/test_server.h"

namespace gantry::import {
namespace {

std::string url(http::TestServer const& s) { return "http://127.0.0.1:" + std::to_string(s.port); }

TEST(HttpTransport, GivesStatusBodyAndRetryAfter) {
    http::TestServer s;
    s.handler.on_handle = [](http::Exchange& ex) {
        bool const posted = http::method_name(ex.head().method) == "POST";
        ex.response().begin(posted ? 503 : 200).header("Retry-After", posted ? "7" : "soon").body(std::string(ex.body()) + "!");
    };
    auto transport = http_transport(url(s));
    Answer const got = transport->get("/a");
    EXPECT_EQ(got.status, 200);
    EXPECT_EQ(got.body, "!");
    EXPECT_FALSE(got.retry_after);
    Answer const posted = transport->post("/a", "{}");
    EXPECT_EQ(posted.status, 503);
    EXPECT_EQ(posted.body, "{}!");
    EXPECT_EQ(posted.retry_after, Duration::seconds(7));
}

TEST(HttpTransport, SaysWhyNoAnswerCame) {
    Answer const got = http_transport("http://127.0.0.1:1")->get("/a");
    EXPECT_EQ(got.status, 0);
    EXPECT_TRUE(got.body.starts_with("connect_failed: ")) << got.body;
}

TEST(HttpTransport, AWholeImport) {
    TempDir dir;
    std::string log;
    for (int i = 0; i < 2000; ++i) log += fmt::format("2026-03-01 10:{:02}:{:02} status installed p{}:all 1\n", i / 60, i % 60, i);
    write_file(dir / "dpkg.log", log);
    FakeTracker tracker;
    http::TestServer s;
    s.handler.on_handle = [&](http::Exchange& ex) {
        std::string const path(ex.head().path);
        Answer const a = http::method_name(ex.head().method) == "POST" ? tracker.post(path, std::string(ex.body())) : tracker.get(path);
        ex.response().begin(a.status).header("Content-Type", "application/json").body(a.body);
    };
    Captured out, err;
    DpkgLogOptions options{{.server = url(s), .name = "host-1.log"}, {dir / "dpkg.log"}, false, "UTC"};
    EXPECT_EQ(import_dpkg_log(options, Surroundings{.out = out, .err = err}), exit_ok) << err.text();
    EXPECT_EQ(tracker.count(), 2000u);
    EXPECT_EQ(tracker.chunk_sizes, (std::vector<std::size_t>{500, 500, 500, 500}));
}

}  // namespace
}  // namespace gantry::import
