#include "app/import/autopkgtest.h"

#include <gtest/gtest.h>

#include <fstream>
#include <iterator>

#include "app/import/fake_tracker_test.h"
#include "kernel/base/source_dir_for_test.h"

namespace gantry::import {
namespace {

std::string const fixtures = std::string(source_dir()) + "/app/import/fixtures/";

std::string golden(std::string const& name) {
    std::ifstream in(fixtures + name, std::ios::binary);
    return std::string(std::istreambuf_iterator<char>(in), {});
}

std::string json_lines(std::vector<Positioned> const& reports) {
    std::string all;
    for (auto const& r : reports) all += codec::to_json(r.report) + "\n";
    return all;
}

struct Read {
    Result<std::vector<Positioned>> reports;
    std::string complaints;
};
Read read(std::string const& path, AutopkgtestInput const& input = {}) {
    Captured err;
    Complaints complaints(err);
    auto reports = read_autopkgtest(path, input, complaints);
    return {std::move(reports), err.text()};
}

TEST(Autopkgtest, AFolderOfResults) {
    auto r = read(fixtures + "results", {"", "https://ci.example.org/autopkgtest-noble/"});
    ASSERT_TRUE(r.reports);
    EXPECT_EQ(r.complaints, "");
    EXPECT_EQ(json_lines(*r.reports), golden("results.ndjson"));
    // From further down the tree the same, without links.
    auto part = read(fixtures + "results/noble/amd64/h/hello/20260301_101500_a1b2c@");
    ASSERT_TRUE(part.reports);
    ASSERT_EQ(part.reports->size(), 1u);
    EXPECT_EQ(part.reports->at(0).report.id, "noble_amd64_hello_20260301_101500_a1b2c");
    EXPECT_FALSE(part.reports->at(0).report.url);
}

TEST(Autopkgtest, ExitStatuses) {
    auto result = [](int code) {
        auto m = meaning_of_exit(code);
        return m ? std::string(m->result) : "none";
    };
    for (int code : {0, 2}) EXPECT_EQ(result(code), "pass");
    for (int code : {4, 6, 12, 14}) EXPECT_EQ(result(code), "fail");
    for (int code : {16, 20, 99}) EXPECT_EQ(result(code), "tmpfail");
    EXPECT_EQ(result(8), "neutral");
    for (int code : {-1, 1, 3, 100}) EXPECT_EQ(result(code), "none");
}

TEST(Autopkgtest, Paths) {
    for (auto good : {"/x/noble/amd64/h/hello/20260301_101500@", "noble/amd64/libz/libzip/20260301_101500_abc@"})
        EXPECT_TRUE(parse_result_path(good)) << good;
    for (auto bad : {"", "amd64/h/hello/20260301_101500@", "noble/amd64/x/hello/20260301_101500@", "noble/amd64/l/libzip/20260301_101500@",
                     "noble/amd64/h/hello/20260301_101500", "noble/amd64/h/hello/20260301-101500@", "noble/amd64/h/hello/2026030_1101500@",
                     "noble/amd64/h/hello/20260301_101500x@"})
        EXPECT_FALSE(parse_result_path(bad)) << bad;
}

TEST(Autopkgtest, MalformedResults) {
    TestResult const good{"noble", "amd64", "hello", "20260301_101500@", "", "0\n", "hello 1\n", "{}", {}};
    ASSERT_TRUE(report_of(good));
    auto says = [&](auto change) {
        TestResult t = good;
        change(t);
        auto r = report_of(t);
        return r ? "nothing" : r.error();
    };
    EXPECT_EQ(says([](auto& t) { t.exitcode = {}; }), "no exitcode");
    for (auto bad : {"", "one", "0x", "5", "-1", "99999999999"})
        EXPECT_TRUE(says([&](auto& t) { t.exitcode = bad; }).starts_with("exitcode: expected an exit status")) << bad;
    EXPECT_EQ(says([](auto& t) { t.stamp = "20261301_101500@"; }), "'20261301_101500@' is no time");
    EXPECT_EQ(says([](auto& t) { t.version_line = {}; }), "no testpkg-version");
    EXPECT_TRUE(says([](auto& t) { t.version_line = "hello"; }).starts_with("testpkg-version: expected 'PACKAGE VERSION'"));
    EXPECT_EQ(says([](auto& t) { t.version_line = "other 1"; }), "testpkg-version names 'other', the path 'hello'");
    EXPECT_EQ(says([](auto& t) { t.testinfo = "{rubbish"; }), "testinfo.json is no JSON");
    // A testbed that fails before the version is known is no fault of the result.
    TestResult failed = good;
    failed.exitcode = "16", failed.version_line = {};
    EXPECT_EQ(report_of(failed)->version, "unknown");
    failed.testinfo = R"({"custom_environment":["ADT_TEST_TRIGGERS=a/1 hello/7"]})";
    EXPECT_EQ(report_of(failed)->version, "7");
}

TEST(Autopkgtest, MalformedResultsInAFolderAreNamedAndTheRestIsRead) {
    TempDir dir;
    std::filesystem::copy(fixtures + "results", dir / "r", std::filesystem::copy_options::recursive);
    write_file(dir / "r/noble/amd64/h/hello/20260301_101500_a1b2c@/exitcode", "boom\n");
    write_file(dir / "r/noble/amd64/h/hello/20260301_120000@/log.gz", "");
    write_file(dir / "r/elsewhere/exitcode", "0\n");
    write_file(dir / "r/noble/arm64/h/hello/20260301_102000_a1b2d@/testinfo.json", "\xff\n");
    auto r = read(dir / "r");
    ASSERT_TRUE(r.reports);
    EXPECT_EQ(r.reports->size(), 3u);
    EXPECT_NE(r.complaints.find("a1b2c@: exitcode: expected an exit status of autopkgtest, found 'boom'"), r.complaints.npos)
        << r.complaints;
    EXPECT_NE(r.complaints.find("120000@: no exitcode"), r.complaints.npos) << r.complaints;
    EXPECT_NE(r.complaints.find("elsewhere: expected a path RELEASE/ARCH"), r.complaints.npos) << r.complaints;
    EXPECT_NE(r.complaints.find("testinfo.json: line 1: byte 1 is not UTF-8"), r.complaints.npos) << r.complaints;
}

TEST(Excuses, ItemsAndTheirTests) {
    auto r = read(fixtures + "update_excuses.yaml", {"testing", ""});
    ASSERT_TRUE(r.reports) << r.reports.error().detail;
    EXPECT_EQ(r.complaints, "");
    EXPECT_EQ(json_lines(*r.reports), golden("update_excuses.ndjson"));
}

TEST(Excuses, MalformedItemsAreNamedAndTheRestIsRead) {
    Captured err;
    Complaints complaints(err);
    std::string const yaml =
        "generated-date: 2026-03-01 20:09:06.890414+00:00\n"
        "sources:\n"
        "- just a text\n"
        "- {item-name: a, source: a, is-candidate: true}\n"
        "- {item-name: b, source: [b], new-version: 1, is-candidate: true}\n"
        "- {item-name: c, source: c, new-version: 1, is-candidate: true, policy_info: {autopkgtest: {c/1: {amd64: PASS}}}}\n"
        "- {item-name: d, source: d, new-version: 1, is-candidate: true, policy_info: {autopkgtest: {d/1: text}}}\n"
        "- {item-name: e, source: e, new-version: 1, is-candidate: true}\n";
    auto r = read_excuses(yaml, "f", "", complaints);
    ASSERT_TRUE(r);
    ASSERT_EQ(r->size(), 1u);
    EXPECT_EQ(r->at(0).report.package, "e");
    EXPECT_EQ(r->at(0).report.note, "");
    EXPECT_EQ(err.text(),
              "f:3: expected an excuse with 'item-name', 'source', …\n"
              "f:4: 'new-version' is missing\n"
              "f:5: 'source': expected a text\n"
              "f:6: 'amd64': expected [RESULT, log, …]\n"
              "f:7: 'd/1': expected results by architecture\n");
}

TEST(Excuses, WhatIsNoExcusesIsRefused) {
    Captured err;
    Complaints complaints(err);
    for (auto [yaml, says] : {std::pair{"", "f: expected update excuses"},
                              {"- a\n- b\n", "f: expected update excuses"},
                              {"generated-date: 2026-03-01 20:09:06\nsources: 3\n", "f: expected update excuses"},
                              {"generated-date: yesterday\nsources: []\n", "f: 'generated-date': expected a time"},
                              {"sources: []\n", "f: 'generated-date': expected a time"},
                              {"a: [1, 2\nb: }\n", "f:"},
                              {"a: *nothing\n", "f:"}}) {
        auto r = read_excuses(yaml, "f", "", complaints);
        ASSERT_FALSE(r) << yaml;
        EXPECT_EQ(r.error().code, "excuses_invalid");
        EXPECT_TRUE(r.error().detail.starts_with(says)) << r.error().detail;
    }
    EXPECT_EQ(read("/nonexistent/excuses.yaml").reports.error().code, "file_not_readable");
}

}  // namespace
}  // namespace gantry::import
