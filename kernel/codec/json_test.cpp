#include "kernel/codec/json.h"

#include <gtest/gtest.h>

namespace gantry::codec {
namespace {
using namespace std::string_literals;

enum class Urgency { low, in_flight, high };
ENUM(Urgency, low, in_flight, high)
struct Line {
    Text<1, 3> name;
    std::int8_t n = 0;
};
RECORD(Line, name, n);
struct Started {
    std::uint64_t run = 0;
};
RECORD(Started, run);
struct JobDone {
    Text<0, 5> note;
};
RECORD(JobDone, note);
using Step = std::variant<Started, JobDone>;
struct Everything {
    Text<1, 5> title;
    Bounded<1, 1000> limit;
    std::int64_t wide = 0;
    std::uint64_t unsigned_wide = 0;
    double ratio = 0;
    bool flag = false;
    UserId owner;
    Seq<"r_"> run;
    Bytes data;
    Time at;
    Duration span;
    Urgency urgency{};
    std::optional<std::int32_t> maybe;
    std::vector<Line> lines;
    std::map<std::string, std::int32_t> counts;
    Step step;
    Secret<Text<8, 20>> password;
    Personal<Str> who;
    RawJson extra;
};
RECORD(Everything, title, limit, wide, unsigned_wide, ratio, flag, owner, run, data, at, span, urgency, maybe, lines, counts, step,
       password, who, extra);

struct Nested {
    Text<1, 3> name;
    Line line;
};
RECORD(Nested, name, line);

constexpr std::string_view right =
    R"({"title":"Plan","limit":7,"wide":-5,"unsigned_wide":18446744073709551615,"ratio":0.1,"flag":true,"owner":"u_ann","run":"r_17",)"
    R"("data":"YWI=","at":"2026-01-31T12:00:00Z","span":"1h30m","urgency":"in_flight","maybe":3,"lines":[{"name":"a","n":1}],)"
    R"("counts":{"a/b":1},"step":{"type":"job_done","note":"x"},"password":"longenough","who":"Ann","extra":{"k":[1,2]}})";

struct Query {
    static constexpr bool has_defaults = true;
    std::optional<UserId> owner;
    Bounded<1, 1000> limit = 100;
    bool all = true;
};
RECORD(Query, owner, limit, all);

struct Preset {
    std::optional<std::int32_t> maybe = 3, plain;
    std::vector<std::int32_t> list = {1};
    std::map<std::string, std::int32_t> counts = {{"a", 1}};
    std::int32_t set = 5;
};
RECORD(Preset, maybe, plain, list, counts, set);

template <class T>
std::string faults_of(std::string_view json, JsonLimits limits = {}) {
    auto r = from_json<T>(json, limits);
    if (r) return "accepted";
    std::string out = r.error().code;
    for (auto const& f : r.error().faults) out += "\n" + f.pointer + ": " + f.detail;
    return out;
}
// `right` with one member's value replaced.
std::string with(std::string_view name, std::string_view value) {
    std::string json(right), key = "\"" + std::string(name) + "\":";
    auto from = json.find(key) + key.size();
    std::size_t to = from;
    for (int depth = 0; depth > 0 || (json[to] != ',' && json[to] != '}'); ++to)
        depth += json[to] == '{' || json[to] == '[' ? 1 : json[to] == '}' || json[to] == ']' ? -1 : 0;
    return json.replace(from, to - from, value);
}

TEST(Json, RoundTripsEveryKind) {
    auto r = from_json<Everything>(right);
    ASSERT_TRUE(r) << r.error().detail;
    EXPECT_EQ(to_json(*r), right);
    EXPECT_EQ(r->owner, "u_ann");
    EXPECT_EQ(std::get<JobDone>(r->step).note, "x");
}

TEST(Json, HostileValuesAreNamedByPointerAndText) {
    struct Row {
        std::string_view field, value;
        std::string expected;
    };
    std::vector<Row> rows = {
        {"title", R"("")", "/title: expected text of 1 to 5 characters, found 0 characters"},
        {"title", R"("éééééé")", "/title: expected text of 1 to 5 characters, found 6 characters"},
        {"title", R"("a\u0000b")", "/title: expected text of 1 to 5 characters, found a NUL character inside"},
        {"title", "17", "/title: expected text of 1 to 5 characters, found 17"},
        {"title", "null", "/title: expected text of 1 to 5 characters, found null"},
        {"title", "{}", "/title: expected text of 1 to 5 characters, found an object"},
        {"limit", "0", "/limit: expected an integer from 1 to 1000, found 0"},
        {"limit", "1001", "/limit: expected an integer from 1 to 1000, found 1001"},
        {"limit", "1e3", "/limit: expected an integer from 1 to 1000, found 1e3 (integers are written without fraction or exponent)"},
        {"limit", "7.0", "/limit: expected an integer from 1 to 1000, found 7.0 (integers are written without fraction or exponent)"},
        {"limit", R"("7")", R"(/limit: expected an integer from 1 to 1000, found "7")"},
        {"limit", "99999999999999999999999", "/limit: expected an integer from 1 to 1000, found 99999999999999999999999"},
        {"wide", "9223372036854775808",
         "/wide: expected an integer from -9223372036854775808 to 9223372036854775807, found 9223372036854775808"},
        {"wide", "-9223372036854775809",
         "/wide: expected an integer from -9223372036854775808 to 9223372036854775807, found -9223372036854775809"},
        {"unsigned_wide", "-1", "/unsigned_wide: expected an integer from 0 to 18446744073709551615, found -1"},
        {"unsigned_wide", "18446744073709551616",
         "/unsigned_wide: expected an integer from 0 to 18446744073709551615, found 18446744073709551616"},
        {"ratio", "1e999", "/ratio: expected a number, found 1e999, which is too large"},
        {"ratio", "true", "/ratio: expected a number, found true"},
        {"flag", "1", "/flag: expected true or false, found 1"},
        {"flag", "null", "/flag: expected true or false, found null"},
        {"owner", R"("x_ann")", R"(/owner: expected an id like "u_…" of at most 64 letters, digits, '_', '.', ':' or '-', found "x_ann")"},
        {"owner", R"("u_")", R"(/owner: expected an id like "u_…" of at most 64 letters, digits, '_', '.', ':' or '-', found "u_")"},
        {"owner", R"("u_a b")", R"(/owner: expected an id like "u_…" of at most 64 letters, digits, '_', '.', ':' or '-', found "u_a b")"},
        {"run", R"("17")", R"(/run: expected a number like "r_17", found "17")"},
        {"run", R"("r_017")", R"(/run: expected a number like "r_17", found "r_017")"},
        {"run", R"("r_99999999999999999999")", R"(/run: expected a number like "r_17", found "r_99999999999999999999")"},
        {"data", R"("YWI")", R"(/data: expected base64 text, found "YWI")"},
        {"data", R"("YWJ=")", R"(/data: expected base64 text, found "YWJ=")"},
        {"data", R"("Y-I=")", R"(/data: expected base64 text, found "Y-I=")"},
        {"at", R"("2026-01-31")",
         R"(/at: expected an RFC 3339 time like "2026-01-31T12:00:00Z", found "2026-01-31": a time THH:MM:SS is expected after the date)"},
        {"at", R"("2026-02-30T00:00:00Z")",
         R"(/at: expected an RFC 3339 time like "2026-01-31T12:00:00Z", found "2026-02-30T00:00:00Z": there is no such day)"},
        {"span", R"("90")", R"(/span: expected a duration like "1h30m", found "90")"},
        {"urgency", R"("in_flihgt")", R"(/urgency: expected one of low, in_flight, high, found "in_flihgt", did you mean "in_flight"?)"},
        {"urgency", R"("z")", R"(/urgency: expected one of low, in_flight, high, found "z")"},
        {"maybe", "2147483648", "/maybe: expected an integer from -2147483648 to 2147483647, found 2147483648"},
        {"lines", "{}", "/lines: expected a list, found an object"},
        {"lines", "null", "/lines: expected a list, found null"},
        {"lines", R"([{"name":"a","n":1},{"name":"abcd","n":128}])",
         "/lines/1/name: expected text of 1 to 3 characters, found 4 characters\n/lines/1/n: expected an integer from -128 to 127, found "
         "128"},
        {"lines", R"([{"nome":"a","n":1}])",
         R"(/lines/0/nome: unknown field "nome", did you mean "name"?)"
         "\n/lines/0/name: expected text of 1 to 3 characters, found nothing"},
        {"counts", R"({"a/b":1,"a/b":2})", R"(/counts/a~1b: key "a/b" is given twice)"},
        {"counts", R"({"~":"x"})", R"(/counts/~0: expected an integer from -2147483648 to 2147483647, found "x")"},
        {"step", R"({"note":"x"})", "/step/type: expected one of started, job_done, found nothing"},
        {"step", R"({"type":"job_dnoe","note":"x"})",
         R"(/step/type: expected one of started, job_done, found "job_dnoe", did you mean "job_done"?)"},
        {"step", R"({"type":7})", R"(/step/type: expected one of started, job_done, found "")"},
        {"step", R"({"type":"started","run":1,"type":"started"})", R"(/step/type: field "type" is given twice)"},
        {"password", R"("hunter2")", "/password: expected text of 8 to 20 characters, found 7 characters"},
        {"password", "1234567890", "/password: expected text of 8 to 20 characters, found something else (not shown)"},
    };
    for (auto const& row : rows) EXPECT_EQ(faults_of<Everything>(with(row.field, row.value)), "body_invalid\n" + row.expected) << row.value;
}

TEST(Json, WhatIsAcceptedInUnusualForms) {
    EXPECT_EQ(from_json<Everything>(with("wide", "-0"))->wide, 0);
    EXPECT_EQ(from_json<Everything>(with("unsigned_wide", "-0"))->unsigned_wide, 0u);
    EXPECT_EQ(from_json<Everything>(with("wide", "-9223372036854775808"))->wide, INT64_MIN);
    EXPECT_EQ(from_json<Everything>(with("title", R"("\u00e9\ud83d\ude00")"))->title, "é😀");
    EXPECT_EQ(from_json<Everything>(with("maybe", "null"))->maybe, std::nullopt);
    EXPECT_EQ(from_json<Everything>(with("extra", " [ 1 , \" a\" ] "))->extra.text, R"([1," a"])");
    EXPECT_EQ(from_json<Everything>(with("ratio", "1e-999"))->ratio, 0.0);
    EXPECT_EQ(std::get<Started>(from_json<Everything>(with("step", R"({"run":3,"type":"started"})"))->step).run, 3u);
    EXPECT_EQ(from_json<Line>(R"({"na\u006de":"a","n":1})")->name, "a");
    EXPECT_EQ(*from_json<std::int32_t>(" 17 "), 17);
    EXPECT_EQ(*from_json<std::string>(R"("a\"b")"), "a\"b");
    EXPECT_EQ(from_json<RawJson>(" {\"a\" : 1} ")->text, "{\"a\":1}");
    for (std::string_view compact : {R"({"a":[1,"b  c",{}]})", R"("a \t b")", "17", "[]"})
        for (std::string spaced : {std::string(compact), " " + std::string(compact) + "\n"})
            EXPECT_EQ(from_json<RawJson>(spaced)->text, compact) << "white space inside of text stays";
    EXPECT_EQ(from_json<std::vector<std::int32_t>>("[]")->size(), 0u);
}

TEST(Json, MissingAndUnknownAndTwice) {
    EXPECT_EQ(
        faults_of<Line>("{}"),
        "body_invalid\n/name: expected text of 1 to 3 characters, found nothing\n/n: expected an integer from -128 to 127, found nothing");
    EXPECT_EQ(faults_of<Line>(R"({"name":"a","n":1,"n":2})"), "body_invalid\n/n: field \"n\" is given twice");
    EXPECT_EQ(faults_of<Line>(R"({"name":"a","n":1,"a/~":2})"), "body_invalid\n/a~1~0: unknown field \"a/~\"; known are name, n");
    EXPECT_EQ(faults_of<Line>("[1]"), "body_invalid\n: expected an object, found a list");
    EXPECT_EQ(faults_of<Line>("7"), "body_invalid\n: expected an object, found 7");
    std::string many = "{";
    for (int i = 0; i < 30; ++i) many += "\"x" + std::to_string(i) + "\":1,";
    many.back() = '}';
    EXPECT_EQ(from_json<Line>(many).error().faults.size(), 20u);
}

TEST(Json, WhatIsBoundFromThePathIsNeitherAskedForNorTakenFromTheBody) {
    std::uint64_t const name = 1;  // the first member
    Line line{"abc", 0};
    ASSERT_TRUE(decode_json(type_of<Line>(), &line, R"({"n":7})", false, {}, name));
    EXPECT_EQ(line.name, Str("abc")) << "what was bound stays";
    EXPECT_EQ(line.n, 7);
    auto named = decode_json(type_of<Line>(), &line, R"({"name":"x","n":7})", false, {}, name);
    ASSERT_FALSE(named);
    ASSERT_EQ(named.error().faults.size(), 1u);
    EXPECT_EQ(named.error().faults[0].pointer, "/name");
    EXPECT_NE(named.error().faults[0].detail.find("by the path"), std::string::npos) << named.error().detail;
    EXPECT_EQ(line.name, Str("abc"));
    EXPECT_FALSE(decode_json(type_of<Line>(), &line, R"({})", false, {}, name)) << "the others are still asked for";
    EXPECT_TRUE(decode_json(type_of<Line>(), &line, R"({})", false, {}, 3)) << "both are bound";
}

TEST(Json, OnlyTheOuterFieldsAreBound) {
    std::uint64_t const name = 1;
    Nested nested;
    ASSERT_TRUE(decode_json(type_of<Nested>(), &nested, R"({"line":{"name":"abc","n":1}})", false, {}, name));
    EXPECT_EQ(nested.line.name, Str("abc"));
    EXPECT_FALSE(decode_json(type_of<Nested>(), &nested, R"({"line":{"n":1}})", false, {}, name));
}

TEST(Json, DefaultsWhereTheRecordSaysSo) {
    auto q = from_json<Query>("{}");
    ASSERT_TRUE(q);
    EXPECT_EQ(q->limit, 100);
    EXPECT_TRUE(q->all);
    EXPECT_EQ(faults_of<Query>(R"({"limit":0})"), "body_invalid\n/limit: expected an integer from 1 to 1000, found 0");
}

// As events are read that another release wrote.
TEST(Json, WhatIsAbsentIsNoneOrEmptyWhateverItsInitialiserSays) {
    auto const r = from_json<Preset>(R"({"set":4})");
    ASSERT_TRUE(r) << r.error().detail;
    EXPECT_EQ(r->maybe, std::nullopt);
    EXPECT_TRUE(r->list.empty() && r->counts.empty() && !r->plain);
    EXPECT_EQ(r->set, 4);
    EXPECT_EQ(faults_of<Preset>("{}"), "body_invalid\n/set: expected an integer from -2147483648 to 2147483647, found nothing");
}

TEST(Json, LenientlyWhatIsUnknownIsSkippedAndWhatIsAbsentKeepsItsInitialiser) {
    constexpr JsonLimits lenient{.lenient = true};
    for (std::string_view json : {R"({"new":"a: \"b\"","name":"a"})", R"({"name":"a","new":{"x":[1,{"name":"c"}],"y":null}})",
                                  R"({"new":[],"name":"a","newer":-1.5e3})"}) {
        auto line = from_json<Line>(json, lenient);
        ASSERT_TRUE(line) << json;
        EXPECT_EQ(line->name, "a");
        EXPECT_EQ(line->n, Line{}.n);
    }
    EXPECT_FALSE(from_json<Line>(R"({"name":7})", lenient)) << "of another type";
    EXPECT_FALSE(from_json<Line>(R"({"name":"a","new":})", lenient)) << "no JSON";
    EXPECT_FALSE(from_json<Line>(R"({"name":"a"})"));
}

