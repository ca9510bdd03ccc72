#include "kernel/runtime/foreign.h"

#include "kernel/runtime/edge_fixture_test.h"
#include "kernel/runtime/inbox_for_test.h"

namespace gantry::runtime {
namespace {

using Form = std::vector<std::pair<std::string, std::string>>;

TEST(Foreign, FormsAreRead) {
    struct Row {
        std::string_view text;
        std::optional<Form> expected;
    };
    for (auto const& [text, expected] : std::initializer_list<Row>{{"", Form{}},
                                                                   {"a=1&b=2", Form{{"a", "1"}, {"b", "2"}}},
                                                                   {"a=1&&a=2&", Form{{"a", "1"}, {"a", "2"}}},
                                                                   {"a+b=c%20d%2B", Form{{"a b", "c d+"}}},
                                                                   {"flag", Form{{"flag", ""}}},
                                                                   {"a=b=c", Form{{"a", "b=c"}}},
                                                                   {"a=%4", std::nullopt},
                                                                   {"%zz=1", std::nullopt}})
        EXPECT_EQ(ForeignRequest::parse_form(text), expected) << text;
}

TEST(Foreign, WhatARequestShows) {
    std::vector<std::pair<std::string_view, std::string_view>> const headers{{"X-Key", "1"}, {"x-key", "2"}}, fields{{"box", "a%2Fb"}};
    ForeignRequest request{.verb = "GET", .query = "q=a+b&r", .headers = headers, .fields = fields};
    EXPECT_EQ(request.header("x-KEY"), "1");
    EXPECT_EQ(request.header("other"), "");
    EXPECT_EQ(request.field("box"), "a/b");
    EXPECT_EQ(request.field("other"), "");
    EXPECT_EQ(request.parameter("q"), "a b");
    EXPECT_EQ(request.parameter("r"), "");
    EXPECT_EQ(request.parameter("s"), std::nullopt);
    request.query = "q=%";
    EXPECT_EQ(request.parameter("q"), std::nullopt);
}

class ForeignTest : public EdgeTest {
   protected:
    ForeignTest() {
        stop();
        adjust_ = [](ServiceDecl& decl, Host::Parts&) {
            for (auto& route : notes::inbox_routes()) decl.routes.push_back(route);
        };
        start();
    }
    client::Reply post(std::string target, std::string body, client::Headers headers = {{"X-Key", "k"}}) {
        return send("POST", std::move(target), std::move(body), std::move(headers));
    }
};

TEST_F(ForeignTest, ACommandIsReadAndAnsweredInItsOwnWords) {
    auto const before = host_->durable();
    auto const made = post("/notes/inbox/a%20b", "title=one+two");
    EXPECT_EQ(made.status, 201) << made.body;
    EXPECT_EQ(made.body, "made in a b by u_local");
    EXPECT_EQ(made.header("Content-Type"), "text/plain");
    EXPECT_TRUE(made.header("X-Note").starts_with("n_"));
    EXPECT_EQ(host_->durable(), before + 1) << "it was durable when it was answered";
    EXPECT_NE(send("GET", "/notes/v1/" + std::string(made.header("X-Note"))).body.find("one two"), std::string::npos);
}

TEST_F(ForeignTest, ARefusalIsInItsWordsWhereItHasSome) {
    auto const refused = post("/notes/inbox/a", "title=x", {{"X-Key", "other"}});
    EXPECT_EQ(refused.status, 403);
    EXPECT_EQ(refused.body, "error=key_wrong");
    EXPECT_EQ(post("/notes/inbox/a", "").body, "error=form_invalid");
    auto const problem = post("/notes/keyed/a", "title=x", {{"X-Key", "other"}});
    EXPECT_EQ(problem.header("Content-Type"), "application/problem+json");
    EXPECT_NE(problem.body.find("key_wrong"), std::string::npos);
}

TEST_F(ForeignTest, AFailureIsAReport) {
    auto const failed = post("/notes/inbox/a", "title=boom");
    EXPECT_EQ(failed.status, 500);
    EXPECT_EQ(failed.body, "error=internal_error");
    EXPECT_TRUE(reports_->find(failed.header("X-Oops-Id"))) << failed.header("X-Oops-Id");
}

TEST_F(ForeignTest, AReadHasQueryParametersOfItsOwn) {
    auto const seen = send("GET", "/notes/inbox/a?as_of=quiet&other=1");
    EXPECT_EQ(seen.status, 200) << seen.body;
    EXPECT_EQ(seen.body, "box a");
    auto const sent = send("GET", "/notes/inbox/a?as_of=loud");
    EXPECT_EQ(sent.status, 302);
    EXPECT_EQ(sent.header("Location"), "/elsewhere");
    EXPECT_EQ(send("GET", "/notes/inbox/none").status, 404);
    EXPECT_EQ(send("DELETE", "/notes/inbox/none").status, 405);
}

TEST_F(ForeignTest, ABodyHasItsLimit) {
    EXPECT_EQ(post("/notes/inbox/a", "title=" + std::string(58, 'x')).status, 201);
    EXPECT_EQ(post("/notes/inbox/a", "title=" + std::string(59, 'x')).status, 413);
}

TEST_F(ForeignTest, TheDocumentIsOfOurOwnRoutes) {
    auto const document = send("GET", "/notes/v1/openapi.json");
    EXPECT_EQ(document.status, 200);
    EXPECT_EQ(document.body.find("inbox"), std::string::npos);
}

TEST_F(ForeignTest, WhatTakesItsTimeIsDoneOnAWorker) {
    net::IoThreads worker(1);
    std::atomic<bool> full = false;
    stop();
    options_.slow = [&](std::move_only_function<void()> task) { return !full && (worker.post(0, std::move(task)), true); };
    start();
    auto const before = host_->durable();
    auto const made = post("/notes/slow/a", "title=x");
    EXPECT_EQ(made.status, 201) << made.body;
    EXPECT_EQ(made.body, "worked on x for " + url_);
    EXPECT_EQ(host_->durable(), before + 1);
    auto const refused = post("/notes/slow/a", "title=x", {{"X-Key", "other"}});
    EXPECT_EQ(refused.status, 403);
    EXPECT_EQ(refused.body, "error=key_wrong");
    full = true;
    EXPECT_EQ(post("/notes/slow/a", "title=x").body, "error=overloaded");
    worker.stop();
}

TEST_F(ForeignTest, WithAKeyItIsDoneOnce) {
    client::Headers const headers{{"X-Key", "k"}, {"Idempotency-Key", "once"}};
    auto const first = post("/notes/inbox/a", "title=x", headers), again = post("/notes/inbox/a", "title=x", headers);
    EXPECT_EQ(first.status, 201);
    EXPECT_EQ(again.header("X-Note"), first.header("X-Note"));
    EXPECT_EQ(post("/notes/inbox/a", "title=y", headers).status, 422);
}

}  // namespace
}  // namespace gantry::runtime
