#pragma once
// What the tests of the command line share: the whole program but main(), run in this process with its streams captured.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "app/cli.h"
#include "app/exit_codes.h"

namespace gantry::app {

class Directory {
   public:
    Directory() : path_((std::filesystem::temp_directory_path() / "gantry-app-XXXXXX").string()) {
        EXPECT_NE(::mkdtemp(path_.data()), nullptr);
    }
    ~Directory() { std::filesystem::remove_all(path_); }
    Directory(Directory const&) = delete;
    std::string operator/(std::string const& name) const { return path_ + "/" + name; }
    std::string const& path() const { return path_; }
    std::string write(std::string const& name, std::string_view text) const {
        std::filesystem::create_directories(std::filesystem::path(*this / name).parent_path());
        std::ofstream(*this / name, std::ios::binary) << text;
        return *this / name;
    }

   private:
    std::string path_;
};

inline std::string contents(std::string const& path) {
    std::ostringstream out;
    out << std::ifstream(path, std::ios::binary).rdbuf();
    return out.str();
}

// A variable of the environment, for as long as this lives.
class Variable {
   public:
    Variable(std::string name, std::string const& value) : name_(std::move(name)) { ::setenv(name_.c_str(), value.c_str(), 1); }
    ~Variable() { ::unsetenv(name_.c_str()); }
    Variable(Variable const&) = delete;

   private:
    std::string name_;
};

struct Ran {
    int code = -1;
    std::string out, err;
};

// Descriptors 0 to 2 as files in memory, for as long as this lives.
class Streams {
   public:
    explicit Streams(std::string_view in) {
        for (int fd = 0; fd < 3; ++fd) {
            files_[fd] = ::memfd_create("stream", MFD_CLOEXEC), kept_[fd] = ::fcntl(fd, F_DUPFD_CLOEXEC, 3);
            if (fd == 0) EXPECT_EQ(::pwrite(files_[0], in.data(), in.size(), 0), ssize_t(in.size()));
            ::dup2(files_[fd], fd);
        }
        std::rewind(stdin);
    }
    ~Streams() { restore(); }
    void restore() {
        std::fflush(stdout), std::fflush(stderr);
        for (int fd = 0; fd < 3; ++fd)
            if (kept_[fd] >= 0) ::dup2(kept_[fd], fd), ::close(std::exchange(kept_[fd], -1));
    }
    std::string text(int fd) const {
        std::string out(std::size_t(::lseek(files_[fd], 0, SEEK_END)), '\0');
        EXPECT_EQ(::pread(files_[fd], out.data(), out.size(), 0), ssize_t(out.size()));
        return out;
    }

   private:
    std::array<int, 3> files_{}, kept_{};
};

// gantry ARGUMENTS… with `in` on standard input; no stream is a terminal.
inline Ran gantry(std::vector<std::string> const& arguments, std::string_view in = {}) {
    std::vector<char const*> argv{"gantry"};
    for (auto const& a : arguments) argv.push_back(a.c_str());
    argv.push_back(nullptr);
    Streams streams(in);
    Ran ran;
    ran.code = run(int(argv.size()) - 1, argv.data());
    streams.restore();
    ran.out = streams.text(1), ran.err = streams.text(2);
    return ran;
}

inline bool has(std::string_view text, std::string_view part) { return text.find(part) != text.npos; }

}  // namespace gantry::app
