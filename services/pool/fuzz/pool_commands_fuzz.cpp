// Any bytes as commands on the pool.
#include "kernel/testing/fuzz/steer.h"
#include "services/pool/pool.h"

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
    gantry::testing::steer<gantry::pool::Service>(data, size);
    return 0;
}
