#include "kernel/runtime/still_read.h"

#include "kernel/codec/json.h"

namespace gantry::runtime {

void StillRead::answer(codec::Type const& reply, void const* value, int) { codec::encode_json(reply, value, body_); }

}  // namespace gantry::runtime
