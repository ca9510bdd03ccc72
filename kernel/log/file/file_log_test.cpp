// What only the file log has: segments, spares, recovery, failures of the disk.
#include <fmt/format.h>

#include <thread>

#include "kernel/log/file/tools.h"
#include "kernel/log/testing.h"

namespace gantry::log {
namespace {

TEST_F(FileLogTest, SegmentsDoubleUpToTheLimit) {
    options.segment_bytes_max = 16 << 10;
    open();
    fill(200, 200);
    std::vector<std::uint64_t> sizes;
    for (auto& path : segment_files()) sizes.push_back((*disk.open(path, Open::existing_read))->size().value());
    ASSERT_GT(sizes.size(), 3u);
    EXPECT_EQ(sizes[0], 8u << 10);
    for (std::size_t i = 1; i < sizes.size(); ++i) EXPECT_EQ(sizes[i], 16u << 10);
    EXPECT_EQ(log->status().segments, sizes.size());
    EXPECT_EQ(log->status().bytes, (sizes.size() - 1) * (16u << 10) + (8u << 10));
}

// Found by the fuzzer: the room that is left was counted below zero, and a segment grew without a limit.
TEST_F(FileLogTest, ASegmentThatWasCutInItsPaddingTakesNoMoreThanItHolds) {
    auto const cut_to = [&](std::string const& path, std::uint64_t size) {
        log.reset();
        auto file = *disk.open(path, Open::existing_write);
        ASSERT_TRUE(file->truncate(size) && file->sync());
    };
    open();
    ASSERT_TRUE(append(1, 99));  // not a multiple of eight
    run();
    std::uint64_t end = 0;
    auto const path = segment_files().front();
    auto const bytes = *read_file(disk, path);
    for (std::size_t at = 512; stored_length(bytes.data() + at) != 0; at += padded(stored_length(bytes.data() + at)))
        end = at + stored_length(bytes.data() + at);
    ASSERT_NE(end % 8, 0u);
    for (std::uint64_t size : {end, std::uint64_t(300)}) {  // behind the last byte of a batch; in the zeros behind the header
        cut_to(path, size);
        open();
        fill(20, 1000);
        for (auto& file : segment_files()) EXPECT_LE((*disk.open(file, Open::existing_read))->size().value(), options.segment_bytes_max);
        EXPECT_GT(log->status().segments, 1u);
        EXPECT_EQ(count_events(*log), log->status().durable);
        EXPECT_TRUE(verify(disk, directory)->ok());
        for (auto& file : segment_files())
            if (file != path) ASSERT_TRUE(disk.remove(file));
    }
}

TEST_F(FileLogTest, NamesSortByPosition) {
    open();
    fill(200, 200);
    Position last = 0;
    std::uint64_t number = 0;
    for (auto& path : segment_files()) {
        auto name = parse_segment_name(path.substr(path.rfind('/') + 1));
        ASSERT_TRUE(name) << path;
        EXPECT_GE(name->first, last);
        EXPECT_EQ(name->number, ++number);
        last = name->first;
    }
    EXPECT_FALSE(parse_segment_name("x.log"));
    EXPECT_FALSE(parse_segment_name("0000000000000000001x-00000001.log"));
    EXPECT_FALSE(parse_segment_name("00000000000000000001-00000001.log.damaged"));
}

TEST_F(FileLogTest, OneGroupIsOneWriteAndOneSync) {
    open();
    run();
    auto before = disk.calls();
    for (int i = 0; i < 10; ++i) ASSERT_TRUE(append());
    EXPECT_TRUE(committer.run_commit());
    EXPECT_EQ(disk.calls() - before, 2u);
    EXPECT_EQ(log->status().durable, 10u);
    EXPECT_FALSE(committer.run_commit());
}

TEST_F(FileLogTest, OneCommitterServesManyLogs) {
    open();
    auto other = FileLog::open(disk, committer, "/data/main/queue/log", options, "v1", clock, random);
    ASSERT_TRUE(other);
    ASSERT_TRUE(append(3));
    BatchView b;
    b.time = clock.wall();
    ASSERT_TRUE((*other)->append(b));
    ASSERT_TRUE((*other)->wait_durable());
    ASSERT_TRUE(log->wait_durable());
    EXPECT_EQ(log->status().durable, 3u);
}

TEST_F(FileLogTest, SpaceIsReservedBeforeItIsNeeded) {
    open();
    run();
    auto used = disk.used_bytes();
    disk.set_capacity(used);  // not one byte more
    int taken = 0;
    while (log->has_space(1000)) {
        ASSERT_TRUE(append(1, 900));
        ASSERT_LT(++taken, 1000);
        run();
    }
    EXPECT_GT(taken, 16);  // the rest of the first segment and the whole spare
    EXPECT_TRUE(fatal.empty());
    EXPECT_EQ(log->status().durable, Position(taken));
    EXPECT_EQ(count_events(*log), std::uint64_t(taken));          // reads go on
    EXPECT_EQ(append(1, 20'000 - 200).error().code, "log_busy");  // and what comes nevertheless is refused, not half written
    disk.set_capacity(~std::uint64_t{0});
    EXPECT_FALSE(log->has_space(1000));  // asks for another try
    run();
    EXPECT_TRUE(log->has_space(1000));
    ASSERT_TRUE(append(1, 900));
    run();
    EXPECT_TRUE(fatal.empty());
}

TEST_F(FileLogTest, ASmallerSpareIsMadeWhereTheNextOneDoesNotFit) {
    options.segment_bytes_min = 8 << 10, options.segment_bytes_max = 1 << 20;
    open();
    run();
    disk.set_capacity(disk.used_bytes() + (20 << 10));
    int taken = 0;
    for (; log->has_space(1000); ++taken) {
        ASSERT_TRUE(append(1, 900));
        run();
    }
    std::uint64_t bytes = 0;
    for (auto& path : segment_files()) bytes += (*disk.open(path, Open::existing_read))->size().value();
    EXPECT_EQ(bytes, (8u + 16u + 16u) << 10) << "doubling would have been 8, 16 and 32";
    EXPECT_GT(taken, 36);
    EXPECT_TRUE(fatal.empty());
}

TEST_F(FileLogTest, ASpareGrowsForABatchThatNeedsMore) {
    open();
    run();
    EXPECT_TRUE(log->has_space(15'000));
    EXPECT_FALSE(log->has_space(19'000));  // the spare has 16 KiB
    run();
    EXPECT_TRUE(log->has_space(19'000));
    ASSERT_TRUE(append(1, 19'000));
    run();
    EXPECT_EQ(log->status().durable, 1u);
}

TEST_F(FileLogTest, ABurstBeyondAllSparesIsWrittenAllTheSame) {
    open();
    for (int i = 0; i < 100; ++i) ASSERT_TRUE(append(1, 1000));  // no spare is ready yet
    EXPECT_FALSE(log->has_space(1000));
    run();
    EXPECT_EQ(log->status().durable, 100u);
    EXPECT_TRUE(log->has_space(1000));
    EXPECT_EQ(count_events(*log), 100u);
}

// A fault at every single write and sync of a life, one after the other: nothing acknowledged is ever lost, nothing is retried.
TEST_F(FileLogTest, AFailureAtEveryCallEndsTheProcessAndLosesNothingAcknowledged) {
    bool reached_end = false;
    for (std::uint64_t call = 1; !reached_end; ++call) {
        ASSERT_LT(call, 500u);
        disk.fail_at(call);
        fatal.clear();
        Position acknowledged = log ? log->status().durable : 0;
        log.reset();
        auto opened = try_open();
        if (!opened) {
            EXPECT_EQ(opened.error().code, "disk_failed");
        } else {
            log = std::move(*opened);
            acknowledged = log->status().durable;
            for (int i = 0; i < 20 && append(1, 600); ++i) run();
            acknowledged = log->status().durable;
            if (!fatal.empty()) {
                EXPECT_EQ(append().error().code, "log_closed");
                EXPECT_FALSE(log->has_space(1));
                EXPECT_FALSE(log->close());
                EXPECT_EQ(log->wait_durable().has_value(), log->status().end == log->status().durable);
            }
            reached_end = fatal.empty();
        }
        disk.fail_at(0);
        log.reset();
        if (call % 2)
            disk.kill();
        else
            disk.crash();
        auto again = try_open();
        ASSERT_TRUE(again) << again.error().cause;
        EXPECT_GE((*again)->status().durable, acknowledged);
        log = std::move(*again);
        EXPECT_EQ(count_events(*log), log->status().durable);
    }
}

// After a failed sync the page cache may show what the disk doesn't have: the next start writes it again before it trusts it.
TEST_F(FileLogTest, WhatAFailedSyncLeftInTheCacheIsWrittenAgain) {
    for (std::uint64_t seed = 0; seed < 20; ++seed) {
        open();
        run();
        ASSERT_TRUE(append(1, 3000));
        disk.fail_at(2);  // the sync of the group
        run();
        ASSERT_EQ(fatal.size(), 1u);
        log.reset();
        disk.kill();  // the process alone
        open();
        auto durable = log->status().durable;
        log.reset();
        disk.crash();  // now the power
        open();
        EXPECT_EQ(log->status().durable, durable);
        EXPECT_EQ(count_events(*log), durable);
        log.reset(), fatal.clear();
    }
}

TEST_F(FileLogTest, ATornTailIsCutAndNeverComesBack) {
    open();
    fill(3);
    int cut = 0;
    for (int round = 0; round < 50; ++round) {
        auto before = log->status().durable;
        for (int i = 0; i < 10; ++i) ASSERT_TRUE(append(1, 300));
        disk.fail_at(2);
        committer.run_commit();
        disk.fail_at(0);
        log.reset();
        disk.crash();
        open();
        run();
        EXPECT_GE(log->status().durable, before);
        EXPECT_LE(log->status().durable, before + 10);
        cut += log->torn_bytes() > 0;
        EXPECT_EQ(count_events(*log), log->status().durable);
    }
    EXPECT_GT(cut, 10);
}

TEST_F(FileLogTest, DamageBelowWhatWasDurableStopsTheStartWithPlaceAndRemedy) {
    open();
    fill(20);
    auto status = log->status();
    log.reset();
    auto path = segment_files().back();
    for (std::uint64_t offset : {0u, 8u, 20u, 88u, 512u, 600u, 1000u}) {
        ASSERT_TRUE(disk.flip_bit(path, offset, 3));
        auto opened = try_open();
        ASSERT_FALSE(opened) << offset;
        EXPECT_EQ(opened.error().code, "log_damaged");
        auto& cause = opened.error().cause;
        EXPECT_NE(cause.find(path), cause.npos) << cause;
        EXPECT_NE(cause.find("at offset"), cause.npos) << cause;
        EXPECT_NE(cause.find("position"), cause.npos) << cause;
        EXPECT_NE(cause.find("gantry log repair"), cause.npos) << cause;
        disk.flip_bit(path, offset, 3);
    }
    open();
    EXPECT_EQ(log->status().end, status.end);
}

TEST_F(FileLogTest, ZerosWhereABatchWasAreDamageNotAnEnd) {
    open();
    fill(20);
    log.reset();
    auto path = segment_files().back();
    {
        auto file = *disk.open(path, Open::existing_write);
        ASSERT_TRUE(file->write(1024, std::string(512, '\0')));
        ASSERT_TRUE(file->sync());
    }
    auto opened = try_open();
    ASSERT_FALSE(opened);
    EXPECT_EQ(opened.error().code, "log_damaged");
}

TEST_F(FileLogTest, DamageInAnOldSegmentIsFoundByTheReader) {
    open();
    fill(300, 200);
    log.reset();
    auto files = segment_files();
    ASSERT_GT(files.size(), 4u);
    disk.flip_bit(files[1], 3000, 0);
    open();  // the newest two are whole
    auto scanned = log->scan(0, [](BatchView const&) { return true; });
    ASSERT_FALSE(scanned);
    EXPECT_EQ(scanned.error().code, "log_damaged");
    EXPECT_NE(scanned.error().cause.find(files[1]), std::string::npos);
    EXPECT_TRUE(log->scan(log->status().end - 5, [](BatchView const&) { return true; }));  // what is elsewhere can be read
}

TEST_F(FileLogTest, RunsShowWhatIsGoodInFrontOfDamage) {
    open();
    fill(300, 200);
    log.reset();
    auto files = segment_files();
    disk.flip_bit(files[1], 3000, 0);
    open();
    std::vector<Position> one_by_one, by_runs;
    auto scanned = log->scan(0, [&](BatchView const& b) { return one_by_one.push_back(b.last()), true; });
    auto run_scanned = log->scan_runs(0, [&](std::span<BatchView const> run) {
        for (auto& b : run) by_runs.push_back(b.last());
        return true;
    });
    ASSERT_FALSE(scanned);
    ASSERT_FALSE(run_scanned);
    EXPECT_EQ(run_scanned.error().code, "log_damaged");
    EXPECT_EQ(run_scanned.error().cause, scanned.error().cause);
    EXPECT_GT(by_runs.size(), 10u);
    EXPECT_EQ(by_runs, one_by_one);
}

TEST_F(FileLogTest, AReadThatFailsComesBehindTheRunInFrontOfIt) {
    open();
    fill(100, 200);
    std::size_t seen = 0;
    auto scanned = log->scan_runs(0, [&](auto run) {
        disk.set_faults({.read = 1});
        return seen += run.size(), true;
    });
    disk.set_faults({});
    ASSERT_FALSE(scanned);
    EXPECT_EQ(scanned.error().code, "disk_failed");
    EXPECT_GT(seen, 10u);
}

TEST_F(FileLogTest, AMissingSegmentIsDamage) {
    open();
    fill(300, 200);
    log.reset();
    ASSERT_TRUE(disk.remove(segment_files()[1]));
    auto opened = try_open();
    ASSERT_FALSE(opened);
    EXPECT_EQ(opened.error().code, "log_damaged");
    EXPECT_NE(opened.error().cause.find("missing"), std::string::npos);
}

// docs/durability.md, "What can't be decided".
TEST_F(FileLogTest, RotInTheVeryLastGroupLooksLikeATornTailUnlessTheCloseWasClean) {
    open();
    fill(5);
    auto end = log->status().end;
    auto size_before_last = [&] {
        std::uint64_t last = 0;
        auto path = segment_files().back();
        auto file = *disk.open(path, Open::existing_read);
        auto header = *read_header(*file, path);
        SegmentWalk walk(*file, header, path, header.header_bytes, *file->size(), base_of(header));
        while (*walk.next() == SegmentWalk::Step::batch)
            if (walk.batch().count > 0) last = walk.batch_offset();
        return last;
    };
    log.reset();
    disk.flip_bit(segment_files().back(), size_before_last() + 100, 1);
    open();
    EXPECT_EQ(log->status().end, end - 2);  // taken for a tail that was never acknowledged
    EXPECT_GT(log->torn_bytes(), 0u);
    ASSERT_TRUE(append(2));
    ASSERT_TRUE(log->close());
    log.reset();
    disk.flip_bit(segment_files().back(), size_before_last() + 100, 1);
    EXPECT_EQ(try_open().error().code, "log_damaged");  // the mark of the clean close knows better
}

TEST_F(FileLogTest, OtherSchemasBeginAnotherSegment) {
    open("v1");
    EXPECT_EQ(log->status().segments, 1u);
    log.reset(), open("v1");
    EXPECT_EQ(log->status().segments, 1u);
    log.reset(), open("v2");
    EXPECT_EQ(log->status().segments, 2u);
    log.reset(), open(std::string(100'000, 's'));  // more than a segment of the least size
    EXPECT_EQ(log->status().segments, 3u);
    ASSERT_TRUE(append());
    run();
    EXPECT_EQ(log->status().durable, 1u);
}

TEST_F(FileLogTest, AClockFarBehindTheLogIsRefusedUnlessAccepted) {
    open();
    BatchView b;
    b.time = clock.wall() + Duration::seconds(60);
    ASSERT_TRUE(log->append(b));
    ASSERT_TRUE(log->wait_durable());
    log.reset(), open();  // a minute is borne
    b.time = clock.wall() + Duration::seconds(61);
    ASSERT_TRUE(log->append(b));
    ASSERT_TRUE(log->wait_durable());
    log.reset();
    auto refused = try_open();
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, "clock_behind");
    auto accepted = try_open(ClockAhead::accept);
    ASSERT_TRUE(accepted);
    EXPECT_EQ((*accepted)->status().last_time, b.time);
}

TEST_F(FileLogTest, SparesOfAnEarlierLifeAreRemoved) {
    open();
    run();
    log.reset();
    auto spares = [&] { return std::ranges::count_if(disk.files(), [](auto& f) { return f.find("/spare-") != f.npos; }); };
    EXPECT_EQ(spares(), 1);
    open();
    EXPECT_EQ(spares(), 0);
    run();
    EXPECT_EQ(spares(), 1);
    ASSERT_TRUE(log->close());
    EXPECT_EQ(spares(), 0);
}

TEST_F(FileLogTest, ACutThatFailsMidwayIsFinishedByTheNext) {
    open();
    fill(400, 200);
    ASSERT_GT(segment_files().size(), 4u);
    disk.fail_at(3);  // write, sync, then the first removal
    EXPECT_FALSE(log->cut(400, clock.wall()));
    disk.fail_at(0);
    ASSERT_TRUE(log->cut(700, clock.wall()));
    log.reset();
    open();
    EXPECT_GT(log->status().begin, 400u);
    EXPECT_EQ(count_events(*log), log->status().end - log->status().begin + 1);
}

TEST_F(FileLogTest, ACutWhileAScanRunsIsAnErrorNotAHole) {
    open();
    fill(400, 200);
    Result<void> cut = fail(500, "not_yet");
    auto scanned = log->scan(0, [&](BatchView const&) {
        if (!cut) cut = log->cut(700, clock.wall());
        return true;
    });
    EXPECT_TRUE(cut);
    ASSERT_FALSE(scanned);
    EXPECT_EQ(scanned.error().code, "position_gone");
}

TEST(FileLogThreads, ManyLogsAndReadersAtOnce) {
    TemporaryDirectory at;
    Options options;
    options.segment_bytes_min = 64 << 10, options.segment_bytes_max = 256 << 10;
    Committer committer;
    std::vector<std::unique_ptr<FileLog>> logs;
    for (int i = 0; i < 3; ++i)
        logs.push_back(
            *FileLog::open(system_disk(), committer, fmt::format("{}/{}", at.path(), i), options, "", system_clock(), system_random()));
    constexpr int batches = 2000;
    std::atomic<int> failures = 0;
    std::vector<std::thread> threads;
    for (auto& log : logs) {
        threads.emplace_back([&log, &failures] {
            auto events = events_of(2, 150);
            for (int i = 0; i < batches; ++i) {
                BatchView b;
                b.count = 2, b.events = events, b.time = log->status().last_time;
                if (!log->append(b)) ++failures;
                if (i % 100 == 0 && !log->wait_durable()) ++failures;
            }
            if (!log->wait_durable()) ++failures;
        });
        threads.emplace_back([&log, &failures] {
            for (Position seen = 0; seen < 2 * batches;) {
                Position next = seen + 1;
                auto scanned = log->scan(seen, [&](BatchView const& b) {
                    if (b.count > 0 && b.first != next) ++failures;
                    next = b.first + b.count;
                    return true;
                });
                if (!scanned) ++failures, next = 2 * batches + 1;
                seen = next - 1;
                if (seen > 0 && !log->find(seen / 2 + 1, [](BatchView const&) { return true; })) ++failures;
            }
        });
    }
    for (auto& t : threads) t.join();
    EXPECT_EQ(failures, 0);
    for (auto& log : logs) EXPECT_TRUE(log->close());
}

}  // namespace
}  // namespace gantry::log
