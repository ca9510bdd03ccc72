#include "kernel/codec/merge_patch.h"

#include <gtest/gtest.h>

namespace gantry::codec {
namespace {

TEST(MergePatch, SaysWhatChanged) {
    struct Row {
        std::string_view from, to, patch;
    };
    for (auto const& row : {
             Row{R"({"a":1})", R"({"a":1})", "{}"},
             Row{R"({"a":1})", R"({"a":2})", R"({"a":2})"},
             Row{R"({"a":1})", R"({"a":1,"b":"x\"y"})", R"({"b":"x\"y"})"},
             Row{R"({"a":1,"b":2})", R"({"b":2})", R"({"a":null})"},
             Row{R"({"a":{"x":1,"y":2},"b":3})", R"({"a":{"x":1,"y":5},"b":3})", R"({"a":{"y":5}})"},
             Row{R"({"a":{"x":1}})", R"({"a":{}})", R"({"a":{"x":null}})"},
             Row{R"({"a":[1,2]})", R"({"a":[1,2,3]})", R"({"a":[1,2,3]})"},
             Row{R"({"a":[1]})", R"({"a":[null]})", R"({"a":[null]})"},
             Row{R"({"a":{"x":1}})", R"({"a":3})", R"({"a":3})"},
             Row{R"({"a":3})", R"({"a":{"x":1}})", R"({"a":{"x":1}})"},
             Row{R"({"a":null,"b":1})", R"({"a":null,"b":2})", R"({"b":2})"},
         }) {
        auto patch = merge_patch(row.from, row.to);
        ASSERT_TRUE(patch) << row.from << row.to;
        EXPECT_EQ(*patch, row.patch) << row.from << row.to;
    }
}

TEST(MergePatch, WhatItCantSayIsAnError) {
    for (auto [from, to] : {std::pair{R"({"a":1})", R"({"a":null})"},
                            {R"({"a":1})", R"({"a":{"b":null}})"},
                            {"[1]", R"({"a":1})"},
                            {R"({"a":1})", "3"},
                            {"{", "{}"}})
        EXPECT_EQ(merge_patch(from, to).error().code, "patch_impossible") << from << to;
}

}  // namespace
}  // namespace gantry::codec
