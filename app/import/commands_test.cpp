#include "app/import/commands.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <csignal>

#include "app/import/fake_tracker_test.h"

namespace gantry::import {
namespace {

struct Ran {
    int code;
    std::string out, err;
};

template <class Options>
Ran run(int (*command)(Options const&, Surroundings), FakeTracker& tracker, Options options) {
    Captured out, err;
    options.name = options.name.empty() ? "test" : options.name;
    int const code = command(options, Surroundings{.transport = &tracker, .out = out, .err = err});
    return {code, out.text(), err.text()};
}

constexpr std::string_view good_log =
    "2026-03-01 10:00:00 install a:all <none> 1\n"
    "2026-03-01 10:00:01 status installed a:all 1\n";

TEST(Commands, AllWell) {
    TempDir dir;
    write_file(dir / "dpkg.log", good_log);
    FakeTracker tracker;
    auto r = run(import_dpkg_log, tracker, DpkgLogOptions{{}, {dir / "dpkg.log"}, false, "UTC"});
    EXPECT_EQ(r.code, exit_ok) << r.err;
    EXPECT_EQ(tracker.text(),
              R"({"package":"a","version":"1","arch":"all","stage":"install","at":"2026-03-01T10:00:00Z","reporter":"dpkg"})"
              "\n"
              R"({"package":"a","version":"1","arch":"all","stage":"installed","at":"2026-03-01T10:00:01Z",)"
              R"("reporter":"dpkg","result":"installed"})"
              "\n");
    EXPECT_EQ(r.err, "");
    EXPECT_TRUE(r.out.starts_with("test: 2 reports sent in 1 chunks")) << r.out;
}

TEST(Commands, AllMalformedLinesAreNamedAndTheRestGoesIn) {
    TempDir dir;
    std::string log(good_log);
    log += "rubbish\n" + std::string(1 << 20, 'x') + "\n\xff\xfe\n2026-03-01 10:00:02 status installed b:all 1\n";
    write_file(dir / "dpkg.log", log);
    FakeTracker tracker;
    auto r = run(import_dpkg_log, tracker, DpkgLogOptions{{}, {dir / "dpkg.log"}, false, "UTC"});
    EXPECT_EQ(r.code, exit_malformed);
    EXPECT_EQ(tracker.count(), 3u);
    std::string const file = dir / "dpkg.log";
    EXPECT_NE(r.err.find(file + ":3: expected YYYY-MM-DD"), r.err.npos) << r.err;
    EXPECT_NE(r.err.find(file + ":4: the line is longer than 65536 bytes"), r.err.npos) << r.err;
    EXPECT_NE(r.err.find(file + ":5: byte 1 is not UTF-8"), r.err.npos) << r.err;
}

TEST(Commands, OnlySoManyComplaintsAreShown) {
    TempDir dir;
    std::string log(good_log);
    for (int i = 0; i < 100; ++i) log += "rubbish\n";
    write_file(dir / "dpkg.log", log);
    FakeTracker tracker;
    auto options = DpkgLogOptions{{}, {dir / "dpkg.log"}, false, "UTC"};
    options.json = true;
    auto r = run(import_dpkg_log, tracker, options);
    EXPECT_EQ(r.code, exit_malformed);
    EXPECT_EQ(std::ranges::count(r.err, '\n'), 21);
    EXPECT_NE(r.err.find("… and 80 more malformed lines"), r.err.npos);
    EXPECT_NE(r.out.find(R"("reports":2,"chunks":1,"malformed":100,"refused":0,"stopped":false)"), r.out.npos) << r.out;
}

TEST(Commands, WhatCannotBeDoneFails) {
    TempDir dir;
    write_file(dir / "dpkg.log", good_log);
    write_gzip(dir / "dpkg.log.gz", good_log);
    FakeTracker tracker;
    auto fails = [&](DpkgLogOptions options, std::string_view says) {
        auto r = run(import_dpkg_log, tracker, options);
        EXPECT_EQ(r.code, exit_failed);
        EXPECT_NE(r.err.find(says), r.err.npos) << r.err;
        EXPECT_EQ(r.out, "");
    };
    fails({{}, {dir / "none"}, false, "UTC"}, "none: No such file or directory");
    fails({{}, {dir.path()}, false, "UTC"}, "not a regular file");
    fails({{}, {dir / "dpkg.log"}, false, "Mars/Olympus"}, "no time zone 'Mars/Olympus'");
    fails({{}, {dir / "dpkg.log.gz"}, true, "UTC"}, "--follow needs");
    fails({{.name = "a/b"}, {dir / "dpkg.log"}, false, "UTC"}, "--name 'a/b'");
    EXPECT_EQ(tracker.calls(), 0u);
    auto r = run(import_changelogs, tracker, ChangelogOptions{{}, dir / "none"});
    EXPECT_EQ(r.code, exit_failed);
    tracker.stand("test", "12.0000");
    fails({{}, {dir / "dpkg.log"}, false, "UTC"}, "no position of a dpkg log");
}

TEST(Commands, AnUnreachableTrackerFailsAfterItsTime) {
    TempDir dir;
    write_file(dir / "dpkg.log", good_log);
    FakeTracker tracker;
    tracker.fault = [](auto) { return FakeTracker::Fault::no_answer; };
    auto options = DpkgLogOptions{{}, {dir / "dpkg.log"}, false, "UTC"};
    options.json = true, options.give_up_after = Duration::millis(250);
    auto r = run(import_dpkg_log, tracker, options);
    EXPECT_EQ(r.code, exit_failed);
    EXPECT_NE(r.err.find("connect_failed: refused; trying again in 200ms"), r.err.npos) << r.err;
    EXPECT_NE(r.out.find(R"("error":"tracker_unreachable: no answer from the tracker)"), r.out.npos) << r.out;
}

TEST(Commands, ASignalStopsBetweenChunksAndIsNoFailure) {
    TempDir dir;
    write_file(dir / "dpkg.log", good_log);
    FakeTracker tracker;
    Surroundings around = program_surroundings();
    EXPECT_FALSE(around.stopped());
    tracker.fault = [](std::uint64_t call) {
        if (call == 1) ::raise(SIGTERM);
        return FakeTracker::Fault::none;
    };
    Captured out, err;
    around.transport = &tracker, around.out = out, around.err = err;
    DpkgLogOptions options{{.name = "test", .json = true}, {dir / "dpkg.log"}, true, "UTC"};
    EXPECT_EQ(import_dpkg_log(options, around), exit_ok);
    EXPECT_NE(out.text().find(R"("reports":0,)"), std::string::npos) << out.text();
    EXPECT_NE(out.text().find(R"("stopped":true)"), std::string::npos) << out.text();
}

TEST(Commands, ThisMachinesDpkgLogHasNoMalformedLine) {
    std::string const log = "/var/log/dpkg.log";
    if (!std::filesystem::exists(log) || std::filesystem::file_size(log) == 0) GTEST_SKIP() << "no " << log;
    FakeTracker tracker;
    auto const start = std::chrono::steady_clock::now();
    auto r = run(import_dpkg_log, tracker, DpkgLogOptions{{}, {log}, false, ""});
    auto const ms = std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - start).count();
    RecordProperty("ms", int(ms));
    EXPECT_EQ(r.code, exit_ok) << r.err;
    EXPECT_GT(tracker.count(), 0u);
    fmt::print("{}: {} reports, {} ms\n", log, tracker.count(), ms);
    auto again = run(import_dpkg_log, tracker, DpkgLogOptions{{}, {log}, false, ""});
    EXPECT_TRUE(again.out.starts_with("test: 0 reports")) << again.out;
}

TEST(Commands, ThisMachinesChangelogs) {
    std::string const docs = "/usr/share/doc";
    if (!std::filesystem::exists(docs)) GTEST_SKIP() << "no " << docs;
    FakeTracker tracker;
    ChangelogOptions options{{}, docs};
    auto r = run(import_changelogs, tracker, options);
    if (r.out.starts_with("test: 0 reports") && r.code == exit_ok) GTEST_SKIP() << "no changelogs below " << docs;
    EXPECT_EQ(r.code, exit_ok) << r.err;
    fmt::print("{}", r.out);
    auto again = run(import_changelogs, tracker, options);
    EXPECT_TRUE(again.out.starts_with("test: 0 reports")) << again.out;
}

}  // namespace
}  // namespace gantry::import
