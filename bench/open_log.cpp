#include "bench/open_log.h"

#include <fmt/format.h>

#include "bench/tool.h"
#include "kernel/log/file/file_log.h"

namespace gantry::bench {

std::unique_ptr<log::Log> open_log(std::string const& directory) {
    static log::Committer committer;  // outlives every log, which main owns
    auto opened = log::FileLog::open(log::system_disk(), committer, directory, {}, {}, system_clock(), system_random());
    if (!opened) die(fmt::format("log: {}: {}", opened.error().code, opened.error().cause));
    return std::move(*opened);
}

}  // namespace gantry::bench
