// Erasure in a host: what its state, its past, its snapshots and its stored replies tell afterwards.
#include "kernel/runtime/erasing.h"

#include <gtest/gtest.h>

#include "kernel/codec/json.h"
#include "kernel/log/memory/memory_log.h"
#include "kernel/log/memory/memory_snapshots.h"
#include "kernel/service.h"

namespace gantry::people {

using PersonId = Id<"p_">;
struct Met {
    PersonId id;
    Personal<Text<1, 100>> name;
};
RECORD(Met, id, name);
struct Seen {
    PersonId id;
};
RECORD(Seen, id);
using Event = std::variant<Met, Seen>;

struct Person {
    PersonId id;
    Personal<Text<1, 100>> name;
    std::uint32_t seen = 0;
};
RECORD(Person, id, name, seen);
struct State {
    Table<PersonId, Person> all;
    void apply(Met const& e) { all.put(e.id, Person{e.id, e.name, 0}); }
    void apply(Seen const& e) {
        all.change(e.id, [](Person& p) { ++p.seen; });
    }
};
STATE(State, all);

struct Meet {
    PersonId id;
    Text<1, 100> name;
};
RECORD(Meet, id, name);
struct ById {
    PersonId id;
};
RECORD(ById, id);
using Changed = Emit<Person, Event>;

inline Result<Person> show(State const& s, ById const& in, Ctx const&) {
    if (auto* p = s.all.find(in.id)) return *p;
    return fail(404, "person_not_found", "there is nobody with this id");
}
inline Result<Changed> meet(State const&, Meet const& in, Ctx const& cx) {
    Person p{in.id, {in.name, cx.subject_of(in.name.view())}, 0};
    return Changed{{Met{p.id, p.name}}, p};
}
inline Result<Changed> see(State const& s, ById const& in, Ctx const& cx) {
    auto p = show(s, in, cx);
    if (!p) return std::unexpected(p.error());
    ++p->seen;
    return Changed{{Seen{in.id}}, *p};
}

struct Service {
    using State = people::State;
    using Event = people::Event;
    static constexpr std::string_view name = "people";
    static std::vector<Route> routes() {
        return {route<Service>(V1, "POST", "/", &meet, Scope{"people:write"}, Doc{"Meet somebody."}),
                route<Service>(V1, "GET", "/{id}", &show, Scope{"people:read"}, Doc{"Read one."}),
                route<Service>(V1, "POST", "/seen", &see, Scope{"people:write"}, Doc{"See somebody again."})};
    }
};

}  // namespace gantry::people

