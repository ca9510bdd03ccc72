#include <fmt/format.h>

#include "kernel/testing/goldens.h"
#include "kernel/testing/harness.h"
#include "services/oops/fingerprint.h"
#include "services/oops/fixtures_test.h"
#include "services/oops/sentry_auth.h"
#include "services/oops/sentry_intake.h"

namespace gantry::oops {
namespace {

constexpr Time now{1'795'301'700'000'000};
ReadOptions const options{.received_at = now, .peer_ip = "198.51.100.9"};
std::string const id = "0123456789abcdef0123456789abcdef";

Envelope split(std::string_view body) {
    auto out = split_envelope(body);
    EXPECT_TRUE(out) << out.error().detail;
    return out.value_or(Envelope{});
}
Report event(std::string const& members) {
    auto out = read_sentry_event(R"({"event_id":")" + id + "\"" + (members.empty() ? "" : "," + members) + "}", options);
    EXPECT_TRUE(out) << out.error().detail;
    return out.value_or(Report{});
}

// Framing

TEST(Envelope, ItemsWithAndWithoutLength) {
    std::string const body =
        "{}\n{\"type\":\"attachment\",\"length\":5,\"filename\":\"a.bin\",\"content_type\":\"x/"
        "y\"}\na\n\nb\n\n{\"type\":\"session\"}\n{\"sid\":1}\n"
        "{\"type\":\"event\",\"length\":2}\n{}";
    auto const out = split(body);
    ASSERT_EQ(out.items.size(), 3u);
    EXPECT_EQ(out.items[0].payload, "a\n\nb\n");
    EXPECT_EQ(out.items[0].filename, "a.bin");
    EXPECT_EQ(out.items[0].content_type, "x/y");
    EXPECT_EQ(out.items[1].payload, "{\"sid\":1}");
    EXPECT_EQ(out.items[2].payload, "{}");
}

TEST(Envelope, EndsAnyWay) {
    for (auto body : {"{}", "{}\n", "{}\n\n\n"}) EXPECT_EQ(split(body).items.size(), 0u) << body;
    for (auto body : {"{}\n{\"type\":\"x\"}\nabc", "{}\n{\"type\":\"x\"}\nabc\n", "{}\r\n{\"type\":\"x\"}\r\nabc\r\n",
                      "{}\n{\"type\":\"x\",\"length\":3}\nabc\n\n"}) {
        auto const out = split(body);
        ASSERT_EQ(out.items.size(), 1u) << body;
        EXPECT_EQ(out.items[0].payload, "abc") << body;
    }
    EXPECT_EQ(split("{}\n{\"type\":\"x\"}").items[0].payload, "") << "an item may have no payload";
    EXPECT_EQ(split("{}\n{\"type\":\"x\",\"length\":0}\n\n{\"type\":\"y\"}\n1").items.size(), 2u);
}

TEST(Envelope, HeadTellsIdTimeAndDsn) {
    auto const out = split(R"({"event_id":"01234567-89ab-cdef-0123-456789ABCDEF","sent_at":"2026-11-21T22:54:22.775Z",)"
                           R"("dsn":"https://k@h/1","sdk":{"name":"s","version":"1"}})");
    EXPECT_EQ(out.event_id, id);
    EXPECT_EQ(format_time(out.sent_at.value()), "2026-11-21T22:54:22.775Z");
    EXPECT_EQ(out.dsn, "https://k@h/1");
    EXPECT_EQ(out.sdk, "s/1");
}

TEST(Envelope, RefusesWithThePlace) {
    struct {
        std::string body, code, why;
    } const rows[] = {
        {"", "envelope_invalid", "the envelope: its header is not JSON at byte 0"},
        {"nope", "envelope_invalid", "the envelope: its header is not JSON at byte 0"},
        {"[]", "envelope_invalid", "the envelope: its header is a list, not an object"},
        {R"({"event_id":"xyz"})", "envelope_invalid", "event_id is 32 hex digits"},
        {R"({"dsn":1})", "envelope_invalid", "dsn is text, not a number"},
        {"{}\n{}\n1", "envelope_invalid", "item 1: its header has no type"},
        {"{}\n{\"type\":\"a\"}\n1\nnope", "envelope_invalid", "item 2: its header is not JSON"},
        {"{}\n{\"type\":\"a\",\"length\":-1}\n1", "envelope_invalid", "item 1: length is a number of bytes"},
        {"{}\n{\"type\":\"a\",\"length\":\"1\"}\n1", "envelope_invalid", "item 1: length is a number of bytes"},
        {"{}\n{\"type\":\"a\",\"length\":5}\nabc", "envelope_invalid", "item 1: length is 5, but 3 bytes follow"},
        {"{}\n{\"type\":\"a\",\"length\":18446744073709551615}\nabc", "envelope_invalid", "item 1: length is"},
        {"{}\n{\"type\":\"a\",\"length\":2}\nabc\n", "envelope_invalid", "item 1: no line feed after 2 bytes"},
        {"{}\n{\"type\":\"" + std::string(101, 'a') + "\"}\n1", "envelope_invalid", "a type has at most 100 bytes"},
        {"{}\n{\"x\":\"" + std::string(70'000, 'a') + "\"}\n1", "envelope_too_large", "a header has at most 65536 bytes"},
        {"{}\n" + std::string(20, '{') + "\n1", "envelope_invalid", "item 1: its header is not JSON"},
    };
    for (auto const& row : rows) {
        auto const out = split_envelope(row.body);
        ASSERT_FALSE(out) << row.body.substr(0, 80);
        EXPECT_EQ(out.error().code, row.code);
        EXPECT_NE(out.error().detail.find(row.why), std::string::npos) << out.error().detail;
    }
}

TEST(Envelope, LimitsHoldFromBothSides) {
    auto items = [](std::string const& type, int count) {
        std::string body = "{}\n";
        for (int i = 0; i < count; ++i) body += "{\"type\":\"" + type + "\"}\n{}\n";
        return body;
    };
    EXPECT_TRUE(split_envelope(items("event", 200)));
    EXPECT_EQ(split_envelope(items("event", 201)).error().code, "envelope_too_large");
    EXPECT_TRUE(split_envelope(items("session", 100)));
    EXPECT_EQ(split_envelope(items("session", 101)).error().code, "envelope_too_large");
    auto sized = [](std::string const& type, std::size_t bytes) { return "{}\n{\"type\":\"" + type + "\"}\n" + std::string(bytes, 'a'); };
    EXPECT_TRUE(split_envelope(sized("event", 1 << 20)));
    EXPECT_EQ(split_envelope(sized("event", (1 << 20) + 1)).error().status, 413);
    EXPECT_TRUE(split_envelope(sized("check_in", 100 * 1024)));
    EXPECT_EQ(split_envelope(sized("check_in", 100 * 1024 + 1)).error().code, "envelope_too_large");
    EXPECT_TRUE(split_envelope(sized("attachment", 2 << 20)));
}

// Whose it is

TEST(SentryCaller, ThreeWaysToShowTheKey) {
    struct {
        std::string_view query, header, dsn, key, client;
    } const rows[] = {
        {"sentry_version=7&sentry_key=abc&sentry_client=sentry.javascript.node%2F10.78.0", "", "", "abc", "sentry.javascript.node/10.78.0"},
        {"?sentry_key=abc", "", "", "abc", ""},
        {"", "Sentry sentry_key=abc, sentry_version=7, sentry_client=sentry.python/1.9.10", "", "abc", "sentry.python/1.9.10"},
        {"", "", "https://abc:secret@host:9000/path/42", "abc", ""},
        {"sentry_key=abc", "Sentry sentry_key=abc", "http://abc@h/1", "abc", ""},
        {"sentry_key=abc", "Basic YTpi", "", "abc", ""},
    };
    for (auto const& row : rows) {
        auto const caller = sentry_caller(row.query, row.header, row.dsn);
        ASSERT_TRUE(caller) << caller.error().detail;
        EXPECT_EQ(caller->key, row.key);
        EXPECT_EQ(caller->client, row.client);
    }
    EXPECT_EQ(sentry_caller("", "", "https://abc@host/path/42")->project, "42");
}

TEST(SentryCaller, RefusesNoneWrongOnesAndTwo) {
    struct {
        std::string_view query, header, dsn, code;
    } const rows[] = {
        {"", "", "", "sentry_key_missing"},
        {"sentry_key", "Sentry", "", "sentry_key_missing"},
        {"sentry_key=", "", "", "sentry_key_invalid"},
        {"sentry_key=a%20b", "", "", "sentry_key_invalid"},
        {"sentry_key=a-b", "", "", "sentry_key_invalid"},
        {"sentry_key=abc", "Sentry sentry_key=abd", "", "sentry_key_mismatch"},
        {"sentry_key=abc", "", "https://abd@h/1", "sentry_key_mismatch"},
        {"", "Sentry sentry_key=abc", "https://abd@h/1", "sentry_key_mismatch"},
        {"sentry_key=abc&sentry_key=abd", "", "", "sentry_key_mismatch"},
        {"", "", "https://host/1", "sentry_dsn_invalid"},
        {"", "", "abc@host/1", "sentry_dsn_invalid"},
        {"", "", "https://abc@host", "sentry_dsn_invalid"},
        {"", "", "https://abc@/1", "sentry_dsn_invalid"},
    };
    for (auto const& row : rows) {
        auto const caller = sentry_caller(row.query, row.header, row.dsn);
        ASSERT_FALSE(caller) << row.query << row.header << row.dsn;
        EXPECT_EQ(caller.error().code, row.code) << row.query << row.header << row.dsn;
    }
    EXPECT_TRUE(sentry_caller("sentry_key=" + std::string(64, 'a'), "", ""));
    EXPECT_FALSE(sentry_caller("sentry_key=" + std::string(65, 'a'), "", ""));
}

// Events

TEST(SentryEvent, ListsComeInBothShapes) {
    for (auto json :
         {R"("exception":{"values":[{"type":"E","value":"v"}]})", R"("exception":[{"type":"E","value":"v"}])",
          R"("exception":{"type":"E","value":"v"})", R"("sentry.interfaces.Exception":{"values":[{"type":"E","value":"v"}]})"}) {
        auto const report = event(json);
        ASSERT_EQ(report.exceptions.size(), 1u) << json;
        EXPECT_EQ(report.exceptions[0].value.view(), "v");
    }
    for (auto json : {R"("tags":{"a":"b"})", R"("tags":[["a","b"]])", R"("tags":[{"key":"a","value":"b"}])"}) {
        auto const report = event(json);
        ASSERT_EQ(report.tags.size(), 1u) << json;
        EXPECT_EQ(report.tags[0], (Tag{"a", "b"}));
    }
    for (auto json : {R"("breadcrumbs":[{"message":"m"}])", R"("breadcrumbs":{"values":[{"message":"m"}]})"})
        EXPECT_EQ(event(json).breadcrumbs.size(), 1u) << json;
}

TEST(SentryEvent, TimesOfClients) {
    for (auto json :
         {R"("timestamp":1795301662.754)", R"("timestamp":"2026-11-21T22:54:22.754Z")", R"("timestamp":"2026-11-21T22:54:22.754")"})
        EXPECT_EQ(format_time(event(json).told_at.value()), "2026-11-21T22:54:22.754Z") << json;
    EXPECT_EQ(event("").received_at, now);
    EXPECT_FALSE(event("").told_at);
}

TEST(SentryEvent, MessagesAreFilledIn) {
    auto report = event(R"("logentry":{"message":"cannot reach %s in %d ms, 100%%","params":["x",5]})");
    EXPECT_EQ(report.message.view(), "cannot reach x in 5 ms, 100%");
    EXPECT_EQ(report.message_template.view(), "cannot reach %s in %d ms, 100%%");
    EXPECT_EQ(event(R"("message":"plain")").message.view(), "plain");
    EXPECT_EQ(event(R"("message":{"formatted":"f"})").message.view(), "f");
    EXPECT_EQ(event(R"("message":"m","level":"info")").kind, ReportKind::message);
    EXPECT_EQ(event(R"("message":"m","level":"error")").kind, ReportKind::error);
    EXPECT_EQ(event(R"("exception":[{"value":"m"}],"level":"warning")").kind, ReportKind::message);
    EXPECT_EQ(event(R"("exception":[{"type":"E"}],"level":"warning")").kind, ReportKind::error);
    EXPECT_EQ(event(R"("logentry":{"message":"%s %s","params":["one"]})").message.view(), "one %s");
}

TEST(SentryEvent, WhatHasNoFieldIsKept) {
    auto const report = event(R"("spans":[1],"made_up":{"a":null},"contexts":{"os":{"name":"x"}},"level":"odd")");
    EXPECT_EQ(report.extra->text, R"({"spans":[1],"made_up":{"a":null},"contexts":{"os":{"name":"x"}},"level":"odd"})");
    EXPECT_EQ(report.level, Level::error);
}

TEST(SentryEvent, SecretsAreHiddenAndCounted) {
    auto const report = event(
        R"("extra":{"password":"hunter2","deep":[{"api_key":"k"}]},"tags":{"token":"t"},
        "request":{"headers":{"Authorization":"Bearer x","Accept":"y"},
        "cookies":{"sid":"s"},"query_string":"a=1&token=zzz","url":"https://u:pw@h/?secret=1"},"breadcrumbs":[{"data":{"passwd":1}}],
        "exception":[{"stacktrace":{"frames":[{"vars":{"secret":"'s'","n":{"token":"t"}}}]}}])");
    auto const json = codec::to_json(report);
    for (auto secret : {"hunter2", "\"k\"", "\"t\"", "Bearer x", "\"s\"", "zzz", ":pw@", "secret=1", "'s'"})
        EXPECT_EQ(json.find(secret), std::string::npos) << secret << " in " << json;
    EXPECT_EQ(report.hidden, 11u) << json;
}

TEST(SentryEvent, TheUserStandsInOnePlace) {
    auto const report = event(R"("user":{"id":17,"email":"a@b.c","ip_address":"{{auto}}","geo":{"city":"X"}},
        "request":{"env":{"REMOTE_ADDR":"192.0.2.1"},"headers":{"X-Forwarded-For":"192.0.2.2","X-Real-Ip":"192.0.2.3"}})");
    auto const& user = report.user->value;
    EXPECT_EQ(user.id.view(), "17");
    EXPECT_EQ(user.ip.view(), "198.51.100.9");
    EXPECT_EQ(user.other->text, R"({"geo":{"city":"X"}})");
    auto rest = report;
    rest.user.reset();
    EXPECT_EQ(codec::to_json(rest).find("192.0.2."), std::string::npos) << codec::to_json(rest);
}

TEST(SentryEvent, FeedbackKeepsWhoGaveItApart) {
    auto r = event(R"("contexts":{"feedback":{"message":"m","name":"Bob","contact_email":"bob@x.y","source":"widget"},"os":{"name":"x"}})");
    EXPECT_EQ(r.kind, ReportKind::feedback);
    EXPECT_EQ(r.user->value.email.view(), "bob@x.y");
    EXPECT_EQ(r.extra->text, R"({"contexts":{"os":{"name":"x"}},"feedback":{"source":"widget"}})");
}

TEST(SentryEvent, WhatIsTooLongIsCutAndCounted) {
    std::string crumbs, frames;
    for (int i = 0; i < 103; ++i) crumbs += (i ? "," : "") + std::string("{\"message\":\"") + std::to_string(i) + "\"}";
    for (int i = 0; i < 253; ++i) frames += (i ? "," : "") + std::string("{\"lineno\":") + std::to_string(i) + "}";
    auto const report = event("\"message\":\"" + std::string(8200, 'x') + R"(","breadcrumbs":[)" + crumbs +
                              R"(],"exception":[{"stacktrace":{"frames":[)" + frames + "]}}]");
    EXPECT_EQ(report.message.size(), 8192u);
    ASSERT_EQ(report.breadcrumbs.size(), 100u);
    EXPECT_EQ(report.breadcrumbs.front().message.view(), "3") << "the last are kept";
    auto const& kept = report.exceptions[0].frames;
    ASSERT_EQ(kept.size(), 250u);
    EXPECT_EQ(kept[124].line, 124u);
    EXPECT_EQ(kept[125].line, 128u) << "the middle goes";
    std::vector<Cut> const cut = {{"message", 8, CutUnit::characters}, {"breadcrumbs", 3, CutUnit::items}, {"frames", 3, CutUnit::items}};
    EXPECT_EQ(report.cut, cut);
}

TEST(SentryEvent, ExtraHasALimit) {
    std::string extra;
    for (int i = 0; i < 10; ++i)
        extra += (i ? "," : "") + std::string("\"m") + std::to_string(i) + "\":\"" + std::string(10'000, 'x') + "\"";
    auto const report = event(extra);
    EXPECT_LE(report.extra->text.size(), 65536u);
    EXPECT_EQ(report.cut, (std::vector<Cut>{{"extra", 4, CutUnit::items}}));
}

TEST(SentryEvent, BrokenTextsAreMended) {
    auto const report = event(R"("message":"a\u0000b\ud83d")");
    EXPECT_EQ(report.message.view(), "a\ufffdb\ufffd");
}

TEST(SentryEvent, WrongTypesAreNamedByTheirPlace) {
    struct {
        std::string_view json, why;
    } const rows[] = {
        {"[]", "event: expected an object, found a list"},
        {"{}", "event_id: expected 32 hex digits, found nothing"},
        {R"({"event_id":"zz"})", "event_id: expected 32 hex digits, found text"},
        {R"({"event_id":"0123456789abcdef0123456789abcdef","exception":"x"})", "exception: expected a list, found text"},
        {R"({"event_id":"0123456789abcdef0123456789abcdef","exception":{"values":5}})",
         "exception/values: expected a list, found a number"},
        {R"({"event_id":"0123456789abcdef0123456789abcdef","exception":[{},7]})", "exception/values/1: expected an object, found a number"},
        {R"({"event_id":"0123456789abcdef0123456789abcdef","exception":[{"stacktrace":{"frames":"x"}}]})",
         "exception/values/0/stacktrace/frames: expected a list, found text"},
        {R"({"event_id":"0123456789abcdef0123456789abcdef","exception":[{"stacktrace":{"frames":[{},1]}}]})",
         "exception/values/0/stacktrace/frames/1: expected an object, found a number"},
        {R"({"event_id":"0123456789abcdef0123456789abcdef","tags":1})", "tags: expected an object, found a number"},
        {R"({"event_id":"0123456789abcdef0123456789abcdef","user":"x"})", "user: expected an object, found text"},
        {R"({"event_id":"0123456789abcdef0123456789abcdef","request":[]})", "request: expected an object, found a list"},
        {R"({"event_id":"0123456789abcdef0123456789abcdef","contexts":[]})", "contexts: expected an object, found a list"},
        {R"({"event_id":"0123456789abcdef0123456789abcdef","fingerprint":"x"})", "fingerprint: expected a list, found text"},
        {R"({"event_id":"0123456789abcdef0123456789abcdef","timestamp":"soon"})",
         "timestamp: expected seconds since 1970 or an RFC 3339 time, found text"},
        {R"({"event_id":"0123456789abcdef0123456789abcdef","timestamp":1e300})", "timestamp: expected seconds"},
        {R"({"event_id":)", "not JSON at byte 12"},
    };
    for (auto const& row : rows) {
        auto const out = read_sentry_event(row.json, options);
        ASSERT_FALSE(out) << row.json;
        EXPECT_EQ(out.error().status, 400);
        EXPECT_NE(out.error().detail.find(row.why), std::string::npos) << out.error().detail;
    }
}

TEST(SentryEvent, FramesKnowTheirDebugId) {
    auto const report = event(R"("exception":[{"stacktrace":{"frames":[{"abs_path":"http://h/a.js"},{"abs_path":"http://h/b.js"}]}}],
        "debug_meta":{"images":[{"type":"sourcemap","code_file":"http://h/a.js","debug_id":"d1"}]})");
    EXPECT_EQ(report.exceptions[0].frames[0].debug_id.view(), "d1");
    EXPECT_EQ(report.exceptions[0].frames[1].debug_id.view(), "");
}

TEST(CspReport, InBothForms) {
    auto const old = read_csp_report(
        R"({"csp-report":{"document-uri":"https://a/p","violated-directive":"script-src 'self'",
        "blocked-uri":"https://evil.example/x.js"}})",
        options);
    auto const modern = read_csp_report(
        R"({"type":"csp-violation","body":{"documentURL":"https://a/p","effectiveDirective":"script-src",
        "blockedURL":"https://evil.example/x.js"}})",
        options);
    ASSERT_TRUE(old && modern);
    EXPECT_EQ(*old->csp, *modern->csp);
    EXPECT_EQ(fingerprint(*old).how, GroupedBy::csp);
    EXPECT_EQ(fingerprint(*old), fingerprint(*modern));
    EXPECT_EQ(read_csp_report("{}", options).error().detail, "csp-report: expected an object, found nothing");
}

