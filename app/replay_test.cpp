// A failure's way: 500, report, delivery to oops, and gantry replay.
#include "app/replay.h"

#include <fmt/format.h>

#include <chrono>
#include <thread>

#include "app/serving_fixture_test.h"
#include "kernel/http/gantry/client.h"
#include "kernel/runtime/notes_for_test.h"
#include "kernel/runtime/report_for_oops.h"
#include "services/oops/oops.h"

namespace gantry::app {
namespace {

std::vector<runtime::ServiceDecl> services() { return {runtime::declare<notes::Service>(), runtime::declare<oops::Service>()}; }

class ReplayTest : public ServingTest {
   protected:
    ~ReplayTest() override { stop(); }
    client::Reply create(std::string_view title) {
        client::Session session(url_);
        return session.post("/notes/v1", fmt::format(R"({{"title":"{}"}})", title));
    }
    std::string fails(std::string_view title) {
        auto const failed = create(title);
        EXPECT_EQ(failed.status, 500) << failed.body;
        auto const id = failed.header("X-Oops-Id");
        EXPECT_TRUE(has(failed.body, fmt::format(R"("oops_id":"{}")", id))) << failed.body;
        return std::string(id);
    }
    // Delivery happens soon after: waits for what it says, at most ten seconds.
    std::string in_oops(std::string const& id) {
        client::Session session(url_);
        client::Reply reply;
        for (int i = 0; i < 1000; ++i) {
            reply = session.get("/oops/v1/reports/" + id);
            if (reply.status == 200) return reply.body;
            std::this_thread::sleep_for(std::chrono::milliseconds(10));
        }
        ADD_FAILURE() << reply.status << reply.body;
        return {};
    }
    std::string get(std::string_view path) {
        client::Session session(url_);
        return session.get(std::string(path)).body;
    }
    Result<ReplayTold> replay(std::string const& id) { return app::replay({.id = id, .data = dir_ / "data"}, services(), nullptr); }
};

TEST_F(ReplayTest, AFailureIsReportedDeliveredAndReplayed) {
    serve(services());
    EXPECT_EQ(create("first").status, 200);
    auto const id = fails("boom");
    EXPECT_EQ(create("second").status, 200);
    auto const told = in_oops(id);
    EXPECT_TRUE(has(told, fmt::format(R"("id":"{}")", id))) << told;
    EXPECT_TRUE(has(told, R"("title":"std::runtime_error: a decision that fails")")) << told;
#if !__has_feature(address_sanitizer) && !__has_feature(thread_sanitizer)  // they keep the throwing to themselves
    EXPECT_TRUE(has(told, "gantry::notes::create(")) << told;
#endif
    for (auto* part : {R"("platform":"gantry")", R"("topic":"notes POST /")", R"("category":"server")", R"("service":"notes","position":")",
                       R"("in_app":true)", R"("name":"u_local")"})
        EXPECT_TRUE(has(told, part)) << part << " in " << told;
    EXPECT_TRUE(has(get("/oops/v1/projects"), R"("name":"gantry")"));

