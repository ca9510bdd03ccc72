#include "app/import/changelogs.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "app/import/fake_tracker_test.h"
#include "app/import/list_source.h"

namespace gantry::import {
namespace {

struct Parsed {
    std::vector<ChangelogEntry> entries;
    std::string complaints;
};

Parsed parse(std::string_view text) {
    Parsed p;
    Captured err;
    Complaints complaints(err);
    ChangelogParser parser("f", complaints, [&](ChangelogEntry e) { p.entries.push_back(std::move(e)); });
    std::uint64_t number = 0;
    while (!text.empty()) {
        auto const end = std::min(text.find('\n'), text.size());
        parser.line(text.substr(0, end), ++number);
        text.remove_prefix(std::min(end + 1, text.size()));
    }
    parser.end(number);
    p.complaints = err.text();
    return p;
}

constexpr std::string_view trailer = " -- Ada Lovelace <ada@example.org>  Mon, 26 Dec 2022 16:30:00 +0100\n";

std::string entry(std::string_view heading, std::string_view changes = "  * Change.\n", std::string_view end = trailer) {
    return fmt::format("{}\n\n{}\n{}", heading, changes, end);
}

TEST(Changelogs, AnEntry) {
    auto p = parse(entry("hello (2.10-3) unstable; urgency=medium",
                         "  * Fix the greeting (Closes: #123, bug#456,\n    789; LP: #1000, #2000).\n  * closes: 123 and lp: 5\n"));
    ASSERT_EQ(p.entries.size(), 1u);
    auto const& e = p.entries[0];
    EXPECT_EQ(p.complaints, "");
    EXPECT_EQ(e.source, "hello");
    EXPECT_EQ(e.version, "2.10-3");
    EXPECT_EQ(e.distributions, std::vector<std::string>{"unstable"});
    EXPECT_EQ(e.urgency, "medium");
    EXPECT_EQ(e.who, "Ada Lovelace <ada@example.org>");
    EXPECT_EQ(format_time(e.at), "2022-12-26T15:30:00Z");
    EXPECT_EQ(e.closes, (std::vector<std::uint64_t>{123, 456, 789}));
    EXPECT_EQ(e.launchpad_closes, (std::vector<std::uint64_t>{1000, 2000}));
    EXPECT_FALSE(e.binary_only);

    auto reports = reports_of(e, "f");
    ASSERT_EQ(reports.size(), 1u);
    EXPECT_EQ(codec::to_json(reports[0].report),
              R"({"package":"hello","version":"2.10-3","arch":"source","stage":"uploaded","id":"hello_2.10-3_unstable",)"
              R"("at":"2022-12-26T15:30:00Z","source":"hello","reporter":"changelogs","series":"unstable","result":"accepted",)"
              R"("note":"urgency medium; closes #123, #456, #789; LP #1000, #2000","who":"Ada Lovelace <ada@example.org>"})");
}

TEST(Changelogs, ReportsByDistribution) {
    auto series = [](std::string_view heading) {
        std::vector<std::string> all;
        for (auto const& e : parse(entry(heading)).entries)
            for (auto const& r : reports_of(e, "f")) all.push_back(*r.report.series + ":" + *r.report.id);
        return fmt::format("{}", fmt::join(all, " "));
    };
    EXPECT_EQ(series("a (1) frozen unstable; urgency=low"), "frozen:a_1_frozen unstable:a_1_unstable");
    EXPECT_EQ(series("a (1) bookworm-security; urgency=high"), "bookworm-security:a_1_bookworm-security");
    EXPECT_EQ(series("a (1) UNRELEASED; urgency=high"), "");
    EXPECT_EQ(series("a (1:2~rc1+dfsg-1+b1) sid; urgency=low, binary-only=yes"), "sid:a_1:2~rc1+dfsg-1+b1_sid");
}

TEST(Changelogs, Notes) {
    auto note = [](std::string_view heading, std::string_view changes) {
        auto p = parse(entry(heading, changes));
        return reports_of(p.entries.at(0), "f").at(0).report.note.value_or("none");
    };
    EXPECT_EQ(note("a (1) sid; urgency=HIGH (for m68k)", "  * x\n"), "urgency high");
    EXPECT_EQ(note("a (1) sid; urgency=low, binary-only=yes", "  * x\n"), "urgency low; binary only");
    EXPECT_EQ(note("a (1) sid; binary-only=yes", "  * Closes: #1\n"), "closes #1; binary only");
    EXPECT_EQ(note("a (1) sid; other=x", "  * discloses nothing: see #1\n"), "none");
    std::string many = "  * Closes: #1000000";
    for (int i = 1; i < 200; ++i) many += fmt::format(", #{}", 1000000 + i);
    std::string const cut = note("a (1) sid; urgency=low", many + "\n");
    EXPECT_LE(cut.size(), note_bytes_max);
    EXPECT_TRUE(cut.ends_with("…"));
}

TEST(Changelogs, Dates) {
    auto date = [](std::string_view s) {
        auto t = parse_changelog_date(s);
        return t ? format_time(*t) : "none";
    };
    EXPECT_EQ(date("Mon, 26 Dec 2022 16:30:00 +0100"), "2022-12-26T15:30:00Z");
    EXPECT_EQ(date(" Thu,  23 Aug 2007 15:18:09 -0530 "), "2007-08-23T20:48:09Z");
    EXPECT_EQ(date("Mon, 3 February 2004 13:10 +0900"), "2004-02-03T04:10:00Z");
    EXPECT_EQ(date("26 Dec 2022 16:30:00 +0000 (UTC)"), "2022-12-26T16:30:00Z");
    for (auto bad : {"", "Mon, 26 Dec 2022", "Mon, 26 Dec 2022 16:30:00", "Mon, 26 Foo 2022 16:30:00 +0100",
                     "Mon, 32 Dec 2022 16:30:00 +0100", "Mon, 26 Dec 2022 24:30:00 +0100", "Mon, 26 Dec 2022 16:30:00 0100",
                     "Mon, 26 Dec 2022 16:30:00 +01:00", "Mon, 26 Dec 2022 16:30:00 +0160", "Mon, x Dec 2022 16:30:00 +0100"})
        EXPECT_EQ(date(bad), "none") << bad;
}

TEST(Changelogs, WhatToolsLeaveBehindIsNoEntry) {
    auto p = parse("# Older entries have been removed.\n" + entry("a (2) sid; urgency=low") + "\n$Id: changelog,v 1.2 $\n" +
                   entry("a (1) sid; urgency=low") + "vim:set sw=2:\nLocal variables:\nmode: debian-changelog\nEnd:\n");
    EXPECT_EQ(p.entries.size(), 2u);
    EXPECT_EQ(p.complaints, "");
}

TEST(Changelogs, MalformedEntriesAreSkippedAndNamed) {
    struct Row {
        std::string text, says;
    };
    std::string const good = entry("a (1) sid; urgency=low");
    for (auto const& [text, says] : {
             Row{"hello there\n", "f:1: expected 'SOURCE (VERSION)"},
             Row{entry("a (2): sid"), "f:1: expected 'SOURCE (VERSION) DISTRIBUTION; urgency=URGENCY'"},
             Row{entry("a (2); urgency=low"), "f:1: expected a distribution"},
             Row{entry("a (2) s/d; urgency=low"), "f:1: expected a distribution"},
             Row{entry("a (2) sid; urgency=low", "  * x\n", " -- Ada <a@b>  yesterday\n"), "f:5: expected a date as"},
             Row{entry("a (2) sid; urgency=low", "  * x\n", " -- Ada <a@b\n"), "f:5: expected ' -- NAME <EMAIL>  DATE'"},
             Row{"a (2) sid; urgency=low\n\n  * x\n\n", "f:5: the entry of line 1 has no trailer line"},
             Row{std::string(trailer), "f:1: a trailer line (' -- …') without an entry"},
         }) {
        auto p = parse(text + good);
        EXPECT_EQ(p.entries.size(), 1u) << text;
        EXPECT_TRUE(p.complaints.starts_with(says)) << text << "\n" << p.complaints;
        EXPECT_EQ(std::ranges::count(p.complaints, '\n'), 1) << p.complaints;
    }
    auto p = parse(good + "a (0) sid; urgency=low\n\n  * x\n");
    EXPECT_EQ(p.entries.size(), 1u);
    EXPECT_NE(p.complaints.find("the entry of line 6 has no trailer line"), p.complaints.npos) << p.complaints;
}

TEST(Changelogs, FormsOfBeforeTheFormatAreKnown) {
    std::string const old = entry("a (1) sid; urgency=low", "  * x\n", " -- Ada <a@b>  Thu, 30 Jan 1997 04:07:04 +0000\n");
    auto p = parse(old + "a (0.9); priority=LOW\n\n * y\n\nChanges for a-0.8:\n\tx\n");
    EXPECT_EQ(p.entries.size(), 1u);
    EXPECT_EQ(p.complaints, "");
}

std::string uploads(std::vector<Positioned> const& reports) {
    std::vector<std::string> ids;
    for (auto const& r : reports) ids.push_back(*r.report.id);
    return fmt::format("{}", fmt::join(ids, " "));
}

std::string dated(std::string_view name, std::string_view version, int day) {
    return entry(fmt::format("{} ({}) sid; urgency=low", name, version), "  * x\n",
                 fmt::format(" -- Ada <a@b>  {} Dec 2022 16:30:00 +0100\n", day));
}

TEST(Changelogs, AFolderOfPackages) {
    TempDir dir;
    std::string const hello = dated("hello", "2", 20) + "\n" + dated("hello", "1", 10);
    write_gzip(dir / "hello/changelog.Debian.gz", hello);
    write_gzip(dir / "hello-data/changelog.Debian.gz", hello);
    write_gzip(dir / "native/changelog.gz", dated("native", "1", 15));
    write_gzip(dir / "upstream/changelog.gz", "Release 1.0 (2020)\n * everything\n");
    write_file(dir / "plain/changelog.Debian", dated("plain", "1", 5));
    write_gzip(dir / "both/changelog.gz", dated("upstream", "7", 1));
    write_gzip(dir / "both/changelog.Debian.gz", dated("both", "1", 15));
    std::filesystem::create_directories(dir / "nothing");
    std::filesystem::create_directory_symlink(dir / "hello", dir / "linked");
    std::filesystem::create_directories(dir / "linkfile");
    std::filesystem::create_symlink(dir / "both/changelog.gz", dir / "linkfile/changelog.Debian.gz");
    Captured err;
    Complaints complaints(err);
    auto reports = read_changelogs(dir.path(), complaints);
    ASSERT_TRUE(reports);
    EXPECT_EQ(uploads(*reports), "plain_1_sid hello_1_sid both_1_sid native_1_sid hello_2_sid");
    EXPECT_EQ(err.text(), "");
}

TEST(Changelogs, DamagedFilesAreNamedAndTheRestIsRead) {
    TempDir dir;
    write_gzip(dir / "a/changelog.Debian.gz", dated("a", "1", 1));
    std::string big;
    for (int i = 0; i < 20000; ++i) big += dated("b", fmt::format("{}", 90000 - i), 2);
    write_gzip(dir / "b/changelog.Debian.gz", big);
    std::filesystem::resize_file(dir / "b/changelog.Debian.gz", std::filesystem::file_size(dir / "b/changelog.Debian.gz") / 2);
    write_file(dir / "c/changelog.Debian.gz", std::string("\x1f\x8b\x08junk\0junk", 12));
    write_file(dir / "d/changelog.Debian.gz", dated("d", "2", 2) + dated("\xe9", "1", 2) + dated("d", "1", 2));
    Captured err;
    Complaints complaints(err);
    auto reports = read_changelogs(dir.path(), complaints);
    ASSERT_TRUE(reports);
    std::string const text = err.text(), ids = uploads(*reports);
    EXPECT_NE(ids.find("a_1_sid"), ids.npos);
    EXPECT_NE(ids.find("b_90000_sid"), ids.npos);
    EXPECT_NE(ids.find("d_1_sid d_2_sid"), ids.npos);
    EXPECT_NE(text.find("the gzip data ends early"), text.npos) << text;
    EXPECT_NE(text.find("c/changelog.Debian.gz:1: damaged gzip data"), text.npos) << text;
    EXPECT_NE(text.find("d/changelog.Debian.gz:6: byte 1 is not UTF-8"), text.npos) << text;
}

TEST(Lists, APositionHoldsAsLongAsTheListBeginsAsItDid) {
    auto list = [](std::string_view ids) {
        std::vector<Positioned> all;
        for (char c : ids) all.push_back({Report{.id = std::string(1, c)}, "", "", 0});
        return ListSource(std::move(all));
    };
    auto rest = [](ListSource& source) {
        std::string ids;
        while (auto r = source.next()) ids += *r->report.id;
        return ids;
    };
    ListSource abcd = list("abcad");
    EXPECT_EQ(abcd.repeats(), 1u);
    ASSERT_TRUE(abcd.start_after(""));
    abcd.next();
    std::string const after_b = abcd.next()->position;
    EXPECT_EQ(rest(abcd), "cd");
    ASSERT_TRUE(abcd.start_after(after_b));
    EXPECT_EQ(rest(abcd), "cd");
    for (auto [ids, left] : {std::pair{"abx", "x"}, {"ab", ""}, {"axb", "axb"}, {"a", "a"}, {"ba", "ba"}}) {
        ListSource other = list(ids);
        ASSERT_TRUE(other.start_after(after_b));
        EXPECT_EQ(rest(other), left) << ids;
    }
}

}  // namespace
}  // namespace gantry::import
