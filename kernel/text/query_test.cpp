#include <gtest/gtest.h>

#include "kernel/text/text_for_test.h"
#include "kernel/text/words.h"

namespace gantry::text {
namespace {

using Ids = std::vector<std::uint64_t>;

std::vector<std::string> words_of(std::string_view text) {
    std::vector<std::string> out;
    for (Words words(text); words.next();) {
        std::string word(words.word());
        for (std::size_t i = 0; i < words.parts(); ++i) word += (i == 0 ? " [" : " ") + std::string(words.part(i));
        out.push_back(word + (words.parts() > 0 ? "]" : ""));
    }
    return out;
}

TEST(Words, AreFoldedAndParted) {
    using L = std::vector<std::string>;
    EXPECT_EQ(words_of(""), L{});
    EXPECT_EQ(words_of("-- ... //"), L{});
    EXPECT_EQ(words_of("Could not connect."), (L{"could", "not", "connect"}));
    EXPECT_EQ(words_of("foo_bar.Baz"), (L{"foo", "bar", "baz"}));
    EXPECT_EQ(words_of("/srv/lib/publish-tool.py:42"), (L{"srv", "lib", "publish", "tool", "py", "42"}));
    EXPECT_EQ(words_of("HTTPServer readAllBytes"), (L{"httpserver [http server]", "readallbytes [read all bytes]"}));
    EXPECT_EQ(words_of("ÄRGER Ærø ΣΊΣΥΦΟΣ"), (L{"ärger", "ærø", "σίσυφοσ"}));
    EXPECT_EQ(words_of("naïveCase"), (L{"naïvecase [naïve case]"}));
    EXPECT_EQ(words_of("日本 x"), (L{"日", "本", "x"}));
    EXPECT_EQ(words_of("a\xff"
                       "b\xc3"),
              (L{"a", "b"}));
    EXPECT_EQ(words_of("0x7fFE utf8"), (L{"0x7ffe [0x7f fe]", "utf8"}));
}

TEST(Words, AreBounded) {
    auto const long_one = std::string(Words::word_bytes_max, 'a');
    EXPECT_EQ(words_of(long_one + "zzz tail"), (std::vector<std::string>{long_one, "tail"}));
    std::string camel;
    for (std::size_t i = 0; i < Words::parts_max + 3; ++i) camel += "Ab";
    Words words(camel);
    ASSERT_TRUE(words.next());
    EXPECT_EQ(words.parts(), Words::parts_max);
}

class Searched : public testing::Test {
   protected:
    Searched() {
        auto put = [&](Document const& document) { EXPECT_TRUE(index_.put(document)); };
        put(document_for_test(1, "Could not connect to the database").value("host", "Web-1").number("duration_ms", 5));
        put(document_for_test(2, "connect: connection refused by foo_bar.Baz").value("host", "web-2").number("duration_ms", 100));
        put(document_for_test(3, "the database is not there")
                .text("frames", "lib/lp/app/HTTPServer.py readAll")
                .number("duration_ms", 1e9));
        put(document_for_test(4, "Größe überschritten").value("host", "db 1").value("host", "db 2"));
        EXPECT_TRUE(index_.commit({7, 4}));
    }
    Ids find(std::string_view text, Order order = Order::newest) {
        auto match = parse(text, schema_, {.now = Time{5'000'000}});
        if (!match) return ADD_FAILURE() << text << ": " << match.error().faults.front().detail, Ids{};
        auto found = reader_.find({.match = std::move(*match), .order = order, .after = {}});
        if (!found) return ADD_FAILURE() << text << ": " << found.error().detail << found.error().cause, Ids{};
        return ids_of(*found);
    }
    std::string fault(std::string_view text) {
        auto match = parse(text, schema_, {});
        if (match) return "none";
        EXPECT_EQ(match.error().code, "query_invalid");
        EXPECT_EQ(match.error().status, 400);
        EXPECT_EQ(match.error().faults.front().pointer, "?q");
        return match.error().faults.front().detail;
    }
    Schema schema_ = schema_for_test();
    Index index_ = Index::in_memory(schema_).value();
    Reader reader_ = index_.reader().value();
};

TEST_F(Searched, FindsWords) {
    struct Row {
        std::string_view query;
        Ids ids;
    };
    Row const rows[] = {
        {"", {4, 3, 2, 1}},
        {"connect", {2, 1}},
        {"CONNECT database", {1}},
        {"connect AND database", {1}},
        {"connect OR there", {3, 2, 1}},
        {"(connect OR there) database", {3, 1}},
        {"database -connect", {3}},
        {"database NOT connect", {3}},
        {"-connect", {4, 3}},
        {"-(connect OR there)", {4}},
        {"\"not connect\"", {1}},
        {"\"connect not\"", {}},
        {"\"the database\"", {3, 1}},
        {"-\"the database\"", {4, 2}},
        {"foo_bar.Baz", {2}},
        {"bar", {2}},
        {"foo_bar.Ba*", {2}},
        {"foo_baz", {}},
        {"HTTPServer", {3}},
        {"http", {3}},
        {"lib/lp", {3}},
        {"conn*", {2, 1}},
        {"connec* refused", {2}},
        {"größe", {4}},
        {"GRÖSSE", {}},
        {"ÜBERSCHRITTEN", {4}},
        {"message:there", {3}},
        {"frames:there", {}},
        {"frames:lp", {3}},
        {"message:(there OR refused)", {3, 2}},
        {"message:\"database is\"", {3}},
        {"host:web-1", {1}},
        {"host:WEB-1", {1}},
        {"host:web", {}},
        {"host:web*", {2, 1}},
        {"host:\"db 2\"", {4}},
        {"-host:web-1 connect", {2}},
        {"host:(web-1 OR web-2)", {2, 1}},
        {"duration_ms:100", {2}},
        {"duration_ms:>=100", {3, 2}},
        {"duration_ms:>100", {3}},
        {"duration_ms:<100", {1}},
        {"duration_ms:<=100", {2, 1}},
        {"duration_ms:5..100", {2, 1}},
        {"duration_ms:6..", {3, 2}},
        {"duration_ms:..99.5", {1}},
        {"after:1970-01-01T00:00:02Z", {4, 3, 2}},
        {"before:1970-01-01T00:00:02Z", {1}},
        {"after:1970-01-02", {}},
        {"after:2s", {4, 3}},
        {"after:3s before:1s", {3, 2}},
        {"std::connect", {}},
        {"connect()", {2, 1}},
        {"or", {}},
    };
    for (auto const& row : rows) EXPECT_EQ(find(row.query), row.ids) << row.query;
}

TEST_F(Searched, ByRelevanceWhatSaysItMoreComesFirst) {
    EXPECT_EQ(find("refused OR connect", Order::relevance), (Ids{2, 1}));
    ASSERT_TRUE(index_.put(document_for_test(9, "there there there")));
    EXPECT_EQ(find("there", Order::relevance), (Ids{9, 3}));
}

TEST_F(Searched, FaultsSayWhereAndWhat) {
    struct Row {
        std::string_view query, fault;
    };
    Row const rows[] = {
        {"a \"b c", "character 3: this \" has no second one: put it where the phrase ends"},
        {"(a b", "character 1: this ( has no ): put it where the group ends"},
        {"ü a)", "character 4: there is a ) too many: leave it out, or put the ( where the group begins"},
        {"OR a", "character 1: expected a word, a phrase or field:value before OR"},
        {"a OR", "character 5: expected a word, a phrase or field:value here"},
        {"a AND", "character 1: expected a word, a phrase or field:value here"},
        {"()", "character 2: expected a word, a phrase or field:value here"},
        {"NOT", "character 4: expected what the documents must not have behind NOT"},
        {"a --- b", "character 5: there is no letter and no digit in this: leave it out"},
        {"f*o", "character 2: a * stands only at the end of a word, for words that begin so"},
        {"f*", "character 1: at least 2 letters stand before a *"},
        {"*", "character 1: there is no letter and no digit in this: leave it out"},
        {"host:x*", "character 6: at least 2 letters stand before a *"},
        {"host:>5", "character 6: host is not compared by size; numbers are: duration_ms"},
        {"duration_ms:fast", "character 13: expected a number or a range: duration_ms:42, duration_ms:>=42, duration_ms:10..20"},
        {"duration_ms:>=", "character 13: expected a number or a range: duration_ms:42, duration_ms:>=42, duration_ms:10..20"},
        {"duration_ms:..", "character 13: expected a number or a range: duration_ms:42, duration_ms:>=42, duration_ms:10..20"},
        {"duration_ms:nan", "character 13: expected a number or a range: duration_ms:42, duration_ms:>=42, duration_ms:10..20"},
        {"duration_ms:9..1", "character 13: the range begins above its end: the smaller number comes first"},
        {"after:monday", "character 7: expected a day (after:2026-01-31), a time (after:2026-01-31T12:00:00Z) or how long ago (after:7d)"},
    };
    for (auto const& row : rows) EXPECT_EQ(fault(row.query), row.fault) << row.query;
    schema_.exact = {"host"};
    EXPECT_EQ(fault("a hots:x"), "character 8: there is no field hots; there are: message, frames, duration_ms, host, after, before");
}

TEST_F(Searched, QueriesAreBounded) {
    auto times = [](std::size_t n, std::string_view text) {
        std::string out;
        for (std::size_t i = 0; i < n; ++i) out += text;
        return out;
    };
    EXPECT_EQ(fault(times(query_terms_max, "a ")), "none");
    EXPECT_NE(fault(times(query_terms_max + 1, "a ")), "none");
    EXPECT_EQ(fault(std::string(query_bytes_max, 'a')), "none");
    EXPECT_NE(fault(std::string(query_bytes_max + 1, 'a')), "none");
    EXPECT_EQ(fault(times(query_depth_max, "(") + "a" + times(query_depth_max, ")")), "none");
    EXPECT_NE(fault(times(query_depth_max + 1, "(") + "a" + times(query_depth_max + 1, ")")), "none");
    EXPECT_EQ(fault(times(query_depth_max + 1, "-") + "a"), "none");
    EXPECT_NE(fault(times(query_depth_max + 2, "-") + "a"), "none");
    EXPECT_EQ(fault("host:" + std::string(150, 'a') + "*"), "none");
    EXPECT_NE(fault("host:" + std::string(151, 'a') + "*"), "none");
}

TEST_F(Searched, APrefixStandsForSoManyWordsAtMost) {
    auto index = Index::in_memory(schema_, {.prefix_words_max = 2}).value();
    ASSERT_TRUE(index.put(document_for_test(1, "foo1 foo2")));
    auto reader = index.reader().value();
    auto ask = [&] { return reader.find({.match = parse("foo*", schema_, {}).value(), .after = {}}); };
    EXPECT_EQ(ids_of(ask().value()), Ids{1});
    ASSERT_TRUE(index.put(document_for_test(2, "foo3")));
    auto const refused = ask();
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, "query_too_broad");
    EXPECT_NE(refused.error().detail.find("character 1"), std::string::npos);
}

TEST_F(Searched, AServiceAddsConditionsOfItsOwn) {
    std::vector<Match> of{parse("connect OR there", schema_, {}).value(), value_is("host", "Web-2")};
    EXPECT_EQ(ids_of(reader_.find({.match = all_of(of), .after = {}}).value()), Ids{2});
    std::vector<Match> number{number_between("duration_ms", 5, {}), none_of({value_is("host", "web-2")})};
    EXPECT_EQ(ids_of(reader_.find({.match = all_of(number), .after = {}}).value()), (Ids{3, 1}));
    EXPECT_EQ(ids_of(reader_.find({.match = any_of({value_is("host", "web-1"), value_is("host", "db 1")}), .after = {}}).value()),
              (Ids{4, 1}));
}

TEST_F(Searched, SnippetsShowWhatWasFound) {
    auto const match = parse("refused", schema_, {}).value();
    auto found = reader_.find({.match = match, .after = {}, .snippet_bytes = 24}).value();
    ASSERT_EQ(found.hits.size(), 1u);
    auto const& snippet = found.hits[0].snippet;
    ASSERT_TRUE(snippet);
    EXPECT_LE(snippet->text.size(), 24u);
    ASSERT_EQ(snippet->marked.size(), 1u);
    auto const [begin, end] = snippet->marked[0];
    EXPECT_EQ(snippet->text.substr(begin, end - begin), "refused");
    EXPECT_TRUE(snippet->begins_within && snippet->ends_within);
    EXPECT_EQ(snippet->field, "message");
    EXPECT_FALSE(reader_.find({.match = match, .after = {}}).value().hits[0].snippet);
}

TEST(Snippets, ShowTheBestPlaceAndWholeCharacters) {
    auto const schema = schema_for_test();
    auto const match = parse("alpha beta", schema, {}).value();
    auto const text = "alpha " + std::string(200, 'x') + " ööö alpha betaCode ööö";
    auto const found = snippet(match, "message", text, 30);
    ASSERT_TRUE(found);
    EXPECT_EQ(found->marked.size(), 2u);
    EXPECT_NE(found->text.find("alpha betaCode"), std::string::npos);
    EXPECT_FALSE(snippet(match, "message", "nothing of it", 30));
    EXPECT_FALSE(snippet(match, "message", text, 0));
    EXPECT_FALSE(snippet(parse("-alpha", schema, {}).value(), "message", text, 30));
    EXPECT_FALSE(snippet(parse("frames:alpha", schema, {}).value(), "message", text, 30));
    for (std::size_t bytes = 1; bytes < 60; ++bytes) {
        auto const cut = snippet(match, "message", "öööö alpha öööö", bytes);
        ASSERT_TRUE(cut);
        EXPECT_LE(cut->text.size(), bytes);
        if (!cut->text.empty()) EXPECT_NE(std::uint8_t(cut->text[0]) & 0xc0, 0x80) << bytes;
    }
}

}  // namespace
}  // namespace gantry::text
