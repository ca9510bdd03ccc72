#pragma once
// What several tests of this folder share.
#include <gtest/gtest.h>
#include <stdlib.h>

#include <algorithm>
#include <filesystem>
#include <memory>
#include <string>

#include "kernel/base/varint.h"
#include "kernel/log/faulty/simulated_disk.h"
#include "kernel/log/file/file_log.h"

namespace gantry::log {

inline std::string events_of(std::uint32_t count, std::size_t payload_bytes = 10) {
    std::string out;
    for (std::uint32_t i = 0; i < count; ++i) put_varint(out, i), put_string(out, std::string(payload_bytes, char('a' + i % 26)));
    return out;
}

// A fresh directory on the real disk.
class TemporaryDirectory {
   public:
    TemporaryDirectory() : path_((std::filesystem::temp_directory_path() / "gantry-log-XXXXXX").string()) {
        EXPECT_NE(::mkdtemp(path_.data()), nullptr);
    }
    ~TemporaryDirectory() { std::filesystem::remove_all(path_); }
    std::string const& path() const { return path_; }

   private:
    std::string path_;
};

// A file log on a simulated disk, driven by hand.
class FileLogTest : public testing::Test {
   protected:
    static constexpr char const* directory = "/data/main/notes/log";
    FileLogTest() {
        options.segment_bytes_min = 8 << 10, options.segment_bytes_max = 32 << 10;
        options.batch_bytes_max = 20'000;
    }
    Result<std::unique_ptr<FileLog>> try_open(ClockAhead ahead = ClockAhead::refuse, std::string schemas = "v1") {
        return FileLog::open(disk, committer, directory, options, std::move(schemas), clock, random, ahead);
    }
    void open(std::string schemas = "v1") {
        auto opened = try_open(ClockAhead::refuse, std::move(schemas));
        ASSERT_TRUE(opened) << opened.error().cause;
        log = std::move(*opened);
    }
    Result<Position> append(std::uint32_t count = 1, std::size_t payload_bytes = 100) {
        auto events = events_of(count, payload_bytes);
        BatchView b;
        b.count = count, b.events = events, b.time = std::max(clock.wall(), log->status().last_time), b.caller = "u_ann";
        return log->append(b);
    }
    void run() { while (committer.run_once()); }
    // Several groups, so that all but the last are known to have been durable.
    void fill(int groups, std::size_t payload_bytes = 100) {
        for (int i = 0; i < groups; ++i) {
            ASSERT_TRUE(append(2, payload_bytes));
            run();
        }
    }
    std::vector<std::string> segment_files() const {
        auto files = disk.files();
        std::erase_if(files, [](auto& f) { return !f.ends_with(".log"); });
        return files;
    }
    std::uint64_t count_events(Log const& of) {
        std::uint64_t n = 0;
        auto scanned = of.scan(0, [&](BatchView const& b) { return n += b.count, true; });
        EXPECT_TRUE(scanned) << scanned.error().cause;
        return n;
    }

    SimulatedDisk disk{5};
    std::vector<Problem> fatal;
    Committer committer{Committer::Mode::manual, [this](Problem const& p) { fatal.push_back(p); }};
    ManualClock clock;
    SeededRandom random{9};
    Options options;
    std::unique_ptr<FileLog> log;
};

}  // namespace gantry::log
