#include "kernel/runtime/listeners.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <csignal>
#include <future>

#include "kernel/http/test_server.h"
#include "kernel/runtime/inbox_for_test.h"
#include "kernel/runtime/line_protocol_for_test.h"
#include "kernel/runtime/process.h"

namespace gantry::runtime {
namespace {

struct DeskSettings {
    Text<0, 300> desk_listen = "127.0.0.1:11300";
    Text<0, 62> desk_caller;
    Text<0, 300> inbox_listen;
};
RECORD(DeskSettings, desk_listen, desk_caller, inbox_listen);

TEST(Listeners, AreWhatTheSettingsSay) {
    ServiceDecl decl;
    decl.name = "notes", decl.settings = &codec::type_of<DeskSettings>();
    decl.lines = {notes::desk::protocol()}, decl.own_ports = {{"inbox"}};
    DeskSettings settings;
    auto asked = listeners_of(decl, &settings);
    ASSERT_TRUE(asked);
    ASSERT_EQ(asked->size(), 1u);
    EXPECT_EQ(asked->front().at.text(), "127.0.0.1:11300");
    EXPECT_TRUE(asked->front().is_default);
    EXPECT_EQ(asked->front().key(), "[notes] desk_listen");
    settings = {.desk_listen = "[::]:0", .desk_caller = "worker", .inbox_listen = "0.0.0.0:80"};
    asked = listeners_of(decl, &settings);
    ASSERT_TRUE(asked);
    ASSERT_EQ(asked->size(), 2u);
    EXPECT_FALSE((*asked)[0].is_default);
    EXPECT_EQ((*asked)[0].caller, "worker");
    EXPECT_EQ((*asked)[1].mount(), "/notes/inbox");
    settings = {.desk_listen = "nowhere", .desk_caller = "", .inbox_listen = "::1:80"};
    asked = listeners_of(decl, &settings);
    ASSERT_FALSE(asked);
    ASSERT_EQ(asked.error().faults.size(), 2u);
    EXPECT_EQ(asked.error().faults[0].pointer, "[notes] desk_listen");
}

TEST(Listeners, AreReachedFromElsewhereOnlyWithCredentials) {
    auto const code = [](std::string_view at, bool is_line, std::string caller, bool open) {
        auto const decl = notes::desk::protocol();
        ListenerAsked asked{.service = "notes", .protocol = "desk", .at = *net::parse_endpoint(at), .line = is_line ? decl.get() : nullptr};
        asked.caller = std::move(caller);
        auto checked = check_listener(asked, open);
        return checked ? "" : checked.error().code;
    };
    EXPECT_EQ(code("127.0.0.1:1", true, "", true), "");
    EXPECT_EQ(code("[::1]:1", true, "", false), "");
    EXPECT_EQ(code("0.0.0.0:1", true, "worker", true), "listener_refused");
    EXPECT_EQ(code("0.0.0.0:1", true, "", false), "listener_refused");
    EXPECT_EQ(code("0.0.0.0:1", true, "worker", false), "");
    EXPECT_EQ(code("0.0.0.0:1", false, "", true), "listener_refused");
    EXPECT_EQ(code("0.0.0.0:1", false, "", false), "");
}

TEST(Listeners, ATakenPortIsAReasonNotToStartWhereItWasNamed) {
    ListenerAsked asked{.service = "notes", .protocol = "desk", .at = {"127.0.0.1", 1}};
    Result<std::uint16_t> const taken = fail(500, "listen_failed", "Can't listen on 127.0.0.1:1: Address already in use.");
    std::vector<Listening> out;
    EXPECT_TRUE(told_listening(asked, std::uint16_t(1), out));
    auto told = told_listening(asked, taken, out);
    ASSERT_FALSE(told);
    EXPECT_EQ(told.error().detail, "[notes] desk_listen: Can't listen on 127.0.0.1:1: Address already in use.");
    asked.is_default = true;
    EXPECT_TRUE(told_listening(asked, taken, out));
    ASSERT_EQ(out.size(), 1u);
    EXPECT_EQ(out.front().address, "127.0.0.1:1");
}

struct OpenDesk {
    Text<0, 300> desk_listen = "127.0.0.1:0";
    Text<0, 62> desk_caller;
    Text<0, 300> inbox_listen = "localhost:0";
};
RECORD(OpenDesk, desk_listen, desk_caller, inbox_listen);

// The whole process: both kinds of listeners beside the main one, and an orderly end.
TEST(Listeners, StandBesideTheMainOne) {
    ServiceDecl decl = declare<notes::Service>();
    decl.settings = &codec::type_of<OpenDesk>();
    decl.lines = {notes::desk::protocol()}, decl.own_ports = {{"inbox"}};
    for (auto& route : notes::inbox_routes()) decl.routes.push_back(route);
    ProcessOptions options;
    options.log = "memory:", options.services = {std::move(decl)}, options.version = "1.0", options.io_threads = 2;
    std::promise<std::uint16_t> desk, inbox;
    options.on_ready = [](std::string_view) {};
    options.on_listening = [&](Listening const& one) {
        EXPECT_EQ(one.service, "notes");
        (one.protocol == "desk" ? desk : inbox).set_value(net::parse_endpoint(one.address)->port);
    };
    auto served = std::async(std::launch::async, [&] { return serve(std::move(options)); });
    http::RawClient lines(desk.get_future().get()), http_client(inbox.get_future().get());
    ASSERT_TRUE(lines.send("hold a\r\n"));
    while (lines.in.find("\r\n") == lines.in.npos) ASSERT_TRUE(lines.receive_some());
    EXPECT_TRUE(lines.in.starts_with("HELD n_")) << lines.in;
    auto const answer = http_client.exchange(http::post("/box", "title=one", "X-Key: k\r\nContent-Type: text/plain\r\n"));
    EXPECT_EQ(http::body_of(answer), "made in box by u_local") << answer;
    EXPECT_EQ(http::status_of(http_client.exchange(http::get("/health/live"))), 404);
    ::kill(::getpid(), SIGTERM);
    auto const outcome = served.get();
    EXPECT_TRUE(outcome) << outcome.error().detail;
    EXPECT_TRUE(lines.ends());
}

}  // namespace
}  // namespace gantry::runtime
