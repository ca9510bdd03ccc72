// Commands of a line protocol that wait.
#include <gtest/gtest.h>

#include <ranges>

#include "kernel/http/test_server.h"
#include "kernel/log/memory/memory_log.h"
#include "kernel/runtime/line.h"
#include "kernel/runtime/line_server.h"
#include "kernel/runtime/shelf_for_test.h"

namespace gantry::runtime {
namespace {

using http::eventually;
using http::RawClient;

// Commands that wait: "take <shelf> <ms>" and "put <shelf> <what>" over the shelves.
namespace waiting {

struct Talk {};
LineSaid parse(Talk&, LineIn const& in) {
    std::array<std::string, 3> words;
    std::size_t count = 0;
    for (auto const& word : in.line | std::views::split(' '))
        if (count < 3) words[count++] = std::string(word.begin(), word.end());
    if (words[0] == "put") return LineSaid::call("put", shelf::NewThing{Str(words[1]), Str(words[2])});
    shelf::Wanted wanted;
    wanted.shelf = Str(words[1]), wanted.by = Str("someone"), wanted.wait_ms = std::int64_t(std::stoi(words[2]));
    return LineSaid::call("take", std::move(wanted));
}
std::string told_put(Talk&, shelf::Count const& count) { return fmt::format("PUT {}\r\n", count.things); }
std::string told_take(Talk&, shelf::Got const& got) { return got.what + "\r\n"; }
std::string refused(Talk&, std::string_view, Problem const& problem) { return "ERR " + problem.code + "\r\n"; }

LineProtocol protocol() {
    using shelf::Service;
    return line_protocol<Talk>(
        "shelf", {.parse = &parse, .refused = &refused},
        {line_command<Talk>(route<Service>(V1, "put", "shelf", &shelf::put, Scope{"shelf:write"}, Doc{"Put."}), &told_put),
         line_command<Talk>(
             told_command<Service, &shelf::take, &shelf::tell>(V1, "take", "shelf", Scope{"shelf:write"}, Doc{"Take."}, Waits{}),
             &told_take)},
        {}, Doc{"Shelves."});
}

}  // namespace waiting

class LineWaitTest : public ::testing::Test {
   protected:
    LineWaitTest() {
        Host::Parts parts{log_, system_clock(), system_random()};
        parts.post = [this](int lane, std::move_only_function<void()> task) { threads_.post(lane, std::move(task)); };
        host_ = std::make_unique<Host>(declare<shelf::Service>(), std::move(parts));
        EXPECT_TRUE(host_->start());
        server_ = std::make_unique<LineServer>(LineServer::Parts{*host_, *protocol_, threads_});
        port_ = *server_->listen({"127.0.0.1", 0});
    }
    ~LineWaitTest() override { server_.reset(), threads_.stop(); }
    bool waits(std::size_t count) {
        return eventually([&] { return host_->waiting().count() == count; });
    }
    std::string talk(std::string_view said) {
        RawClient client(port_);
        EXPECT_TRUE(client.send(said));
        client.half_close();
        return client.rest();
    }
    log::MemoryLog log_{std::make_shared<log::MemoryStore>(), system_clock(), system_random(), log::Options{},
                        codec::encode_event_schema(codec::type_of<shelf::Event>())};
    LineProtocol protocol_ = waiting::protocol();
    net::IoThreads threads_{2};
    std::unique_ptr<Host> host_;
    std::unique_ptr<LineServer> server_;
    std::uint16_t port_ = 0;
};

TEST_F(LineWaitTest, OneThatWaitsIsAnsweredWhenSomethingComesAndThoseBehindItAfterIt) {
    RawClient client(port_);
    ASSERT_TRUE(client.send("take a 60000\r\nput b x\r\ntake b 0\r\n"));
    ASSERT_TRUE(waits(1));
    EXPECT_FALSE(client.receive_some(50));
    EXPECT_EQ(talk("put a one\r\n"), "PUT 1\r\n");
    client.half_close();
    EXPECT_EQ(client.rest(), "one\r\nPUT 1\r\nx\r\n");
    EXPECT_TRUE(waits(0));
}

TEST_F(LineWaitTest, WhoHasGoneTakesNothing) {
    for (bool const politely : {true, false}) {
        RawClient gone(port_), next(port_);
        ASSERT_TRUE(gone.send("take a 60000\r\n"));
        ASSERT_TRUE(waits(1));
        ASSERT_TRUE(next.send("take a 60000\r\n"));
        ASSERT_TRUE(waits(2));
        politely ? gone.close() : gone.reset();
        ASSERT_TRUE(waits(1));
        EXPECT_EQ(talk("put a one\r\n"), "PUT 1\r\n");
        next.half_close();
        EXPECT_EQ(next.rest(), "one\r\n");
    }
}

TEST_F(LineWaitTest, WhoSaysNoMoreIsToldThatThereIsNothing) {
    RawClient client(port_);
    ASSERT_TRUE(client.send("take a 60000\r\nput b x\r\n"));
    ASSERT_TRUE(waits(1));
    client.half_close();
    EXPECT_EQ(client.rest(), "nothing\r\nPUT 1\r\n");
}

TEST_F(LineWaitTest, AStopEndsWhatWaits) {
    RawClient client(port_);
    ASSERT_TRUE(client.send("take a 60000\r\n"));
    ASSERT_TRUE(waits(1));
    EXPECT_TRUE(server_->stop(Duration::seconds(10)));
    EXPECT_EQ(client.rest(), "nothing\r\n");
}

}  // namespace
}  // namespace gantry::runtime
