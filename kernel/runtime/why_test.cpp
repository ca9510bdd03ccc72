// From a request or a position to what began it and what came of it, across two services.
#include "kernel/runtime/why.h"

#include "kernel/runtime/bank_fixture_test.h"

namespace gantry::runtime {
namespace {

class WhyTest : public BankTest {
   protected:
    WhyParts parts() {
        return {{bank_.host.get(), ledger_.host.get()}, {}, nullptr, [](std::string_view) { return std::nullopt; }};
    }
    // "bank 1 command opened | -ledger 1 follower …": a step each, a dash for each level, "*" on what was asked for.
    std::string told(std::string_view asked) {
        auto told = why(parts(), asked);
        if (!told) return told.error().code;
        std::string out;
        for (auto const& s : told->steps) {
            out += out.empty() ? "" : " | ";
            out += std::string(s.depth, '-') + s.service + " " + s.position.substr(s.position.find('.') + 1) + " " + s.kind;
            for (auto const& event : s.events) out += " " + event;
            if (s.asked) out += "*";
        }
        return out + (told->complete ? "" : " …");
    }
    void call_as(std::string_view request_id, std::string_view trace_id, std::string_view id) {
        for (auto const& route : bank_.host->decl().routes) {
            if (route.path != "/accounts" || route.verb != "POST") continue;
            Viewer const viewer{Str("u_ann")};
            auto bind = [&](codec::Type const& type, void* p) {
                return codec::decode_json(type, p, fmt::format(R"({{"id":"{}","owner":"u_ann"}})", id));
            };
            Request request{.route = route, .viewer = viewer, .bind = bind, .request_id = request_id, .trace_id = trace_id};
            EXPECT_TRUE(bank_.host->call(request, []() -> Done { return [](Result<Answer>) {}; }).has_value());
        }
    }
};

TEST_F(WhyTest, ARequestLeadsToAllThatCameOfIt) {
    open("a_0", "u_ann"), pump();
    call_as("mine-1", {}, "a_1");
    pump();
    move("a_1", 5), pump();
    auto const whole = told("mine-1");
    EXPECT_TRUE(whole.starts_with("bank 2 command opened* | -ledger ")) << whole;
    EXPECT_EQ(whole.find("bank 3"), whole.npos) << "another command's: " << whole;
    EXPECT_EQ(told("mine-2"), "why_unknown");
}

TEST_F(WhyTest, WhatAFollowerRecordedLeadsBackToTheCommand) {
    call_as("mine-1", {}, "a_1");
    pump();
    auto const below = told(ledger_.host->position_text(1));
    EXPECT_TRUE(below.starts_with("bank 1 command opened | -ledger 1 follower")) << below;
    EXPECT_TRUE(below.ends_with("*")) << below;
    EXPECT_EQ(told("ledger=" + ledger_.host->position_text(1)), below);
}

TEST_F(WhyTest, OneBatchOfSeveralCausesIsFoundByItsCursor) {
    for (int i = 0; i < 5; ++i) open(fmt::format("a_{}", i), "u_ann");
    pump();
    auto const whole = told(bank_.host->position_text(3));
    EXPECT_TRUE(whole.starts_with("bank 3 command opened* | -ledger ")) << whole;
}

TEST_F(WhyTest, ATraceFindsItsCommands) {
    std::string const bytes("\x4b\xf9\x2f\x35\x77\xb3\x4d\xa6\xa3\xce\x92\x9d\x0e\x0e\x47\x36", 16);
    call_as("mine-1", bytes, "a_1"), call_as("mine-2", bytes, "a_2"), call_as("mine-3", {}, "a_3");
    EXPECT_EQ(told("4bf92f3577b34da6a3ce929d0e0e4736"), "bank 1 command opened* | bank 2 command opened*");
}

TEST_F(WhyTest, AnIdOfOursIsLookedForWhereItWasMade) {
    clock_.advance(Duration::hours(1));
    auto const before = fresh_id("q_", (clock_.wall() - Duration::hours(1)).us, random_), now = fresh_id("q_", clock_.wall().us, random_);
    call_as(now, {}, "a_1"), call_as(before, {}, "a_2");
    EXPECT_EQ(told(now), "bank 1 command opened*");
    EXPECT_EQ(told(before), "why_unknown") << "an hour later it isn't looked for";
}

TEST_F(WhyTest, WhatIsNoneIsToldSo) {
    open("a_1", "u_ann");
    EXPECT_EQ(told(bank_.host->position_text(9)), "position_unknown");
    EXPECT_EQ(told("ledger=" + bank_.host->position_text(1)), "why_unknown") << "a position of another service";
    EXPECT_EQ(told("oops_1"), "why_unknown");
    EXPECT_EQ(told(""), "why_unknown");
}

TEST_F(WhyTest, AReportNamesItsRequest) {
    call_as("mine-1", {}, "a_1");
    auto with_report = parts();
    with_report.report = [](std::string_view) { return R"({"id":"oops_1","request_id":"mine-1"})"; };
    auto const told = why(with_report, "oops_1");
    ASSERT_TRUE(told);
    EXPECT_TRUE(told->report);
    EXPECT_EQ(told->steps.size(), 1u);
}

}  // namespace
}  // namespace gantry::runtime
