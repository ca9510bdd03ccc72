#pragma once
#include <expected>
#include <optional>
#include <string>
#include <vector>

#include "app/import/complaints.h"
#include "app/import/source.h"

// What the proposed-migration pipeline leaves behind: results in autopkgtest's layout,
//
//     RELEASE/ARCH/PREFIX/PACKAGE/YYYYMMDD_HHMMSS[_ID]@/
//         exitcode            a number (autopkgtest(1), "Exit status")
//         testpkg-version     "PACKAGE VERSION"; missing where the testbed failed before it was known
//         testinfo.json       {"custom_environment": ["ADT_TEST_TRIGGERS=PACKAGE/VERSION …"], …}
//         duration            seconds
//         log.gz
//
// and update_excuses.yaml, the migration software's account of what may migrate and why not.
namespace gantry::import {

struct AutopkgtestInput {
    std::string series;       // of the excuses, which don't name it
    std::string results_url;  // what RELEASE/… hangs below; "": no links
};

struct TestResult {
    std::string release, arch, package, stamp;                              // from the path; the stamp with its '@'
    std::string url;                                                        // of the log, or ""
    std::optional<std::string> exitcode, version_line, testinfo, duration;  // contents of the files that are there
};

struct ResultPath {
    std::string release, arch, prefix, package, stamp;
};
// The last five components of a result's folder; nothing if they don't have that form.
std::optional<ResultPath> parse_result_path(std::string_view folder);

// "pass", "fail", "tmpfail", "neutral" and what the number says beyond that; nothing for a number that autopkgtest doesn't give.
struct ExitMeaning {
    std::string_view result, note;
};
std::optional<ExitMeaning> meaning_of_exit(int code);

// The report of one result, or a sentence that says what is wrong with it.
std::expected<Report, std::string> report_of(TestResult const& result);

// The reports of update excuses: one of each item at stage `proposed` (result `candidate` when it may migrate), one of each test on each
// architecture at stage `autopkgtest`. What is malformed is complained of. Problem: excuses_invalid for text that isn't such YAML.
Result<std::vector<Positioned>> read_excuses(std::string const& yaml, std::string const& file, std::string const& series,
                                             Complaints& complaints);

// DIR: all results below it, oldest first. FILE: update excuses (plain or gzipped). Problems: file_not_readable, excuses_invalid.
Result<std::vector<Positioned>> read_autopkgtest(std::string const& path, AutopkgtestInput const& input, Complaints& complaints);

}  // namespace gantry::import
