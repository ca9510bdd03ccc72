// Imports: a chunk is taken once, from where its import stands, or not at all.
#include "services/tracker/tracker_test.h"

namespace gantry::tracker {
namespace {

std::string chunk(std::string_view from, std::string_view to, std::vector<std::string> const& reports) {
    std::string list;
    for (auto const& r : reports) list += (list.empty() ? "" : ",") + r;
    return fmt::format(R"({{"from":"{}","to":"{}","reports":[{}]}})", from, to, list);
}
std::string one(std::string_view package, std::string_view stage, std::string_view more = {}) {
    return fmt::format(R"({{"package":"{}","version":"1","arch":"amd64","stage":"{}"{}{}}})", package, stage, more.empty() ? "" : ",",
                       more);
}
constexpr auto path = "/tracker/v1/imports/dpkg.host/chunks";

TEST(Imports, AChunkIsOneBatchAndMovesItsImport) {
    Tracker t;
    t.get("/tracker/v1/imports/dpkg.host").fails(404, "import_not_found");
    auto before = t.host().applied();
    auto moved = t.post(path, chunk("", "10", {one("a", "x"), one("a", "y"), one("b", "x")})).ok().as<ImportView>();
    EXPECT_EQ(t.host().applied(), before + 4);
    EXPECT_EQ(moved.at, "10");
    EXPECT_EQ(moved.reports, 3u);
    EXPECT_EQ(t.run(1).stage, "y") << "reports of one chunk see one another";
    EXPECT_EQ(t.summary().packages, 2u);
    auto stands = t.get("/tracker/v1/imports/dpkg.host").ok().as<ImportView>();
    EXPECT_EQ(stands.at, "10");
    EXPECT_EQ(stands.chunks, 1u);
}

TEST(Imports, AChunkFromElsewhereIsRefusedWhole) {
    Tracker t;
    t.post(path, chunk("", "10", {one("a", "x")})).ok();
    t.post(path, chunk("", "10", {one("a", "x")})).fails(409, "import_elsewhere").has("\"10\"").wrote_nothing();
    t.post(path, chunk("11", "20", {one("a", "x")})).fails(409, "import_elsewhere");
    t.post(path, chunk("10", "20", {one("a", "x")})).ok();
    t.post("/tracker/v1/imports/other/chunks", chunk("", "5", {one("a", "x")})).ok();
    EXPECT_EQ(t.summary().reports, 3u);
}

TEST(Imports, RepeatsAreDroppedWithinAChunkToo) {
    Tracker t;
    std::string const id = R"("id":"1","reporter":"ci")";
    auto first = t.post(path, chunk("", "1", {one("a", "x", id), one("a", "x", id), one("a", "y")})).ok().as<ImportView>();
    EXPECT_EQ(first.repeated, 1u);
    auto second = t.post(path, chunk("1", "2", {one("a", "x", id)})).ok().as<ImportView>();
    EXPECT_EQ(second.repeated, 2u);
    EXPECT_EQ(second.at, "2") << "the import goes on although nothing was new";
    EXPECT_EQ(t.summary().reports, 2u);
}

TEST(Imports, OneWrongReportRefusesTheChunkAndSaysWhich) {
    Tracker t;
    t.post(path, chunk("", "1", {one("a", "x"), one("", "x"), R"({"package":"b"})"}))
        .fails(400, "body_invalid")
        .has("/reports/1/package")
        .has("/reports/2/")
        .wrote_nothing();
    t.post(path, chunk("", "1", {})).fails(422, "chunk_size").has("/reports");
    t.post(path, R"({"from":"","to":"","reports":[]})").fails(400, "body_invalid").has("/to");
    t.get("/tracker/v1/imports/dpkg.host").fails(404, "import_not_found");
}

TEST(Imports, AChunkHasALimitFromBothSides) {
    Tracker t;
    std::vector<std::string> reports(10'000, one("a", "x"));
    t.post(path, chunk("", "1", reports)).ok();
    reports.push_back(one("a", "x"));
    t.post(path, chunk("1", "2", reports)).fails(422, "chunk_size");
}

TEST(Imports, ManyImportsArePaged) {
    Tracker t;
    for (int i = 0; i < 5; ++i) t.post(fmt::format("/tracker/v1/imports/i{}/chunks", i), chunk("", "1", {one("a", "x")})).ok();
    auto page = t.get("/tracker/v1/imports?limit=3").ok().as<Page<ImportView>>();
    ASSERT_EQ(page.items.size(), 3u);
    EXPECT_FALSE(page.complete);
    auto rest = t.get("/tracker/v1/imports?limit=3&cursor=" + *page.next).ok().as<Page<ImportView>>();
    ASSERT_EQ(rest.items.size(), 2u);
    EXPECT_EQ(rest.items[0].import, "i3");
    EXPECT_TRUE(rest.complete);
}

// A chunk is decided before any of it is folded: it must come out as if each report had come alone.
TEST(Imports, AChunkIsTheSameAsItsReportsOneByOne) {
    for (std::uint64_t seed = 1; seed <= rounds(30); ++seed) {
        SeededRandom random(seed);
        Tracker together, alone;
        int at = 0;
        for (int c = 0; c < 4; ++c) {
            std::vector<std::string> reports;
            for (int i = 0; i < 25; ++i)
                reports.push_back(fmt::format(R"({{"package":"p{}","version":"{}","arch":"amd64","stage":"s{}","at":"{}"{}{}}})",
                                              random.below(2), random.below(3), random.below(4),
                                              format_time(noon + Duration::seconds(std::int64_t(random.below(50)))),
                                              random.chance(0.25) ? R"(,"result":"r")" : "",
                                              random.chance(0.3) ? fmt::format(R"(,"id":"{}")", random.below(30)) : ""));
            for (auto const& r : reports) alone.post("/tracker/v1/reports", r).ok();
            together.post(path, chunk(at ? std::to_string(at) : "", std::to_string(at + 1), reports)).ok();
            ++at;
        }
        for (auto query : {"summary", "packages?limit=1000", "results?limit=1000", "packages/p0", "packages/p1"}) {
            auto a = alone.get(std::string("/tracker/v1/") + query).body(), b = together.get(std::string("/tracker/v1/") + query).body();
            auto cut = [](std::string s) { return s.substr(0, s.rfind("\"position\"")); };
            EXPECT_EQ(cut(a), cut(b)) << query << " seed " << seed;
        }
    }
}

}  // namespace
}  // namespace gantry::tracker
