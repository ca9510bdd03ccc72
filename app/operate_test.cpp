// gantry status, drain and why, and the calls of an operator to a server that asks who calls.
#include <fmt/format.h>

#include "app/serving_fixture_test.h"
#include "kernel/auth/callers_file.h"
#include "kernel/auth/jwt_signer_for_test.h"
#include "kernel/codec/json.h"
#include "kernel/http/gantry/client.h"
#include "kernel/http/server.h"
#include "kernel/log/disk.h"
#include "kernel/runtime/notes_for_test.h"

namespace gantry::app {
namespace {

class OperateTest : public ServingTest {
   protected:
    ~OperateTest() override { stop(); }
    void start() { serve({runtime::declare<notes::Service>()}); }
    void with_callers() {
        auto made = auth::add_credential({}, "ci", {.scopes = {{"notes:*"}}}, {}, system_clock().wall(), random_);
        token_ = made->secret;
        auto& disk = log::system_disk();
        ASSERT_TRUE(disk.make_directories(dir_ / "data/main"));
        ASSERT_TRUE(log::write_file_durably(disk, dir_ / "data/main/callers.json", made->text, log::Open::create_private));
    }
    // As on the machine where the data lies.
    Ran here(std::vector<std::string> arguments) {
        ::setenv("GANTRY_SERVER_DATA", std::string(dir_ / "data").c_str(), 1);
        auto ran = gantry(arguments);
        ::unsetenv("GANTRY_SERVER_DATA");
        return ran;
    }
    client::Reply create(std::string_view title, client::Headers headers = {}) {
        client::Session session(url_);
        headers.emplace_back("Content-Type", "application/json");
        return session.send(
            {.method = "POST", .target = "/notes/v1", .headers = headers, .body = fmt::format(R"({{"title":"{}"}})", title)});
    }
    SeededRandom random_{1};
    std::string token_;
};

TEST_F(OperateTest, StatusTellsOfEachService) {
    start();
    create("Plan");
    auto ran = here({"status"});
    EXPECT_EQ(ran.code, exit_ok) << ran.err;
    for (auto* part : {"main", "notes", "ready", "REQUESTS", "up "}) EXPECT_TRUE(has(ran.out, part)) << part << " in " << ran.out;
    auto json = here({"status", "--json"});
    EXPECT_TRUE(has(json.out, R"("name":"notes","state":"ready")")) << json.out;
    create("boom");
    EXPECT_TRUE(has(here({"status"}).out, "reports.d")) << "what to look at is said";
    stop();
    EXPECT_EQ(gantry({"status", "--server", url_}).code, exit_unreachable);
}

TEST_F(OperateTest, ADrainedServerIsNotReadyAndGoesOnAnswering) {
    start();
    client::Session session(url_);
    EXPECT_EQ(session.get("/health/ready").status, 200);
    auto ran = here({"drain", "--wait", "5s"});
    EXPECT_EQ(ran.code, exit_ok) << ran.err;
    EXPECT_TRUE(has(ran.out, "/health/ready answers 503")) << ran.out;
    EXPECT_EQ(session.get("/health/ready").status, 503);
    EXPECT_TRUE(has(session.get("/health/ready").body, "draining"));
    EXPECT_EQ(session.get("/health/live").status, 200);
    EXPECT_EQ(create("still").status, 200);
    EXPECT_TRUE(has(session.get("/health/drain").body, R"("draining":true)"));
    EXPECT_EQ(here({"drain", "--undo"}).code, exit_ok);
    EXPECT_EQ(session.get("/health/ready").status, 200);
    EXPECT_EQ(here({"drain", "--wait", "soon"}).code, exit_usage);
}

TEST_F(OperateTest, WhyLeadsFromARequestToWhatItRecorded) {
    start();
    create("Plan", {{"X-Request-Id", "mine-1"}});
    auto ran = here({"why", "mine-1"});
    EXPECT_EQ(ran.code, exit_ok) << ran.err;
    EXPECT_TRUE(has(ran.out, "notes 1 command: created, by u_local, request mine-1  <- asked for")) << ran.out;
    EXPECT_EQ(here({"why", "mine-2"}).code, exit_failed);
    auto const failed = create("boom", {{"X-Request-Id", "mine-3"}});
    auto const at = failed.body.find("OOPS-");
    auto const report = failed.body.substr(at, failed.body.find('"', at) - at);
    Ran told;
    for (int i = 0; i < 500 && !has(told.out, "internal_error"); ++i) told = here({"why", report});  // it is written soon after
    EXPECT_TRUE(has(told.out, "POST / failed with internal_error")) << report << told.out << told.err;
    EXPECT_TRUE(has(here({"why", report, "--json"}).out, R"("traces":[{)"));
}

TEST_F(OperateTest, TheOperatorOfThisMachineNeedsNoCredentialAndOthersDo) {
    with_callers();
    start();
    EXPECT_EQ(create("Plan").status, 401);
    EXPECT_EQ(create("Plan", {{"Authorization", "Bearer " + token_}}).status, 200);
    EXPECT_EQ(here({"status"}).code, exit_ok);
    auto elsewhere = gantry({"status", "--server", url_});
    EXPECT_EQ(elsewhere.code, exit_failed);
    EXPECT_TRUE(has(elsewhere.err, "gantry:read")) << elsewhere.err;
    auto const file = dir_.write("token", token_ + "\n");
    auto narrow = gantry({"status", "--server", url_, "--token-file", file});
    EXPECT_TRUE(has(narrow.err, "doesn't have")) << narrow.err;
    EXPECT_EQ(gantry({"call", "GET", "/notes/v1", "--server", url_, "--token-file", file}).code, exit_ok);
    EXPECT_EQ(gantry({"status", "--server", url_, "--token-file", dir_ / "none"}).code, exit_usage);
    client::Session session(url_);
    EXPECT_EQ(session.get("/metrics").status, 401);
    EXPECT_EQ(session.get("/health/drain").status, 200);
    EXPECT_EQ(session.post("/health/drain", "{}").status, 401) << "to look is for all, to change isn't";
}

TEST_F(OperateTest, WhatAuthChangesIsInEffectWhenItEnds) {
    with_callers();
    start();
    auto const mine = client::Headers{{"Authorization", "Bearer " + token_}};
    EXPECT_EQ(create("Plan", mine).status, 200);
    auto const added = gantry({"auth", "add", "bob", "--token", "--scope", "notes:*", "--data", dir_ / "data"});
    ASSERT_EQ(added.code, exit_ok) << added.err;
    EXPECT_EQ(create("Plan", {{"Authorization", "Bearer " + added.out.substr(0, added.out.find('\n'))}}).status, 200);
    ASSERT_EQ(gantry({"auth", "revoke", "ci", "--data", dir_ / "data"}).code, exit_ok);
    auto const refused = create("Plan", mine);
    EXPECT_EQ(refused.status, 401);
    EXPECT_TRUE(has(refused.body, "token_revoked")) << refused.body;
}

// An identity provider as OpenID Connect Discovery has it.
class Issuer final : public http::Handler {
   public:
    Issuer() : url("http://127.0.0.1:" + std::to_string(server_.listen({}).value_or(0))) {}
    ~Issuer() override { server_.stop(Duration::seconds(2)); }
    http::BodyPlan plan(http::RequestHead const&) override { return http::BodyPlan::none(); }
    void handle(http::Exchange& ex) override {
        bool const keys = ex.head().path == "/keys";
        ex.response().begin(200).header("Content-Type", "application/json").body(keys ? signer.jwks() : discovery());
    }
    std::string discovery() const { return fmt::format(R"({{"issuer":"{}","jwks_uri":"{}/keys"}})", url, url); }
    std::string token(std::string_view audience, std::int64_t lives_s, std::string_view scope) const {
        auto const now = system_clock().wall().us / 1'000'000;
        return signer.token(fmt::format(R"({{"iss":"{}","sub":"ann","aud":"{}","iat":{},"exp":{},"scope":"{}"}})", url, audience, now,
                                        now + lives_s, scope));
    }
    auth::JwtSigner signer{auth::JwtAlgorithm::es256};

