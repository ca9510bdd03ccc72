#include "kernel/runtime/replay.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "kernel/log/faulty/simulated_disk.h"
#include "kernel/log/memory/memory_log.h"
#include "kernel/runtime/bank_fixture_test.h"
#include "kernel/runtime/notes_for_test.h"
#include "kernel/runtime/reports.h"

namespace gantry::runtime {
namespace {

using notes::State;

// Fails with all that it was given, so that a replay shows whether it was given the same.
Result<notes::Changed> quotes(State const& s, notes::NewNote const& in, Ctx const& cx) {
    std::string teams;
    for (auto const& team : cx.viewer.teams) teams += team.str();
    throw std::runtime_error(fmt::format("{} {} {} {} {} {} {} {}", in.title.view(), s.notes.size(), format_time(cx.now), cx.fresh("n_"),
                                         cx.random.next(), cx.caller().view(), teams, cx.next));
}
Result<notes::Changed> mended(State const&, notes::NewNote const& in, Ctx const& cx) {
    notes::Note n{notes::NoteId(cx.fresh("n_")), in.title, UserId(cx.caller())};
    return notes::Changed{{notes::Created{n.id, n.title, n.owner}}, n};
}

class ReplayingTest : public ::testing::Test {
   protected:
    ReplayingTest() {
        reports_.emplace(
            Reports::Parts{disk_, "/reports.d", clock_, system_random(), "1.0", [](std::move_only_function<void()> task) { task(); }});
        log_ = std::make_unique<log::MemoryLog>(std::make_shared<log::MemoryStore>(), clock_, random_, log::Options{},
                                                codec::encode_event_schema(codec::type_of<notes::Event>()));
        auto decl = declare<notes::Service>();
        decl.routes = {route<notes::Service>(V1, "POST", "/", &notes::create, Scope{"notes:write"}, Doc{"Create."}),
                       route<notes::Service>(V1, "POST", "/quotes", &quotes, Scope{"notes:write"}, Doc{"Fail."})};
        Host::Parts parts{*log_, clock_, random_};
        parts.reports = &*reports_;
        host_ = std::make_unique<Host>(std::move(decl), std::move(parts));
        EXPECT_TRUE(host_->start());
    }
    Result<Answer> call(std::size_t number, std::string const& json, std::string* oops_id = nullptr) {
        Viewer viewer{Str("u_ann")};
        viewer.teams = {Str("crew")};
        auto bind = [&](codec::Type const& type, void* out) { return codec::decode_json(type, out, json); };
        RequestFacts facts{.oops_id = oops_id};
        Request request{.route = host_->decl().routes[number], .viewer = viewer, .bind = bind};
        request.facts = &facts;
        auto told = host_->call(request, [&]() -> Done { return [this](Result<Answer> a) { later_.emplace(std::move(a)); }; });
        return told ? std::move(*told) : fail(500, "unanswered");
    }
    FailureReport report(std::string const& id) { return *codec::from_json<FailureReport>(reports_->find(id).value_or("{}")); }
    Replayed replayed(FailureReport const& report, RouteDecl const& route) {
        auto state = Folded::empty(host_->decl());
        Position upto = std::stoull(report.seen->position.substr(report.seen->position.find('.') + 1));
        EXPECT_TRUE(replay(host_->sources(), state, upto, {}));
        auto out = replay_request(*host_, state, route, report, host_->hash_key(), nullptr, nullptr);
        EXPECT_TRUE(out);
        return std::move(*out);
    }

