#pragma once
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "kernel/testing/goldens.h"

// What real clients sent (tests/sentry/record.sh records it anew).
namespace gantry::oops {

inline std::string file_text(std::filesystem::path const& path) {
    std::ostringstream out;
    out << std::ifstream(path, std::ios::binary).rdbuf();
    return out.str();
}

struct Recorded {
    std::string name;  // "node11/05"
    std::string path;  // with the query
    std::string auth;  // X-Sentry-Auth
    std::string body;
    bool store() const { return path.find("/store/") != path.npos; }
};
inline std::vector<Recorded> recorded(std::string const& client) {
    std::vector<Recorded> out;
    std::filesystem::path const folder = std::string(source_dir()) + "/services/oops/fixtures/" + client;
    for (auto const& entry : std::filesystem::directory_iterator(folder)) {
        if (entry.path().extension() != ".head") continue;
        std::istringstream head(file_text(entry.path()));
        Recorded one{.name = client + "/" + entry.path().stem().string()};
        std::string line;
        head >> line >> one.path;
        std::string const auth = "x-sentry-auth: ";
        while (std::getline(head, line))
            if (line.starts_with(auth)) one.auth = line.substr(auth.size());
        auto body = entry.path();
        one.body = file_text(body.replace_extension(".body"));
        out.push_back(std::move(one));
    }
    std::sort(out.begin(), out.end(), [](auto const& a, auto const& b) { return a.name < b.name; });
    EXPECT_FALSE(out.empty()) << folder;
    return out;
}

}  // namespace gantry::oops
