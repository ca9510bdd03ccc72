#include "kernel/runtime/flags.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "kernel/codec/json.h"
#include "kernel/log/faulty/simulated_disk.h"

namespace gantry::runtime {
namespace {

constexpr std::string_view file = "data/main/flags.ndjson";

class FlagsTest : public testing::Test {
   protected:
    FlagsTest() {
        EXPECT_TRUE(disk_.make_directories("data/main"));
        restart();
    }
    void restart() {
        flags_.reset();
        auto opened = Flags::open({disk_,
                                   clock_,
                                   std::string(file),
                                   {{"rows", "integer", "Rows of a page.", "20", "ann"},
                                    {"old", "boolean", "Was new.", "", "bob", clock_.wall() - Duration::days(1)}},
                                   "moon"});
        ASSERT_TRUE(opened) << opened.error().cause;
        flags_ = std::move(*opened), routes_ = flag_routes(*flags_, [](Admin::Asked const&) { return "u_ann"; });
    }
    // The JSON of a route, by its path as an operator writes it, or "400 code /fault".
    std::string call(http::Method method, std::string path, std::string body = "") {
        Admin::Asked asked{.body = std::move(body)};
        auto const question = std::min(path.find('?'), path.size());
        asked.query = path.substr(std::min(question + 1, path.size())), path.resize(question);
        for (auto const& route : routes_) {
            bool const open = route.path.ends_with('/') && path.starts_with(route.path);
            if (route.method != method || !(open || route.path == path)) continue;
            if (open) asked.rest = path.substr(route.path.size());
            auto answer = route.run(asked);
            if (answer) return *answer;  // the JSON
            auto const& p = answer.error();
            return fmt::format("{} {}{}", p.status, p.code, p.faults.empty() ? "" : " " + p.faults[0].pointer);
        }
        return "no route";
    }
    std::string put(std::string const& body) { return call(http::Method::Put, "flags", body); }
    std::string set_rows(std::string const& value, std::string const& more = "") {
        return put(R"({"comment":"why not","flags":[{"flag":"rows","rules":[{"scope":"default","priority":1,"value":")" + value + "\"}]}]" +
                   more + "}");
    }
    std::int64_t rows() const { return flags_->set().integer("rows", {"u_bob"}); }
    ManualClock clock_;
    log::SimulatedDisk disk_;
    std::unique_ptr<Flags> flags_;
    std::vector<Admin::Route> routes_;
};

TEST_F(FlagsTest, AChangeIsInEffectDurableAndTold) {
    EXPECT_EQ(rows(), 20);
    auto const at = format_time(clock_.wall());
    EXPECT_EQ(set_rows("50"), R"({"version":1,"at":")" + at +
                                  R"(","who":"u_ann","comment":"why not","flags":[{"flag":"rows","before":[],)"
                                  R"("after":[{"scope":"default","priority":1,"value":"50"}]}]})");
    EXPECT_EQ(rows(), 50);
    disk_.crash(), restart();
    EXPECT_EQ(rows(), 50);
    EXPECT_EQ(call(http::Method::Get, "flags/rows"),
              R"({"version":1,"flag":{"name":"rows","declared":true,"domain":"integer","doc":"Rows of a page.","default_value":"20",)"
              R"("owner":"ann",)"
              R"("expired":false,"read_undeclared":false,"rules":[{"scope":"default","priority":1,"value":"50"}]}})");
}

TEST_F(FlagsTest, WhatChangesNothingIsNoChange) {
    set_rows("50"), clock_.advance(Duration::hours(1));
    EXPECT_NE(set_rows("50").find(R"({"version":1,)"), std::string::npos);
    EXPECT_EQ(flags_->history().size(), 1u);
}

TEST_F(FlagsTest, SeveralFlagsChangeTogetherOrNotAtAll) {
    EXPECT_EQ(put(R"({"comment":"x","flags":[{"flag":"rows","rules":[{"scope":"default","priority":1,"value":"9"}]},)"
                  R"({"flag":"old","rules":[{"scope":"default","priority":1,"value":"perhaps"}]}]})"),
              "400 flag_rules_invalid /flags/1/rules/0/value");
    EXPECT_EQ(rows(), 20);
    EXPECT_EQ(put(R"({"comment":"x","flags":[{"flag":"rows","rules":[]},{"flag":"rows","rules":[]}]})"), "400 request_invalid");
    EXPECT_EQ(put(R"({"comment":"x"})"), "400 request_invalid");
    EXPECT_EQ(put(R"({"comment":"","flags":[]})"), "400 body_invalid /comment");
    EXPECT_EQ(put(R"({"comment":"x","undo":1,"flags":[{"flag":"rows","rules":[]}]})"), "400 request_invalid");
    EXPECT_EQ(flags_->version(), 0u);
    EXPECT_FALSE(disk_.exists(std::string(file)).value());
}

TEST_F(FlagsTest, AnotherVersionIsRefused) {
    set_rows("50");
    EXPECT_EQ(set_rows("60", R"(,"if_version":0)"), "412 precondition_failed");
    EXPECT_EQ(rows(), 50);
    set_rows("60", R"(,"if_version":1)");
    EXPECT_EQ(rows(), 60);
}

TEST_F(FlagsTest, HistoryAsOfAndUndo) {
    for (auto value : {"1", "2", "3"}) set_rows(value), clock_.advance(Duration::hours(1));
    auto const as_of = format_time(clock_.wall() - Duration::hours(2));
    EXPECT_NE(call(http::Method::Get, "flags?as_of=" + as_of).find(R"("value":"2"}]}]})"), std::string::npos);
    EXPECT_NE(call(http::Method::Get, "flags/rows?as_of=" + as_of).find(R"("value":"2")"), std::string::npos);
    EXPECT_EQ(put(R"({"comment":"x","undo":2})"), "409 flag_changed_since");
    EXPECT_EQ(put(R"({"comment":"x","undo":4})"), "404 flag_change_unknown");
    EXPECT_NE(put(R"({"comment":"was wrong","undo":3})").find(R"("version":4)"), std::string::npos);
    EXPECT_EQ(rows(), 2);
    restart();
    EXPECT_EQ(rows(), 2);
    EXPECT_EQ(flags_->history().back().undoes, 3u);
    EXPECT_NE(put(R"({"comment":"was right","undo":4})").find(R"("version":5)"), std::string::npos);
    EXPECT_EQ(rows(), 3);
    auto const page = call(http::Method::Get, "flags-history?limit=2");
    EXPECT_TRUE(page.starts_with(R"({"items":[{"version":5,)")) << page;
    EXPECT_TRUE(page.ends_with(R"("next":4,"complete":false})")) << page;
    auto const rest = call(http::Method::Get, "flags-history?limit=3&before=4");
    EXPECT_TRUE(rest.starts_with(R"({"items":[{"version":3,)") && rest.ends_with(R"("complete":true})")) << rest;
    EXPECT_EQ(call(http::Method::Get, "flags-history?flag=old"), R"({"items":[],"complete":true})");
    EXPECT_EQ(call(http::Method::Get, "flags-history?limit=0"), "400 request_invalid ?limit");
}

TEST_F(FlagsTest, AClockThatGoesBackKeepsTheOrder) {
    set_rows("1");
    auto const first = flags_->history()[0].at;
    clock_.set_wall(first - Duration::days(1));
    set_rows("2");
    EXPECT_EQ(flags_->history()[1].at, first);
}

TEST_F(FlagsTest, AFullOrBrokenDiskChangesNothing) {
    set_rows("1");
    int failures = 0;
    for (std::uint64_t n = 1;; ++n) {
        disk_.fail_at(n);
        auto const said = set_rows("2");
        disk_.fail_at(0);
        if (said.starts_with("{")) break;
        EXPECT_TRUE(said.starts_with("500 disk_failed") || said.starts_with("507 disk_full")) << said;
        EXPECT_EQ(rows(), 1) << n;
        EXPECT_EQ(flags_->version(), 1u);
        ++failures;
    }
    EXPECT_GE(failures, 3) << "write, sync, sync of the directory";
    set_rows("3");
    EXPECT_EQ(rows(), 3) << "it goes on when the disk does";
}

TEST_F(FlagsTest, ADamagedFileStopsTheStartWithThePlace) {
    set_rows("1");
    auto text = *log::read_file(disk_, std::string(file));
    ASSERT_TRUE(log::write_file_durably(disk_, std::string(file), text + "{\"version\":\n"));
    auto opened = Flags::open({disk_, clock_, std::string(file), {}, ""});
    ASSERT_FALSE(opened);
    EXPECT_EQ(opened.error().code, "flags_damaged");
    EXPECT_TRUE(opened.error().cause.starts_with("data/main/flags.ndjson, line 2: ")) << opened.error().cause;
}

TEST_F(FlagsTest, ADryRunSaysWhoWouldGetAnotherValue) {
    set_rows("5");
    auto const said = call(http::Method::Post, "flags-dry-run",
                           R"({"flags":[{"flag":"rows","rules":[{"scope":"default","priority":1,"value":"5"},)"
                           R"({"scope":"team:ops","priority":9,"value":"7"}]}],)"
                           R"("subjects":[{"user":"u_bob"},{"user":"u_eve","teams":["ops"]},{"teams":["ops"],"site":"main"}]})");
    EXPECT_EQ(said,
              R"({"subjects":3,"affected":[{"subject":1,"user":"u_eve","flag":"rows","before":"5","after":"7","before_scope":"default",)"
              R"("after_scope":"team:ops"},{"subject":2,"user":"","flag":"rows","before":"5","after":"7","before_scope":"default",)"
              R"("after_scope":"team:ops"}]})");
    EXPECT_EQ(flags_->set().integer("rows", {"u_eve", std::vector<std::string>{"ops"}}), 5);
    EXPECT_EQ(flags_->version(), 1u);
    EXPECT_EQ(call(http::Method::Post, "flags-dry-run", R"({"flags":[],"subjects":[]})"), "400 request_invalid");
}

TEST_F(FlagsTest, TheUndeclaredAndTheExpiredArePointedOut) {
    (void)flags_->set().on("secret_door", {});
    auto const all = call(http::Method::Get, "flags");
    EXPECT_NE(all.find(R"({"name":"secret_door","declared":false,"domain":"","doc":"","default_value":"","owner":"","expired":false,)"
                       R"("read_undeclared":true,"rules":[]})"),
              std::string::npos)
        << all;
    EXPECT_NE(all.find(R"("name":"old")"), std::string::npos);
    EXPECT_NE(all.find(R"("expired":true)"), std::string::npos);
    EXPECT_EQ(call(http::Method::Get, "flags/rowz"), "404 flag_unknown");
}

TEST_F(FlagsTest, TheNumberOfFlagsIsBounded) {
    auto const many = [&](std::size_t from, std::size_t n) {
        std::string body = R"({"comment":"x","flags":[)";
        for (std::size_t i = from; i < from + n; ++i)
            body += fmt::format(R"({}{{"flag":"f{}","rules":[{{"scope":"default","priority":1,"value":"x"}}]}})", i == from ? "" : ",", i);
        return put(body + "]}");
    };
    EXPECT_TRUE(many(0, Flags::flags_max).starts_with("{"));
    EXPECT_EQ(many(Flags::flags_max, 1), "507 flags_full");
    EXPECT_TRUE(many(0, 1).starts_with("{"));
    EXPECT_EQ(put(R"({"comment":")" + std::string(Flags::comment_bytes_max + 1, 'x') + R"(","flags":[{"flag":"f0","rules":[]}]})"),
              "400 body_invalid /comment");
    EXPECT_TRUE(
        put(R"({"comment":")" + std::string(Flags::comment_bytes_max, 'x') + R"(","flags":[{"flag":"f0","rules":[]}]})").starts_with("{"));
    EXPECT_TRUE(many(Flags::flags_max, 1).starts_with("{"));
}

}  // namespace
}  // namespace gantry::runtime