TEST(Json, WhatIsNoJson) {
    struct Row {
        std::string json, expected;
    };
    std::vector<Row> rows = {
        {"", "not JSON at byte 0: there is no value"},
        {"  ", "not JSON at byte 2: there is no value"},
        {"{", "not JSON at byte 1: expected a field name in double quotes, found the end"},
        {R"({"name":"a","n":1)", "not JSON at byte 17: expected ',' or '}', found the end"},
        {R"({"name":"a" "n":1})", "not JSON at byte 12: expected ',' or '}', found '\"'"},
        {R"({"name":"a","n":1}x)", "not JSON at byte 18: expected nothing more, found 'x'"},
        {R"({"name":"a","n":1,})", "not JSON at byte 18: expected a field name in double quotes, found '}'"},
        {R"({"name":"a,"n":1})", "not JSON at byte 12: expected ',' or '}', found 'n'"},
        {R"({"name":"a","n":01})", "not JSON at byte 17: expected no digit after a leading zero, found '1'"},
        {R"({"name":"a","n":1x})", "not JSON at byte 17: expected ',' or '}', found 'x'"},
        {R"({"name":"a","n":-})", "not JSON at byte 17: expected a digit, found '}'"},
        {R"({"name":"a","n":nul})", "not JSON at byte 16: expected a value, found 'n'"},
        {R"({"name":"\x","n":1})", "not JSON at byte 9: expected a known escape, found '\\'"},
        {R"({"name":"\ud800","n":1})", "not JSON at byte 9: expected a low surrogate after the high one, found '\\'"},
        {R"({"name":"\udc00","n":1})", "not JSON at byte 9: expected no low surrogate without a high one, found '\\'"},
        {R"({"na\udc00me":1})", "not JSON at byte 4: expected no low surrogate without a high one, found '\\'"},
        {"{\"name\":\"a\xff\",\"n\":1}", "not UTF-8 at byte 10: the byte 0xff is not UTF-8"},
        {"{\"name\":\"\xed\xa0\x80\",\"n\":1}", "not UTF-8 at byte 9: the byte 0xed is not UTF-8"},
        {"{\"name\":\"a\nb\",\"n\":1}", "not JSON at byte 10: expected no bare control character in text, found the byte 0x0a"},
        {"[1,2", "not JSON at byte 4: expected ',' or ']', found the end"},
        {"{\"a\":[}", "not JSON at byte 6: expected a value, found '}'"},
        {"1 2", "not JSON at byte 2: expected nothing more, found '2'"},
        {"1,2", "not JSON at byte 1: expected nothing more, found ','"},
        {"\"", "not JSON at byte 1: expected a closing '\"', found the end"},
        {"\"a\"]", "not JSON at byte 3: expected nothing more, found ']'"},
        {"{\"name\":\"a\",\"n\":1}\0"s, "not JSON at byte 18: expected nothing more, found the byte 0x00"},
    };
    for (auto const& row : rows) EXPECT_EQ(faults_of<Line>(row.json), "body_not_json\n: " + row.expected) << row.json;
}

