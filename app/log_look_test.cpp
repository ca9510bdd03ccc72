// gantry log ls, cat and tail: what they show, and what of it.
#include "app/log_fixture_test.h"

namespace gantry::app {
namespace {

using Look = LogCommands;

constexpr std::string_view one =
    R"({"position":1,"time":"2026-03-01T10:00:00Z","caller":"u_ann","request_id":"q_1","type":"created","data":{"title":"one","size":1}})"
    "\n";
constexpr std::string_view two =
    R"({"position":2,"time":"2026-03-01T10:00:00Z","caller":"u_ann","request_id":"q_1","type":"created","data":{"title":"two","size":2}})"
    "\n";
constexpr std::string_view three =
    R"({"position":3,"time":"2026-03-01T10:01:00Z","caller":"u_ann","request_id":"q_1","type":"created","data":{"title":"three","size":3}})"
    "\n";
constexpr std::string_view four =
    R"({"position":4,"time":"2026-03-01T10:02:00Z","caller":"u_ann","request_id":"q_1","type":"archived","data":{"title":"one"}})"
    "\n";
std::string joined(std::vector<std::string_view> const& lines) {
    std::string out;
    for (auto line : lines) out += line;
    return out;
}

TEST_F(Look, CatPrintsEachEventByItsSchema) {
    three_batches();
    auto ran = log("cat");
    EXPECT_EQ(ran.code, exit_ok) << ran.err;
    EXPECT_EQ(ran.out, joined({one, two, three, four}));
    EXPECT_EQ(log("cat", {"--json"}).out, ran.out) << "into a pipe it is JSON anyway";
}

TEST_F(Look, CatTakesFromAndToAndTypesAndSoMany) {
    three_batches();
    struct {
        std::vector<std::string> options;
        std::string shown;
    } const rows[] = {
        {{"--from", "2"}, joined({two, three, four})},
        {{"--from", "0"}, joined({one, two, three, four})},
        {{"--to", "2"}, joined({one, two})},
        {{"--from", "2", "--to", "3"}, joined({two, three})},
        {{"--from", "5"}, ""},
        {{"--from", "18446744073709551615"}, ""},
        {{"--from", "2026-03-01T10:01:00Z"}, joined({three, four})},
        {{"--from", "2026-03-01T12:00:01+02:00"}, joined({three, four})},
        {{"--to", "2026-03-01T10:00:59Z"}, joined({one, two})},
        {{"--from", "2026-03-01T10:00:30Z", "--to", "2026-03-01T10:01:00Z"}, joined({three})},
        {{"--type", "archived"}, joined({four})},
        {{"--type", "created", "--from", "2"}, joined({two, three})},
        {{"--type", "created", "--type", "archived"}, joined({one, two, three, four})},
        {{"--type", "unknown"}, ""},
        {{"--limit", "1"}, joined({one})},
        {{"--limit", "0"}, ""},
        {{"--limit", "3", "--from", "2"}, joined({two, three, four})},
        {{"--limit", "4"}, joined({one, two, three, four})},
    };
    for (auto const& row : rows) {
        auto ran = log("cat", row.options);
        EXPECT_EQ(ran.code, exit_ok) << testing::PrintToString(row.options) << ran.err;
        EXPECT_EQ(ran.out, row.shown) << testing::PrintToString(row.options);
    }
}

TEST_F(Look, CatShowsWhatIsNoEventWhenAsked) {
    three_batches();
    auto ran = log("cat", {"--all"});
    EXPECT_TRUE(has(ran.out, R"("kind":"epoch","epoch":1,)")) << ran.out;
    EXPECT_TRUE(has(ran.out, one));
    EXPECT_FALSE(has(log("cat").out, "epoch"));
}

TEST_F(Look, CatGoesAcrossSegmentsAndStartsInTheMiddle) {
    many();
    ASSERT_GT(segments().size(), 3u);
    auto all = log("cat").out;
    EXPECT_EQ(std::ranges::count(all, '\n'), 100);
    auto tail = log("cat", {"--from", "70"}).out;
    EXPECT_EQ(std::ranges::count(tail, '\n'), 31);
    EXPECT_TRUE(all.ends_with(tail));
    EXPECT_TRUE(tail.starts_with(R"({"position":70,)")) << tail.substr(0, 200);
}

TEST_F(Look, PlacesThatAreNoneAreRefused) {
    three_batches();
    for (std::string place : {"first", "-1", "2026-03-01", "1x", "18446744073709551616"}) {
        auto ran = log("cat", {"--from=" + place});
        EXPECT_EQ(ran.code, exit_usage) << place;
        EXPECT_TRUE(has(ran.err, "'" + place + "' is neither a position nor an RFC 3339 time")) << ran.err;
        EXPECT_EQ(log("cat", {"--to=" + place}).code, exit_usage) << place;
    }
}

TEST_F(Look, ALogThatIsNotThereIsSaid) {
    prepare();
    for (auto verb : {"cat", "tail", "verify", "repair", "export"}) {
        auto ran = log(verb);
        EXPECT_EQ(ran.code, exit_failed) << verb;
        EXPECT_EQ(ran.out, "") << verb;
        EXPECT_TRUE(has(ran.err, "there is no log in " + data() + "/main/notes/log")) << verb << ran.err;
    }
    EXPECT_FALSE(std::filesystem::exists(data() + "/main")) << "looking makes nothing";
}

TEST_F(Look, LsListsEveryLog) {
    auto none = gantry({"log", "ls", "--data", data()});
    EXPECT_EQ(none.code, exit_failed);
    EXPECT_TRUE(has(none.err, data())) << none.err;
    three_batches();
    NotesLog(data(), NotesLog::small(), "other").write({noted::Created{"x", 1}});
    auto ran = gantry({"log", "ls", "--data", data()});
    EXPECT_EQ(ran.code, exit_ok) << ran.err;
    EXPECT_EQ(ran.err, "");
    EXPECT_TRUE(ran.out.starts_with("SITE  SERVICE  FROM  TO  SEGMENTS  SIZE")) << ran.out;
    EXPECT_TRUE(has(ran.out, "\nmain  notes    1     4   ")) << ran.out;
    EXPECT_TRUE(has(ran.out, "\nmain  other    1     1   ")) << ran.out;
    auto json = gantry({"log", "ls", "--json", "--data", data()});
    EXPECT_TRUE(json.out.starts_with(R"([{"site":"main","service":"notes","begin":1,"end":4,"segments":1,)")) << json.out;
    EXPECT_TRUE(has(json.out, R"("last_time":"2026-03-01T10:02:00Z"})")) << json.out;
    Variable variable("GANTRY_SERVER_DATA", data());
    EXPECT_EQ(gantry({"log", "ls"}).out, ran.out);
}

TEST_F(Look, TailGivesTheLast) {
    three_batches();
    EXPECT_EQ(log("tail").out, joined({one, two, three, four}));
    EXPECT_EQ(log("tail", {"-n", "2"}).out, joined({three, four}));
    EXPECT_EQ(log("tail", {"--last", "0"}).out, "");
    EXPECT_EQ(log("tail", {"-n", "3", "--type", "archived"}).out, joined({four}));
    EXPECT_EQ(log("tail", {"-n", "2"}).code, exit_ok);
}

TEST_F(Look, TailOfManySegments) {
    many();
    auto ran = log("tail", {"-n", "30"});
    EXPECT_EQ(std::ranges::count(ran.out, '\n'), 30);
    EXPECT_TRUE(log("cat").out.ends_with(ran.out));
}

TEST_F(Look, ATornTailIsNotDamage) {
    three_batches();
    // The last batch, half there.
    auto file = segments().back();
    auto bytes = contents(file);
    auto at = bytes.rfind("one");
    ASSERT_NE(at, bytes.npos);
    std::fstream(file, std::ios::binary | std::ios::in | std::ios::out).seekp(std::streamoff(at)).write("\0\0\0\0\0\0\0\0", 8);
    for (auto verb : {"cat", "tail"}) {
        auto ran = log(verb);
        EXPECT_EQ(ran.code, exit_ok) << verb << ran.err;
        EXPECT_EQ(ran.out, joined({one, two, three})) << verb;
        EXPECT_TRUE(has(ran.err, "the last batch is torn or just being written")) << ran.err;
    }
}

TEST_F(Look, AnEventThatItsSchemaDoesNotExplainIsShownAsBytes) {
    prepare();
    {
        log::Committer committer;
        auto opened = log::FileLog::open(log::system_disk(), committer, data() + "/main/notes/log", NotesLog::small(),
                                         codec::encode_event_schema(codec::type_of<noted::Event>()), system_clock(), system_random());
        ASSERT_TRUE(opened);
        log::BatchView batch;
        batch.count = 2, batch.time = system_clock().wall();
        std::string events;
        put_varint(events, 9), put_string(events, "abc");
        put_varint(events, 1), put_string(events, "\x7f");
        batch.events = events;
        ASSERT_TRUE((*opened)->append(batch));
        ASSERT_TRUE((*opened)->close());
    }
    auto ran = log("cat");
    EXPECT_EQ(ran.code, exit_partial);
    EXPECT_TRUE(has(ran.out, R"("type":"#9","payload":"YWJj"})")) << ran.out;
    EXPECT_TRUE(has(ran.out, R"("type":"archived","payload":"fw=="})")) << ran.out;
    EXPECT_TRUE(has(ran.err, "2 events aren't what their schema says")) << ran.err;
}

}  // namespace
}  // namespace gantry::app
