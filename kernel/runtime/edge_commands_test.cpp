// Commands over HTTP: keys of idempotency, conditions, positions, bulk, failures.
#include "kernel/runtime/edge_fixture_test.h"

namespace gantry::runtime {
namespace {

using Commands = EdgeTest;

TEST_F(Commands, ARepeatWithItsKeyGetsTheSameBytesAndRecordsNothingEvenAfterARestart) {
    client::Headers key{{"Idempotency-Key", "k1"}};
    auto first = send("POST", "/notes/v1", R"({"title":"Plan"})", key);
    ASSERT_EQ(first.status, 200) << first.body;
    EXPECT_EQ(first.header("Gantry-Replayed"), "");
    EXPECT_NE(first.header("Gantry-Idempotency-Until"), "");
    auto again = send("POST", "/notes/v1", R"({"title":"Plan"})", key);
    EXPECT_EQ(again.body, first.body);
    EXPECT_EQ(again.header("Gantry-Replayed"), "true");
    EXPECT_EQ(again.header("Gantry-Position"), first.header("Gantry-Position"));
    stop(), start();
    auto later = send("POST", "/notes/v1", R"({"title":"Plan"})", key);
    EXPECT_EQ(later.body, first.body);
    EXPECT_EQ(later.header("Gantry-Replayed"), "true");
    EXPECT_EQ(host_->applied(), 1u);
}

TEST_F(Commands, AKeyIsOfOneRequestAlone) {
    client::Headers key{{"Idempotency-Key", "k1"}};
    auto id = create("a"), other = create("b");
    ASSERT_EQ(send("DELETE", "/notes/v1/" + id, "", key).status, 200);
    auto reused = send("DELETE", "/notes/v1/" + other, "", key);
    EXPECT_EQ(reused.status, 422);
    EXPECT_NE(reused.body.find("idempotency_key_reused"), std::string::npos);
    EXPECT_EQ(send("POST", "/notes/v1", R"({"title":"x"})", key).status, 422);
    EXPECT_EQ(send("POST", "/notes/v1", R"({"title":"x"})", {{"Idempotency-Key", std::string(256, 'k')}}).status, 400);
    EXPECT_EQ(send("POST", "/notes/v1", R"({"title":"x"})", {{"Idempotency-Key", std::string(255, 'k')}}).status, 200);
}

TEST_F(Commands, ARefusedCommandIsDecidedAnew) {
    client::Headers key{{"Idempotency-Key", "k1"}};
    EXPECT_EQ(send("DELETE", "/notes/v1/n_none", "", key).status, 404);
    EXPECT_EQ(send("DELETE", "/notes/v1/n_none", "", key).status, 404);
}

TEST_F(Commands, ASecretIsToldOnce) {
    client::Headers key{{"Idempotency-Key", "k1"}};
    auto first = send("POST", "/notes/v1/keys", R"({"title":"Plan"})", key);
    ASSERT_EQ(first.status, 200) << first.body;
    EXPECT_NE(first.body.find("told once"), std::string::npos);
    auto again = send("POST", "/notes/v1/keys", R"({"title":"Plan"})", key);
    EXPECT_EQ(again.status, 409);
    EXPECT_NE(again.body.find("secret_not_repeated"), std::string::npos);
    EXPECT_EQ(host_->applied(), 1u);
}

TEST_F(Commands, IfMatchHoldsTheVersionThatWasRead) {
    auto path = "/notes/v1/" + create("Plan");
    auto etag = std::string(send("GET", path).header("ETag"));
    EXPECT_EQ(send("PATCH", path, R"({"title":"Other"})", {{"If-Match", "\"0000000000000000\""}}).status, 412);
    EXPECT_EQ(send("PATCH", path, R"({"title":"Other"})", {{"If-Match", "W/" + etag}}).status, 412) << "a weak one never matches";
    EXPECT_EQ(host_->applied(), 1u);
    EXPECT_EQ(send("PATCH", path, R"({"title":"Other"})", {{"If-Match", "\"1\", " + etag}}).status, 200);
    EXPECT_EQ(send("PATCH", path, R"({"title":"Third"})", {{"If-Match", etag}}).status, 412) << "it has changed since";
    EXPECT_EQ(send("PATCH", path, R"({"title":"Third"})", {{"If-Match", "*"}}).status, 200);
    EXPECT_EQ(send("PATCH", "/notes/v1/n_none", R"({"title":"Third"})", {{"If-Match", "*"}}).status, 412);
    EXPECT_EQ(send("POST", "/notes/v1/keys", R"({"title":"x"})", {{"If-Match", "*"}}).status, 412) << "nothing is read there";
}

TEST_F(Commands, APathFieldComesFromThePathAlone) {
    auto id = create("Plan");
    EXPECT_EQ(send("PATCH", "/notes/v1/" + id, R"({"title":"Other"})").status, 200);
    auto both = send("PATCH", "/notes/v1/" + id, R"({"id":"n_x","title":"Other"})");
    EXPECT_EQ(both.status, 400);
    EXPECT_NE(both.body.find("by the path"), std::string::npos) << both.body;
    EXPECT_EQ(send("PATCH", "/notes/v1/" + id + "?title=x", R"({"title":"Other"})").status, 400);
}

TEST_F(Commands, GantryAfterWaitsForWhatIsThereAndRefusesWhatIsNot) {
    auto made = send("POST", "/notes/v1", R"({"title":"Plan"})");
    auto position = std::string(made.header("Gantry-Position"));
    EXPECT_EQ(send("GET", "/notes/v1", "", {{"Gantry-After", "notes=" + position}}).status, 200);
    auto incarnation = position.substr(0, position.find('.'));
    EXPECT_EQ(send("GET", "/notes/v1", "", {{"Gantry-After", "notes=0000000000000.1"}}).status, 410);
    for (auto const& wrong : std::vector<std::string>{"notes", "notes=", "notes=x", "other=" + position, "notes=" + incarnation + ".",
                                                      "notes=" + incarnation + ".x"})
        EXPECT_EQ(send("GET", "/notes/v1", "", {{"Gantry-After", wrong}}).status, 400) << wrong;
}

class ShortWait : public EdgeTest {
   protected:
    ShortWait() {
        stop();
        options_.after_wait_max = Duration::millis(200);
        start();
    }
};
TEST_F(ShortWait, GantryAfterEndsWhenItsTimeIsUpOrItsPositionComes) {
    auto position = std::string(send("POST", "/notes/v1", R"({"title":"Plan"})").header("Gantry-Position"));
    auto next = position.substr(0, position.find('.')) + ".2";
    client::Options once;
    once.retries = 0;
    client::Request early;
    early.target = "/notes/v1", early.headers = {{"Gantry-After", "notes=" + next}};
    auto late = client::Session(url_, once).send(early);
    EXPECT_EQ(late.status, 504);
    EXPECT_NE(late.body.find("position_not_reached"), std::string::npos);
    stop();
    options_.after_wait_max = Duration::seconds(60);
    start();
    client::Session session(url_);
    client::Request request;
    request.target = "/notes/v1", request.headers = {{"Gantry-After", "notes=" + next}};
    std::promise<client::Reply> told;
    session.send_async(request, [&](client::Reply reply) { told.set_value(std::move(reply)); });
    create("Second");
    auto reply = told.get_future().get();
    EXPECT_EQ(reply.status, 200);
    EXPECT_NE(reply.body.find("Second"), std::string::npos);
}

TEST_F(Commands, LinesAreCommandsWithTheirOwnResults) {
    auto reply = send("POST", "/notes/v1", "{\"title\":\"a\"}\r\n\n{\"title\":\"\"}\nnonsense\n  \n{\"title\":\"b\"}",
                      {{"Content-Type", "application/x-ndjson"}});
    ASSERT_EQ(reply.status, 200) << reply.body;
    std::vector<std::string> lines;
    for (std::size_t at = 0; at < reply.body.size();) {
        auto end = reply.body.find('\n', at);
        lines.push_back(reply.body.substr(at, end - at));
        at = end + 1;
    }
    ASSERT_EQ(lines.size(), 4u) << reply.body;
    EXPECT_TRUE(lines[0].starts_with(R"({"line":1,"status":200,"reply":{"id":)")) << lines[0];
    EXPECT_TRUE(lines[1].starts_with(R"({"line":3,"status":400,"problem":{)")) << lines[1];
    EXPECT_TRUE(lines[2].starts_with(R"({"line":4,"status":400,)")) << lines[2];
    EXPECT_TRUE(lines[3].starts_with(R"({"line":6,"status":200,)")) << lines[3];
    EXPECT_EQ(host_->applied(), 2u);
}

TEST_F(Commands, ManyLinesStreamWithBackpressureAndALongOneIsRefusedAlone) {
    std::string body;
    constexpr int count = 20'000;
    for (int i = 0; i < count; ++i) body += "{\"title\":\"note " + std::to_string(i) + "\"}\n";
    body += "{\"title\":\"" + std::string(1 << 20, 'x') + "\"}\n{\"title\":\"last\"}\n";
    auto reply = send("POST", "/notes/v1", body, {{"Content-Type", "application/x-ndjson"}, {"Idempotency-Key", "bulk"}});
    ASSERT_EQ(reply.status, 200);
    EXPECT_EQ(std::ranges::count(reply.body, '\n'), count + 2);
    EXPECT_NE(reply.body.find("{\"line\":20001,\"status\":413,"), std::string::npos);
    EXPECT_NE(reply.body.find("{\"line\":20002,\"status\":200,"), std::string::npos);
    EXPECT_EQ(host_->applied(), std::uint64_t(count + 1));
    auto again = send("POST", "/notes/v1", body, {{"Content-Type", "application/x-ndjson"}, {"Idempotency-Key", "bulk"}});
    EXPECT_EQ(host_->applied(), std::uint64_t(count + 1)) << "each line has a key of its own";
    EXPECT_NE(again.body.find(R"("replayed":true)"), std::string::npos);
}

TEST_F(Commands, ResultsWaitForTheEndOfTheBodyWhereAProxyWantsThat) {
    std::string body;
    constexpr int count = 20'000;
    for (int i = 0; i < count; ++i) body += "{\"title\":\"note " + std::to_string(i) + "\"}\n";
    auto reply = send("POST", "/notes/v1", body, {{"Content-Type", "application/x-ndjson"}, {"Gantry-Answer", "after-body"}});
    ASSERT_EQ(reply.status, 200);
    EXPECT_NE(reply.header("Content-Length"), "") << "in one piece";
    EXPECT_EQ(std::ranges::count(reply.body, '\n'), count);
    EXPECT_EQ(host_->applied(), std::uint64_t(count));
    EXPECT_EQ(send("POST", "/notes/v1", "", {{"Content-Type", "application/x-ndjson"}, {"Gantry-Answer", "after-body"}}).body, "");
}

TEST_F(Commands, ResultsThatWaitAreBounded) {
    std::string body;
    constexpr int count = 150'000;  // each result has more than 120 bytes
    for (int i = 0; i < count; ++i) body += "nonsense\n";
    auto reply = send("POST", "/notes/v1", body, {{"Content-Type", "application/x-ndjson"}, {"Gantry-Answer", "after-body"}});
    ASSERT_EQ(reply.status, 200);
    EXPECT_GT(reply.body.size(), std::size_t(16) << 20);
    EXPECT_LT(reply.body.size(), std::size_t(18) << 20) << "and what was in the works";
    auto const last = reply.body.substr(reply.body.rfind('\n', reply.body.size() - 2) + 1);
    EXPECT_NE(last.find(R"("code":"bulk_too_large")"), std::string::npos) << last;
    EXPECT_NE(last.find("\"line\":" + std::to_string(std::ranges::count(reply.body, '\n')) + ","), std::string::npos) << last;
}

TEST_F(Commands, AnArrayIsABulkToo) {
    auto reply = send("POST", "/notes/v1", R"([{"title":"a"},{"titel":"b"},{"title":"c"}])");
    ASSERT_EQ(reply.status, 200) << reply.body;
    EXPECT_TRUE(reply.body.starts_with(R"([{"index":0,"status":200,"reply":{"id":)")) << reply.body;
    EXPECT_NE(reply.body.find(R"({"index":1,"status":400,"problem":{)"), std::string::npos);
    EXPECT_NE(reply.body.find(R"({"index":2,"status":200,)"), std::string::npos);
    EXPECT_EQ(host_->applied(), 2u);
    EXPECT_EQ(send("POST", "/notes/v1", "[]").body, "[]");
    EXPECT_EQ(send("POST", "/notes/v1", R"([{"title":"a"})").status, 400);
    EXPECT_EQ(send("POST", "/notes/v1", R"([{"title":"a"}] x)").status, 400);
    EXPECT_EQ(send("POST", "/notes/v1/keys", R"([{"title":"a"}])").status, 400) << "not a bulk route";
    EXPECT_EQ(host_->applied(), 2u);
}

TEST_F(Commands, AFailureOfOursLeavesAReportAndSaysItsId) {
    auto failed = send("POST", "/notes/v1", R"({"title":"boom"})", {{"X-Request-Id", "mine-1"}});
    EXPECT_EQ(failed.status, 500);
    EXPECT_EQ(failed.header("X-Request-Id"), "mine-1");
    EXPECT_NE(failed.body.find(R"("instance":"mine-1")"), std::string::npos) << failed.body;
    EXPECT_EQ(failed.body.find("a decision that fails"), std::string::npos) << "the cause is the operator's";
    auto const at = failed.body.find("OOPS-");
    auto const id = failed.body.substr(at, failed.body.find('"', at) - at);
    EXPECT_EQ(failed.header("X-Oops-Id"), id);
    std::ifstream file(directory_ / "reports" / (id + ".json"));
    std::string report((std::istreambuf_iterator<char>(file)), {});
    EXPECT_NE(report.find("a decision that fails"), std::string::npos) << id << report;
    EXPECT_NE(report.find(R"("input":{"title":"boom"})"), std::string::npos) << report;
    EXPECT_NE(report.find(R"("request_id":"mine-1")"), std::string::npos) << report;
    EXPECT_NE(report.find(R"("exception":{"type":"std::runtime_error","message":"a decision that fails"})"), std::string::npos) << report;
#if !__has_feature(address_sanitizer) && !__has_feature(thread_sanitizer)  // they keep the throwing to themselves
    EXPECT_NE(report.find("gantry::notes::create("), std::string::npos) << report;
#endif
    EXPECT_NE(report.find(R"("headers":[{"name":"Host")"), std::string::npos) << report;
    EXPECT_EQ(send("POST", "/notes/v1", R"({"title":"poison"})").status, 500);
    EXPECT_EQ(send("POST", "/notes/v1", R"({"title":"fine"})").status, 200);
}

TEST_F(Commands, ABodyHasALimitFromBothSides) {
    std::string head = "{\"title\":\"ok\"", tail = "}";
    auto body = [&](std::size_t size) { return head + std::string(size - head.size() - tail.size(), ' ') + tail; };
    EXPECT_EQ(send("POST", "/notes/v1", body(options_.body_bytes_max)).status, 200);
    EXPECT_EQ(send("POST", "/notes/v1", body(options_.body_bytes_max + 1)).status, 413);
}

}  // namespace
}  // namespace gantry::runtime