// All items

TEST(SentryItems, EachKindGoesItsWay) {
    std::string const body =
        "{\"event_id\":\"" + id +
        "\"}\n"
        "{\"type\":\"event\"}\n{\"message\":\"m\"}\n"
        "{\"type\":\"user_report\"}\n{\"event_id\":\"" +
        id +
        "\",\"name\":\"n\",\"email\":\"e@x.y\",\"comments\":\"c\"}\n"
        "{\"type\":\"feedback\"}\n{\"contexts\":{\"feedback\":{\"message\":\"f\",\"contact_email\":\"e@x.y\"}}}\n"
        "{\"type\":\"session\"}\n{\"sid\":\"s1\",\"init\":true,\"status\":\"crashed\",\"errors\":1,\"attrs\":{\"release\":\"r\","
        "\"environment\":\"e\"}}\n"
        "{\"type\":\"sessions\"}\n{\"aggregates\":[{\"started\":\"2026-11-21T22:00:00Z\",\"exited\":5,\"errored\":2,\"crashed\":1}],"
        "\"attrs\":{\"release\":\"r\"}}\n"
        "{\"type\":\"client_report\"}\n{\"discarded_events\":[{\"reason\":\"ratelimit_backoff\",\"category\":\"error\",\"quantity\":3}]}\n"
        "{\"type\":\"attachment\",\"length\":3,\"filename\":\"a.bin\"}\n\x01\n\x02\n"
        "{\"type\":\"check_in\"}\n{\"check_in_id\":\"c\",\"monitor_slug\":\"nightly\",\"status\":\"ok\",\"duration\":1.5}\n"
        "{\"type\":\"transaction\"}\n{\"spans\":[]}\n"
        "{\"type\":\"what_is_this\",\"content_type\":\"a/b\",\"item_count\":2}\nnot even JSON\n"
        "{\"type\":\"event\"}\n{\"exception\":1}\n";
    auto const envelope = split(body);
    auto const out = read_items(envelope, options);
    EXPECT_EQ(out.event_id, id);
    ASSERT_EQ(out.reports.size(), 3u);
    EXPECT_EQ(out.reports[0].message.view(), "m");
    EXPECT_EQ(out.reports[1].kind, ReportKind::feedback);
    EXPECT_EQ(out.reports[2].message.view(), "f");
    EXPECT_EQ(out.reports[2].user->value.email.view(), "e@x.y");
    ASSERT_EQ(out.sessions.size(), 2u);
    EXPECT_EQ(out.sessions[0].session, "s1");
    EXPECT_EQ(out.sessions[0].started, 1u);
    EXPECT_EQ(out.sessions[0].crashed, 1u);
    EXPECT_EQ(out.sessions[1].started, 8u);
    EXPECT_EQ(out.sessions[1].errored, 2u);
    ASSERT_EQ(out.dropped.size(), 1u);
    EXPECT_EQ(out.dropped[0].count, 3u);
    ASSERT_EQ(out.attachments.size(), 1u);
    EXPECT_EQ(out.attachments[0].bytes, "\x01\n\x02");
    ASSERT_EQ(out.check_ins.size(), 1u);
    EXPECT_EQ(out.check_ins[0].duration_s, 1.5);
    ASSERT_EQ(out.raw.size(), 2u);
    EXPECT_EQ(out.raw[1].type, "what_is_this");
    EXPECT_EQ(out.raw[1].payload, "not even JSON");
    ASSERT_EQ(out.refused.size(), 1u);
    EXPECT_EQ(out.refused[0].detail, "item 11 (event): exception: expected a list, found a number");
}

