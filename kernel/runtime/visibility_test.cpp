// Who may see what, one promise at a time; worlds_test.cpp has them all at random.
#include <chrono>
#include <thread>

#include "kernel/runtime/vault_world_for_test.h"

namespace gantry::vault {
namespace {

std::string const blue = "u_b blue", red = "u_r red", both = "u_rb blue,red";

class Visibility : public ::testing::Test {
   protected:
    static std::string path(std::string const& id) { return "/vault/v1/" + id; }
    void give(std::string const& who, std::string const& id, std::string const& team) {
        EXPECT_EQ(world_.ask(who, "POST", path(id) + "/team", R"({"team":")" + team + R"("})").status, 200);
    }
    void rewrite(std::string const& who, std::string const& id, std::string const& text) {
        EXPECT_EQ(world_.ask(who, "PATCH", path(id), R"({"text":")" + text + R"("})").status, 200);
    }
    std::string position() { return world_.host().position_text(world_.host().durable()); }
    World world_{runtime::declare<Service<Leak::none>>(), 1};
};

TEST_F(Visibility, WhoIsNobodyGetsTheProblemOfTheViewer) {
    auto const nobody = world_.ask("", "GET", "/vault/v1");
    EXPECT_EQ(nobody.status, 401);
    EXPECT_NE(nobody.body.find("viewer_absent"), std::string::npos);
    EXPECT_EQ(world_.ask("", "GET", "/health/live").status, 200) << "no route of a service";
}

TEST_F(Visibility, AnAnswerThatIsKeptForOneViewerIsNotGivenToAnother) {
    auto const id = world_.file(red, "secret", "red");
    for (int i = 0; i < 2; ++i) {
        EXPECT_EQ(world_.ask(red, "GET", path(id)).status, 200);
        EXPECT_EQ(world_.ask(blue, "GET", path(id)).status, 404);
        EXPECT_EQ(world_.ask(red, "GET", "/vault/v1/sum").body, R"({"papers":1,"letters":6})");
        EXPECT_EQ(world_.ask(blue, "GET", "/vault/v1/sum").body, R"({"papers":0,"letters":0})");
        EXPECT_EQ(world_.ask("u_b blue,red", "GET", "/vault/v1/sum").body, R"({"papers":1,"letters":6})")
            << "the same caller, in a team more";
        EXPECT_EQ(world_.ask("u_b blue1:3:red", "GET", "/vault/v1/sum").body, R"({"papers":0,"letters":0})") << "a name is no list";
    }
}

TEST_F(Visibility, HiddenAndAbsentAreTheSameBytes) {
    auto const hidden = path(world_.file(red, "secret", "red")), absent = path("p_00000000000000000000");
    auto const etag = std::string(world_.ask(red, "GET", hidden).header("ETag"));
    std::vector<client::Headers> const with = {{}, {{"If-Match", "*"}}, {{"If-Match", etag}}, {{"If-None-Match", etag}}};
    for (auto const& headers : with) {
        for (auto query : {"", "?as_of=", "?live=full", "?nonsense=1"}) {
            auto const suffix = query == std::string("?as_of=") ? query + position() : query;
            for (auto method : {"GET", "HEAD"})
                EXPECT_EQ(world_.told(blue, method, hidden + suffix, {}, headers), world_.told(blue, method, absent + suffix, {}, headers))
                    << method << suffix;
        }
        for (auto body : {R"({"text":"x"})", R"({"team":"blue"})", "{}", "{"})
            for (auto [method, rest] : {std::pair("PATCH", ""), {"DELETE", ""}, {"POST", "/team"}})
                EXPECT_EQ(world_.told(blue, method, hidden + rest, body, headers), world_.told(blue, method, absent + rest, body, headers))
                    << method << rest << body;
    }
    EXPECT_EQ(world_.ask(blue, "GET", hidden).status, 404);
    EXPECT_EQ(world_.ask(red, "GET", hidden).header("ETag"), etag);
}

TEST_F(Visibility, AKeyOfOneCallerNeverRepeatsForAnother) {
    client::Headers const key = {{"Idempotency-Key", "k"}};
    auto const body = R"({"text":"mine","team":""})";
    auto const first = world_.ask(red, "POST", "/vault/v1", body, key);
    auto const other = world_.ask(blue, "POST", "/vault/v1", body, key);
    EXPECT_EQ(other.status, 200);
    EXPECT_EQ(other.header("Gantry-Replayed"), "");
    EXPECT_NE(other.body, first.body);
    EXPECT_EQ(world_.ask(blue, "POST", "/vault/v1", R"({"text":"other","team":""})", key).status, 422);
    EXPECT_EQ(world_.ask(red, "POST", "/vault/v1", body, key).body, first.body);
}

TEST_F(Visibility, ThePastIsReadUnderTodaysRights) {
    auto const id = world_.file(red, "once for all", "blue");
    auto const open = position();
    EXPECT_EQ(world_.ask(blue, "GET", path(id) + "?as_of=" + open).status, 200);
    give(red, id, "red");
    auto const closed = position();
    EXPECT_EQ(world_.ask(blue, "GET", path(id) + "?as_of=" + open).status, 404) << "today it is not for them";
    EXPECT_EQ(world_.ask(blue, "GET", "/vault/v1/sum?as_of=" + open).body, R"({"papers":0,"letters":0})");
    EXPECT_EQ(world_.ask(red, "GET", path(id) + "?as_of=" + open).status, 200);
    give(red, id, "blue");
    EXPECT_EQ(world_.ask(blue, "GET", path(id) + "?as_of=" + open).status, 200);
    EXPECT_EQ(world_.ask(blue, "GET", path(id) + "?as_of=" + closed).status, 200) << "today it is for them";
    EXPECT_EQ(world_.ask(red, "DELETE", path(id)).status, 200);
    for (auto const& who : {blue, red}) EXPECT_EQ(world_.ask(who, "GET", path(id) + "?as_of=" + open).status, 404) << "nobody's any longer";
}

TEST_F(Visibility, AHiddenChangeMovesNoEtag) {
    world_.file(blue, "mine", "");
    auto const hidden = world_.file(red, "secret", "red");
    auto const before = world_.ask(blue, "GET", "/vault/v1");
    rewrite(red, hidden, "changed");
    auto const after = world_.ask(blue, "GET", "/vault/v1");
    EXPECT_EQ(before.header("ETag"), after.header("ETag"));
    EXPECT_EQ(world_.ask(blue, "GET", "/vault/v1", {}, {{"If-None-Match", std::string(before.header("ETag"))}}).status, 304);
    auto const others = world_.ask(red, "GET", "/vault/v1");
    EXPECT_NE(world_.ask(red, "GET", "/vault/v1", {}, {{"If-None-Match", std::string(before.header("ETag"))}}).status, 304) << others.body;
}

TEST_F(Visibility, ThePositionOfAnAnswerIsThatOfTheWholeLog) {
    auto const mine = world_.file(blue, "mine", "");
    auto const hidden = world_.file(red, "secret", "red");
    for (auto const& target : {path(mine), path(hidden), std::string("/vault/v1"), std::string("/vault/v1/sum")}) {
        EXPECT_EQ(world_.ask(blue, "GET", target).header("Gantry-Position"), position()) << target;
        rewrite(red, hidden, "changed");
        EXPECT_EQ(world_.ask(blue, "GET", target).header("Gantry-Position"), position()) << target;
    }
}

TEST_F(Visibility, LiveReadersOfTheSameQueryAreToldWhatEachMaySee) {
    auto mine = world_.read(blue, "/vault/v1/sum"), theirs = world_.read(red, "/vault/v1/sum");
    EXPECT_EQ(mine->next()->data, R"({"papers":0,"letters":0})");
    EXPECT_EQ(theirs->next()->data, R"({"papers":0,"letters":0})");
    world_.file(red, "secret", "red");
    EXPECT_EQ(theirs->next()->data, R"({"papers":1,"letters":6})");
    world_.file(blue, "mine", "");
    EXPECT_EQ(mine->next()->data, R"({"papers":1,"letters":4})") << "and nothing before it";
}

TEST_F(Visibility, ALiveReaderLosesWhatIsTakenFromItAndHearsNoMore) {
    auto const id = world_.file(red, "for both", "blue");
    auto reader = world_.read(blue, path(id));
    EXPECT_NE(reader->next()->data.find("for both"), std::string::npos);
    give(red, id, "red");
    auto gone = reader->next();
    ASSERT_TRUE(gone);
    EXPECT_EQ(gone->name, "problem");
    EXPECT_NE(gone->data.find("there is no paper with this id"), std::string::npos);
    rewrite(red, id, "for us");
    EXPECT_FALSE(reader->next(300)) << "what it may not see is no news";
    give(red, id, "blue");
    EXPECT_NE(reader->next()->data.find("for us"), std::string::npos);
}

TEST_F(Visibility, AWaitingFeedPageIsNotProlongedByWhatIsHidden) {
    auto const after = "/vault/v1/events?wait=600ms&after=" + position();
    auto const began = std::chrono::steady_clock::now();
    client::Session session(world_.url());
    session.set_header("X-Viewer", blue);
    std::atomic<bool> answered = false;
    std::thread writer([&] {
        while (!answered) {
            world_.file(red, "secret", "red");
            std::this_thread::sleep_for(std::chrono::milliseconds(100));
        }
    });
    auto const page = session.get(after);
    answered = true;
    writer.join();
    EXPECT_EQ(page.status, 200) << page.body;
    EXPECT_NE(page.body.find(R"("items":[])"), std::string::npos) << page.body;
    EXPECT_LT(std::chrono::steady_clock::now() - began, std::chrono::milliseconds(runtime::patience_ms));
}

TEST_F(Visibility, RightsThatAreNotYetDurableOpenNothing) {
    auto const id = world_.file(red, "secret", "red");
    auto const then = position();
    world_.log().hold();
    std::thread giver([&] {
        client::Session session(world_.url());
        session.set_header("X-Viewer", red);
        EXPECT_EQ(session.post(path(id) + "/team", R"({"team":"blue"})").status, 200);
    });
    while (world_.log().held() == 0) std::this_thread::yield();
    client::Options once;
    once.retries = 0, once.total_timeout_ms = 200;
    std::vector<std::string> const targets = {path(id), path(id) + "?as_of=" + then, "/vault/v1/events"};
    for (auto const& target : targets) {
        client::Session session(world_.url(), once);
        session.set_header("X-Viewer", blue);
        EXPECT_EQ(session.get(target).status, 0) << target << " was told under rights that a crash would have taken back";
    }
    world_.log().release_all();
    giver.join();
    for (auto const& target : targets) EXPECT_NE(world_.ask(blue, "GET", target).body.find("secret"), std::string::npos) << target;
}

TEST_F(Visibility, ATeamMoreIsAnotherView) {
    auto const id = world_.file(red, "secret", "red");
    EXPECT_EQ(world_.ask(both, "GET", path(id)).status, 200);
    EXPECT_NE(world_.ask(both, "GET", "/vault/v1/events").body.find("secret"), std::string::npos);
    EXPECT_EQ(world_.ask(blue, "GET", "/vault/v1/events").body.find("secret"), std::string::npos);
}

}  // namespace
}  // namespace gantry::vault
