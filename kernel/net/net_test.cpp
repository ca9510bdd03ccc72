#include "kernel/net/net.h"

#include <gtest/gtest.h>

#include <atomic>
#include <csignal>
#include <future>
#include <thread>

#include "kernel/net/endpoint.h"

namespace gantry::net {
namespace {

constexpr auto patience = std::chrono::seconds(20);

TEST(IoThreads, RunsPostedTasksInOrderOnTheirThread) {
    IoThreads threads(2);
    std::vector<int> seen;
    for (int i = 0; i < 1000; ++i) threads.post(1, [&, i] { seen.push_back(threads.current() == 1 ? i : -1); });
    threads.run(1, [] {});
    ASSERT_EQ(seen.size(), 1000u);
    for (int i = 0; i < 1000; ++i) EXPECT_EQ(seen[std::size_t(i)], i);
    EXPECT_EQ(threads.current(), -1);
}

TEST(IoThreads, TasksPostedByTasksRunToo) {
    IoThreads threads(1);
    std::promise<void> done;
    threads.post(0, [&] { threads.post(0, [&] { threads.post(0, [&] { done.set_value(); }); }); });
    EXPECT_EQ(done.get_future().wait_for(patience), std::future_status::ready);
}

TEST(IoThreads, ManyThreadsMayPostAtOnce) {
    IoThreads threads(2);
    std::atomic<int> ran = 0;
    std::vector<std::thread> posters;
    for (int p = 0; p < 4; ++p)
        posters.emplace_back([&, p] {
            for (int i = 0; i < 500; ++i) threads.post(p % 2, [&] { ++ran; });
        });
    for (auto& p : posters) p.join();
    threads.run(0, [] {}), threads.run(1, [] {});
    EXPECT_EQ(ran, 2000);
}

TEST(IoThreads, ATimerFiresOnceOnItsThreadAndNotBeforeItsTime) {
    IoThreads threads(2);
    std::promise<int> fired;
    auto const start = std::chrono::steady_clock::now();
    threads.after(1, Duration::millis(30), [&] { fired.set_value(threads.current()); });
    auto waiting = fired.get_future();
    ASSERT_EQ(waiting.wait_for(patience), std::future_status::ready);
    EXPECT_EQ(waiting.get(), 1);
    EXPECT_GE(std::chrono::steady_clock::now() - start, std::chrono::milliseconds(30));
}

TEST(IoThreads, ACancelledTimerNeverFires) {
    IoThreads threads(1);
    std::atomic<bool> fired = false;
    std::promise<void> later;
    auto timer = threads.after(0, Duration::millis(20), [&] { fired = true; });
    threads.after(0, Duration::millis(60), [&] { later.set_value(); });
    timer.cancel();
    ASSERT_EQ(later.get_future().wait_for(patience), std::future_status::ready);
    EXPECT_FALSE(fired);
}

TEST(IoThreads, ATimerMayOutliveTheThreads) {
    Timer timer;
    {
        IoThreads threads(1);
        timer = threads.after(0, Duration::hours(1), [] {});
    }
    timer.cancel();
}

TEST(IoThreads, EveryRepeats) {
    IoThreads threads(1);
    std::promise<void> third;
    int count = 0;
    threads.every(0, Duration::millis(1), [&] {
        if (++count == 3) third.set_value();
    });
    EXPECT_EQ(third.get_future().wait_for(patience), std::future_status::ready);
}

TEST(IoThreads, ASignalRunsItsCallbackEachTime) {
    IoThreads threads(1);
    std::promise<void> first, second;
    int count = 0;
    ASSERT_TRUE(threads.on_signal(SIGHUP, [&] { ++count == 1 ? first.set_value() : second.set_value(); }));
    ::raise(SIGHUP);
    ASSERT_EQ(first.get_future().wait_for(patience), std::future_status::ready);
    ::raise(SIGHUP);
    ASSERT_EQ(second.get_future().wait_for(patience), std::future_status::ready);
}

TEST(IoThreads, AnUnknownSignalIsRefused) {
    IoThreads threads(1);
    EXPECT_FALSE(threads.on_signal(1000, [] {}));
    EXPECT_FALSE(threads.on_signal(SIGKILL, [] {}));
}

TEST(IoThreads, WhatIsPostedAfterTheStopIsDropped) {
    IoThreads threads(1);
    threads.stop();
    bool ran = false;
    threads.post(0, [&] { ran = true; });
    threads.run(0, [&] { ran = true; });
    EXPECT_FALSE(ran);
}

TEST(TaskGroup, DrainsWhatRunsAndRefusesWhatIsNew) {
    TaskGroup group;
    ASSERT_TRUE(group.enter());
    EXPECT_FALSE(group.drain(Duration::millis(5)));
    EXPECT_FALSE(group.enter());
    std::thread worker([&] { group.leave(); });
    EXPECT_TRUE(group.drain(Duration::seconds(20)));
    worker.join();
    EXPECT_EQ(group.in_flight(), 0);
}

TEST(Endpoint, IsReadAndSaid) {
    for (auto const* text : {"127.0.0.1:8080", "[::1]:0", "localhost:65535", "0.0.0.0:1", "[::]:9"}) {
        auto const read = parse_endpoint(text);
        ASSERT_TRUE(read) << text;
        EXPECT_EQ(read->text(), text);
        EXPECT_EQ(read->is_loopback(), std::string_view(text).find("0.0.0.0") != 0 && read->host != "::") << text;
    }
    for (auto const* text :
         {"", ":", "8080", "127.0.0.1", "127.0.0.1:", ":80", "::1:80", "[]:80", "[::1:80", "a:65536", "a:-1", "a:80x", "a: 80"})
        EXPECT_FALSE(parse_endpoint(text)) << text;
}

}  // namespace
}  // namespace gantry::net
