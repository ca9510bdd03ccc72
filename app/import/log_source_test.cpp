#include "app/import/log_source.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <thread>

#include "app/import/chunks.h"
#include "app/import/fake_tracker_test.h"

namespace gantry::import {
namespace {

namespace fs = std::filesystem;

// n lines, one a second from `from` on, each a report of its own package.
std::string lines(int from, int n) {
    std::string all;
    for (int i = from; i < from + n; ++i) all += fmt::format("2026-03-01 10:{:02}:{:02} status unpacked p{}:all 1\n", i / 60, i % 60, i);
    return all;
}

struct Reading {
    Captured err;
    Complaints complaints{err};
    Zone zone = std::move(*Zone::open("UTC"));
    std::unique_ptr<DpkgLogSource> source;

    explicit Reading(std::vector<std::string> files, std::string_view position = "") {
        auto opened = DpkgLogSource::open({std::move(files), false}, zone, complaints);
        EXPECT_TRUE(opened) << (opened ? "" : opened.error().detail);
        if (!opened) return;
        source = std::move(*opened);
        auto started = source->start_after(position);
        EXPECT_TRUE(started) << (started ? "" : started.error().detail);
    }
    // The packages reported, in order: "p0 p1 ".
    std::string rest() {
        std::string all;
        while (auto r = source->next()) all += r->report.package + " ", last = r->position;
        return all;
    }
    std::string last;
};

std::string names(int from, int n) {
    std::string all;
    for (int i = from; i < from + n; ++i) all += fmt::format("p{} ", i);
    return all;
}

// The position after the n-th report of `files`.
std::string position_after(std::vector<std::string> files, int n) {
    Reading reading(std::move(files));
    std::string position;
    for (int i = 0; i < n; ++i) position = reading.source->next()->position;
    return position;
}

TEST(LogPositions, AreTextAndBack) {
    LogPosition p{"2026-03-01 10:00:00", 17, 0xabc};
    EXPECT_EQ(p.text(), "2026-03-01 10:00:00#17.00000abc");
    auto back = LogPosition::parse(p.text());
    ASSERT_TRUE(back);
    EXPECT_EQ(back->text(), p.text());
    for (auto bad : {"", "12.0011", "2026-03-01 10:00:00", "2026-03-01 10:00:00#.1", "2026-03-01 10:00:00#1.", "2026-03-01 10:00:00#1.xyz",
                     "2026-13-01 10:00:00#1.1", "2026-03-01 10:00:00#1x.1"})
        EXPECT_FALSE(LogPosition::parse(bad)) << bad;
}

TEST(LogFiles, AreSortedByTheirFirstTimeWhateverTheirOrderAndNames) {
    TempDir dir;
    write_gzip(dir / "z.gz", lines(0, 5));
    write_file(dir / "a.1", lines(5, 5));
    write_file(dir / "m", lines(10, 5));
    write_file(dir / "empty", "");
    for (auto order :
         {std::vector<std::string>{"m", "a.1", "z.gz", "empty"}, {"empty", "z.gz", "a.1", "m"}, {"a.1", "empty", "m", "z.gz"}}) {
        for (auto& name : order) name = dir / name;
        EXPECT_EQ(Reading(order).rest(), names(0, 15));
    }
}

TEST(LogFiles, TheSameContentIsReadOnce) {
    TempDir dir;
    write_file(dir / "dpkg.log", lines(0, 10));
    write_file(dir / "copy", lines(0, 10));
    write_file(dir / "earlier-copy", lines(0, 4));
    write_gzip(dir / "copy.gz", lines(0, 10));
    fs::create_hard_link(dir / "dpkg.log", dir / "hard");
    fs::create_symlink(dir / "dpkg.log", dir / "soft");
    std::vector<std::string> all;
    for (auto name : {"copy.gz", "earlier-copy", "soft", "dpkg.log", "hard", "copy", "dpkg.log"}) all.push_back(dir / name);
    EXPECT_EQ(Reading(all).rest(), names(0, 10));
    std::ranges::reverse(all);
    EXPECT_EQ(Reading(all).rest(), names(0, 10));
    // The same first second, but another log.
    write_file(dir / "other", "2026-03-01 10:00:00 status unpacked q:all 1\n");
    EXPECT_EQ(Reading({dir / "dpkg.log", dir / "other"}).rest(), names(0, 10) + "q ");
}

TEST(LogFiles, ALastLineWithoutNewlineCounts) {
    TempDir dir;
    std::string text = lines(0, 3);
    text.pop_back();
    write_file(dir / "a", text);
    EXPECT_EQ(Reading({dir / "a"}).rest(), names(0, 3));
}

TEST(LogRestart, AtEachLineAcrossRotationAndCompression) {
    TempDir dir, later;
    write_file(dir / "dpkg.log.1", lines(0, 9));
    write_file(dir / "dpkg.log", lines(9, 6));
    write_gzip(later / "dpkg.log.2.gz", lines(0, 9));
    write_file(later / "dpkg.log.1", lines(9, 6));
    write_file(later / "dpkg.log", lines(15, 3));
    for (int n = 1; n <= 15; ++n) {
        std::string const at = position_after({dir / "dpkg.log", dir / "dpkg.log.1"}, n);
        EXPECT_EQ(Reading({dir / "dpkg.log", dir / "dpkg.log.1"}, at).rest(), names(n, 15 - n));
        Reading rotated({later / "dpkg.log.2.gz", later / "dpkg.log", later / "dpkg.log.1"}, at);
        EXPECT_EQ(rotated.rest(), names(n, 18 - n));
        EXPECT_EQ(rotated.err.text(), "");
    }
}

TEST(LogRestart, TheStateOfOpenRunsIsRebuilt) {
    TempDir dir;
    write_file(dir / "a", "2026-03-01 10:00:00 upgrade a:all 1 2\n2026-03-01 10:00:00 status half-configured a:all 1\n");
    std::string const at = position_after({dir / "a"}, 2);
    write_file(dir / "a", "2026-03-01 10:00:00 status unpacked a:all 1\n2026-03-01 10:00:00 status unpacked a:all 2\n", true);
    Reading reading({dir / "a"}, at);
    auto next = reading.source->next();
    ASSERT_TRUE(next);
    EXPECT_EQ(next->report.version, "2");
    EXPECT_EQ(next->report.note, "still version 1");
}

TEST(LogRestart, NamedAloneTheRotatedFilesBesideItAreFound) {
    TempDir dir;
    write_file(dir / "dpkg.log", lines(0, 9));
    std::string const at = position_after({dir / "dpkg.log"}, 5);
    fs::rename(dir / "dpkg.log", dir / "dpkg.log.1");
    write_file(dir / "dpkg.log", lines(9, 3));
    Reading reading({dir / "dpkg.log"}, at);
    EXPECT_EQ(reading.rest(), names(5, 7));
    EXPECT_EQ(reading.err.text(), "");
}

TEST(LogRestart, SameTimesAndAClockSetBackAreToldApart) {
    TempDir dir;
    std::string text;
    for (int hour : {2, 2, 1, 2, 2})  // the clock goes back twice, each second bears several equal lines
        for (int i = 0; i < 3; ++i) text += fmt::format("2026-10-25 0{}:30:0{} status unpacked a:all 1\n", hour, i / 2);
    write_file(dir / "a", text);
    for (int n = 1; n <= 15; ++n) {
        Reading reading({dir / "a"}, position_after({dir / "a"}, n));
        int left = 0;
        while (reading.source->next()) ++left;
        EXPECT_EQ(left, 15 - n);
    }
}

TEST(LogRestart, WhatRotationDroppedIsToldNotGuessed) {
    TempDir dir;
    write_file(dir / "all", lines(0, 20));
    write_file(dir / "rest", lines(10, 10));
    // The position's own line is still there, the lines of its second before it too.
    Reading inside({dir / "rest"}, position_after({dir / "all"}, 15));
    EXPECT_EQ(inside.rest(), names(15, 5));
    EXPECT_EQ(inside.err.text(), "");
    // All of what follows the position is there but for a gap.
    Reading gap({dir / "rest"}, position_after({dir / "all"}, 5));
    EXPECT_EQ(gap.rest(), names(10, 10));
    EXPECT_NE(gap.err.text().find("what lies between is missing"), std::string::npos);
    // Only older files are given.
    write_file(dir / "old", lines(0, 5));
    Reading older({dir / "old"}, position_after({dir / "all"}, 15));
    EXPECT_EQ(older.rest(), "");
}

TEST(LogRestart, ACutWithinASecondIsFoundByTheLineItself) {
    TempDir dir;
    std::string const first = "2026-03-01 10:00:00 status unpacked a:all 1\n", second = "2026-03-01 10:00:00 status unpacked b:all 1\n",
                      third = "2026-03-01 10:00:00 status unpacked c:all 1\n";
    write_file(dir / "all", first + second + third);
    write_file(dir / "cut", second + third);
    Reading reading({dir / "cut"}, position_after({dir / "all"}, 2));
    EXPECT_EQ(reading.rest(), "c ");
    // Even that line is gone: go on by time.
    write_file(dir / "cut2", third + lines(60, 2));
    Reading by_time({dir / "cut2"}, position_after({dir / "all"}, 2));
    EXPECT_EQ(by_time.rest(), names(60, 2));
    EXPECT_NE(by_time.err.text().find("is gone"), std::string::npos);
}

TEST(LogInput, DamagedInputIsNamedAndTheRestGoesIn) {
    TempDir dir;
    std::string big;
    for (int i = 0; i < 3000; ++i) big += lines(i % 3600, 1);
    write_gzip(dir / "cut.gz", big);
    fs::resize_file(dir / "cut.gz", fs::file_size(dir / "cut.gz") / 2);
    write_file(dir / "junk", std::string("2026-03-02 10:00:00 status unpacked ok:all 1\n") + std::string(200'000, '\0') + "\n" +
                                 std::string("\x01\x02\xff\n\n2026-03-02 10:00:01 status unpacked ok:all 1\n"));
    Reading reading({dir / "cut.gz", dir / "junk"});
    std::string const found = reading.rest(), said = reading.err.text();
    EXPECT_TRUE(found.starts_with("p0 p1 "));
    EXPECT_TRUE(found.ends_with("ok ok ")) << found.substr(found.size() - 50);
    EXPECT_NE(said.find("cut.gz:"), said.npos);
    EXPECT_NE(said.find("the gzip data ends early"), said.npos) << said;
    EXPECT_NE(said.find("junk:2: the line is longer than 65536 bytes"), said.npos) << said;
    EXPECT_NE(said.find("junk:3: byte 3 is not UTF-8"), said.npos) << said;
    EXPECT_NE(said.find("junk:4: expected YYYY-MM-DD"), said.npos) << said;
    EXPECT_EQ(reading.complaints.count(), 4u);
}

TEST(LogInput, TheLineLimitFromBothSides) {
    TempDir dir;
    std::string const prefix = "2026-03-01 10:00:00 conffile /", suffix = " keep";
    for (std::size_t size : {line_bytes_max, line_bytes_max + 1}) {
        write_file(dir / "a", prefix + std::string(size - prefix.size() - suffix.size(), 'x') + suffix + "\n" + lines(0, 1));
        Reading reading({dir / "a"});
        EXPECT_EQ(reading.rest(), "p0 ");
        EXPECT_EQ(reading.complaints.count(), size > line_bytes_max ? 1u : 0u);
    }
}

TEST(LogInput, HourThatComesTwiceInTheLog) {
    if (!fs::exists("/usr/share/zoneinfo/Europe/Berlin")) GTEST_SKIP() << "no tzdata";
    TempDir dir;
    write_file(dir / "a", "2026-10-25 02:30:00 status unpacked a:all 1\n2026-10-25 02:10:00 status unpacked a:all 1\n");
    Captured err;
    Complaints complaints(err);
    auto zone = Zone::open("Europe/Berlin");
    auto source = DpkgLogSource::open({{dir / "a"}, false}, *zone, complaints);
    ASSERT_TRUE(source);
    ASSERT_TRUE((*source)->start_after(""));
    EXPECT_EQ(format_time((*source)->next()->report.at), "2026-10-25T00:30:00Z");
    EXPECT_EQ(format_time((*source)->next()->report.at), "2026-10-25T01:10:00Z");
}

// An import that follows a log on a thread of its own.
class Follower {
   public:
    Follower(FakeTracker& tracker, std::vector<std::string> files) : thread_([this, &tracker, files] { run(tracker, files); }) {}
    ~Follower() { stop(); }
    void stop() {
        stop_ = true;
        if (thread_.joinable()) thread_.join();
    }
    std::string said() { return err_.text(); }

   private:
    void run(FakeTracker& tracker, std::vector<std::string> const& files) {
        Complaints complaints(err_);
        Progress progress(err_, Progress::To::nothing, system_clock());
        auto zone = Zone::open("UTC");
        auto source = DpkgLogSource::open({files, true}, *zone, complaints);
        ASSERT_TRUE(source);
        SendOptions options{.import_name = "f", .sleep = [](Duration) {}};
        options.stopped = [this] { return stop_.load(); };
        Sent sent;
        auto result = ChunkSender(tracker, options, progress, complaints, system_clock()).run(**source, sent);
        EXPECT_TRUE(result) << (result ? "" : result.error().detail);
    }
    Captured err_;
    std::atomic<bool> stop_ = false;
    std::thread thread_;
};

// Waits until the tracker has n reports, at most ten seconds.
bool reaches(FakeTracker& tracker, std::size_t n) {
    for (int i = 0; i < 1000 && tracker.count() < n; ++i) std::this_thread::sleep_for(std::chrono::milliseconds(10));
    return tracker.count() == n;
}
std::string packages(FakeTracker& tracker) {
    std::string all;
    for (auto const& r : tracker.reports()) all += r.package + " ";
    return all;
}

TEST(Follow, NewLinesArriveAndHalfALineWaits) {
    TempDir dir;
    write_file(dir / "dpkg.log", lines(0, 2));
    FakeTracker tracker;
    Follower follower(tracker, {dir / "dpkg.log"});
    ASSERT_TRUE(reaches(tracker, 2));
    std::string const next = lines(2, 1);
    write_file(dir / "dpkg.log", next.substr(0, 40), true);
    write_file(dir / "other", "wakes the watch");
    write_file(dir / "dpkg.log", next.substr(40) + lines(3, 1), true);
    ASSERT_TRUE(reaches(tracker, 4));
    EXPECT_EQ(packages(tracker), names(0, 4));
    follower.stop();
    EXPECT_EQ(follower.said(), "");
}

TEST(Follow, AcrossRotationByRenameWithLateLines) {
    TempDir dir;
    write_gzip(dir / "dpkg.log.1.gz", lines(0, 3));
    write_file(dir / "dpkg.log", lines(3, 2));
    FakeTracker tracker;
    Follower follower(tracker, {dir / "dpkg.log", dir / "dpkg.log.1.gz"});
    ASSERT_TRUE(reaches(tracker, 5));
    fs::rename(dir / "dpkg.log", dir / "dpkg.log.1");
    write_file(dir / "dpkg.log.1", lines(5, 2), true);  // dpkg still has the old file open
    write_file(dir / "dpkg.log", "");
    ASSERT_TRUE(reaches(tracker, 7));
    write_file(dir / "dpkg.log.1", lines(7, 1), true);
    write_file(dir / "dpkg.log", lines(8, 2), true);
    ASSERT_TRUE(reaches(tracker, 10));
    fs::rename(dir / "dpkg.log.1", dir / "dpkg.log.2");
    fs::rename(dir / "dpkg.log", dir / "dpkg.log.1");
    write_file(dir / "dpkg.log", lines(10, 1));
    ASSERT_TRUE(reaches(tracker, 11));
    EXPECT_EQ(packages(tracker), names(0, 11));
    follower.stop();

    // Started again, it goes on where it stood, in the files as they are now.
    write_file(dir / "dpkg.log", lines(11, 1), true);
    Follower again(tracker, {dir / "dpkg.log", dir / "dpkg.log.1", dir / "dpkg.log.2", dir / "dpkg.log.1.gz"});
    ASSERT_TRUE(reaches(tracker, 12));
    EXPECT_EQ(packages(tracker), names(0, 12));
}

TEST(Follow, AcrossTruncation) {
    TempDir dir;
    write_file(dir / "dpkg.log", lines(0, 5));
    FakeTracker tracker;
    Follower follower(tracker, {dir / "dpkg.log"});
    ASSERT_TRUE(reaches(tracker, 5));
    fs::resize_file(dir / "dpkg.log", 0);
    write_file(dir / "dpkg.log", lines(5, 2), true);
    ASSERT_TRUE(reaches(tracker, 7));
    EXPECT_EQ(packages(tracker), names(0, 7));
}

TEST(Follow, ALostAnswerWhileFollowingSendsNothingTwice) {
    TempDir dir;
    write_file(dir / "dpkg.log", lines(0, 5));
    FakeTracker tracker;
    tracker.fault = [](auto call) { return call % 2 ? FakeTracker::Fault::none : FakeTracker::Fault::lost_answer; };
    Follower follower(tracker, {dir / "dpkg.log"});
    ASSERT_TRUE(reaches(tracker, 5));
    write_file(dir / "dpkg.log", lines(5, 5), true);
    ASSERT_TRUE(reaches(tracker, 10));
    EXPECT_EQ(packages(tracker), names(0, 10));
}

}  // namespace
}  // namespace gantry::import
