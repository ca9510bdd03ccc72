// How a host comes back: snapshots, and logs that were cut.
#include <gtest/gtest.h>

#include "kernel/codec/json.h"
#include "kernel/log/memory/memory_log.h"
#include "kernel/log/memory/memory_snapshots.h"
#include "kernel/runtime/host.h"
#include "kernel/runtime/notes_for_test.h"

namespace gantry::runtime {
namespace {

class Restore : public ::testing::Test {
   protected:
    Restore() { restart(); }
    void restart() {
        host_.reset();
        log_ = std::make_unique<log::MemoryLog>(store_, clock_, random_, log::Options{},
                                                codec::encode_event_schema(codec::type_of<notes::Event>()));
        Host::Parts parts{*log_, clock_, random_};
        parts.snapshots = snapshots_.get(), parts.memory_bytes_max = memory_bytes_max_;
        auto decl = declare<notes::Service>();
        if (retention_) decl.retention = [](void const*) -> std::optional<Duration> { return Duration::days(8); };
        host_ = std::make_unique<Host>(std::move(decl), std::move(parts));
        auto started = host_->start();
        EXPECT_TRUE(started) << started.error().detail;
    }
    Result<Answer> send(std::size_t route, std::string_view json, std::string_view key = {}) {
        Viewer const viewer{Str("u_ann")};
        auto fill = [&](codec::Type const& type, void* out) { return codec::decode_json(type, out, json); };
        auto outcome =
            host_->call(Request{.route = host_->decl().routes[route], .viewer = viewer, .bind = fill, .idempotency_key = key, .body = json},
                        [] { return [](Result<Answer>) {}; });
        EXPECT_TRUE(outcome);
        return std::move(*outcome);
    }
    void create(int count) {
        for (int i = 0; i < count; ++i) ASSERT_TRUE(send(0, R"({"title":"note"})"));
    }
    ManualClock clock_;
    SeededRandom random_{42};
    bool retention_ = false;
    std::uint64_t memory_bytes_max_ = 0;
    std::shared_ptr<log::MemoryStore> store_ = std::make_shared<log::MemoryStore>();
    std::unique_ptr<log::Snapshots> snapshots_ = log::memory_snapshots();
    std::unique_ptr<log::MemoryLog> log_;
    std::unique_ptr<Host> host_;
};

TEST_F(Restore, FromASnapshotAndTheLogBehindIt) {
    create(10);
    ASSERT_TRUE(host_->save_snapshot());
    create(5);
    auto digest = host_->digest();
    restart();
    EXPECT_EQ(host_->digest(), digest);
    EXPECT_EQ(host_->applied(), 15u);
    ASSERT_TRUE(host_->save_snapshot());
    EXPECT_EQ(snapshots_->list().back().position, 15u);
    restart();
    EXPECT_EQ(host_->digest(), digest);
}

TEST_F(Restore, ASnapshotOfNowIsTakenOnce) {
    create(3);
    ASSERT_TRUE(host_->save_snapshot());
    ASSERT_TRUE(host_->save_snapshot());
    EXPECT_EQ(snapshots_->list().size(), 1u);
}

TEST_F(Restore, ASnapshotIsAViewOfOneMomentWhileCommandsGoOn) {
    create(100);
    auto digest = host_->digest();
    auto view = host_->decl().state.view(host_->state_for_tools());
    create(100);
    EXPECT_EQ(host_->decl().state.digest(view.get()), digest);
}

TEST_F(Restore, AKeyOfIdempotencySurvivesSnapshotAndReplay) {
    auto first = send(0, R"({"title":"one"})", "k");
    ASSERT_TRUE(first);
    ASSERT_TRUE(host_->save_snapshot());
    auto behind = send(0, R"({"title":"two"})", "l");
    restart();
    for (auto const& [key, json, was] : {std::tuple{"k", R"({"title":"one"})", &first}, std::tuple{"l", R"({"title":"two"})", &behind}}) {
        auto again = send(0, json, key);
        ASSERT_TRUE(again);
        EXPECT_EQ(again->body, (*was)->body);
        EXPECT_TRUE(again->replayed);
    }
    EXPECT_EQ(host_->applied(), 2u);
    clock_.advance(Duration::seconds(24 * 3600 + 1));
    auto later = send(0, R"({"title":"one"})", "k");
    ASSERT_TRUE(later);
    EXPECT_FALSE(later->replayed) << "a day later it is forgotten";
}

TEST_F(Restore, AtItsMemoryLimitCommandsAreRefusedAndReadsGoOn) {
    memory_bytes_max_ = 1;
    restart();
    create(1);
    ASSERT_TRUE(host_->keep_house());
    auto refused = send(0, R"({"title":"one"})");
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, "memory_full");
    EXPECT_TRUE(send(3, "{}"));
    memory_bytes_max_ = 64 << 20;
    restart();
    EXPECT_TRUE(send(0, R"({"title":"one"})"));
}

TEST_F(Restore, RetentionCutsBelowABaselineAndTheLogAloneRebuildsTheState) {
    retention_ = true;
    restart();
    std::uint64_t const days = 40;
    for (std::uint64_t day = 0; day < days; ++day) {
        create(10);
        clock_.advance(Duration::days(1));
        auto kept = host_->keep_house();
        ASSERT_TRUE(kept) << kept.error().detail;
    }
    auto const begin = log_->status().begin;
    EXPECT_GT(begin, (days - 12) * 10) << "what is older than eight days and a quarter went";
    EXPECT_LE(begin, (days - 7) * 10 + 1) << "what is younger stayed";
    auto digest = host_->digest();
    ASSERT_TRUE(snapshots_->remove_all());
    restart();
    EXPECT_EQ(host_->digest(), digest);
    EXPECT_EQ(host_->applied(), days * 10);
    create(1);
    digest = host_->digest();
    ASSERT_TRUE(host_->save_snapshot());
    restart();
    EXPECT_EQ(host_->digest(), digest);
    for (int day = 0; day < 20; ++day) {
        create(1);
        clock_.advance(Duration::days(1));
        ASSERT_TRUE(host_->keep_house());
    }
    EXPECT_GT(log_->status().begin, begin) << "it goes on after a start";
}

TEST_F(Restore, ALogThatSleptKeepsItsOnlyBaseline) {
    retention_ = true;
    restart();
    create(10);
    for (int day = 0; day < 30; ++day) {
        clock_.advance(Duration::days(1));
        ASSERT_TRUE(host_->keep_house());
    }
    EXPECT_GT(log_->status().begin, 1u);
    auto digest = host_->digest();
    restart();
    EXPECT_EQ(host_->digest(), digest);
    EXPECT_EQ(host_->applied(), 10u);
}

TEST_F(Restore, ASnapshotFromBeforeACutIsPassedOver) {
    retention_ = true;
    restart();
    create(10);
    ASSERT_TRUE(host_->save_snapshot());
    for (int day = 0; day < 30; ++day) {
        create(3);
        clock_.advance(Duration::days(1));
        ASSERT_TRUE(host_->keep_house());
    }
    ASSERT_GT(log_->status().begin, 12u);
    auto digest = host_->digest();
    restart();  // as after a crash: the newest snapshot is the old one
    EXPECT_EQ(host_->digest(), digest);
}

TEST_F(Restore, ACutLogWithoutABaselineIsRefusedWithARemedy) {
    create(10);
    ASSERT_TRUE(log_->cut(6, clock_.wall()));
    host_.reset();
    log_ = std::make_unique<log::MemoryLog>(store_, clock_, random_, log::Options{},
                                            codec::encode_event_schema(codec::type_of<notes::Event>()));
    Host::Parts parts{*log_, clock_, random_};
    host_ = std::make_unique<Host>(declare<notes::Service>(), std::move(parts));
    auto refused = host_->start();
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, "log_damaged");
    EXPECT_NE(refused.error().detail.find("restore"), std::string::npos);
}

TEST_F(Restore, WithoutRetentionNothingIsCut) {
    for (int day = 0; day < 20; ++day) {
        create(1);
        clock_.advance(Duration::days(30));
        ASSERT_TRUE(host_->keep_house());
    }
    EXPECT_EQ(log_->status().begin, 1u);
}

}  // namespace
}  // namespace gantry::runtime
