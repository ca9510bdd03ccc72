#include "kernel/codec/json_walk.h"

#include <gtest/gtest.h>

#include "kernel/codec/json_check.h"

namespace gantry::codec {
namespace {

JsonTree read(std::string_view json) {
    auto tree = JsonTree::read(json);
    EXPECT_TRUE(tree) << tree.error().detail;
    return std::move(tree).value();
}
std::string written(std::string_view json) {
    std::string out;
    read(json).root().write(out);
    return out;
}

TEST(JsonTree, IsWalkedByNamesAndInOrder) {
    auto const tree = read(R"({"a":[1,"two",null,true,{"deep":[[]]}],"b":{"c":"x"},"b":2,"":-0.5e3})");
    auto const root = tree.root();
    EXPECT_EQ(root.size(), 4u);
    EXPECT_EQ(root["b"]["c"].text(), "x") << "the first of a name";
    EXPECT_EQ(root[""].number(), -500.0);
    EXPECT_EQ(root[""].integer(), -500);
    std::string kinds;
    for (auto item : root["a"]) kinds += std::string(name_of(item.kind())) + ";";
    EXPECT_EQ(kinds, "a number;text;null;a boolean;an object;");
    std::string keys;
    for (auto member : root) keys += std::string(member.key()) + ";";
    EXPECT_EQ(keys, "a;b;b;;");
}

TEST(JsonTree, WhatIsAbsentHasNothingInside) {
    auto const tree = read(R"({"a":1})");
    auto const none = tree.root()["x"]["y"];
    EXPECT_FALSE(none);
    EXPECT_EQ(none.kind(), JsonKind::absent);
    EXPECT_EQ(none.size(), 0u);
    EXPECT_TRUE(none.begin() == none.end());
    EXPECT_EQ(none.text(), "");
    EXPECT_FALSE(none.number() || none.integer() || none.boolean());
    EXPECT_FALSE(tree.root()["a"]["b"]);
    EXPECT_EQ(tree.root()["a"].text(), "");
}

TEST(JsonTree, NumbersThatFitNowhereStayAsWritten) {
    auto const tree = read("[123456789012345678901234567890,1e999,1.5,9223372036854775807,-9223372036854775808,1e3]");
    auto at = tree.root().begin();
    EXPECT_EQ((*at).token(), "123456789012345678901234567890");
    EXPECT_FALSE((*at).integer());
    EXPECT_FALSE((*++at).number());
    EXPECT_FALSE((*++at).integer());
    EXPECT_EQ((*++at).integer(), std::numeric_limits<std::int64_t>::max());
    EXPECT_EQ((*++at).integer(), std::numeric_limits<std::int64_t>::min());
    EXPECT_EQ((*++at).integer(), 1000);
}

TEST(JsonTree, Escapes) {
    struct {
        std::string_view json, text;
    } const rows[] = {
        {R"("plain")", "plain"},
        {R"("\"\\\/\b\f\n\r\t")", "\"\\/\b\f\n\r\t"},
        {R"("\u00e9 \u20AC \ud83d\ude00")", "é € 😀"},
        {R"("cut \ud83d")", "cut \ufffd"},
        {R"("\ude00 alone")", "\ufffd alone"},
        {R"("\ud83d\u0041")", "\ufffdA"},
        {R"("\ud83d\ud83d\ude00")", "\ufffd😀"},
        {R"("é and a long text beside \n it")", "é and a long text beside \n it"},
    };
    for (auto const& row : rows) EXPECT_EQ(read(row.json).root().text(), row.text) << row.json;
    EXPECT_EQ(read(R"("\u0000")").root().text(), std::string_view("\0", 1));
    auto const tree = read(R"({"k\u0065y":1})");
    EXPECT_EQ(tree.root()["key"].integer(), 1);
}

TEST(JsonTree, WritesWhatItRead) {
    for (auto json : {"{}", "[]", "null", "[[],{},[{}]]", R"({"a":[1,-2.50,"x\n\u0001"],"b":{"c":null,"d":false}})"})
        EXPECT_EQ(written(json), json);
    EXPECT_EQ(written(" [ 1 , { \"a\" : 2 } ] \n"), R"([1,{"a":2}])");
}

TEST(JsonTree, RefusesWithThePlaceAndWhatIsRight) {
    struct {
        std::string_view json, why;
    } const rows[] = {
        {"", "byte 0: expected a value"},
        {"[1,]", "byte 3: expected a value"},
        {"[1 2]", "byte 3: expected ',' or ']'"},
        {R"({"a" 1})", "byte 5: expected ':'"},
        {R"({a:1})", "byte 1: expected a name in quotes"},
        {R"({"a":1)", "byte 6: expected ',' or '}'"},
        {"01", "byte 1: expected the end"},
        {"-", "byte 1: expected a digit"},
        {"1.", "byte 2: expected a digit"},
        {"1e+", "byte 3: expected a digit"},
        {"tru", "byte 0: expected a value"},
        {"\"a", "byte 2: expected '\"'"},
        {"\"a\nb\"", "byte 2: expected no control character"},
        {R"("\x")", "byte 2: expected an escape"},
        {R"("\u12g4")", "byte 3: expected four hex digits"},
        {"\"\xff\"", "byte 1: expected UTF-8"},
        {"1 1", "byte 2: expected the end"},
    };
    for (auto const& row : rows) {
        auto const tree = JsonTree::read(row.json);
        ASSERT_FALSE(tree) << row.json;
        EXPECT_EQ(tree.error().code, "body_not_json");
        EXPECT_NE(tree.error().detail.find(row.why), std::string::npos) << row.json << ": " << tree.error().detail;
        EXPECT_TRUE(check_json(row.json, 64)) << "two judges of one grammar: " << row.json;
    }
}

TEST(JsonTree, DepthAndNumberOfValuesAreBounded) {
    auto nested = [](std::size_t depth) { return std::string(depth, '[') + std::string(depth, ']'); };
    EXPECT_TRUE(JsonTree::read(nested(64)));
    EXPECT_EQ(JsonTree::read(nested(65)).error().code, "body_too_deep");
    EXPECT_TRUE(JsonTree::read("[1,2]", {.values_max = 3}));
    EXPECT_EQ(JsonTree::read("[1,2,3]", {.values_max = 3}).error().code, "body_too_many");
}

TEST(JsonTree, SurvivesAMove) {
    std::string const json = R"({"a":"x\ty"})";
    auto first = read(json);
    auto const value = first.root()["a"];
    auto const second = std::move(first);
    EXPECT_EQ(value.text(), "x\ty");
    EXPECT_EQ(second.root()["a"].text(), "x\ty");
}

// Strings are read eight bytes at a time: what is special in one is seen wherever it stands.
TEST(JsonCheck, ASpecialByteIsSeenWhereverItStands) {
    for (std::size_t before = 0; before < 20; ++before)
        for (std::size_t after : {0u, 1u, 7u, 8u, 17u}) {
            std::string const head = "\"" + std::string(before, 'x'), tail = std::string(after, 'y') + "\"";
            for (int byte = 0; byte < 256; ++byte) {
                std::string const json = head + char(byte) + tail;
                auto const error = check_json(json, 1);
                bool const plain = byte >= 0x20 && byte < 0x80 && byte != '"' && byte != '\\';
                EXPECT_EQ(!error, plain) << before << " " << after << " " << byte;
                if (error && byte < 0x20) EXPECT_EQ(error->offset, head.size()) << byte;
                if (error && byte >= 0x80) EXPECT_TRUE(error->not_utf8) << byte;
                if (plain) EXPECT_EQ(minify_json("[ " + json + " , 1 ]"), "[" + json + ",1]");
            }
            for (std::string_view special : {"\\\"", "\\\\", "\\n", "\\u0041", "é", "𝄞", "\\ud834\\udd1e"}) {
                std::string const json = head + std::string(special) + tail;
                EXPECT_FALSE(check_json(json, 1)) << json;
                EXPECT_EQ(minify_json(" { \"a b\" : " + json + " } "), "{\"a b\":" + json + "}");
            }
        }
}

}  // namespace
}  // namespace gantry::codec
