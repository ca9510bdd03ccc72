// Requests that are signed as Amazon's clients do, through real sockets.
#include <algorithm>

#include "kernel/auth/aws_signature.h"
#include "kernel/auth/callers_file.h"
#include "kernel/auth/file_callers.h"
#include "kernel/http/test_server.h"
#include "kernel/log/memory/memory_log.h"
#include "kernel/runtime/gate.h"
#include "kernel/runtime/inbox_for_test.h"

namespace gantry::runtime {
namespace {

using http::body_of;
using http::status_of;

constexpr std::string_view target = "/notes/signed/a";

std::string_view scope_of(ForeignRequest const& request) { return request.body.starts_with("peek=") ? "notes:read" : "notes:write"; }
ForeignReply in_words(Problem const& problem, std::string_view content_type) {
    return {problem.status, "text/plain", std::string(content_type) + ": " + problem.code, {}};
}
Result<notes::Posted> parse_signed(ForeignRequest const& request) {
    TRY_ASSIGN(auto posted, notes::parse_post(request));
    posted.key = Str("k");
    return posted;
}

class Signed : public ::testing::Test {
   protected:
    ~Signed() override {
        if (server_) server_->stop(Duration::seconds(2));
        server_.reset(), gate_.reset(), edge_.reset();
    }
    void add(std::string_view name, std::vector<std::string> scopes, std::optional<auth::RateRow> rate = {}) {
        auth::CallerChange change;
        change.scopes = std::move(scopes), change.rate = rate;
        auto edited = auth::add_credential(text_, name, change, {}, system_clock().wall(), random_);
        ASSERT_TRUE(edited);
        text_ = edited->text;
    }
    void start() {
        callers_ = *auth::FileCallers::make(text_);
        Host::Parts parts{log_, system_clock(), random_};
        parts.hash_key.fill(7);
        parts.post = [this](int lane, std::move_only_function<void()> task) { server_->post(lane, std::move(task)); };
        auto decl = declare<notes::Service>();
        ForeignOptions options{.signed_for = "sqs"};
        options.scope_of = &scope_of, options.refused_as = &in_words;
        decl.routes.push_back(
            foreign<notes::Service>("POST", "/signed/{box}", &parse_signed, &notes::take, open_to_all, Doc{"Signed."}, options));
        host_ = std::make_unique<Host>(std::move(decl), std::move(parts));
        ASSERT_TRUE(host_->start());
        EdgeOptions edge;
        edge.threads = &threads_;
        edge_ = std::make_unique<Edge>(std::vector<Host*>{host_.get()}, edge);
        GateOptions gate;
        gate.threads = &threads_;
        gate_ = std::make_unique<Gate>(std::vector<GateSite>{{"main", edge_.get(), callers_.get()}}, std::move(gate));
        server_ = std::make_unique<http::Server>(threads_, *gate_);
        port_ = *server_->listen({});
    }
    std::string secret_of(std::string_view name) const { return codec::proof_of(host_->hash_key(), "sqs", name); }

    struct Signature {
        std::string name, secret, body, service = "sqs";
        Duration late = {};
        std::string sent = {};  // instead of the body that was signed
    };
    // "201 made in a by u_ann"
    std::string ask(Signature const& by) {
        auto time = format_time(system_clock().wall() - by.late).substr(0, 19) + "Z";
        std::erase_if(time, [](char c) { return c == '-' || c == ':'; });
        auth::AwsShown shown{.access_key = by.name, .date = time.substr(0, 8), .region = "eu-west-1", .service = by.service, .time = time};
        shown.headers = {"host", "x-amz-date"};
        std::vector<std::pair<std::string_view, std::string_view>> const headers{{"Host", "localhost"}, {"X-Amz-Date", time}};
        auth::AwsRequest const request{"POST", target, "", headers, by.body};
        auto const signature =
            auth::aws_signature_of(shown, auth::aws_canonical_request(shown, request, {.service = by.service}), by.secret);
        return told("X-Amz-Date: " + time + "\r\nAuthorization: AWS4-HMAC-SHA256 Credential=" + by.name + "/" + shown.date + "/eu-west-1/" +
                        by.service + "/aws4_request, SignedHeaders=host;x-amz-date, Signature=" + signature + "\r\n",
                    by.sent.empty() ? by.body : by.sent);
    }
    std::string told(std::string const& headers, std::string const& body) {
        auto const answer = http::RawClient(port_).exchange(http::post(target, body, headers + "Content-Type: text/plain\r\n"));
        return std::to_string(status_of(answer)) + " " + body_of(answer);
    }

