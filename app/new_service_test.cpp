#include "app/new_service.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "kernel/base/source_dir_for_test.h"

namespace gantry::app {
namespace {

namespace fs = std::filesystem;

class NewServiceTest : public ::testing::Test {
   protected:
    NewServiceTest() : root_(fs::temp_directory_path() / ("gantry_new_" + std::to_string(getpid()))) {
        fs::remove_all(root_);
        for (auto file : {"CMakeLists.txt", "app/services.cpp", "console/src/pages.js", "services/README.md"}) {
            fs::create_directories((root_ / file).parent_path());
            fs::copy_file(fs::path(source_dir()) / file, root_ / file);
        }
    }
    ~NewServiceTest() override { fs::remove_all(root_); }
    std::string text(std::string const& file) {
        std::ostringstream out;
        out << std::ifstream(root_ / file).rdbuf();
        return out.str();
    }
    fs::path root_;
};

TEST_F(NewServiceTest, WritesTheFilesAndTheLines) {
    auto made = new_service((root_ / "services").string(), "things");
    ASSERT_TRUE(made) << made.error().detail;
    EXPECT_EQ(made->made.size(), 6u);
    EXPECT_EQ(made->changed.size(), 3u);
    EXPECT_NE(text("services/things/things.cpp").find("namespace gantry::things"), std::string::npos);
    EXPECT_NE(text("services/things/things_test.cpp").find("TEST(Things, "), std::string::npos);
    for (auto const& file : made->made) EXPECT_EQ(text(file).find("@name@"), std::string::npos) << file;
    EXPECT_NE(text("app/services.cpp").find("#include \"services/things/things.h\"\n#include \"services/tracker/tracker.h\"\n"),
              std::string::npos);
    EXPECT_NE(text("app/services.cpp").find("runtime::declare<things::Service>(),\n        // services: end"), std::string::npos);
    EXPECT_NE(text("console/src/pages.js").find("import { page as thingsPage } from \"./things.js\";\n"), std::string::npos);
    EXPECT_NE(text("console/src/pages.js").find(", thingsPage];"), std::string::npos);
    EXPECT_NE(text("services/README.md").find("| `things` |"), std::string::npos);
    ASSERT_TRUE(new_service(root_.string(), "shelves")) << "a second one finds its places, too";
    ASSERT_TRUE(new_service(root_.string(), "zoo"));
    EXPECT_NE(text("app/services.cpp")
                  .find("shelves.h\"\n#include \"services/things/things.h\"\n#include \"services/tracker/tracker.h\"\n"
                        "#include \"services/zoo/zoo.h\"\n\n"),
              std::string::npos);
    EXPECT_NE(text("console/src/pages.js").find(", thingsPage, shelvesPage, zooPage];"), std::string::npos);
}

TEST_F(NewServiceTest, OverwritesNothing) {
    ASSERT_TRUE(new_service(root_.string(), "things"));
    auto before = text("app/services.cpp");
    auto again = new_service(root_.string(), "things");
    ASSERT_FALSE(again);
    EXPECT_EQ(again.error().code, "service_exists");
    EXPECT_EQ(text("app/services.cpp"), before);
    fs::create_directories(root_ / "services/empty");
    again = new_service(root_.string(), "empty");
    ASSERT_FALSE(again);
    EXPECT_EQ(again.error().code, "service_exists") << "a folder that is there is somebody's";
}

TEST_F(NewServiceTest, NamesAreChecked) {
    for (auto name :
         {"", "a", "Things", "2things", "my_things", "my-things", "class", "constexpr", "bitand", "errno", "log", "route", "things!"}) {
        auto made = new_service(root_.string(), name);
        ASSERT_FALSE(made) << name;
        EXPECT_EQ(made.error().code, "name_invalid") << name;
    }
    EXPECT_FALSE(new_service(root_.string(), std::string(31, 'a')));
    EXPECT_TRUE(new_service(root_.string(), std::string(30, 'a')));
    EXPECT_TRUE(new_service(root_.string(), "ab"));
}

TEST_F(NewServiceTest, ElsewhereItSaysWhereToGo) {
    auto made = new_service("/", "things");
    ASSERT_FALSE(made);
    EXPECT_EQ(made.error().code, "no_checkout");
    fs::remove(root_ / "console/src/pages.js");
    auto half = new_service(root_.string(), "things");
    ASSERT_FALSE(half);
    EXPECT_EQ(half.error().code, "checkout_unreadable");
    EXPECT_FALSE(fs::exists(root_ / "services/things"));
}

}  // namespace
}  // namespace gantry::app
