#include "kernel/codec/schema.h"

#include <gtest/gtest.h>

#include "kernel/codec/golden.h"
#include "kernel/codec/json.h"
#include "kernel/codec/random_value.h"
#include "kernel/codec/sample.h"
#include "kernel/codec/seal.h"

namespace gantry::codec {
namespace {

namespace v1 {
enum class Level { low, high };
ENUM(Level, low, high)
struct Point {
    std::uint32_t x = 0;
    std::int16_t y = 0;
};
RECORD(Point, x, y);
struct Walked {
    std::vector<Point> way;
};
RECORD(Walked, way);
struct Stood {
    Duration span;
};
RECORD(Stood, span);
struct Made {
    Text<1, 10> label;
    std::string gone;
    Level level{};
    std::vector<Level> levels;
    std::variant<Walked, Stood> how;
    std::map<std::string, Point> points;
    Personal<Point> where;
    Personal<Point> gone_person;
    std::optional<Point> maybe;
};
RECORD(Made, label, gone, level, levels, how, points, where, gone_person, maybe);
struct Kept {
    std::int32_t n = 0;
};
RECORD(Kept, n);
struct Hint {
    static constexpr bool ignorable = true;
    bool yes = false;
};
RECORD(Hint, yes);
using Event = std::variant<Kept, Made, Hint>;
}  // namespace v1

namespace v2 {  // fields and alternatives turned round, some renamed, widened, added, removed
enum class Level { high, mid, low };
ENUM(Level, high, mid, low)
struct Point {
    std::int32_t y = 0;
    std::int64_t x = 0;
    std::int32_t z = 9;
};
RECORD(Point, y, x, z);
struct Stood {
    Duration span;
};
RECORD(Stood, span);
struct Walked {
    std::vector<Point> way;
};
RECORD(Walked, way);
struct Created {
    std::optional<Level> level;
    std::vector<Level> levels;
    Text<1, 200> title;
    std::variant<Stood, Walked> how;
    std::map<std::string, Point> points;
    Personal<Point> where;
    std::optional<Point> maybe;
    std::int32_t added = 42;
};
RECORD(Created, level, levels, title, how, points, where, maybe, added);
struct Kept {
    std::int64_t n = 0;
};
RECORD(Kept, n);
using Event = std::variant<Created, Kept>;
}  // namespace v2

std::vector<Rename> const renames = {{"", "made", "created"}, {"created", "label", "title"}};

std::string problem_of(std::string_view blob, Type const& event, std::span<Rename const> with = {}) {
    auto r = make_event_reader(blob, event, with);
    return r ? "accepted" : r.error().code + ": " + r.error().detail;
}
template <class... Old>
std::string schema() {
    return encode_event_schema(type_of<std::variant<Old...>>());
}

TEST(Schema, ReadsOldEventsByName) {
    auto reader = make_event_reader(encode_event_schema(type_of<v1::Event>()), type_of<v2::Event>(), renames);
    ASSERT_TRUE(reader) << reader.error().detail;
    EventReader const& r = **reader;
    EXPECT_EQ(r.today(0), 1u);
    EXPECT_EQ(r.today(1), 0u);
    EXPECT_EQ(r.today(2), EventReader::none);
    EXPECT_EQ(r.today(3), EventReader::none);
    EXPECT_TRUE(r.identical(0)) << "a wider integer reads the same bytes";
    EXPECT_FALSE(r.identical(1));
    EXPECT_TRUE(r.ignorable(2));
    EXPECT_FALSE(r.ignorable(1) || r.ignorable(3));

    v1::Made old{"Plan",          "gone",          v1::Level::high, {v1::Level::low}, v1::Walked{{{7, -7}}},
                 {{"k", {1, 2}}}, {{3, 4}, "u_1"}, {{5, 6}, "u_2"}, v1::Point{8, 9}};
    SeededRandom random(1);
    MemorySubjectKeys keys(random);
    Sealer sealer = make_sealer(keys, random);
    for (Sealer const* s : {static_cast<Sealer const*>(nullptr), static_cast<Sealer const*>(&sealer)}) {
        std::string payload;
        put(payload, old, s);
        v2::Event event = v2::Created{.title = "stale", .added = 1};
        ASSERT_TRUE(r.decode(1, payload, &event, s));
        EXPECT_EQ(
            to_json(event),
            R"({"type":"created","level":"high","levels":["low"],"title":"Plan","how":{"type":"walked","way":[{"y":-7,"x":7,"z":9}]},)"
            R"("points":{"k":{"y":2,"x":1,"z":9}},"where":{"y":4,"x":3,"z":9},"maybe":{"y":9,"x":8,"z":9},"added":42})");
        for (std::size_t n = 0; n < payload.size(); ++n)
            ASSERT_EQ(r.decode(1, std::string_view(payload).substr(0, n), &event, s).error().code, "event_malformed");
        EXPECT_FALSE(r.decode(1, payload + "x", &event, s));
    }
    v2::Event event;
    EXPECT_EQ(
        r.decode(2, "\x01", &event, nullptr).error().detail,
        "event type \"hint\" is unknown to this program, a newer one recorded it: use that; it was written as record Hint {yes: bool}");
    EXPECT_EQ(r.decode(3, "", &event, nullptr).error().detail, "the schema of this log has no event type number 3");
}

TEST(Schema, ErasedPersonalValuesStayErasedInConversion) {
    auto reader = make_event_reader(encode_event_schema(type_of<v1::Event>()), type_of<v2::Event>(), renames);
    SeededRandom random(1);
    MemorySubjectKeys keys(random);
    Sealer sealer = make_sealer(keys, random);
    v1::Made old{.label = "Plan", .where = {{3, 4}, "u_1"}};
    std::string payload;
    put(payload, old, &sealer);
    keys.erase("u_1");
    v2::Event event;
    ASSERT_TRUE((*reader)->decode(1, payload, &event, &sealer));
    EXPECT_TRUE(std::get<v2::Created>(event).where.erased);
    EXPECT_EQ(std::get<v2::Created>(event).where.subject, "u_1");
}

TEST(Schema, RandomEventsOfTheSameShapeAreIdentical) {
    using Event = std::variant<sample::All, sample::Inner>;
    auto reader = make_event_reader(encode_event_schema(type_of<Event>()), type_of<Event>());
    ASSERT_TRUE(reader);
    EXPECT_TRUE((*reader)->identical(0) && (*reader)->identical(1));
    SeededRandom random(7);
    for (int i = 0; i < 500; ++i) {
        auto value = random_of<sample::All>(random);
        std::string payload;
        put(payload, value);
        Event event;
        ASSERT_TRUE((*reader)->decode(0, payload, &event, nullptr));
        ASSERT_TRUE(equal(type_of<sample::All>(), &value, &std::get<0>(event)));
    }
}

// Every field in another place: all of it goes through conversion.
struct Turned {
    RawJson raw;
    Personal<Text<0, 30>> personal;
    sample::Step step;
    std::map<std::string, std::int32_t> map;
    std::vector<sample::Inner> list;
    std::optional<sample::Inner> optional;
    std::uint64_t u64 = 0;
    double real = 0;
};
RECORD(Turned, raw, personal, step, map, list, optional, u64, real);
TEST(Schema, ReorderedFieldsKeepTheirValuesAndDamageIsRefused) {
    using Event = std::variant<Turned>;
    std::vector<Rename> rename = {{"", "all", "turned"}};
    auto reader = make_event_reader(schema<sample::All>(), type_of<Event>(), rename);
    ASSERT_TRUE(reader) << reader.error().detail;
    SeededRandom random(8);
    for (int i = 0; i < 500; ++i) {
        auto value = random_of<sample::All>(random);
        std::string payload;
        put(payload, value);
        Event event;
        ASSERT_TRUE((*reader)->decode(0, payload, &event, nullptr));
        auto const& t = std::get<0>(event);
        EXPECT_EQ(t.u64, value.u64);
        EXPECT_EQ(t.raw, value.raw);
        EXPECT_EQ(t.map, value.map);
        EXPECT_TRUE(equal(type_of<sample::Step>(), &t.step, &value.step));
        for (int k = 0; k < 20; ++k) {
            std::string damaged = payload;
            damaged[random.below(damaged.size())] = char(random.next());
            (void)(*reader)->decode(0, damaged, &event, nullptr);
        }
    }
}

TEST(Schema, NamesWhatItCannotRead) {
    auto v2s = encode_event_schema(type_of<v2::Event>());
    auto without_stood = make_event_reader(schema<v1::Kept, v1::Stood>(), type_of<std::variant<v1::Kept>>());
    ASSERT_TRUE(without_stood) << "a type that is unknown is no obstacle";
    std::variant<v1::Kept> event;
    std::string stood;
    put(stood, v1::Stood{});
    auto decoded = (*without_stood)->decode(1, stood, &event, nullptr);
    ASSERT_FALSE(decoded) << "an event of it is";
    EXPECT_EQ(
        decoded.error().code + ": " + decoded.error().detail,
        "event_type_unknown: event type \"stood\" is unknown to this program, a newer one recorded it: use that; it was written as record "
        "Stood {span: duration}");
    EXPECT_EQ(
        problem_of(schema<v2::Kept>(), type_of<v1::Event>()),
        "event_shape_unreadable: event type \"kept\", field n: written as signed integer of 64 bits, today signed integer of 32 bits");
    std::vector<Rename> kept_to_stood = {{"", "kept", "stood"}, {"stood", "n", "span"}};
    EXPECT_EQ(problem_of(schema<v1::Kept>(), type_of<std::variant<v1::Stood>>(), kept_to_stood),
              "event_shape_unreadable: event type \"kept\", field span: written as signed integer of 32 bits, today duration");
    std::vector<Rename> back = {{"", "created", "made"}};
    EXPECT_EQ(problem_of(v2s, type_of<v1::Event>(), back),
              "event_shape_unreadable: event type \"created\", field level: written as optional enum Level {high, mid, low}, today enum "
              "Level {low, high}");
}

TEST(Schema, UnknownEnumValuesAndAlternativesStopIt) {
    EXPECT_NE(
        problem_of(schema<v2::Walked>(), type_of<std::variant<v1::Walked>>()).find("field way[].y: written as signed integer of 32 bits"),
        std::string::npos);
    std::string blob = schema<v1::Made>(), changed = blob;
    changed.replace(changed.find("high"), 4, "huge");
    EXPECT_NE(
        problem_of(changed, type_of<v1::Event>()).find("field level, value \"huge\" is unknown today: written as enum Level {low, huge}"),
        std::string::npos);
    std::vector<Rename> huge = {{"level", "huge", "high"}};
    EXPECT_EQ(problem_of(changed, type_of<v1::Event>(), huge), "accepted");
    changed = blob;
    changed.replace(changed.find("stood"), 5, "swoop");
    EXPECT_NE(problem_of(changed, type_of<v1::Event>()).find("field how, alternative \"swoop\" is unknown today"), std::string::npos);
}

TEST(Schema, DamagedBlobsAreRefused) {
    std::string blob = encode_event_schema(type_of<v1::Event>());
    auto types = event_types(blob);
    ASSERT_TRUE(types);
    EXPECT_EQ(types->size(), 3u);
    EXPECT_EQ(types->at(2).name, "hint");
    EXPECT_TRUE(types->at(2).ignorable);
    for (std::size_t n = 0; n < blob.size(); ++n)
        EXPECT_EQ(problem_of(blob.substr(0, n), type_of<v1::Event>()).substr(0, 22), "event_schema_malformed");
    EXPECT_EQ(problem_of(blob + "x", type_of<v1::Event>()), "event_schema_malformed: the event schema goes on after its end");
    EXPECT_EQ(problem_of("\x02" + blob.substr(1), type_of<v1::Event>()),
              "event_schema_malformed: the event schema has version 2, this release reads version 1");
    SeededRandom random(5);
    for (int i = 0; i < 20000; ++i) {
        std::string damaged = blob;
        damaged[random.below(damaged.size())] = char(random.next());
        (void)make_event_reader(damaged, type_of<v1::Event>());
    }
    std::string deep = std::string(
                           "\x01\x01\x00\x01x\x00\x0c\x01r\x01\x01"
                           "f",
                           12) +
                       std::string(100, '\x0a') + std::string(1, '\0');
    EXPECT_EQ(problem_of(deep, type_of<v1::Event>()), "event_schema_malformed: the event schema can't be read at event type \"x\"");
}

TEST(Schema, ShapeIsAGoldenText) {
    EXPECT_TRUE(
        expect_golden("kernel/codec/golden/shape.txt", describe_shape(type_of<std::variant<sample::All, v1::Hint, sample::Empty>>())));
    EXPECT_NE(fingerprint(type_of<v1::Event>()), fingerprint(type_of<v2::Event>()));
    EXPECT_EQ(fingerprint(type_of<v1::Event>()), fingerprint(type_of<v1::Event>()));
}

TEST(Schema, JsonSchemaIsAGoldenTextAndJson) {
    std::map<std::string, std::string> components;
    std::string root = json_schema(type_of<sample::Transient>(), components);
    EXPECT_EQ(root, R"({"$ref":"#/components/schemas/Transient"})");
    std::string text;
    for (auto const& [name, schema] : components) {
        EXPECT_TRUE(from_json<RawJson>(schema)) << schema;
        text += name + ": " + pretty_json(schema) + "\n";
    }
    EXPECT_TRUE(expect_golden("kernel/codec/golden/json_schema.txt", text));
}

TEST(Schema, RecordsOfOneNameKeepApartInJsonSchema) {
    std::map<std::string, std::string> components;
    EXPECT_EQ(json_schema(type_of<v1::Point>(), components), R"({"$ref":"#/components/schemas/Point"})");
    EXPECT_EQ(json_schema(type_of<v2::Point>(), components), R"({"$ref":"#/components/schemas/Point2"})");
    EXPECT_EQ(json_schema(type_of<v1::Point>(), components), R"({"$ref":"#/components/schemas/Point"})");
    EXPECT_EQ(components.size(), 2u);
}

}  // namespace
}  // namespace gantry::codec