// What real clients sent, word for word; the goldens show what becomes of it.
std::string shown(Recorded const& request) {
    std::string out = "== " + request.name + "\n";
    auto const caller = sentry_caller(request.path.substr(std::min(request.path.find('?'), request.path.size())), request.auth, "");
    EXPECT_TRUE(caller) << request.name;
    if (!caller) return out;
    out += "key " + caller->key + ", client " + caller->client + "\n";
    auto add = [&](Report const& report) {
        std::vector<std::string> why;
        auto const prints = fingerprint(report, {}, &why);
        out += codec::pretty_json(codec::to_json(report)) + "\n";
        out += "title: " + title_of(report) + "\ngrouped by " + codec::encode_scalar(codec::type_of<GroupedBy>(), &prints.how) + ":\n";
        for (auto part : why) {
            std::replace(part.begin(), part.end(), '\n', '|');
            out += "  " + part + "\n";
        }
    };
    if (request.store()) {
        auto const report = read_sentry_event(request.body, options);
        EXPECT_TRUE(report) << request.name << report.error().detail;
        if (report) add(*report);
        return out;
    }
    auto const envelope = split(request.body);
    auto const intake = read_items(envelope, options);
    EXPECT_TRUE(intake.refused.empty()) << request.name << ": " << (intake.refused.empty() ? "" : intake.refused[0].detail);
    for (auto const& report : intake.reports) add(report);
    for (auto const& s : intake.sessions)
        out +=
            fmt::format("session of {} in {}: {} started, {} ended, {} errored\n", s.release, s.environment, s.started, s.ended, s.errored);
    for (auto const& a : intake.attachments) out += fmt::format("attachment {} ({}), {} bytes\n", a.name, a.content_type, a.bytes.size());
    for (auto const& c : intake.check_ins) out += fmt::format("check-in {} {}\n", c.monitor, c.status);
    for (auto const& r : intake.raw)
        out += fmt::format("raw {} {} of {} in {} bytes\n", r.type, r.content_type, r.item_count, r.payload.size());
    return out;
}

