#include "kernel/runtime/edge_fixture_test.h"

namespace gantry::runtime {
namespace {

TEST_F(EdgeTest, ACommandIsDurableOverARestartAndReadsRevalidate) {
    client::Session session(url_);
    auto created = session.post("/notes/v1", R"({"title":"Plan"})");
    ASSERT_EQ(created.status, 200) << created.body;
    auto note = codec::from_json<notes::Note>(created.body);
    ASSERT_TRUE(note);
    EXPECT_EQ(note->owner, Str("u_local"));
    EXPECT_TRUE(created.header("Gantry-Position").ends_with(".1")) << created.header("Gantry-Position");
    auto path = "/notes/v1/" + note->id.str();
    auto digest = host_->digest();
    stop();
    start();
    EXPECT_EQ(host_->digest(), digest);
    client::Session again(url_);
    auto shown = again.get(path);
    ASSERT_EQ(shown.status, 200);
    EXPECT_EQ(shown.body, created.body);
    auto etag = std::string(shown.header("ETag"));
    again.set_header("If-None-Match", etag);
    auto unchanged = again.get(path);
    EXPECT_EQ(unchanged.status, 304);
    EXPECT_TRUE(unchanged.body.empty());
    EXPECT_EQ(again.del(path).status, 200);
    EXPECT_EQ(again.get(path).status, 200) << "the answer has changed";
}

TEST_F(EdgeTest, FaultsNameThePlaceAndRecordNothing) {
    client::Session session(url_);
    struct Row {
        std::string method, target, body;
        int status;
        std::string_view says;
    };
    for (auto const& row : std::vector<Row>{
             {"POST", "/notes/v1", R"({"titel":"x"})", 400, "title"},
             {"POST", "/notes/v1", R"({"title":""})", 400, "/title"},
             {"POST", "/notes/v1", "{", 400, "body_not_json"},
             {"POST", "/notes/v1", "", 400, "title"},
             {"GET", "/notes/v1?limt=5", "", 400, "did you mean 'limit'?"},
             {"GET", "/notes/v1?limit=1001", "", 400, "?limit"},
             {"GET", "/notes/v1/n_%zz", "", 400, "hexadecimal"},
             {"GET", "/notes/v1/x_1", "", 400, "{id}"},
             {"GET", "/notes/v1/n_none", "", 404, "note_not_found"},
             {"PUT", "/notes/v1", "{}", 405, "method_not_allowed"},
             {"GET", "/notes/v2", "", 404, "route_not_found"},
             {"GET", "/", "", 404, "route_not_found"},
         }) {
        client::Request request;
        request.method = row.method, request.target = row.target, request.body = row.body;
        request.headers = {{"Content-Type", "application/json"}};
        auto reply = session.send(request);
        EXPECT_EQ(reply.status, row.status) << row.method << ' ' << row.target << ' ' << reply.body;
        EXPECT_NE(reply.body.find(row.says), std::string::npos) << row.method << ' ' << row.target << ' ' << reply.body;
        EXPECT_EQ(reply.header("Content-Type"), "application/problem+json");
    }
    EXPECT_EQ(host_->applied(), 0u);
}
}  // namespace
}  // namespace gantry::runtime
