#pragma once
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <sstream>
#include <string>

#include "kernel/base/source_dir_for_test.h"

// Golden files for tests. UPDATE_GOLDEN=1 in the environment rewrites them; the diff is then for a person to read.
namespace gantry {

// Holds `text` against the file at `path` below the source tree: EXPECT_TRUE(expect_golden("kernel/codec/golden/binary.txt", text)).
inline ::testing::AssertionResult expect_golden(std::string const& path, std::string const& text) {
    std::string full = std::string(source_dir()) + "/" + path;
    if (char const* update = std::getenv("UPDATE_GOLDEN"); update && *update == '1') {
        std::ofstream(full, std::ios::binary) << text;
        return ::testing::AssertionSuccess();
    }
    std::ostringstream golden;
    golden << std::ifstream(full, std::ios::binary).rdbuf();
    if (golden.str() == text) return ::testing::AssertionSuccess();
    return ::testing::AssertionFailure() << path << " differs (UPDATE_GOLDEN=1 rewrites it). Expected:\n"
                                         << golden.str() << "\nnow:\n"
                                         << text;
}

}  // namespace gantry
