// Rules of a project, and reports that are grouped anew.
#include "services/oops/oops_fixture_test.h"

namespace gantry::oops {
namespace {

std::string tagged(std::string_view queue) { return fmt::format(R"("tags":{{"queue":"{}"}},)", queue); }

class Regroup : public Oops {
   protected:
    // By the fingerprint of its place all are one group; by their tags they are two.
    Regroup() {
        for (int n = 0; n < 10; ++n) report(n, "price_of", "", tagged(n % 2 ? "mail" : "web")), h.advance(Duration::seconds(1));
    }
    static std::string body(std::string const& rules) { return fmt::format(R"({{"text":{}}})", codec::to_json(Str(rules))); }
    auto set(std::string const& rules) { return h.call("PUT", "/oops/v1/projects/1/rules", body(rules)); }
    auto try_rules(std::string const& rules) { return h.post("/oops/v1/projects/1/rules/try", body(rules)); }
    RegroupView regroup(std::string_view body = "{}") {
        auto const begun = h.post("/oops/v1/projects/1/regroup", body).ok(202).as<RegroupView>();
        h.run_effects();
        return h.get(fmt::format("/oops/v1/regroups/rg_{}", begun.id.n)).ok().as<RegroupView>();
    }
    std::vector<std::pair<std::string, std::uint64_t>> counts() {
        std::vector<std::pair<std::string, std::uint64_t>> out;
        for (auto const& group : groups().items) out.emplace_back(group.title, group.count);
        return out;
    }
    // What a group lists, newest first.
    std::vector<std::string> reports_of(std::string_view group) {
        std::vector<std::string> out;
        auto const page = h.get(fmt::format("/oops/v1/reports?group={}", group)).ok().as<Page<ReportBrief>>();
        for (auto const& brief : page.items) out.push_back(brief.id.str());
        return out;
    }
    std::string const by_queue = "tag.queue:mail -> fingerprint: mail {{ default }}\ntag.queue:mail -> title: \"mail failed\"\n";
};

TEST_F(Regroup, RulesHoldForWhatComesFromThenOn) {
    set(by_queue).ok().has("tag.queue:mail");
    h.get("/oops/v1/projects/1/rules").ok().has("tag.queue:mail");
    report(20, "price_of", "", tagged("mail")), h.advance(Duration::seconds(1)), report(21, "price_of", "", tagged("web"));
    EXPECT_EQ(counts(), (decltype(counts()){{"KeyError: 'price_of'", 11}, {"mail failed", 1}}));
    set(by_queue).ok().wrote_nothing();
    set("").ok();
    report(22, "price_of", "", tagged("mail"));
    EXPECT_EQ(counts()[0].second, 12u);
}

TEST_F(Regroup, RulesThatAreNoneAreRefusedByLine) {
    set("type:KeyError ->").fails(400, "rules_invalid").has("line 1").wrote_nothing();
    try_rules("# fine\nwho:me -> title: x").fails(400, "rules_invalid").has("line 2").wrote_nothing();
    h.call("PUT", "/oops/v1/projects/9/rules", R"({"text":""})").fails(404, "project_not_found");
    h.post("/oops/v1/projects/9/rules/try", R"({"text":""})").fails(404, "project_not_found");
    h.post("/oops/v1/projects/9/regroup", "{}").fails(404, "project_not_found");
}

TEST_F(Regroup, ATryTellsWhatRulesWouldDoAndDoesNothing) {
    auto const said = try_rules(by_queue).ok().wrote_nothing();
    auto const tried = said.as<Tried>();
    EXPECT_EQ(tried.examined, 10u);
    EXPECT_EQ(tried.moved, 5u);
    EXPECT_TRUE(tried.complete);
    ASSERT_EQ(tried.changes.size(), 1u);
    EXPECT_EQ(tried.changes[0].from.n, 1u);
    EXPECT_FALSE(tried.changes[0].to);
    EXPECT_EQ(tried.changes[0].to_title, "mail failed");
    EXPECT_EQ(tried.changes[0].reports, 5u);
    h.advance(Duration::days(8));
    EXPECT_EQ(try_rules(by_queue).ok().as<Tried>().examined, 0u) << "of the last seven days";
    EXPECT_EQ(counts().size(), 1u);
}

TEST_F(Regroup, WhatCameBeforeIsGroupedAnew) {
    set(by_queue).ok();
    auto const done = regroup();
    EXPECT_EQ(done.status, RegroupStatus::done);
    EXPECT_EQ(done.examined, 10u);
    EXPECT_EQ(done.moved, 5u);
    EXPECT_EQ(done.total, 10u);
    EXPECT_EQ(counts(), (decltype(counts()){{"mail failed", 5}, {"KeyError: 'price_of'", 5}}));
    EXPECT_EQ(reports_of("g_2"), (std::vector<std::string>{hex_id(9), hex_id(7), hex_id(5), hex_id(3), hex_id(1)}));
    EXPECT_EQ(reports_of("g_1"), (std::vector<std::string>{hex_id(8), hex_id(6), hex_id(4), hex_id(2), hex_id(0)}));
    EXPECT_EQ(h.get("/oops/v1/reports/" + hex_id(5)).ok().json_at("/group"), "g_2");
    auto const listed = groups().items;
    EXPECT_EQ(listed[0].last_seen - listed[1].last_seen, Duration::seconds(1));
    EXPECT_EQ(listed[0].first_seen - listed[1].first_seen, Duration::seconds(1));
    EXPECT_EQ(regroup().moved, 0u) << "once more changes nothing";
}

TEST_F(Regroup, UndoneItIsAsItWas) {
    auto const before = h.get("/oops/v1/groups/g_1").ok().body();
    set(by_queue).ok();
    regroup();
    report(30, "stock_of");
    auto const undo = h.post("/oops/v1/regroups/rg_1/undo", "{}").ok(202).as<RegroupView>();
    h.run_effects();
    EXPECT_EQ(h.get(fmt::format("/oops/v1/regroups/rg_{}", undo.id.n)).ok().as<RegroupView>().status, RegroupStatus::done);
    EXPECT_EQ(h.get("/oops/v1/groups/g_1").ok().body(), before);
    EXPECT_EQ(reports_of("g_1").size(), 10u);
    EXPECT_EQ(counts().size(), 2u);
    h.post("/oops/v1/regroups/rg_1/undo", "{}").fails(409, "regroup_undone");
    h.post("/oops/v1/regroups/rg_9/undo", "{}").fails(404, "regroup_not_found");
}

TEST_F(Regroup, OnlyTheLatestIsUndone) {
    set(by_queue).ok();
    regroup();
    set("type:KeyError -> fingerprint: all").ok();
    EXPECT_EQ(regroup().moved, 10u);
    EXPECT_EQ(counts().size(), 1u);
    h.post("/oops/v1/regroups/rg_1/undo", "{}").fails(409, "regroup_overtaken");
    h.post("/oops/v1/regroups/rg_2/undo", "{}").ok(202);
    h.run_effects();
    EXPECT_EQ(counts().size(), 2u);
    h.post("/oops/v1/regroups/rg_1/undo", "{}").ok(202);
    h.run_effects();
    EXPECT_EQ(counts().size(), 1u);
    EXPECT_EQ(h.get("/oops/v1/regroups?project=1").ok().as<Page<RegroupView>>().items.size(), 4u);
}

TEST_F(Regroup, WhatPeopleSaidGoesWithAGroupThatMovesWhole) {
    h.call("PATCH", "/oops/v1/groups/g_1", R"({"assignee":"ann","bug":"https://bugs/1"})").ok();
    set("type:KeyError -> fingerprint: all").ok();
    regroup();
    auto const listed = groups().items;
    ASSERT_EQ(listed.size(), 1u);
    EXPECT_EQ(listed[0].assignee, "ann");
    EXPECT_EQ(listed[0].bug, "https://bugs/1");
    EXPECT_EQ(h.get("/oops/v1/groups/g_1").ok().json_at("/group/merged_into"), fmt::format("g_{}", listed[0].id.n));
    h.post("/oops/v1/regroups/rg_1/undo", "{}").ok(202);
    h.run_effects();
    h.get("/oops/v1/groups/g_1").ok().has(R"("count":10)").lacks("merged_into");
}

TEST_F(Regroup, OfTheLastDaysAlone) {
    h.advance(Duration::days(3));
    report(20, "price_of", "", tagged("mail"));
    set(by_queue).ok();
    EXPECT_EQ(regroup(R"({"days":2})").moved, 1u);
    EXPECT_EQ(counts()[1].second, 10u);
}

TEST_F(Regroup, OneOfAProjectAtATimeWhichMayBeCancelled) {
    set(by_queue).ok();
    h.post("/oops/v1/projects/1/regroup", "{}").ok(202);
    h.post("/oops/v1/projects/1/regroup", "{}").fails(409, "regroup_running");
    h.post("/oops/v1/regroups/rg_1/cancel", "{}").ok().has("cancelled");
    h.post("/oops/v1/regroups/rg_1/cancel", "{}").ok().wrote_nothing();
    h.run_effects();
    EXPECT_EQ(counts().size(), 1u);
    EXPECT_EQ(regroup().moved, 5u);
    h.post("/oops/v1/regroups/rg_2/cancel", "{}").fails(409, "regroup_ended");
}

// More than a part, with reports that come meanwhile, and a merge before: nothing is lost and nothing is twice.
TEST_F(Regroup, ManyPartsLoseNothing) {
    configure(R"({"limits":{"group_a_minute":100000}})");
    for (int n = 10; n < 2600; ++n) report(n, n % 3 ? "price_of" : "stock_of", "", tagged(n % 2 ? "mail" : "web"));
    h.post("/oops/v1/groups/g_1/merge", R"({"groups":["g_2"]})").ok();
    set(by_queue).ok();
    h.post("/oops/v1/projects/1/regroup", "{}").ok(202);
    for (int n = 2600; n < 2620; ++n) report(n, "price_of", "", tagged("mail"));
    h.run_effects();
    auto const done = h.get("/oops/v1/regroups/rg_1").ok().as<RegroupView>();
    EXPECT_EQ(done.status, RegroupStatus::done);
    EXPECT_EQ(done.examined, 2600u);
    EXPECT_EQ(done.moved, 1300u);
    std::uint64_t all = 0;
    std::set<std::string> seen;
    for (auto const& group : groups().items) {
        all += group.count;
        std::string next, last = "~";
        do {
            auto const said =
                h.get(fmt::format("/oops/v1/reports?limit=1000&group=g_{}{}", group.id.n, next.empty() ? "" : "&cursor=" + next));
            for (auto const& brief : said.as<Page<ReportBrief>>().items) EXPECT_TRUE(seen.insert(brief.id.str()).second) << brief.id.view();
            next = said.next();
        } while (!next.empty());
    }
    EXPECT_EQ(all, 2620u);
    EXPECT_EQ(seen.size(), 2620u);
    h.restart();
    EXPECT_EQ(groups().items.size(), 3u);
}

}  // namespace
}  // namespace gantry::oops
