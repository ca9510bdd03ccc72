// gantry call, against a real server in this process.
#include <fmt/format.h>

#include <algorithm>
#include <mutex>

#include "app/cli_fixture_test.h"
#include "kernel/http/server.h"

namespace gantry::app {
namespace {

using Arguments = std::vector<std::string>;

// Answers by path, and tells what was asked.
class Answers final : public http::Handler {
   public:
    http::BodyPlan plan(http::RequestHead const&) override { return http::BodyPlan::whole(); }
    void handle(http::Exchange& ex) override {
        auto const& head = ex.head();
        std::string const path(head.path);
        {
            std::lock_guard lock(mutex_);
            asked_ = fmt::format("{} {}{}{} {} | {}", http::method_name(head.method), path, head.query.empty() ? "" : "?", head.query,
                                 head.header("content-type"), ex.body());
            mark_ = std::string(head.header("x-mark")), accept_ = std::string(head.header("accept"));
        }
        if (path == "/problem") return ex.response().begin(404).header("Content-Type", "application/problem+json").body(problem);
        if (path == "/plain") return ex.response().begin(500).header("Content-Type", "text/plain").body("out of order\n");
        if (path == "/empty") return ex.response().begin(204).header("X-Seen", "yes").body("");
        if (path == "/lines") {
            auto out = ex.response().begin(200).header("Content-Type", "text/event-stream").stream();
            for (int i = 0; i < 1000; ++i) out.write(fmt::format("data: {}\n\n", i));
            return out.end();
        }
        ex.response().begin(200).header("Content-Type", "application/json").body(R"({"a":[1,2]})");
    }
    static constexpr std::string_view problem =
        R"({"type":"about:blank","title":"Not Found","status":404,"detail":"there is no such note","code":"note_not_found",)"
        R"("instance":"q_7","oops_id":"oops_1","errors":[{"pointer":"/title","detail":"too long"},{"pointer":"","detail":"too much"}]})";
    std::string asked() {
        std::lock_guard lock(mutex_);
        return asked_;
    }
    std::string mark() {
        std::lock_guard lock(mutex_);
        return mark_;
    }
    std::string accept() {
        std::lock_guard lock(mutex_);
        return accept_;
    }

