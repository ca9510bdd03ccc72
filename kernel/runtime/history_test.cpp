// Time travel: states of the past, from wherever they can be rebuilt.
#include "kernel/runtime/history.h"

#include <gtest/gtest.h>

#include "kernel/base/varint.h"
#include "kernel/codec/binary.h"
#include "kernel/codec/json.h"
#include "kernel/log/memory/memory_log.h"
#include "kernel/log/memory/memory_snapshots.h"
#include "kernel/runtime/host.h"
#include "kernel/runtime/notes_for_test.h"

namespace gantry::runtime {
namespace {

class HistoryTest : public ::testing::Test {
   protected:
    HistoryTest() { restart(); }
    void restart() {
        host_.reset();
        log_ = std::make_unique<log::MemoryLog>(store_, clock_, random_, log::Options{},
                                                codec::encode_event_schema(codec::type_of<notes::Event>()));
        Host::Parts parts{*log_, clock_, random_};
        parts.snapshots = snapshots_.get(), parts.history_bytes_max = history_bytes_max_;
        if (in_background_) parts.background = [this](std::move_only_function<void()> task) { background_.push_back(std::move(task)); };
        auto decl = declare<notes::Service>();
        if (retention_) decl.retention = [](void const*) -> std::optional<Duration> { return Duration::days(8); };
        decl.needs = needs_;
        host_ = std::make_unique<Host>(std::move(decl), std::move(parts));
        auto started = host_->start();
        EXPECT_TRUE(started) << started.error().detail;
    }
    void create(int count) {
        auto const fill = [](codec::Type const& type, void* out) { return codec::decode_json(type, out, R"({"title":"note"})"); };
        Viewer const viewer{Str("u_ann")};
        for (int i = 0; i < count; ++i) host_->call(host_->decl().routes[0], viewer, fill, [](Result<Answer> a) { EXPECT_TRUE(a); });
    }
    // What one command with three facts leaves in the log.
    void append_three(int n) {
        std::string events;
        for (int i = 0; i < 3; ++i) {
            std::string payload;
            codec::put(payload, notes::Created{notes::NoteId("n_" + std::to_string(3 * n + i)), Text<1, 120>("three"), UserId("u_ann")});
            put_varint(events, std::uint64_t{0}), put_string(events, payload);
        }
        log::BatchView batch;
        batch.count = 3, batch.events = events, batch.caller = "u_ann", batch.time = std::max(clock_.wall(), log_->status().last_time);
        ASSERT_TRUE(log_->append(batch));
    }
    Result<PastState> at(Moment moment) {
        Result<PastState> told = fail(500, "not_told");
        host_->history().fetch(moment, -1, [&](Result<PastState> state) { told = std::move(state); });
        return told;
    }
    std::uint64_t digest_of(Folded const& state) { return host_->decl().state.digest(state.service.get()); }
    // By folding the log from its beginning.
    std::uint64_t expected(Position position) {
        Folded state = Folded::empty(host_->decl());
        EXPECT_TRUE(replay({host_->decl(), *log_}, state, position, {}));
        EXPECT_EQ(state.last, position);
        return digest_of(state);
    }
    ManualClock clock_;
    SeededRandom random_{42};
    bool retention_ = false, in_background_ = false;
    std::optional<Position> (*needs_)(void const*) = nullptr;
    std::uint64_t history_bytes_max_ = 1u << 30;
    std::vector<std::move_only_function<void()>> background_;
    std::shared_ptr<log::MemoryStore> store_ = std::make_shared<log::MemoryStore>();
    std::unique_ptr<log::Snapshots> snapshots_ = log::memory_snapshots();
    std::unique_ptr<log::MemoryLog> log_;
    std::unique_ptr<Host> host_;
};

TEST_F(HistoryTest, EachEventIsAMomentEvenInsideACommand) {
    for (int i = 0; i < 5; ++i) append_three(i);
    restart();
    create(5);
    auto const now = host_->digest();
    for (Position p : {7u, 0u, 20u, 8u, 1u, 15u, 14u, 16u, 3u, 7u}) {
        auto past = at(p);
        ASSERT_TRUE(past) << past.error().detail;
        EXPECT_EQ((*past)->last, p);
        EXPECT_EQ(digest_of(**past), expected(p)) << p;
        EXPECT_EQ(host_->history().kept(p), *past);
    }
    EXPECT_EQ(digest_of(**at(Position{20})), now);
    create(3);
    EXPECT_EQ(digest_of(**at(Position{20})), now) << "the past stands still";
}

TEST_F(HistoryTest, ATimeIsTheLastEventAtOrBeforeIt) {
    auto const start = clock_.wall();
    for (int second = 1; second <= 5; ++second) {
        clock_.advance(Duration::seconds(1));
        create(2);
    }
    auto position_at = [&](Duration since) { return (*at(start + since))->last; };
    EXPECT_EQ(position_at(Duration::millis(999)), 0u);
    EXPECT_EQ(position_at(Duration::seconds(1)), 2u);
    EXPECT_EQ(position_at(Duration::millis(4'999)), 8u);
    EXPECT_EQ(position_at(Duration::seconds(5)), 10u);
    EXPECT_TRUE(host_->history().kept(start + Duration::seconds(1))) << "a time that was asked for is known";
}

TEST_F(HistoryTest, FromTheNearestSnapshotOrKeptState) {
    for (int i = 0; i < 10; ++i) {
        create(10);
        ASSERT_TRUE(host_->save_snapshot());
    }
    EXPECT_GT(snapshots_->list().size(), 3u);
    for (Position p : {55u, 56u, 54u, 100u, 99u, 1u, 50u, 0u}) EXPECT_EQ(digest_of(**at(p)), expected(p)) << p;
    restart();
    for (Position p : {95u, 41u, 42u}) EXPECT_EQ(digest_of(**at(p)), expected(p)) << p;
}

TEST_F(HistoryTest, WhatTheServiceStillNeedsIsNotCut) {
    retention_ = true;
    needs_ = [](void const*) -> std::optional<Position> { return 7; };
    restart();
    create(20);
    auto const go_on = [&] {
        for (int day = 1; day <= 20; ++day) {
            clock_.advance(Duration::days(1));
            ASSERT_TRUE(host_->keep_house());
            create(1);
        }
    };
    go_on();
    EXPECT_LE(log_->status().begin, 7u);
    needs_ = [](void const*) -> std::optional<Position> { return {}; };
    restart();
    go_on();
    EXPECT_GT(log_->status().begin, 7u);
}

TEST_F(HistoryTest, BeforeWhatIsRetainedItIsGone) {
    retention_ = true;
    restart();
    create(20);
    std::map<Position, std::uint64_t> digests;
    for (int day = 1; day <= 20; ++day) {
        clock_.advance(Duration::days(1));
        ASSERT_TRUE(host_->keep_house());
        create(1);
        digests[host_->applied()] = host_->digest();
    }
    auto const begin = log_->status().begin;
    ASSERT_GT(begin, 20u);
    auto gone = at(Position{5});
    ASSERT_FALSE(gone);
    EXPECT_EQ(gone.error().status, 410);
    EXPECT_EQ(gone.error().code, "past_gone");
    EXPECT_NE(gone.error().detail.find("the past is kept from event "), std::string::npos) << gone.error().detail;
    ASSERT_TRUE(snapshots_->remove_all());
    for (auto position : {begin + 1, host_->applied()}) {
        auto past = at(position);
        ASSERT_TRUE(past) << past.error().detail;
        EXPECT_EQ(digest_of(**past), digests.at(position)) << "from a baseline";
    }
    EXPECT_EQ(at(clock_.wall() - Duration::days(19)).error().code, "past_gone");
}

// Has something happen in the middle of a rebuild: when it looks for a snapshot.
class Interrupting final : public log::Snapshots {
   public:
    explicit Interrupting(std::unique_ptr<log::Snapshots> inner) : inner_(std::move(inner)) {}
    std::function<void()> act;

    Result<void> save(Meta const& meta, std::function<Result<void>(Sink const&)> const& write, Keep keep) override {
        return inner_->save(meta, write, keep);
    }
    Result<std::unique_ptr<Source>> newest(log::Incarnation incarnation, std::uint64_t fingerprint, Position at_most) override {
        if (auto once = std::exchange(act, nullptr)) once();
        return inner_->newest(incarnation, fingerprint, at_most);
    }
    std::vector<Meta> list() override { return inner_->list(); }
    Result<void> remove_all() override { return inner_->remove_all(); }

   private:
    std::unique_ptr<log::Snapshots> inner_;
};

TEST_F(HistoryTest, WhatIsCutWhileItIsRebuiltIsGoneOrComesFromABaseline) {
    retention_ = true;
    auto* interrupting = new Interrupting(std::move(snapshots_));
    snapshots_.reset(interrupting);
    restart();
    create(20);
    auto const one_day = [&] {
        clock_.advance(Duration::days(1));
        ASSERT_TRUE(host_->keep_house());
        create(1);
    };
    for (int day = 1; day <= 7; ++day) one_day();
    ASSERT_EQ(log_->status().begin, 1u);
    auto const cut_meanwhile = [&](Position position) {
        interrupting->act = [&] {
            for (int day = 1; day <= 20 && log_->status().begin <= position; ++day) one_day();
        };
        auto told = at(position);
        EXPECT_GT(log_->status().begin, position);
        return told;
    };
    auto const gone = cut_meanwhile(5);
    ASSERT_FALSE(gone) << "the state of event " << (*gone)->last;
    EXPECT_EQ(gone.error().code, "past_gone");
    auto const last = host_->applied();
    auto const digest = host_->digest();
    auto const past = cut_meanwhile(last);
    ASSERT_TRUE(past) << past.error().detail;
    EXPECT_EQ((*past)->last, last);
    EXPECT_EQ(digest_of(**past), digest) << "from a baseline";
}

TEST_F(HistoryTest, MemoryIsBounded) {
    create(2000);
    auto const one = (*at(Position{2000}))->memory_bytes(host_->decl());
    history_bytes_max_ = 3 * one + one / 2;
    restart();
    for (Position p : {2000u, 1999u, 1998u, 1997u}) ASSERT_TRUE(at(p));
    EXPECT_FALSE(host_->history().kept(Position{2000}));
    EXPECT_TRUE(host_->history().kept(Position{1999}));
    ASSERT_TRUE(at(Position{1996}));
    EXPECT_FALSE(host_->history().kept(Position{1998})) << "the one that was not asked for";
    EXPECT_TRUE(host_->history().kept(Position{1999}));

    history_bytes_max_ = one / 2;
    restart();
    auto refused = at(Position{1990});
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, "history_memory");
    EXPECT_EQ(refused.error().status, 503);
    EXPECT_TRUE(refused.error().retry_after_s);
}

TEST_F(HistoryTest, OneRebuildAtATimeIsSharedAndTheQueueIsBounded) {
    create(50);
    in_background_ = true;
    restart();
    int told = 0, refused = 0;
    auto ask = [&](Position p) { host_->history().fetch(p, -1, [&](Result<PastState> state) { ++(state ? told : refused); }); };
    for (int i = 0; i < 100; ++i) ask(10);
    EXPECT_EQ(background_.size(), 1u);
    for (Position p = 11; p <= 25; ++p) ask(p);
    EXPECT_EQ(refused, 0);
    ask(26);
    EXPECT_EQ(refused, 1);
    ask(25);
    EXPECT_EQ(refused, 1) << "a moment that waits already may be waited for";
    EXPECT_EQ(background_.size(), 1u);
    EXPECT_EQ(told, 0);
    background_.front()();
    EXPECT_EQ(told, 100 + 15 + 1);
    ask(26);
    EXPECT_EQ(background_.size(), 2u);
    background_.back()();
    EXPECT_EQ(told, 100 + 15 + 2);
}

TEST_F(HistoryTest, WhatIsForgottenIsBuiltAnew) {
    create(5);
    auto first = at(Position{3});
    host_->history().forget();
    EXPECT_FALSE(host_->history().kept(Position{3}));
    auto again = at(Position{3});
    EXPECT_NE(*first, *again);
    EXPECT_EQ(digest_of(**first), digest_of(**again));
}

TEST_F(HistoryTest, WhatAMomentIsIsSaid) {
    create(3);
    auto const one = host_->position_text(2);
    EXPECT_EQ(std::get<Position>(*host_->moment(one)), 2u);
    EXPECT_EQ(std::get<Time>(*host_->moment("2023-11-14T22:13:20Z")), (Time{1'700'000'000'000'000}));
    EXPECT_EQ(std::get<Time>(*host_->moment("2023-11-14T23:13:20+01:00")), (Time{1'700'000'000'000'000}));
    struct Row {
        std::string text;
        int status;
        std::string_view code;
        std::string says;
    };
    for (auto const& row :
         {Row{host_->position_text(4), 400, "as_of_ahead", "which is at " + host_->position_text(3)},
          Row{"2023-11-14T22:13:21Z", 400, "as_of_ahead", "it is 2023-11-14T22:13:20Z"},
          Row{"0123456789abc.2", 410, "position_gone", "another history"}, Row{"2", 400, "request_invalid", "expected a position as"},
          Row{"2023-11-14T22:13:20", 400, "request_invalid", "the zone is missing"},
          Row{one + "x", 400, "request_invalid", "expected a position as"}, Row{"yesterday", 400, "request_invalid", one.substr(0, 13)}}) {
        auto moment = host_->moment(row.text);
        ASSERT_FALSE(moment) << row.text;
        EXPECT_EQ(moment.error().status, row.status) << row.text;
        EXPECT_EQ(moment.error().code, row.code) << row.text;
        auto const& problem = moment.error();
        auto const said = problem.detail + (problem.faults.empty() ? "" : problem.faults[0].pointer + problem.faults[0].detail);
        EXPECT_NE(said.find(row.says), std::string::npos) << said;
    }
}

}  // namespace
}  // namespace gantry::runtime
