#include "kernel/observe/otlp.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "kernel/codec/golden.h"
#include "kernel/codec/json_check.h"
#include "kernel/observe/otlp_queue.h"

namespace gantry::observe {
namespace {

// A trace of `spans` spans, kept.
KeptTracePtr kept_trace(std::size_t spans, std::uint64_t id = 1) {
    static SeededRandom random(7);
    RequestTrace trace;
    trace.begin("GET /x", SpanKind::server, TraceContext{{id, id}, {9}, true, true}, Time{1'700'000'000'000'000}, 0, random);
    for (std::size_t i = 1; i < spans; ++i) trace.add("step", 10, 20);
    trace.end(1000);
    return std::make_shared<KeptTrace const>(trace, TraceOutcome{.status = 200}, KeptBecause::sampled);
}

TEST(Otlp, EveryMemberThatIsSent) {
    SeededRandom random(3);
    RequestTrace trace;
    trace.begin("POST /notes/v1/", SpanKind::server, parse_traceparent("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
                Time{1'700'000'000'123'456}, 5000, random);
    auto const decide = trace.open("decide \"now\"", 6000);
    trace.set(decide, "events", std::int64_t(2));
    trace.set(decide, "least", std::numeric_limits<std::int64_t>::min());
    trace.set(decide, "share", 0.25);
    trace.set(decide, "cached", false);
    trace.set(decide, "dropped", true);
    trace.close(decide, 7001, SpanStatus::error);
    trace.add("sync", 7001, 900'000, SpanKind::client);
    trace.link({{0x10, 0x20}, {0x30}, false, false});
    trace.link({{0x11, 0x21}, {0x31}, false, false});
    trace.end(1'000'000);
    KeptTrace const kept(trace,
                         {.status = 500, .request_id = "q_1", .site = "main", .service = "notes", .method = "POST", .route = "/notes/v1/"},
                         KeptBecause::failed);
    auto body = otlp_head({.service_version = "1.0", .host_name = "host", .service_instance = "i-1"});
    append_otlp_spans(body, kept);
    body += otlp_tail;
    EXPECT_FALSE(codec::check_json(body, 16));
    EXPECT_TRUE(expect_golden("kernel/observe/golden/otlp.json", body + "\n"));
}

TEST(Otlp, NumbersThatJsonHasNot) {
    SeededRandom random(3);
    RequestTrace trace;
    trace.begin("x", SpanKind::server, {}, Time{}, 0, random);
    trace.set(RequestTrace::Handle::root, "a", std::nan("")), trace.set(RequestTrace::Handle::root, "b", -HUGE_VAL);
    trace.end(1);
    std::string out;
    append_otlp_spans(out, KeptTrace(trace, {}, KeptBecause::slow));
    EXPECT_NE(out.find(R"({"key":"a","value":{"doubleValue":"NaN"}},{"key":"b","value":{"doubleValue":"-Infinity"}})"), out.npos) << out;
    EXPECT_EQ(out.find("parentSpanId"), out.npos);
    EXPECT_EQ(out.find("status_code"), out.npos);
}

struct Collector {
    ManualClock clock;
    SeededRandom random{1};
    std::vector<std::string> bodies;
    OtlpQueue queue;
    explicit Collector(OtlpLimits const& limits = {})
        : queue(limits, {}, clock, random, [this](std::string body) { bodies.push_back(std::move(body)); }) {}
    std::size_t spans_in_last() const {
        std::size_t n = 0;
        for (std::size_t at = 0; (at = bodies.back().find("\"startTimeUnixNano\"", at)) != std::string::npos; ++at) ++n;
        return n;
    }
    // A batch that is due and gets this answer.
    void round(OtlpReply const& reply) {
        auto const before = bodies.size();
        queue.run();
        ASSERT_EQ(bodies.size(), before + 1);
        EXPECT_FALSE(codec::check_json(bodies.back(), 16));
        queue.answered(reply);
    }
};

TEST(OtlpQueue, ABatchIsDueByTimeOrSize) {
    Collector c({.batch_spans_max = 6});
    EXPECT_FALSE(c.queue.wait());
    c.queue.add(*kept_trace(3));
    EXPECT_EQ(c.queue.wait(), Duration::seconds(5));
    c.clock.advance(Duration{4'999'999});
    c.queue.run();
    EXPECT_TRUE(c.bodies.empty());
    c.clock.advance(Duration{1});
    EXPECT_EQ(c.queue.wait(), Duration());
    c.queue.run();
    EXPECT_EQ(c.spans_in_last(), 3u);
    EXPECT_FALSE(c.queue.wait());  // one at a time
    for (int i = 0; i < 3; ++i) c.queue.add(*kept_trace(3));
    c.queue.run();
    EXPECT_EQ(c.bodies.size(), 1u);
    c.queue.answered({.status = 200});
    EXPECT_EQ(c.queue.wait(), Duration());  // six spans fill one; the third trace waits on
    c.round({.status = 200, .body = "{}"});
    EXPECT_EQ(c.spans_in_last(), 6u);
    EXPECT_EQ(c.queue.wait(), Duration::seconds(5));
    c.queue.hurry();
    c.round({.status = 202});
    auto const counts = c.queue.counts();
    EXPECT_EQ(counts.sent_spans, 12u);
    EXPECT_EQ(counts.queued_spans, 0u);
    EXPECT_EQ(counts.queued_bytes, 0u);
    EXPECT_EQ(counts.tries, 3u);
    EXPECT_EQ(counts.failures, 0u);
}

TEST(OtlpQueue, ABatchHasALimitOfBytesButATraceGoesWhole) {
    std::string one;
    append_otlp_spans(one, *kept_trace(2));
    for (auto const& [bytes_max, spans] : {std::pair(2 * one.size(), std::size_t(4)), std::pair(2 * one.size() - 1, std::size_t(2)),
                                           std::pair(std::size_t(1), std::size_t(2))}) {
        Collector c({.batch_bytes_max = bytes_max});
        c.queue.add(*kept_trace(2)), c.queue.add(*kept_trace(2)), c.queue.hurry(), c.queue.run();
        EXPECT_EQ(c.spans_in_last(), spans) << bytes_max;
    }
}

TEST(OtlpQueue, WhatTheAnswerDecides) {
    struct Row {
        OtlpReply reply;
        std::uint64_t sent, rejected, dropped, queued;
    };
    for (auto const& row : {
             Row{{.status = 200}, 2, 0, 0, 0},
             Row{{.status = 204}, 2, 0, 0, 0},
             Row{{.status = 200, .body = R"({"partialSuccess":{"rejectedSpans":"1","errorMessage":"no"}})"}, 1, 1, 0, 0},
             Row{{.status = 200, .body = R"({"partialSuccess":{"rejectedSpans":1}})"}, 1, 1, 0, 0},
             Row{{.status = 200, .body = R"({"partialSuccess":{}})"}, 2, 0, 0, 0},
             Row{{.status = 200, .body = R"({"partialSuccess":{"rejectedSpans":"99"}})"}, 0, 2, 0, 0},
             Row{{.status = 200, .body = R"({"partialSuccess":{"rejectedSpans":-5}})"}, 2, 0, 0, 0},
             Row{{.status = 200, .body = "\xff not JSON"}, 2, 0, 0, 0},
             Row{{.status = 0}, 0, 0, 0, 2},
             Row{{.status = 429}, 0, 0, 0, 2},
             Row{{.status = 502}, 0, 0, 0, 2},
             Row{{.status = 503}, 0, 0, 0, 2},
             Row{{.status = 504}, 0, 0, 0, 2},
             Row{{.status = 302}, 0, 0, 2, 0},
             Row{{.status = 400}, 0, 0, 2, 0},
             Row{{.status = 401}, 0, 0, 2, 0},
             Row{{.status = 413}, 0, 0, 2, 0},  // one trace alone is too large
             Row{{.status = 500}, 0, 0, 2, 0},
             Row{{.status = 501}, 0, 0, 2, 0},
         }) {
        Collector c;
        c.queue.add(*kept_trace(2));
        c.clock.advance(Duration::seconds(5));
        c.round(row.reply);
        auto const counts = c.queue.counts();
        EXPECT_EQ(counts.sent_spans, row.sent) << row.reply.status;
        EXPECT_EQ(counts.rejected_spans, row.rejected) << row.reply.status;
        EXPECT_EQ(counts.dropped_spans, row.dropped) << row.reply.status;
        EXPECT_EQ(counts.queued_spans, row.queued) << row.reply.status;
        EXPECT_EQ(c.queue.wait().has_value(), row.queued > 0) << row.reply.status;
        EXPECT_EQ(counts.failures, row.reply.status >= 200 && row.reply.status < 300 ? 0u : 1u);
    }
}

TEST(OtlpQueue, BacksOffLongerEachTimeAndGivesUp) {
    Collector c({.retry_first = Duration::seconds(1), .retry_max = Duration::seconds(3), .tries_max = 4});
    c.queue.add(*kept_trace(2));
    c.clock.advance(Duration::seconds(5));
    for (auto const& [least, most] : {std::pair(500, 1000), std::pair(1000, 2000), std::pair(1500, 3000)}) {
        c.round({.status = 503});
        auto const wait = c.queue.wait().value();
        EXPECT_GE(wait, Duration::millis(least));
        EXPECT_LE(wait, Duration::millis(most));
        c.clock.advance(Duration{wait.us - 1});
        c.queue.run();
        c.clock.advance(Duration{1});
    }
    EXPECT_EQ(c.queue.counts().dropped_spans, 0u);
    EXPECT_EQ(c.bodies[0], c.bodies[2]);
    c.round({.status = 503});
    EXPECT_EQ(c.queue.counts().dropped_spans, 2u);
    EXPECT_EQ(c.queue.counts().tries, 4u);
}

TEST(OtlpQueue, WaitsAsLongAsItIsAskedTo) {
    struct Row {
        std::string_view header;
        Duration least, most;
    };
    for (auto const& row : {Row{"30", Duration::seconds(30), Duration::seconds(30)}, Row{"86400", Duration::hours(1), Duration::hours(1)},
                            Row{"0", Duration::millis(500), Duration::seconds(1)}, Row{"soon", Duration::millis(500), Duration::seconds(1)},
                            Row{"Tue, 14 Nov 2023 22:13:55 GMT", Duration::seconds(30), Duration::seconds(30)}}) {
        Collector c;
        c.queue.add(*kept_trace(1));
        c.clock.advance(Duration::seconds(5));  // to 22:13:25
        c.round({.status = 429, .retry_after = row.header});
        EXPECT_GE(c.queue.wait().value(), row.least) << row.header;
        EXPECT_LE(c.queue.wait().value(), row.most) << row.header;
    }
}

TEST(OtlpQueue, WhatIsTooLargeGoesInHalves) {
    Collector c;
    for (std::size_t i = 1; i <= 3; ++i) c.queue.add(*kept_trace(i));
    c.clock.advance(Duration::seconds(5));
    c.round({.status = 413});
    EXPECT_EQ(c.spans_in_last(), 6u);
    c.round({.status = 200});
    EXPECT_EQ(c.spans_in_last(), 1u);
    c.round({.status = 413});
    EXPECT_EQ(c.spans_in_last(), 5u);
    c.round({.status = 200});
    EXPECT_EQ(c.spans_in_last(), 2u);
    c.round({.status = 413});
    EXPECT_EQ(c.spans_in_last(), 3u);
    auto const counts = c.queue.counts();
    EXPECT_EQ(counts.sent_spans, 3u);
    EXPECT_EQ(counts.dropped_spans, 3u);
    EXPECT_EQ(counts.queued_bytes, 0u);
    EXPECT_FALSE(c.queue.wait());
}

TEST(OtlpQueue, AFullQueueDropsTheOldest) {
    Collector c({.queue_spans_max = 6});
    for (std::uint64_t i = 1; i <= 3; ++i) c.queue.add(*kept_trace(2, i));
    EXPECT_EQ(c.queue.counts().dropped_spans, 0u);
    c.queue.add(*kept_trace(1, 4));
    EXPECT_EQ(c.queue.counts().dropped_spans, 2u);
    EXPECT_EQ(c.queue.counts().queued_spans, 5u);
    c.clock.advance(Duration::seconds(5));
    c.round({.status = 503});
    EXPECT_EQ(c.bodies[0].find("00000000000000010000000000000001"), std::string::npos);
    EXPECT_NE(c.bodies[0].find("00000000000000020000000000000002"), std::string::npos);
    c.queue.add(*kept_trace(2, 5));  // what is tried again holds five of six
    EXPECT_EQ(c.queue.counts().dropped_spans, 4u);
    EXPECT_EQ(c.queue.counts().queued_spans, 5u);
    std::string one;
    append_otlp_spans(one, *kept_trace(2));
    Collector exact({.queue_bytes_max = one.size()}), small({.queue_bytes_max = one.size() - 1});
    exact.queue.add(*kept_trace(2)), small.queue.add(*kept_trace(2));
    EXPECT_EQ(exact.queue.counts().queued_spans, 2u);
    EXPECT_EQ(small.queue.counts().dropped_spans, 2u);
}

TEST(OtlpQueue, AtTheEndNothingWaits) {
    Collector c;
    c.queue.add(*kept_trace(2));
    c.clock.advance(Duration::seconds(5));
    c.round({.status = 503, .retry_after = "60"});
    c.queue.add(*kept_trace(1));
    c.queue.hurry();
    EXPECT_EQ(c.queue.wait(), Duration());
    c.round({.status = 503, .retry_after = "60"});
    c.round({.status = 200});
    EXPECT_FALSE(c.queue.wait());
    EXPECT_EQ(c.queue.counts().dropped_spans, 2u);
    EXPECT_EQ(c.queue.counts().sent_spans, 1u);
}

TEST(OtlpQueue, TheAnswerMayComeInsideOfTheSend) {
    ManualClock clock;
    SeededRandom random(1);
    int sends = 0;
    OtlpQueue* self = nullptr;
    OtlpQueue queue({}, {}, clock, random, [&](std::string) { ++sends, self->answered({.status = 200}); });
    self = &queue;
    queue.add(*kept_trace(1));
    queue.hurry(), queue.run(), queue.run();
    EXPECT_EQ(sends, 1);
    EXPECT_EQ(queue.counts().sent_spans, 1u);
    EXPECT_DEATH(queue.answered({.status = 200}), "belongs to a send");
}

TEST(RetryAfter, SecondsOrADate) {
    Time const now{784'111'777'000'000};  // Sun, 06 Nov 1994 08:49:37 GMT
    struct Row {
        std::string_view value;
        std::optional<Duration> wait;
    };
    for (auto const& row : {Row{"0", Duration()}, Row{" 120 ", Duration::seconds(120)}, Row{"999999999", Duration::seconds(999'999'999)},
                            Row{"9999999999", {}}, Row{"", {}}, Row{" ", {}}, Row{"-1", {}}, Row{"1.5", {}}, Row{"1 2", {}},
                            Row{"Sun, 06 Nov 1994 08:49:38 GMT", Duration::seconds(1)}, Row{"Sun, 06 Nov 1994 08:49:37 GMT", Duration()},
                            Row{"Sun, 06 Nov 1994 08:49:36 GMT", Duration()}, Row{"Sun, 06 Nov 1994 24:49:36 GMT", {}},
                            Row{"Sun, 00 Nov 1994 08:49:36 GMT", {}}, Row{"Sun, 06 ovD 1994 08:49:36 GMT", {}},
                            Row{"Sun, 06 Nov 1994 08:49:36 EST", {}}, Row{"Sunday, 06-Nov-94 08:49:37 GMT", {}}})
        EXPECT_EQ(parse_retry_after(row.value, now), row.wait) << row.value;
}

}  // namespace
}  // namespace gantry::observe
