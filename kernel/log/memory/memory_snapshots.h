#pragma once
#include <memory>

#include "kernel/log/log.h"

namespace gantry::log {

std::unique_ptr<Snapshots> memory_snapshots();

}  // namespace gantry::log
