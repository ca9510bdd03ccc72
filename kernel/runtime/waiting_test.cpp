// Commands that wait, and told commands, without HTTP: who is asked, when, and how often.
#include "kernel/runtime/waiting.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <deque>
#include <map>

#include "kernel/base/slowed_for_test.h"
#include "kernel/codec/json.h"
#include "kernel/log/memory/memory_log.h"
#include "kernel/runtime/host.h"
#include "kernel/runtime/shelf_for_test.h"

namespace gantry::runtime {
namespace {

class WaitingTest : public ::testing::Test {
   protected:
    // Somebody who wants something, and takes it whenever it is asked.
    struct Taker {
        std::string body, key = {};
        std::uint64_t number = 0;
        std::optional<Result<Answer>> answer = {};
        int asked = 0;
        Time until{};  // told by the test that asks for it
        std::string got() const { return answer && *answer ? codec::from_json<shelf::Got>((*answer)->body)->what : ""; }
    };
    WaitingTest() { restart(); }
    void restart() {
        host_.reset();
        log_ = std::make_unique<log::MemoryLog>(store_, clock_, random_, log::Options{},
                                                codec::encode_event_schema(codec::type_of<shelf::Event>()));
        Host::Parts parts{*log_, clock_, random_};
        parts.waiting_room = &room_;
        host_ = std::make_unique<Host>(declare<shelf::Service>(), std::move(parts));
        auto started = host_->start();
        ASSERT_TRUE(started) << started.error().detail;
        shelf::decided = 0;
    }
    Taker& want(std::string body, std::string key = {}) {
        auto& taker = takers_.emplace_back(std::move(body), std::move(key));
        ask(taker);
        return taker;
    }
    void ask(Taker& taker, std::size_t route = take_route) {
        auto bind = [&](codec::Type const& type, void* out) { return codec::decode_json(type, out, taker.body); };
        Viewer const viewer{Str("u_ann")};
        Waiter waiter{.number = taker.number, .ask = [this, &taker] { to_ask_.push_back(&taker); }};
        Request request{.route = host_->decl().routes[route], .viewer = viewer, .bind = bind};
        request.waiter = &waiter, request.idempotency_key = taker.key, request.body = taker.body;
        auto answer = host_->call(request, [&]() -> Done { return [&](Result<Answer> told) { taker.answer = std::move(told); }; });
        if (waiter.parked) return void(taker.number = waiter.number);
        if (answer) taker.answer = std::move(*answer);
    }
    // Whoever is to be asked is, in that order; their names.
    std::string asked() {
        std::string order;
        for (int turns = 0; !to_ask_.empty() && turns < 100'000; ++turns) {
            auto& taker = *to_ask_.front();
            to_ask_.pop_front();
            order += codec::from_json<shelf::Wanted>(taker.body)->by.view();
            ++taker.asked;
            ask(taker);
        }
        return order;
    }
    void put(std::string_view shelf, std::string_view what) {
        auto const body = codec::to_json(shelf::NewThing{Str(shelf), Str(what)});
        std::optional<Result<Answer>> told;
        Viewer const viewer{Str("u_bob")};
        host_->call(
            host_->decl().routes[0], viewer, [&](codec::Type const& type, void* out) { return codec::decode_json(type, out, body); },
            [&](Result<Answer> answer) { told = std::move(answer); });
        ASSERT_TRUE(told && *told);
    }
    static std::string wants(std::string_view by, std::string_view more = {}) {
        return fmt::format(R"({{"shelf":"a","by":"{}","wait_ms":60000{}}})", by, more);
    }
    static constexpr std::size_t take_route = 1;

