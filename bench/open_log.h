#pragma once
#include <memory>
#include <string>

#include "kernel/log/log.h"

namespace gantry::bench {

// The file log as `gantry serve` opens it, in a directory that exists: the system's disk and clock, one committer for
// all. `schemas` of another service than the tracker. Ends the program on a fault.
std::unique_ptr<log::Log> open_log(std::string const& directory, std::string schemas = {});

// Where the batches of a bench are put together: their events lie in `events`, all of type 0.
log::BatchView batch_of(std::string_view events, std::uint32_t count, std::int64_t time_us);

}  // namespace gantry::bench
