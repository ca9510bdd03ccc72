#include <gtest/gtest.h>

#include <algorithm>

#include "kernel/log/faulty/simulated_disk.h"
#include "kernel/log/subject_keys_file.h"
#include "kernel/log/testing.h"

namespace gantry::log {
namespace {

class SubjectKeysFile : public ::testing::Test {
   protected:
    SubjectKeysFile() { EXPECT_TRUE(disk_.make_directories("/d")); }
    std::unique_ptr<codec::SubjectKeys> open() {
        auto keys = open_subject_keys(disk_, "/d/keys", random_);
        EXPECT_TRUE(keys) << keys.error().detail;
        return keys ? std::move(*keys) : nullptr;
    }
    std::string bytes() { return *read_file(disk_, "/d/keys"); }
    SeededRandom random_{1};
    SimulatedDisk disk_{1};
};

TEST_F(SubjectKeysFile, KeysStayAndErasedOnesAreGone) {
    auto keys = open();
    auto ann = keys->get_or_make("ann"), bob = keys->get_or_make("bob");
    EXPECT_NE(ann, bob);
    EXPECT_EQ(keys->get_or_make("ann"), ann);
    keys.reset();
    keys = open();
    EXPECT_EQ(keys->find("ann"), ann);
    EXPECT_TRUE(keys->erase("ann"));
    EXPECT_FALSE(keys->erase("ann"));
    EXPECT_FALSE(keys->find("ann"));
    std::string const raw(reinterpret_cast<char const*>(ann.data()), ann.size());
    EXPECT_EQ(bytes().find(raw), std::string::npos) << "no byte of it is left";
    keys.reset();
    keys = open();
    EXPECT_FALSE(keys->find("ann"));
    EXPECT_EQ(keys->find("bob"), bob);
    EXPECT_NE(keys->get_or_make("ann"), ann) << "a new life has a new key";
}

TEST_F(SubjectKeysFile, ACopyReadsTheKeysAndLeavesTheFileAlone) {
    auto ann = open()->get_or_make("ann");
    auto const before = bytes();
    auto copy = copy_subject_keys(disk_, "/d/keys", random_);
    ASSERT_TRUE(copy);
    EXPECT_EQ((*copy)->find("ann"), ann);
    auto bob = (*copy)->get_or_make("bob");
    EXPECT_EQ((*copy)->find("bob"), bob);
    EXPECT_TRUE((*copy)->has_room());
    EXPECT_TRUE((*copy)->erase("ann"));
    EXPECT_FALSE((*copy)->find("ann"));
    EXPECT_EQ(bytes(), before);
    EXPECT_EQ(open()->find("ann"), ann);
}

TEST_F(SubjectKeysFile, ACopyOfNoFileHasNoKeysAndMakesNone) {
    auto copy = copy_subject_keys(disk_, "/d/other", random_);
    ASSERT_TRUE(copy);
    EXPECT_FALSE((*copy)->find("ann"));
    EXPECT_FALSE(*disk_.exists("/d/other"));
}

TEST_F(SubjectKeysFile, AKeyIsDurableBeforeItIsGivenOut) {
    auto ann = open()->get_or_make("ann");
    disk_.crash();
    EXPECT_EQ(open()->find("ann"), ann);
    open()->erase("ann");
    disk_.crash();
    EXPECT_FALSE(open()->find("ann"));
}

TEST_F(SubjectKeysFile, TheFileIsItsOwnersAlone) {
    TemporaryDirectory at;
    auto const path = at.path() + "/keys";
    ASSERT_TRUE(open_subject_keys(system_disk(), path, random_));
    auto const mode = std::filesystem::status(path).permissions();
    EXPECT_EQ(mode, std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
}

// The power goes at each write or sync of a first start, and with each sector kept or lost.
TEST_F(SubjectKeysFile, AStartThatWasCutShortIsNoDamage) {
    for (std::uint64_t call = 1; call <= 6; ++call)
        for (std::uint64_t seed = 0; seed < 8; ++seed) {
            SimulatedDisk disk(seed);
            ASSERT_TRUE(disk.make_directories("/d"));
            disk.fail_at(call);
            auto first = open_subject_keys(disk, "/d/keys", random_);
            disk.fail_at(0);
            disk.crash();
            auto again = open_subject_keys(disk, "/d/keys", random_);
            ASSERT_TRUE(again) << call << ": " << again.error().detail;
            auto ann = (*again)->get_or_make("ann");
            again = open_subject_keys(disk, "/d/keys", random_);
            EXPECT_EQ((*again)->find("ann"), ann);
        }
}

TEST_F(SubjectKeysFile, WhatATornWriteLeftIsGoneBeforeTheNextKey) {
    open()->get_or_make("ann");
    auto whole = bytes().size();
    open()->get_or_make(std::string(300, '\x01') + std::string(100, '\0') + "tail");
    auto all = bytes();
    for (std::size_t cut = whole + 1; cut < all.size(); cut += 7) {
        ASSERT_TRUE(write_file_durably(disk_, "/d/keys", all.substr(0, cut)));
        auto bob = open()->get_or_make("bob");
        EXPECT_EQ(open()->find("bob"), bob);
        EXPECT_TRUE(open()->find("ann"));
    }
}

// A record may lie in two sectors, and a power cut keep the second one alone.
TEST_F(SubjectKeysFile, ATornKeyOfWhichOnlyTheEndWasWrittenIsForgotten) {
    auto keys = open();
    auto before = bytes().size();
    for (int n = 0; before / 512 == bytes().size() / 512; ++n) before = bytes().size(), keys->get_or_make(std::string(30, char('a' + n)));
    auto torn = bytes();
    std::fill(torn.begin() + std::ptrdiff_t(before), torn.begin() + 512, '\0');
    ASSERT_TRUE(write_file_durably(disk_, "/d/keys", torn));
    keys = open();
    ASSERT_TRUE(keys);
    EXPECT_EQ(bytes().size(), before);
    EXPECT_TRUE(keys->find(std::string(30, 'a')));
}

TEST_F(SubjectKeysFile, SpaceIsReservedBeforeItIsNeeded) {
    auto keys = open();
    disk_.set_capacity(disk_.used_bytes() + 1000);
    EXPECT_FALSE(keys->has_room()) << "a full disk is no reason to end";
    disk_.set_capacity(~std::uint64_t{0});
    EXPECT_TRUE(keys->has_room());
    disk_.set_capacity(disk_.used_bytes());
    std::uint64_t made = 0;
    for (; keys->has_room(); ++made) keys->get_or_make("subject " + std::to_string(made));
    EXPECT_GT(made, 10'000U);
    for (int n = 0; n < 10'000; ++n) keys->get_or_make("of one command " + std::to_string(n));
    keys = open();
    EXPECT_TRUE(keys->find("subject 0"));
    EXPECT_TRUE(keys->find("of one command 9999"));
    EXPECT_FALSE(keys->has_room());
    disk_.set_capacity(~std::uint64_t{0});
    EXPECT_TRUE(keys->has_room());
}

TEST_F(SubjectKeysFile, ATornKeyInReservedSpaceIsGoneBeforeTheNextKey) {
    auto keys = open();
    auto const ann = keys->get_or_make("ann");
    auto const whole = bytes().size();
    EXPECT_TRUE(keys->has_room());
    keys->get_or_make(std::string(300, 'b'));
    auto all = bytes();
    for (std::size_t cut = whole; cut < whole + 340; cut += 7) {
        auto torn = all;
        std::fill(torn.begin() + std::ptrdiff_t(cut), torn.begin() + std::ptrdiff_t(whole) + 340, '\0');
        ASSERT_TRUE(write_file_durably(disk_, "/d/keys", torn));
        auto bob = open()->get_or_make("bob");
        auto again = open();
        EXPECT_EQ(again->find("ann"), ann);
        EXPECT_EQ(again->find("bob"), bob);
        EXPECT_FALSE(again->find(std::string(300, 'b')));
    }
    auto broken = all;
    broken[20] = char(broken[20] ^ 1);
    ASSERT_TRUE(write_file_durably(disk_, "/d/keys", broken));
    EXPECT_EQ(open_subject_keys(disk_, "/d/keys", random_).error().code, "keys_damaged");
}

TEST_F(SubjectKeysFile, ValuesSealedBeforeAnErasureReadAsErased) {
    auto keys = open();
    auto sealer = codec::make_sealer(*keys, random_);
    auto sealed = sealer.seal("ann", "Ann Lee");
    EXPECT_EQ(sealer.open("ann", sealed), "Ann Lee");
    keys->erase("ann");
    EXPECT_FALSE(sealer.open("ann", sealed));
    disk_.crash();
    keys = open();
    auto later = codec::make_sealer(*keys, random_);
    EXPECT_FALSE(later.open("ann", sealed));
    later.seal("ann", "another life");
    EXPECT_FALSE(later.open("ann", sealed));
}

TEST_F(SubjectKeysFile, ATornEndIsForgottenAndDamageElsewhereIsNamed) {
    open()->get_or_make("ann");
    auto whole = bytes().size();
    open()->get_or_make("bob");
    auto all = bytes();
    for (std::size_t cut = whole; cut < all.size(); ++cut) {
        ASSERT_TRUE(write_file_durably(disk_, "/d/keys", all.substr(0, cut)));
        auto keys = open();
        EXPECT_TRUE(keys->find("ann"));
        EXPECT_FALSE(keys->find("bob"));
    }
    auto broken = all;
    broken[20] = char(broken[20] ^ 1);
    ASSERT_TRUE(write_file_durably(disk_, "/d/keys", broken));
    auto refused = open_subject_keys(disk_, "/d/keys", random_);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, "keys_damaged");
    broken = all, broken[8] = 9;
    ASSERT_TRUE(write_file_durably(disk_, "/d/keys", broken));
    EXPECT_EQ(open_subject_keys(disk_, "/d/keys", random_).error().code, "data_format");
    ASSERT_TRUE(write_file_durably(disk_, "/d/keys", "something else entirely"));
    EXPECT_EQ(open_subject_keys(disk_, "/d/keys", random_).error().code, "keys_damaged");
}

// Found by the fuzzer: a size that reaches beyond the end looked like a torn write, and the keys behind it were cut off.
TEST_F(SubjectKeysFile, ARottenSizeTakesNoOtherKeyAlong) {
    open()->get_or_make("ann");
    open()->get_or_make("bob");
    open()->get_or_make("cat");
    auto keys = open();
    keys->erase("bob");
    auto const all = bytes();
    constexpr std::size_t ann = 16, bob = ann + 43, cat = bob + 43, size_at = 2;
    for (auto [record, value] : {std::pair(ann, 200), std::pair(bob, 3 + 43), std::pair(bob, 200)}) {
        auto broken = all;
        broken[record + size_at] = char(value);
        ASSERT_TRUE(write_file_durably(disk_, "/d/keys", broken));
        auto refused = open_subject_keys(disk_, "/d/keys", random_);
        ASSERT_FALSE(refused) << record << ' ' << value;
        EXPECT_EQ(refused.error().code, "keys_damaged");
        EXPECT_EQ(bytes(), broken) << "nothing is cut off";
    }
    auto broken = all;  // of the last record it can't be told from a write that did not end
    broken[cat + size_at] = char(200);
    ASSERT_TRUE(write_file_durably(disk_, "/d/keys", broken));
    EXPECT_TRUE(open()->find("ann"));
}

// Found by the fuzzer: the erasure of one left the other.
TEST_F(SubjectKeysFile, ASubjectHasOneKey) {
    open()->get_or_make("ann");
    auto const one = bytes();
    ASSERT_TRUE(write_file_durably(disk_, "/d/keys", one + one.substr(16)));
    auto refused = open_subject_keys(disk_, "/d/keys", random_);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, "keys_damaged");
}

}  // namespace
}  // namespace gantry::log
