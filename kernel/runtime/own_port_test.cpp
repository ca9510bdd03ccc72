// A foreign HTTP protocol at the root of a port of its own.
#include "kernel/http/test_server.h"
#include "kernel/runtime/edge_fixture_test.h"
#include "kernel/runtime/inbox_for_test.h"

namespace gantry::runtime {
namespace {

using http::body_of;
using http::RawClient;
using http::status_of;

Result<notes::Peek> parse_path(ForeignRequest const& request) {
    return notes::Peek{{Str(std::string(request.path) + "?" + std::string(request.query))}};
}

class OwnPortTest : public EdgeTest {
   protected:
    OwnPortTest() {
        stop();
        adjust_ = [](ServiceDecl& decl, Host::Parts&) {
            for (auto& route : notes::inbox_routes()) decl.routes.push_back(route);
            decl.routes.push_back(foreign<notes::Service>("GET", "/inbox", &parse_path, &notes::peek, open_to_all, Doc{"At the root."}));
            decl.routes.push_back(
                foreign<notes::Service>("GET", "/inbox/at/{box}", &parse_path, &notes::peek, open_to_all, Doc{"Below it."}));
        };
        start();
        auto const port = server_->listen({.mount = "/notes/inbox"});
        EXPECT_TRUE(port);
        port_ = *port;
    }
    // The body of what one request is answered, or its status.
    std::string asked(std::string const& request) {
        auto const answer = RawClient(port_).exchange(request);
        return status_of(answer) < 300 ? body_of(answer) : std::to_string(status_of(answer));
    }
    std::uint16_t port_ = 0;
};

TEST_F(OwnPortTest, ItsRoutesAreAtTheRootAndNothingElseIs) {
    EXPECT_EQ(asked(http::get("/")), "box /?");
    EXPECT_EQ(asked(http::get("/?a=b%20c&d")), "box /?a=b%20c&d");
    EXPECT_EQ(asked(http::get("/at/x?y")), "box /at/x?y");
    EXPECT_EQ(asked("GET http://localhost/at/x?y HTTP/1.1\r\nHost: localhost\r\n\r\n"), "box /at/x?y");
    for (auto const* path : {"/notes/v1", "/notes/inbox", "/health/live", "/../v1", "/%2e%2e/v1", "//notes/v1/", "/_gantry/v1/status"})
        EXPECT_EQ(asked(http::get(path)), "404") << path;
    EXPECT_EQ(send("GET", "/notes/inbox").body, "box /notes/inbox?") << "on the main port they are where they were";
    EXPECT_EQ(send("GET", "/health/live").status, 200);
}

TEST_F(OwnPortTest, BodiesComeInPiecesAndRequestsTogether) {
    auto const post = http::post("/a?b", "title=one", "Content-Type: application/json\r\nX-Key: k\r\n");
    EXPECT_EQ(asked(post), "made in a by u_local");
    for (std::size_t cut = 1; cut < post.size(); cut += 7) {
        RawClient client(port_);
        ASSERT_TRUE(client.send(post.substr(0, cut)));
        ASSERT_TRUE(client.send(post.substr(cut)));
        EXPECT_EQ(body_of(client.answer()), "made in a by u_local") << cut;
    }
    RawClient client(port_);
    ASSERT_TRUE(client.send(post + http::get("/at/1") + post + http::get("/?z")));
    EXPECT_EQ(body_of(client.answer()), "made in a by u_local");
    EXPECT_EQ(body_of(client.answer()), "box /at/1?");
    EXPECT_EQ(body_of(client.answer()), "made in a by u_local");
    EXPECT_EQ(body_of(client.answer()), "box /?z");
}

TEST_F(OwnPortTest, WhatIsKeptForOnePortIsNotTheOthers) {
    auto const id = create("one");
    EXPECT_EQ(send("GET", "/notes/v1/" + id).status, 200);
    EXPECT_EQ(send("GET", "/notes/v1/" + id).status, 200);
    EXPECT_EQ(asked(http::get("/notes/v1/" + id)), "404");
}

}  // namespace
}  // namespace gantry::runtime
