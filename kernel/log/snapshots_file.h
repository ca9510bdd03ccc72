#pragma once
#include <memory>
#include <string>

#include "kernel/log/disk.h"
#include "kernel/log/log.h"

namespace gantry::log {

// Snapshots as files of one directory (docs/log-format.md, "Snapshots"). A name appears only when its content is durable.
std::unique_ptr<Snapshots> file_snapshots(Disk& disk, std::string directory);

}  // namespace gantry::log
