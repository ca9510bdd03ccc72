#include <algorithm>

#include "kernel/runtime/follower.h"
#include "kernel/testing/bench_of_one.h"

namespace gantry::testing {

using runtime::Folded;
using runtime::Follower;
using runtime::FollowerState;

void BenchOfOne::follow(BenchOfOne& source) {
    if (mirrored_) FAIL() << "GANTRY_ASK: a server follows by itself";
    auto const name = source.decl_.name;
    auto const decl = std::ranges::find(decl_.followers, name, &runtime::FollowDecl::source);
    ASSERT_NE(decl, decl_.followers.end()) << decl_.name << " doesn't follow " << name;
    Follower follower(*host_, *decl, runtime::follow_log(*source.host_, *decl, [] {}), clock_, random_);
    std::optional<Duration> next;
    do next = follower.step();
    while (next && next->us == 0);
    auto const told = follower.told();
    EXPECT_EQ(told.state, FollowerState::caught_up) << told.code.value_or("") << ": " << told.why.value_or("");
    auto stopped = follower.stop();
    EXPECT_TRUE(stopped) << stopped.error().detail;
    keep_snapshot();
    fold_knows_followers();
}

std::vector<BenchOfOne::Letter> BenchOfOne::dead_letters(std::string_view source) {
    std::vector<Letter> out;
    for (auto const& [position, letter] : host_->followed(source).letters()) out.push_back({position, letter.subject, letter.code});
    return out;
}

// Law 8.
void BenchOfOne::fold_knows_followers() {
    auto folded = Folded::empty(decl_);
    auto done = runtime::replay({decl_, *log_}, folded, ~log::Position{0}, {});
    ASSERT_TRUE(done) << done.error().detail;
    EXPECT_EQ(decl_.state.digest(folded.service.get()), host_->digest()) << "law 8: what a follower brought is folded otherwise";
    for (auto const& decl : decl_.followers) {
        auto const live = host_->followed(decl.source);
        auto const* told = folded.followed.find(decl.source);
        if (!told) {
            EXPECT_EQ(live.incarnation, 0u) << "law 8: the log knows nothing of a follower";
            continue;
        }
        EXPECT_EQ(told->position, live.position) << "law 8: the log has another place of " << decl.source;
        EXPECT_EQ(told->letters().size(), live.letters().size()) << "law 8: the log has other dead letters of " << decl.source;
    }
}

}  // namespace gantry::testing
