#include "kernel/observe/trace.h"

#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <thread>
#include <vector>

#include "kernel/codec/json_check.h"
#include "kernel/observe/trace_store.h"

namespace gantry::observe {
namespace {

using Handle = RequestTrace::Handle;
constexpr Time wall{1'700'000'000'000'000};

struct Traced {
    SeededRandom random{7};
    RequestTrace trace;
    explicit Traced(std::optional<TraceContext> const& caller = {}) {
        trace.begin("GET /notes/v1/{id}", SpanKind::server, caller, wall, 1000, random);
    }
};

TEST(RequestTrace, ASpanForEachStep) {
    TraceContext const caller{{1, 2}, {3}, true, false};
    Traced t(caller);
    auto const decide = t.trace.open("decide", 2000);
    auto const inner = t.trace.open("lookup", 2500, SpanKind::client, decide);
    t.trace.close(inner, 2600, SpanStatus::error);
    t.trace.close(decide, 3000);
    auto const sync = t.trace.add("sync", 3000, 8000);
    t.trace.end(9000, SpanStatus::ok);
    auto const spans = t.trace.spans();
    ASSERT_EQ(spans.size(), 4u);
    EXPECT_EQ(t.trace.id(), caller.trace);
    EXPECT_EQ(spans[0].parent, caller.span);
    EXPECT_EQ(spans[1].parent, spans[0].id);
    EXPECT_EQ(spans[2].parent, spans[1].id);
    EXPECT_EQ(spans[3].parent, spans[0].id);
    EXPECT_EQ(spans[0].duration_ns, 8000);
    EXPECT_EQ(spans[2].start_ns, 1500);
    EXPECT_EQ(spans[2].duration_ns, 100);
    EXPECT_EQ(spans[2].status, SpanStatus::error);
    EXPECT_EQ(spans[3].duration_ns, 5000);
    EXPECT_EQ(t.trace.context(sync), (TraceContext{{1, 2}, spans[3].id, true, false}));
    for (auto const& a : spans)
        for (auto const& b : spans) EXPECT_EQ(a.id == b.id, &a == &b);
}

TEST(RequestTrace, WithoutACallerATraceBegins) {
    Traced t;
    EXPECT_TRUE(t.trace.id());
    EXPECT_FALSE(t.trace.spans()[0].parent);
    EXPECT_TRUE(t.trace.context().random);
    EXPECT_FALSE(t.trace.context().sampled);
    t.trace.set_sampled(true);
    EXPECT_TRUE(t.trace.context().sampled);
}

TEST(RequestTrace, TheSeventeenthSpanIsCounted) {
    Traced t;
    for (std::size_t i = 1; i < RequestTrace::spans_max; ++i) EXPECT_NE(t.trace.open("step", 2000), Handle::none);
    EXPECT_EQ(t.trace.dropped_spans(), 0u);
    auto const none = t.trace.open("step", 2000);
    EXPECT_EQ(none, Handle::none);
    EXPECT_EQ(t.trace.dropped_spans(), 1u);
    t.trace.set(none, "k", true), t.trace.rename(none, "x"), t.trace.close(none, 3000);
    EXPECT_EQ(t.trace.context(none), t.trace.context());  // what goes out from it goes out from the root
    EXPECT_EQ(t.trace.dropped_attributes(), 0u);
    t.trace.begin("next", SpanKind::server, {}, wall, 1000, t.random);
    EXPECT_EQ(t.trace.spans().size(), 1u);
    EXPECT_EQ(t.trace.dropped_spans(), 0u);
    EXPECT_EQ(t.trace.duration_ns(), -1);
}

TEST(RequestTrace, AttributesAndLinksAreFew) {
    Traced t;
    for (std::string_view key : {"a", "b", "c", "d"}) t.trace.set(Handle::root, key, std::int64_t(1));
    t.trace.set(Handle::root, "d", 0.5);
    EXPECT_EQ(t.trace.dropped_attributes(), 0u);
    t.trace.set(Handle::root, "e", true);
    EXPECT_EQ(t.trace.dropped_attributes(), 1u);
    ASSERT_EQ(t.trace.spans()[0].attribute_list().size(), 4u);
    EXPECT_EQ(std::get<double>(t.trace.spans()[0].attributes[3].value), 0.5);
    for (std::size_t i = 0; i < RequestTrace::links_max; ++i) t.trace.link({{1, 1}, {i + 1}, false, false});
    EXPECT_EQ(t.trace.dropped_attributes(), 1u);
    t.trace.link({{1, 1}, {9}, false, false});
    EXPECT_EQ(t.trace.dropped_attributes(), 2u);
    EXPECT_EQ(t.trace.links().size(), RequestTrace::links_max);
}

TEST(RequestTrace, KeptTextHasALimit) {
    Traced t;
    std::string const most(RequestTrace::text_max - 1, 'x');
    EXPECT_EQ(t.trace.keep(most), most);
    EXPECT_EQ(t.trace.keep("\xc3\xa9"), "");  // not half a character
    EXPECT_EQ(t.trace.keep("yz"), "y");
    EXPECT_EQ(t.trace.keep("z"), "");
}

TEST(RequestTrace, EndClosesWhatIsOpenAndOnlyThat) {
    Traced t;
    auto const a = t.trace.open("a", 2000), b = t.trace.open("b", 2000);
    t.trace.close(a, 3000, SpanStatus::ok);
    t.trace.close(a, 9000, SpanStatus::error);
    t.trace.open("back in time", 5000);
    t.trace.end(4000);
    auto const spans = t.trace.spans();
    EXPECT_EQ(spans[std::size_t(a)].duration_ns, 1000);
    EXPECT_EQ(spans[std::size_t(a)].status, SpanStatus::ok);
    EXPECT_EQ(spans[std::size_t(b)].duration_ns, 2000);
    EXPECT_EQ(spans[3].duration_ns, 0);
}

TEST(ServerTiming, NamesAreTokensAndEntriesWhole) {
    Traced t;
    t.trace.add("decide", 1000, 41'000);
    t.trace.add("wait, \"log\";\n", 0, 12'345'678'000);
    t.trace.add("", 0, 999);
    t.trace.open("still open", 2000);
    std::array<char, 256> out;
    std::string const all = "total;dur=3.020, decide;dur=0.040, wait___log___;dur=12345.678, _;dur=0.000";
    EXPECT_EQ(server_timing(t.trace, 3'021'000, out), all);
    EXPECT_EQ(server_timing(t.trace, 3'021'000, std::span(out).first(all.size())), all);
    EXPECT_EQ(server_timing(t.trace, 3'021'000, std::span(out).first(all.size() - 1)), all.substr(0, all.rfind(',')));
    EXPECT_EQ(server_timing(t.trace, 3'021'000, std::span(out).first(15)), "total;dur=3.020");
    EXPECT_EQ(server_timing(t.trace, 3'021'000, std::span(out).first(14)), "");
    t.trace.end(5'001'000);
    EXPECT_TRUE(server_timing(t.trace, 0, out).starts_with("total;dur=5.000"));
}

KeptTracePtr offer(TraceStore& store, std::int64_t duration_ns, TraceOutcome const& outcome,
                   std::optional<TraceContext> const& caller = {}) {
    Traced t(caller);
    t.trace.end(1000 + duration_ns);
    return store.offer(t.trace, outcome);
}

TEST(TraceStore, KeepsWhatSomebodyWillAskFor) {
    TraceStore store({.slow_after = Duration::millis(100)});
    TraceContext const sampled{{1, ~0ull}, {3}, true, true}, unsampled{{1, ~0ull}, {3}, false, true};
    struct Row {
        int status;
        std::int64_t duration_ns;
        TraceContext caller;
        std::string_view because;  // "": isn't kept
    };
    for (auto const& row : {Row{200, 99'999'999, unsampled, ""}, Row{200, 100'000'000, unsampled, "slow"}, Row{499, 1, unsampled, ""},
                            Row{500, 1, unsampled, "failed"}, Row{200, 1, sampled, "sampled"}, Row{503, 200'000'000, sampled, "failed"}}) {
        auto const kept = offer(store, row.duration_ns, {.status = row.status}, row.caller);
        EXPECT_EQ(kept ? name_of(kept->because) : "", row.because) << row.status << " " << row.duration_ns;
        if (kept) EXPECT_EQ(kept->spans[0].status == SpanStatus::error, row.status >= 500);
    }
    EXPECT_EQ(store.count(), 4u);
    EXPECT_EQ(store.kept(), 4u);
}

TEST(TraceStore, TheShareIsTakenByTheId) {
    TraceStore store;
    auto const half = std::uint64_t(1) << 55;
    struct Row {
        double share;
        std::uint64_t low;
        bool taken;
    };
    for (auto const& row : {Row{0, 0, false}, Row{1, 0x00ff'ffff'ffff'ffff, true}, Row{0.5, half - 1, true}, Row{0.5, half, false},
                            Row{0.5, half - 1 + (1ull << 60), true}, Row{2, ~0ull, true}, Row{-1, 0, false}, Row{std::nan(""), 0, false}}) {
        store.set_rules({.share = row.share});
        EXPECT_EQ(store.samples({1, row.low}), row.taken) << row.share << " " << row.low;
    }
    store.set_rules({.share = 1});
    EXPECT_EQ(offer(store, 1, {.status = 200})->because, KeptBecause::share);
}

TEST(TraceStore, TheOldestGoAtEitherLimit) {
    TraceStore store({.traces_max = 3});
    for (int i = 1; i <= 3; ++i) offer(store, 1, {.status = 500, .request_id = std::to_string(i)});
    EXPECT_TRUE(store.of_request("1"));
    offer(store, 1, {.status = 500, .request_id = "4"});
    EXPECT_FALSE(store.of_request("1"));
    EXPECT_TRUE(store.of_request("2"));
    auto const one = store.size_bytes() / 3;
    store.set_rules({.traces_max = 3, .bytes_max = 2 * one});
    EXPECT_EQ(store.count(), 2u);
    store.set_rules({.traces_max = 3, .bytes_max = 2 * one - 1});
    EXPECT_EQ(store.count(), 1u);
    EXPECT_EQ(store.newest({}, 9)[0]->request_id, "4");
    store.set_rules({.traces_max = 0});
    EXPECT_EQ(store.count(), 0u);
    EXPECT_EQ(store.size_bytes(), 0u);
    EXPECT_TRUE(offer(store, 1, {.status = 500}));  // seen by whoever offers it, though nothing stays
    EXPECT_EQ(store.count(), 0u);
}

TEST(TraceStore, SamplesPushOutNoFailures) {
    TraceStore store({.traces_max = 4});
    TraceContext const sampled{{1, ~0ull}, {3}, true, true};
    auto count_of = [&](KeptBecause because) { return store.newest({.because = because}, 9).size(); };
    offer(store, 1, {.status = 500, .request_id = "f1"}), offer(store, 1, {.status = 500, .request_id = "f2"});
    for (int i = 0; i < 10; ++i) offer(store, 1, {.status = 200, .request_id = std::to_string(i)}, sampled);
    EXPECT_EQ(count_of(KeptBecause::failed), 2u);
    EXPECT_TRUE(store.of_request("9") && store.of_request("8"));
    for (int i = 0; i < 10; ++i) offer(store, 1, {.status = 500});
    EXPECT_EQ(count_of(KeptBecause::failed), 4u);
}

TEST(TraceStore, TakesFromManyThreads) {
    TraceStore store({.traces_max = 50});
    {
        std::vector<std::jthread> threads;
        for (int t = 0; t < 4; ++t)
            threads.emplace_back([&store] {
                for (int i = 0; i < 200; ++i) {
                    offer(store, 1, {.status = 500, .request_id = "r"});
                    if (i % 20 != 0) continue;
                    store.set_rules({.traces_max = 50});
                    EXPECT_LE(store.newest({}, 99).size(), 50u);
                }
            });
    }
    EXPECT_EQ(store.kept(), 800u);
    EXPECT_EQ(store.count(), 50u);
}

TEST(TraceStore, IsSearched) {
    TraceStore store({.slow_after = Duration::millis(1)});
    TraceContext const caller{{5, 6}, {7}, false, false};
    offer(store, 1, {.status = 500, .request_id = "r1", .site = "main", .service = "notes", .route = "/a"}, caller);
    offer(store, 5'000'000, {.status = 200, .request_id = "r2", .site = "main", .service = "queue", .route = "/b"}, caller);
    offer(store, 9'000'000, {.status = 503, .request_id = "r3", .site = "other", .service = "notes", .route = "/b"});
    auto ids = [&](TraceFilter const& f, std::size_t limit = 9) {
        std::string out;
        for (auto const& t : store.newest(f, limit)) out += t->request_id;
        return out;
    };
    EXPECT_EQ(ids({}), "r3r2r1");
    EXPECT_EQ(ids({}, 2), "r3r2");
    EXPECT_EQ(ids({.site = "main"}), "r2r1");
    EXPECT_EQ(ids({.service = "notes"}), "r3r1");
    EXPECT_EQ(ids({.route = "/b"}), "r3r2");
    EXPECT_EQ(ids({.because = KeptBecause::slow}), "r2");
    EXPECT_EQ(ids({.status_min = 500}), "r3r1");
    EXPECT_EQ(ids({.status_min = 501}), "r3");
    EXPECT_EQ(ids({.at_least = Duration::millis(5)}), "r3r2");
    EXPECT_EQ(ids({.at_least = Duration{5001}}), "r3");
    EXPECT_EQ(ids({.before = wall}), "");
    EXPECT_EQ(ids({.before = Time{wall.us + 1}}), "r3r2r1");
    ASSERT_EQ(store.of_trace(caller.trace).size(), 2u);
    EXPECT_EQ(store.of_trace(caller.trace)[0]->request_id, "r1");
    EXPECT_TRUE(store.of_trace({5, 7}).empty());
    EXPECT_FALSE(store.of_request("r4"));
}

TEST(KeptTrace, OutlivesTheRequest) {
    TraceStore store;
    KeptTracePtr kept;
    {
        auto t = std::make_unique<Traced>();
        auto const span = t->trace.open(t->trace.keep(std::string("call ") + "queue"), 2000, SpanKind::client);
        t->trace.set(span, t->trace.keep("peer"), t->trace.keep("10.0.0.1\n\"x\""));
        t->trace.set(span, "tries", std::int64_t(-2)), t->trace.set(span, "cached", false), t->trace.set(span, "load", std::nan(""));
        t->trace.link({{1, 2}, {3}, false, false});
        t->trace.end(1000 + 2'000'000'000);
        kept = store.offer(t->trace,
                           {.status = 502, .request_id = "r\"1", .site = "main", .service = "notes", .method = "GET", .route = "/{id}"});
        t->trace.begin("overwritten", SpanKind::server, {}, wall, 0, t->random);
        (void)t->trace.keep(std::string(RequestTrace::text_max, '#'));
    }
    EXPECT_EQ(kept->spans[1].name, "call queue");
    std::string json, summary;
    append_trace_json(json, *kept);
    append_trace_summary_json(summary, *kept);
    EXPECT_FALSE(codec::check_json(json, 8));
    EXPECT_FALSE(codec::check_json(summary, 8));
    EXPECT_NE(json.find(R"("attributes":{"peer":"10.0.0.1\n\"x\"","tries":-2,"cached":false,"load":null})"), json.npos) << json;
    EXPECT_NE(json.find(R"("links":[{"trace_id":"00000000000000010000000000000002","span_id":"0000000000000003"}])"), json.npos) << json;
    EXPECT_NE(
        summary.find(R"("began_at":"2023-11-14T22:13:20Z","duration_us":2000000,"status":502,"kept_because":"failed",)"
                     R"("name":"GET /notes/v1/{id}","request_id":"r\"1","site":"main","service":"notes","method":"GET","route":"/{id}"})"),
        summary.npos)
        << summary;
}

}  // namespace
}  // namespace gantry::observe
