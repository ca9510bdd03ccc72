// What other services record becomes tasks, once each.
#include "services/queue/rules.h"

#include "services/queue/queue_test.h"

namespace gantry::queue {
namespace shop {

// A service that others may follow.
struct Sold {
    Id<"s_"> id;
    Text<1, 100> what;
    std::int64_t price = 0;
    Personal<Text<0, 100>> who;
};
RECORD(Sold, id, what, price, who);
struct Returned {
    Id<"s_"> id;
};
RECORD(Returned, id);
using Event = std::variant<Sold, Returned>;
struct State {
    Table<Id<"s_">, Sold> sales;
    void apply(Sold const& e) { sales.put(e.id, e); }
    void apply(Returned const& e) { sales.erase(e.id); }
};
STATE(State, sales);
struct Sale {
    Text<1, 100> what;
    std::int64_t price = 0;
};
RECORD(Sale, what, price);
Result<Emit<Sold, Event>> sell(State const& s, Sale const& in, Ctx const&) {
    Sold sold{Id<"s_">("s_" + std::to_string(s.sales.size() + 1)), in.what, in.price, {Text<0, 100>("Ann Smith")}};
    return Emit<Sold, Event>{{sold}, sold};
}
struct Settings {
    std::optional<Duration> history;
};
RECORD(Settings, history);
struct Service {
    using State = shop::State;
    using Event = shop::Event;
    using Settings = shop::Settings;
    static constexpr std::string_view name = "shop";
    static std::vector<Route> routes() {
        return {route<Service>(V1, "POST", "/sales", &sell, Scope{"shop:write"}, Doc{"Sell something."})};
    }
    static std::vector<std::pair<std::string_view, std::string_view>> settings_docs() { return {{"history", "How long."}}; }
    static std::optional<Duration> retention(Settings const& settings) { return settings.history; }
};

}  // namespace shop

namespace {

class Rules : public ::testing::Test {
   protected:
    Rules() : shop(shop::Settings{Duration::days(1)}), q(Settings{.rule_sources = {"/shop", "http://far:80/shop/v1/events"}}) {
        shop.clock().set_wall(noon);
        q.outside([this](client::Request request) { return answer(std::move(request)); });
    }
    // As a source of the same process answers; a test may say otherwise, or change what comes back.
    client::Reply answer(client::Request request) {
        asked.push_back(request.target);
        if (instead) {
            auto reply = instead(request);
            if (reply.status >= 400 && !reply.error) reply.error = client::Error{"http_" + std::to_string(reply.status), "no"};
            return reply;
        }
        if (request.target.starts_with("http://far:80")) request.target.erase(0, 13);
        return shop.answer(std::move(request));
    }
    void sell(int price, std::string const& what = "tea") {
        shop.post("/shop/v1/sales", fmt::format(R"({{"what":"{}","price":{}}})", what, price)).ok();
    }
    Harness<Service>::Said rule(std::string const& more = "", std::string const& name = "sales") {
        return q.call("PUT", "/queue/v1/rules/" + name,
                      fmt::format(R"({{"source":"/shop","types":["sold"],"queue":"mail"{}{}}})", more.empty() ? "" : ",", more));
    }
    // Until nothing is due any more.
    void turn(int times = 6) {
        for (int i = 0; i < times; ++i) q.tick(), q.run_effects();
    }
    RuleView view(std::string const& name = "sales") { return q.get("/queue/v1/rules/" + name).ok().as<RuleView>(); }
    std::vector<std::string> payloads(std::string const& queue = "mail") {
        std::vector<std::string> out;
        for (auto const& lease : q.leases(R"("max":100)", queue)) out.push_back(lease.payload->text);
        return out;
    }
    // What another source would answer.
    static client::Reply page(std::string const& items, std::string const& next, std::string const& end = "2es6q4x55avw9.9") {
        return {.status = 200, .body = fmt::format(R"({{"items":[{}],"next":"{}","complete":true,"position":"{}"}})", items, next, end)};
    }
    static std::string event(std::string const& id, std::string const& type = "shop.sold") {
        return fmt::format(R"({{"id":"{}","type":"{}","subject":"s_1","time":"2026-01-01T00:00:00Z","data":{{"price":1}}}})", id, type);
    }

