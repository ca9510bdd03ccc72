#include "kernel/config/config.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>

namespace gantry::config {
namespace {

enum class Mode { read_only, read_write };
ENUM(Mode, read_only, read_write);

struct ServerSettings {
    Text<1, 40> listen = "127.0.0.1:8080";
    Bounded<1, 256> io_threads = 2;
    std::optional<Duration> window;
    std::vector<std::string> hosts;
    Mode mode = Mode::read_write;
    bool verbose = false;
    double ratio = 0.5;
    Secret<std::string> token;
    std::optional<Time> since;
};
RECORD(ServerSettings, listen, io_threads, window, hosts, mode, verbose, ratio, token, since);

Section server_section() {
    using S = ServerSettings;
    return section<S>("server", {{&S::listen, "Where it listens."},
                                 {&S::io_threads, "Threads that serve.", "threads"},
                                 {&S::window, "How long rows stay."},
                                 {&S::hosts, "Names it answers to.", "", Change::at_once},
                                 {&S::mode, "What it lets through."},
                                 {&S::verbose, "Whether it talks."},
                                 {&S::ratio, "A share."},
                                 {&S::token, "What admits."},
                                 {&S::since, "From when on."}});
}

// A file that lives as long as the object, called "gantry.toml" in messages.
class TomlFile {
   public:
    explicit TomlFile(std::string_view text) {
        char folder[] = "/tmp/gantry_config_XXXXXX";
        EXPECT_NE(mkdtemp(folder), nullptr);
        folder_ = folder, path = folder_ + "/gantry.toml";
        std::ofstream(path, std::ios::binary) << text;
        EXPECT_EQ(chmod(path.c_str(), 0600), 0);
    }
    ~TomlFile() { std::remove(path.c_str()), rmdir(folder_.c_str()); }
    std::string path;
    // The folder's name taken out of a message.
    std::string plain(std::string said) const {
        for (std::size_t at; (at = said.find(folder_ + "/")) != said.npos;) said.erase(at, folder_.size() + 1);
        return said;
    }

