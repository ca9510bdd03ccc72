#include "kernel/codec/schema_json.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "kernel/codec/json.h"
#include "kernel/codec/random_value.h"
#include "kernel/codec/sample.h"
#include "kernel/codec/schema.h"

namespace gantry::codec {
namespace {

using Event = std::variant<sample::Empty, sample::All>;
EventPrinter printer() { return std::move(*EventPrinter::make(encode_event_schema(type_of<Event>()))); }

struct Told {
    Personal<Text<0, 30>> who;
    std::int32_t n = 0;
};
RECORD(Told, who, n);

// The service's own JSON, but for the prefix of sequence numbers.
std::string expected(sample::All const& value) {
    auto text = to_json(value);
    auto with = fmt::format("\"r_{}\"", value.seq.n), without = fmt::format("{}", value.seq.n);
    text.replace(text.find("\"seq\":" + with) + 6, with.size(), without);
    return text;
}

TEST(EventPrinter, PrintsWhatTheServiceWould) {
    auto p = printer();
    SeededRandom random(7);
    for (int i = 0; i < 500; ++i) {
        auto value = random_of<sample::All>(random, {.for_json = true});
        std::string bytes, out;
        encode_binary(type_of<sample::All>(), &value, bytes);
        ASSERT_TRUE(p.append_json(1, bytes, out));
        ASSERT_EQ(out, expected(value));
    }
    EXPECT_EQ(p.name(1), "all");
    EXPECT_EQ(p.name(0), "empty");
    EXPECT_EQ(p.name(2), "");
}

TEST(EventPrinter, AnEmptyRecordIsAnEmptyObject) {
    std::string out = "before ";
    ASSERT_TRUE(printer().append_json(0, "", out));
    EXPECT_EQ(out, "before {}");
}

TEST(EventPrinter, BytesThatAreNotTheEventLeaveNothingBehind) {
    auto p = printer();
    SeededRandom random(8);
    auto value = random_of<sample::All>(random);
    std::string bytes;
    encode_binary(type_of<sample::All>(), &value, bytes);
    for (std::size_t n = 0; n < bytes.size(); ++n) {
        std::string out = "x";
        EXPECT_FALSE(p.append_json(1, std::string_view(bytes).substr(0, n), out)) << n;
        EXPECT_EQ(out, "x");
    }
    std::string out;
    EXPECT_FALSE(p.append_json(1, bytes + "!", out));
    EXPECT_FALSE(p.append_json(2, "", out)) << "an event type that the schema doesn't have";
    for (int i = 0; i < 2000; ++i) {  // damaged ones never print more than they hold, nor crash
        std::string broken = bytes;
        broken[random.below(broken.size())] = char(random.next());
        (void)p.append_json(1, broken, out);
    }
}

TEST(EventPrinter, PersonalValuesStayClosedWithoutAKey) {
    auto p = std::move(*EventPrinter::make(encode_event_schema(type_of<std::variant<Told>>())));
    Sealer sealer{[](std::string_view, std::string_view plain) { return "#" + std::string(plain); },
                  [](std::string_view subject, std::string_view sealed) -> std::optional<std::string> {
                      return subject == "u_ann" ? std::optional(std::string(sealed.substr(1))) : std::nullopt;
                  }};
    auto print = [&](Told const& told, Sealer const* writer, Sealer const* reader) {
        std::string bytes, out;
        encode_binary(type_of<Told>(), &told, bytes, writer);
        return p.append_json(0, bytes, out, reader) ? out : "refused";
    };
    Told ann{{"Ann", "u_ann"}, 1}, bob{{"Bob", "u_bob"}, 2}, gone{{"", "u_cy", true}, 3};
    EXPECT_EQ(print(ann, nullptr, nullptr), R"({"who":"Ann","n":1})");
    EXPECT_EQ(print(ann, &sealer, nullptr), R"({"who":{"sealed":"u_ann"},"n":1})");
    EXPECT_EQ(print(ann, &sealer, &sealer), R"({"who":"Ann","n":1})");
    EXPECT_EQ(print(bob, &sealer, &sealer), R"({"who":{"erased":"u_bob"},"n":2})");
    EXPECT_EQ(print(gone, nullptr, nullptr), R"({"who":{"erased":"u_cy"},"n":3})");
}

struct Noted {
    RawJson value;
};
RECORD(Noted, value);

// Found by the fuzzer.
TEST(EventPrinter, RawJsonIsPrintedOnlyIfItIsJson) {
    auto p = std::move(*EventPrinter::make(encode_event_schema(type_of<std::variant<Noted>>())));
    std::string out;
    EXPECT_FALSE(p.append_json(0, "\x03nul", out));
    EXPECT_EQ(out, "");
    EXPECT_TRUE(p.append_json(0, "\x04null", out));
    EXPECT_EQ(out, R"({"value":null})");
}

// Found by the fuzzer.
TEST(EventPrinter, TheNamesOfASchemaAreUtf8) {
    auto const good = encode_event_schema(type_of<std::variant<Noted>>());
    EXPECT_TRUE(EventPrinter::make(good));
    for (std::string_view name : {"noted", "Noted", "value"}) {  // the event type, its record, the field
        auto blob = good;
        blob[blob.find(name) + 1] = '\xff';
        auto made = EventPrinter::make(blob);
        ASSERT_FALSE(made) << name;
        EXPECT_EQ(made.error().code, "event_schema_malformed");
    }
}

TEST(EventPrinter, AMalformedSchemaIsRefused) {
    auto made = EventPrinter::make("\x01\x05");
    ASSERT_FALSE(made);
    EXPECT_EQ(made.error().code, "event_schema_malformed");
}

}  // namespace
}  // namespace gantry::codec