    Harness<shop::Service> shop;
    Queue q;
    std::vector<std::string> asked;
    std::function<client::Reply(client::Request const&)> instead;
};

TEST_F(Rules, EventsBecomeTasks) {
    sell(1), sell(2, "milk");
    rule(R"("key_from":"/data/what","group_from":"/subject","tags":["shop"],"tags_from":["/data/price"],"priority":5)").ok(201);
    EXPECT_EQ(view().state, RuleState::starting);
    turn();
    auto const got = q.leases(R"("max":10)");
    ASSERT_EQ(got.size(), 2u);
    EXPECT_EQ(got[0].key, "tea");
    EXPECT_EQ(got[1].key, "milk");
    EXPECT_EQ(got[0].group, "s_1");
    EXPECT_EQ(got[1].tags, (std::vector<std::string>{"shop", "2"}));
    EXPECT_EQ(got[0].priority, 5u);
    auto const& payload = got[1].payload->text;
    EXPECT_NE(payload.find(R"("type":"shop.sold")"), std::string::npos) << payload;
    EXPECT_NE(payload.find(R"("what":"milk","price":2)"), std::string::npos) << payload;
    EXPECT_EQ(payload.find("Ann"), std::string::npos) << "what is personal stays where it can be erased";
    auto const now = view();
    EXPECT_EQ(now.state, RuleState::caught_up);
    EXPECT_EQ(now.tasks, 2u);
    EXPECT_EQ(now.behind, 0u);
    EXPECT_EQ(now.after, shop.host().position_text(2));
    EXPECT_EQ(now.last_event_at, noon);
    sell(3);
    q.pass(Duration::seconds(1));
    turn();
    EXPECT_EQ(payloads().size(), 1u);
}

TEST_F(Rules, OnlyThoseThatAreWantedAndOnlyTheirData) {
    sell(1), sell(2), sell(3);
    shop.given(shop::Returned{"s_2"});
    rule(R"("subject":"s_2","payload":"data")").ok(201);
    q.call("PUT", "/queue/v1/rules/back",
           R"({"source":"http://far:80/shop/v1/events","types":["returned"],"queue":"back","delay_ms":5000})")
        .ok(201);
    turn();
    auto const got = payloads();
    ASSERT_EQ(got.size(), 1u);
    EXPECT_TRUE(got[0].starts_with(R"({"id":"s_2","what":"tea","price":2)")) << got[0];
    EXPECT_EQ(view().after, shop.host().position_text(4)) << "what it doesn't want is behind it, too";
    EXPECT_EQ(q.view("back").counts.delayed, 1u);
    q.get("/queue/v1/rules").ok().has(R"("rule":"back")").has(R"("rule":"sales")");
}

TEST_F(Rules, NothingIsPutTwiceWhateverHappens) {
    for (int i = 0; i < 5; ++i) sell(i);
    rule().ok(201);
    q.tick();  // the reading is asked for
    q.restart();
    q.run_effects();
    EXPECT_EQ(view().tasks, 5u);
    q.restart();
    turn();
    for (int i = 0; i < 5; ++i) sell(i);
    q.pass(Duration::seconds(1));
    // It was read, and set anew before that was recorded: what it brings counts no more.
    instead = [&, once = false](client::Request const& request) mutable {
        if (!std::exchange(once, true)) rule(R"("tags":["new"])").ok();
        auto const other = std::exchange(instead, nullptr);
        return answer(request);
    };
    q.run_effects();
    turn();
    q.restart();
    turn();
    EXPECT_EQ(view().tasks, 10u);
    std::set<std::string> distinct;
    for (auto const& payload : payloads()) EXPECT_TRUE(distinct.insert(payload).second) << payload;
    EXPECT_EQ(distinct.size(), 10u);
}

TEST_F(Rules, FromNowFromAPositionAndPaused) {
    for (int i = 0; i < 4; ++i) sell(i);
    rule(R"("after":"now")").ok(201);
    rule(fmt::format(R"("queue":"some","after":"{}")", shop.host().position_text(3)), "some").fails(400, "body_invalid");
    q.call("PUT", "/queue/v1/rules/some",
           fmt::format(R"({{"source":"/shop","types":["sold"],"queue":"some","after":"{}"}})", shop.host().position_text(3)))
        .ok(201);
    turn();
    EXPECT_EQ(view().tasks, 0u);
    EXPECT_EQ(view().after, shop.host().position_text(4));
    EXPECT_EQ(view("some").tasks, 1u);
    q.post("/queue/v1/rules/sales/pause", "{}").ok().has(R"("state":"paused")");
    sell(9);
    q.pass(Duration::seconds(5));
    turn();
    EXPECT_EQ(view().tasks, 0u);
    q.post("/queue/v1/rules/sales/pause", "{}").ok().wrote_nothing();
    q.post("/queue/v1/rules/sales/resume", "{}").ok();
    turn();
    EXPECT_EQ(view().tasks, 1u);
    q.post("/queue/v1/rules/sales/resume", "{}").ok().wrote_nothing();
    q.post("/queue/v1/rules/sales/resume", R"({"after":""})").ok();
    turn();
    EXPECT_EQ(view().tasks, 6u) << "an operator may have them all again";
    q.call("DELETE", "/queue/v1/rules/sales").ok();
    sell(10);
    q.pass(Duration::seconds(5));
    turn();
    q.get("/queue/v1/rules/sales").fails(404, "rule_not_found");
    EXPECT_EQ(payloads().size(), 6u);
}

TEST_F(Rules, ABadSourceIsTold) {
    struct {
        char const* name;
        client::Reply reply;
        char const* code;
        RuleState state;
    } const rows[] = {
        {"HTML", {.status = 200, .body = "<!DOCTYPE html><html>"}, "source_not_a_feed", RuleState::backing_off},
        {"JSON of another kind", {.status = 200, .body = R"({"ok":true})"}, "source_not_a_feed", RuleState::backing_off},
        {"half a page", {.status = 200, .body = R"({"items":[{"id":)"}, "source_not_a_feed", RuleState::backing_off},
        {"gone", {.status = 404}, "source_gone", RuleState::backing_off},
        {"refuses", {.status = 403}, "source_refuses", RuleState::backing_off},
        {"fails", {.status = 500}, "source_failed", RuleState::backing_off},
        {"silence", {.error = client::Error{"timeout", "no answer"}}, "source_unanswered", RuleState::backing_off},
        {"goes back", page(event("2es6q4x55avw9.2"), "2es6q4x55avw9.2"), "source_lies", RuleState::backing_off},
        {"repeats", page(event("2es6q4x55avw9.4") + "," + event("2es6q4x55avw9.4"), "2es6q4x55avw9.5"), "source_lies",
         RuleState::backing_off},
        {"another history", page(event("2es6q4x55avwa.4"), "2es6q4x55avwa.4"), "source_lies", RuleState::backing_off},
        {"next goes back", page(event("2es6q4x55avw9.5"), "2es6q4x55avw9.4"), "source_lies", RuleState::backing_off},
        {"no ids", page(event(""), "2es6q4x55avw9.4"), "source_lies", RuleState::backing_off},
        {"ahead", {.status = 400, .error = client::Error{"after_ahead", "it is at 1"}}, "source_ahead", RuleState::halted},
        {"retired",
         page(R"({"id":"2es6q4x55avw9.7","type":"gantry.gap","data":{"reason":"retention","next":"2es6q4x55avw9.7"}})", "2es6q4x55avw9.7"),
         "source_gap", RuleState::halted},
        {"restored",
         page(R"({"id":"2es6q4x55avwa.0","type":"gantry.gap","data":{"reason":"history","next":"2es6q4x55avwa.0"}})", "2es6q4x55avwa.0"),
         "source_history", RuleState::halted},
    };
    for (auto const& row : rows) {
        instead = [&](client::Request const&) { return row.reply; };
        q.call("PUT", "/queue/v1/rules/bad", R"({"source":"/shop","types":["sold"],"queue":"bad","after":"2es6q4x55avw9.3"})");
        turn();
        auto const now = view("bad");
        EXPECT_EQ(now.state, row.state) << row.name;
        ASSERT_TRUE(now.error) << row.name;
        EXPECT_EQ(now.error->code, row.code) << row.name << ": " << now.error->detail;
        EXPECT_EQ(now.after, "2es6q4x55avw9.3") << row.name;
        EXPECT_EQ(now.error->retry_at.has_value(), row.state == RuleState::backing_off) << row.name;
        q.call("DELETE", "/queue/v1/rules/bad").ok();
    }
    q.get("/queue/v1/queues/bad").fails(404, "queue_not_found");
}

TEST_F(Rules, WhatIsLostIsSaid) {
    instead = [](client::Request const&) {
        return page(R"({"id":"2es6q4x55avw9.7","type":"gantry.gap","data":{"reason":"retention","next":"2es6q4x55avw9.7"}})",
                    "2es6q4x55avw9.8");
    };
    rule(R"("after":"2es6q4x55avw9.3")").ok(201);
    turn();
    EXPECT_NE(view().error->detail.find("4 to 7 were retired"), std::string::npos) << view().error->detail;
    instead = [](client::Request const& request) {
        EXPECT_NE(request.target.find("after=2es6q4x55avw9.7"), std::string::npos) << request.target;
        return page(event("2es6q4x55avw9.8"), "2es6q4x55avw9.8");
    };
    q.post("/queue/v1/rules/sales/resume", R"({"after":"2es6q4x55avw9.7"})").ok();
    q.tick(), q.run_effects();
    EXPECT_EQ(view().tasks, 1u);
    EXPECT_EQ(view().error, std::nullopt);
}

TEST_F(Rules, TriesAgainLessAndLessOften) {
    instead = [](client::Request const&) { return client::Reply{.status = 503}; };
    rule().ok(201);
    turn();
    auto const first = view().error->retry_at.value() - q.clock().wall();
    EXPECT_LE(first, Duration::seconds(1));
    auto const since = view().error->since;
    for (int i = 0; i < 12; ++i) q.at(view().error->retry_at.value()), turn();
    auto const later = view().error->retry_at.value() - q.clock().wall();
    EXPECT_GE(later, Duration::seconds(150));
    EXPECT_LE(later, Duration::seconds(300));
    EXPECT_EQ(view().error->since, since);
    EXPECT_LE(asked.size(), 13u);
    instead = nullptr;
    sell(1);
    q.at(view().error->retry_at.value());
    turn();
    EXPECT_EQ(view().state, RuleState::caught_up);
    EXPECT_EQ(view().tasks, 1u);
}

TEST_F(Rules, AFullQueueHoldsTheRuleUp) {
    q.set(R"("depth_max":3)").ok(201);
    for (int i = 0; i < 5; ++i) sell(i);
    rule().ok(201);
    turn();
    EXPECT_EQ(view().tasks, 3u);
    EXPECT_EQ(view().error->code, "queue_full");
    EXPECT_EQ(view().behind, 2u);
    for (int i = 0; i < 3; ++i) q.say(q.lease(), "complete").ok();
    q.at(view().error->retry_at.value());
    turn();
    EXPECT_EQ(view().tasks, 5u);
    EXPECT_EQ(view().state, RuleState::caught_up);
}

TEST_F(Rules, AnEventThatIsTooLargeHaltsItAndLosesNothing) {
    q.set(R"("payload_bytes_max":400)").ok(201);
    sell(1), sell(2, std::string(90, 'x') + std::string(10, 'y')), sell(3);
    rule(R"("payload":"data")").ok(201);
    q.set(R"("payload_bytes_max":100)").ok();
    turn();
    EXPECT_EQ(view().tasks, 1u);
    EXPECT_EQ(view().state, RuleState::halted);
    EXPECT_EQ(view().error->code, "event_too_large");
    q.set(R"("payload_bytes_max":400)").ok();
    q.post("/queue/v1/rules/sales/resume", "{}").ok();
    turn();
    EXPECT_EQ(view().tasks, 3u);
}

TEST_F(Rules, PagesAfterPages) {
    for (int i = 0; i < 1203; ++i) sell(i);
    rule().ok(201);
    q.tick(), q.run_effects();
    EXPECT_EQ(view().tasks, 500u);
    EXPECT_EQ(view().state, RuleState::behind);
    EXPECT_EQ(view().behind, 703u);
    turn();
    EXPECT_EQ(view().tasks, 1203u);
}

TEST_F(Rules, ASourceThatLetsUsWaitIsAskedAgainAtOnce) {
    instead = [&](client::Request const& request) {
        EXPECT_NE(request.target.find("&wait=5s"), std::string::npos) << request.target;
        q.advance(Duration::seconds(5));
        return page("", "2es6q4x55avw9.9");
    };
    rule(R"("after":"2es6q4x55avw9.9")").ok(201);
    q.tick(), q.run_effects();
    EXPECT_GE(asked.size(), 5u) << "within one effect";
    EXPECT_LE(asked.size(), 12u) << "which ends in time";
    EXPECT_EQ(view().state, RuleState::caught_up);
}

TEST_F(Rules, WhatCantBeMeantIsRefused) {
    struct {
        char const* body;
        char const* code;
    } const rows[] = {
        {R"({"source":"/tracker","types":["a"],"queue":"q"})", "source_not_allowed"},
        {R"({"source":"tracker","types":["a"],"queue":"q"})", "rule_invalid"},
        {R"({"source":"http://far:80/shop","types":["a"],"queue":"q"})", "rule_invalid"},
        {R"({"source":"/queue","types":["put"],"queue":"q"})", "rule_invalid"},
        {R"({"source":"http://ann:pw@far/shop/v1/events","types":["a"],"queue":"q"})", "rule_invalid"},
        {R"({"source":"/shop","types":[],"queue":"q"})", "rule_invalid"},
        {R"({"source":"/shop","types":["a&b"],"queue":"q"})", "rule_invalid"},
        {R"({"source":"/shop","types":["a"],"queue":"q q"})", "queue_name_invalid"},
        {R"({"source":"/shop","types":["a"],"queue":"q","key_from":"data"})", "rule_invalid"},
        {R"({"source":"/shop","types":["a"],"queue":"q","tags":["x","x"]})", "tags_invalid"},
        {R"({"source":"/shop","types":["a"],"queue":"q","after":"yesterday"})", "rule_invalid"},
    };
    for (auto const& row : rows) q.call("PUT", "/queue/v1/rules/r", row.body).fails(422, row.code);
    rule("", "a b").fails(422, "rule_invalid");
    for (std::size_t i = 0; i < rules_max; ++i) rule("", fmt::format("r{}", i)).ok(201);
    rule("", "more").fails(409, "rules_full");
    rule("", "r7").ok().wrote_nothing();
}

TEST_F(Rules, StandInTheMetrics) {
    sell(1);
    rule().ok(201);
    turn();
    auto const told = Service::metrics(q.state(), q.clock().wall());
    auto const found = std::ranges::find(told, "gantry_queue_rule_state", &OwnMetric::name);
    ASSERT_NE(found, told.end());
    EXPECT_EQ(found->samples.at(0).labels.at(1).second, "caught_up");
}

}  // namespace
}  // namespace gantry::queue
