#include <gtest/gtest.h>

#include "kernel/http/allocations_for_test.h"
#include "kernel/runtime/edge_fixture_test.h"

// A cached GET of a service's state allocates nothing on its IO thread, once the connection is warm.

namespace gantry::runtime {
namespace {

// The edge, with the count of its thread's allocations around each request.
class CountingEdge final : public http::Handler {
   public:
    CountingEdge(std::vector<Host*> hosts, EdgeOptions options) : edge_(std::move(hosts), std::move(options)) {}
    http::BodyPlan plan(http::RequestHead const& head) override { return edge_.plan(head); }
    void handle(http::Exchange& exchange) override {
        at.push_back(allocations);
        edge_.handle(exchange);
    }
    std::vector<std::size_t> at;

   private:
    Edge edge_;
};

TEST(Allocations, ACachedGetAllocatesNothing) {
    ManualClock clock;  // stands still, so that no answer grows old
    SeededRandom random(1);
    log::MemoryLog log(std::make_shared<log::MemoryStore>(), clock, random, {}, codec::encode_event_schema(codec::type_of<notes::Event>()));
    Host host(declare<notes::Service>(), {log, clock, random});
    ASSERT_TRUE(host.start());
    EdgeOptions options;
    options.clock = &clock;
    CountingEdge edge({&host}, options);
    net::IoThreads threads(1);
    http::Server server(threads, edge);
    client::Session session("http://127.0.0.1:" + std::to_string(*server.listen({})));
    auto made = codec::from_json<notes::Note>(session.post("/notes/v1", R"({"title":"Plan"})").body);
    ASSERT_TRUE(made);
    constexpr std::size_t warm = 100, counted = 1000;
    edge.at.reserve(warm + counted + 2);
    auto const path = "/notes/v1/" + made->id.str();
    for (std::size_t i = 0; i < warm + counted; ++i) ASSERT_EQ(session.get(path).status, 200);
    std::size_t allocating = 0;
    for (std::size_t i = edge.at.size() - counted; i + 1 < edge.at.size(); ++i) allocating += edge.at[i + 1] != edge.at[i];
    EXPECT_LE(allocating, counted / 100) << "the server's clock ticks a few times a second beside the requests, and allocates";
    EXPECT_GT(edge.at[warm], 0u) << "the counter counts";
    server.stop(Duration::seconds(1));
}

}  // namespace
}  // namespace gantry::runtime