// Found by the fuzzer.
TEST(Json, NothingMayFollowAValueThatIsNoListOrObject) {
    EXPECT_EQ(faults_of<std::int32_t>("4]"), "body_not_json\n: not JSON at byte 1: expected nothing more, found ']'");
    EXPECT_EQ(faults_of<RawJson>("4]"), "body_not_json\n: not JSON at byte 1: expected nothing more, found ']'");
    EXPECT_EQ(faults_of<RawJson>(R"("":1)"), "body_not_json\n: not JSON at byte 2: expected nothing more, found ':'");
    EXPECT_EQ(faults_of<std::vector<RawJson>>(R"(["a":1,2])"), "body_not_json\n: not JSON at byte 4: expected ',' or ']', found ':'");
    EXPECT_EQ(faults_of<Everything>(with("step", R"({"type":"started":1,"run":3})")).substr(0, 13), "body_not_json");
}

TEST(Json, DepthIsLimitedFromBothSides) {
    auto nested = [](std::size_t n) { return std::string(n, '[') + std::string(n, ']'); };
    EXPECT_EQ(faults_of<RawJson>(nested(32)), "accepted");
    EXPECT_EQ(faults_of<RawJson>(nested(33)), "body_too_deep\n: too deep at byte 32: lists and objects may nest 32 deep");
    EXPECT_EQ(faults_of<Everything>(with("extra", nested(31))), "accepted");
    EXPECT_EQ(faults_of<Everything>(with("extra", nested(32))).substr(0, 13), "body_too_deep");
    EXPECT_EQ(faults_of<Line>(nested(100'000)).substr(0, 13), "body_too_deep");
    EXPECT_EQ(faults_of<std::vector<std::vector<std::int32_t>>>("[[1]]", {.depth_max = 2}), "accepted");
    EXPECT_EQ(faults_of<std::vector<std::vector<std::int32_t>>>("[[1]]", {.depth_max = 1}),
              "body_too_deep\n: too deep at byte 1: lists and objects may nest 1 deep");
}

TEST(Json, ItemsAreLimitedFromBothSides) {
    EXPECT_EQ(faults_of<std::vector<std::int32_t>>("[1,2,3]", {.items_max = 3}), "accepted");
    EXPECT_EQ(faults_of<std::vector<std::int32_t>>("[1,2,3,4]", {.items_max = 3}), "body_invalid\n: expected at most 3 items");
    EXPECT_EQ((faults_of<std::map<std::string, bool>>(R"({"a":true})", {.items_max = 1})), "accepted");
    EXPECT_EQ((faults_of<std::map<std::string, bool>>(R"({"a":true,"b":true})", {.items_max = 1})),
              "body_invalid\n: expected at most 1 items");
}

TEST(Json, PaddedInputIsReadInPlaceAndBytesBehindItDoNotCount) {
    for (std::string_view behind : {"}", "]", ",\"n\":1}", "   ", "\""}) {
        for (std::string_view json : {R"({"name":"a","n":1})", R"({"name":"a","n":1)"}) {
            std::string buffer = std::string(json) + std::string(behind) + std::string(100, '}');
            Line line;
            auto r = decode_json(type_of<Line>(), &line, std::string_view(buffer).substr(0, json.size()), true);
            EXPECT_EQ(r.has_value(), json.ends_with('}')) << buffer;
        }
    }
}

TEST(Json, StringsAreEscaped) {
    std::string out;
    append_json_string(out, "a\"\\\n\r\t\x01\x1f/é");
    EXPECT_EQ(out, R"("a\"\\\n\r\t\u0001\u001f/é")");
    EXPECT_EQ(*from_json<std::string>(out), "a\"\\\n\r\t\x01\x1f/é");
}

template <class T>
std::string scalar(std::string_view text) {
    T v{};
    auto r = decode_scalar(type_of<T>(), &v, text);
    return r ? encode_scalar(type_of<T>(), &v) : r.error().faults.at(0).detail;
}
TEST(Scalar, FromTextAndBack) {
    EXPECT_EQ(scalar<std::int32_t>("17"), "17");
    EXPECT_EQ((scalar<Bounded<1, 5>>("6")), "expected an integer from 1 to 5, found 6");
    EXPECT_EQ(scalar<std::int32_t>("+1"), "expected an integer from -2147483648 to 2147483647, found \"+1\"");
    EXPECT_EQ(scalar<std::int32_t>(""), "expected an integer from -2147483648 to 2147483647, found \"\"");
    EXPECT_EQ(scalar<bool>("true"), "true");
    EXPECT_EQ(scalar<bool>("1"), "expected true or false, found \"1\"");
    EXPECT_EQ(scalar<double>("0.25"), "0.25");
    EXPECT_EQ(scalar<Urgency>("in-flight"), "in_flight");
    EXPECT_EQ(scalar<Seq<"r_">>("r_17"), "r_17");
    EXPECT_EQ(scalar<UserId>("u_ann"), "u_ann");
    EXPECT_EQ(scalar<Time>("2026-01-31T12:00:00.5Z"), "2026-01-31T12:00:00.500Z");
    EXPECT_EQ(scalar<Duration>("90m"), "1h30m");
    EXPECT_EQ(scalar<Bytes>("YWI="), "YWI=");
    EXPECT_EQ(scalar<std::optional<std::int32_t>>("4"), "4");
    EXPECT_EQ(scalar<std::vector<std::int32_t>>("1,2,3"), "1,2,3");
    EXPECT_EQ(scalar<std::vector<std::int32_t>>(""), "");
    EXPECT_EQ(scalar<std::vector<std::int32_t>>("1,"), "expected an integer from -2147483648 to 2147483647, found \"\"");
    EXPECT_EQ((scalar<Text<1, 5>>("\xff")), "expected text of 1 to 5 characters, found bytes that are not UTF-8 at offset 0");
    EXPECT_EQ((scalar<Secret<Bounded<1, 5>>>("9")), "expected an integer from 1 to 5, found something else (not shown)");
    EXPECT_EQ(scalar<Line>("x"), "expected an object, which can't be given as plain text");
}

TEST(Nearest, FindsTyposOnly) {
    std::string_view known[] = {"title", "owner", "created_at"};
    EXPECT_EQ(nearest("titel", known), "title");
    EXPECT_EQ(nearest("Title", known), "title");
    EXPECT_EQ(nearest("createdat", known), "created_at");
    EXPECT_EQ(nearest("body", known), "");
    EXPECT_EQ(nearest("", known), "");
    EXPECT_EQ(nearest(std::string(10'000, 't'), known), "");
}

TEST(Pretty, IndentsForPeople) {
    EXPECT_EQ(pretty_json(R"({"a":[1,{}],"b":[ ],"c":"x, {y"})"),
              "{\n  \"a\": [\n    1,\n    {}\n  ],\n  \"b\": [],\n  \"c\": \"x, {y\"\n}");
    EXPECT_EQ(pretty_json("{nope"), "{nope");
}

}  // namespace
}  // namespace gantry::codec
