// Clock, limits and memory: the clock against a real log, limits by setrlimit, the kernel's files from a folder.
#include <fmt/format.h>
#include <sys/resource.h>

#include "app/doctor/fixture_test.h"
#include "app/log_fixture_test.h"

namespace gantry::app::doctor {
namespace {

class DoctorMachine : public DoctorTest {
   protected:
    // The kernel's files as this machine might have them.
    Machine made_up(std::string const& meminfo, std::string const& cgroup = "0::/\n",
                    std::string const& huge = "always [madvise] never\n") {
        Machine out{dir / "proc", dir / "sys", machine.clock, {}};
        dir.write("proc/meminfo", meminfo), dir.write("proc/self/cgroup", cgroup);
        dir.write("sys/kernel/mm/transparent_hugepage/enabled", huge);
        return out;
    }
    static constexpr char const* roomy =
        "MemTotal: 8388608 kB\nMemFree: 1 kB\nMemAvailable: 4194304 kB\nSwapTotal: 1024 kB\nSwapFree: 512 kB\n";
    static constexpr std::uint64_t gib = 1 << 30;
};

TEST_F(DoctorMachine, AClockBehindTheNewestEvent) {
    ManualClock clock(first_time);
    machine.clock = &clock, machine.synchronised = [] { return true; };
    EXPECT_EQ(said(check_clock(dir.path(), machine), "clock"), "ok: the clock says 2026-03-01T10:00:00Z");
    NotesLog(dir.path()).write_many(1);
    EXPECT_TRUE(says(check_clock(dir.path(), machine), "clock", "ok: "));
    clock.advance(Duration::seconds(-60));
    EXPECT_TRUE(says(check_clock(dir.path(), machine), "clock", "ok: ")) << "the server starts with that";
    clock.advance(Duration::seconds(-1));
    EXPECT_TRUE(says(check_clock(dir.path(), machine), "clock", "problem: the clock says 2026-03-01T09:58:59Z, and the newest event of "));
    clock.advance(Duration::days(-1));
    auto const day = check_clock(dir.path(), machine);
    EXPECT_NE(day[0].remedy.find("accept-clock-behind"), std::string::npos) << day[0].remedy;
    clock.set_wall({});
    EXPECT_TRUE(says(check_clock(dir / "none", machine), "clock", "problem: the clock says 1970"));
}

TEST_F(DoctorMachine, WhatTheKernelSaysOfTheClock) {
    auto const with = [&](std::optional<bool> answer) {
        machine.synchronised = [answer] { return answer; };
        return check_clock(dir.path(), machine);
    };
    EXPECT_TRUE(says(with(true), "clock synchronisation", "ok: "));
    EXPECT_TRUE(says(with(false), "clock synchronisation", "warning: "));
    EXPECT_TRUE(says(with(std::nullopt), "clock synchronisation", "ok: the kernel doesn't say"));
    machine.synchronised = {};
    EXPECT_NE(said(check_clock(dir.path(), machine), "clock synchronisation"), "none") << "the real one";
}

class Limit {
   public:
    Limit(int what, rlim_t soft) : what_(what) {
        ::getrlimit(what_, &old_);
        struct rlimit next{soft, old_.rlim_max};
        set_ = soft <= old_.rlim_max && ::setrlimit(what_, &next) == 0;
    }
    ~Limit() { ::setrlimit(what_, &old_); }
    bool set_ = false;

   private:
    int what_;
    struct rlimit old_{};
};

TEST_F(DoctorMachine, OpenFilesAndCores) {
    {
        Limit const files(RLIMIT_NOFILE, 600);
        ASSERT_TRUE(files.set_);
        EXPECT_TRUE(says(check_limits(88), "open files", "ok: 600 open files"));
        EXPECT_TRUE(says(check_limits(89), "open files", "warning: 600 open files, and [http] connections = 89"));
    }
    {
        Limit const files(RLIMIT_NOFILE, 511);
        EXPECT_TRUE(says(check_limits(1), "open files", "problem: 511"));
    }
    Limit const none(RLIMIT_CORE, 0);
    EXPECT_TRUE(says(check_limits(1), "core files", "ok: "));
    Limit const some(RLIMIT_CORE, 1);
    if (!some.set_) GTEST_SKIP() << "core files are forbidden here";
    EXPECT_TRUE(says(check_limits(1), "core files", "warning: "));
}

TEST_F(DoctorMachine, MemoryAgainstWhatIsPlanned) {
    auto const at = made_up(roomy);
    EXPECT_TRUE(
        says(check_memory({0, gib}, at), "memory", "ok: 8.0 GiB for this process, 4.0 GiB available; all services may take any amount"));
    EXPECT_TRUE(says(check_memory({4 * gib, 4 * gib}, at), "memory", "ok: "));
    EXPECT_TRUE(says(check_memory({4 * gib, 4 * gib + 1}, at), "memory", "warning: "));
    EXPECT_TRUE(says(check_memory({8 * gib, 0}, at), "memory", "ok: "));
    EXPECT_TRUE(says(check_memory({8 * gib + 1, 0}, at), "memory", "problem: "));
    EXPECT_TRUE(says(check_memory({}, made_up("MemTotal: 8388608 kB\nMemAvailable: 419430 kB\n")), "memory", "warning: "));
}

TEST_F(DoctorMachine, MemoryOfTheControlGroup) {
    dir.write("sys/fs/cgroup/a/memory.max", fmt::format("{}\n", gib)), dir.write("sys/fs/cgroup/a/b/memory.max", "max\n");
    auto const two = made_up(roomy, "0::/a/b\n");
    EXPECT_TRUE(says(check_memory({gib, 0}, two), "memory", "ok: 1.0 GiB for this process (its control group)"));
    EXPECT_TRUE(says(check_memory({gib + 1, 0}, two), "memory", "problem: 1.0 GiB"));
    dir.write("sys/fs/cgroup/memory/c/memory.limit_in_bytes", fmt::format("{}\n", 2 * gib));
    auto const one = made_up(roomy, "5:cpu:/x\n4:memory:/c\n0::/\n");
    EXPECT_TRUE(says(check_memory({2 * gib + 1, 0}, one), "memory", "problem: 2.0 GiB"));
}

TEST_F(DoctorMachine, SwapAndHugePages) {
    EXPECT_TRUE(says(check_memory({}, made_up(roomy)), "swap", "ok: "));
    EXPECT_TRUE(says(check_memory({}, made_up("MemTotal: 10 kB\nSwapTotal: 1024 kB\nSwapFree: 511 kB\n")), "swap", "warning: 513.0 KiB"));
    EXPECT_EQ(said(check_memory({}, made_up("MemTotal: 10 kB\n")), "swap"), "ok: none");
    EXPECT_TRUE(says(check_memory({}, made_up(roomy)), "huge pages", "ok: "));
    EXPECT_TRUE(says(check_memory({}, made_up(roomy, "", "[always] madvise never\n")), "huge pages", "warning: "));
    EXPECT_NE(said(check_memory({}, machine), "memory"), "none") << "the real one";
}

}  // namespace
}  // namespace gantry::app::doctor
