#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <thread>

#include "kernel/observe/log_line.h"
#include "kernel/observe/log_output.h"

namespace gantry::observe {
namespace {

struct Captured {
    ManualClock clock{Time{1'700'000'000'000'007}};
    CapturingSink sink;
    Logger logger;
    explicit Captured(LogFormat format) : logger(clock, sink, format) {}
};

TEST(LogLine, JsonCarriesEveryKindOfField) {
    Captured c(LogFormat::json);
    c.logger.line(Level::warning, "http", "no \"answer\"",
                  {{"client", "10.0.0.1"}, {"open", 17}, {"share", 0.5}, {"last", true}, {"big", ~0ull}});
    EXPECT_EQ(c.sink.text, R"({"time":"2023-11-14T22:13:20.000007Z","level":"warning","module":"http","message":"no \"answer\"",)"
                           R"("client":"10.0.0.1","open":17,"share":0.5,"last":true,"big":18446744073709551615})"
                           "\n");
}

TEST(LogLine, LogfmtQuotesWhatNeedsIt) {
    Captured c(LogFormat::logfmt);
    c.logger.line(Level::error, "log", "disk full",
                  {{"path", "/var/x"}, {"why", "no space left"}, {"empty", ""}, {"pair", "a=b"}, {"n", -3}});
    EXPECT_EQ(c.sink.text,
              "2023-11-14T22:13:20.000007Z error log: disk full path=/var/x why=\"no space left\" empty=\"\" pair=\"a=b\" n=-3\n");
}

TEST(LogLine, HostileTextStaysOneLineOfValidUtf8) {
    Captured json(LogFormat::json), people(LogFormat::logfmt);
    for (auto* c : {&json, &people}) c->logger.line(Level::info, "x", "a\nb\x1b[2J", {{"v", "\xff\xc3\xa9\n"}});
    EXPECT_EQ(std::ranges::count(json.sink.text, '\n'), 1);
    EXPECT_EQ(std::ranges::count(people.sink.text, '\n'), 1);
    EXPECT_EQ(people.sink.text.find('\x1b'), std::string::npos);
    EXPECT_NE(json.sink.text.find("\"v\":\"?\xc3\xa9\\n\""), std::string::npos) << json.sink.text;
    EXPECT_EQ(json.sink.text.find('\xff'), std::string::npos);
}

TEST(LogLine, LevelsByModule) {
    Captured c(LogFormat::logfmt);
    c.logger.line(Level::debug, "http", "not this");
    EXPECT_EQ(c.sink.text, "");
    ASSERT_TRUE(set_levels(c.logger, "warning,http=debug"));
    EXPECT_FALSE(c.logger.writes(Level::info, "log"));
    EXPECT_TRUE(c.logger.writes(Level::warning, "log"));
    EXPECT_TRUE(c.logger.writes(Level::debug, "http"));
    auto wrong = set_levels(c.logger, "loud");
    ASSERT_FALSE(wrong);
    EXPECT_EQ(wrong.error().detail, "'loud' is no level (right: debug, info, warning, error)");
    EXPECT_FALSE(set_levels(c.logger, "http="));
}

TEST(LogLine, TheProcessLoggerCanBeReplaced) {
    Captured c(LogFormat::logfmt);
    set_process_logger(&c.logger);
    log_line(Level::info, "test", "here");
    set_process_logger(nullptr);
    EXPECT_EQ(c.sink.text, "2023-11-14T22:13:20.000007Z info test: here\n");
}

TEST(LogLine, WhatCantBeWrittenIsCounted) {
    int full = ::open("/dev/full", O_WRONLY);
    ASSERT_GE(full, 0);
    DescriptorSink sink(full);
    sink.write("lost\n");
    EXPECT_EQ(sink.lost_lines(), 1u);
    ::close(full);
}

TEST(LogLine, LinesOfManyThreadsStayWhole) {
    Captured c(LogFormat::logfmt);
    auto work = [&] {
        for (int i = 0; i < 200; ++i) c.logger.line(Level::info, "t", "line", {{"n", 1}});
    };
    {
        std::array<std::jthread, 4> threads;
        for (auto& t : threads) t = std::jthread(work);
    }
    std::string one = "2023-11-14T22:13:20.000007Z info t: line n=1\n", all;
    for (int i = 0; i < 800; ++i) all += one;
    EXPECT_EQ(c.sink.text, all);
}

}  // namespace
}  // namespace gantry::observe
