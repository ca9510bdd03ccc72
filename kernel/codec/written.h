#pragma once
#include <string_view>
#include <vector>

#include "kernel/codec/schema.h"
#include "kernel/codec/shape.h"

namespace gantry::codec::detail {

struct WrittenEvent {
    EventType type;
    Shape shape;  // a record
};
// The event types of a schema blob in written order; "event_schema_malformed" when it can't be read.
Result<std::vector<WrittenEvent>> read_schema(std::string_view blob);

}  // namespace gantry::codec::detail
