// Secrets from files, and files that can't be used.
#include "kernel/config/files.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include "kernel/config/config.h"
#include "kernel/config/directory_for_test.h"
#include "kernel/config/docs.h"

namespace gantry::config {
namespace {

struct KeeperSettings {
    Secret<Text<1, 100>> token;
    Secret<Bounded<1, 9999>> pin;
    std::optional<Secret<std::string>> salt;
    Secret<std::vector<std::string>> words;
    Secret<std::string> preset{"preset-value"};
};
RECORD(KeeperSettings, token, pin, salt, words, preset);

Section keeper_section() {
    using S = KeeperSettings;
    return section<S>("keeper", {{&S::token, "What admits."},
                                 {&S::pin, "A number."},
                                 {&S::salt, "Makes hashes differ."},
                                 {&S::words, "Several."},
                                 {&S::preset, "Has a default."}});
}

class SecretFiles : public testing::Test {
   protected:
    SecretFiles() { config.declare(keeper_section()); }
    std::string said(Result<void> const& loaded) { return loaded ? "loaded" : dir.plain(explain(loaded.error())); }
    std::string load(std::string const& text, std::vector<std::string> environment = {}, mode_t mode = 0600) {
        return said(config.load({.file = dir.write("gantry.toml", text, mode), .environment = std::move(environment)}));
    }
    std::string load_token(std::string const& reference) { return load("[keeper]\ntoken = \"" + reference + "\"\n"); }
    DirectoryForTest dir;
    Config config;
};

TEST_F(SecretFiles, AReferenceIsReadAndOneNewlineIsCut) {
    auto const token = dir.write("token", "hush hush\n\n", 0600);
    auto const pin = dir.write("pin", "1234\n", 0640);
    EXPECT_EQ(
        load(fmt::format("[keeper]\ntoken = \"file:{}\"\npin = \"file:{}\"\nwords = [\"file:{}\", \"file:{}\"]\n", token, pin, pin, pin)),
        "loaded");
    auto const s = config.get<KeeperSettings>("keeper");
    EXPECT_EQ(s.token.value.view(), "hush hush\n");
    EXPECT_EQ(s.pin.value, 1234);
    EXPECT_EQ(s.words.value, (std::vector<std::string>{"1234", "1234"}));
    EXPECT_EQ(config.show()[0].value, "[secret]");
    EXPECT_EQ(dir.plain(config.show()[0].source), "gantry.toml:2 (file:token)");
}

TEST_F(SecretFiles, FlagsAndEnvironmentReferToo) {
    auto const token = dir.write("token", "hush", 0600);
    EXPECT_EQ(load("", {"GANTRY_KEEPER_SALT=file:" + token}), "loaded");
    EXPECT_EQ(config.get<KeeperSettings>("keeper").salt->value, "hush");
    EXPECT_EQ(said(config.load({.flags = {{"keeper.token", "file:" + token}}})), "loaded");
    EXPECT_EQ(config.get<KeeperSettings>("keeper").token.value.view(), "hush");
}

TEST_F(SecretFiles, ACredentialOfSystemd) {
    dir.write("token", "hush\n", 0400);
    auto const variable = "CREDENTIALS_DIRECTORY=" + dir.path;
    EXPECT_EQ(load("[keeper]\ntoken = \"credential:token\"\n", {variable}), "loaded");
    EXPECT_EQ(config.get<KeeperSettings>("keeper").token.value.view(), "hush");
    auto const none = load("[keeper]\ntoken = \"credential:token\"\n");
    EXPECT_TRUE(none.starts_with("gantry.toml:2:1: [keeper] token: there is no $CREDENTIALS_DIRECTORY")) << none;
    EXPECT_NE(none.find("LoadCredential=token:"), none.npos) << none;
    for (auto wrong : {"credential:", "credential:..", "credential:a/b"})
        EXPECT_NE(load(std::string("[keeper]\ntoken = \"") + wrong + "\"\n", {variable}).find("expected credential:"), std::string::npos)
            << wrong;
}

TEST_F(SecretFiles, AFileThatCantBeUsedIsNamedWithTheRemedy) {
    auto const place = "gantry.toml:2:1: [keeper] token: ";
    EXPECT_EQ(load_token("file:" + dir.path + "/none"), std::string(place) + "none: there is no such file");
    ASSERT_EQ(::symlink("/nowhere/at/all", (dir.path + "/link").c_str()), 0);
    EXPECT_EQ(load_token("file:" + dir.path + "/link"), std::string(place) + "link: is a link to /nowhere/at/all, which is not there");
    ASSERT_EQ(::mkdir((dir.path + "/folder").c_str(), 0700), 0);
    EXPECT_EQ(load_token("file:" + dir.path + "/folder"), std::string(place) + "folder: is a directory: name the file in it");
    ASSERT_EQ(::mkfifo((dir.path + "/pipe").c_str(), 0600), 0);
    EXPECT_EQ(load_token("file:" + dir.path + "/pipe"), std::string(place) + "pipe: is no regular file");
    EXPECT_EQ(load_token("file:token"), std::string(place) + "expected file: and an absolute path, found \"file:token\"");
    for (mode_t mode : {0604, 0602, 0601}) {
        auto const open = dir.write("open", "hush", mode);
        EXPECT_EQ(load_token("file:" + open),
                  std::string(place) + fmt::format("open: everybody on this machine may use it (mode {:04o}): chmod o-rwx open", mode));
    }
    EXPECT_EQ(load_token("file:" + dir.write("group", "hush", 0660)), "loaded");
    EXPECT_EQ(load_token("file:" + dir.write("empty", "\n", 0600)), std::string(place) + "empty: is empty: put the secret into it");
    EXPECT_EQ(load_token("file:" + dir.write("long", std::string(101, 'x'), 0600)).find("xx"), std::string::npos);
}

TEST_F(SecretFiles, TheSizeIsBounded) {
    auto const salt = [&](std::size_t bytes) {
        return load(fmt::format("[keeper]\nsalt = \"file:{}\"\n", dir.write("salt", std::string(bytes, 's'), 0600)));
    };
    EXPECT_EQ(salt(secret_bytes_max), "loaded");
    EXPECT_EQ(salt(secret_bytes_max + 1), "gantry.toml:2:1: [keeper] salt: salt: is larger than 64 KiB, which is the most");
}

TEST_F(SecretFiles, WithoutPermissionTheUserIsNamed) {
    Unprivileged const nobody;
    if (!nobody.is()) GTEST_SKIP() << nobody.why_not();
    DirectoryForTest const mine;
    auto const own = mine.write("own", "hush", 0000);
    EXPECT_EQ(mine.plain(said(config.load({.flags = {{"keeper.token", "file:" + own}}}))),
              fmt::format("--keeper.token: [keeper] token: own: permission denied: let the user {} read it and enter the directories above "
                          "it (chown, chmod)",
                          ::geteuid()));
}

TEST_F(SecretFiles, APlainSecretStandsOnlyInAFileThatNotEverybodyReads) {
    EXPECT_EQ(load("[keeper]\ntoken = \"hush\"\n", {}, 0640), "loaded");
    auto const open = load("[keeper]\ntoken = \"hush\"\n", {}, 0644);
    EXPECT_EQ(open,
              "gantry.toml:2:1: [keeper] token: a secret stands here, and everybody on this machine may read the file: chmod o-rwx "
              "gantry.toml, or put the secret into a file of its own and say file:/path");
    auto const token = dir.write("token", "hush", 0600);
    EXPECT_EQ(load("[keeper]\ntoken = \"file:" + token + "\"\n", {}, 0644), "loaded");
    EXPECT_EQ(load("[keeper]\nwords = [\"file:" + token + "\", \"plain\"]\n", {}, 0644).substr(0, 31), "gantry.toml:2:1: [keeper] words");
}

TEST_F(SecretFiles, ASecretIsInNoOutput) {
    auto const pin = dir.write("pin", "classified", 0600);
    auto const wrong = load("[keeper]\npin = \"file:" + pin + "\"\n");
    EXPECT_EQ(wrong, "gantry.toml:2:1: [keeper] pin: expected an integer from 1 to 9999");
    EXPECT_EQ(load("[keeper]\ntoken = \"classified\"\n"), "loaded");
    for (auto const& origin : config.show()) EXPECT_EQ((origin.value + origin.source).find("classified"), std::string::npos);
    auto const page = reference_page(config.sections());
    EXPECT_EQ(page.find("preset-value"), std::string::npos);
    EXPECT_NE(page.find("- takes text; **secret**\n- default: `[secret]`\n"), std::string::npos) << page;
}

TEST_F(SecretFiles, AConfigurationFileThatCantBeReadSaysWhy) {
    auto said_of = [&](std::string const& path) {
        auto loaded = config.load({.file = path});
        EXPECT_TRUE(loaded || loaded.error().code == "config_unreadable");
        return said(loaded);
    };
    EXPECT_EQ(said_of(dir.path + "/none.toml"), "none.toml: there is no such file");
    ASSERT_EQ(::mkdir((dir.path + "/folder").c_str(), 0700), 0);
    EXPECT_EQ(said_of(dir.path + "/folder"), "folder: is a directory: name the file in it");
    ASSERT_EQ(::symlink("gone.toml", (dir.path + "/link.toml").c_str()), 0);
    EXPECT_EQ(said_of(dir.path + "/link.toml"), "link.toml: is a link to gone.toml, which is not there");
    EXPECT_EQ(said_of(dir.write("latin.toml", "[keeper]\n# caf\xe9\n", 0600)),
              "latin.toml: is not UTF-8: line 2 has a byte that can't be there");
    EXPECT_EQ(said_of(dir.write("big.toml", std::string(config_bytes_max, '#'), 0600)), "loaded");
    EXPECT_EQ(said_of(dir.write("huge.toml", std::string(config_bytes_max + 1, '#'), 0600)),
              "huge.toml: is larger than 1024 KiB, which is the most");
    EXPECT_EQ(said_of("/dev/zero"), "/dev/zero: is larger than 1024 KiB, which is the most");
}

}  // namespace
}  // namespace gantry::config