   private:
    net::IoThreads threads_{1};
    http::Server server_{threads_, *this};

   public:
    std::string const url;
};

TEST_F(OperateTest, TokensOfAnIdentityProviderAreTaken) {
    Issuer issuer;
    front_.jwt_issuer = issuer.url, front_.jwt_audiences = {"gantry"}, front_.jwt_scopes_max = {"notes:*"};
    start();
    auto with = [&](std::string const& token) { return create("Plan", {{"Authorization", "Bearer " + token}}); };
    client::Reply first;
    for (int i = 0; i < 500 && first.status != 200; ++i)
        first = with(issuer.token("gantry", 60, "notes:write openid"));  // once its keys came
    EXPECT_EQ(first.status, 200) << first.body;
    EXPECT_TRUE(has(first.body, "u_ann")) << first.body;
    EXPECT_EQ(create("Plan").status, 401) << "nobody else is let in";
    EXPECT_TRUE(has(with(issuer.token("others", 60, "notes:write")).body, "jwt_audience_wrong"));
    EXPECT_TRUE(has(with(issuer.token("gantry", -600, "notes:write")).body, "jwt_expired"));
    EXPECT_TRUE(has(with(issuer.token("gantry", 60, "notes:read")).body, "scope_missing"));
    auto const none = auth::base64url(R"({"alg":"none"})") + "." + auth::base64url(R"({"iss":"x","sub":"ann"})") + ".";
    EXPECT_EQ(with(none).status, 401);
    client::Session session(url_);
    session.set_bearer(issuer.token("gantry", 60, "gantry:read *"));
    EXPECT_EQ(session.get("/_gantry/v1/status").status, 403) << "scopes_max is the most that a token gives";
}

TEST_F(OperateTest, ServerJsonIsThereWhileItServesAndForItsOwnerAlone) {
    start();
    auto const path = dir_ / "data/server.json";
    struct stat found{};
    ASSERT_EQ(::stat(path.c_str(), &found), 0);
    EXPECT_EQ(found.st_mode & 0777, 0600u);
    stop();
    EXPECT_NE(::stat(path.c_str(), &found), 0);
}

TEST_F(OperateTest, ElsewhereThanLoopbackItDoesNotStartOpen) {
    runtime::ProcessOptions options;
    options.data_dir = dir_ / "data", options.listen.address = "0.0.0.0", options.services = {runtime::declare<notes::Service>()};
    auto refused = runtime::serve(options);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, "listen_refused");
    EXPECT_TRUE(has(refused.error().detail, "gantry auth add")) << refused.error().detail;
}

TEST_F(OperateTest, ACallersFileThatOthersCanReadStopsTheStart) {
    with_callers();
    ::chmod(std::string(dir_ / "data/main/callers.json").c_str(), 0644);
    runtime::ProcessOptions options;
    options.data_dir = dir_ / "data", options.services = {runtime::declare<notes::Service>()};
    auto refused = runtime::serve(options);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, "callers_exposed");
}

}  // namespace
}  // namespace gantry::app
