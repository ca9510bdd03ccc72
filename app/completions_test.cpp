// Completions are made by the program and read by shells: bash is asked what it would offer; the others parse, where they are installed.
#include "app/cli_fixture_test.h"

namespace gantry::app {
namespace {

struct Shell {
    int code = -1;
    std::string out;
};
Shell shell(std::string const& command) {
    Shell result;
    std::FILE* pipe = ::popen(command.c_str(), "r");
    if (!pipe) return result;
    char buffer[4096];
    for (std::size_t n; (n = std::fread(buffer, 1, sizeof buffer, pipe)) > 0;) result.out.append(buffer, n);
    int const status = ::pclose(pipe);
    result.code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    return result;
}
bool installed(std::string const& name) { return shell("command -v " + name + " >/dev/null").code == 0; }

class Completions : public testing::Test {
   protected:
    std::string script(std::string const& name) {
        auto ran = gantry({"completions", name});
        EXPECT_EQ(ran.code, exit_ok) << ran.err;
        return dir.write("gantry." + name, ran.out);
    }
    // What bash offers behind "gantry WORDS…", the last of which is begun.
    std::string offered(std::vector<std::string> const& words) {
        std::string list = "gantry";
        for (auto const& w : words) list += " '" + w + "'";
        auto ask = dir.write("ask.bash", "source '" + script("bash") + "'\nCOMP_WORDS=(" + list +
                                             ")\nCOMP_CWORD=" + std::to_string(words.size()) + "\n_gantry\necho \"${COMPREPLY[*]}\"\n");
        auto asked = shell("bash '" + ask + "' 2>&1");
        EXPECT_EQ(asked.code, 0) << asked.out;
        return asked.out;
    }
    Directory dir;
};

TEST_F(Completions, BashParsesIt) {
    auto parsed = shell("bash -n '" + script("bash") + "' 2>&1");
    EXPECT_EQ(parsed.code, 0) << parsed.out;
}

TEST_F(Completions, BashOffersCommandsAndOptions) {
    EXPECT_EQ(offered({"se"}), "serve\n");
    EXPECT_EQ(offered({"log", "ver"}), "verify\n");
    EXPECT_EQ(offered({"log", "cat", "--fr"}), "--from\n");
    EXPECT_EQ(offered({"log", "cat", "--json", "notes", "--li"}), "--limit\n") << "what isn't a command is passed over";
    EXPECT_EQ(offered({"serve", "--server.li"}), "--server.listen\n");
    EXPECT_EQ(offered({"config", ""}), "show check default docs --help\n");
    EXPECT_EQ(offered({"completions", "x"}), "\n");
}

TEST_F(Completions, ZshParsesIt) {
    if (!installed("zsh")) GTEST_SKIP() << "zsh is not installed";
    auto parsed = shell("zsh -n '" + script("zsh") + "' 2>&1");
    EXPECT_EQ(parsed.code, 0) << parsed.out;
}

TEST_F(Completions, FishParsesIt) {
    if (!installed("fish")) GTEST_SKIP() << "fish is not installed";
    auto parsed = shell("fish --no-execute '" + script("fish") + "' 2>&1");
    EXPECT_EQ(parsed.code, 0) << parsed.out;
}

// Where the shells aren't installed: quotes are balanced in every line that carries somebody's sentence.
TEST_F(Completions, SentencesAreQuoted) {
    for (std::string name : {"zsh", "fish"}) {
        std::istringstream text(contents(script(name)));
        std::size_t sentences = 0;
        for (std::string line; std::getline(text, line);) {
            if (!line.starts_with("complete ") && !line.starts_with("            '")) continue;
            ++sentences;
            bool inside = false;
            for (std::size_t i = 0; i < line.size(); ++i) {
                // In fish a backslash escapes inside of quotes, too; in zsh only outside.
                if (line[i] == '\\' && (!inside || name == "fish"))
                    ++i;
                else if (line[i] == '\'')
                    inside = !inside;
            }
            EXPECT_FALSE(inside) << name << ": " << line;
        }
        EXPECT_GT(sentences, 100u) << name;
    }
}

}  // namespace
}  // namespace gantry::app
