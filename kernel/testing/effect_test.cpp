// Effects of a service: done once their fact is durable, tried again, given up, and the operator's word on them.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <map>

#include "kernel/codec/json.h"
#include "kernel/testing/harness.h"

namespace gantry::letters {

using LetterId = Id<"l_">;
struct Written {
    LetterId id;
    Str to;
};
RECORD(Written, id, to);
struct Arrived {
    LetterId id;
    Str receipt;
};
RECORD(Arrived, id, receipt);
struct Returned {
    LetterId id;
    Str why;
};
RECORD(Returned, id, why);
struct SendLetter {
    LetterId letter;
    Personal<Str> to;
};
RECORD(SendLetter, letter, to);
struct RingBell {
    Str door;
};
RECORD(RingBell, door);
using Event = std::variant<Written, Arrived, Returned, Effect<SendLetter>, Effect<RingBell>, EffectOutcome>;

struct Letter {
    LetterId id;
    Str state;
};
RECORD(Letter, id, state);
struct State {
    Table<LetterId, Letter> letters;
    Outbox outbox;
    void apply(Written const& e) { letters.put(e.id, {e.id, "written"}); }
    void apply(Arrived const& e) {
        letters.change(e.id, [&](Letter& l) { l.state = "arrived " + e.receipt.str(); });
    }
    void apply(Returned const& e) {
        letters.change(e.id, [&](Letter& l) { l.state = "returned " + e.why.str(); });
    }
};
STATE(State, letters, outbox);

struct NewLetter {
    LetterId id;
    Str to;
};
RECORD(NewLetter, id, to);
struct ById {
    LetterId id;
};
RECORD(ById, id);
struct Receipt {
    Str number;
};

Result<Emit<Letter, Event>> write(State const& s, NewLetter const& in, Ctx const& cx) {
    if (s.letters.find(in.id)) return fail(409, "letter_there", "there is a letter with this id");
    Emit<Letter, Event> emit{{Written{in.id, in.to}}, Letter{in.id, "written"}};
    emit.events.push_back(Effect<SendLetter>{cx.fresh("e_"), {in.id, {in.to, cx.subject_of(in.to)}}});
    if (in.to == Str("bell")) emit.events.push_back(Effect<RingBell>{cx.fresh("e_"), {"front"}});
    return emit;
}
Result<Letter> show(State const& s, ById const& in, Ctx const&) {
    if (auto const* letter = s.letters.find(in.id)) return *letter;
    return fail(404, "letter_not_found", "there is no letter with this id");
}
Result<Receipt> send(SendLetter const& letter, Outside& outside) {
    if (letter.to.value == Str("throw")) throw std::runtime_error("lost");
    TRY_ASSIGN(auto reply, outside.call({.method = "POST",
                                         .target = "http://post/" + letter.to.value.str(),
                                         .headers = {},
                                         .body = "x",
                                         .upload = {},
                                         .download = {}}));
    return Receipt{reply.body};
}
std::vector<Event> sent(State const&, SendLetter const& letter, Result<Receipt> const& receipt, Ctx const&) {
    if (letter.to.value == Str("confused")) throw std::runtime_error("what now?");
    if (receipt) return {Arrived{letter.letter, receipt->number}};
    return {Returned{letter.letter, receipt.error().code}};
}
Result<bool> ring(RingBell const&, Outside&) { return true; }

struct Service {
    using State = letters::State;
    using Event = letters::Event;
    static constexpr std::string_view name = "letters";
    static std::vector<Route> routes() {
        return {route<Service>(V1, "POST", "/letters", &write, Scope{"letters:write"}, Doc{"Write a letter."}),
                route<Service>(V1, "GET", "/letters/{id}", &show, Scope{"letters:read"}, Doc{"Read what became of a letter."})};
    }
    static std::vector<EffectKind> effects() {
        return {effect<Service>(&send, &sent, {.attempts_max = 4, .at_once = 2}), effect<Service>(&ring, nullptr, {.waits = true})};
    }
};

client::Reply answer(int status, std::string body = {}, client::Headers headers = {}) {
    client::Reply reply;
    reply.status = status, reply.body = std::move(body), reply.headers = std::move(headers);
    if (status >= 400) reply.error = client::Error{"http_" + std::to_string(status), "no"};
    if (status == 0) reply.error = client::Error{"connect_failed", "nobody there"};
    return reply;
}

class Effects : public ::testing::Test {
   protected:
    Effects() {
        h.outside([this](client::Request request) {
            auto const key = std::ranges::find(request.headers, "Idempotency-Key", [](auto const& p) { return p.first; });
            EXPECT_NE(key, request.headers.end());
            ++posted[request.target.substr(request.target.rfind('/') + 1)];
            keys.push_back(key->second);
            return answer(status, fmt::format("r{}", ++receipts), headers);
        });
    }
    void write(std::string_view id, std::string_view to) {
        h.post("/letters/v1/letters", fmt::format(R"({{"id":"{}","to":"{}"}})", id, to)).ok();
    }
    std::string state_of(std::string_view id) { return h.get("/letters/v1/letters/" + std::string(id)).ok().json_at("/state"); }
    Page<PendingEffect> pending(std::string_view query = "") {
        return h.get("/letters/v1/effects" + std::string(query)).ok().as<Page<PendingEffect>>();
    }
    void after(Duration time) { h.advance(time), h.run_effects(); }
    Harness<Service> h;
    int status = 200, receipts = 0;
    client::Headers headers;
    std::map<std::string, int> posted;
    std::vector<std::string> keys;
};

TEST_F(Effects, ThoseThatWaitTakeNoThreadOfTheOthers) {
    write("l_1", "bell");
    std::vector<std::string> ran;
    auto const on = [&](std::string name, bool free) {
        return [&ran, name = std::move(name), free](std::move_only_function<void()> task) {
            if (free) ran.push_back(name), task();
            return free;
        };
    };
    auto const send = [](client::Request) { return answer(200, "r"); };
    auto const runner = [&](bool workers_free, bool waiting_free) {
        return runtime::EffectRunner::Parts{.host = h.host(),
                                            .clock = h.clock(),
                                            .send = send,
                                            .run = on("worker", workers_free),
                                            .run_waiting = on("waiting", waiting_free)};
    };
    runtime::EffectRunner(runner(false, true)).poll();
    EXPECT_EQ(ran, std::vector<std::string>{"waiting"});
    EXPECT_EQ(pending().items.at(0).kind, "send_letter");
    write("l_2", "bell"), write("l_3", "ann");
    runtime::EffectRunner(runner(true, false)).poll();
    EXPECT_EQ(ran, (std::vector<std::string>{"waiting", "worker", "worker"})) << "a full house of those that wait holds no letter up";
    EXPECT_EQ(pending("?kind=ring_bell").items.size(), 1u);
    EXPECT_EQ(pending("?kind=send_letter").items.size(), 1u) << "two letters at once, as they say";
}

TEST_F(Effects, AreDoneOnceAndTheOutcomeIsTheServices) {
    write("l_1", "ann");
    EXPECT_EQ(pending().items.size(), 1u);
    EXPECT_TRUE(posted.empty()) << "only a runner does it";
    h.run_effects();
    EXPECT_EQ(state_of("l_1"), "arrived r1");
    EXPECT_TRUE(pending().items.empty());
    after(Duration::days(1));
    h.restart();
    h.run_effects();
    EXPECT_EQ(posted["ann"], 1);
}

TEST_F(Effects, ThatAreNotDoneOutliveACrash) {
    write("l_1", "ann");
    h.restart();
    h.run_effects();
    EXPECT_EQ(state_of("l_1"), "arrived r1");
}

TEST_F(Effects, WithoutAnOutcomeDecisionJustEnd) {
    write("l_1", "bell");
    EXPECT_EQ(pending("?kind=ring_bell").items.size(), 1u);
    h.run_effects();
    EXPECT_TRUE(pending().items.empty());
}

TEST_F(Effects, ThatFailAreTriedAgainWithTheSameIdUntilGivenUp) {
    status = 0;
    write("l_1", "ann");
    h.run_effects();
    EXPECT_EQ(posted["ann"], 1);
    auto row = pending().items.at(0);
    EXPECT_EQ(row.attempts, 1);
    EXPECT_TRUE(row.last_error->view().starts_with("effect_unanswered"));
    ASSERT_TRUE(row.next_at);
    auto const wait = *row.next_at - h.clock().wall();
    EXPECT_GE(wait, Duration::millis(500));
    EXPECT_LE(wait, Duration::seconds(1));
    h.run_effects();
    EXPECT_EQ(posted["ann"], 1) << "not before its time";
    h.restart();
    after(Duration{wait.us - 1});
    EXPECT_EQ(posted["ann"], 1) << "nor after a start";
    for (int i = 0; i < 10; ++i) after(Duration::seconds(60));
    EXPECT_EQ(posted["ann"], 4) << "attempts_max";
    for (auto const& key : keys) EXPECT_EQ(key, row.id.view());
    EXPECT_EQ(state_of("l_1"), "returned effect_unanswered");
    row = pending("?dead=true").items.at(0);
    EXPECT_EQ(row.attempts, 4);
    EXPECT_FALSE(row.next_at);
    EXPECT_TRUE(pending("?dead=false").items.empty());

    status = 200;
    after(Duration::days(1));
    EXPECT_EQ(posted["ann"], 4) << "a dead one waits for an operator";
    h.post("/letters/v1/effects/" + row.id.str() + "/retry", "{}").ok();
    h.run_effects();
    EXPECT_EQ(state_of("l_1"), "arrived r5");
    h.get("/letters/v1/effects/" + row.id.str()).fails(404, "effect_not_found");
}

TEST_F(Effects, ThatAreRefusedAreDeadAtOnce) {
    status = 422;
    write("l_1", "ann");
    h.run_effects();
    EXPECT_EQ(pending("?dead=true").items.size(), 1u);
    for (int again : {408, 425, 429, 500, 503}) {
        status = again;
        write(fmt::format("l_{}", again), "bob");
        h.run_effects();
        EXPECT_EQ(pending("?dead=true").items.size(), 1u) << again << " may get better";
    }
}

TEST_F(Effects, ComeBackWhenTheTargetSays) {
    status = 503, headers = {{"Retry-After", "120"}};
    write("l_1", "ann");
    h.run_effects();
    EXPECT_EQ(*pending().items.at(0).next_at - h.clock().wall(), Duration::seconds(120));
    headers = {{"Retry-After", "999999999"}};
    after(Duration::seconds(120));
    EXPECT_EQ(posted["ann"], 2);
    EXPECT_EQ(*pending().items.at(0).next_at - h.clock().wall(), Duration::days(1));
}

TEST_F(Effects, MayBeDropped) {
    status = 503;
    write("l_1", "ann");
    auto const id = pending().items.at(0).id.str();
    h.post("/letters/v1/effects/" + id + "/drop", R"({"note":"never mind"})").ok();
    h.post("/letters/v1/effects/" + id + "/drop", "{}").fails(404, "effect_not_found");
    h.post("/letters/v1/effects/" + id + "/retry", "{}").fails(404, "effect_not_found");
    after(Duration::days(1));
    EXPECT_TRUE(posted.empty());
    EXPECT_EQ(state_of("l_1"), "written");
}

TEST_F(Effects, DroppedWhileTheyRunEndQuietly) {
    h.outside([&](client::Request) {
        h.post("/letters/v1/effects/" + pending().items.at(0).id.str() + "/drop", "{}").ok();
        return answer(200, "r1");
    });
    write("l_1", "ann");
    h.run_effects();
    EXPECT_EQ(state_of("l_1"), "written");
    EXPECT_TRUE(pending().items.empty());
}

TEST_F(Effects, ThatThrowAreTriedAgainAndOutcomesThatThrowAreRecordedWithout) {
    write("l_1", "throw");
    h.run_effects();
    EXPECT_TRUE(pending().items.at(0).last_error->view().starts_with("effect_failed"));
    write("l_2", "confused");
    h.run_effects();
    EXPECT_EQ(pending().items.size(), 1u);
    EXPECT_EQ(state_of("l_2"), "written");
}

TEST_F(Effects, ListsGoByPages) {
    status = 422;
    for (int i = 0; i < 5; ++i) write(fmt::format("l_{}", i), "bell");
    std::size_t seen = 0;
    std::string next;
    for (int pages = 0; pages < 6; ++pages) {
        auto page = pending("?kind=send_letter&limit=2" + next);
        seen += page.items.size();
        EXPECT_EQ(page.complete, !page.next);
        if (!page.next) break;
        next = "&cursor=" + *page.next;
    }
    EXPECT_EQ(seen, 5u);
    h.get("/letters/v1/effects?cursor=x").fails(400, "cursor_invalid");
}

TEST_F(Effects, StandInTheirHistoryToo) {
    write("l_1", "ann");
    auto const asked = h.get("/letters/v1/effects").position();
    h.run_effects();
    EXPECT_EQ(pending("?as_of=" + asked).items.size(), 1u);
}

TEST_F(Effects, AreTakenFromWorkersOnlyWhenOneIsFree) {
    auto decl = runtime::declare<Service>();
    std::vector<std::move_only_function<void()>> tasks;
    runtime::EffectRunner runner({h.host(), h.clock(), [&](client::Request) { return answer(200, "r"); },
                                  [&](std::move_only_function<void()> task) {
                                      if (tasks.size() == 3) return false;
                                      return tasks.push_back(std::move(task)), true;
                                  }});
    for (int i = 0; i < 5; ++i) write(fmt::format("l_{}", i), "bell");
    runner.poll();
    EXPECT_EQ(tasks.size(), 3u);
    EXPECT_EQ(runner.under_way(), 3u);
    runner.poll();
    EXPECT_EQ(tasks.size(), 3u) << "nothing runs twice";
    while (!tasks.empty() || !pending().items.empty()) {
        for (auto& task : std::exchange(tasks, {})) task();
        runner.poll();
        std::size_t letters = 0;
        for (auto& task : tasks) letters += task != nullptr;
        EXPECT_LE(letters, 2u + 3u);
    }
    EXPECT_EQ(runner.under_way(), 0u);
}

TEST_F(Effects, PassOnTheTraceOfTheirRequest) {
    for (auto const& route : h.host().decl().routes) {
        if (route.path != "/letters" || route.verb != "POST") continue;
        Viewer const viewer{Str("u_ann")};
        auto bind = [](codec::Type const& type, void* p) { return codec::decode_json(type, p, R"({"id":"l_1","to":"bell"})"); };
        runtime::Request const request{.route = route,
                                       .viewer = viewer,
                                       .bind = bind,
                                       .request_id = "mine-1",
                                       .trace_id = "0123456789abcdef",
                                       .trace_state = "vendor=1,other=two"};
        auto const later = []() -> runtime::Done { return [](Result<runtime::Answer>) {}; };
        EXPECT_TRUE(h.host().call(request, later).has_value());
    }
    std::map<std::string, std::string> passed;
    std::string kept;
    runtime::EffectRunner runner({.host = h.host(),
                                  .clock = h.clock(),
                                  .send =
                                      [&](client::Request const& request) {
                                          for (auto const& [name, value] : request.headers) passed[name] = value;
                                          return answer(200, "r");
                                      },
                                  .run = [](std::move_only_function<void()> task) { return task(), true; },
                                  .keep_trace = [&](auto const&, auto const& outcome) { kept = outcome.request_id; }});
    runner.poll();
    EXPECT_EQ(passed["traceparent"].substr(0, 36), "00-30313233343536373839616263646566-") << passed["traceparent"];
    EXPECT_EQ(passed["tracestate"], "vendor=1,other=two");
    EXPECT_EQ(kept, "mine-1");
}

TEST(EffectLaws, HoldOverRandomCommands) {
    for (std::uint64_t seed = 1; seed <= 5; ++seed) {
        Harness<Service> h;
        h.outside([n = seed](client::Request) mutable { return answer(++n % 3 == 0 ? 200 : n % 3 == 1 ? 503 : 422, "r"); });
        for (int i = 0; i < 5; ++i) h.random_commands(seed * 10 + std::uint64_t(i), 20), h.advance(Duration::seconds(3)), h.run_effects();
    }
}

}  // namespace gantry::letters
