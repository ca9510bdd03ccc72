#include "kernel/config/flags.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <thread>

namespace gantry::flags {
namespace {

std::vector<FlagDecl> decls() {
    return {{"new_page", "boolean", "Shows the new page.", "", "ann"},
            {"rows", "integer", "Rows of a page.", "20", "ann"},
            {"colour", "one of red green", "What colour.", "red", "bob"},
            {"banner", "text", "Said on top.", "", "bob", Time{1}}};
}

struct Row {
    std::string what;
    std::vector<Rule> rules;
    Subject subject;
    std::string value, scope;
};

TEST(Flags, TheActiveRuleOfHighestPriorityWins) {
    static std::vector<std::string> const teams{"devs", "ops"};
    std::vector<Rule> const all{{"user:ann", 60, "of ann"},       {"team:ops", 50, "of ops"},     {"site:main", 40, "of main"},
                                {"service:tracker", 30, "of it"}, {"server:moon", 20, "of moon"}, {"default", 10, "of all"}};
    auto without = [&](std::size_t n) { return std::vector<Rule>(all.begin() + std::ptrdiff_t(n), all.end()); };
    Subject const ann{"ann", teams, "main", "tracker"};
    Row const rows[] = {
        {"user", all, ann, "of ann", "user:ann"},
        {"team", without(1), ann, "of ops", "team:ops"},
        {"site", without(2), ann, "of main", "site:main"},
        {"service", without(3), ann, "of it", "service:tracker"},
        {"server", without(4), ann, "of moon", "server:moon"},
        {"default", without(5), ann, "of all", "default"},
        {"another user", all, {"bob", teams, "main", "tracker"}, "of ops", "team:ops"},
        {"another team", all, {"bob", {}, "main", "tracker"}, "of main", "site:main"},
        {"another site", all, {"bob", {}, "other", "tracker"}, "of it", "service:tracker"},
        {"another service", all, {"bob", {}, "other", "notes"}, "of moon", "server:moon"},
        {"no rule is active", {{"user:ann", 1, "x"}}, {"bob"}, "", ""},
        {"an empty value hides those below", {{"user:ann", 2, ""}, {"default", 1, "x"}}, ann, "", "user:ann"},
        {"nobody is no user", {{"percent:100", 2, "x"}, {"default", 1, "y"}}, {}, "y", "default"},
    };
    for (auto const& row : rows) {
        FlagSet flags(decls(), "moon");
        FlagRules rules{"banner", row.rules};
        std::ranges::reverse(rules.rules);
        ASSERT_TRUE(check(rules, flags.decl("banner"))) << row.what;
        flags.set({&rules, 1});
        auto const verdict = flags.evaluate("banner", row.subject);
        EXPECT_EQ(verdict.value, row.value) << row.what;
        EXPECT_EQ(verdict.scope, row.scope) << row.what;
    }
}

TEST(Flags, TypedGettersNeverFail) {
    FlagSet flags(decls(), "moon");
    EXPECT_FALSE(flags.on("new_page", {}));
    EXPECT_EQ(flags.integer("rows", {}), 20);
    EXPECT_EQ(flags.text("colour", {}), "red");
    auto const set_all = [&](std::string const& value) {
        std::vector<FlagRules> const rules{{"new_page", {{"default", 1, value}}}, {"rows", {{"default", 1, value}}}};
        flags.set(rules);
    };
    for (auto no : {"", "false", "off", "no", "0"}) {
        set_all(no);
        EXPECT_FALSE(flags.on("new_page", {})) << no;
    }
    for (auto yes : {"true", "on", "1", "anything"}) {
        set_all(yes);
        EXPECT_TRUE(flags.on("new_page", {})) << yes;
    }
    EXPECT_EQ(flags.integer("rows", {}), 20) << "not a number";
    set_all("-7");
    EXPECT_EQ(flags.integer("rows", {}), -7);
    EXPECT_EQ(flags.integer("unheard", {}, 3), 3);
}

TEST(Flags, APercentageGrowsAndKeepsWhomItHas) {
    FlagSet flags(decls(), "");
    auto const lucky = [&](std::string const& flag, int percent) {
        std::vector<FlagRules> const rules{{flag, {{fmt::format("percent:{}", percent), 1, "x"}}}};
        flags.set(rules);
        std::set<int> out;
        for (int i = 0; i < 2000; ++i)
            if (!flags.text(flag, {fmt::format("u_{}", i)}).empty()) out.insert(i);
        return out;
    };
    auto const ten = lucky("banner", 10), twenty = lucky("banner", 20);
    EXPECT_TRUE(std::includes(twenty.begin(), twenty.end(), ten.begin(), ten.end()));
    EXPECT_GT(ten.size(), 140u);
    EXPECT_LT(ten.size(), 260u);
    EXPECT_GT(twenty.size(), 330u);
    EXPECT_LT(twenty.size(), 470u);
    EXPECT_EQ(lucky("banner", 0).size(), 0u);
    EXPECT_EQ(lucky("banner", 100).size(), 2000u);
    EXPECT_EQ(lucky("banner", 10), ten);
    EXPECT_NE(lucky("other", 10), ten) << "each flag has users of its own";
}

TEST(Flags, RulesAreChecked) {
    FlagSet const flags(decls(), "");
    struct WrongRow {
        FlagRules rules;
        std::string pointer;
    };
    std::string const letters(name_bytes_max, 'a'), value(value_bytes_max, 'v');
    WrongRow const rows[] = {
        {{"", {}}, "/flag"},
        {{"New", {}}, "/flag"},
        {{letters + "a", {}}, "/flag"},
        {{"banner", {{"everyone", 1, ""}}}, "/rules/0/scope"},
        {{"banner", {{"user:", 1, ""}}}, "/rules/0/scope"},
        {{"banner", {{"percent:101", 1, ""}}}, "/rules/0/scope"},
        {{"banner", {{"percent:-1", 1, ""}}}, "/rules/0/scope"},
        {{"banner", {{"user:a\n", 1, ""}}}, "/rules/0/scope"},
        {{"banner", {{"user:" + std::string(scope_bytes_max - 4, 'u'), 1, ""}}}, "/rules/0/scope"},
        {{"banner", {{"default", -1, ""}}}, "/rules/0/priority"},
        {{"banner", {{"default", priority_max + 1, ""}}}, "/rules/0/priority"},
        {{"banner", {{"default", 1, ""}, {"user:a", 1, ""}}}, "/rules/1/priority"},
        {{"banner", {{"default", 1, "two\nlines"}}}, "/rules/0/value"},
        {{"banner", {{"default", 1, value + "v"}}}, "/rules/0/value"},
        {{"banner", {{"default", 1, "\xff"}}}, "/rules/0/value"},
        {{"new_page", {{"default", 1, "maybe"}}}, "/rules/0/value"},
        {{"new_page", {{"default", 1, "default"}}}, "/rules/0/value"},
        {{"rows", {{"default", 1, "2x"}}}, "/rules/0/value"},
        {{"colour", {{"default", 1, "blue"}}}, "/rules/0/value"},
        {{"colour", {{"default", 1, "re"}}}, "/rules/0/value"},
    };
    for (auto row : rows) {
        auto checked = check(row.rules, flags.decl(row.rules.flag));
        ASSERT_FALSE(checked) << row.rules.flag << row.pointer;
        EXPECT_EQ(checked.error().code, "flag_rules_invalid");
        ASSERT_EQ(checked.error().faults.size(), 1u) << checked.error().faults[1].pointer;
        EXPECT_EQ(checked.error().faults[0].pointer, row.pointer);
    }
    FlagRules many{"banner", {}};
    for (std::size_t i = 0; i < rules_of_a_flag_max; ++i) many.rules.push_back({"default", std::int64_t(i), value});
    EXPECT_TRUE(check(many, nullptr));
    many.rules.push_back({"default", priority_max, ""});
    EXPECT_FALSE(check(many, nullptr));
    for (FlagRules good : {FlagRules{letters, {{"user:" + std::string(scope_bytes_max - 5, 'u'), priority_max, "anything"}}},
                           FlagRules{"colour", {{"default", 0, "green"}, {"percent:0", 1, ""}, {"percent:100", 2, "red"}}},
                           FlagRules{"new_page", {{"default", 0, "true"}}}, FlagRules{"rows", {{"default", 0, "-3"}}}})
        EXPECT_TRUE(check(good, flags.decl(good.flag))) << good.flag;
}

TEST(Flags, WhatIsReadAndNotDeclaredIsKnown) {
    FlagSet flags(decls(), "");
    EXPECT_TRUE(flags.undeclared().empty());
    std::vector<std::thread> threads;
    for (int t = 0; t < 2; ++t)
        threads.emplace_back([&] {
            for (auto name : {"b", "a", "rows", "b"}) (void)flags.text(name, {});
        });
    for (auto& thread : threads) thread.join();
    EXPECT_EQ(flags.undeclared(), (std::vector<std::string>{"a", "b"}));
    std::vector<FlagRules> const rules{{"a", {{"default", 1, "set"}}}};
    flags.set(rules);
    EXPECT_EQ(flags.text("a", {}), "set") << "it works all the same";
    for (std::size_t i = 0; i < 2 * FlagSet::undeclared_max; ++i) (void)flags.text(fmt::format("x{}", i), {});
    EXPECT_EQ(flags.undeclared().size(), FlagSet::undeclared_max);
}

TEST(Flags, ReadersSeeOneChangeOrTheOther) {
    FlagSet flags(decls(), "");
    std::atomic<bool> done = false;
    std::atomic<int> wrong = 0, read = 0;
    std::vector<std::thread> readers;
    for (int i = 0; i < 2; ++i)
        readers.emplace_back([&] {
            while (!done) {
                auto const verdict = flags.evaluate("banner", {"ann"});
                wrong += verdict.value != "" && verdict.value != verdict.scope, ++read;
            }
        });
    for (int i = 0; i < 500 || read < 500; ++i) {
        std::string const scope = i % 2 ? "user:ann" : "default";
        std::vector<FlagRules> const rules{{"banner", {{scope, 1, scope}}}};
        flags.set(rules);
    }
    done = true;
    for (auto& reader : readers) reader.join();
    EXPECT_EQ(wrong, 0);
}

TEST(FlagsDeath, ADeclarationSaysWhatItIs) {
    EXPECT_DEATH(FlagSet({{"a", "boolean", "Does.", "", ""}}, ""), "owner");
    EXPECT_DEATH(FlagSet({{"a", "number", "Does.", "", "ann"}}, ""), "domain");
    EXPECT_DEATH(FlagSet({{"a", "integer", "Does.", "x", "ann"}}, ""), "domain");
    EXPECT_DEATH(FlagSet({{"a", "text", "Does.", "", "ann"}, {"a", "text", "Does.", "", "ann"}}, ""), "declared once");
}

}  // namespace
}  // namespace gantry::flags