   private:
    std::string folder_;
};

Config declared() {
    Config config;
    config.declare(server_section());
    return config;
}

std::string fault_of_file(std::string_view text) {
    TomlFile file(text);
    Config config = declared();
    auto loaded = config.load({.file = file.path});
    return loaded ? "loaded" : file.plain(explain(loaded.error()));
}
std::string fault_of_environment(std::vector<std::string> entries) {
    Config config = declared();
    auto loaded = config.load({.environment = std::move(entries)});
    return loaded ? "loaded" : explain(loaded.error());
}
std::string fault_of_flags(std::vector<Flag> flags) {
    Config config = declared();
    auto loaded = config.load({.flags = std::move(flags)});
    return loaded ? "loaded" : explain(loaded.error());
}
std::string source_of(Config const& config, std::string_view name) {
    for (auto const& origin : config.show())
        if (origin.key->name == name) return origin.value + " from " + origin.source;
    return "no such key";
}

TEST(Config, DefaultsAreTheInitialisers) {
    Config config = declared();
    ASSERT_TRUE(config.load({}));
    auto s = config.get<ServerSettings>("server");
    EXPECT_EQ(s.listen.view(), "127.0.0.1:8080");
    EXPECT_EQ(s.io_threads, 2);
    EXPECT_FALSE(s.window);
    EXPECT_EQ(source_of(config, "io_threads"), "2 from default");
    EXPECT_EQ(source_of(config, "mode"), "read_write from default");
}

TEST(Config, AKeyTellsHowItIsSpelled) {
    Config config = declared();
    auto const& key = config.sections()[0].keys[1];
    EXPECT_EQ(key.path(), "[server] io_threads");
    EXPECT_EQ(key.flag(), "--server.io-threads");
    EXPECT_EQ(key.variable(), "GANTRY_SERVER_IO_THREADS");
    EXPECT_EQ(key.expected, "an integer from 1 to 256");
    EXPECT_EQ(key.fallback, "2");
    EXPECT_EQ(key.unit, "threads");
    EXPECT_EQ(key.change, Change::needs_restart);
    EXPECT_EQ(config.sections()[0].keys[3].change, Change::at_once);
    EXPECT_FALSE(key.secret);
    EXPECT_TRUE(config.sections()[0].keys[7].secret);
}

struct SmallSettings {
    std::optional<Duration> window;
    Bounded<1, 9> tries = 3;
};
RECORD(SmallSettings, window, tries);

TEST(Config, ASectionFromNames) {
    auto made = make_section("small", codec::type_of<SmallSettings>(), {{"tries", "How often."}, {"window", "How long."}});
    ASSERT_EQ(made.keys.size(), 2u);
    EXPECT_EQ(made.keys[0].name, "window");
    EXPECT_EQ(made.keys[0].doc, "How long.");
    EXPECT_EQ(made.keys[1].fallback, "3");
    EXPECT_DEATH(make_section("small", codec::type_of<SmallSettings>(), {{"tires", "How often."}}), "names a key");
}

TEST(Config, EveryTypeFromTheFile) {
    TomlFile file(
        "[server]\nlisten = \"[::1]:1\"\nio_threads = 256\nwindow = \"90d\"\nhosts = [\"a,b\", \"c\"]\nmode = \"read_only\"\n"
        "verbose = true\nratio = 2\ntoken = \"hush\"\nsince = 2026-01-31T12:00:00+01:00\n");
    Config config = declared();
    ASSERT_TRUE(config.load({.file = file.path}));
    auto s = config.get<ServerSettings>("server");
    EXPECT_EQ(s.listen.view(), "[::1]:1");
    EXPECT_EQ(s.io_threads, 256);
    EXPECT_EQ(s.window, Duration::days(90));
    EXPECT_EQ(s.hosts, (std::vector<std::string>{"a,b", "c"}));
    EXPECT_EQ(s.mode, Mode::read_only);
    EXPECT_TRUE(s.verbose);
    EXPECT_EQ(s.ratio, 2.0);
    EXPECT_EQ(s.token.value, "hush");
    EXPECT_EQ(format_time(*s.since), "2026-01-31T11:00:00Z");
    EXPECT_EQ(file.plain(source_of(config, "window")), "90d from gantry.toml:4");
    EXPECT_EQ(file.plain(source_of(config, "token")), "[secret] from gantry.toml:9");
}

TEST(Config, EveryTypeFromTheEnvironment) {
    Config config = declared();
    ASSERT_TRUE(config.load({.environment = {"GANTRY_SERVER_IO_THREADS=1", "GANTRY_SERVER_WINDOW=1h30m", "GANTRY_SERVER_HOSTS=a,b",
                                             "GANTRY_SERVER_MODE=read-only", "GANTRY_SERVER_VERBOSE=true", "GANTRY_SERVER_RATIO=0.25",
                                             "GANTRY_SERVER_TOKEN=a=b", "PATH=/bin", "GANTRY_SERVER_LISTEN="}}));
    auto s = config.get<ServerSettings>("server");
    EXPECT_EQ(s.io_threads, 1);
    EXPECT_EQ(s.window->us, 5'400'000'000);
    EXPECT_EQ(s.hosts, (std::vector<std::string>{"a", "b"}));
    EXPECT_EQ(s.mode, Mode::read_only);
    EXPECT_EQ(s.token.value, "a=b");
    EXPECT_EQ(s.listen.view(), "127.0.0.1:8080") << "an empty variable says nothing";
}

TEST(Config, FlagBeforeEnvironmentBeforeFileBeforeDefault) {
    TomlFile file("[server]\nlisten = \"file\"\nmode = \"read_only\"\nio_threads = 3\n");
    Config config = declared();
    ASSERT_TRUE(config.load({file.path, {"GANTRY_SERVER_LISTEN=variable", "GANTRY_SERVER_IO_THREADS=4"}, {{"server.listen", "flag"}}}));
    EXPECT_EQ(source_of(config, "listen"), "flag from --server.listen");
    EXPECT_EQ(source_of(config, "io_threads"), "4 from GANTRY_SERVER_IO_THREADS");
    EXPECT_EQ(file.plain(source_of(config, "mode")), "read_only from gantry.toml:3");
    EXPECT_EQ(source_of(config, "ratio"), "0.5 from default");
}

TEST(Config, AListTakesEachOfItsFlags) {
    Config config = declared();
    ASSERT_TRUE(config.load({.environment = {"GANTRY_SERVER_HOSTS=gone"}, .flags = {{"server.hosts", "a,b"}, {"server.hosts", "c"}}}));
    EXPECT_EQ(config.get<ServerSettings>("server").hosts, (std::vector<std::string>{"a", "b", "c"}));
}

TEST(Config, WrongKeysNameTheNearest) {
    EXPECT_EQ(fault_of_file("[server]\nlisen = \"x\"\n"), "gantry.toml:2:1: there is no key [server] lisen, did you mean [server] listen?");
    EXPECT_EQ(fault_of_file("listen = \"x\"\n"),
              "gantry.toml:1:1: there is no key listen outside a section, did you mean [server] listen?");
    EXPECT_EQ(fault_of_file("[serve]\nlisten = \"x\"\n"), "gantry.toml:2:1: there is no key [serve] listen, did you mean [server] listen?");
    EXPECT_EQ(fault_of_file("[zoo]\n"), "gantry.toml:1:2: there is no section [zoo]");
    EXPECT_EQ(fault_of_file("[server]\n"), "loaded");
    EXPECT_EQ(fault_of_environment({"GANTRY_SERVER_LISTE=x"}),
              "GANTRY_SERVER_LISTE: there is no such key, did you mean GANTRY_SERVER_LISTEN?");
    EXPECT_EQ(fault_of_environment({"GANTRY_OTHER=x"}), "GANTRY_OTHER: there is no such key");
    EXPECT_EQ(fault_of_flags({{"server.io-thread", "1"}}), "--server.io-thread: there is no such key, did you mean --server.io-threads?");
    EXPECT_EQ(fault_of_flags({{"server.io_threads", "1"}}), "loaded") << "'_' and '-' are the same in a flag";
}

TEST(Config, WrongValuesSayWhatWasExpected) {
    EXPECT_EQ(fault_of_file("[server]\nio_threads = 0\n"),
              "gantry.toml:2:1: [server] io_threads: expected an integer from 1 to 256, found 0");
    EXPECT_EQ(fault_of_file("[server]\nio_threads = 257\n"),
              "gantry.toml:2:1: [server] io_threads: expected an integer from 1 to 256, found 257");
    EXPECT_EQ(fault_of_file("[server]\nio_threads = \"8\"\n"),
              "gantry.toml:2:1: [server] io_threads: expected an integer from 1 to 256 (a number without quotes), found text in quotes");
    EXPECT_EQ(fault_of_file("[server]\nhosts = [\"a\", 2]\n"),
              "gantry.toml:2:1: [server] hosts: expected text (text in quotes), found a whole number");
    EXPECT_EQ(fault_of_file("[server]\nwindow = \"soon\"\n"),
              "gantry.toml:2:1: [server] window: expected a duration like \"1h30m\", found \"soon\"");
    EXPECT_EQ(fault_of_environment({"GANTRY_SERVER_MODE=write"}),
              "GANTRY_SERVER_MODE: [server] mode: expected one of read_only, read_write, found \"write\"");
    EXPECT_EQ(fault_of_flags({{"server.verbose", "yes"}}), "--server.verbose: [server] verbose: expected true or false, found \"yes\"");
    EXPECT_EQ(fault_of_flags({{"server.ratio", "1"}, {"server.ratio", "2"}}), "--server.ratio: is given twice");
}

TEST(Config, AllFaultsAreNamedAtOnceAndNothingIsTakenIn) {
    Config config = declared();
    auto loaded = config.load({.environment = {"GANTRY_SERVER_IO_THREADS=x"}, .flags = {{"server.listen", "kept?"}, {"nope", "1"}}});
    ASSERT_FALSE(loaded);
    EXPECT_EQ(loaded.error().code, "config_invalid");
    EXPECT_EQ(loaded.error().faults.size(), 2u);
    EXPECT_EQ(source_of(config, "listen"), "127.0.0.1:8080 from default");
}

TEST(Config, ASecretIsInNoMessage) {
    TomlFile file("[server]\ntoken = 12345\n");
    Config config = declared();
    auto loaded = config.load({.file = file.path});
    ASSERT_FALSE(loaded);
    EXPECT_EQ(explain(loaded.error()).find("12345"), std::string::npos);
}

TEST(Config, AMalformedFileSaysWhere) {
    auto said = fault_of_file("[server]\nlisten = \"open\n");
    EXPECT_TRUE(said.starts_with("gantry.toml:2:")) << said;
    EXPECT_EQ(fault_of_file("[server]\nio_threads = 1\nio_threads = 2\n").substr(0, 14), "gantry.toml:3:") << "a key given twice";
}

TEST(Config, AFileThatIsNotThereIsNamed) {
    Config config = declared();
    auto loaded = config.load({.file = "/nowhere/gantry.toml"});
    ASSERT_FALSE(loaded);
    EXPECT_EQ(loaded.error().code, "config_unreadable");
    EXPECT_EQ(explain(loaded.error()), "/nowhere/gantry.toml: there is no such file");
    auto folder = config.load({.file = "/tmp"});
    ASSERT_FALSE(folder);
    EXPECT_EQ(folder.error().code, "config_unreadable");
}

TEST(ConfigDeath, DeclarationsThatCantWorkEndTheProcess) {
    EXPECT_DEATH(section<ServerSettings>("server", {}), "one KeyDoc");
    EXPECT_DEATH(section<ServerSettings>("a_b", {}), "section's name");
    Config config = declared();
    EXPECT_DEATH(config.declare(server_section()), "declared once");
    EXPECT_DEATH((void)config.get<ServerSettings>("absent"), "that their section declares");
}

}  // namespace
}  // namespace gantry::config
