// The manual page is made by the program and read by man, whose warnings are faults here.
#include "app/cli_fixture_test.h"

namespace gantry::app {
namespace {

std::string page() {
    auto ran = gantry({"help", "--man"});
    EXPECT_EQ(ran.code, exit_ok) << ran.err;
    return ran.out;
}

TEST(ManPage, HasTheSectionsOfAManualPage) {
    auto const text = page();
    EXPECT_TRUE(text.starts_with(".TH GANTRY 1 "));
    std::size_t at = 0;
    for (std::string const name :
         {"NAME", "SYNOPSIS", "DESCRIPTION", "COMMANDS", "CONFIGURATION", "ENVIRONMENT", "FILES", "EXIT STATUS", "EXAMPLES"}) {
        auto const found = text.find("\n.SH " + name + "\n", at);
        ASSERT_NE(found, text.npos) << name;
        at = found;
    }
}

TEST(ManPage, TellsCommandsOptionsKeysAndExitCodes) {
    auto const text = page();
    for (std::string const part :
         {".SS gantry serve\n", ".SS gantry log cat\n", ".SS gantry upgrade finish\n", "\\fB\\-\\-from\\fR \\fIPLACE\\fR\n",
          "\\fBlisten\\fR, \\fB\\-\\-server.listen\\fR, \\fBGANTRY_SERVER_LISTEN\\fR\n", ".TP\n.B 74\n", ".TP\n.B 0\ndone\n",
          "GET, POST, \\[u2026]\n"})
        EXPECT_TRUE(has(text, part)) << part;
}

TEST(ManPage, KeepsHiddenCommandsToItself) { EXPECT_FALSE(has(page(), "rehearse\\-worker")); }

TEST(ManPage, NoLineIsARequestByAccident) {
    std::istringstream lines(page());
    for (std::string line; std::getline(lines, line);) {
        EXPECT_FALSE(line.starts_with("'")) << line;
        if (line.starts_with(".")) EXPECT_TRUE(line.size() > 2 && line[1] >= 'A' && line[1] <= 'Z') << line;
        for (char c : line) EXPECT_TRUE(c >= ' ' && c < 0x7f) << line;
    }
}

TEST(ManPage, TakesNoCommand) { EXPECT_EQ(gantry({"help", "--man", "serve"}).code, exit_usage); }

TEST(ManPage, ManHasNoWarning) {
    if (std::system("command -v man >/dev/null && command -v groff >/dev/null") != 0) GTEST_SKIP() << "man is not installed";
    Directory dir;
    auto const file = dir.write("gantry.1", page());
    auto const warnings = dir / "warnings";
    EXPECT_EQ(std::system(("MANWIDTH=80 man --warnings=w -E UTF-8 -l -Tutf8 -Z '" + file + "' >/dev/null 2>'" + warnings + "'").c_str()),
              0);
    EXPECT_EQ(contents(warnings), "");
}

}  // namespace
}  // namespace gantry::app
