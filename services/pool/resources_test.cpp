// Types and resources, and what an administrator does to them.
#include "services/pool/pool_test.h"

namespace gantry::pool {
namespace {

TEST(Types, AreMadeChangedAndRemoved) {
    Bench b;
    b.put_type("vm", R"({"quota":3,"lease_ms":1000})");
    b.call("PUT", "/pool/v1/types/vm", R"({"quota":4})").ok().has(R"("quota":4)").has(R"("lease_ms":1000)");
    b.call("PUT", "/pool/v1/types/vm", R"({"quota":4})").ok().wrote_nothing();
    b.add("v1", "vm").ok(201);
    b.call("DELETE", "/pool/v1/types/vm").fails(409, "type_used");
    b.call("DELETE", "/pool/v1/resources/v1").ok();
    b.call("DELETE", "/pool/v1/types/vm").ok();
    b.get("/pool/v1/types/vm").fails(404, "type_not_found");
    b.get("/pool/v1/types").ok().has(R"("items":[])");
    b.put_type("vm");
    b.put_type("ppa");
    auto const page = b.get("/pool/v1/types?limit=1").ok().has(R"("type":"vm")").lacks(R"("type":"ppa")");
    b.get("/pool/v1/types?limit=1&cursor=" + page.next()).ok().has(R"("type":"ppa")");
}

TEST(Types, SettingsThatDontGoTogetherAreRefused) {
    Bench b;
    struct {
        char const* body;
        int status;
        char const* code;
    } const rows[] = {
        {R"({"lease_ms":0})", 400, "body_invalid"},
        {R"({"quota":-1})", 400, "body_invalid"},
        {R"({"cleaning":"soap"})", 400, "body_invalid"},
        {R"({"verification":"hook"})", 422, "type_invalid"},
        {R"({"verification":"worker","cleaning":"none"})", 422, "type_invalid"},
        {R"({"verify_url":"file:///etc/passwd"})", 422, "type_invalid"},
        {R"({"inventory_url":"/queue/v1/queues"})", 422, "type_invalid"},
        {R"({"min":2,"max":1,"make_url":"http://make.example/"})", 422, "type_invalid"},
        {R"({"max":1})", 422, "type_invalid"},
        {R"({"states":[{"name":"a","to":["b"]}]})", 422, "type_invalid"},
        {R"({"states":[{"name":"a","to":["free"]}]})", 422, "type_invalid"},
        {R"({"states":[{"name":"a","to":[]},{"name":"a","to":[]}]})", 422, "type_invalid"},
        {R"({"clean_queue":"wash up"})", 422, "type_invalid"},
        {R"({"lease":1})", 400, "body_invalid"},
    };
    for (auto const& row : rows) b.call("PUT", "/pool/v1/types/vm", row.body).fails(row.status, row.code);
}

TEST(Resources, AreAddedOnceChangedAndRemoved) {
    Bench b;
    b.put_type("vm");
    b.add("v1", "vm", R"("labels":{"a":"b"},"numbers":{"n":1.5},"data":[1, 2])").ok(201).has(R"("data":[1,2])");
    b.add("v1", "vm", R"("labels":{"a":"b"},"numbers":{"n":1.5},"data":[1,2])").ok().wrote_nothing();
    b.add("v1", "vm").fails(409, "resource_exists");
    b.call("PATCH", "/pool/v1/resources/v1", R"({"labels":{"a":"c"}})").ok().has(R"("a":"c")").has(R"("n":1.5)");
    b.call("PATCH", "/pool/v1/resources/v1", R"({"labels":{"a":"c"}})").ok().wrote_nothing();
    b.call("PATCH", "/pool/v1/resources/v1", R"({"data":{}})").ok().lacks("[1,2]");
    b.add("x", "none").fails(404, "type_not_found");
    b.add("x", "vm", R"("state":"in_use")").fails(422, "state_unknown");
    b.add("x", "vm", R"("state":"lost")").fails(422, "state_unknown");
    b.add("x", "vm", fmt::format(R"("data":"{}")", std::string(16 * 1024, 'x'))).fails(422, "resource_invalid");
    b.add("x", "vm", R"("labels":{"":"b"})").fails(422, "resource_invalid");
    b.add("", "vm").fails(400, "body_invalid");
    b.held("t1", "vm");
    b.call("DELETE", "/pool/v1/resources/v1").fails(409, "resource_held");
    b.get("/pool/v1/resources/x").fails(404, "resource_not_found");
    for (auto const* what : {"quarantine", "drain", "free", "clean"})
        b.post(std::string("/pool/v1/resources/x/") + what, "{}").fails(404, "resource_not_found");
}

TEST(Resources, AreListedByTypeStateLabelAndHolder) {
    Bench b;
    b.put_type("vm"), b.put_type("ppa");
    b.add_many("vm", 3), b.add("p1", "ppa", R"("labels":{"a":"b"})").ok(201);
    b.held("t1", "vm", R"("names":["vm-2"])", R"("owner":"ann")");
    b.get("/pool/v1/resources?type=vm&state=free").ok().has("vm-1").has("vm-3").lacks("vm-2").lacks("p1");
    b.get("/pool/v1/resources?owner=ann").ok().has("vm-2").lacks("vm-1");
    b.get("/pool/v1/resources?label=a%3Db").ok().has("p1").lacks("vm-1");
    b.get("/pool/v1/resources?type=none").ok().has(R"("items":[])");
    b.get("/pool/v1/resources?state=none").ok().has(R"("items":[])");
    auto const page = b.get("/pool/v1/resources?limit=2").ok().has("vm-2").lacks("vm-3").has(R"("complete":false)");
    b.get("/pool/v1/resources?limit=2&cursor=" + page.next()).ok().has("vm-3").has("p1").has(R"("complete":true)");
    b.get("/pool/v1/resources?cursor=x").fails(400, "cursor_invalid");
}

TEST(Resources, AreHeldBackForATimeAndAReason) {
    Bench b;
    b.put_type("vm");
    b.add_many("vm", 1);
    b.post("/pool/v1/resources/vm-1/hold", R"({"hold_ms":60000,"reason":"I look at it","owner":"ann"})").ok().has(R"("state":"reserved")");
    b.acquire("t1", "vm").ok(202);
    b.get("/pool/v1/resources/vm-1").ok().has(R"("by":"ann")").has("I look at it").has(R"("until":"2026-01-01T12:01:00Z")");
    b.pass(Duration::seconds(60));
    EXPECT_EQ(b.given("t1").size(), 1u);
    b.post("/pool/v1/resources/vm-1/hold", R"({"hold_ms":60000,"reason":"x"})").fails(409, "resource_held");
    b.post("/pool/v1/resources/vm-1/hold", R"({"hold_ms":60000})").fails(400, "body_invalid");
}

TEST(Resources, AreStolenWithANewFence) {
    Bench b;
    b.put_type("vm");
    b.add_many("vm", 2);
    auto const old = b.as("ann").held("t1", "vm", R"("count":2)");
    auto const stolen =
        b.as("root").post("/pool/v1/resources/vm-2/steal", R"({"ticket":"now","owner":"bob","reason":"release day"})").ok().as<LeaseView>();
    EXPECT_GT(stolen.fence, old.fence);
    EXPECT_EQ(b.given("t1"), std::vector<std::string>{"vm-1"});
    EXPECT_EQ(b.given("now"), std::vector<std::string>{"vm-2"});
    b.post("/pool/v1/resources/vm-1/steal", R"({"ticket":"now","reason":"more"})").fails(409, "ticket_differs");
    b.as("ann").release(old, R"({"resources":["vm-2"]})").fails(409, "resource_not_held");
    b.get("/pool/v1/resources/vm-2/history").ok().has(R"("what":"stolen")").has("release day");
}

TEST(Resources, AreDrainedWhenTheyComeBack) {
    Bench b;
    b.put_type("vm", R"({"cleaning":"none"})");
    b.add_many("vm", 1);
    auto const lease = b.held("t1", "vm");
    b.post("/pool/v1/resources/vm-1/drain", R"({"reason":"old"})").ok().has(R"("drained":true)");
    b.heartbeat(lease).ok();
    b.release(lease).ok();
    b.acquire("t2", "vm").ok(202);
    b.get("/pool/v1/resources?drained=true").ok().has("vm-1");
    b.post("/pool/v1/resources/vm-1/drain", R"({"on":false})").ok();
    b.tick();
    EXPECT_EQ(b.given("t2").size(), 1u);
}

TEST(Forecast, SaysWhenNothingIsLeft) {
    Bench b;
    b.put_type("vm", R"({"cleaning":"none","lease_ms":86400000})");
    b.add_many("vm", 6);
    b.get("/pool/v1/forecast/vm").ok().has(R"("days":0)").has(R"("hours":[])");
    b.get("/pool/v1/forecast/none").fails(404, "type_not_found");
    // Each day at one four are taken, and come back at nine.
    for (int day = 0; day < 2; ++day) {
        b.pass(Duration::hours(1));
        auto const lease = b.held(fmt::format("t{}", day), "vm", R"("count":4)");
        b.pass(Duration::hours(8));
        b.release(lease).ok();
        b.pass(Duration::hours(15));
    }
    auto told = b.get("/pool/v1/forecast/vm").ok().as<Forecast>();
    EXPECT_EQ(told.days, 2u);
    EXPECT_FALSE(told.exhausted_at);
    EXPECT_EQ(told.hours.at(1).free, 2.0);
    EXPECT_EQ(told.hours.at(9).free, 6.0);
    b.held("more", "vm", R"("count":3)");
    told = b.get("/pool/v1/forecast/vm").ok().as<Forecast>();
    ASSERT_TRUE(told.exhausted_at);
    EXPECT_EQ(*told.exhausted_at, noon + Duration::hours(49));
}

}  // namespace
}  // namespace gantry::pool
