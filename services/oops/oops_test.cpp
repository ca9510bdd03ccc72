#include "kernel/testing/harness.h"
#include "services/oops/input.h"
#include "services/oops/oops_dict.h"
#include "services/oops/oops_id.h"
#include "services/oops/rfc822.h"
#include "services/oops/traceback.h"

namespace gantry::oops {
namespace {
using namespace std::string_literals;

constexpr Time now{1'795'301'700'000'000};
ReadOptions const options{.received_at = now};

Bson sample() {
    Bson d = Bson::document();
    d.add("text", Bson::of("é\0x"s));
    d.add("real", Bson::of(-1.5));
    d.add("small", Bson::of(std::int64_t(-7)));
    d.add("large", Bson::of(std::int64_t(1) << 40));
    d.add("true", Bson::of(true));
    d.add("null", {});
    d.add("time", Bson::of(now));
    d.add("binary", {.type = BsonType::binary, .text = "\0\xff"s, .subtype = 5});
    d.add("oid", {.type = BsonType::object_id, .text = "0123456789ab"});
    d.add("regex", {.type = BsonType::regex, .text = "a.*", .more = "i"});
    d.add("code", {.type = BsonType::code, .text = "f()"});
    d.add("symbol", {.type = BsonType::symbol, .text = "s"});
    d.add("stamp", {.type = BsonType::timestamp, .integer = 77});
    d.add("decimal", {.type = BsonType::decimal, .text = std::string(16, 'd')});
    d.add("pointer", {.type = BsonType::db_pointer, .text = "0123456789ab", .more = "db.c"});
    d.add("undefined", {.type = BsonType::undefined});
    d.add("min", {.type = BsonType::min_key});
    d.add("max", {.type = BsonType::max_key});
    auto& list = d.add("list", Bson::array());
    list.push(Bson::of(std::int64_t(1))), list.push(Bson::document()), list.push(Bson::array());
    Bson scoped{.type = BsonType::scoped_code, .text = "g()"};
    scoped.add("x", Bson::of(1.0));
    d.add("scoped", scoped);
    return d;
}
std::string json_of(Bson const& v) {
    std::string out;
    append_json(out, v);
    return out;
}

TEST(Bson, AllTypesRoundTripInBothForms) {
    auto const d = sample();
    auto const back = read_bson(write_bson(d));
    ASSERT_TRUE(back) << back.error().detail;
    EXPECT_EQ(*back, d);
    auto const json = json_of(d);
    auto const tree = codec::JsonTree::read(json);
    ASSERT_TRUE(tree) << tree.error().detail << json;
    EXPECT_EQ(bson_of_json(tree->root()), d) << json;
}

TEST(Bson, IsTheFormatOfTheSpecification) {
    Bson d = Bson::document();
    d.add("hello", Bson::of("world"s));
    EXPECT_EQ(write_bson(d), "\x16\0\0\0\x02hello\0\x06\0\0\0world\0\0"s);
    EXPECT_EQ(
        read_bson("\x31\0\0\0\x04"
                  "BSON\0\x26\0\0\0\x02\x30\0\x08\0\0\0awesome\0\x01\x31\0\x33\x33\x33\x33\x33\x33\x14\x40\x10\x32\0\xc2\x07\0\0\0\0"s)
            .value()
            .find("BSON")
            ->members[1]
            .real,
        5.05);
    EXPECT_EQ(write_bson(Bson::document()), "\x05\0\0\0\0"s);
}

TEST(Bson, RefusesWithThePathAndTheByte) {
    auto document = [](std::string const& members) {
        auto const size = std::uint32_t(members.size() + 5);
        return std::string(reinterpret_cast<char const*>(&size), 4) + members + '\0';
    };
    struct {
        std::string bytes, why;
    } const rows[] = {
        {"", "the document at byte 0: 4 bytes are needed, 0 are left"},
        {"\x05\0\0"s, "4 bytes are needed, 3 are left"},
        {"\x06\0\0\0\0"s, "a document of 6 bytes where 5 are left"},
        {"\x04\0\0\0\0"s, "a document of 4 bytes"},
        {"\xff\xff\xff\xff\0"s, "a document of -1 bytes"},
        {"\x05\0\0\0\0x"s, "1 bytes behind the document"},
        {document("\x14k\0"s), "k at byte 7: no value has the type 0x14"},
        {document("\x02k\0\0\0\0\0"s), "k at byte 11: a text of 0 bytes"},
        {document("\x02k\0\xff\xff\xff\x7fx\0"s), "k at byte 11: 2147483647 bytes are needed"},
        {document("\x02k\0\x02\0\0\0xy"s), "k at byte 13: a text without its NUL"},
        {document("\x08k\0\x02"s), "k at byte 8: a boolean is 0 or 1, not 2"},
        {document("\x05k\0\xff\xff\xff\xff\0"s), "k at byte 12: -1 bytes of binary"},
        {document("\x03k\0"s + document("\x10n\0\x01"s)), "k/n at byte"},
        {document("\0"s), "the document ends 1 bytes before its size says"},
        {"\x08\0\0\0\x02key"s, "a name without its NUL"},
    };
    for (auto const& row : rows) {
        auto const out = read_bson(row.bytes);
        ASSERT_FALSE(out) << row.why;
        EXPECT_EQ(out.error().code, "bson_invalid");
        EXPECT_NE(out.error().detail.find(row.why), std::string::npos) << out.error().detail;
    }
}

TEST(Bson, LimitsHoldFromBothSides) {
    auto nested = [](int depth) {
        Bson d = Bson::document();
        for (auto* at = &d; depth-- > 0;) at = &at->add("a", Bson::document());
        return write_bson(d);
    };
    EXPECT_TRUE(read_bson(nested(32)));
    EXPECT_NE(read_bson(nested(33)).error().detail.find("nested more than 32 deep"), std::string::npos);
    auto const bytes = write_bson(sample());
    EXPECT_TRUE(read_bson(bytes, {.bytes_max = bytes.size()}));
    EXPECT_EQ(read_bson(bytes, {.bytes_max = bytes.size() - 1}).error().status, 413);
    EXPECT_TRUE(read_bson(bytes, {.values_max = 24}));
    EXPECT_FALSE(read_bson(bytes, {.values_max = 23}));
}

TEST(Bson, AnyCutIsRefusedAndNothingElseHappens) {
    auto const bytes = write_bson(sample());
    for (std::size_t n = 0; n < bytes.size(); ++n) EXPECT_FALSE(read_bson(std::string_view(bytes).substr(0, n))) << n;
}

// Ids

TEST(OopsId, OfContentIsTheMd5) {
    EXPECT_EQ(content_id(""), "OOPS-d41d8cd98f00b204e9800998ecf8427e");
    EXPECT_EQ(content_id("\x05\0\0\0\0"s).size(), 37u);
}

TEST(OopsId, TheLegacyGrammar) {
    struct {
        std::string_view text;
        LegacyId id;
        std::string_view written;
    } const rows[] = {
        {"OOPS-1X1", {"", "1", "X", "1"}, "OOPS-1X1"},
        {"oops-1X1,", {"", "1", "X", "1"}, "OOPS-1X1"},
        {"1X1", {"", "1", "X", "1"}, "OOPS-1X1"},
        {"2008-01-13/OOPS-744EA12", {"2008-01-13", "744", "EA", "12"}, "2008-01-13/OOPS-744EA12"},
        {"OOPS-1234gold-1b5", {"", "1234", "gold-1b", "5"}, "OOPS-1234gold-1b5"},
        {"prefixZ0123456789abcdef0123456789abcdef",
         {"", "", "prefix", "0123456789abcdef0123456789abcdef"},
         "OOPS-prefixZ0123456789abcdef0123456789abcdef"},
    };
    for (auto const& row : rows) {
        auto const id = parse_legacy_id(row.text);
        ASSERT_TRUE(id) << row.text;
        EXPECT_EQ(*id, row.id) << row.text;
        EXPECT_EQ(to_string(*id), row.written);
    }
    for (auto text :
         {"", "OOPS-", "OOPS-X1", "OOPS-1X", "OOPS-11", "OOPS-1-1", "OOPS-12345678901X1", "2008-1-13/OOPS-1X1", "OOPS-1X1 more"})
        EXPECT_FALSE(parse_legacy_id(text)) << text;
}

TEST(OopsId, IsLookedUpAsItWasTyped) {
    EXPECT_EQ(lookup_id(" OOPS-D41D8CD98F00B204E9800998ECF8427E, "), "OOPS-d41d8cd98f00b204e9800998ecf8427e");
    EXPECT_EQ(lookup_id("D41D8CD98F00B204E9800998ECF8427E"), "d41d8cd98f00b204e9800998ecf8427e");
    EXPECT_EQ(lookup_id("2008-01-13/744EA12"), "OOPS-744EA12");
    EXPECT_FALSE(lookup_id("hello"));
    std::vector<std::string> const both = {"OOPS-1X1", "OOPS-d41d8cd98f00b204e9800998ecf8427e"};
    EXPECT_EQ(ids_in("see OOPS-1X1, (oops-1X1) and https://h/OOPS-d41d8cd98f00b204e9800998ecf8427e. OOPS-none WOOPS-2X2"), both);
}

// RFC 822

constexpr std::string_view text_report =
    "Oops-Id: OOPS-744EA12\n"
    "Exception-Type: NotFound\n"
    "Exception-Value: no such th\\xefng\\n\\u20ac \\\\\n"
    "Date: 2008-01-13T12:00:01.500Z\n"
    "Page-Id: +bug:index\n"
    "Branch: trunk\n"
    "Revision: 7\n"
    "User: ann\n"
    "URL: https://shop.example/bugs/1\n"
    "Duration: 0.25\n"
    "Informational: False\n"
    "Oops-Reporter: EDGE\n"
    "\n"
    "HTTP_HOST=shop.example\n"
    "a%3Db=1%2625%0A\n"
    "\n"
    "00001-00013@SQL-main SELECT 1\n"
    "00013-00020 plain\n"
    "\n"
    "Traceback (most recent call last):\n"
    "  Module shop.views, line 7, in show\n"
    "    return find(1)\n"
    "NotFound: no\n";

TEST(Rfc822, IsReadAndWrittenBack) {
    auto const told = read_rfc822(text_report);
    ASSERT_TRUE(told) << told.error().detail;
    EXPECT_EQ(told->find("id")->text, "OOPS-744EA12");
    EXPECT_EQ(told->find("value")->text, "no such th\xefng\n€ \\");
    EXPECT_EQ(told->find("time")->integer, 1200225601500);
    EXPECT_EQ(told->find("duration")->real, 0.25);
    EXPECT_EQ(told->find("req_vars")->find("a=b")->text, "1&25\n");
    auto const& rows = told->find("timeline")->members;
    ASSERT_EQ(rows.size(), 2u);
    EXPECT_EQ(rows[0].members[2].text, "SQL-main");
    EXPECT_TRUE(rows[1].members[2].is(BsonType::null));
    EXPECT_TRUE(told->find("tb_text")->text.starts_with("Traceback (most"));
    std::vector<std::string> lost;
    auto const again = write_rfc822(*told, &lost);
    EXPECT_EQ(read_rfc822(again).value(), *told) << again;
    EXPECT_TRUE(lost.empty());
}

TEST(Rfc822, OldWritersAreUnderstood) {
    auto const told =
        read_rfc822("Oops-Id: OOPS-1X1\nTopic: t\nX-Unknown: y\nException-Value: a\n  folded\n\n00001-00002@x a\n== EXTRA DATA ==\nfoo\n");
    ASSERT_TRUE(told) << told.error().detail;
    EXPECT_EQ(told->find("topic")->text, "t");
    EXPECT_EQ(told->find("value")->text, "a folded");
    EXPECT_EQ(told->find("timeline")->members.size(), 1u);
    EXPECT_EQ(told->find("tb_text")->text, "== EXTRA DATA ==\nfoo\n");
}

TEST(Rfc822, WhatIsLostIsNamed) {
    Bson d = Bson::document();
    d.add("id", Bson::of("OOPS-1X1"s));
    d.add("last_oops", Bson::of("x"s));
    auto& row = d.add("timeline", Bson::array()).push(Bson::array());
    row.push(Bson::of(std::int64_t(1))), row.push(Bson::of(std::int64_t(2))), row.push(Bson::of("c"s)), row.push(Bson::of("d  \n e"s)),
        row.push(Bson::of("tb"s));
    std::vector<std::string> lost;
    auto const text = write_rfc822(d, &lost);
    EXPECT_EQ(lost, (std::vector<std::string>{"timeline/0/traceback", "last_oops"}));
    EXPECT_NE(text.find("00001-00002@c d e\n"), std::string::npos) << text;
}

TEST(Rfc822, RefusesWithTheLine) {
    struct {
        std::string_view text, why;
    } const rows[] = {
        {"Date: 2008-01-13T12:00:01Z\n\n", "line 2: the header Oops-Id is missing"},
        {"Oops-Id: OOPS-1X1\nnonsense\n\n", "line 2: a header is `Name: value`"},
        {"Oops-Id: OOPS-1X1\nDate: yesterday\n\n", "Date is an ISO 8601 time, not yesterday"},
        {"Oops-Id: OOPS-1X1\nDuration: long\n\n", "Duration is seconds, not long"},
    };
    for (auto const& row : rows) {
        auto const out = read_rfc822(row.text);
        ASSERT_FALSE(out) << row.text;
        EXPECT_EQ(out.error().code, "oops_text_invalid");
        EXPECT_NE(out.error().detail.find(row.why), std::string::npos) << out.error().detail;
    }
    EXPECT_EQ(read_rfc822(std::string((16 << 20) + 1, 'a')).error().status, 413);
}

// The dictionary

Bson dictionary() {
    Bson d = Bson::document();
    d.add("id", Bson::of("OOPS-d41d8cd98f00b204e9800998ecf8427e"s));
    d.add("type", Bson::of("RequestExpired"s));
    d.add("value", Bson::of("too late"s));
    d.add("time", Bson::of(now));
    d.add("duration", Bson::of(1.25));
    d.add("reporter", Bson::of("EDGE"s));
    d.add("topic", Bson::of("+index"s));
    d.add("username", Bson::of("ann"s));
    auto& vars = d.add("req_vars", Bson::array());
    for (auto pair :
         {std::pair("REQUEST_METHOD", "POST"), {"HTTP_REFERER", "https://a/"}, {"HTTP_COOKIE", "s"}, {"REMOTE_ADDR", "192.0.2.1"}}) {
        auto& row = vars.push(Bson::array());
        row.push(Bson::of(std::string_view(pair.first))), row.push(Bson::of(std::string_view(pair.second)));
    }
    vars.push(Bson::array()).push(Bson::of("alone"s));
    auto& row = d.add("timeline", Bson::array()).push(Bson::array());
    row.push(Bson::of(std::int64_t(1))), row.push(Bson::of(std::int64_t(9))), row.push(Bson::of("SQL-main"s)),
        row.push(Bson::of("SELECT 1"s));
    d.add("revision", Bson::of("99"s));
    d.add("HTTP_STATUS", Bson::of("503 Service Unavailable"s));
    d.add("last_oops", {.type = BsonType::object_id, .text = "0123456789ab"});
    return d;
}

TEST(Oops, EachMemberFindsItsField) {
    auto const r = read_oops(write_bson(dictionary()), options);
    ASSERT_TRUE(r) << r.error().detail;
    EXPECT_EQ(r->id.view(), "OOPS-d41d8cd98f00b204e9800998ecf8427e");
    EXPECT_EQ(r->exceptions.at(0).type.view(), "RequestExpired");
    EXPECT_EQ(r->told_at, now);
    EXPECT_EQ(r->received_at, now);
    EXPECT_EQ(r->duration_ms, 1250);
    EXPECT_EQ(r->method.view(), "POST");
    EXPECT_EQ(r->referrer.view(), "https://a/");
    EXPECT_EQ(r->revision.view(), "99");
    EXPECT_EQ(r->status, 503);
    EXPECT_EQ(r->user->value.name.view(), "ann");
    EXPECT_EQ(r->user->value.ip.view(), "192.0.2.1");
    std::vector<Named> const variables = {
        {"REQUEST_METHOD", "POST"}, {"HTTP_REFERER", "https://a/"}, {"HTTP_COOKIE", "<hidden>"}, {"REMOTE_ADDR", "<user>"}, {"alone", ""}};
    EXPECT_EQ(r->variables, variables);
    EXPECT_EQ(r->hidden, 1u);
    EXPECT_EQ(r->extra->text, R"({"last_oops":{"$oid":"303132333435363738396162"}})");
}

TEST(Oops, WhatIsMissingIsNoFault) {
    for (auto bytes : {std::string(), write_bson(Bson::document())}) {
        auto const r = read_oops(bytes, options);
        ASSERT_TRUE(r) << r.error().detail;
        EXPECT_EQ(r->id.view(), content_id("\x05\0\0\0\0"s));
        EXPECT_FALSE(r->told_at);
    }
    Bson d = Bson::document();
    d.add("duration", Bson::of(-1.0)), d.add("username", Bson::of("unauthenticated"s)), d.add("url", {});
    auto const r = report_of_oops(d, options).value();
    EXPECT_FALSE(r.duration_ms);
    EXPECT_FALSE(r.user);
    EXPECT_EQ(r.extra->text, R"({"username":"unauthenticated"})");
}

TEST(Oops, WrongTypesAreNamedByTheirPath) {
    auto one = [](std::string_view name, Bson value) {
        Bson d = Bson::document();
        d.add(name, std::move(value));
        return d;
    };
    auto list = [](Bson item) {
        Bson out = Bson::array();
        out.push(std::move(item));
        return out;
    };
    struct {
        Bson told;
        std::string_view why;
    } const rows[] = {
        {one("type", Bson::array()), "type: expected text, found an array"},
        {one("time", Bson::of("soon"s)), "time: expected a datetime, or text of ISO 8601, found text"},
        {one("time", {.type = BsonType::datetime, .integer = INT64_MAX}), "time: expected a datetime"},
        {one("duration", Bson::of("long"s)), "duration: expected seconds, found text"},
        {one("req_vars", Bson::of(1.0)), "req_vars: expected a document, or a list of pairs, found a real"},
        {one("req_vars", list(Bson::of("x"s))), "req_vars/0: expected a list of 1 or 2, found text"},
        {one("timeline", Bson::document()), "timeline: expected a list, found a document"},
        {one("timeline", list(Bson::of("x"s))), "timeline/0: expected a list of 4 or 5, found text"},
        {one("HTTP_STATUS", Bson::of("ok"s)), "HTTP_STATUS: expected a status from 100 to 999, found text"},
    };
    for (auto const& row : rows) {
        auto const out = report_of_oops(row.told, options);
        ASSERT_FALSE(out) << row.why;
        EXPECT_EQ(out.error().code, "oops_invalid");
        EXPECT_NE(out.error().detail.find(row.why), std::string::npos) << out.error().detail;
    }
    EXPECT_EQ(read_oops("\x05\0\0\0\x05"s, options).error().code, "bson_invalid");
    EXPECT_EQ(read_oops("just some text", options).error().code, "oops_text_invalid");
}

TEST(Oops, ATextIsReadToo) {
    auto const r = read_oops(text_report, options);
    ASSERT_TRUE(r) << r.error().detail;
    EXPECT_EQ(r->id.view(), "OOPS-744EA12");
    ASSERT_EQ(r->exceptions.size(), 1u);
    EXPECT_EQ(r->exceptions[0].frames.at(0).module.view(), "shop.views");
    EXPECT_EQ(r->exceptions[0].frames[0].context_line.view(), "return find(1)");
    EXPECT_EQ(r->timeline.size(), 2u);
}

Report rich() {
    Report r{.id = "OOPS-d41d8cd98f00b204e9800998ecf8427e",
             .kind = ReportKind::timeout,
             .level = Level::fatal,
             .received_at = now,
             .told_at = Time{now.us - 1}};
    r.exceptions = {{.type = "Cause", .value = "c", .module = "m"},
                    {.type = "E",
                     .value = "v",
                     .mechanism = Mechanism{"generic", true},
                     .frames = {{.module = "m", .function = "f", .file = "/a.py", .line = 3, .context_line = "x()", .in_app = true}}}};
    r.message = "hello", r.fingerprint = {"a", "{{ default }}"}, r.topic = "t", r.url = "https://h/", r.method = "GET";
    r.user = Personal<ReportUser>{.value = {.id = "1", .name = "ann", .email = "a@b.c"}};
    r.release = "p@1", r.environment = "x", r.tags = {{"k", "v"}}, r.duration_ms = 12.345, r.status = 503;
    r.timeline = {{1, 2, "SQL-x", "SELECT 1", Long("tb")}, {3, 4, "", "y", {}}};
    r.breadcrumbs = {{.at = now, .category = "c", .message = "m", .data = codec::RawJson{R"({"a":1e2})"}}};
    r.variables = {{"a", "b"}, {"a", "b"}}, r.positions = {{"queue", "x.7"}}, r.trace_id = "t1";
    r.extra = codec::RawJson{R"({"contexts":{"a":1.50},"n":12345678901234567890})"};
    r.cut = {{"message", 3, CutUnit::characters}}, r.hidden = 2;
    return r;
}

TEST(Oops, AReportWrittenAsBsonIsReadTheSame) {
    for (auto const& report : {rich(), Report{.id = "OOPS-1X1"}}) {
        auto const back = read_oops(write_bson(oops_of_report(report)), {.received_at = report.received_at});
        ASSERT_TRUE(back) << back.error().detail;
        EXPECT_EQ(codec::to_json(*back), codec::to_json(report));
    }
    auto const read = report_of_oops(dictionary(), options).value();
    EXPECT_EQ(codec::to_json(report_of_oops(oops_of_report(read), options).value()), codec::to_json(read));
}

TEST(Oops, TheAncestorsToolsFindWhatTheyKnow) {
    auto const d = oops_of_report(rich(), OopsForm::ancestors);
    EXPECT_EQ(d.find("type")->text, "E");
    EXPECT_EQ(d.find("username")->text, "ann");
    EXPECT_TRUE(d.find("tb_text")->text.starts_with("Traceback (most recent call last):\nm.Cause: c\n"));
    EXPECT_FALSE(d.find("gantry"));
    EXPECT_TRUE(read_rfc822(write_rfc822(d)));
}

TEST(Oops, AForeignMemberNamedGantryIsOnlyKept) {
    for (auto text : {"not JSON", "[]", R"({"id":5})"}) {
        Bson d = Bson::document();
        d.add("id", Bson::of("OOPS-1X1"s)), d.add("gantry", Bson::of(std::string_view(text)));
        auto const r = report_of_oops(d, options);
        ASSERT_TRUE(r) << text;
        EXPECT_EQ(r->id.view(), "OOPS-1X1");
    }
}

// Stacks as text

TEST(Traceback, OfPythonWithAChain) {
    auto const out = parse_traceback(
        "Traceback (most recent call last):\n  File \"/a.py\", line 3, in f\n    x = {}[1]\n        ~~^^^\nKeyError: 1\n\n"
        "The above exception was the direct cause of the following exception:\n\n"
        "Traceback (most recent call last):\n  File \"/b.py\", line 9, in <module>\n    f()\n  File \"/b.py\", line 4, in "
        "g\nshop.PriceError: no\n price\n");
    ASSERT_EQ(out.size(), 2u);
    EXPECT_EQ(out[0].type, "KeyError");
    EXPECT_EQ(out[0].frames.at(0).context_line, "x = {}[1]");
    EXPECT_EQ(out[1].type, "PriceError");
    EXPECT_EQ(out[1].module, "shop");
    ASSERT_EQ(out[1].frames.size(), 2u);
    EXPECT_EQ(out[1].frames[0].function, "<module>");
    EXPECT_EQ(out[1].frames[1].line, 4u);
}

TEST(Traceback, OfJavaScript) {
    auto const out =
        parse_traceback("TypeError: no: x\n    at total (/srv/a.mjs:29:15)\n    at async main (/srv/a.mjs:35:5)\n    at /srv/b.mjs:1:2\n");
    ASSERT_EQ(out.size(), 1u);
    EXPECT_EQ(out[0].type, "TypeError");
    EXPECT_EQ(out[0].value, "no: x");
    ASSERT_EQ(out[0].frames.size(), 3u);
    EXPECT_EQ(out[0].frames[0].file, "/srv/b.mjs") << "the outermost first";
    EXPECT_EQ(out[0].frames[2].function, "total");
    EXPECT_EQ(out[0].frames[2].line, 29u);
    EXPECT_EQ(out[0].frames[2].column, 15u);
}

TEST(Traceback, OfSomethingElseIsNothing) {
    for (auto text : {"", "hello\n", "hello: world\nmore\n", "    at x\n"}) EXPECT_TRUE(parse_traceback(text).empty()) << text;
}

// Our own JSON

TEST(Input, TakesWhatAProgramWithoutALibrarySends) {
    auto const told = codec::from_json<NewReport>(
        R"({"type":"E","value":"v at 4111 1111 1111 1111",
        "traceback":"Traceback (most recent call last):\n  File \"a.py\", line 1, in f\n    g()\nX: y\n",
        "tags":{"k":"v","token":"t"},"variables":{"HTTP_COOKIE":"c","a":"b"},"extra":{"password":"p","n":1},
        "user":{"name":"ann"},"at":"2026-11-21T00:00:00Z"})");
    ASSERT_TRUE(told) << told.error().detail;
    auto const r = report_of_input(*told, options);
    ASSERT_TRUE(r);
    EXPECT_EQ(r->exceptions.at(0).type.view(), "E");
    EXPECT_EQ(r->exceptions[0].value.view(), "v at <hidden>");
    EXPECT_EQ(r->exceptions[0].frames.at(0).function.view(), "f");
    EXPECT_EQ(r->tags, (std::vector<Tag>{{"k", "v"}, {"token", "<hidden>"}}));
    EXPECT_EQ(r->extra->text, R"({"password":"<hidden>","n":1})");
    EXPECT_EQ(r->hidden, 4u);
    EXPECT_TRUE(r->id.empty()) << "the service gives one";
}

TEST(Input, RefusesWhatCanNotBe) {
    EXPECT_EQ(codec::from_json<NewReport>(R"({"mesage":"x"})").error().detail,
              "/mesage: unknown field \"mesage\", did you mean \"message\"?");
    EXPECT_EQ(report_of_input({.id = "what"}, options).error().faults.at(0).pointer, "/id");
    EXPECT_EQ(report_of_input({.extra = codec::RawJson{"[1]"}}, options).error().faults.at(0).pointer, "/extra");
    EXPECT_EQ(report_of_input({.id = "OOPS-1X1"}, options)->id.view(), "OOPS-1X1");
}

TEST(Input, ListsHaveLimits) {
    NewReport told;
    told.timeline.resize(1001), told.breadcrumbs.resize(101), told.exceptions.resize(51), told.exceptions[0].frames.resize(251);
    auto const r = report_of_input(told, options).value();
    EXPECT_EQ(r.timeline.size(), 1000u);
    EXPECT_EQ(r.breadcrumbs.size(), 100u);
    EXPECT_EQ(r.exceptions.size(), 50u);
    EXPECT_EQ(r.exceptions[0].frames.size(), 250u);
    EXPECT_EQ(r.cut.size(), 4u);
    told = {};
    told.timeline.resize(1000), told.breadcrumbs.resize(100), told.exceptions.resize(50);
    EXPECT_TRUE(report_of_input(told, options)->cut.empty());
}

}  // namespace
}  // namespace gantry::oops