    auto const again = replay(id);
    ASSERT_TRUE(again) << again.error().detail;
    EXPECT_TRUE(again->same) << text_of(*again);
    EXPECT_EQ(again->got, "500 internal_error std::runtime_error: a decision that fails");
    EXPECT_EQ(again->caller.id, "u_local");
    EXPECT_TRUE(again->seen.position.ends_with(".1")) << "of the state before the second note: " << again->seen.position;
    EXPECT_TRUE(has(text_of(*again), "the same failure"));
}

TEST_F(ReplayTest, WhatFailsTwiceIsOneGroupAndWhatFailsOtherwiseIsAnother) {
    serve(services());
    auto const first = fails("boom"), second = fails("boom"), other = fails("poison");
    for (auto const& id : {first, second, other}) in_oops(id);
#if !__has_feature(address_sanitizer) && !__has_feature(thread_sanitizer)  // by the stacks of what was thrown
    auto const groups = get("/oops/v1/groups?project=1");
    EXPECT_TRUE(has(groups, R"("count":2)")) << groups;
    EXPECT_TRUE(has(groups, "a fold that breaks its promise")) << groups;
#endif
    auto const fold = replay(other);
    ASSERT_TRUE(fold) << fold.error().detail;
    EXPECT_TRUE(fold->same) << text_of(*fold);
    ASSERT_EQ(fold->events.size(), 1u);
    EXPECT_EQ(fold->events[0], "created");
}

TEST_F(ReplayTest, ReportsWaitForAnOopsAndAreDeliveredOnce) {
    serve({runtime::declare<notes::Service>()});
    auto const id = fails("boom");
    stop();
    EXPECT_TRUE(std::filesystem::exists(dir_ / ("data/main/reports.d/" + id + ".json")));
    serve(services());
    EXPECT_TRUE(has(in_oops(id), id));
    stop();
    EXPECT_FALSE(std::filesystem::exists(dir_ / ("data/main/reports.d/" + id + ".json")));
    auto const kept = dir_ / ("data/main/reports.d/delivered/" + id + ".json");
    ASSERT_TRUE(std::filesystem::exists(kept)) << "for gantry replay";
    // As if the process had ended between the two.
    std::filesystem::rename(kept, dir_ / ("data/main/reports.d/" + id + ".json"));
    serve(services());
    auto const newer = fails("boom");
    in_oops(newer);
    EXPECT_TRUE(has(get("/oops/v1/groups?project=1"), R"("count":2)")) << get("/oops/v1/groups?project=1");
    EXPECT_TRUE(replay(id));
}

TEST_F(ReplayTest, AReportIsReplayedFromWhatOopsHasOfIt) {
    serve(services());
    auto const id = fails("boom");
    auto const report = runtime::report_in_oops(in_oops(id));
    ASSERT_TRUE(report) << report.error().detail;
    EXPECT_EQ(report->code, "internal_error");
    EXPECT_EQ(report->input->text, R"({"title":"boom"})");
    ReplayWanted wanted{.id = id, .data = dir_ / "nothing", .server = {.url = url_}, .ask_server = true};
    auto const told = app::replay(wanted, services(), nullptr);
    ASSERT_TRUE(told) << told.error().detail;
    EXPECT_TRUE(told->same) << text_of(*told);
}

TEST_F(ReplayTest, AnOopsThatFailsReportsThatHereAloneAndNotForEver) {
    auto both = services();
    for (auto& route : both[1].routes)
        if (route.path == "/api/{project}/report")
            route.foreign->parse = [](void (*)(), ForeignRequest const&, void*) -> Result<void> {
                throw std::runtime_error("oops itself");
            };
    serve(std::move(both));
    auto const id = fails("boom");
    auto const directory = std::filesystem::path(dir_ / "data/main/reports.d");
    auto const count = [](std::filesystem::path const& where) {
        std::size_t n = 0;
        std::error_code none_yet;
        for (auto const& entry : std::filesystem::directory_iterator(where, none_yet)) n += entry.path().extension() == ".json";
        return n;
    };
    for (int i = 0; i < 1000 && count(directory / "delivered") == 0; ++i) std::this_thread::sleep_for(std::chrono::milliseconds(10));
    EXPECT_EQ(count(directory / "delivered"), 1u) << "its own failure, which nobody gets";
    EXPECT_EQ(count(directory), 1u) << "that of the notes, which is tried again later";
    EXPECT_TRUE(std::filesystem::exists(directory / (id + ".json")));
}

TEST_F(ReplayTest, WhatCannotBeReplayedSaysWhy) {
    serve(services());
    auto const id = fails("boom");
    in_oops(id);
    stop();
    EXPECT_EQ(replay("OOPS-00000000000000000000000000000000").error().code, "report_not_found");
    EXPECT_EQ(replay("../../etc/passwd").error().code, "report_not_found");
    EXPECT_EQ(app::replay({.id = id, .data = dir_ / "data"}, {runtime::declare<oops::Service>()}, nullptr).error().code, "service_unknown");
    std::filesystem::remove_all(dir_ / "data/main/notes/log");
    EXPECT_EQ(replay(id).error().code, "log_not_found");
    auto const ran = gantry({"replay", id, "--data", dir_ / "nowhere"});
    EXPECT_EQ(ran.code, exit_failed) << ran.err;
    EXPECT_TRUE(has(ran.err, "has no report")) << ran.err;
}

}  // namespace
}  // namespace gantry::app
