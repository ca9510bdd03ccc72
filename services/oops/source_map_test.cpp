#include "services/oops/source_map.h"

#include "kernel/testing/goldens.h"
#include "kernel/testing/harness.h"
#include "services/oops/fixtures_test.h"

namespace gantry::oops {
namespace {

constexpr std::string_view debug_id = "01234567-89ab-cdef-0123-456789abcdef";

// Two lines: line 1 has columns 1 and 9 (named "total") of a.js, line 2 column 3 of b.js.
std::string map_text(std::string_view mappings = "AAAA,QACSA;EAAC",
                     std::string_view more = R"(,"debugId":"01234567-89AB-CDEF-0123-456789ABCDEF")") {
    return R"({"version":3,"file":"app.js","sourceRoot":"src","sources":["a.js"],
        "sourcesContent":["first\nlet secret=1; total()\nlast"],"names":["total"],"mappings":")" +
           std::string(mappings) + "\"" + std::string(more) + "}";
}
SourceMap map_of(std::string const& json) {
    auto out = SourceMap::parse(json);
    EXPECT_TRUE(out) << out.error().detail;
    return std::move(out).value();
}

TEST(SourceMap, FindsWhatAPlaceWasMadeFrom) {
    auto const map = map_of(map_text());
    EXPECT_EQ(map.debug_id(), debug_id);
    EXPECT_EQ(map.file(), "app.js");
    ASSERT_EQ(map.size(), 3u);
    auto const first = map.find(1, 8).value();
    EXPECT_EQ(first.source, "src/a.js");
    EXPECT_EQ(first.line, 1u);
    EXPECT_EQ(first.column, 1u);
    auto const second = map.find(1, 9).value();
    EXPECT_EQ(second.line, 2u);
    EXPECT_EQ(second.column, 10u);
    EXPECT_EQ(second.name, "total");
    EXPECT_EQ(map.find(1, 999)->line, 2u);
    EXPECT_FALSE(map.find(2, 2)) << "before the line's first mapping";
    EXPECT_TRUE(map.find(2, 3));
    EXPECT_FALSE(map.find(3, 1));
    EXPECT_FALSE(map.find(0, 1));
    EXPECT_EQ(map.source_line("src/a.js", 2), "let secret=1; total()");
    EXPECT_FALSE(map.source_line("src/a.js", 4));
    EXPECT_FALSE(map.source_line("src/b.js", 1));
}

TEST(SourceMap, SegmentsWithoutASourceHideWhatIsBeforeThem) {
    auto const map = map_of(map_text("AAAA,Q"));
    EXPECT_TRUE(map.find(1, 8));
    EXPECT_FALSE(map.find(1, 9));
}

TEST(SourceMap, OfSections) {
    auto const inner = map_text("AAAA", "");
    auto const map = map_of(R"({"version":3,"sections":[{"offset":{"line":0,"column":4},"map":)" + inner +
                            R"(},{"offset":{"line":2,"column":0},"map":)" + inner + "}]}");
    EXPECT_FALSE(map.find(1, 4));
    EXPECT_TRUE(map.find(1, 5));
    EXPECT_TRUE(map.find(3, 1));
    EXPECT_EQ(map.debug_id(), "");
}

TEST(SourceMap, RefusesWithThePlace) {
    auto section = [](std::string offset, std::string map) {
        return R"({"version":3,"sections":[{"offset":)" + offset + R"(,"map":)" + map + "}]}";
    };
    struct {
        std::string json, why;
    } const rows[] = {
        {"", "not JSON at byte 0"},
        {"[]", "the map: expected an object, found a list"},
        {"{}", "version must be 3"},
        {R"({"version":2})", "version must be 3"},
        {R"({"version":3})", "sources: expected a list, found nothing"},
        {R"({"version":3,"sources":[],"mappings":1})", "mappings: expected text, found a number"},
        {map_text("!"), "mappings at byte 0: expected 1, 4 or 5 numbers"},
        {map_text("AAA"), "mappings at byte 0: a segment of 3 numbers"},
        {map_text("AAAAAA"), "mappings at byte 5: expected 1, 4 or 5 numbers"},
        {map_text("ACAA"), "mappings at byte 0: it points outside"},
        {map_text("ADAA"), "mappings at byte 0: it points outside"},
        {map_text("AAAAC"), "mappings at byte 0: it points outside"},
        {map_text("D"), "mappings at byte 0: it points outside"},
        {map_text("AAAA,gggggggB"), "mappings at byte"},
        {map_text("g"), "mappings at byte 1: expected"},
        {R"({"version":3,"sections":{}})", "sections: expected a list, found an object"},
        {section("{}", "{}"), "sections/0: offset needs line and column"},
        {section(R"({"line":0,"column":-1})", "{}"), "sections/0: offset needs line and column"},
        {section(R"({"line":0,"column":0})", R"({"sections":[]})"), "sections/0: expected a map without sections"},
    };
    for (auto const& row : rows) {
        auto const out = SourceMap::parse(row.json);
        ASSERT_FALSE(out) << row.json;
        EXPECT_EQ(out.error().code, "source_map_invalid");
        EXPECT_NE(out.error().detail.find(row.why), std::string::npos) << out.error().detail;
    }
}

TEST(SourceMap, LimitsHoldFromBothSides) {
    EXPECT_TRUE(SourceMap::parse(map_text(), {.mappings_max = 30}));
    EXPECT_EQ(SourceMap::parse(map_text("A,C,C,C,C,C,C,C,C,C,C,C,C,C,C,C,C,C,C,C,C,C,C"), {.mappings_max = 22}).error().code,
              "source_map_too_large");
    EXPECT_EQ(SourceMap::parse(map_text(), {.bytes_max = map_text().size() - 1}).error().status, 413);
    EXPECT_TRUE(SourceMap::parse(map_text(), {.bytes_max = map_text().size()}));
    EXPECT_EQ(SourceMap::parse(map_text(), {.sources_max = 0}).error().code, "source_map_too_large");
}

Report minified(std::string_view id = debug_id) {
    Report r;
    r.exceptions = {{.frames = {{.function = "x", .file = "http://h/app.js", .line = 1, .column = 12, .debug_id = id},
                                {.function = "y", .file = "http://h/app.js", .line = 1, .column = 2, .debug_id = id}}}};
    return r;
}

TEST(SourceMap, IsAppliedToFrames) {
    auto r = minified("0123456789ABCDEF0123456789abcdef");
    EXPECT_EQ(apply_source_map(r, map_of(map_text())).value(), 2u);
    auto const& frames = r.exceptions[0].frames;
    EXPECT_EQ(frames[0].file.view(), "src/a.js");
    EXPECT_EQ(frames[0].line, 2u);
    EXPECT_EQ(frames[0].generated.view(), "http://h/app.js:1:12");
    EXPECT_EQ(frames[0].context_line.view(), "let secret=<hidden>; total()") << "what the filter hides stays hidden";
    EXPECT_EQ(frames[0].lines_before, (std::vector<Phrase>{"first"}));
    EXPECT_EQ(frames[1].function.view(), "total") << "the name stands where it was called";
    auto const once = r;
    EXPECT_EQ(apply_source_map(r, map_of(map_text())).error().code, "source_map_mismatch") << "applied twice, it would map sources";
    EXPECT_EQ(r, once);
}

TEST(SourceMap, OfAnotherFileIsRefused) {
    auto r = minified("ffffffffffffffffffffffffffffffff");
    auto const before = r;
    EXPECT_EQ(apply_source_map(r, map_of(map_text())).error().status, 409);
    auto unmarked = minified("");
    EXPECT_EQ(apply_source_map(unmarked, map_of(map_text())).error().code, "source_map_mismatch");
    EXPECT_EQ(apply_source_map(r, map_of(map_text("AAAA", ""))).error().code, "source_map_mismatch") << "a map without an id";
    EXPECT_EQ(r, before);
}

// A real one: esbuild's, of a page that throws (tests/sentry/record.sh).
TEST(SourceMap, OfEsbuild) {
    auto const folder = std::string(source_dir()) + "/services/oops/fixtures/source_map/";
    auto const map = map_of(file_text(folder + "shop.js.map"));
    auto const code = file_text(folder + "shop.js");
    auto const at = code.find(".items");
    ASSERT_NE(at, std::string::npos);
    auto const place = map.find(1, std::uint32_t(at + 1));
    ASSERT_TRUE(place);
    EXPECT_EQ(place->source, "shop_page.js");
    EXPECT_EQ(map.source_line(place->source, place->line), "    return cart.items.length;");
}

}  // namespace
}  // namespace gantry::oops
