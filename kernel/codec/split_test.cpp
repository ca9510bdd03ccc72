#include "kernel/codec/split.h"

#include <gtest/gtest.h>

#include "kernel/codec/json.h"

namespace gantry::codec {
namespace {

struct Only {
    std::int32_t a = 0;
};
RECORD(Only, a);

using Views = std::vector<std::string_view>;

Views split(std::string_view json) {
    auto out = split_json_array(json, 100);
    EXPECT_TRUE(out) << json << ": " << (out ? "" : out.error().detail);
    return out ? *out : Views{};
}

TEST(Split, GivesTheTextOfEachElement) {
    EXPECT_EQ(split("[]"), Views());
    EXPECT_EQ(split(" [ ] \n"), Views());
    EXPECT_EQ(split(R"([{"a":[1,{"b":"]"}]},[2,[]],"x,\"y",-1.5e3,true,null])"),
              (Views{R"({"a":[1,{"b":"]"}]})", "[2,[]]", R"("x,\"y")", "-1.5e3", "true", "null"}));
    auto spaced = split("\n[ {\"a\" : 1} ,\t2 , \"b\" ]");
    ASSERT_EQ(spaced.size(), 3u);
    EXPECT_EQ(spaced[0], "{\"a\" : 1}");
    EXPECT_EQ(from_json<std::int32_t>(spaced[1]).value(), 2);
    EXPECT_EQ(from_json<std::string>(spaced[2]).value(), "b");
}

TEST(Split, ElementsAreViewsIntoTheText) {
    std::string const json = R"([{"a":1},{"a":2}])";
    auto out = split(json);
    ASSERT_EQ(out.size(), 2u);
    EXPECT_EQ(out[1].data(), json.data() + 9);
}

TEST(Split, TheMeaningOfElementsIsNotItsBusiness) {
    auto out = split(R"([{"a":1},{"b":{"c":"d"}},7])");
    ASSERT_EQ(out.size(), 3u);
    EXPECT_TRUE(from_json<Only>(out[0]));
    EXPECT_FALSE(from_json<Only>(out[1]));
    EXPECT_FALSE(from_json<Only>(out[2]));
    std::string const deep = "[1," + std::string(40, '[') + std::string(40, ']') + ",2]";
    EXPECT_EQ(split(deep).size(), 3u) << "too deep for a decoder is that element alone";
}

TEST(Split, WhatIsNoArraySaysWhere) {
    struct {
        std::string_view json, pointer;
    } const rows[] = {{"", ""},
                      {"  ", ""},
                      {"{}", ""},
                      {"7", ""},
                      {"[", "/0"},
                      {"[1", "/0"},
                      {"[1,", "/1"},
                      {"[1,2", "/1"},
                      {"[,1]", "/0"},
                      {"[1,]", "/1"},
                      {"[1 2]", "/0"},
                      {R"([{"a":1} {"a":2}])", "/0"},
                      {R"([{"a":1},{"a" 2},{"a":3}])", "/1"},
                      {R"([{"a":1},{"a":2])", "/1"},
                      {R"([{"a":1},{"a":"2}])", "/1"},
                      {R"([[],{"a":"[,"},tru])", "/2"},
                      {"[1] x", ""},
                      {"[1]]", ""},
                      {"[1,\"\xff\"]", "/1"},
                      {"]\xff", ""},
                      {std::string_view("[\0]", 3), "/0"}};
    for (auto const& [json, pointer] : rows) {
        auto out = split_json_array(json, 100);
        ASSERT_FALSE(out) << json;
        EXPECT_EQ(out.error().status, 400) << json;
        EXPECT_EQ(out.error().code, "body_not_json") << json;
        ASSERT_EQ(out.error().faults.size(), 1u) << json;
        EXPECT_EQ(out.error().faults[0].pointer, pointer) << json << ": " << out.error().detail;
        EXPECT_NE(out.error().detail.find(" at byte "), std::string::npos) << out.error().detail;
    }
}

TEST(Split, ElementsAreLimitedFromBothSides) {
    EXPECT_EQ(split_json_array("[1,2,3]", 3).value().size(), 3u);
    auto more = split_json_array("[1,2,3,4]", 3);
    ASSERT_FALSE(more);
    EXPECT_EQ(more.error().status, 413);
    EXPECT_EQ(more.error().code, "body_too_many");
}

}  // namespace
}  // namespace gantry::codec