class OfRealClients : public ::testing::TestWithParam<char const*> {};
TEST_P(OfRealClients, IsReadAsTheGoldenSays) {
    std::string out;
    for (auto const& request : recorded(GetParam())) out += shown(request);
    for (auto secret : {"hunter2", "do-not-keep\\\"}", "\"do-not-keep\""}) EXPECT_EQ(out.find(secret), std::string::npos) << secret;
    EXPECT_TRUE(expect_golden(std::string("services/oops/goldens/") + GetParam() + ".txt", out));
}
INSTANTIATE_TEST_SUITE_P(Sentry, OfRealClients, ::testing::Values("node10", "node11", "browser11", "python1"),
                         [](auto const& info) { return std::string(info.param); });

// Two SDKs that tell of one failure: one group.
TEST(OfRealClients, TwoVersionsOfAnSdkMakeOneGroup) {
    std::vector<Fingerprints> prints;
    for (auto client : {"node10", "node11"})
        for (auto const& request : recorded(client)) {
            auto const envelope = split(request.body);
            for (auto const& report : read_items(envelope, options).reports)
                if (!report.exceptions.empty() && report.exceptions.back().type.view() == "PriceError")
                    prints.push_back(fingerprint(report));
        }
    ASSERT_EQ(prints.size(), 2u);
    EXPECT_EQ(prints[0].app, prints[1].app);
}

}  // namespace
}  // namespace gantry::oops
