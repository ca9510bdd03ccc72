#include "kernel/testing/harness.h"

#include <gtest/gtest-spi.h>

#include "kernel/runtime/notes_for_test.h"

namespace gantry {
namespace {

using namespace notes;
using NotesHarness = Harness<notes::Service>;

TEST(Harness, OnlyTheOwnerArchivesAndOnlyOnce) {
    NotesHarness h;
    h.given(Created{NoteId("n_1"), "Plan", UserId("u_ann")});
    h.as("u_bob").call("DELETE", "/notes/v1/n_1").fails(404, "note_not_found").wrote_nothing();
    h.as("u_ann").call("DELETE", "/notes/v1/n_1").ok().wrote(Archived{NoteId("n_1")});
    h.as("u_ann").call("DELETE", "/notes/v1/n_1").ok().wrote_nothing();
    h.as("u_ann").get("/notes/v1/n_1").ok().has("\"archived\":true").lacks("u_bob");
    h.as("u_bob").get("/notes/v1").ok().lacks("Plan");
    h.get("/notes/v1/").ok();
    h.get("/notes/v1/x_1").fails(400, "request_invalid");
    h.post("/notes/v1", R"({"titel":"x"})").fails(400, "body_invalid").has("title");
    h.call("PUT", "/notes/v1").fails(405, "method_not_allowed");
    h.get("/elsewhere").fails(404, "route_not_found");
}

TEST(Harness, TimeAndIdsStandStillAndARestartKeepsWhatWasWritten) {
    NotesHarness h;
    auto made = h.as("u_ann").post("/notes/v1", R"({"title":"Plan"})").ok().as<Note>();
    h.advance(Duration::seconds(5));
    h.restart();
    EXPECT_EQ(h.state().notes.size(), 1u);
    h.as("u_ann").get("/notes/v1/" + made.id.str()).ok().has("Plan");
}

TEST(Harness, RandomCommandsKeepTheLaws) {
    for (std::uint64_t seed = 1; seed <= 20; ++seed) {
        NotesHarness h;
        h.random_commands(seed, 50);
        h.as("u_ann").get("/notes/v1?limit=1000").ok();
    }
}

TEST(Harness, SaysWhatWasWrittenInsteadOfWhatWasExpected) {
    NotesHarness h;
    h.given(Created{NoteId("n_1"), "Plan", UserId("u_ann")});
    EXPECT_NONFATAL_FAILURE(h.as("u_ann").call("DELETE", "/notes/v1/n_1").wrote(Archived{NoteId("n_2")}), "\"n_2\"");
    EXPECT_NONFATAL_FAILURE(h.as("u_ann").get("/notes/v1/n_1").ok(201), "201");
}

// A service that breaks one law at a time, by a switch.
namespace broken {
enum class Law { none, fold, read, secret, snapshot };
Law law = Law::none;
int calls = 0;

struct Added {
    Str what;
};
RECORD(Added, what);
using Event = std::variant<Added>;
struct Row {
    std::uint64_t count = 0;
};
RECORD(Row, count);
struct Forgetful : state::Tracked {
    std::uint64_t value = 0;
    void save(state::Out& out) const { out.number(value); }
    bool load(state::In& in) { return in.number(value) && (value += law == Law::snapshot, true); }
    std::size_t memory_bytes() const { return 0; }
};
struct State {
    Table<std::uint64_t, Row> rows;
    Forgetful extra;
    void apply(Added const&) {
        rows.change_or_put(1, [](Row& r) { r.count += law == Law::fold ? std::uint64_t(++calls) : 1; });
        ++extra.value;
    }
};
STATE(State, rows, extra);
struct Add {
    Secret<Text<1, 50>> password;
};
RECORD(Add, password);
struct Nothing {};
EMPTY_RECORD(Nothing);
Result<Emit<Row, Event>> add(State const&, Add const& in, Ctx const&) {
    return Emit<Row, Event>{{Added{law == Law::secret ? Str(in.password.value) : Str("hidden")}}, {}};
}
Result<Row> show(State const& s, Nothing const&, Ctx const&) {
    auto const* row = s.rows.find(1);
    return Row{(row ? row->count : 0) + (law == Law::read ? std::uint64_t(++calls) : 0)};
}
struct Service {
    using State = broken::State;
    using Event = broken::Event;
    static constexpr std::string_view name = "broken";
    static std::vector<Route> routes() {
        return {route<Service>(V1, "POST", "/", &add, Scope{"broken:write"}, Doc{"Add."}),
                route<Service>(V1, "GET", "/", &show, open_to_all, Doc{"Show."})};
    }
};
void use(Law broken_law) {
    law = broken_law, calls = 0;
    Harness<Service> h;
    h.post("/broken/v1", R"({"password":"swordfish"})").ok();
    h.post("/broken/v1", R"({"password":"swordfish"})").ok();
    h.get("/broken/v1").ok();
}
}  // namespace broken

std::string failures_of(broken::Law law) {
    ::testing::TestPartResultArray results;
    {
        ::testing::ScopedFakeTestPartResultReporter reporter(::testing::ScopedFakeTestPartResultReporter::INTERCEPT_ONLY_CURRENT_THREAD,
                                                             &results);
        broken::use(law);
    }
    std::string out;
    for (int i = 0; i < results.size(); ++i)
        if (results.GetTestPartResult(i).failed()) out += std::string(results.GetTestPartResult(i).message()) + "\n";
    return out;
}

TEST(Laws, EachIsSeenToBeBroken) {
    EXPECT_EQ(failures_of(broken::Law::none), "");
    EXPECT_NE(failures_of(broken::Law::fold).find("law 1"), std::string::npos);
    EXPECT_NE(failures_of(broken::Law::snapshot).find("law 1"), std::string::npos);
    EXPECT_NE(failures_of(broken::Law::read).find("law 4"), std::string::npos);
    EXPECT_NE(failures_of(broken::Law::secret).find("law 6"), std::string::npos);
}

}  // namespace
}  // namespace gantry
