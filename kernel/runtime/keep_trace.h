#pragma once
#include <functional>

#include "kernel/observe/trace_store.h"

namespace gantry::runtime {

// Takes the trace of work that no request waits for, after its end: it is kept, and sent, if somebody will ask for it.
using KeepTrace = std::function<void(observe::RequestTrace const&, observe::TraceOutcome const&)>;

}  // namespace gantry::runtime
