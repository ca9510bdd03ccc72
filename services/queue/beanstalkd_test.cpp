// Lines of beanstalkd's protocol, and what they come to. tests/beanstalkd asks the real one the same.
#include "services/queue/beanstalkd.h"

#include "services/queue/queue_test.h"

namespace gantry::queue::beanstalkd {
namespace {

using Kind = LineSaid::Kind;

struct Row {
    std::string line;
    Kind kind;
    std::string text;  // the answer, or the command
    std::uint64_t bytes = 0;
};
void check(std::vector<Row> const& rows) {
    Talk talk(LinePeer{"c1", "127.0.0.1"});
    for (auto const& row : rows) {
        auto const said = parse(talk, {row.line});
        EXPECT_EQ(int(said.kind()), int(row.kind)) << row.line;
        EXPECT_EQ(said.text(), row.text) << row.line;
        EXPECT_EQ(said.bytes(), row.bytes) << row.line;
    }
}
void all_are(std::string const& answer, std::vector<std::string> const& lines) {
    std::vector<Row> rows;
    for (auto const& line : lines) rows.push_back({line, Kind::reply, answer});
    check(rows);
}

TEST(Beanstalkd, WhatALineAsks) {
    check({
        {"put 1 2 3 4", Kind::body, "", 6},
        {"put  1   2 3 0", Kind::body, "", 2},
        {"put 4294967295 4294967295 4294967295 1048576", Kind::body, "", 1'048'578},
        {"put 0 0 1 1048577", Kind::swallow, "JOB_TOO_BIG\r\n", 1'048'579},
        {"put 0 0 1 4294967295 x", Kind::swallow, "JOB_TOO_BIG\r\n", 4'294'967'297},
        {"reserve", Kind::call, "reserve"},
        {"reserve-with-timeout 2147483647 whatever", Kind::call, "reserve-with-timeout"},
        {"reserve-job 18446744073709551615", Kind::call, "reserve-job"},
        {"delete  7", Kind::call, "delete"},
        {"release 7 1 0", Kind::call, "release"},
        {"bury 7 1", Kind::call, "bury"},
        {"touch 7", Kind::call, "touch"},
        {"kick 10", Kind::call, "kick"},
        {"kick -1 and more", Kind::call, "kick"},
        {"kick-job 7", Kind::call, "kick-job"},
        {"peek 7", Kind::call, "peek"},
        {"peek-ready", Kind::call, "peek-ready"},
        {"peek-delayed", Kind::call, "peek-delayed"},
        {"peek-buried", Kind::call, "peek-buried"},
        {"stats", Kind::call, "stats"},
        {"stats-job 7", Kind::call, "stats-job"},
        {"stats-tube a", Kind::call, "stats-tube"},
        {"list-tubes", Kind::call, "list-tubes"},
        {"pause-tube a 0", Kind::call, "pause-tube"},
        {"list-tube-used", Kind::reply, "USING default\r\n"},
        {"use (a)-b+c/d;e.f$g_h", Kind::reply, "USING (a)-b+c/d;e.f$g_h\r\n"},
        {"list-tube-used", Kind::reply, "USING (a)-b+c/d;e.f$g_h\r\n"},
        {"ignore default", Kind::reply, "NOT_IGNORED\r\n"},
        {"ignore nobody", Kind::reply, "WATCHING 1\r\n"},
        {"watch a", Kind::reply, "WATCHING 2\r\n"},
        {"watch a", Kind::reply, "WATCHING 2\r\n"},
        {"watch " + std::string(200, 'b'), Kind::reply, "WATCHING 3\r\n"},
        {"ignore " + std::string(200, 'b'), Kind::reply, "WATCHING 2\r\n"},
        {"ignore default", Kind::reply, "WATCHING 1\r\n"},
        {"list-tubes-watched", Kind::reply, "OK 8\r\n---\n- a\n\r\n"},
        {"quit", Kind::close, ""},
        {"quit and more", Kind::close, ""},
    });
}

TEST(Beanstalkd, WhatIsNoLine) {
    all_are("UNKNOWN_COMMAND\r\n",
            {"", " ", "x", "put", "PUT 0 0 1 1", "peek", "delete", "kick", "use", "watch", "touch", " stats", "release"});
    all_are("BAD_FORMAT\r\n", {"put ",
                               "put 0 0 1",
                               "put 0 0 1 ",
                               "put -1 0 1 1",
                               "put 0 -1 1 1",
                               "put 0 0 x 1",
                               "put 0 0 1 1 x",
                               "put 0 0 1 1 ",
                               "put 4294967296 0 1 1",
                               "put 0 4294967296 1 1",
                               "put 0 0 4294967296 1",
                               "put 0 0 1 4294967296",
                               "put 0\t0 1 1",
                               "reserve ",
                               "reserves",
                               "reserve-with-timeout",
                               "reserve-with-timeout 9223372036854775808",
                               "reserve-with-timeout -9223372036854775809",
                               "reserve-job",
                               "reserve-job x",
                               "delete x",
                               "delete 1 ",
                               "delete 1 2",
                               "delete 18446744073709551616",
                               "release 1 1",
                               "release 1 1 1 1",
                               "release 1 4294967296 1",
                               "bury 1",
                               "bury 1 1 1",
                               "touch 1x",
                               "kick ",
                               "kick x",
                               "kick 18446744073709551616",
                               "kick-job 1 ",
                               "peek x",
                               "peek-ready ",
                               "peek-delayedx",
                               "stats ",
                               "stats-job",
                               "stats-job x",
                               "stats-tube ",
                               "stats-tube",
                               "use ",
                               "use  a",
                               "use -a",
                               "use a b",
                               "use a:b",
                               "use \xc3\xa9",
                               "use " + std::string(201, 'a'),
                               "watch a!",
                               "ignore a,b",
                               "list-tubes ",
                               "list-tube-used x",
                               "list-tubes-watchedx",
                               "pause-tube",
                               "pause-tube a",
                               "pause-tube a -1",
                               "pause-tube -a 1",
                               "pause-tube a 4294967296",
                               "pause-tube a 1 1",
                               std::string("stats\0", 6)});
}

TEST(Beanstalkd, BodiesEndWithTheEndOfALine) {
    Talk talk(LinePeer{"c1", "127.0.0.1"});
    EXPECT_EQ(parse(talk, {"put 0 0 1 3", "abcde"}).text(), "EXPECTED_CRLF\r\n");
    EXPECT_EQ(parse(talk, {"put 0 0 1 3", "abc\n\r"}).text(), "EXPECTED_CRLF\r\n");
    auto const said = parse(talk, {"put 7 8 0 3", "a\r\n\r\n"});
    ASSERT_EQ(int(said.kind()), int(Kind::call));
    PutJob input;
    said.copy_input(&input);
    EXPECT_EQ(input.tube, "default");
    EXPECT_EQ(input.body.data, "a\r\n");
    EXPECT_EQ(std::tuple(input.priority, input.delay_s, input.ttr_s), std::tuple(7u, 8u, 1u));
}

TEST(Beanstalkd, ATimeIsReadAsCReadsNumbers) {
    std::vector<std::pair<std::string, std::optional<std::uint32_t>>> const rows{
        {"5", 5},
        {"", 0},
        {" x", 0},
        {"-", 0},
        {"+7x", 7},
        {"-1", std::nullopt},
        {"2147483647", 2147483647},
        {"2147483648", std::nullopt},
        {"4294967296", 0},
        {"4294967297", 1},
    };
    for (auto const& [text, timeout_s] : rows) {
        Talk talk(LinePeer{"c1", "127.0.0.1"});
        auto const said = parse(talk, {"reserve-with-timeout " + text});
        ASSERT_EQ(int(said.kind()), int(Kind::call)) << text;
        ReserveJob input;
        said.copy_input(&input);
        EXPECT_EQ(input.timeout_s, timeout_s) << text;
    }
}

// Commands, decided upon the state and recorded.
class Tubes : public Queue {
   public:
    template <class Reply, class Input>
    Result<Reply> ask(Result<Emit<Reply, Event>> (*decide)(State const&, Input const&, Ctx const&), std::type_identity_t<Input> const& in) {
        TRY_ASSIGN(auto out, decide(state(), in, context()));
        wait_ = out.wait;
        for (auto const& event : out.events) std::visit([&](auto const& e) { given(e); }, event);
        return out.reply;
    }
    template <class Reply, class Input>
    Result<Reply> see(Result<Reply> (*read)(State const&, Input const&, Ctx const&), std::type_identity_t<Input> const& in) {
        return read(state(), in, context());
    }
    std::uint64_t put(std::uint32_t priority = 0, std::uint32_t delay_s = 0, std::uint32_t ttr_s = 10, std::string const& tube = "t") {
        return ask(&put_job, {Str(tube), Bytes{"x"}, priority, delay_s, ttr_s})->id;
    }
    FoundReserve reserve(std::optional<std::uint32_t> timeout_s = 0, std::vector<std::uint64_t> held = {}) {
        return *ask(&reserve_job, {Str("ann"), {Str("t")}, std::move(held), timeout_s});
    }
    Ctx context() { return {.viewer = viewer_, .now = clock().wall(), .random = random_, .may_wait = may_wait}; }
    JobStats job(std::uint64_t id) { return *see(&stats_job, {id}); }
    bool may_wait = false;
    std::optional<Wait> wait_;

   private:
    Viewer viewer_{Str("u_local"), true};
    SeededRandom random_{1};
};

TEST(Beanstalkd, AJobIsHeldByItsConnectionAlone) {
    Tubes q;
    auto const id = q.put();
    auto const found = q.reserve();
    EXPECT_EQ(found.job.id, id);
    EXPECT_EQ(found.held, std::vector{id});
    Worker const ann(Str("ann")), bob(Str("bob"));
    EXPECT_EQ(q.ask(&delete_job, {id, bob}).error().code, "task_not_found");
    EXPECT_EQ(q.ask(&release_job, {id, bob, 0, 0}).error().status, 404);
    EXPECT_EQ(q.ask(&bury_job, {id, bob, 0}).error().status, 404);
    EXPECT_EQ(q.ask(&touch_job, {id, bob}).error().status, 404);
    EXPECT_EQ(q.ask(&reserve_this, {id, bob, {}}).error().status, 404);
    EXPECT_TRUE(q.ask(&delete_job, {id, ann}));
    EXPECT_EQ(q.ask(&delete_job, {id, ann}).error().status, 404);
    EXPECT_EQ(q.view("t").done, 1u);
}

TEST(Beanstalkd, TheTtrOfAJobIsItsLease) {
    Tubes q;
    auto const id = q.put(0, 0, 10);
    q.reserve();
    EXPECT_EQ(q.job(id).left_s, 10);
    q.pass(Duration::seconds(9));
    EXPECT_EQ(q.reserve(0, {id}).outcome, Outcome::deadline_soon);
    EXPECT_TRUE(q.ask(&touch_job, {id, Str("ann")}));
    EXPECT_EQ(q.reserve(0, {id}).outcome, Outcome::timed_out);
    q.pass(Duration::seconds(10));
    EXPECT_EQ(q.job(id).state, "ready");
    EXPECT_EQ(q.job(id).timeouts, 1u);
    EXPECT_EQ(q.reserve(0, {id}).held, std::vector{id}) << "of the lease that ran out nothing is left";
    EXPECT_EQ(q.job(q.put(0, 0, 4'000'000'000)).ttr_s, 43'200) << "the longest lease";
}

TEST(Beanstalkd, AJobIsTriedWithoutLimit) {
    Tubes q;
    q.set(R"("attempts_max":2)", "t");
    auto const id = q.put(0, 0, 1);
    for (int i = 0; i < 5; ++i) {
        ASSERT_EQ(q.reserve().job.id, id);
        q.pass(Duration::seconds(11));  // `given` starts anew, and a lease holds for ten seconds after a start
    }
    EXPECT_EQ(q.job(id).state, "ready");
    EXPECT_EQ(std::pair(q.job(id).reserves, q.job(id).timeouts), std::pair(5u, 5u));
}

TEST(Beanstalkd, AReserveWaitsUntilItsTimeOrAWarning) {
    Tubes q;
    q.may_wait = true;
    auto const now = q.clock().wall();
    q.reserve(30);
    ASSERT_TRUE(q.wait_);
    EXPECT_EQ(q.wait_->until, now + Duration::seconds(30));
    q.reserve(0);
    EXPECT_FALSE(q.wait_);
    EXPECT_EQ(q.reserve(std::nullopt).outcome, Outcome::nothing);
    ASSERT_TRUE(q.wait_);
    EXPECT_GT(q.wait_->until, now + Duration::hours(24 * 365));
    auto const id = q.put(0, 0, 10);
    q.reserve();
    q.reserve(30, {id});
    ASSERT_TRUE(q.wait_);
    EXPECT_EQ(q.wait_->until, now + Duration::seconds(9));
}

TEST(Beanstalkd, WhatAConnectionHeldIsGivenBackWhenItGoes) {
    Tubes q;
    auto const a = q.put(), b = q.put();
    q.reserve(), q.reserve();
    EXPECT_TRUE(q.ask(&delete_job, {a, Str("ann")}));
    EXPECT_EQ(q.ask(&let_go, {Str("ann"), {a, b}})->count, 1u);
    EXPECT_EQ(q.job(b).state, "ready");
    EXPECT_EQ(q.job(b).releases, 0u) << "nobody released it";
    EXPECT_EQ(q.ask(&let_go, {Str("bob"), {b}})->count, 0u);
}

TEST(Beanstalkd, BuriedOnesFirstAndInTheirOrder) {
    Tubes q;
    auto const a = q.put(5), b = q.put(1), later = q.put(0, 100), sooner = q.put(0, 50);
    EXPECT_TRUE(q.ask(&reserve_this, {a, Str("ann"), {}}) && q.ask(&reserve_this, {b, Str("ann"), {}}));
    EXPECT_TRUE(q.ask(&bury_job, {a, Str("ann"), 9}));
    q.pass(Duration::seconds(1));
    EXPECT_TRUE(q.ask(&bury_job, {b, Str("ann"), 1}));
    EXPECT_EQ(q.see(&peek_tube, {Str("t"), TaskState::buried})->id, a);
    EXPECT_EQ(q.ask(&kick_tube, {Str("t"), 1})->count, 1u);
    EXPECT_EQ(q.job(a).state, "ready");
    EXPECT_EQ(q.job(a).priority, 9u);
    EXPECT_EQ(std::pair(q.job(a).buries, q.job(a).kicks), std::pair(1u, 1u));
    EXPECT_EQ(q.see(&peek_tube, {Str("t"), TaskState::buried})->id, b);
    EXPECT_EQ(q.ask(&kick_tube, {Str("t"), 100})->count, 1u);
    EXPECT_EQ(q.see(&peek_tube, {Str("t"), TaskState::delayed})->id, sooner);
    EXPECT_EQ(q.ask(&kick_tube, {Str("t"), 1})->count, 1u);
    EXPECT_EQ(q.job(sooner).state, "ready");
    EXPECT_EQ(q.job(later).state, "delayed");
    EXPECT_EQ(q.job(later).delay_s, 100);
    EXPECT_TRUE(q.ask(&kick_job, {later, {}}));
    EXPECT_EQ(q.ask(&kick_job, {later, {}}).error().status, 404) << "it is ready";
    EXPECT_EQ(q.ask(&kick_tube, {Str("nobody"), 1})->count, 0u);
}

TEST(Beanstalkd, CountsOfATubeAndOfAll) {
    Tubes q;
    q.put(1023), q.put(1024), q.put(0, 60), q.put(0, 0, 10, "u");
    q.reserve();
    auto const tube = q.see(&stats_tube, {Str("t"), false});
    EXPECT_EQ(tube->jobs.urgent, 0u);
    EXPECT_EQ(std::tuple(tube->jobs.ready, tube->jobs.reserved, tube->jobs.delayed, tube->jobs.put), std::tuple(1u, 1u, 1u, 3u));
    auto const all = q.see(&stats, {{"default", "z"}});
    EXPECT_EQ(std::tuple(all->jobs.urgent, all->jobs.ready, all->jobs.put, all->tubes), std::tuple(1u, 2u, 4u, 4u));
    EXPECT_EQ(q.see(&list_tubes, {{"z", "default"}})->tubes, (std::vector<std::string>{"default", "t", "u", "z"}));
    EXPECT_EQ(q.see(&stats_tube, {Str("nobody"), false}).error().status, 404);
    EXPECT_TRUE(q.see(&stats_tube, {Str("nobody"), true}));
}

TEST(Beanstalkd, APausedTubeGivesNothingForAWhile) {
    Tubes q;
    auto const id = q.put();
    EXPECT_TRUE(q.ask(&pause_tube, {Str("t"), 5, false}));
    EXPECT_EQ(q.reserve().outcome, Outcome::timed_out);
    q.advance(Duration::seconds(2));
    auto const tube = q.see(&stats_tube, {Str("t"), false});
    EXPECT_EQ(std::pair(tube->pause_s, tube->pause_left_s), std::pair(std::int64_t(5), std::int64_t(3)));
    q.pass(Duration::seconds(3));
    EXPECT_EQ(q.reserve().job.id, id);
    EXPECT_EQ(q.ask(&pause_tube, {Str("nobody"), 5, false}).error().code, "queue_not_found");
}

TEST(Beanstalkd, RefusalsInItsWords) {
    Talk talk(LinePeer{"c1", "127.0.0.1"});
    auto const word = [&](int status) { return refused(talk, "put", {status, "x", "x"}); };
    for (int status : {404, 409, 410}) EXPECT_EQ(word(status), "NOT_FOUND\r\n");
    for (int status : {429, 503, 507}) EXPECT_EQ(word(status), "OUT_OF_MEMORY\r\n");
    for (int status : {400, 422}) EXPECT_EQ(word(status), "BAD_FORMAT\r\n");
    for (int status : {401, 403, 500}) EXPECT_EQ(word(status), "INTERNAL_ERROR\r\n");
    EXPECT_EQ(word(413), "JOB_TOO_BIG\r\n");
}

}  // namespace
}  // namespace gantry::queue::beanstalkd
