// Commands that wait, in a Harness.
#include <gtest/gtest-spi.h>

#include "kernel/runtime/shelf_for_test.h"
#include "kernel/testing/harness.h"

namespace gantry {
namespace {

using Shelves = Harness<shelf::Service>;

std::string wants(std::string_view by) { return R"({"shelf":"a","by":")" + std::string(by) + R"(","wait_ms":5000})"; }
constexpr std::string_view take = "/shelf/v1/take", put = "/shelf/v1/put", thing = R"({"shelf":"a","what":"one"})";

TEST(HarnessWaits, ACallIsAnsweredAtOnce) {
    Shelves h;
    h.post(take, wants("A")).ok().wrote_nothing().has("nothing");
}

TEST(HarnessWaits, WhoWaitsIsAskedAgainByWhatIsDone) {
    Shelves h;
    auto ann = h.as("u_ann").waits("POST", take, wants("A"));
    auto bob = h.as("u_bob").waits("POST", take, wants("B"));
    ann.still_waits(), bob.still_waits();
    h.post(put, thing).ok();
    ann.answered().wrote(shelf::Taken{"a", "A"}).has("one");
    bob.still_waits();
    h.advance(Duration::seconds(5));
    bob.answered().ok().wrote_nothing().has("nothing");
}

TEST(HarnessWaits, WhoLeavesGetsNothing) {
    Shelves h;
    auto ann = h.waits("POST", take, wants("A")), bob = h.waits("POST", take, wants("B"));
    ann.leaves();
    h.post(put, thing);
    bob.answered().has("one");
    EXPECT_EQ(ann.asked(), 0);
    EXPECT_EQ(bob.asked(), 1);
}

TEST(HarnessWaits, WithAnIdempotencyKeyARepeatIsToldTheSame) {
    Shelves h;
    h.post(put, thing);
    auto const body = h.key("k").post(take, wants("A")).ok().body();
    h.restart();
    EXPECT_EQ(h.key("k").post(take, wants("A")).ok().body(), body);
}

TEST(HarnessWaits, SaysWhoWaitsStillAndWhoDoesnt) {
    Shelves h;
    auto ann = h.waits("POST", take, wants("A"));
    EXPECT_NONFATAL_FAILURE((void)ann.answered(), "it waits still");
    h.post(put, thing);
    EXPECT_NONFATAL_FAILURE(ann.still_waits(), "it was answered");
}

TEST(HarnessWaits, RandomCommandsKeepTheLaws) {
    for (std::uint64_t seed = 1; seed <= 10; ++seed) {
        Shelves h;
        h.random_commands(seed, 50);
    }
}

}  // namespace
}  // namespace gantry
