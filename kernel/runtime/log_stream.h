#pragma once
#include <functional>
#include <string>
#include <vector>

#include "kernel/log/disk.h"
#include "kernel/runtime/admin.h"

namespace gantry::runtime {

// GET logs/{service}: the log as `gantry log export` writes it, while it is written to. For tools that look at another machine's log.
struct LogStreams {
    log::Disk& disk;
    std::function<std::string(std::string_view service)> directory_of;  // empty: there is no such log on a disk
    std::function<void(std::move_only_function<void()>)> background;
    std::function<void(int io_thread, std::move_only_function<void()>)> post;
};
std::vector<Admin::Route> routes_of(LogStreams const& streams);

}  // namespace gantry::runtime