    SeededRandom random_{1};
    std::string text_;
    log::MemoryLog log_{
        std::make_shared<log::MemoryStore>(), system_clock(), random_, {}, codec::encode_event_schema(codec::type_of<notes::Event>())};
    std::unique_ptr<auth::FileCallers> callers_;
    net::IoThreads threads_{2};
    std::unique_ptr<Host> host_;
    std::unique_ptr<Edge> edge_;
    std::unique_ptr<Gate> gate_;
    std::unique_ptr<http::Server> server_;
    std::uint16_t port_ = 0;
};

TEST_F(Signed, ByACallerTheyAreItsOwn) {
    add("ann", {"notes:*"}), add("bob", {"notes:read"});
    start();
    EXPECT_EQ(ask({"ann", secret_of("ann"), "title=x"}), "201 made in a by u_ann");
    EXPECT_EQ(ask({"bob", secret_of("bob"), "title=x"}), "403 text/plain: scope_missing");
    EXPECT_EQ(ask({"bob", secret_of("bob"), "peek=x"}), "201 made in a by u_bob") << "the scope goes by what is asked";
}

TEST_F(Signed, WhatIsNotProvedIsNobodys) {
    add("ann", {"notes:*"}), add("bob", {"notes:*"});
    start();
    EXPECT_EQ(ask({"ann", "not it", "title=x"}), "403 text/plain: aws_signature_wrong");
    EXPECT_EQ(ask({"ann", secret_of("bob"), "title=x"}), "403 text/plain: aws_signature_wrong");
    EXPECT_EQ(ask({"nobody", secret_of("nobody"), "title=x"}), "403 text/plain: aws_signature_wrong") << "as with a wrong secret";
    EXPECT_EQ(ask({.name = "ann", .secret = secret_of("ann"), .body = "title=x", .sent = "title=y"}),
              "403 text/plain: aws_signature_wrong");
    EXPECT_EQ(ask({"ann", secret_of("ann"), "title=x", "s3"}), "403 text/plain: aws_signature_wrong");
    EXPECT_EQ(told("", "title=x"), "401 text/plain: credentials_missing");
    EXPECT_EQ(told("Authorization: AWS4-HMAC-SHA256 Credential=ann\r\n", "title=x"), "400 text/plain: aws_signature_malformed");
    EXPECT_EQ(log_.status().durable, 0u);
}

TEST_F(Signed, AnOldOneIsRefused) {
    add("ann", {"notes:*"});
    start();
    EXPECT_EQ(ask({"ann", secret_of("ann"), "title=x", "sqs", Duration::seconds(16 * 60)}), "403 text/plain: aws_signature_expired");
    EXPECT_EQ(ask({"ann", secret_of("ann"), "title=x", "sqs", Duration::seconds(14 * 60)}), "201 made in a by u_ann");
}

TEST_F(Signed, WhoGuessesIsSlowedDownAndTakesNothingOfARate) {
    add("ann", {"notes:*"}, auth::RateRow{0.001, 1});
    start();
    for (int i = 0; i < 4; ++i) EXPECT_EQ(ask({"ann", "not it", "title=x"}), "403 text/plain: aws_signature_wrong");
    EXPECT_EQ(ask({"ann", secret_of("ann"), "title=x"}), "201 made in a by u_ann");
    EXPECT_EQ(ask({"ann", secret_of("ann"), "title=x"}), "429 text/plain: rate_exceeded");
    std::string last;
    for (int i = 0; i < 8; ++i) last = ask({"bob", "not it", "title=x"});
    EXPECT_EQ(last, "429 text/plain: too_many_failures");
}

TEST_F(Signed, OnTheOpenLoopbackAnySignatureWillDo) {
    start();
    EXPECT_EQ(ask({"whoever", "whatever", "title=x"}), "201 made in a by u_local");
    EXPECT_EQ(told("", "title=x"), "201 made in a by u_local");
}

}  // namespace
}  // namespace gantry::runtime