   private:
    std::mutex mutex_;
    std::string asked_, mark_, accept_;
};

class CallTest : public testing::Test {
   protected:
    CallTest() {
        auto port = server_.listen({});
        EXPECT_TRUE(port);
        url_ = fmt::format("http://127.0.0.1:{}", port.value_or(0));
    }
    Ran call(Arguments arguments, std::string_view in = {}) {
        arguments.insert(arguments.begin(), {"call", "--server", url_});
        return gantry(arguments, in);
    }
    Answers answers_;
    net::IoThreads threads_{1};
    http::Server server_{threads_, answers_};
    std::string url_;
    Directory dir;
};

TEST_F(CallTest, GetPrintsTheAnswerAsItCame) {
    auto ran = call({"GET", "/notes/v1?limit=2&q=a%20b"});
    EXPECT_EQ(ran.code, exit_ok);
    EXPECT_EQ(ran.out, R"({"a":[1,2]})");
    EXPECT_EQ(ran.err, "");
    EXPECT_EQ(answers_.asked(), "GET /notes/v1?limit=2&q=a%20b  | ");
    EXPECT_EQ(call({"get", "/notes/v1", "--json"}).out, R"({"a":[1,2]})");
    EXPECT_EQ(answers_.asked(), "GET /notes/v1  | ");
}

TEST_F(CallTest, ABodyComesFromTheArgumentAFileOrStandardInput) {
    EXPECT_EQ(call({"POST", "/notes/v1", R"({"title":"x"})"}).code, exit_ok);
    EXPECT_EQ(answers_.asked(), R"(POST /notes/v1 application/json | {"title":"x"})");
    auto file = dir.write("body.json", R"({"title":"file"})");
    EXPECT_EQ(call({"put", "/notes/v1", "@" + file}).code, exit_ok);
    EXPECT_EQ(answers_.asked(), R"(PUT /notes/v1 application/json | {"title":"file"})");
    EXPECT_EQ(call({"POST", "/notes/v1", "-"}, R"({"title":"pipe"})").code, exit_ok);
    EXPECT_EQ(answers_.asked(), R"(POST /notes/v1 application/json | {"title":"pipe"})");
    auto lines = dir.write("body.ndjson", "{}\n{}\n");
    EXPECT_EQ(call({"POST", "/notes/v1", "@" + lines}).code, exit_ok);
    EXPECT_EQ(answers_.asked(), "POST /notes/v1 application/x-ndjson | {}\n{}\n");
    EXPECT_EQ(call({"POST", "/notes/v1", "plain", "-H", "content-type: text/plain", "-H", "X-Mark:  7"}).code, exit_ok);
    EXPECT_EQ(answers_.asked(), "POST /notes/v1 text/plain | plain");
    EXPECT_EQ(answers_.mark(), "7");
    EXPECT_EQ(call({"DELETE", "/notes/v1/n_1"}).code, exit_ok);
    EXPECT_EQ(answers_.asked(), "DELETE /notes/v1/n_1  | ");
}

TEST_F(CallTest, AFileThatIsNotThereIsSaidAndNothingIsAsked) {
    auto ran = call({"POST", "/notes/v1", "@" + (dir / "none")});
    EXPECT_EQ(ran.code, exit_failed);
    EXPECT_TRUE(has(ran.err, "none: No such file or directory")) << ran.err;
    EXPECT_EQ(answers_.asked(), "");
    auto directory = call({"POST", "/notes/v1", "@" + dir.path()});
    EXPECT_EQ(directory.code, exit_failed);
    EXPECT_TRUE(has(directory.err, dir.path() + ": Is a directory")) << directory.err;
    EXPECT_EQ(answers_.asked(), "");
}

TEST_F(CallTest, AProblemIsReadableAndFails) {
    auto ran = call({"GET", "/problem"});
    EXPECT_EQ(ran.code, exit_failed);
    EXPECT_EQ(ran.out, "");
    EXPECT_EQ(ran.err,
              "gantry: 404 note_not_found: there is no such note\n"
              "  /title: too long\n"
              "  (the whole body): too much\n"
              "  request: q_7\n"
              "  error report: oops_1\n");
    auto json = call({"GET", "/problem", "--json"});
    EXPECT_EQ(json.code, exit_failed);
    EXPECT_EQ(json.out, std::string(Answers::problem) + "\n");
    EXPECT_EQ(json.err, "");
    auto plain = call({"GET", "/plain"});
    EXPECT_EQ(plain.code, exit_failed);
    EXPECT_TRUE(has(plain.err, "500 out of order")) << plain.err;
}

TEST_F(CallTest, HeadersAreShownBesideTheBody) {
    auto ran = call({"GET", "/empty", "-i"});
    EXPECT_EQ(ran.code, exit_ok);
    EXPECT_EQ(ran.out, "");
    EXPECT_TRUE(ran.err.starts_with("204\n")) << ran.err;
    EXPECT_TRUE(has(ran.err, "X-Seen: yes\n") || has(ran.err, "x-seen: yes\n")) << ran.err;
}

TEST_F(CallTest, AStreamIsPrintedAsItComes) {
    auto ran = call({"GET", "/lines", "--stream"});
    EXPECT_EQ(ran.code, exit_ok) << ran.err;
    EXPECT_EQ(answers_.accept(), "text/event-stream");
    EXPECT_EQ(std::ranges::count(ran.out, '\n'), 2000);
    EXPECT_TRUE(ran.out.ends_with("data: 999\n\n"));
}

TEST_F(CallTest, WhatIsWrongWithTheLineIsUsage) {
    for (auto const& wrong : {Arguments{"GET", "notes"}, {"GET", "/", "-H", "no colon"}, {"GET", "/", "-H", ": empty"}}) {
        auto ran = call(wrong);
        EXPECT_EQ(ran.code, exit_usage);
        EXPECT_TRUE(has(ran.err, "expected ")) << ran.err;
    }
    EXPECT_EQ(answers_.asked(), "");
    EXPECT_EQ(gantry({"call", "--server", "nonsense://x", "GET", "/"}).code, exit_usage);
}

TEST_F(CallTest, NoServerIsItsOwnExitCode) {
    server_.stop(Duration::seconds(1));
    auto ran = call({"POST", "/notes/v1", "{}", "--timeout", "2"});
    EXPECT_EQ(ran.code, exit_unreachable);
    EXPECT_EQ(ran.out, "");
    EXPECT_TRUE(has(ran.err, url_)) << ran.err;
}

}  // namespace
}  // namespace gantry::app
