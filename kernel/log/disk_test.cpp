// The real disk, the data directory on it, and the committer's default answer to a failing one.
#include "kernel/log/disk.h"

#include <fmt/format.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>

#include "kernel/log/data_dir.h"
#include "kernel/log/testing.h"

namespace gantry::log {
namespace {

TEST(PosixDisk, ReadsWhatItWroteAndLessOnlyAtTheEnd) {
    TemporaryDirectory at;
    auto& disk = system_disk();
    auto file = disk.open(at.path() + "/f", Open::create_new);
    ASSERT_TRUE(file);
    EXPECT_FALSE(disk.open(at.path() + "/f", Open::create_new));
    ASSERT_TRUE((*file)->write(3, "abc") && (*file)->sync());
    char out[10] = {};
    EXPECT_EQ((*file)->read(2, out).value(), 4u);
    EXPECT_EQ(std::string(out, 4), std::string("\0abc", 4));
    EXPECT_EQ((*file)->read(6, out).value(), 0u);
    ASSERT_TRUE((*file)->truncate(1));
    EXPECT_EQ((*file)->size().value(), 1u);
}

TEST(PosixDisk, AllocatesZerosBehindWhatIsThere) {
    TemporaryDirectory at;
    auto file = *system_disk().open(at.path() + "/f", Open::create_new);
    ASSERT_TRUE(file->write(0, "abc") && file->allocate(3 << 20));
    EXPECT_EQ(file->size().value(), 3u << 20);
    ASSERT_TRUE(file->allocate(5));  // never shorter
    auto bytes = *read_file(system_disk(), at.path() + "/f");
    EXPECT_EQ(bytes, "abc" + std::string((3 << 20) - 3, '\0'));
}

TEST(PosixDisk, SaysWhatFailedAndWhere) {
    auto missing = system_disk().open("/nonexistent/f", Open::existing_read);
    ASSERT_FALSE(missing);
    EXPECT_EQ(missing.error().code, "disk_failed");
    EXPECT_EQ(missing.error().cause, "open /nonexistent/f: No such file or directory");
    auto full = system_disk().open("/dev/full", Open::existing_write);
    ASSERT_TRUE(full);
    EXPECT_EQ((*full)->write(0, "x").error().code, "disk_full");
    EXPECT_EQ((*full)->write(0, "x").error().status, 507);
}

TEST(PosixDisk, ListsRenamesAndRemoves) {
    TemporaryDirectory at;
    auto& disk = system_disk();
    EXPECT_TRUE(disk.list(at.path() + "/none").value().empty());
    ASSERT_TRUE(disk.make_directories(at.path() + "/a/b/c"));
    ASSERT_TRUE(disk.make_directories(at.path() + "/a/b/c"));
    ASSERT_TRUE(write_file_durably(disk, at.path() + "/a/y", "1"));
    ASSERT_TRUE(write_file_durably(disk, at.path() + "/a/x", "2"));
    ASSERT_TRUE(write_file_durably(disk, at.path() + "/a/x", "3"));  // over an old one
    EXPECT_EQ(disk.list(at.path() + "/a").value(), (std::vector<std::string>{"b", "x", "y"}));
    ASSERT_TRUE(disk.rename(at.path() + "/a/x", at.path() + "/a/z"));
    EXPECT_FALSE(disk.exists(at.path() + "/a/x").value());
    EXPECT_EQ(read_file(disk, at.path() + "/a/z").value(), "3");
    ASSERT_TRUE(disk.remove(at.path() + "/a/z") && disk.sync_directory(at.path() + "/a"));
    EXPECT_FALSE(disk.remove(at.path() + "/a/z"));
    EXPECT_GT(disk.free_bytes(at.path()).value(), 0u);
    EXPECT_FALSE(disk.make_directories(at.path() + "/a/y/below_a_file"));
}

TEST(PosixDisk, AllocatingBeyondWhatIsAllowedLeavesNoSpareBehind) {
    TemporaryDirectory at;
    auto file = *system_disk().open(at.path() + "/f", Open::create_new);
    EXPECT_FALSE(file->allocate(std::uint64_t{1} << 62));
}

TEST(PosixDisk, NamesFileSystems) {
    EXPECT_EQ(system_disk().file_system("/proc").value().substr(0, 2), "0x");  // one that we have no name for
    EXPECT_FALSE(system_disk().file_system("/nonexistent"));
}

TEST(DataDirectory, IsMadeOnceAndLocked) {
    TemporaryDirectory at;
    auto path = at.path() + "/data/";
    {
        auto first = DataDirectory::open(system_disk(), path);
        ASSERT_TRUE(first) << first.error().cause;
        EXPECT_EQ(first->path(), at.path() + "/data");
        EXPECT_EQ(first->log_of("main", "notes"), at.path() + "/data/main/notes/log");
        EXPECT_EQ(first->snapshots_of("main", "notes"), at.path() + "/data/main/notes/snapshots");
        EXPECT_EQ(read_file(system_disk(), at.path() + "/data/FORMAT").value(), "gantry-data 1\n");
        auto second = DataDirectory::open(system_disk(), path);
        ASSERT_FALSE(second);
        EXPECT_EQ(second.error().code, "data_locked");
        EXPECT_NE(second.error().detail.find(fmt::format("process {}.", ::getpid())), std::string::npos) << second.error().detail;
    }
    EXPECT_TRUE(DataDirectory::open(system_disk(), path));
}

TEST(DataDirectory, RefusesAnotherFormatWithTheRemedy) {
    struct Row {
        char const *text, *says;
    };
    for (auto row :
         {Row{"gantry-data 0\n", "gantry log upgrade"}, Row{"gantry-data 2\n", "newer"}, Row{"something", "another directory"}}) {
        SimulatedDisk disk;
        ASSERT_TRUE(disk.make_directories("/data"));
        ASSERT_TRUE(write_file_durably(disk, "/data/FORMAT", row.text));
        auto opened = DataDirectory::open(disk, "/data");
        ASSERT_FALSE(opened) << row.text;
        EXPECT_EQ(opened.error().code, "data_format");
        EXPECT_NE(opened.error().cause.find(row.says), std::string::npos) << opened.error().cause;
    }
}

TEST(DataDirectory, RefusesNetworkFileSystems) {
    for (auto name : {"nfs", "nfs4", "cifs", "smb2", "9p", "fuse.sshfs", "ceph"}) {
        SimulatedDisk disk;
        disk.set_file_system(name);
        EXPECT_EQ(DataDirectory::open(disk, "/data").error().code, "data_on_network") << name;
    }
    for (auto name : {"ext4", "xfs", "btrfs", "tmpfs", "overlay", "zfs", "fuse.ntfs"}) {
        SimulatedDisk disk;
        disk.set_file_system(name);
        EXPECT_TRUE(DataDirectory::open(disk, "/data")) << name;
    }
}

TEST(Committer, AFailedWriteEndsTheProcessByDefault) {
    testing::FLAGS_gtest_death_test_style = "threadsafe";
    EXPECT_EXIT(
        {
            SimulatedDisk disk;
            Committer committer;
            ManualClock clock;
            SeededRandom random(1);
            auto log = *FileLog::open(disk, committer, "/log", {}, "", clock, random);
            disk.set_faults({.sync = 1});
            BatchView b;
            b.time = clock.wall();
            (void)log->append(b);
            (void)log->wait_durable();
            ::pause();
        },
        testing::ExitedWithCode(74), "the log can't be written.*sync");
}

// kill -9 at any moment of a writing process: what it said was durable is there. Its page cache survives, a power cut isn't
// tried here (the simulation does, as far as a simulation can).
TEST(FileLogProcess, SurvivesKill) {
    TemporaryDirectory at;
    auto directory = at.path() + "/log";
    Options options;
    options.segment_bytes_min = 64 << 10, options.segment_bytes_max = 128 << 10;
    Position durable = 0;
    for (int life = 0; life < 5; ++life) {
        int channel[2];
        ASSERT_EQ(::pipe(channel), 0);
        auto child = ::fork();
        ASSERT_GE(child, 0);
        if (child == 0) {
            Committer committer;
            auto log = FileLog::open(system_disk(), committer, directory, options, "", system_clock(), system_random());
            if (!log) ::_exit(1);
            (*log)->on_durable([&](Position p) { (void)!::write(channel[1], &p, sizeof p); });
            auto events = events_of(1, 500);
            for (;;) {
                BatchView b;
                b.count = 1, b.events = events, b.time = (*log)->status().last_time;
                (void)(*log)->append(b);
            }
        }
        ::close(channel[1]);
        Position told = 0;
        for (int n = 0; n < 20 + 17 * life && ::read(channel[0], &told, sizeof told) == sizeof told; ++n) durable = told;
        ::kill(child, SIGKILL);
        while (::read(channel[0], &told, sizeof told) == sizeof told) durable = told;
        ::close(channel[0]);
        ::waitpid(child, nullptr, 0);
        Committer committer;
        auto log = FileLog::open(system_disk(), committer, directory, options, "", system_clock(), system_random());
        ASSERT_TRUE(log) << log.error().cause;
        EXPECT_GE((*log)->status().durable, durable);
        Position next = 1;
        ASSERT_TRUE((*log)->scan(0, [&](BatchView const& b) {
            EXPECT_EQ(b.first, next);
            return next += b.count, true;
        }));
        EXPECT_EQ(next, (*log)->status().durable + 1);
        EXPECT_GT(durable, 0u);
    }
}

}  // namespace
}  // namespace gantry::log
