#pragma once
// What tests of files share: a directory that lives as long as the object, and a user whom permissions bind.
#include <grp.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>
#include <vector>

namespace gantry::config {

class DirectoryForTest {
   public:
    DirectoryForTest() : path((std::filesystem::temp_directory_path() / "gantry-config-XXXXXX").string()) {
        EXPECT_NE(::mkdtemp(path.data()), nullptr);
        ::chmod(path.c_str(), 0755);
    }
    ~DirectoryForTest() { std::filesystem::remove_all(path); }
    DirectoryForTest(DirectoryForTest const&) = delete;
    // Gives its path; whoever runs the test owns it.
    std::string write(std::string const& name, std::string_view text, mode_t mode) const {
        auto const file = path + "/" + name;
        std::filesystem::remove(file);
        std::ofstream(file, std::ios::binary) << text;
        EXPECT_EQ(::chmod(file.c_str(), mode), 0);
        return file;
    }
    // The directory's name taken out of a message.
    std::string plain(std::string said) const {
        for (std::size_t at; (at = said.find(path + "/")) != said.npos;) said.erase(at, path.size() + 1);
        return said;
    }
    std::string path;
};

// root passes every permission check: for as long as this lives the process is nobody, if it may become that.
class Unprivileged {
   public:
    Unprivileged() : was_root_(::geteuid() == 0) {
        if (!was_root_) return;
        groups_.resize(std::size_t(std::max(0, ::getgroups(0, nullptr))));
        is_ = ::getgroups(int(groups_.size()), groups_.data()) >= 0 && ::setgroups(0, nullptr) == 0 && ::setegid(nobody) == 0 &&
              ::seteuid(nobody) == 0;
        if (!is_) restore();
    }
    ~Unprivileged() { restore(); }
    Unprivileged(Unprivileged const&) = delete;
    bool is() const { return is_; }
    static constexpr char const* why_not() { return "runs as root and can't become another user"; }

   private:
    static constexpr unsigned nobody = 65534;
    void restore() const {
        if (was_root_) EXPECT_TRUE(::seteuid(0) == 0 && ::setegid(0) == 0 && (!is_ || ::setgroups(groups_.size(), groups_.data()) == 0));
    }
    bool was_root_, is_ = true;
    std::vector<gid_t> groups_;
};

}  // namespace gantry::config
