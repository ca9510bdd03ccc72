// gantry effects, against a whole process with a service whose effects call a real target.
#include <fmt/format.h>

#include <atomic>
#include <thread>

#include "app/serving_fixture_test.h"
#include "kernel/http/server.h"
#include "kernel/service.h"

namespace gantry::bells {

struct Pressed {
    Str url;
};
RECORD(Pressed, url);
struct Heard {
    Str answer;
};
RECORD(Heard, answer);
struct RingBell {
    Str url;
};
RECORD(RingBell, url);
using Event = std::variant<Pressed, Heard, Effect<RingBell>, EffectOutcome>;
struct Answer {
    Str text;
};
RECORD(Answer, text);
struct State {
    Table<Str, Answer> answers;
    Outbox outbox;
    void apply(Pressed const&) {}
    void apply(Heard const& e) { answers.put(e.answer, {e.answer}); }
};
STATE(State, answers, outbox);
struct Nothing {};
EMPTY_RECORD(Nothing);

Result<Emit<Pressed, Event>> press(State const&, Pressed const& in, Ctx const& cx) {
    return Emit<Pressed, Event>{{in, Effect<RingBell>{cx.fresh("e_"), {in.url}}}, in};
}
Result<Page<Answer>> list(State const& s, Nothing const&, Ctx const&) {
    Page<Answer> page;
    s.answers.walk(nullptr, [&](Str const&, Answer const& a) { return page.items.push_back(a), true; });
    return page;
}
Result<Str> ring(RingBell const& bell, Outside& outside) {
    TRY_ASSIGN(auto reply, outside.call({.target = bell.url.str()}));
    return Str(reply.body);
}
std::vector<Event> rang(State const&, RingBell const&, Result<Str> const& answer, Ctx const&) {
    return answer ? std::vector<Event>{Heard{*answer}} : std::vector<Event>{};
}
struct Service {
    using State = bells::State;
    using Event = bells::Event;
    static constexpr std::string_view name = "bells";
    static std::vector<Route> routes() {
        return {route<Service>(V1, "POST", "/pressed", &press, Scope{"bells:write"}, Doc{"Ring a bell."}),
                route<Service>(V1, "GET", "/answers", &list, Scope{"bells:read"}, Doc{"What was heard."})};
    }
    static std::vector<EffectKind> effects() { return {effect<Service>(&ring, &rang, {.first_wait = Duration::millis(20)})}; }
};

// Answers /good with its name, /bad with 422 until it is repaired, and /shy with 503 the first two times.
class Target final : public http::Handler {
   public:
    http::BodyPlan plan(http::RequestHead const&) override { return http::BodyPlan::whole(); }
    void handle(http::Exchange& ex) override {
        auto const path = ex.head().path;
        EXPECT_TRUE(ex.head().header("idempotency-key").starts_with("e_"));
        int const status = path == "/bad" && !repaired ? 422 : path == "/shy" && ++shy <= 2 ? 503 : 200;
        ex.response().begin(status).header("Content-Type", "text/plain").body(std::string(path));
    }
    std::atomic<bool> repaired = false;
    std::atomic<int> shy = 0;
};

class EffectsTest : public app::ServingTest {
   protected:
    EffectsTest() {
        auto port = server_.listen({});
        EXPECT_TRUE(port);
        target_url_ = fmt::format("http://127.0.0.1:{}", port.value_or(0));
        start();
    }
    ~EffectsTest() override { stop(); }
    void start() { serve({runtime::declare<Service>()}); }
    void press(std::string const& path) {
        client::Session session(url_);
        EXPECT_EQ(session.post("/bells/v1/pressed", fmt::format(R"({{"url":"{}{}"}})", target_url_, path)).status, 200);
    }
    // Asks until the answer has the text: what is done outside takes a moment.
    bool told(std::string const& path, std::string_view text) {
        client::Session session(url_);
        for (auto end = std::chrono::steady_clock::now() + std::chrono::seconds(20); std::chrono::steady_clock::now() < end;) {
            if (session.get(path).body.find(text) != std::string::npos) return true;
            std::this_thread::sleep_for(std::chrono::milliseconds(5));
        }
        return false;
    }
    app::Ran effects(std::vector<std::string> arguments) {
        arguments.insert(arguments.begin(), "effects");
        arguments.insert(arguments.end(), {"--server", url_});
        return app::gantry(arguments);
    }
    Target target_;
    net::IoThreads threads_{1};
    http::Server server_{threads_, target_};
    std::string target_url_;
};

TEST_F(EffectsTest, AreDoneByTheProcessAndOperated) {
    press("/good");
    EXPECT_TRUE(told("/bells/v1/answers", "/good"));
    press("/shy");
    EXPECT_TRUE(told("/bells/v1/answers", "/shy"));
    EXPECT_EQ(target_.shy, 3);
    EXPECT_EQ(effects({"ls", "bells"}).out, "");
    press("/bad");
    EXPECT_TRUE(told("/bells/v1/effects?dead=true", "effect_refused: the target answered 422"));
    auto listed = effects({"ls", "bells", "--dead"});
    EXPECT_EQ(listed.code, app::exit_ok);
    EXPECT_TRUE(app::has(listed.out, "ring_bell") && app::has(listed.out, "dead")) << listed.out;
    EXPECT_TRUE(app::has(effects({"ls", "bells", "--json"}).out, R"("attempts":1)"));
    EXPECT_EQ(effects({"retry", "bells", "--all"}).out, "1 of 1 are tried again\n");
    EXPECT_TRUE(told("/bells/v1/effects?dead=true", "effect_refused"));

    stop(), start();
    target_.repaired = true;
    auto const id = listed.out.substr(listed.out.find("e_"), 22);
    EXPECT_EQ(effects({"retry", "bells", id}).code, app::exit_ok);
    EXPECT_TRUE(told("/bells/v1/answers", "/bad"));
    auto again = effects({"drop", "bells", id});
    EXPECT_EQ(again.code, app::exit_failed);
    EXPECT_TRUE(app::has(again.err, "no effect with this id is pending")) << again.err;
}

TEST_F(EffectsTest, WrongWordsSayWhatIsRight) {
    EXPECT_EQ(effects({"retry", "bells"}).code, app::exit_usage);
    EXPECT_EQ(effects({"drop", "bells", "e_1", "--all"}).code, app::exit_usage);
    auto none = effects({"ls", "whistles"});
    EXPECT_EQ(none.code, app::exit_failed);
    EXPECT_TRUE(app::has(none.err, "has no service 'whistles' with effects")) << none.err;
    EXPECT_EQ(app::gantry({"effects", "ls", "bells", "--server", "http://127.0.0.1:1"}).code, app::exit_unreachable);
}

}  // namespace gantry::bells