    ManualClock clock_;
    SeededRandom random_{42};
    WaitingRoom room_;
    std::shared_ptr<log::MemoryStore> store_ = std::make_shared<log::MemoryStore>();
    std::unique_ptr<log::MemoryLog> log_;
    std::deque<Taker> takers_;
    std::deque<Taker*> to_ask_;
    std::unique_ptr<Host> host_;
};

TEST_F(WaitingTest, WhoCameFirstIsAskedFirstAndNobodyElse) {
    auto& ann = want(wants("A"));
    auto& bob = want(wants("B"));
    EXPECT_FALSE(ann.answer || bob.answer);
    EXPECT_EQ(host_->waiting().count(), 2u);
    put("b", "elsewhere");
    EXPECT_EQ(asked(), "");
    put("a", "first");
    // The one who took it touched the shelf, and so the next is asked, in vain.
    EXPECT_EQ(asked(), "AB");
    EXPECT_EQ(ann.got(), "first");
    EXPECT_FALSE(bob.answer);
    put("a", "second");
    EXPECT_EQ(asked(), "B");
    EXPECT_EQ(bob.got(), "second");
    EXPECT_EQ(host_->waiting().count(), 0u);
    EXPECT_EQ(room_.taken, 0u);
}

TEST_F(WaitingTest, WhatIsThereIsTakenAtOnce) {
    put("a", "first");
    EXPECT_EQ(want(wants("A")).got(), "first");
    EXPECT_EQ(room_.taken, 0u);
}

TEST_F(WaitingTest, WhoWaitsAgainKeepsThePlace) {
    auto& picky = want(wants("A", R"(,"at_least":2)"));
    auto& modest = want(wants("B"));
    put("a", "first");
    EXPECT_EQ(asked(), "ABA") << "what B took touched the shelf again";
    EXPECT_EQ(modest.got(), "first");
    put("a", "second"), put("a", "third");
    EXPECT_EQ(asked(), "A");
    EXPECT_EQ(picky.got(), "second");
}

TEST_F(WaitingTest, ThoseWhoAreAlikeAreAskedOnce) {
    for (auto by : {"A", "B", "C"}) want(wants(by, R"(,"at_least":3,"alike":1)"));
    for (auto by : {"D", "E"}) want(wants(by, R"(,"at_least":3,"alike":2)"));
    want(wants("F", R"(,"at_least":3)"));
    want(wants("G", R"(,"at_least":3)"));
    put("a", "first");
    EXPECT_EQ(asked(), "ADFG");
    put("a", "second");
    EXPECT_EQ(asked(), "ADFG");
    put("a", "third");
    EXPECT_EQ(asked(), "ABDFG") << "after A has taken, there are too few for all others";
}

TEST_F(WaitingTest, TenThousandWhoAreAlikeCostTwoDecisions) {
    constexpr int many = 10'000;
    for (int i = 0; i < many; ++i) want(wants(std::to_string(i), R"(,"alike":1)"));
    EXPECT_EQ(host_->waiting().count(), std::size_t(many));
    shelf::decided = 0;
    put("a", "first");
    asked();
    EXPECT_EQ(shelf::decided, 2) << "the one who gets it, and one of those who don't";
    EXPECT_EQ(takers_[0].got(), "first");
    for (int i = 1; i < many; ++i) put("a", "more"), asked();
    EXPECT_EQ(host_->waiting().count(), 0u);
    for (auto const& taker : takers_) EXPECT_TRUE(taker.answer);
    EXPECT_LE(shelf::decided, 2 * many);
}

TEST_F(WaitingTest, ATouchDuringARoundBeginsItAnew) {
    auto& ann = want(wants("A", R"(,"at_least":2)"));
    auto& bob = want(wants("B", R"(,"at_least":3)"));
    put("a", "first");
    ASSERT_EQ(to_ask_.size(), 1u);
    auto* first = to_ask_.front();
    to_ask_.pop_front(), ask(*first);
    ASSERT_EQ(to_ask_.size(), 1u);
    EXPECT_EQ(to_ask_.front(), &bob);
    put("a", "second");  // while B is asked
    EXPECT_EQ(asked(), "BAB");
    EXPECT_EQ(ann.got(), "first");
    EXPECT_FALSE(bob.answer);
}

TEST_F(WaitingTest, ManyTouchesBeforeOneIsDecidedAskHimOnce) {
    want(wants("A", R"(,"at_least":9)"));
    for (int i = 0; i < 5; ++i) put("a", "thing");
    EXPECT_EQ(to_ask_.size(), 1u);
    EXPECT_EQ(asked(), "A");
}

TEST_F(WaitingTest, OneMayWaitForSeveralKeys) {
    auto& both = want(wants("A", R"(,"or_shelf":"b")"));
    auto& other = want(R"({"shelf":"b","by":"B","wait_ms":60000})");
    put("b", "first");
    EXPECT_EQ(asked(), "AB");
    EXPECT_EQ(both.got(), "first");
    put("a", "nobody's");
    EXPECT_EQ(asked(), "");
    put("b", "second");
    EXPECT_EQ(asked(), "B");
    EXPECT_EQ(other.got(), "second");
}

TEST_F(WaitingTest, OneWhoIsAskedForTwoKeysAtOnceIsDecidedOnceAndHoldsUpNobody) {
    auto& both = want(wants("A", R"(,"or_shelf":"b","at_least":2)"));
    auto& a = want(wants("B"));
    auto& b = want(R"({"shelf":"b","by":"C","wait_ms":60000})");
    put("a", "one"), put("b", "two");
    EXPECT_EQ(to_ask_.size(), 1u);
    asked();
    EXPECT_EQ(a.got(), "one");
    EXPECT_EQ(b.got(), "two");
    EXPECT_FALSE(both.answer);
}

TEST_F(WaitingTest, WhoHasGoneHoldsUpNobody) {
    auto& ann = want(wants("A"));
    auto& bob = want(wants("B"));
    put("a", "first");
    ASSERT_EQ(to_ask_.size(), 1u);
    to_ask_.clear();
    host_->leave(ann.number);  // asked already, and gone before it heard of it
    EXPECT_EQ(asked(), "B");
    EXPECT_EQ(bob.got(), "first");
    EXPECT_FALSE(ann.answer);
    EXPECT_EQ(host_->waiting().count(), 0u);
}

TEST_F(WaitingTest, WhenTimeIsUpTheAnswerIsThatThereIsNothing) {
    auto& ann = want(wants("A"));
    auto& bob = want(R"({"shelf":"a","by":"B","wait_ms":10})");
    EXPECT_EQ(host_->next_due(), clock_.wall() + Duration::millis(10));
    clock_.advance(Duration::millis(9));
    ASSERT_TRUE(host_->tick());
    EXPECT_EQ(asked(), "");
    clock_.advance(Duration::millis(1));
    ASSERT_TRUE(host_->tick());
    EXPECT_EQ(asked(), "B");
    EXPECT_EQ(bob.got(), "nothing");
    EXPECT_FALSE(ann.answer);
    host_->hurry_all();
    EXPECT_EQ(asked(), "A");
    EXPECT_EQ(ann.got(), "nothing");
}

TEST_F(WaitingTest, TheTimeThatWasFirstSaidHolds) {
    auto& ann = want(R"({"shelf":"a","by":"A","wait_ms":100,"at_least":2})");
    clock_.advance(Duration::millis(60));
    put("a", "first");
    EXPECT_EQ(asked(), "A");
    clock_.advance(Duration::millis(50));
    ASSERT_TRUE(host_->tick());
    EXPECT_EQ(asked(), "A");
    EXPECT_EQ(ann.got(), "nothing");
}

TEST_F(WaitingTest, NoTimeAtAllIsUpAtOnce) {
    auto& ann = want(R"({"shelf":"a","by":"A"})");
    EXPECT_EQ(asked(), "A");
    EXPECT_EQ(ann.got(), "nothing");
}

TEST_F(WaitingTest, NoMoreWaitThanThereIsRoomFor) {
    room_.size = 2;
    want(wants("A")), want(wants("B"));
    auto const& third = want(wants("C"));
    ASSERT_TRUE(third.answer && !*third.answer);
    EXPECT_EQ(third.answer->error().code, "waiting_full");
    EXPECT_EQ(third.answer->error().status, 429);
    EXPECT_EQ(third.answer->error().retry_after_s, 1);
    EXPECT_EQ(host_->waiting().count(), 2u);
    put("a", "first");
    asked();
    EXPECT_EQ(room_.taken, 1u);
    EXPECT_FALSE(want(wants("D")).answer);
}

TEST_F(WaitingTest, WhoMayNotWaitAndDoesIsAFaultOfTheService) {
    auto& wrong = want(wants("a fool"));
    EXPECT_FALSE(wrong.answer);
    host_->hurry_all();
    asked();
    ASSERT_TRUE(wrong.answer && !*wrong.answer);
    EXPECT_EQ(wrong.answer->error().code, "wait_refused");
    EXPECT_EQ(wrong.answer->error().status, 500);
    EXPECT_EQ(host_->failures(), 1u);
    EXPECT_EQ(host_->waiting().count(), 0u);
    constexpr std::size_t never_waits = 3;
    auto& taker = takers_.emplace_back(wants("B"));
    ask(taker, never_waits);
    EXPECT_TRUE(taker.answer && *taker.answer) << "its route doesn't say Waits";
}

// Whatever happens in whatever order: once all who are to be asked were, nobody waits for what is there, and of those who want the same
// whoever came first got it first.
TEST_F(WaitingTest, NobodyIsForgottenAndNobodyOvertakes) {
    for (std::uint64_t seed = 1; seed <= 200; ++seed) {
        to_ask_.clear(), takers_.clear();
        store_ = std::make_shared<log::MemoryStore>();
        restart();
        SeededRandom random(seed);
        std::map<std::uint64_t, std::vector<std::uint64_t>> got_by_kind;  // numbers, as they got something
        auto ask_one = [&] {
            auto& taker = *to_ask_.front();
            to_ask_.pop_front();
            auto const wanted = *codec::from_json<shelf::Wanted>(taker.body);
            ask(taker);
            // Who answers because time is up takes what there is just then.
            if (taker.answer && taker.got() != "nothing" && wanted.alike != 0 && clock_.wall() < taker.until)
                got_by_kind[std::uint64_t(std::int64_t(wanted.alike))].push_back(taker.number);
        };
        for (int step = 0; step < 150; ++step) {
            auto const dice = random.below(100);
            if (dice < 35) {
                auto const first = random.below(2), both = random.below(2), least = 1 + random.below(3);
                auto const kind = random.below(3) == 0 ? 0 : 1 + first + 2 * both + 4 * least;
                auto const wait_ms = 1 + random.below(1000);
                auto& taker = want(fmt::format(R"({{"shelf":"{}",{}"by":"x","wait_ms":{},"alike":{},"at_least":{}}})",
                                               first == 0 ? "a" : "b", both == 0 ? "" : R"("or_shelf":"c",)", wait_ms, kind, least));
                taker.until = clock_.wall() + Duration::millis(std::int64_t(wait_ms));
            } else if (dice < 60) {
                put(std::array{"a", "b", "c"}[random.below(3)], "thing");
            } else if (dice < 68 && !takers_.empty()) {
                auto& taker = takers_[random.below(takers_.size())];
                if (taker.number == 0 || taker.answer) continue;
                host_->leave(taker.number);
                std::erase(to_ask_, &taker);
                taker.answer = fail(499, "gone");
            } else if (dice < 72) {
                clock_.advance(Duration::millis(std::int64_t(random.below(100))));
                ASSERT_TRUE(host_->tick());
            } else if (!to_ask_.empty()) {
                ask_one();
            }
        }
        while (!to_ask_.empty()) ask_one();
        auto const& state = *static_cast<shelf::State const*>(host_->state_for_tools());
        std::size_t waiting = 0;
        for (auto const& taker : takers_) {
            if (taker.answer) continue;
            ++waiting;
            auto const wanted = *codec::from_json<shelf::Wanted>(taker.body);
            for (auto const& name : {wanted.shelf, wanted.or_shelf.value_or(wanted.shelf)})
                if (auto const* shelf = state.shelves.find(name))
                    EXPECT_LT(shelf->things.size(), std::size_t(std::int64_t(wanted.at_least))) << "seed " << seed << ": " << taker.body;
        }
        EXPECT_EQ(host_->waiting().count(), waiting) << seed;
        EXPECT_EQ(room_.taken, waiting) << seed;
        for (auto const& [kind, numbers] : got_by_kind) EXPECT_TRUE(std::ranges::is_sorted(numbers)) << "seed " << seed;
    }
}

TEST_F(WaitingTest, AToldCommandShowsEventsOfItsOwnBatchAndBefore) {
    put("a", "first");
    auto& ann = want(wants("A"));
    ASSERT_TRUE(ann.answer && *ann.answer);
    EXPECT_EQ((*ann.answer)->body, R"({"by":"A","what":"first","noted":"A"})");
}

TEST_F(WaitingTest, ARepeatIsToldAgainEvenAfterARestart) {
    put("a", "first");
    auto& ann = want(wants("A"), "key");
    auto& again = want(wants("A"), "key");
    ASSERT_TRUE(again.answer && *again.answer);
    EXPECT_TRUE((*again.answer)->replayed);
    EXPECT_EQ((*again.answer)->body, (*ann.answer)->body);
    restart();
    auto& later = want(wants("A"), "key");
    ASSERT_TRUE(later.answer && *later.answer);
    EXPECT_TRUE((*later.answer)->replayed);
    EXPECT_EQ((*later.answer)->body, (*ann.answer)->body);
    EXPECT_EQ((*later.answer)->status, (*ann.answer)->status);
    EXPECT_EQ((*later.answer)->position, (*ann.answer)->position);
}

TEST_F(WaitingTest, OfTwoWhoWaitWithOneKeyBothGetTheSame) {
    auto& ann = want(wants("A"), "key");
    auto& again = want(wants("A"), "key");
    put("a", "first"), put("a", "second");
    asked();
    ASSERT_TRUE(ann.answer && again.answer);
    EXPECT_EQ(ann.got(), "first");
    EXPECT_EQ((*again.answer)->body, (*ann.answer)->body);
    EXPECT_TRUE((*again.answer)->replayed);
}

TEST_F(WaitingTest, WhatFailsInTellingStaysDone) {
    put("a", "a mistake"), put("a", "a bomb"), put("a", "fine");
    auto& ann = want(wants("A"));
    ASSERT_TRUE(ann.answer && !*ann.answer);
    EXPECT_EQ(ann.answer->error().code, "thing_unusable");
    auto& bob = want(wants("B"));
    ASSERT_TRUE(bob.answer && !*bob.answer);
    EXPECT_EQ(bob.answer->error().code, "internal_error");
    EXPECT_EQ(want(wants("C")).got(), "fine");
}

}  // namespace
}  // namespace gantry::runtime
