// gantry followers, against a bank and a ledger in this process: a real server, and followers on a thread of their own.
#include <fmt/format.h>

#include "app/cli_fixture_test.h"
#include "kernel/codec/schema.h"
#include "kernel/http/gantry/client.h"
#include "kernel/log/memory/memory_log.h"
#include "kernel/runtime/bank_for_test.h"
#include "kernel/runtime/edge.h"
#include "kernel/runtime/follower.h"

namespace gantry::app {
namespace {

using runtime::Host;

template <class Service>
struct Served {
    Served()
        : log(std::make_shared<log::MemoryStore>(), system_clock(), system_random(), {},
              codec::encode_event_schema(codec::type_of<typename Service::Event>())),
          host(runtime::declare<Service>(), {log, system_clock(), system_random()}) {
        EXPECT_TRUE(host.start());
    }
    log::MemoryLog log;
    Host host;
};

class FollowersCli : public ::testing::Test {
   protected:
    FollowersCli() {
        auto port = server_.listen({});
        EXPECT_TRUE(port);
        url_ = fmt::format("http://127.0.0.1:{}", *port);
        followers_.start();
    }
    ~FollowersCli() override { followers_.stop(), server_.stop(Duration::seconds(2)); }

    void post(std::string target, std::string body) {
        client::Session session(url_);
        auto reply = session.post(std::move(target), std::move(body));
        EXPECT_TRUE(reply.ok()) << reply.body;
    }
    Ran followers(std::vector<std::string> arguments) {
        arguments.insert(arguments.begin(), "followers");
        arguments.insert(arguments.end(), {"--server", url_});
        return gantry(arguments);
    }
    // What a command says once it says this; bounded.
    std::string until(std::vector<std::string> const& arguments, std::string_view text) {
        Ran ran;
        for (int i = 0; i < 1000; ++i) {
            ran = followers(arguments);
            if ((ran.out + ran.err).find(text) != std::string::npos) return ran.out;
        }
        ADD_FAILURE() << text << " is not in " << ran.out << ran.err;
        return ran.out;
    }

    net::IoThreads threads_{2}, following_{1};
    Served<bank::Service> bank_;
    Served<ledger::Service> ledger_;
    runtime::Edge edge_{{&bank_.host, &ledger_.host}, {.threads = &threads_}};
    http::Server server_{threads_, edge_, http::ServerConfig{}};
    runtime::Followers followers_{ledger_.host,
                                  following_,
                                  0,
                                  [this](runtime::FollowDecl const& decl, std::function<void()> wake) {
                                      return runtime::follow_log(bank_.host, decl, std::move(wake));
                                  },
                                  system_clock(),
                                  system_random()};
    std::string url_;
};

TEST_F(FollowersCli, ListsRetriesDropsAndMoves) {
    until({"ls"}, "caught_up");
    post("/bank/v1/accounts", R"({"id":"a_1","owner":"u_bad"})");
    post("/bank/v1/accounts", R"({"id":"a_2","owner":"u_bad"})");
    until({"letters", "ledger", "bank"}, "a_2");
    auto const listed = until({"letters", "ledger", "bank"}, "a_1");
    EXPECT_NE(listed.find("owner_refused"), std::string::npos);
    EXPECT_NE(followers({"ls", "ledger", "--json"}).out.find(R"("dead_letters":2)"), std::string::npos);
    EXPECT_EQ(followers({"drop", "ledger", "bank"}).code, exit_usage);
    EXPECT_EQ(followers({"drop", "ledger", "bank", "2"}).out, "dropped: 1\n");
    post("/ledger/v1/owners", R"({"owner":"u_bad"})");
    EXPECT_EQ(followers({"retry", "ledger", "bank", "--all", "--json"}).out, "{\"changed\":1}\n");
    until({"letters", "ledger", "bank"}, "there are no dead letters");
    EXPECT_EQ(client::Session(url_).get("/ledger/v1/lines/a_1").status, 200);
    EXPECT_EQ(client::Session(url_).get("/ledger/v1/lines/a_2").status, 404);
    EXPECT_EQ(followers({"move", "ledger", "bank", "begin"}).code, exit_ok);
    EXPECT_EQ(followers({"move", "ledger", "bank", "end", "--json"}).code, exit_ok);
    until({"ls"}, bank_.host.position_text(2));
    EXPECT_EQ(followers({"move", "ledger", "bank", "nowhere"}).code, exit_failed);
    EXPECT_EQ(followers({"retry", "ledger", "mint", "1"}).code, exit_failed);
    EXPECT_NE(followers({"ls", "bank"}).err.find("route_not_found"), std::string::npos);
    EXPECT_EQ(gantry({"followers", "ls", "--server", "http://127.0.0.1:1"}).code, exit_unreachable);
}

}  // namespace
}  // namespace gantry::app
