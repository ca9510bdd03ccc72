#include "kernel/log/file/still_log.h"

#include "kernel/log/testing.h"

namespace gantry::log {
namespace {

class StillLogTest : public FileLogTest {
   protected:
    std::unique_ptr<StillLog> still() {
        auto opened = StillLog::open(disk, directory);
        EXPECT_TRUE(opened) << opened.error().detail << opened.error().cause;
        return opened ? std::move(*opened) : nullptr;
    }
    // first, count, bytes of events, and schemas of each batch behind a position
    static std::vector<std::string> batches(Log const& of, Position after) {
        std::vector<std::string> out;
        auto scanned = of.scan(after, [&](BatchView const& b) {
            out.push_back(std::to_string(b.first) + " " + std::to_string(b.count) + " " + std::to_string(b.chain) + std::string(b.events) +
                          std::string(b.schemas));
            return true;
        });
        EXPECT_TRUE(scanned) << scanned.error().detail;
        return out;
    }
};

TEST_F(StillLogTest, ShowsWhatTheWriterShows) {
    open();
    fill(100, 300);
    ASSERT_GT(segment_files().size(), 3u);
    auto const reader = still();
    ASSERT_TRUE(reader);
    EXPECT_FALSE(reader->torn());
    auto const there = reader->status(), here = log->status();
    EXPECT_EQ(there.incarnation, here.incarnation);
    EXPECT_EQ(there.begin, here.begin);
    EXPECT_EQ(there.durable, here.durable);
    EXPECT_EQ(there.end, 200u);
    EXPECT_EQ(there.last_time, here.last_time);
    EXPECT_EQ(there.chain, here.chain);
    for (Position after : {0, 1, 2, 57, 58, 199, 200}) EXPECT_EQ(batches(*reader, after), batches(*log, after)) << after;
}

TEST_F(StillLogTest, StandsStillWhileTheWriterGoesOn) {
    open();
    fill(10);
    auto const reader = still();
    fill(100, 300);
    EXPECT_EQ(reader->status().end, 20u);
    EXPECT_EQ(count_events(*reader), 20u);
    EXPECT_EQ(count_events(*still()), 220u);
}

TEST_F(StillLogTest, FindsBatchesAndTimes) {
    open();
    for (int i = 0; i < 100; ++i) fill(1, 300), clock.advance(Duration::seconds(60));
    auto const reader = still();
    for (Position position : {1, 2, 77, 78, 200}) {
        Position first = 0;
        ASSERT_TRUE(reader->find(position, [&](BatchView const& b) { return first = b.first, true; }));
        EXPECT_EQ(first, (position - 1) / 2 * 2 + 1);
    }
    EXPECT_EQ(reader->find(0, [](auto&) { return true; }).error().code, "position_gone");
    EXPECT_EQ(reader->find(201, [](auto&) { return true; }).error().code, "position_unknown");
    for (int minutes : {-200, -100, -99, -50, -1, 0}) {
        Time const time = clock.wall() + Duration::seconds(60 * minutes);
        EXPECT_EQ(*reader->last_at(time), *log->last_at(time)) << minutes;
    }
}

TEST_F(StillLogTest, TakesNothing) {
    open();
    fill(1);
    auto const reader = still();
    EXPECT_EQ(reader->append({}).error().code, "log_closed");
    EXPECT_EQ(reader->cut(1, {}).error().code, "log_closed");
    EXPECT_FALSE(reader->has_space(1));
}

TEST_F(StillLogTest, NoLogAndADamagedOneAreSaid) {
    EXPECT_EQ(StillLog::open(disk, "/nowhere").error().code, "log_not_found");
    open();
    fill(100, 300);
    auto const files = segment_files();
    auto file = disk.open(files[1], Open::existing_write);
    ASSERT_TRUE(file && (*file)->write(3000, "spoilt"));
    auto const reader = still();
    auto const scanned = reader->scan(0, [](auto&) { return true; });
    ASSERT_FALSE(scanned);
    EXPECT_EQ(scanned.error().code, "log_damaged");
    EXPECT_FALSE(reader->torn());
}

TEST_F(StillLogTest, ATornTailIsNoPartOfIt) {
    open();
    fill(3);
    auto const end = log->status().end;
    auto file = disk.open(segment_files().back(), Open::existing_write);
    auto size = *(*file)->size();
    std::string bytes(size, '\0');
    ASSERT_TRUE((*file)->read(0, bytes));
    auto const behind = bytes.find_last_not_of('\0');
    ASSERT_TRUE((*file)->write(behind, "?"));
    auto const reader = still();
    ASSERT_TRUE(reader->torn());
    EXPECT_LT(reader->status().end, end);
    EXPECT_EQ(count_events(*reader), reader->status().end);
}

}  // namespace
}  // namespace gantry::log
