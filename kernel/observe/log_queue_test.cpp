#include "kernel/observe/log_queue.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <thread>

#include "kernel/observe/log_for_test.h"
#include "kernel/observe/log_line.h"

namespace gantry::observe {
namespace {

using Lines = std::vector<std::string>;

struct Queued {
    ManualClock clock{Time{1'700'000'000'000'007}};
    RememberingOutput output;
    LogQueue queue;
    Logger logger;
    explicit Queued(LogQueueOptions options = {}) : queue(clock, options, {&output}, {&output}), logger(clock, queue) {
        queue.set_pumped(true);
    }
    void say(std::string_view message, int times = 1) {
        for (int i = 0; i < times; ++i) logger.line(Level::info, "m", message, {{"n", i}});
    }
};

TEST(LogQueue, LinesWaitForTheDrainWhenSomebodyPumpsAndForNobodyOtherwise) {
    Queued q;
    q.say("one");
    EXPECT_EQ(q.output.lines, Lines{});
    EXPECT_EQ(q.queue.drain(), 1u);
    EXPECT_EQ(q.output.lines, Lines{"info m: one n=0"});
    EXPECT_EQ(q.output.flushes, 1);
    q.queue.set_pumped(false);
    q.say("two");
    EXPECT_EQ(q.output.lines.size(), 2u);
    EXPECT_EQ(q.queue.drain(), 0u);
}

TEST(LogQueue, EveryKindOfFieldComesThroughAsItWas) {
    ManualClock clock{Time{1'700'000'000'000'007}};
    CapturingSink direct_sink, queued_sink;
    TextOutput output(queued_sink, LogFormat::json, AccessFormat::json);
    LogQueue queue(clock, {}, {&output}, {});
    Logger direct(clock, direct_sink, LogFormat::json), queued(clock, queue);
    for (auto* logger : {&direct, &queued})
        logger->line(Level::error, "m", "all", {{"t", "x"}, {"e", ""}, {"i", INT64_MIN}, {"u", UINT64_MAX}, {"d", -0.25}, {"b", false}});
    EXPECT_EQ(direct_sink.text, queued_sink.text);
    EXPECT_EQ(queued_sink.text, R"({"time":"2023-11-14T22:13:20.000007Z","level":"error","module":"m","message":"all","t":"x","e":"",)"
                                R"("i":-9223372036854775808,"u":18446744073709551615,"d":-0.25,"b":false})"
                                "\n");
}

TEST(LogQueue, ALongTextIsCutBetweenCharactersAndSaysSo) {
    Queued q;
    std::string const most(8192, 'x'), more = std::string(8191, 'x') + "é";
    q.logger.line(Level::info, "m", "long", {{"most", most}, {"more", more}});
    q.queue.drain();
    EXPECT_EQ(q.output.lines.at(0), "info m: long most=" + most + " more=\"" + std::string(8191, 'x') + "…\"");
}

TEST(LogQueue, WhatAFullQueueLosesIsCountedAndTold) {
    Queued q({.bytes = 4096, .fold_repeats = false});
    q.say("fill", 1000);
    auto const lost = q.queue.lost().lines;
    EXPECT_GT(lost, 800u);
    EXPECT_LT(lost, 990u);
    q.queue.drain();
    EXPECT_EQ(q.output.lines.size(), 1000 - lost + 1);
    EXPECT_EQ(q.output.lines.back(), "warning observe: log lines were lost: their queue was full lines=" + std::to_string(lost));
    q.say("room again");
    q.queue.drain();
    EXPECT_EQ(q.output.lines.back(), "info m: room again n=0");
    EXPECT_EQ(q.queue.lost().lines, lost);
}

TEST(LogQueue, ALineThatJustFitsIsKept) {
    // A head of 24 bytes, module and message.
    Queued exact({.bytes = 24 + 1 + 100}), short_of_one({.bytes = 24 + 1 + 99});
    for (auto* q : {&exact, &short_of_one}) q->logger.line(Level::info, "m", std::string(100, 'x'));
    EXPECT_EQ(exact.queue.lost().lines, 0u);
    EXPECT_EQ(short_of_one.queue.lost().lines, 1u);
}

TEST(LogQueue, WakesOnceWhenHalfFull) {
    Queued q({.bytes = 8192, .ring_bytes = 16 << 10, .fold_repeats = false});
    int woken = 0;
    q.queue.set_wake([&] { ++woken; });
    q.say("a", 60);
    EXPECT_EQ(woken, 0);
    q.say("a", 200);
    EXPECT_EQ(woken, 1);
    q.queue.drain();
    q.say("a", 200);
    EXPECT_EQ(woken, 2);
    auto& ring = q.queue.new_ring();
    for (int i = 0; i < 50; ++i) ring.add({.at = {}, .method = "GET"});
    EXPECT_EQ(woken, 2);
    for (int i = 0; i < 100; ++i) ring.add({.at = {}, .method = "GET"});
    EXPECT_EQ(woken, 3);
}

TEST(LogQueue, AccessRecordsFollowTheLinesAndTheirLossIsTold) {
    Queued q({.ring_bytes = 16 << 10});
    auto& ring = q.queue.new_ring();
    ring.add({.at = {}, .method = "GET", .target = "/a"});
    q.say("line");
    EXPECT_EQ(q.queue.drain(), 2u);
    EXPECT_EQ(q.output.lines, (Lines{"info m: line n=0", "access /a"}));
    std::string const target(1000, 'x');
    for (int i = 0; i < 100; ++i) ring.add({.at = {}, .method = "GET", .target = target});
    auto const lost = q.queue.lost().accesses;
    EXPECT_GT(lost, 80u);
    q.queue.drain();
    EXPECT_EQ(q.output.lines.back(), "warning observe: access lines were lost: their queue was full lines=" + std::to_string(lost));
    auto const lines = q.output.lines.size();
    q.queue.drain();
    EXPECT_EQ(q.output.lines.size(), lines);
}

TEST(LogQueue, TheLevelOfAccessTurnsAccessRecordsOffAndOn) {
    Queued q;
    auto& before = q.queue.new_ring();
    ASSERT_TRUE(set_levels(q.logger, "info,access=warning"));
    auto& after = q.queue.new_ring();
    before.add({.at = {}, .method = "GET"}), after.add({.at = {}, .method = "GET"});
    EXPECT_EQ(q.queue.drain(), 0u);
    ASSERT_TRUE(set_levels(q.logger, "info"));
    before.add({.at = {}, .method = "GET"}), after.add({.at = {}, .method = "GET"});
    EXPECT_EQ(q.queue.drain(), 2u);
}

TEST(LogQueue, ManyProducersLoseNothingAndKeepTheirOrder) {
    Queued q({.bytes = 8 << 20, .ring_bytes = 1 << 20, .fold_repeats = false});
    std::array<AccessRing*, 3> rings;
    for (auto& ring : rings) ring = &q.queue.new_ring();
    constexpr int each = 2000;
    std::atomic<int> running{int(rings.size())};
    auto const produce = [&](std::size_t me) {
        std::string const module(1, char('a' + me));
        for (int i = 0; i < each; ++i) {
            LogScope scope({.request_id = module});
            q.logger.line(Level::info, module, "line", {{"n", i}});
            if (i % 50 == 0) q.logger.set_level("other", i % 100 ? Level::debug : Level::error);
            rings[me]->add({.at = {}, .method = "GET", .target = module + std::to_string(i)});
        }
        running.fetch_sub(1);
    };
    {
        std::array<std::jthread, 3> threads;
        for (std::size_t i = 0; i < threads.size(); ++i) threads[i] = std::jthread(produce, i);
        while (running.load() > 0) q.queue.drain();
    }
    q.queue.drain();
    EXPECT_EQ(q.queue.lost().lines + q.queue.lost().accesses, 0u);
    for (char module : {'a', 'b', 'c'}) {
        Lines lines, accesses, wanted_lines, wanted_accesses;
        for (auto const& line : q.output.lines) {
            if (line.starts_with(std::string("info ") + module)) lines.push_back(line);
            if (line.starts_with(std::string("access ") + module)) accesses.push_back(line);
        }
        for (int i = 0; i < each; ++i) {
            wanted_lines.push_back(std::string("info ") + module + ": line n=" + std::to_string(i) + " request_id=" + module);
            wanted_accesses.push_back(std::string("access ") + module + std::to_string(i));
        }
        EXPECT_TRUE(lines == wanted_lines) << module;
        EXPECT_TRUE(accesses == wanted_accesses) << module;
    }
}

TEST(LogQueue, FinishWritesEverythingAndEndsTheOutputs) {
    Queued q;
    q.say("again", 12);
    q.queue.finish();
    EXPECT_EQ(q.output.lines.size(), 11u);
    EXPECT_TRUE(q.output.lines.back().starts_with("info m: repeated what=again times=2 ")) << q.output.lines.back();
    EXPECT_EQ(q.output.finishes, 1);
}

TEST(LogQueue, ACrashWritesWhatWaits) {
    Queued q;
    q.say("the last words");
    q.queue.flush_for_crash();
    EXPECT_EQ(q.output.lines, Lines{"info m: the last words n=0"});
}

// An output that fails in the middle of a drain, on the thread that drains: the crash must not wait for itself.
class FailingOutput final : public LogOutput {
   public:
    LogQueue* queue = nullptr;
    int lines = 0;
    void line(LogEntry const&) override { ++lines, queue->flush_for_crash(); }
    void access(AccessRecord const&) override {}
    void flush() override {}
};
TEST(LogQueue, ACrashInsideADrainDoesNotWaitForItself) {
    ManualClock clock;
    FailingOutput output;
    LogQueue queue(clock, {}, {&output}, {});
    output.queue = &queue;
    queue.add({.time = clock.wall(), .module = "m", .message = "x"});
    EXPECT_EQ(output.lines, 1);
}

TEST(Repeats, TenOfAKindAreWrittenInTenSecondsTheRestIsCounted) {
    Queued q;
    q.say("busy", 10);
    q.queue.drain();
    EXPECT_EQ(q.output.lines.size(), 10u);
    q.clock.advance(Duration::seconds(3));
    q.say("busy", 5);
    q.clock.advance(Duration::seconds(1));
    q.say("busy", 2);
    q.say("other");
    q.queue.drain();
    EXPECT_EQ(q.output.lines.size(), 11u);
    EXPECT_EQ(q.output.lines.back(), "info m: other n=0");

    q.clock.advance(Duration{6'000'000 - 1});
    q.queue.drain();
    EXPECT_EQ(q.output.lines.size(), 11u);
    q.clock.advance(Duration{1});
    q.queue.drain();
    ASSERT_EQ(q.output.lines.size(), 12u);
    EXPECT_EQ(q.output.lines.back(),
              "info m: repeated what=busy times=7 first=2023-11-14T22:13:23.000007Z last=2023-11-14T22:13:24.000007Z");
    q.say("busy");
    q.queue.drain();
    EXPECT_EQ(q.output.lines.back(), "info m: busy n=0");
}

TEST(Repeats, ErrorsFoldTooAndLevelModuleAndMessageTellLinesApart) {
    Queued q;
    for (int i = 0; i < 11; ++i) {
        q.logger.line(Level::error, "m", "x"), q.logger.line(Level::info, "m", "x");
        q.logger.line(Level::info, "n", "x"), q.logger.line(Level::info, "m", "y");
    }
    q.queue.drain();
    EXPECT_EQ(q.output.lines.size(), 40u);
}

TEST(Repeats, AWindowThatNobodyEndedIsToldWithTheNext) {
    Queued q;
    q.say("busy", 11);
    q.clock.advance(Repeats::window);
    q.say("busy", 1);
    q.queue.drain();
    EXPECT_EQ(q.output.lines.size(), 12u);
    EXPECT_NE(q.output.lines.back().find("times=1 "), std::string::npos);
}

TEST(Repeats, BeyondItsTableLinesAreWritten) {
    Queued q;
    for (std::size_t i = 0; i < Repeats::lines_max - 1; ++i) q.say("line " + std::to_string(i));
    q.say("the last one in", 11);
    q.say("the first one out", 11);
    std::string const longest(Repeats::message_bytes_max, 'x'), longer = longest + "x";
    q.queue.drain();
    EXPECT_EQ(q.output.lines.size(), Repeats::lines_max - 1 + 10 + 11);
    q.clock.advance(Repeats::window);
    q.queue.drain();
    q.output.lines.clear();
    q.say(longest, 11), q.say(longer, 11);
    q.queue.drain();
    EXPECT_EQ(q.output.lines.size(), 10u + 11u);
}

TEST(LogContext, ItsFieldsFollowTheLinesOwnAndInnerScopesInherit) {
    Queued q;
    {
        LogScope request({.request_id = "r_1", .trace_id = "4bf9", .caller = "ann"});
        q.logger.line(Level::info, "m", "a");
        {
            LogScope service({.caller = "bob", .service = "tracker", .site = "main", .position = 7});
            q.logger.line(Level::info, "m", "b", {{"n", 1}, {"service", "own"}});
        }
        q.logger.line(Level::info, "m", "c", {{"n", 2}});
    }
    q.logger.line(Level::info, "m", "d");
    EXPECT_EQ(LogScope::current(), nullptr);
    q.queue.drain();
    EXPECT_EQ(q.output.lines, (Lines{"info m: a request_id=r_1 trace_id=4bf9 caller=ann",
                                     "info m: b n=1 service=own request_id=r_1 trace_id=4bf9 caller=bob site=main position=7",
                                     "info m: c n=2 request_id=r_1 trace_id=4bf9 caller=ann", "info m: d"}));
}

TEST(LogLevels, AreReplacedAllAtOnceOrNotAtAll) {
    Queued q;
    ASSERT_TRUE(set_levels(q.logger, "warning,http=debug,nobody=error"));
    EXPECT_EQ(to_text(q.logger.levels()), "warning,http=debug,nobody=error");
    ASSERT_TRUE(set_levels(q.logger, "log=error"));
    EXPECT_EQ(to_text(q.logger.levels()), "info,log=error");
    EXPECT_FALSE(q.logger.writes(Level::debug, "http"));
    EXPECT_TRUE(q.logger.writes(Level::info, "http"));
    EXPECT_FALSE(q.logger.writes(Level::warning, "log"));
    for (auto const* wrong : {"", "debug,", "debug,http", "=debug", "debug,http=", "http=loud"}) {
        EXPECT_FALSE(set_levels(q.logger, wrong)) << wrong;
        EXPECT_EQ(to_text(q.logger.levels()), "info,log=error") << wrong;
    }
}

TEST(LogLevels, AreBounded) {
    std::string const longest(64, 'm');
    EXPECT_TRUE(parse_levels(longest + "=debug"));
    EXPECT_FALSE(parse_levels(longest + "m=debug"));
    std::string many = "info";
    for (int i = 0; i < 256; ++i) many += ",m" + std::to_string(i) + "=debug";
    EXPECT_TRUE(parse_levels(many));
    EXPECT_FALSE(parse_levels(many + ",one=debug"));
}

}  // namespace
}  // namespace gantry::observe
