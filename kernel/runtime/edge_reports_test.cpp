// Every way in which a request fails through our fault: its report, and the id that its answer says.
#include <fmt/format.h>

#include "kernel/runtime/edge_fixture_test.h"

namespace gantry::runtime {
namespace {

using notes::State;

struct How {
    std::string id;
};
RECORD(How, id);

notes::NoteId drawn(Ctx const& cx) { return notes::NoteId(cx.fresh("n_")); }

Result<notes::Changed> fails(State const&, How const& in, Ctx const& cx) {
    if (in.id == "throws") throw std::logic_error("with " + drawn(cx).str());
    if (in.id == "odd") throw 17;
    return fail(502, "partner_wrong", "the partner answered nonsense");
}
Result<notes::Note> reads(State const&, How const& in, Ctx const&) {
    if (in.id == "throws") throw std::logic_error("a read that fails");
    return fail(404, "note_not_found", "there is no note with this id");
}

class EdgeReports : public EdgeTest {
   protected:
    EdgeReports() {
        stop();
        adjust_ = [](ServiceDecl& decl, Host::Parts&) {
            auto const write = Scope{"notes:write"}, read = Scope{"notes:read"};
            decl.routes.push_back(route<notes::Service>(V1, "POST", "/fails/{id}", &fails, write, Doc{"Fails."}));
            decl.routes.push_back(route<notes::Service>(V1, "GET", "/reads/{id}", &reads, read, Doc{"Fails."}));
        };
        start();
    }
    FailureReport report(client::Reply const& reply) {
        auto const id = std::string(reply.header("X-Oops-Id"));
        EXPECT_NE(reply.body.find("\"oops_id\":\"" + id + "\""), std::string::npos) << reply.status << reply.body;
        auto const json = reports_->find(id);
        EXPECT_TRUE(json) << id;
        auto read = codec::from_json<FailureReport>(json.value_or("{}"));
        EXPECT_TRUE(read) << read.error().detail;
        return read ? *read : FailureReport{};
    }
};

TEST_F(EdgeReports, AnExceptionOfADecision) {
    create("first");
    auto const failed = send("POST", "/notes/v1/fails/throws", "",
                             {{"Authorization", "Bearer s3cret"}, {"User-Agent", "a-test"}, {"X-Request-Id", "mine"}});
    EXPECT_EQ(failed.status, 500);
    auto const told = report(failed);
    EXPECT_EQ(told.kind, "request");
    EXPECT_EQ(told.service, "notes");
    EXPECT_EQ(told.route, "POST /fails/{id}");
    EXPECT_EQ(told.request_id, "mine");
    EXPECT_EQ(told.caller.id, "u_local");
    EXPECT_TRUE(told.caller.operates);
    EXPECT_EQ(told.exception->type, "std::logic_error");
    EXPECT_EQ(told.request.method, "POST");
    EXPECT_EQ(told.request.path, "/notes/v1/fails/throws");
    EXPECT_EQ(codec::to_json(told).find("s3cret"), std::string::npos);
    EXPECT_NE(codec::to_json(told.request.headers).find("a-test"), std::string::npos);
    ASSERT_TRUE(told.seen);
    EXPECT_EQ(told.seen->position, host_->position_text(1));
    EXPECT_EQ(told.seen->drawn_total, 1u) << "the id that it made";
    EXPECT_EQ(host_->failures(), 1u);
}

TEST_F(EdgeReports, WhatIsThrownNeedNotBeAnException) {
    auto const told = report(send("POST", "/notes/v1/fails/odd"));
    EXPECT_EQ(told.exception->type, "int");
    EXPECT_EQ(send("POST", "/notes/v1", R"({"title":"fine"})").status, 200) << "the service's lock was let go";
}

TEST_F(EdgeReports, AServerErrorThatADecisionAnswers) {
    auto const failed = send("POST", "/notes/v1/fails/else");
    EXPECT_EQ(failed.status, 502);
    auto const told = report(failed);
    EXPECT_EQ(told.code, "partner_wrong");
    EXPECT_FALSE(told.exception);
    EXPECT_EQ(told.stack_of, "report");
    EXPECT_EQ(host_->failures(), 0u) << "it isn't counted among the failures of our own";
}

TEST_F(EdgeReports, AReadAndOneOfThePast) {
    auto const told = report(send("GET", "/notes/v1/reads/throws"));
    EXPECT_EQ(told.route, "GET /reads/{id}");
    create("first"), create("second");
    auto const past = send("GET", "/notes/v1/reads/throws?as_of=" + host_->position_text(1));
    EXPECT_EQ(past.status, 500);
    auto const of_past = report(past);
    EXPECT_EQ(of_past.seen->position, host_->position_text(1));
    EXPECT_TRUE(send("GET", "/notes/v1/reads/none").header("X-Oops-Id").empty()) << "a 404 is no failure";
}

TEST_F(EdgeReports, ALineOfABulk) {
    auto const lines =
        send("POST", "/notes/v1", "{\"title\":\"boom\"}\n{\"title\":\"boom\"}\n", {{"Content-Type", "application/x-ndjson"}});
    auto const first = lines.body.find("OOPS-"), second = lines.body.find("OOPS-", first + 5);
    ASSERT_NE(second, std::string::npos) << lines.status << lines.body;
    EXPECT_TRUE(reports_->find(lines.body.substr(first, 37)));
    EXPECT_TRUE(reports_->find(lines.body.substr(second, 37)));
}

TEST_F(EdgeReports, WhatFailsOnItsWayToAService) {
    stop();
    options_.viewer = [](http::RequestHead const&) -> Result<Viewer> { throw std::runtime_error("no caller today"); };
    start();
    auto const failed = send("GET", "/notes/v1");
    EXPECT_EQ(failed.status, 500) << failed.body;
    auto const json = reports_->find(failed.header("X-Oops-Id"));
    ASSERT_TRUE(json);
    EXPECT_NE(json->find("no caller today"), std::string::npos) << *json;
}

TEST_F(EdgeReports, WhatIsWaitedForInVain) {
    stop();
    options_.after_wait_max = Duration::millis(10);
    start();
    auto const late = send("GET", "/notes/v1", "", {{"Gantry-After", fmt::format("notes={}", host_->position_text(1))}, {"X-Other", "1"}});
    EXPECT_EQ(late.status, 504);
    EXPECT_EQ(report(late).code, "position_not_reached");
}

}  // namespace
}  // namespace gantry::runtime
