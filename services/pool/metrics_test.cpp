// What is told of resources at /metrics.
#include "services/pool/metrics.h"

#include "services/pool/pool_test.h"

namespace gantry::pool {
namespace {

class Metrics : public ::testing::Test {
   protected:
    // The value of a series, its labels written as "type=vm,state=free"; nothing: there is none.
    std::optional<double> value(std::string_view name, std::string_view labels) {
        for (auto const& metric : metrics(b.state(), b.clock().wall()))
            for (auto const& sample : metric.samples) {
                std::string text;
                for (auto const& [label, is] : sample.labels) text += fmt::format("{}{}={}", text.empty() ? "" : ",", label, is);
                if (metric.name == name && text == labels) return sample.value;
            }
        return {};
    }
    Bench b;
};

TEST_F(Metrics, ResourcesByTypeAndStateAndWhoWaits) {
    b.put_type("vm", R"({"cleaning":"none"})"), b.put_type("ppa");
    b.add_many("vm", 3), b.add("ppa-1", "ppa", R"("state":"quarantined")").ok(201);
    auto const one = b.held("t1", "vm"), two = b.held("t2", "vm", R"("count":2)");
    b.acquire("t3", "vm").ok(202);
    b.pass(Duration::seconds(30));
    b.acquire("t4", "vm").ok(202);
    EXPECT_EQ(value("gantry_pool_resources", "type=vm,state=in_use"), 3);
    EXPECT_EQ(value("gantry_pool_resources", "type=vm,state=free"), 0);
    EXPECT_EQ(value("gantry_pool_resources", "type=ppa,state=quarantined"), 1);
    EXPECT_EQ(value("gantry_pool_waiting", "type=vm"), 2);
    EXPECT_EQ(value("gantry_pool_oldest_waiting_seconds", "type=vm"), 30);
    EXPECT_EQ(value("gantry_pool_oldest_waiting_seconds", "type=ppa"), 0);
    EXPECT_EQ(value("gantry_pool_leases", ""), 2);
    b.release(one, R"({"broken":true})").ok();
    EXPECT_EQ(value("gantry_pool_resources", "type=vm,state=quarantined"), 1);
    EXPECT_EQ(value("gantry_pool_broken_total", "type=vm"), 1);
    EXPECT_EQ(value("gantry_pool_ended_total", "type=vm,how=returned"), 1);
    EXPECT_EQ(value("gantry_pool_leases", ""), 1);
    b.release(two).ok();
    EXPECT_EQ(value("gantry_pool_waiting", "type=vm"), 0) << "both were served";
    EXPECT_EQ(value("gantry_pool_leases_total", "type=vm"), 4);
}

TEST_F(Metrics, OfMoreThanAHundredTypesTheLargestHaveNames) {
    for (int t = 0; t < 102; ++t) {
        auto const type = fmt::format("t{:03}", t);
        b.put_type(type, R"({"cleaning":"none"})");
        b.add(fmt::format("{}-1", type), type).ok(201);
    }
    b.add("t101-2", "t101").ok(201);
    EXPECT_EQ(value("gantry_pool_resources", "type=t101,state=free"), 2);
    EXPECT_EQ(value("gantry_pool_resources", "type=t100,state=free"), std::nullopt);
    EXPECT_EQ(value("gantry_pool_resources", "type=*,state=free"), 2);
}

}  // namespace
}  // namespace gantry::pool
