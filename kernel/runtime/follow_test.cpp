// A follower in one process: once, in order, over restarts; what it can't take; gaps.
#include <set>

#include "kernel/log/faulty/simulated_disk.h"
#include "kernel/log/snapshots_file.h"
#include "kernel/runtime/bank_fixture_test.h"

namespace gantry::runtime {
namespace {

TEST_F(BankTest, TakesWhatIsThereAndThenWhatComes) {
    open("a_1", "u_ann"), move("a_1", 5), move("a_1", 7);
    pump();
    EXPECT_EQ(lines({"a_1"}), "a_1 12/2");
    EXPECT_EQ(line("a_1")->by, Str("u_ann")) << "who opened it there";
    EXPECT_EQ(line("a_1")->opened_at, clock_.wall());
    woken_ = 0;
    move("a_1", 1);
    EXPECT_GE(woken_, 1);
    pump();
    EXPECT_EQ(lines({"a_1"}), "a_1 13/3");
    EXPECT_EQ(cursor().position, 4u);
    EXPECT_EQ(cursor().incarnation, bank_.log->status().incarnation);
}

TEST_F(BankTest, ReadsTheDurablePrefixAlone) {
    bank_.log->hold();
    bank_.call("/accounts", R"({"id":"a_1","owner":"u_ann"})");
    pump();
    EXPECT_EQ(lines({"a_1"}), "");
    bank_.log->release_all();
    pump();
    EXPECT_EQ(lines({"a_1"}), "a_1 0/0");
}

TEST_F(BankTest, ATurnIsOneBatchOfAtMost256) {
    open("a_1", "u_ann");
    for (int i = 0; i < 600; ++i) move("a_1", 1);
    auto const batches = ledger_.log->status();
    pump();
    EXPECT_EQ(lines({"a_1"}), "a_1 600/600");
    std::vector<std::uint32_t> counts;
    std::vector<Position> cursors;
    ASSERT_TRUE(ledger_.log->scan(batches.end, [&](log::BatchView const& batch) {
        if (batch.kind == log::BatchKind::epoch) return true;
        counts.push_back(batch.count);
        EXPECT_EQ(batch.cursors.size(), 1u);
        cursors.push_back(batch.cursors.front().position);
        return true;
    }));
    // The first run of the log has the batch with which its epoch began.
    EXPECT_EQ(counts, (std::vector<std::uint32_t>{255, 256, 90}));
    EXPECT_EQ(cursors, (std::vector<Position>{255, 511, 601}));
}

// A crash of either side loses what wasn't durable, and nothing is taken twice or never.
TEST_F(BankTest, IsExactlyOnceOverCrashesAtEveryPoint) {
    open("a_1", "u_ann");
    for (int i = 0; i < 700; ++i) move("a_1", 1);
    for (std::size_t durable = 0; durable < 4; ++durable) {
        ledger_.store = std::make_shared<log::MemoryStore>();
        restart_ledger();
        ledger_.log->hold();
        for (int turns = 0; turns < 3; ++turns) follower_->step();
        ledger_.log->release(durable);
        restart_ledger();
        EXPECT_EQ(cursor().position, (std::array<Position, 4>{0, 255, 511, 701}[durable]));
        pump();
        EXPECT_EQ(lines({"a_1"}), "a_1 700/700") << durable << " turns were durable";
        auto const digest = ledger_.host->digest();
        restart_ledger();
        pump();
        EXPECT_EQ(ledger_.host->digest(), digest);
    }
}

TEST_F(BankTest, ACursorThatCausedNothingIsRecordedNowAndThen) {
    open("a_1", "u_ann");
    pump();
    auto const recorded = [&] {
        Position at = 0;
        EXPECT_TRUE(ledger_.log->scan(0, [&](log::BatchView const& batch) {
            if (!batch.cursors.empty()) at = batch.cursors.front().position;
            return true;
        }));
        return at;
    };
    auto const last = move("a_1", 0);
    auto const wait = pump();
    ASSERT_TRUE(wait);
    EXPECT_EQ(cursor().position, last) << "in memory at once";
    EXPECT_EQ(recorded(), last - 1);
    clock_.advance(*wait);
    EXPECT_FALSE(pump());
    EXPECT_EQ(recorded(), last);
    EXPECT_EQ(ledger_.host->applied(), 1u) << "a batch without events";
    auto const later = move("a_1", 0);
    pump();
    EXPECT_TRUE(follower_->stop());
    EXPECT_EQ(recorded(), later) << "and when it stops";
    restart_ledger();
    EXPECT_EQ(cursor().position, later);
}

TEST_F(BankTest, EventsThatNobodyTakesArePassedOver) {
    open("a_1", "u_ann");
    ASSERT_TRUE(bank_.call("/accounts/{id}/close", R"({"id":"a_1"})"));
    pump();
    EXPECT_EQ(cursor().position, 2u);
    EXPECT_EQ(letters(), 0u);
}

TEST_F(BankTest, WhatFailsLiesAmongTheDeadLettersWithAllBehindIt) {
    auto const bad = open("a_bad", "u_bad"), good = open("a_good", "u_ann"), behind = move("a_bad", 3);
    move("a_good", 4);
    pump();
    EXPECT_EQ(lines({"a_bad", "a_good"}), "a_good 4/1") << "others go on";
    EXPECT_EQ(letter(bad), "failed a_bad owner_refused");
    EXPECT_EQ(letter(good), "none");
    EXPECT_EQ(letter(behind), "behind a_bad behind_dead_letter");
    restart_ledger();
    EXPECT_EQ(letters(), 2u) << "they are recorded";
    auto const after = move("a_bad", 5);
    pump();
    EXPECT_EQ(letter(after), "behind a_bad behind_dead_letter") << "also after a restart";

    ASSERT_TRUE(ask("retry", fmt::format(R"({{"source":"bank","position":{}}})", bad)));
    pump();
    EXPECT_EQ(letter(bad), "failed a_bad owner_refused") << "nothing has changed";
    EXPECT_EQ(letters(), 3u);
    ASSERT_TRUE(ledger_.call("/owners", R"({"owner":"u_bad"})"));
    ASSERT_TRUE(ask("retry", R"({"source":"bank"})"));
    EXPECT_EQ(letter(bad), "retry a_bad owner_refused");
    restart_ledger();
    EXPECT_EQ(letter(bad), "retry a_bad owner_refused") << "what was asked is recorded, too";
    pump();
    EXPECT_EQ(lines({"a_bad"}), "a_bad 8/2") << "and those behind it, in order";
    EXPECT_EQ(letters(), 0u);
    auto const digest = ledger_.host->digest();
    restart_ledger();
    EXPECT_EQ(letters(), 0u);
    EXPECT_EQ(ledger_.host->digest(), digest);
}

TEST_F(BankTest, AKilledRetryIsTakenAgainAtAnyPoint) {
    open("a_bad", "u_bad"), move("a_bad", 3), move("a_bad", 4);
    pump();
    ASSERT_TRUE(ledger_.call("/owners", R"({"owner":"u_bad"})"));
    ASSERT_TRUE(ask("retry", R"({"source":"bank"})"));
    for (int steps = 1; letters() > 0; ++steps) {
        ASSERT_LT(steps, 20);
        ledger_.log->hold();
        follower_->step();
        restart_ledger();  // what it did is lost
        follower_->step();
        restart_ledger();  // what it did is kept
    }
    EXPECT_EQ(lines({"a_bad"}), "a_bad 7/2");
}

TEST_F(BankTest, ADroppedLetterNeverComesAndWhatWasBehindItDoes) {
    auto const bad = open("a_bad", "u_bad"), first = move("a_bad", 3), second = move("a_bad", 4);
    pump();
    ASSERT_TRUE(ask("drop", fmt::format(R"({{"source":"bank","position":{}}})", bad)));
    pump();
    EXPECT_EQ(letter(bad), "none");
    EXPECT_EQ(letter(first), "failed a_bad account_unknown") << "it fails by itself now";
    EXPECT_EQ(letter(second), "behind a_bad behind_dead_letter");
    auto refused = ask("retry", fmt::format(R"({{"source":"bank","position":{}}})", second));
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, "dead_letter_behind");
    ASSERT_TRUE(ask("drop", R"({"source":"bank"})"));
    pump();
    ASSERT_TRUE(ask("drop", R"({"source":"bank"})"));
    pump();
    EXPECT_EQ(letters(), 0u);
    EXPECT_EQ(ask("drop", R"({"source":"bank","position":1})").error().code, "dead_letter_not_found");
    EXPECT_EQ(ask("drop", R"({"source":"mint","position":1})").error().code, "follower_not_found");
}

TEST_F(BankTest, ADecisionThatThrowsIsADeadLetter) {
    auto const at = open("a_1", "u_thrower");
    open("a_2", "u_ann");
    pump();
    EXPECT_EQ(letter(at), "failed a_1 internal_error");
    EXPECT_EQ(lines({"a_1", "a_2"}), "a_2 0/0");
}

TEST_F(BankTest, AFoldThatBreaksItsPromiseIsADeadLetterAndTakesNothingWithIt) {
    open("a_1", "u_ann");
    auto const at = open("a_2", "u_poison");
    open("a_3", "u_ann"), move("a_1", 2);
    for (int i = 4; i < 12; ++i) open(fmt::format("a_{}", i), "u_poison");  // many in one turn don't stop the service
    open("a_99", "u_ann");
    pump();
    EXPECT_EQ(letter(at), "failed a_2 apply_failed");
    EXPECT_EQ(letters(), 9u);
    EXPECT_EQ(lines({"a_1", "a_2", "a_3", "a_99"}), "a_1 2/1, a_3 0/0, a_99 0/0");
    auto const digest = ledger_.host->digest();
    restart_ledger();
    EXPECT_EQ(ledger_.host->digest(), digest);
}

TEST_F(BankTest, BacksOffWhileItsOwnLogHasNoRoom) {
    open("a_1", "u_ann");
    ledger_.log->set_space(false);
    Duration last{};
    for (int i = 0; i < 12; ++i) {
        auto const wait = pump();
        ASSERT_TRUE(wait);
        EXPECT_GE(*wait, Duration::millis(50));
        EXPECT_LE(*wait, Follower::backoff_max);
        EXPECT_EQ(follower_->told().state, FollowerState::backing_off);
        EXPECT_EQ(follower_->told().code, "log_full");
        EXPECT_GE(follower_->step().value().us, 1) << "and does nothing before";
        last = *wait;
        clock_.advance(*wait), clock_.advance(Duration::millis(1));
    }
    EXPECT_GE(last, Duration::seconds(15));
    ledger_.log->set_space(true);
    pump();
    EXPECT_EQ(lines({"a_1"}), "a_1 0/0");
    EXPECT_EQ(follower_->told().state, FollowerState::caught_up);
    EXPECT_FALSE(follower_->told().code);
}

TEST_F(BankTest, SaysHowFarBehindItIs) {
    EXPECT_EQ(follower_->told().position, "");
    open("a_1", "u_ann");
    clock_.advance(Duration::seconds(10));
    move("a_1", 1);
    clock_.advance(Duration::seconds(3));
    auto told = follower_->told();
    EXPECT_EQ(told.lag_events, 2);
    EXPECT_EQ(told.lag_s, 13.0);
    EXPECT_EQ(told.end, bank_.host->position_text(2));
    pump();
    told = follower_->told();
    EXPECT_EQ(told.state, FollowerState::caught_up);
    EXPECT_EQ(told.lag_events, 0);
    EXPECT_EQ(told.lag_s, 0);
    EXPECT_EQ(told.position, bank_.host->position_text(2));
    auto const listed = ledger_.call("/followers", "{}", "GET");
    ASSERT_TRUE(listed);
    EXPECT_NE(listed->body.find(R"({"source":"bank","where":"this process","state":"caught_up","position":")"), std::string::npos)
        << listed->body;
}

TEST_F(BankTest, LettersAreListedByPages) {
    for (int i = 1; i <= 3; ++i) open(fmt::format("a_{}", i), "u_bad");
    pump();
    auto page = ledger_.call("/followers/{source}/dead-letters", R"({"source":"bank","limit":2})", "GET");
    ASSERT_TRUE(page);
    EXPECT_NE(page->body.find(R"({"position":1,"subject":"a_1","state":"failed","code":"owner_refused","detail":"nobody lists)"),
              std::string::npos)
        << page->body;
    EXPECT_NE(page->body.find(R"("complete":false)"), std::string::npos);
    page = ledger_.call("/followers/{source}/dead-letters", R"({"source":"bank","after":2})", "GET");
    EXPECT_EQ(page->body.find(R"("position":2)"), std::string::npos);
    EXPECT_NE(page->body.find(R"("position":3)"), std::string::npos);
    EXPECT_NE(page->body.find(R"("complete":true)"), std::string::npos);
}

TEST_F(BankTest, AGapIsToldAndWaitsForAnOperator) {
    open("a_1", "u_ann");
    pump();
    move("a_1", 1), move("a_1", 2);
    ASSERT_TRUE(bank_.log->cut(3, {}));
    pump();
    auto told = follower_->told();
    EXPECT_EQ(told.state, FollowerState::refused);
    EXPECT_EQ(told.code, "source_gap");
    EXPECT_EQ(cursor().position, 1u);
    EXPECT_EQ(ask("move", R"({"source":"bank","to":"1.1"})").error().faults.front().pointer, "/to");
    EXPECT_FALSE(ask("move", fmt::format(R"({{"source":"bank","to":"{}"}})", bank_.host->position_text(1)))) << "it is gone";
    ASSERT_TRUE(ask("move", R"({"source":"bank","to":"begin"})"));
    pump();
    EXPECT_EQ(lines({"a_1"}), "a_1 2/1");
    EXPECT_EQ(follower_->told().state, FollowerState::caught_up);
    restart_ledger();
    EXPECT_EQ(cursor().position, 3u);
}

TEST_F(BankTest, ANewFollowerOfASourceThatCutItsBeginningIsToldSo) {
    open("a_1", "u_ann"), open("a_2", "u_ann"), open("a_3", "u_ann");
    ASSERT_TRUE(bank_.log->cut(3, {}));
    pump();
    EXPECT_EQ(follower_->told().code, "source_gap");
    ASSERT_TRUE(ask("move", R"({"source":"bank","to":"end"})"));
    pump();
    EXPECT_EQ(lines({"a_1", "a_2", "a_3"}), "");
    open("a_4", "u_ann");
    pump();
    EXPECT_EQ(lines({"a_3", "a_4"}), "a_4 0/0");
}

TEST_F(BankTest, AnotherHistoryIsRefusedUntilItIsSaidWhereToGoOn) {
    auto const bad = open("a_1", "u_bad");
    open("a_2", "u_ann"), move("a_2", 1);
    pump();
    EXPECT_EQ(letter(bad), "failed a_1 owner_refused");
    // A restore of the bank: the first two events, in a history of its own.
    bank_.store = std::make_shared<log::MemoryStore>();
    follower_.reset(), bank_.start(), follow();
    open("a_1", "u_bad"), open("a_2", "u_ann"), move("a_2", 7);
    pump();
    EXPECT_EQ(follower_->told().state, FollowerState::refused);
    EXPECT_EQ(follower_->told().code, "source_history");
    EXPECT_EQ(lines({"a_2"}), "a_2 1/1") << "nothing was taken";
    ASSERT_TRUE(ask("move", fmt::format(R"({{"source":"bank","to":"{}"}})", bank_.host->position_text(2))));
    EXPECT_EQ(letters(), 0u) << "positions of another history say nothing";
    pump();
    EXPECT_EQ(lines({"a_2"}), "a_2 8/2");
    restart_ledger();
    EXPECT_EQ(cursor().incarnation, bank_.log->status().incarnation);
    EXPECT_EQ(letters(), 0u);
}

TEST_F(BankTest, AtOrBeforeTheForkOfAHistoryItGoesOn) {
    open("a_1", "u_ann"), move("a_1", 1);
    pump();
    auto const former = bank_.log->status().incarnation;
    for (Position fork : {1, 2}) {
        fork_ = [=](log::Incarnation asked) { return asked == former ? std::optional(fork) : std::nullopt; };
        bank_.store = std::make_shared<log::MemoryStore>();
        follower_.reset(), bank_.start(), follow();
        open("a_1", "u_ann"), move("a_1", 1), move("a_1", 5);
        pump();
        EXPECT_EQ(lines({"a_1"}), fork == 2 ? "a_1 6/2" : "a_1 1/1");
        EXPECT_EQ(follower_->told().state, fork == 2 ? FollowerState::caught_up : FollowerState::refused);
    }
    EXPECT_EQ(cursor().incarnation, bank_.log->status().incarnation);
}

TEST_F(BankTest, AFollowerAheadOfItsSourceIsRefused) {
    open("a_1", "u_ann");
    pump();
    ASSERT_TRUE(ledger_.host->change_followed(
        "bank", [](Followed& followed, LetterChanges&) -> Result<void> { return followed.position = 9, Result<void>(); }));
    pump();
    EXPECT_EQ(follower_->told().code, "source_ahead");
}

TEST_F(BankTest, ALetterThatIsGoneFromItsSourceSaysSo) {
    auto const bad = open("a_1", "u_bad");
    open("a_2", "u_ann");
    pump();
    ASSERT_TRUE(bank_.log->cut(2, {}));
    ASSERT_TRUE(ask("retry", R"({"source":"bank"})"));
    open("a_3", "u_ann");
    pump();
    EXPECT_EQ(letter(bad), "failed a_1 source_gap");
    EXPECT_EQ(lines({"a_3"}), "a_3 0/0");
}

TEST_F(BankTest, ARewoundFollowerTakesEventsAgain) {
    auto const first = open("a_1", "u_bad");
    open("a_2", "u_ann"), move("a_2", 3);
    pump();
    ASSERT_TRUE(ask("move", fmt::format(R"({{"source":"bank","to":"{}"}})", bank_.host->position_text(2))));
    EXPECT_EQ(letter(first), "failed a_1 owner_refused");
    pump();
    EXPECT_EQ(lines({"a_2"}), "a_2 6/2");
    ASSERT_TRUE(ask("move", R"({"source":"bank","to":"begin"})"));
    EXPECT_EQ(letters(), 0u);
    pump();
    EXPECT_EQ(letters(), 1u);
}

TEST_F(BankTest, AFullShelfOfLettersStopsIt) {
    for (std::size_t i = 0; i <= Followed::letters_max; ++i) open(fmt::format("a_{}", i), "u_bad");
    pump();
    EXPECT_EQ(letters(), Followed::letters_max);
    EXPECT_EQ(follower_->told().state, FollowerState::full);
    EXPECT_EQ(follower_->told().code, "dead_letters_full");
    ASSERT_TRUE(ask("drop", R"({"source":"bank","position":1})"));
    pump();
    EXPECT_EQ(letters(), Followed::letters_max);
    EXPECT_EQ(cursor().position, Followed::letters_max + 1);
    EXPECT_EQ(follower_->told().state, FollowerState::caught_up);
}

TEST_F(BankTest, WaitsForItsOwnLogWhenThatIsFarBehind) {
    open("a_1", "u_ann");
    for (Position i = 0; i < Follower::ahead_max + 1000; ++i) move("a_1", 1);
    ledger_.log->hold();
    EXPECT_FALSE(pump());
    EXPECT_TRUE(follower_->waits_for_own_log());
    EXPECT_LT(line("a_1")->moves, std::int64_t(Follower::ahead_max + 512));
    ledger_.log->release_all();
    pump();
    EXPECT_EQ(line("a_1")->moves, std::int64_t(Follower::ahead_max + 1000));
}

// A log with a retention, over many of its quarters.
TEST_F(BankTest, ASourceKeepsWhatItsFollowerNeedsUpToALimit) {
    follower_.reset();
    bank_.retention = Duration::seconds(4), bank_.start(), follow();
    std::array<Host*, 1> hosts{ledger_.host.get()};
    std::uint64_t most = 1000;
    bank_.host->keep_for([&] { return needed_by_followers(*bank_.host, hosts, most); });
    auto live = [&](int seconds) {
        for (int i = 0; i < seconds; ++i) {
            move("a_1", 1);
            clock_.advance(Duration::seconds(1));
            auto kept = bank_.host->keep_house();
            ASSERT_TRUE(kept) << kept.error().detail;
        }
    };
    open("a_1", "u_ann");
    live(30);
    EXPECT_EQ(bank_.log->status().begin, 1u) << "the follower has seen nothing yet";
    pump();
    EXPECT_EQ(line("a_1")->moves, 30);
    live(10);
    EXPECT_GT(bank_.log->status().begin, 20u);
    EXPECT_LE(bank_.log->status().begin, cursor().needs()) << "what came since is needed";
    pump();
    EXPECT_EQ(line("a_1")->moves, 40);
    most = 12;
    live(30);
    EXPECT_GT(bank_.log->status().begin, cursor().needs());
    pump();
    EXPECT_EQ(follower_->told().code, "source_gap");
    ASSERT_TRUE(ask("move", R"({"source":"bank","to":"begin"})"));
    auto const bad = open("a_bad", "u_bad");
    pump();
    most = 1000;
    for (int i = 0; i < 4; ++i) live(5), pump();
    EXPECT_EQ(bank_.log->status().begin, bad) << "a dead letter is needed, too";
    ASSERT_TRUE(ask("drop", R"({"source":"bank"})"));
    live(5);
    EXPECT_GT(bank_.log->status().begin, bad);
}

TEST_F(BankTest, SnapshotsAndBaselinesHoldTheCursorAndTheLetters) {
    log::SimulatedDisk disk(1);
    auto snapshots = log::file_snapshots(disk, "/data/snapshots");
    OnMemory<ledger::Service> kept(clock_, random_, snapshots.get());
    kept.retention = Duration::seconds(4), kept.start();
    auto run = [&] {
        auto const& decl = kept.host->decl().followers.front();
        Follower follower(*kept.host, decl, follow_log(*bank_.host, decl, [] {}), clock_, random_);
        for (auto next = follower.step(); next && next->us == 0;) next = follower.step();
    };
    auto const bad = open("a_bad", "u_bad");
    open("a_1", "u_ann");
    for (int i = 0; i < 20; ++i) {
        move("a_1", 1), run();
        clock_.advance(Duration::seconds(1));
        auto done = kept.host->keep_house();
        ASSERT_TRUE(done) << done.error().detail;
    }
    EXPECT_GT(kept.log->status().begin, 1u) << "the first batches, with the letter, are gone";
    auto const expect = [&](std::string_view from) {
        auto const followed = kept.host->followed("bank");
        EXPECT_EQ(followed.position, 22u) << from;
        ASSERT_EQ(followed.letters().size(), 1u) << from;
        EXPECT_EQ(followed.letters().at(bad).code, "owner_refused") << from;
        EXPECT_EQ(kept.state().lines.find(bank::AccountId("a_1"))->moves, 20) << from;
    };
    kept.start();
    expect("from a baseline");
    ASSERT_TRUE(kept.host->save_snapshot());
    kept.start();
    expect("from a snapshot");
    run();
    expect("and nothing is taken twice");
}

TEST_F(BankTest, WhatItBringsWakesLiveReadersOnceItIsDurable) {
    std::vector<std::uint64_t> woken;
    ledger_.host->on_wake([&](int, std::vector<std::uint64_t> const& watchers) { woken = watchers; });
    std::array<state::KeyHash, 1> const keys{Watch::everything};
    ledger_.host->watch().add({0, 7}, keys);
    open("a_1", "u_ann"), move("a_1", 1);
    ledger_.log->hold();
    pump();
    EXPECT_TRUE(woken.empty());
    ledger_.log->release_all();
    EXPECT_EQ(woken, (std::vector<std::uint64_t>{7}));
    ledger_.host->watch().remove({0, 7}, keys);
}

TEST_F(BankTest, AMomentOfThePastAndTheLawsOfAFoldHold) {
    open("a_1", "u_ann");
    for (int i = 0; i < 10; ++i) move("a_1", 1), pump();
    auto folded = Folded::empty(ledger_.host->decl());
    ASSERT_TRUE(replay({ledger_.host->decl(), *ledger_.log}, folded, 5, {}));
    EXPECT_EQ(folded.last, 5u);
    EXPECT_EQ(static_cast<ledger::State const*>(folded.service.get())->lines.find(bank::AccountId("a_1"))->moves, 4);
    auto whole = Folded::empty(ledger_.host->decl());
    ASSERT_TRUE(replay({ledger_.host->decl(), *ledger_.log}, whole, ~Position{0}, {}));
    EXPECT_EQ(ledger_.host->decl().state.digest(whole.service.get()), ledger_.host->digest());
    EXPECT_EQ(whole.followed.find("bank")->position, cursor().position);
}

}  // namespace
}  // namespace gantry::runtime
