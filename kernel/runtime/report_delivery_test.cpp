#include "kernel/runtime/report_delivery.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "kernel/codec/json_walk.h"
#include "kernel/log/faulty/simulated_disk.h"
#include "kernel/runtime/report_for_oops.h"

namespace gantry::runtime {
namespace {

struct Taker final : ReportTaker {
    explicit Taker(std::vector<std::string>& taken, std::optional<Problem>& refuses) : taken(taken), refuses(refuses) {}
    Result<void> take(std::string const& body) override {
        if (refuses) return std::unexpected(*refuses);
        return taken.push_back(body), Result<void>();
    }
    std::vector<std::string>& taken;
    std::optional<Problem>& refuses;
};

class DeliveryTest : public ::testing::Test {
   protected:
    void put(std::string_view id) { ASSERT_TRUE(spool_.put(id, codec::to_json(FailureReport{.id = std::string(id)}))); }
    log::SimulatedDisk disk_;
    ManualClock clock_;
    ReportSpool spool_{disk_, "/data/reports.d", ""};
    std::vector<std::string> taken_;
    std::optional<Problem> refuses_;
    ReportDelivery delivery_{spool_, std::make_unique<Taker>(taken_, refuses_), clock_};
};

TEST_F(DeliveryTest, ReportsGoOutInTheirOrderOnce) {
    put("OOPS-2"), put("OOPS-1"), put("OOPS-3");
    EXPECT_FALSE(delivery_.turn());
    ASSERT_EQ(taken_.size(), 3u);
    for (std::size_t i = 0; i < 3; ++i) EXPECT_NE(taken_[i].find(fmt::format(R"("id":"OOPS-{}")", i + 1)), std::string::npos);
    EXPECT_EQ(spool_.waiting(), 0u);
    EXPECT_EQ(spool_.delivered(), 3u);
    EXPECT_FALSE(delivery_.turn());
    EXPECT_EQ(taken_.size(), 3u);
}

TEST_F(DeliveryTest, WhileOopsIsAwayTheyWaitLongerAndLonger) {
    put("OOPS-1");
    refuses_ = Problem{503, "unreachable", "it is away"};
    delivery_.turn();
    refuses_.reset();
    delivery_.turn();
    EXPECT_TRUE(taken_.empty()) << "not at once";
    refuses_ = Problem{503, "unreachable", "it is away"};
    clock_.advance(Duration::seconds(1));
    delivery_.turn();
    refuses_.reset();
    clock_.advance(Duration::seconds(1));
    delivery_.turn();
    EXPECT_TRUE(taken_.empty()) << "the second wait is two seconds";
    clock_.advance(Duration::seconds(1));
    delivery_.turn();
    EXPECT_EQ(taken_.size(), 1u);
}

TEST_F(DeliveryTest, ALimitIsWaitedForAndARefusalForGoodIsNot) {
    put("OOPS-1"), put("OOPS-2");
    refuses_ = Problem{429, "project_limit", "too many", {}, {}, 60};
    delivery_.turn();
    refuses_.reset();
    clock_.advance(Duration::seconds(59));
    delivery_.turn();
    EXPECT_TRUE(taken_.empty());
    refuses_ = Problem{400, "oops_invalid", "what is this"};
    clock_.advance(Duration::seconds(1));
    delivery_.turn();
    EXPECT_EQ(spool_.waiting(), 0u);
    EXPECT_EQ(spool_.delivered(), 0u) << "nobody has them, and they are here";
    EXPECT_TRUE(spool_.find("OOPS-1") && spool_.find("OOPS-2"));
}

TEST_F(DeliveryTest, ATurnEndsAndSaysThatThereIsMore) {
    for (std::size_t i = 0; i < ReportDelivery::a_turn_max + 1; ++i) put(fmt::format("OOPS-{:03}", i));
    EXPECT_TRUE(delivery_.turn());
    EXPECT_FALSE(delivery_.turn());
    EXPECT_EQ(taken_.size(), ReportDelivery::a_turn_max + 1);
}

TEST(ForOops, TheWholeReportComesBack) {
    FailureReport report{.id = "OOPS-1", .kind = "request", .service = "notes", .route = "POST /", .code = "internal_error"};
    report.seen = SeenByDecision{.now = Time{17}, .position = "abc.3", .drawn = {"ffffffffffffffff"}, .drawn_total = 1};
    report.input = codec::RawJson{R"({"title":"boom"})"}, report.dropped_before = 7, report.stack_of = "report";
    auto const told = oops_json_of(report);
    EXPECT_NE(told.find(R"("lost":{"rate_limited":7})"), std::string::npos);
    auto const tree = codec::JsonTree::read(told);
    std::string whole;
    tree->root()["gantry_report"].write(whole);
    auto const back = report_in_oops(fmt::format(R"({{"report":{{"extra":{{"gantry_report":{}}}}}}})", whole));
    ASSERT_TRUE(back);
    EXPECT_EQ(codec::to_json(*back), codec::to_json(report));
    EXPECT_EQ(report_in_oops(R"({"report":{}})").error().code, "report_of_others");
}

TEST(ForOops, OnlyTheCodeOfServicesIsOurs) {
    FailureReport report{.id = "OOPS-1", .stack_of = "throw"};
    report.stack = {{.function = "gantry::notes::create(gantry::notes::State const&)"},
                    {.function = "gantry::runtime::Host::run()"},
                    {.function = "std::vector<gantry::notes::Note>::at()"}};
    auto const told = oops_json_of(report);
    auto const count = [&](std::string_view part) {
        std::size_t n = 0;
        for (std::size_t at = 0; (at = told.find(part, at)) != std::string::npos; at += part.size()) ++n;
        return n;
    };
    EXPECT_EQ(count(R"(\"in_app\":true)"), 1u) << told;
    EXPECT_EQ(count(R"(\"in_app\":false)"), 2u) << told;
}

TEST(Dsn, IsThatOfAProject) {
    EXPECT_TRUE(oops_elsewhere("http://0123@oops.example:8080/oops/7"));
    for (auto* wrong :
         {"", "oops.example", "http://oops.example/oops/7", "http://k@oops.example/7x", "http://k@oops.example", "ftp://k@h/oops/1"})
        EXPECT_EQ(oops_elsewhere(wrong).error().code, "dsn_invalid") << wrong;
}

}  // namespace
}  // namespace gantry::runtime
