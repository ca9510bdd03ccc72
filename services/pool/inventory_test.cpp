// The inventory hook: what comes back when the log is lost, and what is not believed. A small HTTP server stands for the outside.
#include "services/pool/hook_server_test.h"
#include "services/pool/pool_test.h"

namespace gantry::pool {
namespace {

class InventoryBench : public ::testing::Test {
   protected:
    InventoryBench() {
        b.outside([this](client::Request request) -> client::Reply {
            if (request.target.starts_with('/')) return {.status = 200, .body = R"({"id":"t_1"})"};
            request.total_timeout_ms = timeout_ms;
            return client::Session("", {.retries = 0}).send(std::move(request));
        });
        b.put_type("ppa", fmt::format(R"({{"inventory_url":"{}","states":[{{"name":"frozen","to":["dirty"]}}]}})", server.url()));
    }
    // What the hook says, and what the type tells of it afterwards.
    Bench::Said sync(std::string said) {
        answer = std::move(said);
        b.post("/pool/v1/types/ppa/inventory/sync", "{}").ok(202);
        b.run_effects();
        return b.get("/pool/v1/types/ppa").ok();
    }
    std::string answer;
    std::int64_t timeout_ms = 20'000;
    HookServer server{[this](std::string const&) { return answer; }};
    Bench b;
};

TEST_F(InventoryBench, WithTheLogLostWhoHoldsWhatComesBack) {
    sync(HookServer::ok(R"([
        {"name":"ci_pool-001","state":"in_use","owner":"ticket 3","touched_at":"2026-01-01T11:00:00Z","ticket":"t3","fence":900},
        {"name":"ci_pool-002","state":"in_use","owner":"ticket 3","ticket":"t3","fence":900},
        {"name":"ci_pool-003","state":"free","owner":null,"labels":{"series":"noble"},"numbers":{"size":2}},
        {"name":"ci_pool-004","state":"cleaning","owner":"worker"},
        {"name":"ci_pool-005","state":"frozen"}])"))
        .has(R"("told":5,"taken":5)");
    EXPECT_EQ(b.given("t3"), (std::vector<std::string>{"ci_pool-001", "ci_pool-002"}));
    EXPECT_EQ(b.state_of("ci_pool-003"), "free");
    EXPECT_EQ(b.state_of("ci_pool-004"), "dirty");
    EXPECT_EQ(b.state_of("ci_pool-005"), "frozen");
    EXPECT_GT(b.resource("ci_pool-001").fence, 900u) << "above what the outside saw";
    EXPECT_GT(b.held("t4", "ppa", R"("labels":{"series":"noble"})").fence, 900u);
    // The holder asks again with its ticket, and has its lease.
    auto const lease = b.as("ticket 3").held("t3", "ppa", R"("count":2)");
    b.heartbeat(lease).ok();
    b.release(lease).ok();
}

TEST_F(InventoryBench, WhatThePoolKnowsStandsAndTheDifferenceIsCounted) {
    b.add("p1", "ppa").ok(201), b.add("p2", "ppa").ok(201), b.add("p3", "ppa").ok(201);
    b.held("t1", "ppa", R"("names":["p1"])", R"("owner":"ann")");
    sync(HookServer::ok(R"([{"name":"p1","state":"in_use","owner":"bob"},{"name":"p2","state":"free"},{"name":"p4","state":"retired"}])"))
        .has(R"("told":3,"taken":1,"differ":1,"missing":1)");
    b.get("/pool/v1/resources/p1").ok().has(R"("owner":"ann")");
}

TEST_F(InventoryBench, WhatIsNoInventoryIsToldAndTakenForNothing) {
    std::string const long_one = "[" + std::string(10 << 20, ' ') + "]";
    struct {
        std::string answer;
        char const* code;
        char const* detail;
    } const rows[] = {
        {HookServer::ok("<html><h1>It works!</h1></html>", "text/html"), "hook_answer_invalid", "it looks like HTML"},
        {HookServer::ok(R"({"items":[]})"), "hook_answer_invalid", "expected a list, found an object"},
        {HookServer::ok(R"([{"name":"p1","state":"free"},)"), "hook_answer_invalid", ""},
        {HookServer::ok(R"([{"name":7,"state":"free"}])"), "hook_answer_invalid", "/0/name: expected text, found a number"},
        {HookServer::ok(fmt::format(R"([{{"name":"{}","state":"free"}}])", std::string(161, 'x'))), "hook_answer_invalid", "/0/name"},
        {HookServer::ok(R"([{"name":"p1","state":"free"},{"name":"p2"}])"), "hook_answer_invalid", "/1/state: expected text"},
        {HookServer::ok(R"([{"name":"p1","state":"free","labels":["x"]}])"), "hook_answer_invalid", "/0/labels: expected an object"},
        {HookServer::ok(R"([{"name":"p1","state":"free","touched_at":"yesterday"}])"), "hook_answer_invalid", "/0/touched_at"},
        {HookServer::ok(R"([{"name":"p1","state":"free","fence":-1}])"), "hook_answer_invalid", "/0/fence"},
        {HookServer::ok(R"([{"name":"p1","state":"melted"}])"), "inventory_unbelievable", "the type has no state"},
        {HookServer::ok(R"([{"name":"p1","state":"free"},{"name":"p1","state":"dirty"}])"), "inventory_unbelievable", "is told twice"},
        {HookServer::ok(R"([{"name":"p1","state":"in_use"}])"), "inventory_unbelievable", "nobody has it"},
        {HookServer::ok(long_one), "hook_answer_long", "more than"},
        {"HTTP/1.1 500 No\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", "effect_refused", "the target answered 500"},
        {"nonsense\r\n\r\n", "effect_unanswered", "gave no answer"},
    };
    for (auto const& row : rows) {
        auto told = sync(row.answer);
        EXPECT_EQ(told.json_at("/inventory/code"), row.code) << row.answer.substr(0, 200);
        EXPECT_NE(told.json_at("/inventory/detail").find(row.detail), std::string::npos) << told.json_at("/inventory/detail");
        b.get("/pool/v1/resources").ok().has(R"("items":[])");
    }
    sync(HookServer::ok("[]")).lacks("code");
}

TEST_F(InventoryBench, AHookThatHangsIsToldOf) {
    timeout_ms = 100;
    sync("").has("effect_unanswered").has("timeout");
}

TEST_F(InventoryBench, ATypeWithoutAHookHasNone) {
    b.put_type("vm");
    b.post("/pool/v1/types/vm/inventory/sync", "{}").fails(409, "inventory_none");
    b.post("/pool/v1/types/none/inventory/sync", "{}").fails(404, "type_not_found");
}

}  // namespace
}  // namespace gantry::pool
