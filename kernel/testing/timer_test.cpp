// Timers of a service: never early, once, also over restarts.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "kernel/codec/json.h"
#include "kernel/testing/harness.h"

namespace gantry::alarms {

using AlarmId = Id<"a_">;
struct Set {
    AlarmId id;
    Time at;
    Duration every;  // 0: once
};
RECORD(Set, id, at, every);
struct Rang {
    AlarmId id;
    Time due;
};
RECORD(Rang, id, due);
struct Stopped {
    AlarmId id;
};
RECORD(Stopped, id);
using Event = std::variant<Set, Rang, Stopped>;

struct Alarm {
    AlarmId id;
    Duration every;
    std::int64_t rung = 0;
};
RECORD(Alarm, id, every, rung);
struct State {
    Table<AlarmId, Alarm> alarms;
    Due<AlarmId> due;
    void apply(Set const& e) {
        alarms.put(e.id, Alarm{e.id, e.every});
        due.set(e.id, e.at);
    }
    void apply(Rang const& e) {
        alarms.change(e.id, [](Alarm& a) { ++a.rung; });
        auto const* alarm = alarms.find(e.id);
        if (alarm && alarm->every.us > 0)
            due.set(e.id, e.due + alarm->every);
        else
            due.clear(e.id);
    }
    void apply(Stopped const& e) { due.clear(e.id); }
};
STATE(State, alarms, due);

struct NewAlarm {
    AlarmId id;
    Time at;
    Duration every;
};
RECORD(NewAlarm, id, at, every);
struct ById {
    AlarmId id;
};
RECORD(ById, id);

Result<Emit<Alarm, Event>> set(State const&, NewAlarm const& in, Ctx const& cx) {
    if (in.at < cx.now) return fail(422, "alarm_past", "an alarm rings in the future");
    if (in.every.us != 0 && in.every < Duration::seconds(1)) return fail(422, "alarm_often", "an alarm rings at most once a second");
    return Emit<Alarm, Event>{{Set{in.id, in.at, in.every}}, Alarm{in.id, in.every}};
}
Result<Alarm> show(State const& s, ById const& in, Ctx const&) {
    if (auto const* alarm = s.alarms.find(in.id)) return *alarm;
    return fail(404, "alarm_not_found", "there is no alarm with this id");
}
std::vector<Event> ring(State const& s, AlarmId const& id, Ctx const&) {
    if (id == Str("a_lazy")) return {};
    if (id == Str("a_bad")) return {Set{AlarmId("a_other"), Time{}, {}}};
    return {Rang{id, *s.due.find(id)}};
}

struct Service {
    using State = alarms::State;
    using Event = alarms::Event;
    static constexpr std::string_view name = "alarms";
    static std::vector<Route> routes() {
        return {route<Service>(V1, "POST", "/alarms", &set, Scope{"alarms:write"}, Doc{"Set an alarm."}),
                route<Service>(V1, "GET", "/alarms/{id}", &show, Scope{"alarms:read"}, Doc{"Read an alarm."})};
    }
    static std::vector<Timer> timers() { return {timer<Service, &State::due>(&ring)}; }
};

class Timers : public ::testing::Test {
   protected:
    void set(std::string_view id, Duration in, Duration every = {}) {
        h.post("/alarms/v1/alarms",
               fmt::format(R"({{"id":"{}","at":"{}","every":"{}"}})", id, format_time(h.clock().wall() + in), format_duration(every)))
            .ok();
    }
    void after(Duration d) {
        h.clock().advance(d);
        h.tick();
    }
    std::int64_t rung(std::string_view id) { return h.get("/alarms/v1/alarms/" + std::string(id)).ok().as<Alarm>().rung; }
    Harness<Service> h;
};

TEST_F(Timers, FireOnceAndNeverEarly) {
    set("a_1", Duration::seconds(10));
    EXPECT_EQ(h.host().next_due(), h.clock().wall() + Duration::seconds(10));
    after(Duration::millis(9'999));
    EXPECT_EQ(rung("a_1"), 0);
    after(Duration::millis(1));
    EXPECT_EQ(rung("a_1"), 1);
    EXPECT_FALSE(h.host().next_due());
    after(Duration::days(1));
    EXPECT_EQ(rung("a_1"), 1);
    set("a_1", Duration::days(3650));
    after(Duration::days(3649));
    EXPECT_EQ(rung("a_1"), 0);
    after(Duration::days(1));
    EXPECT_EQ(rung("a_1"), 1);
}

TEST_F(Timers, CatchUpOneByOneAfterAnOutage) {
    set("a_1", Duration::seconds(10), Duration::seconds(10));
    after(Duration::seconds(35));
    EXPECT_EQ(rung("a_1"), 3);
    h.clock().advance(Duration::seconds(10));
    h.restart();
    EXPECT_EQ(rung("a_1"), 3);
    h.tick();
    EXPECT_EQ(rung("a_1"), 4);
    h.restart();
    h.tick();
    EXPECT_EQ(rung("a_1"), 4) << "what has fired is recorded";
}

TEST_F(Timers, SayWhenOneIsDueSooner) {
    set("a_late", Duration::seconds(100));
    set("a_soon", Duration::seconds(5));
    EXPECT_EQ(h.host().next_due(), h.clock().wall() + Duration::seconds(5));
    set("a_soon", Duration::seconds(200));
    EXPECT_EQ(h.host().next_due(), h.clock().wall() + Duration::seconds(100));
}

TEST_F(Timers, AreBoundedInATurn) {
    for (int i = 0; i < 20; ++i) set(fmt::format("a_{}", i), Duration::seconds(1));
    h.clock().advance(Duration::seconds(1));
    EXPECT_EQ(h.host().fire_due(7), 7u);
    EXPECT_EQ(h.host().fire_due(), 13u);
    EXPECT_EQ(h.host().fire_due(), 0u);
}

TEST_F(Timers, OneThatDoesNotMoveIsLeftAlone) {
    for (auto id : {"a_lazy", "a_bad"}) {
        set(id, Duration::seconds(1));
        h.clock().advance(Duration::seconds(1));
        auto fired = h.host().fire_due();
        ASSERT_FALSE(fired);
        EXPECT_EQ(fired.error().code, "timer_stuck");
        EXPECT_EQ(h.host().fire_due(), 0u) << "told once";
        EXPECT_FALSE(h.host().next_due()) << "and waited for no more";
        h.restart();
        EXPECT_FALSE(h.host().fire_due()) << "and again after a start";
        h.post("/alarms/v1/alarms", fmt::format(R"({{"id":"{}","at":"2999-01-01T00:00:00Z","every":"0"}})", id)).ok();
        h.restart();
        EXPECT_TRUE(h.host().fire_due());
    }
}

TEST(Grace, AfterAStartWhoHoldsALeaseGetsTime) {
    auto decl = runtime::declare<Service>();
    decl.timers[0].grace = Duration::seconds(30);
    ManualClock clock;
    SeededRandom random(1);
    auto store = std::make_shared<log::MemoryStore>();
    auto const schemas = codec::encode_event_schema(*decl.event);
    auto const at = clock.wall() + Duration::seconds(10);
    for (int life = 0; life < 2; ++life) {
        log::MemoryLog log(store, clock, random, {}, schemas);
        runtime::Host host(decl, {log, clock, random});
        ASSERT_TRUE(host.start());
        if (life == 0) {
            Viewer const viewer{Str("u_ann")};
            auto const body = fmt::format(R"({{"id":"a_1","at":"{}","every":"0"}})", format_time(at));
            auto fill = [&](codec::Type const& type, void* out) { return codec::decode_json(type, out, body); };
            host.call(host.decl().routes[0], viewer, fill, [](Result<runtime::Answer> a) { EXPECT_TRUE(a); });
            clock.advance(Duration::hours(1));  // an outage
            continue;
        }
        EXPECT_EQ(host.next_due(), clock.wall() + Duration::seconds(30));
        EXPECT_EQ(host.fire_due(), 0u);
        clock.advance(Duration::seconds(30));
        EXPECT_EQ(host.fire_due(), 1u);
    }
}

TEST(TimerLaws, HoldOverRandomCommands) {
    for (std::uint64_t seed = 1; seed <= 5; ++seed) {
        Harness<Service> h;
        h.random_commands(seed, 100);
    }
}

}  // namespace gantry::alarms
