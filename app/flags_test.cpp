// gantry flags, against the routes of a real server.
#include <fmt/format.h>

#include "app/cli_fixture_test.h"
#include "kernel/codec/json.h"
#include "kernel/http/server.h"
#include "kernel/runtime/flags.h"

namespace gantry::app {
namespace {

class FlagsCommandTest : public testing::Test, public http::Handler {
   protected:
    FlagsCommandTest() {
        auto opened =
            runtime::Flags::open({log::system_disk(),
                                  system_clock(),
                                  dir_ / "flags.ndjson",
                                  {{"rows", "integer", "Rows of a page.", "20", "ann"}, {"old", "boolean", "Was new.", "", "bob", Time{1}}},
                                  "moon"});
        EXPECT_TRUE(opened);
        flags_ = std::move(*opened);
        admin_.emplace(runtime::flag_routes(*flags_, [](auto const&) { return "u_ann"; }), [](auto task) { task(); });
        auto port = server_.listen({});
        EXPECT_TRUE(port);
        url_ = fmt::format("http://127.0.0.1:{}", port.value_or(0));
    }
    http::BodyPlan plan(http::RequestHead const&) override { return runtime::Admin::plan(); }
    void handle(http::Exchange& exchange) override { admin_->handle(exchange, *runtime::local_caller()); }
    Ran flags(std::vector<std::string> arguments) {
        arguments.insert(arguments.begin(), "flags");
        arguments.insert(arguments.end(), {"--server", url_});
        return gantry(arguments);
    }
    std::string done(std::vector<std::string> arguments) {
        auto ran = flags(std::move(arguments));
        EXPECT_EQ(ran.code, exit_ok) << ran.err;
        return ran.out;
    }
    Directory dir_;
    std::unique_ptr<runtime::Flags> flags_;
    std::optional<runtime::Admin> admin_;
    net::IoThreads threads_{1};
    http::Server server_{threads_, *this};
    std::string url_;
};

TEST_F(FlagsCommandTest, SetShowLogUndo) {
    EXPECT_EQ(done({"set", "rows", "50", "--comment", "larger screens"}), "change 1: rows; undo it with: gantry flags undo 1\n");
    EXPECT_EQ(done({"set", "rows", "9", "--scope", "user:u_bob", "--comment", "a small screen"}),
              "change 2: rows; undo it with: gantry flags undo 2\n");
    EXPECT_EQ(flags_->set().integer("rows", {"u_eve"}), 50);
    EXPECT_EQ(flags_->set().integer("rows", {"u_bob"}), 9);
    EXPECT_EQ(done({"set", "rows", "9", "--scope", "user:u_bob", "--comment", "again"}), "nothing changes\n");
    EXPECT_EQ(
        done({"show", "rows"}),
        "rows: Rows of a page.\ninteger; \"20\" where no rule is active; owner ann\n\nPRIORITY  SCOPE       VALUE\n10        user:u_bob  "
        "9\n0         default     50\n");
    auto const log = done({"log"});
    EXPECT_TRUE(has(log, " by u_ann: a small screen\n  rows\n    + 10 user:u_bob \"9\"\n1 ")) << log;
    EXPECT_EQ(done({"undo", "2", "--comment", "it was stolen"}), "change 3: rows; undo it with: gantry flags undo 3\n");
    EXPECT_EQ(flags_->set().integer("rows", {"u_bob"}), 50);
    EXPECT_TRUE(has(done({"log", "rows"}), "it was stolen (undoes 2)\n  rows\n    - 10 user:u_bob \"9\"\n"));
    EXPECT_EQ(done({"log", "old"}), "");
    EXPECT_EQ(done({"unset", "rows", "--comment", "back"}), "change 4: rows; undo it with: gantry flags undo 4\n");
    EXPECT_EQ(flags_->set().integer("rows", {"u_bob"}), 20);
    EXPECT_TRUE(has(done({"show", "rows"}), "\nno rules\n"));
    auto const first = format_time(flags_->history()[0].at);
    EXPECT_TRUE(has(done({"show", "rows", "--as-of", first}), "0         default  50\n"));
}

TEST_F(FlagsCommandTest, LsPointsOutWhatIsUndeclaredOrExpired) {
    (void)flags_->set().on("door", {});
    done({"set", "window", "open", "--comment", "why not"});
    auto const said = done({"ls"});
    EXPECT_TRUE(has(said, "door    -      0      -      -                            read by the code, declared nowhere\n")) << said;
    EXPECT_TRUE(has(said, "past its expiry\n")) << said;
    EXPECT_TRUE(has(said, "rows    20     0      ann    -                            \n")) << said;
    EXPECT_TRUE(has(said, "window  open   1      -      -                            no code declares it\n")) << said;
    EXPECT_TRUE(done({"ls", "--json"}).starts_with(R"({"version":1,"items":[{"name":"door","declared":false)"));
}

TEST_F(FlagsCommandTest, TryChangesNothing) {
    auto const said = done({"try", "rows", "7", "--scope", "team:ops", "--user", "u_bob", "--user", "u_eve", "--team", "ops"});
    EXPECT_EQ(said,
              "USER   BEFORE  AFTER  BY\nu_bob  20      7      team:ops\nu_eve  20      7      team:ops\n2 of 2 would get another value; "
              "nothing was "
              "changed\n");
    EXPECT_EQ(done({"try", "rows", "7", "--scope", "team:ops", "--user", "u_bob"}),
              "0 of 1 would get another value; nothing was changed\n");
    EXPECT_EQ(flags_->version(), 0u);
}

TEST_F(FlagsCommandTest, WhatIsWrongIsSaid) {
    auto wrong = flags({"set", "rows", "many", "--comment", "x"});
    EXPECT_EQ(wrong.code, exit_failed);
    EXPECT_TRUE(has(wrong.err, "expected an integer")) << wrong.err;
    auto none = flags({"unset", "rows", "--comment", "x"});
    EXPECT_EQ(none.code, exit_failed);
    EXPECT_TRUE(has(none.err, "rows has no rule for default")) << none.err;
    EXPECT_TRUE(has(flags({"show", "rowz"}).err, "did you mean rows?"));
    EXPECT_TRUE(has(flags({"undo", "9", "--comment", "x"}).err, "there is no change 9"));
    EXPECT_EQ(flags({"set", "rows", "1"}).code, exit_usage) << "without a comment";
    EXPECT_EQ(gantry({"flags", "ls", "--server", "http://127.0.0.1:1"}).code, exit_unreachable);
}

}  // namespace
}  // namespace gantry::app
