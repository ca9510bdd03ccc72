#include "app/rehearsal/worker.h"

#include <sstream>

#include "app/rehearsal/rehearsal_fixture_test.h"

namespace gantry::app::rehearsal {
namespace {

class WorkerTest : public TallyTest {
   protected:
    std::vector<Told> said(std::string const& asked) const {
        std::istringstream in(asked);
        std::stringstream out;
        EXPECT_TRUE(speak_for(*side(tally::service()), in, out));
        std::vector<Told> told;
        for (std::string line; std::getline(out, line);) {
            auto one = codec::from_json<Told>(line);
            EXPECT_TRUE(one) << line;
            if (one) told.push_back(*one);
        }
        return told;
    }
};

TEST_F(WorkerTest, AnswersLineByLine) {
    write(10);
    auto const told = said("{\"digest_at\":17}\n{\"get\":\"/tally/v1/rows/all\",\"as_of\":17}\n");
    ASSERT_EQ(told.size(), 3u);
    ASSERT_TRUE(told[0].hello && told[1].digest && told[2].answer);
    EXPECT_EQ(told[0].hello->events, 30u);
    EXPECT_EQ(told[1].digest->folded, 17u);
    EXPECT_EQ(told[1].digest->digest.size(), 16u);
    EXPECT_EQ(told[2].answer->body, R"({"name":"all","sum":17})");
}

TEST_F(WorkerTest, WhatIsWrongIsAProblemAndItGoesOn) {
    write(1);
    auto const told = said("nonsense\n{}\n{\"get\":\"/tally/v1/rows\"}\n{\"digest_at\":4}\n{\"digest_at\":3}\n");
    ASSERT_EQ(told.size(), 6u);
    EXPECT_EQ(told[1].problem->code, "body_not_json");
    EXPECT_EQ(told[2].problem->code, "rehearsal_malformed");
    EXPECT_EQ(told[3].problem->code, "rehearsal_malformed");
    EXPECT_EQ(told[4].problem->code, "rehearsal_position_invalid");
    EXPECT_TRUE(told[5].digest);
}

TEST_F(WorkerTest, AClosedOutputEndsIt) {
    write(1);
    std::istringstream in("{\"digest_at\":3}\n");
    std::ostringstream out;
    out.setstate(std::ios::badbit);
    EXPECT_FALSE(speak_for(*side(tally::service()), in, out));
    EXPECT_FALSE(say_trouble({500, "x", "y"}, out));
}

}  // namespace
}  // namespace gantry::app::rehearsal
