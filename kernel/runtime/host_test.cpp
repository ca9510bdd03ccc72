#include "kernel/runtime/host.h"

#include <gtest/gtest.h>

#include "kernel/codec/json.h"
#include "kernel/log/memory/memory_log.h"
#include "kernel/runtime/notes_for_test.h"

namespace gantry::runtime {
namespace {

using notes::Service;

class HostTest : public ::testing::Test {
   protected:
    HostTest() { restart(); }
    // As after a crash: what the log holds is all that there is.
    void restart(codec::Sealer const* sealer = nullptr, log::Options const& options = {}) {
        host_.reset();
        log_ =
            std::make_unique<log::MemoryLog>(store_, clock_, random_, options, codec::encode_event_schema(codec::type_of<notes::Event>()));
        host_ = std::make_unique<Host>(declare<Service>(), Host::Parts{*log_, clock_, random_, sealer});
        auto started = host_->start();
        ASSERT_TRUE(started) << started.error().detail;
    }
    // Empty until it is answered.
    std::shared_ptr<std::optional<Result<Answer>>> send(std::size_t route, std::string_view who, std::string_view json) {
        auto answer = std::make_shared<std::optional<Result<Answer>>>();
        Viewer viewer{Str(who)};
        std::string body(json);
        host_->call(
            host_->decl().routes[route], viewer, [&](codec::Type const& type, void* out) { return codec::decode_json(type, out, body); },
            [answer](Result<Answer> a) { answer->emplace(std::move(a)); });
        return answer;
    }
    Result<Answer> answered(std::size_t route, std::string_view who, std::string_view json) {
        auto answer = send(route, who, json);
        EXPECT_TRUE(*answer) << "answered at once";
        return *answer ? std::move(**answer) : fail(500, "unanswered");
    }
    std::string create(std::string_view who, std::string_view title) {
        auto answer = answered(post, who, "{\"title\":\"" + std::string(title) + "\"}");
        EXPECT_TRUE(answer) << answer.error().detail;
        return codec::from_json<notes::Note>(answer->body)->id.str();
    }
    static std::string by_id(std::string const& id) { return "{\"id\":\"" + id + "\"}"; }

    static constexpr std::size_t post = 0, get = 1, archive = 2, list = 3;
    ManualClock clock_;
    SeededRandom random_{42};
    std::shared_ptr<log::MemoryStore> store_ = std::make_shared<log::MemoryStore>();
    std::unique_ptr<log::MemoryLog> log_;
    std::unique_ptr<Host> host_;
};

TEST_F(HostTest, CommandsRecordReadsSeeAndARestartRemembers) {
    auto id = create("u_ann", "Plan");
    EXPECT_EQ(host_->applied(), 1u);
    EXPECT_EQ(answered(get, "u_ann", by_id(id))->body, "{\"id\":\"" + id + "\",\"title\":\"Plan\",\"owner\":\"u_ann\",\"archived\":false}");
    ASSERT_TRUE(answered(archive, "u_ann", by_id(id)));
    EXPECT_EQ(host_->applied(), 2u);
    ASSERT_TRUE(answered(archive, "u_ann", by_id(id)));
    EXPECT_EQ(host_->applied(), 2u) << "a repeat writes nothing";
    auto digest = host_->digest();
    restart();
    EXPECT_EQ(host_->digest(), digest);
    EXPECT_EQ(host_->applied(), 2u);
    EXPECT_NE(answered(get, "u_ann", by_id(id))->body.find("\"archived\":true"), std::string::npos);
}

TEST_F(HostTest, WithoutRoomForKeysOfPersonsCommandsAreRefusedAndReadsGoOn) {
    auto id = create("u_ann", "Plan");
    bool room = false;
    codec::Sealer const sealer{.has_room = [&] { return room; }};
    restart(&sealer);
    auto refused = answered(post, "u_ann", R"({"title":"More"})");
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().status, 507);
    EXPECT_EQ(refused.error().code, "log_full");
    EXPECT_EQ(host_->applied(), 1u);
    EXPECT_TRUE(answered(get, "u_ann", by_id(id)));
    room = true;
    EXPECT_TRUE(answered(post, "u_ann", R"({"title":"More"})"));
    host_.reset();
}

TEST_F(HostTest, WhatOneMayNotSeeIsNotThere) {
    auto id = create("u_ann", "Plan");
    auto refused = answered(archive, "u_bob", by_id(id));
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, "note_not_found");
    EXPECT_EQ(host_->applied(), 1u);
    EXPECT_EQ(answered(list, "u_bob", "{}")->body.find(id), std::string::npos);
    EXPECT_NE(answered(list, "u_ann", "{}")->body.find(id), std::string::npos);
}

