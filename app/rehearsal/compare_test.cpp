#include "app/rehearsal/compare.h"

#include "app/rehearsal/rehearsal_fixture_test.h"

namespace gantry::app::rehearsal {
namespace {

class CompareTest : public TallyTest {
   protected:
    Comparison compared(runtime::ServiceDecl with, Plan plan = {}) const {
        auto out = compare(*side(tally::service()), *side(std::move(with)), std::move(plan));
        EXPECT_TRUE(out) << out.error().detail;
        return out ? *out : Comparison{};
    }
};

TEST_F(CompareTest, ABinaryIsTheSameAsItself) {
    write(100);
    auto const c = compared(tally::service(), {{{"/tally/v1/rows", 300}, {"/tally/v1/rows/all", 17}, {"/tally/v1/rows/none", 0}}});
    EXPECT_TRUE(c.same);
    EXPECT_FALSE(c.shape_changed);
    EXPECT_FALSE(c.parting);
    EXPECT_EQ(c.digests, 17u);
    EXPECT_EQ(c.queries, 3u);
    EXPECT_EQ(c.events, 300u);
    EXPECT_GE(c.old_binary.folded, 300u);
    EXPECT_GT(c.old_binary.state_bytes, 0u);
    EXPECT_GT(c.new_binary.peak_bytes, 0u);
}

TEST_F(CompareTest, AnEmptyLogIsTheSame) {
    write(0);
    auto const c = compared(tally::service(), {{{"/tally/v1/rows", 0}}});
    EXPECT_TRUE(c.same);
    EXPECT_EQ(c.digests, 1u);
}

template <log::Position errs_at>
void finds(Comparison const& c) {
    EXPECT_FALSE(c.same);
    ASSERT_TRUE(c.parting);
    EXPECT_EQ(c.parting->position, errs_at);
    EXPECT_NE(c.parting->old_digest, c.parting->new_digest);
}

TEST_F(CompareTest, FindsTheFirstEventAfterWhichTheyPart) {
    write(100);
    finds<1>(compared(tally::service<1>()));
    finds<2>(compared(tally::service<2>()));
    finds<19>(compared(tally::service<19>()));
    finds<20>(compared(tally::service<20>()));
    finds<137>(compared(tally::service<137>()));
    finds<300>(compared(tally::service<300>()));
    finds<137>(compared(tally::service<137>(), {{}, 1}));
    finds<137>(compared(tally::service<137>(), {{}, 1'000'000}));
    EXPECT_TRUE(compared(tally::service<301>()).same);
}

TEST_F(CompareTest, WhatMendsItselfIsFoundByLookingOftenEnough) {
    write(100);
    EXPECT_TRUE((compared(tally::service<21, 25>()).same));
    finds<21>(compared(tally::service<21, 25>(), {{}, 3}));
}

TEST_F(CompareTest, ToldIsEachAnswerThatDiffers) {
    write(100);
    Plan plan{{{"/tally/v1/rows/all", 300}, {"/tally/v1/rows/all", 100}, {"/tally/v1/rows/all", 137}, {"/tally/v1/rows/none", 300}}};
    auto const c = compared(tally::service<137>(), plan);
    EXPECT_EQ(c.queries, 4u);
    ASSERT_EQ(c.answers.size(), 2u);
    EXPECT_EQ(c.answers[0].as_of, 137u);
    EXPECT_EQ(c.answers[0].old_body, R"({"name":"all","sum":137})");
    EXPECT_EQ(c.answers[0].new_body, R"({"name":"all","sum":138})");
    EXPECT_EQ(c.answers[1].as_of, 300u);
}

TEST_F(CompareTest, OfAnotherShapeOnlyTheAnswersAreCompared) {
    write(100);
    auto other = tally::service<137>();
    other.state.fingerprint = 18;
    auto const c = compared(std::move(other), {{{"/tally/v1/rows/all", 100}}});
    EXPECT_TRUE(c.same);
    EXPECT_TRUE(c.shape_changed);
    EXPECT_EQ(c.digests, 0u);
    EXPECT_EQ(c.new_binary.folded, 300u) << "time and memory are told nevertheless";
    other = tally::service<137>();
    other.state.fingerprint = 18;
    EXPECT_FALSE(compared(std::move(other), {{{"/tally/v1/rows/all", 137}}}).same);
}

TEST_F(CompareTest, AProblemNamesItsSide) {
    write(10);
    auto other = tally::service();
    other.event = &codec::type_of<std::variant<tally::Row>>();
    auto const c = compare(*side(tally::service()), *side(std::move(other)), {});
    ASSERT_FALSE(c);
    EXPECT_EQ(c.error().code, "event_type_unknown");
    EXPECT_TRUE(c.error().detail.starts_with("new binary: ")) << c.error().detail;
    other = tally::service();
    other.name = "other";
    EXPECT_EQ(compare(*side(tally::service()), *side(std::move(other)), {}).error().code, "rehearsal_mismatch");
}

}  // namespace
}  // namespace gantry::app::rehearsal
