// Reading the configuration again while others read it.
#include <fmt/format.h>

#include <atomic>
#include <thread>

#include "kernel/config/config.h"
#include "kernel/config/directory_for_test.h"

namespace gantry::config {
namespace {

struct RoomSettings {
    Bounded<1, 100> chairs = 4;
    Bounded<1, 100> legs = 16;
    Text<1, 100> door = "oak";
    Duration open = Duration::seconds(90);
    std::vector<std::string> guests;
    Secret<std::string> key;
};
RECORD(RoomSettings, chairs, legs, door, open, guests, key);

class Reload : public testing::Test {
   protected:
    Reload() {
        using S = RoomSettings;
        config.declare(section<S>("room", {{&S::chairs, "Chairs.", "", Change::at_once},
                                           {&S::legs, "Legs of all chairs.", "", Change::at_once},
                                           {&S::door, "What the door is made of."},
                                           {&S::open, "How long.", "", Change::at_once},
                                           {&S::guests, "Who comes.", "", Change::at_once},
                                           {&S::key, "What opens.", "", Change::at_once}}));
    }
    Sources said(std::string const& text) const { return {.file = dir.write("gantry.toml", "[room]\n" + text, 0600)}; }
    std::string reload(std::string const& text, Config::Check const& check = {}) {
        auto changes = config.reload(said(text), check);
        if (!changes) return dir.plain(explain(changes.error()));
        std::string out;
        for (auto const& c : *changes)
            out += fmt::format("{}: {} > {}{}\n", c.key->name, c.before, c.after, c.when == Change::at_once ? "" : " (restart)");
        return out;
    }
    RoomSettings now() const { return config.get<RoomSettings>("room"); }
    DirectoryForTest dir;
    Config config;
};

TEST_F(Reload, WhatMayChangeAtOnceIsInEffectAndTheRestIsTold) {
    ASSERT_TRUE(config.load(said("chairs = 5\n")));
    auto const before = config.generation();
    EXPECT_EQ(reload("chairs = 6\ndoor = \"iron\"\n"), "chairs: 5 > 6\ndoor: oak > iron (restart)\n");
    EXPECT_EQ(now().chairs, 6);
    EXPECT_EQ(now().door.view(), "oak");
    EXPECT_GT(config.generation(), before);
    EXPECT_EQ(reload("door = \"iron\"\n"), "chairs: 6 > 4\ndoor: oak > iron (restart)\n") << "back to the default; the door still waits";
    EXPECT_EQ(now().chairs, 4);
    EXPECT_EQ(reload("door = \"oak\"\n"), "");
}

TEST_F(Reload, AnotherSpellingIsNoChange) {
    ASSERT_TRUE(config.load(said("")));
    EXPECT_EQ(reload("open = \"1m30s\"\nchairs = 4\nguests = []\n"), "");
    EXPECT_EQ(reload("guests = [\"a,b\"]\n"), "guests:  > a,b\n");
    EXPECT_EQ(reload("guests = [\"a\", \"b\"]\n"), "guests: a,b > a,b\n");
    EXPECT_EQ(now().guests.size(), 2u);
}

TEST_F(Reload, SecretsAreMasked) {
    auto const key = dir.write("key", "first", 0600);
    auto const text = "key = \"file:" + key + "\"\n";
    ASSERT_TRUE(config.load(said(text)));
    EXPECT_EQ(reload(text), "");
    dir.write("key", "second", 0600);
    EXPECT_EQ(reload(text), "key: [secret] > [secret]\n");
    EXPECT_EQ(now().key.value, "second");
    EXPECT_EQ(reload(""), "key: [secret] > \n");
}

TEST_F(Reload, WithAnyFaultNothingChangesAndAllAreTold) {
    ASSERT_TRUE(config.load(said("chairs = 5\n")));
    auto const before = config.generation();
    EXPECT_EQ(reload("chairs = 6\nlegs = 0\ndor = \"iron\"\n"),
              "gantry.toml:3:1: [room] legs: expected an integer from 1 to 100, found 0\n"
              "gantry.toml:4:1: there is no key [room] dor, did you mean [room] door?");
    EXPECT_EQ(reload("chairs = 6\n[room\n").substr(0, 14), "gantry.toml:3:");
    auto const check = [](Config const& fresh) -> Result<void> {
        auto const room = fresh.get<RoomSettings>("room");
        if (room.door.view() != "iron") return {};
        return fail(Problem{400, "config_invalid", "no", {{"here", fmt::format("an iron door with {} chairs", room.chairs.value)}}});
    };
    EXPECT_EQ(reload("chairs = 6\ndoor = \"iron\"\n", check), "here: an iron door with 6 chairs") << "as a restart would find it";
    auto gone = config.reload({.file = dir.path + "/none.toml"});
    ASSERT_FALSE(gone);
    EXPECT_EQ(gone.error().code, "config_unreadable");
    EXPECT_EQ(now().chairs, 5);
    EXPECT_EQ(config.generation(), before);
    EXPECT_EQ(reload("chairs = 6\n", check), "chairs: 5 > 6\n");
}

TEST_F(Reload, AReaderNeverSeesHalfOfAChange) {
    ASSERT_TRUE(config.load(said("chairs = 1\nlegs = 4\n")));
    std::atomic<bool> done = false;
    std::atomic<int> torn = 0, read = 0;
    std::vector<std::thread> readers;
    for (int i = 0; i < 2; ++i)
        readers.emplace_back([&] {
            while (!done) {
                auto const snapshot = config.snapshot();
                auto const room = snapshot.get<RoomSettings>("room");
                torn += room.legs != 4 * room.chairs || snapshot.get<RoomSettings>("room").chairs != room.chairs, ++read;
            }
        });
    for (int i = 1; i <= 100 || read < 100; ++i) {
        auto const chairs = 1 + i % 20;
        ASSERT_TRUE(config.reload(said(fmt::format("chairs = {}\nlegs = {}\n", chairs, 4 * chairs))));
    }
    done = true;
    for (auto& reader : readers) reader.join();
    EXPECT_EQ(torn, 0);
}

}  // namespace
}  // namespace gantry::config
