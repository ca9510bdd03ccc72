#include "bench/open_log.h"

#include "bench/tool.h"
#include "kernel/codec/schema.h"
#include "kernel/log/file/committer.h"
#include "kernel/log/file/file_log.h"
#include "services/tracker/tracker.h"

namespace gantry::bench {

std::unique_ptr<log::Log> open_log(std::string const& directory, std::string schemas) {
    static log::Committer committer;
    if (schemas.empty()) schemas = codec::encode_event_schema(codec::type_of<tracker::Event>());
    auto opened = log::FileLog::open(log::system_disk(), committer, directory, {}, std::move(schemas), system_clock(), system_random(),
                                     log::ClockAhead::accept);
    if (!opened) die(fmt::format("log: {}: {} {}", opened.error().code, opened.error().detail, opened.error().cause));
    return std::move(*opened);
}

}  // namespace gantry::bench
