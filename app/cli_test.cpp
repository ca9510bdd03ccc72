// Help, usage and versions.
#include <map>
#include <set>

#include "app/cli_fixture_test.h"

namespace gantry::app {
namespace {

using Words = std::vector<std::string>;

// Every command, and whether it answers with --json, too. What has none gives files, programs or manuals.
std::map<std::string, bool> const commands = {{"serve", false},
                                              {"effects", false},
                                              {"effects ls", true},
                                              {"effects retry", true},
                                              {"effects drop", true},
                                              {"fake", false},
                                              {"import", false},
                                              {"import dpkg-log", true},
                                              {"import changelogs", true},
                                              {"import autopkgtest", true},
                                              {"log", false},
                                              {"log ls", true},
                                              {"log cat", true},
                                              {"log tail", true},
                                              {"log verify", true},
                                              {"log repair", true},
                                              {"log export", true},
                                              {"log import", true},
                                              {"log upgrade", true},
                                              {"backup", true},
                                              {"restore", true},
                                              {"erase", true},
                                              {"account", false},
                                              {"account add", true},
                                              {"account setup", true},
                                              {"account list", true},
                                              {"account show", true},
                                              {"account rename", true},
                                              {"account merge", true},
                                              {"account disable", true},
                                              {"account enable", true},
                                              {"account rights", true},
                                              {"account password", true},
                                              {"account codes-off", true},
                                              {"account sign-out", true},
                                              {"account tool", false},
                                              {"account tool add", true},
                                              {"account tool list", true},
                                              {"account tool rotate", true},
                                              {"account tool remove", true},
                                              {"account oidc-key", false},
                                              {"account oidc-key list", true},
                                              {"account oidc-key rotate", true},
                                              {"token", false},
                                              {"token add", true},
                                              {"token list", true},
                                              {"token rotate", true},
                                              {"token revoke", true},
                                              {"auth", false},
                                              {"auth add", true},
                                              {"auth rotate", true},
                                              {"auth revoke", true},
                                              {"auth remove", true},
                                              {"auth disable", true},
                                              {"auth enable", true},
                                              {"auth ls", true},
                                              {"auth check", true},
                                              {"call", true},
                                              {"new", false},
                                              {"new service", true},
                                              {"followers", false},
                                              {"followers ls", true},
                                              {"followers letters", true},
                                              {"followers retry", true},
                                              {"followers drop", true},
                                              {"followers move", true},
                                              {"upgrade", false},
                                              {"upgrade status", true},
                                              {"upgrade finish", true},
                                              {"proxy-config", false},
                                              {"proxy-config apache", false},
                                              {"proxy-config haproxy", false},
                                              {"proxy-config nginx", false},
                                              {"queue", false},
                                              {"queue bridge", true},
                                              {"rehearse", true},
                                              {"replay", true},
                                              {"config", false},
                                              {"config show", true},
                                              {"config check", true},
                                              {"config default", true},
                                              {"config docs", true},
                                              {"doctor", true},
                                              {"status", true},
                                              {"drain", true},
                                              {"why", true},
                                              {"flags", false},
                                              {"flags ls", true},
                                              {"flags show", true},
                                              {"flags set", true},
                                              {"flags unset", true},
                                              {"flags log", true},
                                              {"flags undo", true},
                                              {"flags try", true},
                                              {"completions", false},
                                              {"version", true},
                                              {"help", false}};

Words words(std::string const& command) {
    std::istringstream in(command);
    return {std::istream_iterator<std::string>(in), {}};
}
Words operator+(Words a, Words const& b) { return a.insert(a.end(), b.begin(), b.end()), a; }

TEST(Cli, TheListOfCommandsIsWhole) {
    std::set<std::string> known, offered;
    for (auto const& [name, json] : commands) known.insert(name);
    std::istringstream script(gantry({"completions", "bash"}).out);
    for (std::string line; std::getline(script, line);) {
        auto from = line.find('"'), to = line.find("\") known=");
        if (to != line.npos && to > from + 1) offered.insert(line.substr(from + 1, to - from - 1));
    }
    EXPECT_EQ(offered, known);
}

TEST(Cli, EveryCommandExplainsItself) {
    for (auto const& [name, json] : commands) {
        auto ran = gantry(words(name) + Words{"--help"});
        EXPECT_EQ(ran.code, exit_ok) << name;
        EXPECT_EQ(ran.err, "") << name;
        EXPECT_TRUE(has(ran.out, "Usage: gantry " + name + " ")) << ran.out;
        EXPECT_TRUE(has(ran.out, "Exit codes:\n  0  done\n")) << name;
        EXPECT_EQ(has(ran.out, "--json"), json) << name;
        EXPECT_FALSE(ran.out.starts_with("Usage")) << name << " has no sentence";
        auto helped = gantry(Words{"help"} + words(name));
        EXPECT_EQ(helped.code, exit_ok) << name;
        EXPECT_EQ(helped.out, ran.out) << name;
    }
    EXPECT_EQ(gantry({"help"}).out, gantry({"--help"}).out);
    EXPECT_EQ(gantry({"-h"}).out, gantry({"--help"}).out);
}

TEST(Cli, NothingAskedForIsHelpAndWrong) {
    auto ran = gantry({});
    EXPECT_EQ(ran.code, exit_usage);
    EXPECT_TRUE(has(ran.out, "Usage: gantry "));
    EXPECT_EQ(gantry({"log"}).code, exit_usage);
    EXPECT_EQ(gantry({"import"}).code, exit_usage);
    EXPECT_EQ(gantry({"config"}).code, exit_usage);
    EXPECT_EQ(gantry({"new"}).code, exit_usage);
}

TEST(Cli, WhatIsUnknownIsNamedWithTheNearest) {
    struct {
        Words given;
        std::string said, remedy;
    } const rows[] = {
        {{"srve"}, "there is no 'srve', did you mean serve?", "Try: gantry --help"},
        {{"frobnicate"}, "there is no 'frobnicate'", "Try: gantry --help"},
        {{"log", "verfy"}, "there is no 'verfy', did you mean verify?", "Try: gantry log --help"},
        {{"log", "cat", "notes", "--form", "1"}, "there is no '--form', did you mean --from?", "Try: gantry log cat --help"},
        {{"log", "cat", "notes", "--form=1"}, "there is no '--form=1', did you mean --from?", "Try: gantry log cat --help"},
        {{"call", "GET", "/", "--sever=x"}, "there is no '--sever=x', did you mean --server?", "Try: gantry call --help"},
        {{"version", "--jsn"}, "there is no '--jsn', did you mean --json?", "Try: gantry version --help"},
        {{"help", "lgo"}, "there is no command 'lgo', did you mean log?", ""},
        {{"help", "log", "ct"}, "there is no command 'log ct', did you mean cat?", ""},
        {{"config", "show", "--lisen=x"}, "there is no option '--lisen=x', did you mean --listen?", ""},
        {{"config", "show", "extra"}, "there is no option 'extra'", ""},
        {{"serve", "trackr"}, "there is no service 'trackr', did you mean tracker?", ""},
        {{"fake", "trackr"}, "there is no service 'trackr', did you mean tracker?; there are: tracker", ""},
        {{"fake", "frobnicate"}, "there is no service 'frobnicate'; there are: tracker", ""},
        {{"fake", "tracker", "--clock", "noon"}, "--clock: 'noon' is no RFC 3339 time", ""},
        {{"fake", "tracker", "--clok=x"}, "did you mean --clock?", "Try: gantry fake --help"},
        {{"fake", "tracker", "--port", "65536"}, "--port", "Try: gantry fake --help"},
        {{"serve", "--server.lisen", "x"}, "did you mean --server.listen?", ""},
        {{"completions", "tcsh"}, "tcsh", "Try: gantry completions --help"},
    };
    for (auto const& row : rows) {
        auto ran = gantry(row.given);
        EXPECT_EQ(ran.code, exit_usage) << row.said;
        EXPECT_EQ(ran.out, "") << row.said;
        EXPECT_TRUE(has(ran.err, row.said)) << ran.err;
        EXPECT_TRUE(has(ran.err, row.remedy)) << ran.err;
    }
}

TEST(Cli, WhatIsMissingIsNamed) {
    EXPECT_TRUE(has(gantry({"call", "GET"}).err, "PATH"));
    EXPECT_EQ(gantry({"call", "GET"}).code, exit_usage);
    EXPECT_TRUE(has(gantry({"fake"}).err, "SERVICE"));
    EXPECT_TRUE(has(gantry({"log", "cat"}).err, "SERVICE"));
    EXPECT_TRUE(has(gantry({"import", "dpkg-log"}).err, "FILE"));
    EXPECT_EQ(gantry({"log", "cat", "notes", "--limit", "many"}).code, exit_usage);
}

TEST(Cli, SaysItsVersion) {
    auto people = gantry({"version"}), json = gantry({"version", "--json"}), option = gantry({"--version"});
    EXPECT_EQ(people.code, exit_ok);
    EXPECT_TRUE(people.out.starts_with("gantry ")) << people.out;
    EXPECT_TRUE(json.out.starts_with("{\"version\":\"") && json.out.ends_with("}\n")) << json.out;
    EXPECT_EQ(option.code, exit_ok);
    EXPECT_TRUE(people.out.starts_with(option.out.substr(0, option.out.size() - 1))) << option.out;
}

TEST(Cli, AFullDiskBehindStandardOutputIsAFailure) {
    int const kept = ::dup(1), full = ::open("/dev/full", O_WRONLY);
    ASSERT_GE(full, 0);
    char const* argv[] = {"gantry", "version", nullptr};
    std::fflush(stdout);
    ::dup2(full, 1);
    int const code = run(2, argv);
    std::clearerr(stdout);
    ::dup2(kept, 1);
    ::close(kept), ::close(full);
    EXPECT_EQ(code, exit_failed);
}

}  // namespace
}  // namespace gantry::app