namespace gantry::runtime {
namespace {

class ErasingTest : public ::testing::Test {
   protected:
    ErasingTest() { restart(); }
    void restart(bool start = true) {
        erasing_.reset(), host_.reset();
        log_ = std::make_unique<log::MemoryLog>(store_, clock_, random_, log::Options{},
                                                codec::encode_event_schema(codec::type_of<people::Event>()));
        Host::Parts parts{*log_, clock_, random_};
        parts.snapshots = snapshots_.get(), parts.sealer = &sealer_;
        host_ = std::make_unique<Host>(declare<people::Service>(), std::move(parts));
        if (start) {
            auto started = host_->start();
            EXPECT_TRUE(started) << started.error().detail;
        }
        erasing_.emplace(
            Erasing::Parts{keys_, *log::Erasures::open(log::system_disk(), ""), {}, clock_, [this] { return std::vector{host_.get()}; }});
    }
    std::string call(std::size_t route, std::string_view json, std::string_view key = {}) {
        Viewer const viewer{Str("u_ann")};
        auto fill = [&](codec::Type const& type, void* out) { return codec::decode_json(type, out, json); };
        auto outcome =
            host_->call(Request{.route = host_->decl().routes[route], .viewer = viewer, .bind = fill, .idempotency_key = key, .body = json},
                        [] { return [](Result<Answer>) {}; });
        EXPECT_TRUE(outcome && *outcome);
        return outcome && *outcome ? (*outcome)->body : "";
    }
    std::string past(Position position) {
        std::string body;
        Viewer const viewer{Str("u_ann")};
        auto fill = [&](codec::Type const& type, void* out) { return codec::decode_json(type, out, R"({"id":"p_1"})"); };
        host_->history().fetch(position, -1, [&](Result<PastState> state) {
            ASSERT_TRUE(state);
            body = host_->read_past(**state, Request{.route = host_->decl().routes[1], .viewer = viewer, .bind = fill})->body;
        });
        return body;
    }
    static constexpr std::string_view ann = R"({"id":"p_1","name":"Ann"})", bea = R"({"id":"p_2","name":"Bea"})";
    static constexpr std::string_view first = R"({"id":"p_1"})", second = R"({"id":"p_2"})";
    ManualClock clock_;
    SeededRandom random_{42};
    codec::MemorySubjectKeys keys_{random_};
    codec::Sealer sealer_ = codec::make_sealer(keys_, random_);
    std::shared_ptr<log::MemoryStore> store_ = std::make_shared<log::MemoryStore>();
    std::unique_ptr<log::Snapshots> snapshots_ = log::memory_snapshots();
    std::unique_ptr<log::MemoryLog> log_;
    std::unique_ptr<Host> host_;
    std::optional<Erasing> erasing_;
};

TEST_F(ErasingTest, StatePastAndStoredRepliesForgetAndTheRestStays) {
    call(0, ann, "key"), call(0, bea);
    ASSERT_TRUE(host_->save_snapshot());
    call(2, first), call(2, second);
    EXPECT_NE(past(3).find("Ann"), std::string::npos);
    auto const before = host_->digest();
    auto erased = erasing_->erase(erasing_->subject_of("Ann"));
    ASSERT_TRUE(erased) << erased.error().detail;
    EXPECT_EQ(call(1, first), R"({"id":"p_1","name":null,"seen":1})");
    EXPECT_EQ(call(1, second), R"({"id":"p_2","name":"Bea","seen":1})");
    EXPECT_EQ(past(3), R"({"id":"p_1","name":null,"seen":1})");
    EXPECT_EQ(call(0, ann, "key"), R"({"id":"p_1","name":null,"seen":0})") << "the repeat of a command";
    auto const digest = host_->digest();
    EXPECT_NE(digest, before);
    restart();
    EXPECT_EQ(host_->digest(), digest) << "from the snapshot";
    ASSERT_TRUE(snapshots_->remove_all());
    restart();
    EXPECT_EQ(host_->digest(), digest) << "from the log alone";
    call(0, R"({"id":"p_3","name":"Ann"})");
    EXPECT_NE(call(1, R"({"id":"p_3"})").find("Ann"), std::string::npos) << "told again, known again";
    EXPECT_EQ(call(1, first).find("Ann"), std::string::npos);
}

TEST_F(ErasingTest, AStateThatStillHoldsTheValueSealsItForNobody) {
    call(0, ann);
    auto const subject = erasing_->subject_of("Ann");
    keys_.hold(subject);
    keys_.erase(subject);
    ASSERT_TRUE(host_->save_snapshot());  // as a snapshot or a reply between the key's end and the new fold would be
    EXPECT_NE(call(2, first, "key").find("Ann"), std::string::npos);
    keys_.release(subject);
    EXPECT_FALSE(keys_.find(subject));
    restart();
    EXPECT_EQ(call(1, first), R"({"id":"p_1","name":null,"seen":1})");
    EXPECT_EQ(call(2, first, "key"), R"({"id":"p_1","name":null,"seen":1})");
}

TEST_F(ErasingTest, AnAnswerFromBeforeIsNoLongerRight) {
    call(0, ann);
    Seen seen;
    Viewer const viewer{Str("u_ann")};
    auto fill = [&](codec::Type const& type, void* out) { return codec::decode_json(type, out, first); };
    ASSERT_TRUE(host_->call(Request{.route = host_->decl().routes[1], .viewer = viewer, .bind = fill, .seen = &seen},
                            [] { return [](Result<Answer>) {}; }));
    EXPECT_TRUE(host_->unchanged(seen));
    std::vector<std::uint64_t> woken;
    host_->on_wake([&](int, std::vector<std::uint64_t> const& watchers) { woken = watchers; });
    host_->watch().add({0, 7}, {seen.keys.data(), seen.count});
    ASSERT_TRUE(erasing_->erase(erasing_->subject_of("Ann")));
    EXPECT_FALSE(host_->unchanged(seen));
    EXPECT_EQ(woken, std::vector<std::uint64_t>{7});
    EXPECT_EQ(host_->refolded_at(), 1u);
    host_->watch().remove({0, 7}, {seen.keys.data(), seen.count});
}

TEST_F(ErasingTest, AskingForWhatIsNotThereSaysSo) {
    call(0, ann);
    auto const subject = erasing_->subject_of("Ann");
    EXPECT_TRUE(erasing_->look_up(subject));
    EXPECT_EQ(erasing_->look_up("s_x").error().code, "subject_unknown");
    EXPECT_EQ(erasing_->erase("s_x").error().code, "subject_unknown");
    auto const erased = erasing_->erase(subject);
    ASSERT_TRUE(erased);
    EXPECT_EQ(erasing_->look_up(subject).error().code, "subject_erased");
    clock_.advance(Duration::seconds(9));
    EXPECT_EQ(*erasing_->erase(subject), *erased);
    restart(false);
    EXPECT_EQ(erasing_->erase(subject).error().code, "service_starting");
}

}  // namespace
}  // namespace gantry::runtime
