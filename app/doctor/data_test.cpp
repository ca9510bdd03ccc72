// The data directory, each check made to fail for real where a test can.
#include <fmt/format.h>
#include <sys/file.h>

#include <filesystem>
#include <fstream>

#include "app/doctor/disk_time.h"
#include "app/doctor/fixture_test.h"
#include "kernel/log/backup.h"
#include "kernel/log/data_dir.h"

namespace gantry::app::doctor {
namespace {

class DoctorData : public DoctorTest {
   protected:
    std::vector<Check> look() { return check_data(dir.path(), machine); }
};

TEST_F(DoctorData, AllIsWell) {
    auto const open = log::DataDirectory::open(log::system_disk(), dir.path());
    ASSERT_TRUE(open);
    for (auto const& check : look())
        if (check.name != "file system" && check.name != "disk" && check.name != "space")
            EXPECT_EQ(check.verdict, Verdict::ok) << check.name << ": " << check.found;
    EXPECT_EQ(said(look(), "data format"), "ok: 1");
    EXPECT_FALSE(std::filesystem::exists(dir / ".doctor-")) << "nothing stays behind";
    EXPECT_EQ(std::distance(std::filesystem::directory_iterator(dir.path()), {}), 2) << "LOCK and FORMAT";
}

TEST_F(DoctorData, ADirectoryThatIsNotThereCanBeMadeOrNot) {
    EXPECT_TRUE(says(check_data(dir / "a/b", machine), "data directory", "ok: "));
    EXPECT_FALSE(std::filesystem::exists(dir / "a"));
    dir.write("file", "x");
    EXPECT_TRUE(says(check_data(dir / "file/data", machine), "data directory", "problem: "));
    EXPECT_TRUE(says(check_data(dir / "file", machine), "data directory", "problem: " + dir / "file" + " is no directory"));
    config::Unprivileged const nobody;
    if (!nobody.is()) GTEST_SKIP() << nobody.why_not();
    EXPECT_TRUE(says(check_data("/proc/x/data", machine), "data directory", "problem: /proc/x/data can't be made"));
}

TEST_F(DoctorData, ModesAndOwners) {
    ::chmod(dir.path().c_str(), 0755);
    EXPECT_TRUE(says(look(), "data directory", "warning: everybody on this machine may look"));
    ::chmod(dir.path().c_str(), 0757);
    EXPECT_TRUE(says(look(), "data directory", "problem: everybody on this machine may write"));
    {
        config::Unprivileged const nobody;
        if (!nobody.is()) GTEST_SKIP() << nobody.why_not();
        if (::getuid() == 0) {
            EXPECT_TRUE(says(look(), "data directory", "problem: everybody")) << said(look(), "data directory");
            config::DirectoryForTest const mine;
            EXPECT_TRUE(says(check_data(mine.path, machine), "data directory", "warning: everybody on this machine may look"));
            ::chmod(mine.path.c_str(), 0500);
            EXPECT_TRUE(says(check_data(mine.path, machine), "data directory", "problem: "));
            EXPECT_TRUE(says(check_data("/", machine), "data directory", "problem: / (owner 0"));
            ::chmod(mine.path.c_str(), 0700);
        }
    }
}

TEST_F(DoctorData, AReadOnlyMount) {
    std::string found;
    std::ifstream mounts("/proc/self/mounts");
    for (std::string line; std::getline(mounts, line);) {
        std::istringstream fields(line);
        std::string what, where, kind, options;
        fields >> what >> where >> kind >> options;
        if ((options == "ro" || options.starts_with("ro,")) && std::filesystem::is_directory(where)) found = where;
    }
    if (found.empty()) GTEST_SKIP() << "nothing is mounted read-only here";
    EXPECT_TRUE(says(check_data(found, machine), "data directory", "problem: " + found + " is on a file system that is mounted read-only"));
}

TEST_F(DoctorData, ANetworkAndAVolatileFileSystem) {
    if (!std::filesystem::exists("/dev/shm")) GTEST_SKIP() << "there is no /dev/shm";
    if (auto kind = log::system_disk().file_system("/dev/shm"); !kind || *kind != "tmpfs") GTEST_SKIP() << "/dev/shm is no tmpfs";
    char place[] = "/dev/shm/gantry-doctor-XXXXXX";
    ASSERT_NE(::mkdtemp(place), nullptr);
    EXPECT_TRUE(says(check_data(place, machine), "file system", "warning: "));
    EXPECT_TRUE(says(check_data(place, machine), "disk", "warning: ")) << "too fast to reach a disk";
    ::rmdir(place);
}

TEST_F(DoctorData, TheSpaceThatIsLeft) {
    constexpr std::uint64_t gib = 1 << 30;
    EXPECT_EQ(judge_space(10 * gib, 100 * gib, 1 << 20, 1 << 20).verdict, Verdict::ok);
    EXPECT_EQ(judge_space(10 * gib - 1, 100 * gib, 1 << 20, 1 << 20).verdict, Verdict::warning);
    EXPECT_EQ(judge_space(gib / 2, 100 * gib, 1 << 20, 1 << 20).verdict, Verdict::warning);
    EXPECT_EQ(judge_space(gib / 2 - 1, 100 * gib, 1 << 20, 1 << 20).verdict, Verdict::problem);
    EXPECT_EQ(judge_space(50 * gib, 100 * gib, 0, 0).verdict, Verdict::ok) << "no fixed number of inodes";
    EXPECT_EQ(judge_space(50 * gib, 100 * gib, 20'000, 1'000'000).verdict, Verdict::ok);
    EXPECT_EQ(judge_space(50 * gib, 100 * gib, 19'999, 1'000'000).verdict, Verdict::warning);
    EXPECT_EQ(judge_space(50 * gib, 100 * gib, 999, 10'000).verdict, Verdict::problem);
}

TEST_F(DoctorData, TheTimeOfASync) {
    EXPECT_EQ(judge_syncs(4, 10).verdict, Verdict::warning) << "no disk";
    EXPECT_EQ(judge_syncs(5, 200'000).verdict, Verdict::ok);
    EXPECT_EQ(judge_syncs(15'000, 200'000).verdict, Verdict::ok);
    EXPECT_EQ(judge_syncs(15'001, 20'000).verdict, Verdict::warning);
    EXPECT_EQ(judge_syncs(1000, 200'001).verdict, Verdict::warning);
    EXPECT_EQ(judge_syncs(50'001, 60'000).verdict, Verdict::problem);
    EXPECT_EQ(judge_syncs(1000, 1'000'001).verdict, Verdict::problem);
    EXPECT_TRUE(check_disk(dir.path(), system_clock()).found.starts_with("a sync takes "));
    EXPECT_EQ(check_disk(dir / "none", system_clock()).verdict, Verdict::problem);
}

TEST_F(DoctorData, WhoHasTheDataOpen) {
    EXPECT_EQ(holder_of(dir.path()), 0);
    {
        auto const open = log::DataDirectory::open(log::system_disk(), dir.path());
        ASSERT_TRUE(open);
        EXPECT_EQ(holder_of(dir.path()), ::getpid());
        EXPECT_TRUE(says(look(), "lock", fmt::format("ok: process {} (gantry_doctor_t)", ::getpid()))) << said(look(), "lock");
    }
    EXPECT_EQ(said(look(), "lock"), "ok: nobody has the data open");
}

TEST_F(DoctorData, AnotherFormatOrNone) {
    EXPECT_EQ(said(look(), "data format"), "ok: none yet");
    dir.write("something", "else");
    EXPECT_TRUE(says(look(), "data format", "problem: " + dir.path() + " holds something else"));
    dir.write("FORMAT", "zoo\n");
    EXPECT_TRUE(says(look(), "data format", "problem: " + dir.path() + "/FORMAT isn't ours"));
    dir.write("FORMAT", fmt::format("gantry-data {}\n", log::DataDirectory::format + 1));
    EXPECT_TRUE(says(look(), "data format", "problem: 2; this program reads 1"));
}

TEST_F(DoctorData, KeysThatOthersMayUse) {
    for (std::string name : {"main/callers.json", "main/request.key", "other/subject.keys", "server.json"}) {
        auto const path = dir.write(name, "x");
        for (mode_t mode : {0604, 0640, 0620}) {
            ::chmod(path.c_str(), mode);
            EXPECT_TRUE(says(look(), "keys", "problem: others may use " + path + fmt::format(" (mode {:04o})", mode)))
                << said(look(), "keys");
        }
        ::chmod(path.c_str(), 0600);
        EXPECT_TRUE(says(look(), "keys", "ok: "));
    }
}

TEST_F(DoctorData, TheLastBackup) {
    Time const now = parse_time("2026-05-10T00:00:00Z").value();
    EXPECT_EQ(check_backup(dir.path(), now).verdict, Verdict::ok) << "nothing to back up";
    dir.write("FORMAT", "gantry-data 1\n");
    EXPECT_EQ(check_backup(dir.path(), now).verdict, Verdict::warning);
    dir.write("backup.json", R"({"to":"/b","at":"2026-05-03T00:00:00Z"})");
    EXPECT_EQ(check_backup(dir.path(), now).verdict, Verdict::ok);
    EXPECT_EQ(check_backup(dir.path(), now + Duration::micros(1)).verdict, Verdict::warning);
    dir.write("backup.json", "{");
    EXPECT_EQ(check_backup(dir.path(), now).verdict, Verdict::warning);
}

TEST_F(DoctorData, TheLastScrub) {
    Time const now = parse_time("2026-05-10T00:00:00Z").value();
    EXPECT_EQ(check_scrub(dir.path(), Duration::days(7), now).verdict, Verdict::ok) << "none yet";
    EXPECT_EQ(check_scrub(dir.path(), {}, now).verdict, Verdict::warning) << "switched off";
    dir.write("scrub.json", R"({"ended":"2026-04-26T00:00:00Z"})");
    EXPECT_EQ(check_scrub(dir.path(), Duration::days(7), now).verdict, Verdict::ok);
    EXPECT_EQ(check_scrub(dir.path(), Duration::days(7), now + Duration::micros(1)).verdict, Verdict::warning);
}

}  // namespace
}  // namespace gantry::app::doctor
