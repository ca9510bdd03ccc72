// What stays when retention cuts the log.
#include "services/oops/keep.h"

#include "services/oops/oops_fixture_test.h"

namespace gantry::oops {
namespace {

class Keep : public Oops {
   protected:
    Keep() : Oops(Settings{.retention = Duration::days(30), .keep_newest = 2, .public_url = {}}) {}
    void turn() {
        for (int i = 0; i < 5; ++i) h.tick(), h.run_effects();
    }
    std::uint64_t position_of(int n) {
        auto const& s = h.state();
        return s.report(s.find_report(1, hex_id(n))).position;
    }
};

TEST_F(Keep, TheNewestOfEachKindAreWrittenOnceMore) {
    for (int n = 0; n < 6; ++n) report(n);
    report(6, "rare");
    auto const common = position_of(0), newest = position_of(5), rare = position_of(6);
    EXPECT_EQ(unjudged(h.state()), common) << "nothing may be cut that was not looked at";
    turn();
    EXPECT_EQ(position_of(6), rare) << "they are young";
    h.advance(Duration::days(31));
    turn();
    EXPECT_EQ(position_of(0), common);
    EXPECT_GT(position_of(5), newest);
    EXPECT_GT(position_of(6), rare);
    EXPECT_GT(unjudged(h.state()).value_or(0), rare);
    EXPECT_EQ(h.get("/oops/v1/reports/" + hex_id(6)).ok().json_at("/report/id"), hex_id(6));
    h.get("/oops/v1/reports?q=rare").ok().has(hex_id(6));
    h.restart();
    EXPECT_EQ(h.get("/oops/v1/reports/" + hex_id(5)).ok().json_at("/report/id"), hex_id(5));
}

TEST_F(Keep, AllOfAGroupThatHasABug) {
    for (int n = 0; n < 6; ++n) report(n);
    h.call("PATCH", "/oops/v1/groups/g_1", R"({"bug":"https://bugs/1"})").ok();
    auto const first = position_of(0);
    h.advance(Duration::days(31));
    turn();
    EXPECT_GT(position_of(0), first);
}

TEST_F(Keep, WhatStayedIsLookedAtAgain) {
    report(0);
    h.advance(Duration::days(31));
    turn();
    auto const once = position_of(0);
    for (int n = 1; n < 4; ++n) report(n);
    h.advance(Duration::days(31));
    turn();
    EXPECT_EQ(position_of(0), once) << "two newer ones stay now";
    EXPECT_GT(position_of(3), once);
    EXPECT_GT(unjudged(h.state()).value_or(0), once);
}

TEST_F(Keep, SourceMapsStayUntilTheyAreDeleted) {
    auto const* const map = R"({"version":3,"sources":["a.js"],"names":[],"mappings":"AAAA"})";
    auto const id = "01234567-89ab-cdef-0123-456789abcdef";
    h.call("PUT", fmt::format("/oops/api/1/source-maps/{}", id), map).ok(201);
    auto const at = [&] { return h.state().maps.find(map_key(1, id))->position; };
    auto const first = at();
    h.advance(Duration::days(31));
    turn();
    auto const second = at();
    EXPECT_GT(second, first);
    h.call("DELETE", fmt::format("/oops/v1/projects/1/source-maps/{}", id)).ok();
    h.advance(Duration::days(31));
    turn();
    EXPECT_FALSE(unjudged(h.state()));
}

TEST_F(Keep, ManyInTurns) {
    configure(R"({"limits":{"group_a_minute":100000}})");
    for (int n = 0; n < 500; ++n) report(n, fmt::format("f{}", n));
    h.advance(Duration::days(31));
    turn();
    auto const oldest = unjudged(h.state());
    ASSERT_TRUE(oldest);
    for (int n = 0; n < 500; ++n) EXPECT_GE(position_of(n), *oldest);
    EXPECT_GT(*oldest, 500u);
}

TEST_F(Oops, WithoutRetentionNothingIsWrittenOnceMore) {
    report(1);
    h.advance(Duration::days(1000));
    h.tick();
    h.run_effects();
    EXPECT_EQ(h.state().keeping.size(), 0u);
}

}  // namespace
}  // namespace gantry::oops