TEST_F(HostTest, NothingIsAnsweredBeforeItIsDurable) {
    auto first = create("u_ann", "First");
    log_->hold();
    auto second = send(post, "u_ann", "{\"title\":\"Second\"}");
    EXPECT_FALSE(*second) << "the command waits for the disk";
    auto page = send(list, "u_ann", "{}");
    EXPECT_FALSE(*page) << "so does a read that has seen it";
    auto untouched = send(get, "u_ann", by_id(first));
    EXPECT_TRUE(*untouched) << "a read of something else doesn't";
    log_->release_all();
    ASSERT_TRUE(*second && *page);
    EXPECT_EQ((**second)->position, 2u);
    EXPECT_EQ((**page)->position, 2u);
}

TEST_F(HostTest, WhatTheLogDoesNotTakeIsNotFolded) {
    restart(nullptr, {.pending_bytes_max = 2000});
    log_->hold();
    std::vector<std::shared_ptr<std::optional<Result<Answer>>>> asked;
    for (int i = 0; i < 50; ++i) asked.push_back(send(post, "u_ann", R"({"title":"Plan"})"));
    auto const taken = host_->applied();
    EXPECT_GE(taken, 5u);
    EXPECT_LT(taken, 50u);
    EXPECT_EQ(host_->rebuilds(), 0u) << "the state of a queue of millions isn't folded anew for it";
    log_->release_all();
    for (std::size_t i = 0; i < asked.size(); ++i) {
        auto const& answer = *asked[i];
        ASSERT_TRUE(answer);
        EXPECT_EQ(answer->has_value(), i < taken);
        if (!*answer) EXPECT_EQ(answer->error().code, "log_busy");
        if (!*answer) EXPECT_EQ(answer->error().retry_after_s, 1);
    }
    EXPECT_TRUE(answered(post, "u_ann", R"({"title":"Plan"})"));
    auto const digest = host_->digest();
    restart();
    EXPECT_EQ(host_->digest(), digest);
}

TEST_F(HostTest, ARefusalWaitsForTheStateThatItSaw) {
    auto id = create("u_ann", "Plan");
    log_->hold();
    auto archived = send(archive, "u_ann", by_id(id));
    auto refused = send(archive, "u_bob", by_id(id));
    EXPECT_FALSE(*refused);
    log_->release_all();
    ASSERT_TRUE(*refused);
    EXPECT_EQ((**refused).error().status, 404);
}

TEST_F(HostTest, AFoldThatBreaksItsPromiseRecordsNothingAndAfterThreeStopsTheService) {
    auto id = create("u_ann", "Plan");
    auto digest = host_->digest();
    for (int i = 0; i < 3; ++i) {
        auto failed = answered(post, "u_ann", R"({"title":"poison"})");
        ASSERT_FALSE(failed);
        EXPECT_EQ(failed.error().code, "apply_failed");
        EXPECT_EQ(failed.error().cause, "a fold that breaks its promise");
        EXPECT_EQ(host_->applied(), 1u);
        EXPECT_EQ(host_->digest(), digest);
        if (i == 0) EXPECT_TRUE(answered(get, "u_ann", by_id(id)));
    }
    EXPECT_EQ(answered(get, "u_ann", by_id(id)).error().code, "service_stopped");
    restart();
    EXPECT_TRUE(answered(get, "u_ann", by_id(id)));
}

TEST_F(HostTest, WithoutSpaceCommandsAreRefusedAndReadsGoOn) {
    auto id = create("u_ann", "Plan");
    log_->set_space(false);
    EXPECT_EQ(answered(post, "u_ann", R"({"title":"More"})").error().status, 507);
    EXPECT_TRUE(answered(get, "u_ann", by_id(id)));
    log_->set_space(true);
    create("u_ann", "More");
}

TEST_F(HostTest, TimeNeverGoesBackInTheLog) {
    create("u_ann", "First");
    auto before = log_->status().last_time;
    clock_.set_wall(clock_.wall() - Duration::hours(1));
    create("u_ann", "Second");
    EXPECT_EQ(log_->status().last_time, before);
}

}  // namespace
}  // namespace gantry::runtime
