#include "kernel/observe/log_for_test.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>

namespace gantry::observe {

ScratchDirectory::ScratchDirectory() {
    std::string name = (std::filesystem::temp_directory_path() / "gantry-log-XXXXXX").string();
    path_ = ::mkdtemp(name.data());
}
ScratchDirectory::~ScratchDirectory() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
}
std::string read_file(std::string const& path) {
    std::ifstream in(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
}

}  // namespace gantry::observe
