#include "app/import/dpkg_log.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

namespace gantry::import {
namespace {

constexpr std::string_view second = "2026-03-01 10:00:00 ";

// "stage version result note" of each report that the lines give, by line.
std::string told(std::string_view lines) {
    DpkgRuns runs;
    std::string all;
    while (!lines.empty()) {
        auto const end = std::min(lines.find('\n'), lines.size());
        std::string const text = std::string(second).append(lines.substr(0, end));
        lines.remove_prefix(std::min(end + 1, lines.size()));
        auto line = parse_dpkg_line(text);
        EXPECT_TRUE(line) << text << ": " << (line ? "" : line.error());
        if (!line) continue;
        auto report = runs.take(*line, Time{});
        EXPECT_TRUE(report) << text;
        if (!report || !*report) continue;
        Report const& r = **report;
        EXPECT_EQ(r.reporter, "dpkg");
        all += fmt::format("{}:{} {} {}", r.package, r.arch, r.stage, r.version);
        if (r.result) all += fmt::format(" => {}", *r.result);
        if (r.note) all += fmt::format(" ({})", *r.note);
        all += '\n';
    }
    return all;
}

TEST(DpkgLog, AFreshInstallIsOneRun) {
    EXPECT_EQ(told("startup archives unpack\n"
                   "install hello:amd64 <none> 2.10-3\n"
                   "status half-installed hello:amd64 2.10-3\n"
                   "status unpacked hello:amd64 2.10-3\n"
                   "startup packages configure\n"
                   "configure hello:amd64 2.10-3 <none>\n"
                   "status unpacked hello:amd64 2.10-3\n"
                   "status half-configured hello:amd64 2.10-3\n"
                   "status installed hello:amd64 2.10-3"),
              "hello:amd64 install 2.10-3\n"
              "hello:amd64 half-installed 2.10-3\n"
              "hello:amd64 unpacked 2.10-3\n"
              "hello:amd64 unpacked 2.10-3\n"
              "hello:amd64 half-configured 2.10-3\n"
              "hello:amd64 installed 2.10-3 => installed\n");
}

TEST(DpkgLog, AnUpgradeNamesTheOldVersionUntilTheNewFilesAreThere) {
    EXPECT_EQ(told("upgrade libc6:amd64 2.36-9 2.36-10\n"
                   "status half-configured libc6:amd64 2.36-9\n"
                   "status unpacked libc6:amd64 2.36-9\n"
                   "status half-installed libc6:amd64 2.36-9\n"
                   "status unpacked libc6:amd64 2.36-10\n"
                   "status half-configured libc6:amd64 2.36-10\n"
                   "status installed libc6:amd64 2.36-10"),
              "libc6:amd64 upgrade 2.36-10 (from 2.36-9)\n"
              "libc6:amd64 half-configured 2.36-10 (still version 2.36-9)\n"
              "libc6:amd64 unpacked 2.36-10 (still version 2.36-9)\n"
              "libc6:amd64 half-installed 2.36-10 (still version 2.36-9)\n"
              "libc6:amd64 unpacked 2.36-10\n"
              "libc6:amd64 half-configured 2.36-10\n"
              "libc6:amd64 installed 2.36-10 => installed\n");
}

TEST(DpkgLog, AnUpgradeThatIsUndoneEndsWithTheOldVersion) {
    EXPECT_EQ(told("upgrade a:all 1 2\nstatus half-configured a:all 1\nstatus installed a:all 1\nstatus triggers-pending a:all 1"),
              "a:all upgrade 2 (from 1)\n"
              "a:all half-configured 2 (still version 1)\n"
              "a:all installed 1 => installed (2 was not kept)\n"
              "a:all triggers-pending 1\n");
}

TEST(DpkgLog, TheStateBeforeAnActionDoesNotEndItsRun) {
    EXPECT_EQ(told("remove a:all 1 <none>\nstatus installed a:all 1\nstatus half-configured a:all 1\nstatus half-installed a:all 1\n"
                   "status config-files a:all 1\nstatus not-installed a:all <none>"),
              "a:all remove 1\n"
              "a:all installed 1 (as it was before the remove)\n"
              "a:all half-configured 1\n"
              "a:all half-installed 1\n"
              "a:all config-files 1 => removed\n"
              "a:all not-installed 1 => purged\n");
    EXPECT_EQ(told("upgrade a:all 1 1\nstatus installed a:all 1\nstatus half-configured a:all 1\nstatus installed a:all 1"),
              "a:all upgrade 1 (from 1)\n"
              "a:all installed 1 (as it was before the upgrade)\n"
              "a:all half-configured 1\n"
              "a:all installed 1 => installed\n");
    EXPECT_EQ(told("install a:all 1 2\nstatus config-files a:all 1\nstatus half-installed a:all 1\nstatus unpacked a:all 2"),
              "a:all install 2 (from 1)\n"
              "a:all config-files 2 (as it was before the install)\n"
              "a:all half-installed 2 (still version 1)\n"
              "a:all unpacked 2\n");
}

TEST(DpkgLog, ARemovalThatFailsEndsInstalled) {
    EXPECT_EQ(told("remove a:all 1 <none>\nstatus half-configured a:all 1\nstatus installed a:all 1"),
              "a:all remove 1\na:all half-configured 1\na:all installed 1 => installed\n");
}

// As a debootstrap leaves it: the first `dpkg` takes its own place before anything has said of which architecture it is.
TEST(DpkgLog, APackageWithoutAnArchitectureHasTheMachines) {
    EXPECT_EQ(told("install tzdata:all <none> 3\ninstall base-files:amd64 <none> 12\nupgrade dpkg 1 1\nstatus half-configured dpkg 1\n"
                   "status unpacked dpkg:amd64 1\nstatus installed dpkg:amd64 1"),
              "tzdata:all install 3\n"
              "base-files:amd64 install 12\n"
              "dpkg:amd64 upgrade 1 (from 1)\n"
              "dpkg:amd64 half-configured 1\n"
              "dpkg:amd64 unpacked 1\n"
              "dpkg:amd64 installed 1 => installed\n");
}

TEST(DpkgLog, AStatusWithoutARunStartsOne) {
    EXPECT_EQ(told("status triggers-pending libc-bin:amd64 2.36-9\ntrigproc libc-bin:amd64 2.36-9 <none>\n"
                   "status half-configured libc-bin:amd64 2.36-9\nstatus installed libc-bin:amd64 2.36-9\n"
                   "status installed libc-bin:amd64 2.36-9\nstatus not-installed gone:all <none>"),
              "libc-bin:amd64 triggers-pending 2.36-9\n"
              "libc-bin:amd64 half-configured 2.36-9\n"
              "libc-bin:amd64 installed 2.36-9 => installed\n"
              "libc-bin:amd64 installed 2.36-9 => installed\n"
              "gone:all not-installed <none> => purged\n");
}

TEST(DpkgLog, PurgeTakesTheVersionOfTheRunBefore) {
    EXPECT_EQ(told("status config-files a:all 1\npurge a:all 1 <none>\nstatus config-files a:all 1\nstatus not-installed a:all <none>"),
              "a:all config-files 1 => removed\na:all config-files 1 => removed\na:all not-installed 1 => purged\n");
}

TEST(DpkgLog, ArchitecturesAreApartAndAMissingOneIsTheLastSeen) {
    EXPECT_EQ(told("install a:i386 <none> 1\nstatus unpacked a:amd64 2\nstatus installed a 2\nstatus unpacked a:i386 1"),
              "a:i386 install 1\na:amd64 unpacked 2\na:amd64 installed 2 => installed\na:i386 unpacked 1\n");
    DpkgRuns runs;
    auto line = parse_dpkg_line("2026-03-01 10:00:00 status unpacked b 1");
    ASSERT_TRUE(line);
    EXPECT_FALSE(runs.take(*line, {}));
}

TEST(DpkgLog, KnownLinesMeanNothing) {
    for (auto text : {"startup archives unpack", "startup archives install", "startup packages configure", "startup packages triggers-only",
                      "configure a:all 1 <none>", "trigproc a:all 1 <none>", "disappear a:all 1 <none>", "purge a:all 1 <none>",
                      "conffile /etc/a install", "conffile /etc/with space keep"}) {
        auto line = parse_dpkg_line(std::string(second) + text);
        ASSERT_TRUE(line) << text;
        EXPECT_EQ(line->kind, DpkgLine::Kind::known) << text;
    }
}

TEST(DpkgLog, MalformedLinesSayWhatIsWrong) {
    struct Row {
        std::string_view text, says;
    };
    for (auto [text, says] : {
             Row{"", "expected YYYY-MM-DD HH:MM:SS"},
             Row{"2026-02-29 10:00:00 startup archives unpack", "expected YYYY-MM-DD"},
             Row{"2026-03-01 24:00:00 startup archives unpack", "expected YYYY-MM-DD"},
             Row{"2026-03-01T10:00:00 startup archives unpack", "expected YYYY-MM-DD"},
             Row{"2026-03-01 10:00:00", "expected YYYY-MM-DD"},
             Row{"2026-03-01 10:00:00 ", "unknown action ''"},
             Row{"2026-03-01 10:00:00 explode a:all 1 2", "unknown action 'explode'"},
             Row{"2026-03-01 10:00:00 status", "unknown package state ''"},
             Row{"2026-03-01 10:00:00 status broken a:all 1", "unknown package state 'broken'"},
             Row{"2026-03-01 10:00:00 status installed", "expected PACKAGE:ARCH"},
             Row{"2026-03-01 10:00:00 status installed A:all 1", "expected PACKAGE:ARCH, found 'A:all'"},
             Row{"2026-03-01 10:00:00 status installed a: 1", "expected an architecture"},
             Row{"2026-03-01 10:00:00 status installed a:all", "expected a version or <none>, found ''"},
             Row{"2026-03-01 10:00:00 status installed a:all 1_2", "expected a version"},
             Row{"2026-03-01 10:00:00 status installed a:all 1 2", "expected the end of the line, found '2'"},
             Row{"2026-03-01 10:00:00 install a:all <none>", "expected a version or <none>, found ''"},
             Row{"2026-03-01 10:00:00 install a:all <none> <none>", "expected the new version"},
             Row{"2026-03-01 10:00:00 upgrade a:all 1 <none>", "expected the new version"},
             Row{"2026-03-01 10:00:00 remove a:all <none> <none>", "expected the version to remove"},
             Row{"2026-03-01 10:00:00 startup things unpack", "expected startup archives or packages"},
             Row{"2026-03-01 10:00:00 startup archives", "expected a command"},
             Row{"2026-03-01 10:00:00 conffile /etc/a", "expected conffile FILE install|keep"},
             Row{"2026-03-01 10:00:00 conffile /etc/a maybe", "expected conffile"},
         }) {
        auto line = parse_dpkg_line(text);
        ASSERT_FALSE(line) << text;
        EXPECT_TRUE(line.error().starts_with(says)) << text << ": " << line.error();
    }
}

}  // namespace
}  // namespace gantry::import
