// gantry config: where values come from, and what is said of wrong ones.
#include <regex>

#include "app/cli_fixture_test.h"
#include "kernel/codec/golden.h"
#include "kernel/config/directory_for_test.h"

namespace gantry::app {
namespace {

class ConfigTest : public testing::Test {
   protected:
    // The value and the source that `config show` gives for a key: "127.0.0.1:1 from --listen".
    static std::string shown(std::string const& key, std::vector<std::string> arguments) {
        arguments.insert(arguments.begin(), {"config", "show"});
        auto ran = gantry(arguments);
        EXPECT_EQ(ran.code, exit_ok) << ran.err;
        std::smatch found;
        std::regex const row(R"((?:^|\n)\[server\] )" + key + R"( +(\S+) +(\S+)\n)");
        return std::regex_search(ran.out, found, row) ? found[1].str() + " from " + found[2].str() : ran.out;
    }
    Directory dir;
};

TEST_F(ConfigTest, AFlagGoesBeforeTheEnvironmentBeforeTheFileBeforeTheDefault) {
    auto file = dir.write("gantry.toml", "[server]\nlisten = \"127.0.0.1:3\"\n");
    EXPECT_EQ(shown("listen", {}), "127.0.0.1:8080 from default");
    EXPECT_EQ(shown("listen", {"--config", file}), "127.0.0.1:3 from " + file + ":2");
    Variable variable("GANTRY_SERVER_LISTEN", "127.0.0.1:2");
    EXPECT_EQ(shown("listen", {"--config", file}), "127.0.0.1:2 from GANTRY_SERVER_LISTEN");
    EXPECT_EQ(shown("listen", {"--config", file, "--listen", "127.0.0.1:1"}), "127.0.0.1:1 from --server.listen");
    EXPECT_EQ(shown("listen", {"--config", file, "--server.listen=127.0.0.1:1"}), "127.0.0.1:1 from --server.listen");
    EXPECT_EQ(shown("data", {"--config", file, "--data", "/d"}), "/d from --server.data");
    EXPECT_EQ(shown("log", {"--log", "memory:"}), "memory: from --server.log");
}

TEST_F(ConfigTest, JsonSaysAllOfAKey) {
    auto ran = gantry({"config", "show", "--json", "--listen", "[::1]:0"});
    EXPECT_EQ(ran.code, exit_ok);
    EXPECT_TRUE(ran.out.starts_with(R"([{"section":"server","key":"listen","value":"[::1]:0","source":"--server.listen","doc":")"))
        << ran.out;
    EXPECT_TRUE(has(ran.out, R"("flag":"--server.listen","variable":"GANTRY_SERVER_LISTEN","needs_restart":true})"));
    EXPECT_TRUE(has(ran.out, R"({"section":"tracker","key":"window")")) << "services have keys of their own";
}

struct WrongCase {
    std::vector<std::string> arguments;
    std::string file, where, what;
};

TEST_F(ConfigTest, AWrongValueIsNamedWithItsPlace) {
    WrongCase const rows[] = {
        {{}, "[server]\nlisten = 8080\n", "gantry.toml:2:1", "listen"},
        {{}, "[server]\n\nlisen = \"x\"\n", "gantry.toml:3:1", "listen"},
        {{}, "[sever]\nlisten = \"x\"\n", "gantry.toml:2", "server"},
        {{}, "[server]\nio_threads = 1000\n", "gantry.toml:2:1", "0 to 256"},
        {{}, "[http]\nidle_timeout = \"soon\"\n", "gantry.toml:2:1", "duration"},
        {{}, "[server\n", "gantry.toml:1", ""},
        {{}, "[server]\nlisten = \"nowhere\"\n", "gantry.toml:2", "ADDR:PORT"},
        {{}, "[server]\nlog = \"disk:\"\n", "gantry.toml:2", "file:DIR or memory:"},
        {{}, "[server]\nservices = [\"trackr\"]\n", "gantry.toml:2", "did you mean tracker?"},
        {{}, "[server]\nelsewhere = [\"bank\"]\n", "gantry.toml:2", "NAME=http://HOST:PORT"},
        {{}, "[server]\nelsewhere = [\"bank=ftp://x\"]\n", "gantry.toml:2", "NAME=http://HOST:PORT"},
        {{"--server.followers-keep-events", "-1"}, "", "--server.followers-keep-events", "-1"},
        {{"--server.io-threads", "many"}, "", "--server.io-threads", "many"},
        {{"--listen", "127.0.0.1:66000"}, "", "--server.listen", "66000"},
        {{"--server.log-level", "loud"}, "", "--server.log-level", "loud"},
        {{"--server.accept-clock-behind", "maybe"}, "", "--server.accept-clock-behind", "true"},
        {{"--tracker.window", "-1d"}, "", "--tracker.window", "-1d"},
    };
    for (auto const& row : rows) {
        auto arguments = row.arguments;
        if (!row.file.empty()) arguments.insert(arguments.end(), {"--config", dir.write("gantry.toml", row.file)});
        for (std::vector<std::string> command : {std::vector<std::string>{"config", "check"}, {"serve"}}) {
            command.insert(command.end(), arguments.begin(), arguments.end());
            auto ran = gantry(command);
            EXPECT_EQ(ran.code, exit_usage) << row.where << row.what;
            EXPECT_EQ(ran.out, "");
            EXPECT_TRUE(has(ran.err, row.where)) << ran.err << row.where;
            EXPECT_TRUE(has(ran.err, row.what)) << ran.err << row.what;
        }
    }
}

TEST_F(ConfigTest, AWrongVariableIsNamed) {
    Variable wrong("GANTRY_SERVER_IO_THREADS", "-1");
    auto ran = gantry({"config", "check"});
    EXPECT_EQ(ran.code, exit_usage);
    EXPECT_TRUE(has(ran.err, "GANTRY_SERVER_IO_THREADS: ")) << ran.err;
}

TEST_F(ConfigTest, AllFaultsAreNamedAtOnceAndAsJson) {
    auto file = dir.write("gantry.toml", "[server]\nlisen = \"x\"\nio_threads = -1\n");
    auto ran = gantry({"config", "check", "--config", file, "--http.connections", "few"});
    EXPECT_TRUE(has(ran.err, "lisen") && has(ran.err, "io_threads") && has(ran.err, "--http.connections")) << ran.err;
    auto json = gantry({"config", "check", "--json", "--config", file});
    EXPECT_EQ(json.code, exit_usage);
    EXPECT_EQ(json.err, "");
    EXPECT_TRUE(json.out.starts_with(R"({"ok":false,"faults":[{"where":")" + file + ":2:1\",")) << json.out;
    auto good = gantry({"config", "check", "--json"});
    EXPECT_EQ(good.code, exit_ok);
    EXPECT_EQ(good.out, "{\"ok\":true,\"faults\":[]}\n");
    EXPECT_EQ(gantry({"config", "check"}).out, "The configuration is good.\n");
}

TEST_F(ConfigTest, AFileThatIsNotThereIsSaid) {
    auto ran = gantry({"config", "check", "--config", dir / "none.toml"});
    EXPECT_EQ(ran.code, exit_usage);
    EXPECT_TRUE(has(ran.err, "none.toml")) << ran.err;
    auto json = gantry({"config", "check", "--json", "--config", dir / "none.toml"});
    EXPECT_EQ(json.code, exit_usage);
    EXPECT_TRUE(has(json.out, R"("ok":false)") && has(json.out, "none.toml")) << json.out;
}

TEST_F(ConfigTest, AFileThatCantBeOneIsAClearFault) {
    std::filesystem::create_directory(dir / "folder");
    std::filesystem::create_symlink("gone.toml", dir / "link.toml");
    struct Row {
        std::string path, what;
    };
    Row const rows[] = {{dir / "folder", "is a directory: name the file in it"},
                        {dir / "link.toml", "is a link to gone.toml, which is not there"},
                        {dir.write("latin.toml", "[server]\n# caf\xe9\n"), "is not UTF-8: line 2"},
                        {dir.write("huge.toml", std::string((1 << 20) + 1, '\n')), "is larger than 1024 KiB"}};
    for (auto const& row : rows) {
        for (std::string command : {"check", "show"}) {
            auto ran = gantry({"config", command, "--config", row.path});
            EXPECT_EQ(ran.code, exit_usage) << row.path;
            EXPECT_TRUE(has(ran.err, row.path + ": " + row.what)) << ran.err;
        }
        auto json = gantry({"config", "check", "--json", "--config", row.path});
        EXPECT_EQ(json.code, exit_usage);
        EXPECT_TRUE(has(json.out, R"("ok":false,"faults":[{"where":")" + row.path + "\",\"what\":\"" + row.what)) << json.out;
    }
}

TEST_F(ConfigTest, AFileThatMayNotBeReadNamesTheUser) {
    config::Unprivileged const nobody;
    if (!nobody.is()) GTEST_SKIP() << nobody.why_not();
    config::DirectoryForTest const mine;
    auto ran = gantry({"config", "check", "--config", mine.write("gantry.toml", "", 0000)});
    EXPECT_EQ(ran.code, exit_usage);
    EXPECT_TRUE(has(ran.err, "/gantry.toml: permission denied: let the user")) << ran.err;
}

TEST_F(ConfigTest, TheReferenceIsWhatTheKeysSay) {
    auto page = gantry({"config", "docs"});
    EXPECT_EQ(page.code, exit_ok) << page.err;
    EXPECT_TRUE(expect_golden("docs/configuration.md", page.out));
    EXPECT_TRUE(has(page.out, "### `[tracker] window`")) << "services have keys of their own";
    EXPECT_TRUE(has(page.out, "DATA/\\<site>"));
    auto json = gantry({"config", "docs", "--json"});
    EXPECT_EQ(json.code, exit_ok);
    EXPECT_TRUE(json.out.starts_with(R"([{"section":"server","key":"listen","doc":"Address and port)")) << json.out;
    EXPECT_TRUE(
        has(json.out,
            R"("fallback":"info","flag":"--server.log-level","variable":"GANTRY_SERVER_LOG_LEVEL","secret":false,"needs_restart":false})"));
}

TEST_F(ConfigTest, TheDefaultFileChangesNothingWhenItsKeysAreInForce) {
    auto text = gantry({"config", "default"}).out;
    EXPECT_TRUE(has(text, "\n[server]\n\n# Address and port")) << text;
    EXPECT_TRUE(has(text, "\n#listen = \"127.0.0.1:8080\"\n")) << text;
    auto before = gantry({"config", "show"}).out;
    auto comments = dir.write("comments.toml", text);
    EXPECT_EQ(gantry({"config", "show", "--config", comments}).out, before);
    auto keys = dir.write("keys.toml", std::regex_replace(text, std::regex("\n#([a-z_]+ = )"), "\n$1"));
    auto in_force = gantry({"config", "show", "--config", keys});
    ASSERT_EQ(in_force.code, exit_ok) << in_force.err;
    auto values = [](std::string const& table) { return std::regex_replace(table, std::regex(" +\\S+\n"), "\n"); };
    EXPECT_EQ(values(in_force.out), values(before));
    EXPECT_NE(in_force.out, before) << "the file is where they come from";
    EXPECT_TRUE(
        gantry({"config", "default", "--json"}).out.starts_with(R"([{"section":"server","key":"listen","value":"127.0.0.1:8080",)"));
}

}  // namespace
}  // namespace gantry::app
