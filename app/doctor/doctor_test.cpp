// gantry doctor, whole.
#include <fmt/format.h>

#include "app/doctor/fixture_test.h"

namespace gantry::app::doctor {
namespace {

class DoctorCommand : public DoctorTest {
   protected:
    Ran run(std::vector<std::string> arguments) {
        arguments.insert(arguments.begin(), {"doctor", "--data", dir / "data", "--listen", "127.0.0.1:0"});
        return gantry(arguments);
    }
};

TEST_F(DoctorCommand, SaysWhatIsFineAndExits0) {
    auto ran = run({});
    EXPECT_EQ(ran.code, exit_ok) << ran.out;
    EXPECT_TRUE(has(ran.out, "ok       configuration          good; no file\n")) << ran.out;
    EXPECT_TRUE(has(ran.out, "ok       port                   any that is free\n")) << ran.out;
    EXPECT_TRUE(has(ran.out, " to look at, 0 wrong\n")) << ran.out;
    EXPECT_FALSE(std::filesystem::exists(dir / "data")) << "it changes nothing";
    auto json = run({"--json"});
    EXPECT_EQ(json.code, exit_ok);
    EXPECT_TRUE(
        json.out.starts_with(R"({"ok":true,"checks":[{"name":"configuration","verdict":"ok","found":"good; no file","remedy":""},)"))
        << json.out;
}

TEST_F(DoctorCommand, AProblemHasARemedyAndExits1) {
    dir.write("data", "a file");
    auto ran = run({});
    EXPECT_EQ(ran.code, exit_failed);
    EXPECT_TRUE(has(ran.out, fmt::format("problem  data directory         {} is no directory\n{:32}→ name another one with --data\n",
                                         dir / "data", "")))
        << ran.out;
    auto json = run({"--json"});
    EXPECT_EQ(json.code, exit_failed);
    EXPECT_TRUE(has(json.out, R"({"ok":false,)") && has(json.out, R"("verdict":"problem")")) << json.out;
}

TEST_F(DoctorCommand, FaultsOfTheConfigurationAreNamedAndTheRestIsLookedAt) {
    auto const file = dir.write("gantry.toml", "[server]\nlisen = \"x\"\nio_threads = -1\n");
    auto ran = run({"--config", file});
    EXPECT_EQ(ran.code, exit_failed);
    EXPECT_TRUE(has(ran.out, "problem  configuration          " + file + ":2:1: there is no key [server] lisen")) << ran.out;
    EXPECT_TRUE(has(ran.out, file + ":3:1: [server] io_threads")) << ran.out;
    EXPECT_TRUE(has(ran.out, " memory ")) << ran.out;
    EXPECT_TRUE(has(gantry({"doctor", "--data", dir / "data", "--listen", "nowhere"}).out, "ADDR:PORT"));
}

TEST_F(DoctorCommand, ALogInMemoryNeedsNoDisk) {
    auto ran = run({"--log", "memory:"});
    EXPECT_FALSE(has(ran.out, "data directory")) << ran.out;
    EXPECT_TRUE(has(run({"--log", "file:" + dir.write("file", "")}).out, dir / "file" + " is no directory"));
}

}  // namespace
}  // namespace gantry::app::doctor
