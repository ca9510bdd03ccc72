#pragma once
#include <memory>

#include "kernel/codec/any_value.h"
#include "kernel/runtime/host.h"

namespace gantry::runtime {

// One event of a host's log, durable and still there, as today's variant; it owns its bytes. Fails with what makes the log unreadable, and
// 410 "position_gone" where it was cut.
Result<codec::AnyValue> event_at(Host const& host, Position position);
// Null where the log was cut. `place`: for several, one after the other.
Result<std::shared_ptr<void const>> event_if_kept(Host const& host, Position position, RecentEvents::Place& place);
Result<std::shared_ptr<void const>> event_if_kept(Host const& host, Position position);

}  // namespace gantry::runtime
