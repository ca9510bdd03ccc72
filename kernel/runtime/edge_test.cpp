#include "kernel/runtime/edge.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>

#include "kernel/codec/json.h"
#include "kernel/http/gantry/client.h"
#include "kernel/log/file/committer.h"
#include "kernel/log/file/file_log.h"
#include "kernel/runtime/notes_for_test.h"

namespace gantry::runtime {
namespace {

// The whole way: a real client, a real socket, the edge, the host and the file log on this machine's disk.
class EdgeTest : public ::testing::Test {
   protected:
    EdgeTest() : directory_(std::filesystem::temp_directory_path() / ("gantry_edge_" + std::to_string(getpid()))) {
        std::filesystem::remove_all(directory_);
        start();
    }
    ~EdgeTest() override {
        stop();
        std::filesystem::remove_all(directory_);
    }
    void start() {
        committer_ = std::make_unique<log::Committer>();
        auto log = log::FileLog::open(log::system_disk(), *committer_, directory_.string(), {},
                                      codec::encode_event_schema(codec::type_of<notes::Event>()), system_clock(), system_random());
        ASSERT_TRUE(log) << log.error().cause;
        log_ = std::move(*log);
        host_ = std::make_unique<Host>(declare<notes::Service>(), Host::Parts{*log_, system_clock(), system_random()});
        auto started = host_->start();
        ASSERT_TRUE(started) << started.error().detail;
        edge_ = std::make_unique<Edge>(std::vector<Host*>{host_.get()});
        threads_ = std::make_unique<net::IoThreads>(2);
        server_ = std::make_unique<http::Server>(*threads_, *edge_);
        auto port = server_->listen({});
        ASSERT_TRUE(port) << port.error().detail;
        url_ = "http://127.0.0.1:" + std::to_string(*port);
    }
    void stop() {
        server_->stop(Duration::seconds(2));
        server_.reset(), threads_.reset(), edge_.reset();
        EXPECT_TRUE(log_->close());
        host_.reset(), log_.reset(), committer_.reset();
    }
    std::filesystem::path directory_;
    std::string url_;
    std::unique_ptr<log::Committer> committer_;
    std::unique_ptr<log::FileLog> log_;
    std::unique_ptr<Host> host_;
    std::unique_ptr<Edge> edge_;
    std::unique_ptr<net::IoThreads> threads_;
    std::unique_ptr<http::Server> server_;
};

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
