// Reads that tell what the log holds.
#include "kernel/runtime/edge_fixture_test.h"

namespace gantry::notes {

struct Positions {
    static constexpr bool has_defaults = true;
    Bounded<1, 1000000> from = 1;
    Bounded<1, 100> count = 1;
};
RECORD(Positions, from, count);
struct Seen {
    std::vector<Position> positions;
    std::string by;
};
struct Heard {
    std::vector<std::string> titles;
    std::string by;
};
RECORD(Heard, titles, by);

inline Result<Seen> find_titles(State const&, Positions const& in, Ctx const& cx) {
    Seen seen{{}, cx.caller().str()};
    for (auto at = Position(std::int64_t(in.from)); at <= cx.durable && seen.positions.size() < std::size_t(std::int64_t(in.count)); ++at)
        seen.positions.push_back(at);
    return seen;
}
inline Result<Heard> tell_titles(Seen const& seen, Events<Event>& events, Ctx const&) {
    Heard heard{{}, seen.by};
    for (auto const at : seen.positions) {
        TRY_ASSIGN(auto const* event, events.at(at));
        auto const* created = event ? std::get_if<Created>(event) : nullptr;
        heard.titles.push_back(!event ? "gone" : created ? created->title.str() : "other");
    }
    if (heard.titles.empty()) return fail(404, "nothing_told", "there is nothing here");
    return heard;
}

// A command that reads the log before it is decided.
inline Result<Heard> hear_titles(Seen const& seen, Positions const&, Events<Event>& events) {
    Viewer const nobody;
    return tell_titles(seen, events, {.viewer = nobody, .random = system_random()});
}
inline Result<Emit<Heard, Event>> repeat_title(State const&, Positions const&, Heard const& heard, Ctx const& cx) {
    return Emit<Heard, Event>{{Created{NoteId(cx.fresh("n_")), "again: " + heard.titles.front(), cx.caller()}}, heard};
}

}  // namespace gantry::notes

namespace gantry::runtime {
namespace {

class ToldTest : public EdgeTest {
   protected:
    ToldTest() {
        stop();
        adjust_ = [](ServiceDecl& decl, Host::Parts&) {
            decl.routes.push_back(told<notes::Service, &notes::find_titles, &notes::tell_titles>(V1, "GET", "/told/{from}",
                                                                                                 Scope{"notes:read"}, Doc{"Titles."}));
            decl.routes.push_back(told<notes::Service, &notes::find_titles, &notes::tell_titles>(
                V1, "GET", "/slowly/{from}", Scope{"notes:read"}, Doc{"Titles."}, Slow{}));
            decl.routes.push_back(slow_route<notes::Service, &notes::find_titles, &notes::hear_titles, &notes::repeat_title>(
                V1, "POST", "/again/{from}", Scope{"notes:write"}, Doc{"A title once more."}));
        };
        options_.slow = [this](std::move_only_function<void()> task) {
            worker_ = std::jthread(std::move(task));
            return ++slow_, true;
        };
        start();
    }
    std::string told_at(std::string_view target, int status = 200) {
        auto const reply = send("GET", "/notes/v1/told/" + std::string(target));
        EXPECT_EQ(reply.status, status) << reply.body;
        return reply.body;
    }
    std::atomic<int> slow_ = 0;  // that a worker had
    std::jthread worker_;
};

TEST_F(ToldTest, EventsAreReadWhereTheStatePointsAt) {
    auto const id = create("first");
    create("second");
    EXPECT_EQ(send("DELETE", "/notes/v1/" + id).status, 200);
    EXPECT_EQ(told_at("1"), R"({"titles":["first"],"by":"u_local"})");
    EXPECT_EQ(told_at("1?count=9"), R"({"titles":["first","second","other"],"by":"u_local"})");
    EXPECT_NE(told_at("4", 404).find("nothing_told"), std::string::npos);
}

TEST_F(ToldTest, OfThePastToo) {
    create("first"), create("second");
    auto const at = host_->position_text(1);
    EXPECT_EQ(told_at("1?count=9&as_of=" + at), R"({"titles":["first"],"by":"u_local"})");
    told_at("2?as_of=" + at, 404);
}

TEST_F(ToldTest, ManyByAWorkerUnlessThePastIsAskedFor) {
    create("first"), create("second");
    EXPECT_EQ(send("GET", "/notes/v1/slowly/1?count=9").body, R"({"titles":["first","second"],"by":"u_local"})");
    EXPECT_EQ(slow_, 1);
    EXPECT_EQ(send("GET", "/notes/v1/slowly/1?count=9&as_of=" + host_->position_text(1)).body, R"({"titles":["first"],"by":"u_local"})");
    EXPECT_EQ(slow_, 1);
}

TEST_F(ToldTest, BeforeACommandIsDecided) {
    create("first");
    EXPECT_EQ(send("POST", "/notes/v1/again/1").body, R"({"titles":["first"],"by":"u_local"})");
    EXPECT_EQ(told_at("1?count=9"), R"({"titles":["first","again: first"],"by":"u_local"})");
    EXPECT_EQ(send("POST", "/notes/v1/again/9").status, 404);
}

TEST_F(ToldTest, WithAnETag) {
    create("first");
    auto const reply = send("GET", "/notes/v1/told/1");
    EXPECT_EQ(send("GET", "/notes/v1/told/1", {}, {{"If-None-Match", std::string(reply.header("ETag"))}}).status, 304);
}

}  // namespace
}  // namespace gantry::runtime