    log::SimulatedDisk disk_;
    ManualClock clock_;
    SeededRandom random_{42};
    std::optional<Reports> reports_;
    std::unique_ptr<log::MemoryLog> log_;
    std::unique_ptr<Host> host_;
    std::optional<Result<Answer>> later_;  // the newest of those that waited
};

TEST_F(ReplayingTest, ADecisionIsGivenWhatItWasGiven) {
    ASSERT_TRUE(call(0, R"({"title":"one"})"));
    std::string id;
    EXPECT_FALSE(call(1, R"({"title":"why"})", &id));
    clock_.advance(Duration::days(3));
    ASSERT_TRUE(call(0, R"({"title":"two"})"));
    auto const told = report(id);
    EXPECT_TRUE(told.exception->message.starts_with("why 1 2023-")) << told.exception->message;
    EXPECT_TRUE(told.exception->message.ends_with("u_ann crew 2")) << told.exception->message;
    auto const applied = host_->applied();
    auto const again = replayed(told, *route_of(host_->decl(), told));
    ASSERT_TRUE(again.exception);
    EXPECT_EQ(again.exception->message, told.exception->message);
    EXPECT_EQ(again.exception->type, told.exception->type);
    EXPECT_EQ(host_->applied(), applied) << "nothing is recorded";
}

TEST_F(ReplayingTest, AMendedDecisionSaysWhatItWouldRecord) {
    std::string id;
    EXPECT_FALSE(call(1, R"({"title":"why"})", &id));
    auto const mend = route<notes::Service>(V1, "POST", "/quotes", &mended, Scope{"notes:write"}, Doc{"Mended."});
    auto const again = replayed(report(id), mend);
    ASSERT_TRUE(again.outcome) << again.outcome.error().cause;
    EXPECT_EQ(again.events, std::vector<std::string>{"created"});
    EXPECT_EQ(host_->applied(), 0u);
}

TEST_F(ReplayingTest, AFoldThatFailsIsToldAsOne) {
    std::string id;
    EXPECT_FALSE(call(0, R"({"title":"poison"})", &id));
    EXPECT_EQ(report(id).code, "apply_failed");
    auto const again = replayed(report(id), host_->decl().routes[0]);
    EXPECT_TRUE(again.in_apply);
    EXPECT_EQ(again.outcome.error().code, "apply_failed");
}

TEST_F(ReplayingTest, AnAnswerThatWaitsForTheDiskHasItsReportToo) {
    log_->hold();
    EXPECT_FALSE(call(0, R"({"title":"one"})"));
    std::string id;
    auto const waiting = call(1, R"({"title":"why"})", &id);
    EXPECT_EQ(waiting.error().code, "unanswered") << "it rests on what isn't durable";
    EXPECT_FALSE(id.empty()) << "and its report is filed";
    ASSERT_FALSE(later_);
    log_->release_all();
    ASSERT_TRUE(later_ && !*later_);
}

TEST_F(ReplayingTest, WhatHasNoInputOrMomentIsRefused) {
    auto state = Folded::empty(host_->decl());
    FailureReport told{.route = "POST /quotes"};
    auto const& route = *route_of(host_->decl(), told);
    EXPECT_EQ(replay_request(*host_, state, route, told, {}, nullptr, nullptr).error().code, "replay_impossible");
    told.seen = SeenByDecision{.position = "x.0"};
    EXPECT_EQ(replay_request(*host_, state, route, told, {}, nullptr, nullptr).error().code, "replay_impossible");
    told.route = "POST /elsewhere";
    EXPECT_EQ(route_of(host_->decl(), told), nullptr);
}

// Not only requests fail.
TEST_F(BankTest, AFailedFollowerIsReported) {
    log::SimulatedDisk disk;
    Reports reports({disk, "/reports.d", clock_, random_, "1.0", [](std::move_only_function<void()> task) { task(); }});
    ledger_.reports = &reports;
    restart_ledger();
    open("a_1", "u_thrower");
    pump();
    auto const ids = *reports.spool().pending();
    ASSERT_EQ(ids.size(), 1u);
    auto const report = *codec::from_json<FailureReport>(*reports.find(ids[0]));
    EXPECT_EQ(report.kind, "follower");
    EXPECT_EQ(report.service, "ledger");
    EXPECT_EQ(report.route, "bank");
    EXPECT_TRUE(report.exception);
}

}  // namespace
}  // namespace gantry::runtime
