#include <gtest/gtest.h>

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
