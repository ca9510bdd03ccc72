#pragma once
// What the tests of checks share: a directory as a server would have it, and how a check reads.
#include <sys/stat.h>

#include <string>
#include <vector>

#include "app/cli_fixture_test.h"
#include "app/doctor/check.h"
#include "kernel/config/directory_for_test.h"

namespace gantry::app::doctor {

// "problem: what was found", of the check with this name; "none" without one.
inline std::string said(std::vector<Check> const& checks, std::string_view name) {
    for (auto const& check : checks)
        if (check.name == name)
            return (check.verdict == Verdict::ok ? "ok: " : check.verdict == Verdict::warning ? "warning: " : "problem: ") + check.found;
    return "none";
}
inline bool says(std::vector<Check> const& checks, std::string_view name, std::string_view begin) {
    for (auto const& check : checks)
        if (check.name == name && check.verdict != Verdict::ok && check.remedy.empty()) return false;  // each fault has a remedy
    return said(checks, name).starts_with(begin);
}

class DoctorTest : public testing::Test {
   protected:
    DoctorTest() { ::chmod(dir.path().c_str(), 0750); }
    Directory dir;
    Machine machine;
};

}  // namespace gantry::app::doctor
