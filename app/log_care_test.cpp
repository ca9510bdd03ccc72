// gantry log verify, repair, export, import and upgrade, on logs that are well and on logs that aren't.
#include "app/log_fixture_test.h"

namespace gantry::app {
namespace {

class Care : public LogCommands {
   protected:
    // Note 30 of 100 has a bit turned, in a segment with others after it.
    void damage() {
        many();
        for (auto const& file : segments())
            if (has(contents(file), "note 30.")) damaged_ = file, spoil(file, "note 30.");
        ASSERT_NE(damaged_, "");
        ASSERT_NE(damaged_, segments().back());
    }
    std::string damaged_;
};

TEST_F(Care, AWholeLogIsWhole) {
    many(20);
    auto ran = log("verify");
    EXPECT_EQ(ran.code, exit_ok) << ran.err;
    EXPECT_TRUE(ran.out.starts_with("20 events (1 to 20) in ")) << ran.out;
    EXPECT_TRUE(ran.out.ends_with("\nwhole\n")) << ran.out;
    auto json = log("verify", {"--json"});
    EXPECT_EQ(json.code, exit_ok);
    EXPECT_TRUE(json.out.starts_with(R"({"ok":true,"segments":)")) << json.out;
    EXPECT_TRUE(json.out.ends_with("\"torn_bytes\":0,\"damages\":[]}\n")) << json.out;
    auto repair = log("repair");
    EXPECT_EQ(repair.code, exit_ok) << repair.err;
    EXPECT_EQ(repair.out, "The log is whole: nothing to repair.\n");
    EXPECT_TRUE(log("repair", {"--json"}).out.starts_with(R"({"repaired":false,)"));
    EXPECT_EQ(log("repair", {"--dry-run"}).code, exit_ok);
}

TEST_F(Care, DamageIsNamedWithItsPlaceAndItsRemedyByAllThatRead) {
    damage();
    auto verify = log("verify");
    EXPECT_EQ(verify.code, exit_data);
    EXPECT_TRUE(has(verify.out, "damaged: " + damaged_ + " at offset ")) << verify.out;
    EXPECT_TRUE(has(verify.out, ", position 30: ")) << verify.out;
    EXPECT_TRUE(has(verify.out, "gantry log repair --dry-run")) << verify.out;
    auto json = log("verify", {"--json"});
    EXPECT_EQ(json.code, exit_data);
    EXPECT_TRUE(has(json.out, R"({"ok":false,)") && has(json.out, R"("damages":[{"file":")" + damaged_ + R"(","offset":)")) << json.out;
    auto cat = log("cat");
    EXPECT_EQ(cat.code, exit_data);
    EXPECT_EQ(std::ranges::count(cat.out, '\n'), 29) << "what is in front of it is shown";
    EXPECT_TRUE(has(cat.err, damaged_) && has(cat.err, "gantry log repair")) << cat.err;
    auto exported = log("export", {dir / "out"});
    EXPECT_EQ(exported.code, exit_data);
    EXPECT_TRUE(has(exported.err, damaged_)) << exported.err;
    EXPECT_EQ(log("tail", {"-n", "5"}).code, exit_ok) << "behind the damage all is well";
}

TEST_F(Care, ADryRunOfRepairChangesNothing) {
    damage();
    auto before = contents(damaged_);
    auto files = segments();
    auto ran = log("repair", {"--dry-run"});
    EXPECT_EQ(ran.code, exit_data);
    EXPECT_TRUE(has(ran.out, "Kept: up to position 29.")) << ran.out;
    EXPECT_TRUE(has(ran.out, "Lost: positions 30 to 100")) << ran.out;
    auto json = log("repair", {"--dry-run", "--json"});
    EXPECT_EQ(json.code, exit_data);
    EXPECT_TRUE(json.out.starts_with(R"({"repaired":false,"last_kept":29,"last_lost":100,)")) << json.out;
    EXPECT_EQ(segments(), files);
    EXPECT_EQ(contents(damaged_), before);
}

TEST_F(Care, RepairCutsAtTheDamageAndKeepsWhatItCut) {
    damage();
    auto ran = log("repair", {"--json"});
    EXPECT_EQ(ran.code, exit_ok) << ran.err;
    EXPECT_TRUE(ran.out.starts_with(R"({"repaired":true,"last_kept":29,"last_lost":100,"aside":[")")) << ran.out;
    EXPECT_TRUE(has(ran.out, R"(.damaged")")) << ran.out;
    EXPECT_EQ(log("verify").code, exit_ok);
    EXPECT_EQ(std::ranges::count(log("cat").out, '\n'), 29);
    NotesLog notes(data());
    notes.write({noted::Created{"after", 1}});
    notes.close();
    EXPECT_TRUE(has(log("tail", {"-n", "1"}).out, R"({"position":30,)")) << log("tail").out;
}

TEST_F(Care, WhatCutsWantsTheDataForItself) {
    three_batches();
    auto held = log::DataDirectory::open(log::system_disk(), data());
    ASSERT_TRUE(held);
    ASSERT_EQ(log("export", {dir / "out"}).code, exit_ok) << "an export only reads";
    EXPECT_EQ(log("cat").code, exit_ok);
    EXPECT_EQ(log("verify").code, exit_ok);
    for (std::vector<std::string> more : {std::vector<std::string>{"repair"}, {"upgrade"}, {"import", dir / "out"}}) {
        auto verb = more.front();
        more.erase(more.begin());
        auto ran = log(verb, more);
        EXPECT_EQ(ran.code, exit_data) << verb;
        EXPECT_TRUE(has(ran.err, data())) << ran.err;
        EXPECT_TRUE(has(ran.err, std::to_string(::getpid())) || has(ran.err, "another process")) << ran.err;
    }
}

TEST_F(Care, DataOfAnotherVersionIsRefusedWithTheRemedy) {
    three_batches();
    dir.write("data/FORMAT", "gantry data 9\n");
    auto ran = log("repair");
    EXPECT_EQ(ran.code, exit_data);
    EXPECT_TRUE(has(ran.err, "FORMAT") || has(ran.err, "format")) << ran.err;
}

TEST_F(Care, AnExportComesBackEqual) {
    many();
    auto ran = log("export", {dir / "out"});
    ASSERT_EQ(ran.code, exit_ok) << ran.err;
    EXPECT_EQ(ran.out + ran.err, "");
    auto piped = log("export");
    EXPECT_EQ(piped.out, contents(dir / "out")) << "without a name it goes to standard output";
    auto taken = gantry({"log", "import", "copy", dir / "out", "--data", data()});
    EXPECT_EQ(taken.code, exit_ok) << taken.err;
    EXPECT_TRUE(taken.out.starts_with("100 events (1 to 100)")) << taken.out;
    auto original = log("cat").out;
    EXPECT_EQ(gantry({"log", "cat", "copy", "--data", data()}).out, original);
    EXPECT_EQ(gantry({"log", "verify", "copy", "--data", data()}).code, exit_ok);
    auto from_pipe = gantry({"log", "import", "piped", "--json", "--data", data()}, piped.out);
    EXPECT_EQ(from_pipe.code, exit_ok) << from_pipe.err;
    EXPECT_TRUE(from_pipe.out.starts_with(R"({"ok":true,)")) << from_pipe.out;
    EXPECT_EQ(gantry({"log", "cat", "piped", "--data", data()}).out, original);
}

TEST_F(Care, AnExportOverwritesNothingAndAnImportNeither) {
    three_batches();
    auto there = dir.write("out", "mine");
    auto ran = log("export", {there});
    EXPECT_EQ(ran.code, exit_failed);
    EXPECT_TRUE(has(ran.err, there)) << ran.err;
    EXPECT_EQ(contents(there), "mine");
    ASSERT_EQ(log("export", {dir / "good"}).code, exit_ok);
    auto before = log("cat").out;
    auto again = log("import", {dir / "good"});
    EXPECT_EQ(again.code, exit_data);
    EXPECT_TRUE(has(again.err, "/main/notes/log")) << again.err;
    EXPECT_EQ(log("cat").out, before);
}

TEST_F(Care, AWrongStreamIsNotTaken) {
    three_batches();
    auto stream = log("export").out;
    auto import = [&](std::string_view in) { return gantry({"log", "import", "copy", "--data", data()}, in); };
    for (auto const& wrong : {std::string(), std::string("rubbish"), stream.substr(0, stream.size() - 1), stream + "x"}) {
        auto ran = import(wrong);
        EXPECT_EQ(ran.code, exit_data) << ran.err;
        EXPECT_NE(ran.err, "");
        EXPECT_FALSE(std::filesystem::exists(data() + "/main/copy/log")) << "nothing is left of it";
    }
    EXPECT_EQ(gantry({"log", "import", "copy", dir / "none", "--data", data()}).code, exit_failed);
    EXPECT_EQ(import(stream).code, exit_ok) << "and then it works";
}

TEST_F(Care, ACurrentLogNeedsNoUpgrade) {
    three_batches();
    auto ran = log("upgrade");
    EXPECT_EQ(ran.code, exit_ok) << ran.err;
    EXPECT_EQ(ran.out, "The log has the current format, 1.\n");
    EXPECT_EQ(log("upgrade", {"--json"}).out, "{\"from\":1,\"to\":1,\"batches\":0,\"kept\":\"\"}\n");
}

}  // namespace
}  // namespace gantry::app
